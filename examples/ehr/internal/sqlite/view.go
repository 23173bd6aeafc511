package sqlite

import (
	"errors"
	"iter"

	"github.com/go-json-experiment/json"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/internal/platform"
)

// view is a transaction that reads.
type view struct{ conn *sqlite.Conn }

// exec runs a statement that gives no rows.
func (v view) exec(query string, args ...any) error {
	return v.query(query, nil, args...)
}

// query calls row with each row of a query's result.
func (v view) query(query string, row func(*sqlite.Stmt) error, args ...any) error {
	return sqlitex.Execute(v.conn, query, &sqlitex.ExecOptions{Args: args, ResultFunc: row})
}

// end rolls back what is open. It is for transactions that only read, and for
// those that could not be committed.
func (v view) end() error {
	if v.conn.AutocommitEnabled() {
		return nil
	}
	// A connection whose context has ended refuses also the statement that would
	// set it free.
	defer v.conn.SetInterrupt(v.conn.SetInterrupt(nil))
	return v.exec("ROLLBACK")
}

func (v view) Head() (head platform.Head, err error) {
	err = v.query("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1", func(s *sqlite.Stmt) error {
		head = platform.Head{Seq: s.ColumnInt64(0), Hash: s.ColumnText(1)}
		return nil
	})
	return head, err
}

func (v view) HashAt(seq int64) (hash string, err error) {
	err = v.query("SELECT hash FROM audit WHERE seq = ?", func(s *sqlite.Stmt) error {
		hash = s.ColumnText(0)
		return nil
	}, seq)
	return hash, err
}

func (v view) Entries(r platform.Range) iter.Seq2[platform.Record, error] {
	const query = "SELECT seq, body FROM audit WHERE seq > CAST(? AS INTEGER) AND seq <= ? ORDER BY seq"
	return v.records(query, r.After, r.At)
}

// errEnough ends a query whose reader has enough.
var errEnough = errors.New("enough")

// records yields the result of a query for keys and bodies.
func (v view) records(query string, args ...any) iter.Seq2[platform.Record, error] {
	return func(yield func(platform.Record, error) bool) {
		err := v.query(query, func(s *sqlite.Stmt) error {
			if !yield(platform.Record{Key: s.ColumnText(0), Body: columnBytes(s, 1)}, nil) {
				return errEnough
			}
			return nil
		}, args...)
		if err != nil && !errors.Is(err, errEnough) {
			yield(platform.Record{}, err)
		}
	}
}

func (v view) Record(kind platform.Kind, key string) (body []byte, err error) {
	const query = "SELECT body FROM records WHERE kind = ? AND key = ? ORDER BY seq DESC LIMIT 1"
	err = v.query(query, func(s *sqlite.Stmt) error {
		body = columnBytes(s, 0)
		return nil
	}, string(kind), key)
	return body, err
}

// inRange selects the versions that are in force at a state: those that no later
// version up to it replaces.
const inRange = `FROM records AS r
	WHERE kind = ?1 AND key > ?2 AND key < ?3 AND seq <= ?4 AND NOT EXISTS (
		SELECT 1 FROM records AS later
		WHERE later.kind = r.kind AND later.key = r.key AND later.seq > r.seq AND later.seq <= ?4)`

func (v view) Records(r platform.Range) iter.Seq2[platform.Record, error] {
	return v.records("SELECT key, body "+inRange+" ORDER BY key",
		string(r.Kind), max(r.After, r.Prefix), pastPrefix(r.Prefix), r.At)
}

func (v view) Count(r platform.Range) (count int64, err error) {
	err = v.query("SELECT count(*) "+inRange, func(s *sqlite.Stmt) error {
		count = s.ColumnInt64(0)
		return nil
	}, string(r.Kind), r.Prefix, pastPrefix(r.Prefix), r.At)
	return count, err
}

// pastPrefix is a text that sorts after every key with the prefix: no UTF-8 holds
// this byte.
func pastPrefix(prefix string) string { return prefix + "\xff" }

const grantColumns = "tenant, seq, revision, etag, modules, rows, authority, updated_at, updated_by"

func (v view) Grant(tenant catalog.TenantID) (grant *platform.Grant, err error) {
	err = v.query("SELECT "+grantColumns+" FROM grants WHERE tenant = ?", func(s *sqlite.Stmt) error {
		grant = &platform.Grant{}
		return scanGrant(s, grant)
	}, tenant.String())
	return grant, err
}

func (v view) Stamp(tenant catalog.TenantID) (stamp catalog.Stamp, err error) {
	err = v.query("SELECT revision, etag FROM grants WHERE tenant = ?", func(s *sqlite.Stmt) error {
		stamp = catalog.Stamp{Revision: s.ColumnInt64(0), ETag: s.ColumnText(1)}
		return nil
	}, tenant.String())
	return stamp, err
}

func (v view) Grants(after int64, each func(*platform.Grant) error) error {
	var grant platform.Grant // its buffers are used again for each
	row := func(s *sqlite.Stmt) error {
		if err := scanGrant(s, &grant); err != nil {
			return err
		}
		return each(&grant)
	}
	const all = "SELECT " + grantColumns + " FROM grants"
	if after == 0 {
		return v.query(all+" ORDER BY tenant", row)
	}
	// The names are sorted before their rows are read, not the rows.
	return v.query(all+" WHERE tenant IN (SELECT tenant FROM grants WHERE seq > ?) ORDER BY tenant", row, after)
}

func scanGrant(s *sqlite.Stmt, g *platform.Grant) (err error) {
	if g.Tenant, err = catalog.ParseTenantID(s.ColumnText(0)); err != nil {
		return err
	}
	g.Seq = s.ColumnInt64(1)
	g.Stamp = catalog.Stamp{Revision: s.ColumnInt64(2), ETag: s.ColumnText(3)}
	g.Modules = readColumn(s, 4, g.Modules)
	g.Rows = readColumn(s, 5, g.Rows)
	g.Authority = readColumn(s, 6, g.Authority)
	if s.ColumnIsNull(6) {
		g.Authority = nil
	}
	g.UpdatedAt, g.UpdatedBy = s.ColumnText(7), s.ColumnText(8)
	return nil
}

// readColumn returns a column's bytes in buffer, which grows where it must.
func readColumn(s *sqlite.Stmt, column int, buffer []byte) []byte {
	n := s.ColumnLen(column)
	if cap(buffer) < n {
		buffer = make([]byte, n)
	}
	buffer = buffer[:n]
	s.ColumnBytes(column, buffer)
	return buffer
}

func columnBytes(s *sqlite.Stmt, column int) []byte { return readColumn(s, column, nil) }

func (v view) Answer(id [32]byte) (found *platform.Remembered, err error) {
	const query = "SELECT digest, at, created, etag, body FROM answers WHERE id = ?"
	err = v.query(query, func(s *sqlite.Stmt) error {
		found = &platform.Remembered{ID: id, At: s.ColumnInt64(1)}
		s.ColumnBytes(0, found.Body[:])
		found.Answer = platform.Answer{Created: s.ColumnBool(2), ETag: s.ColumnText(3), Body: columnBytes(s, 4)}
		return nil
	}, id[:])
	return found, err
}

func (v view) Uses(id catalog.TenantID, since int64) (uses []platform.Use, err error) {
	const query = `SELECT facility, module, sum(requests) FROM uses WHERE tenant = ? AND day >= ?
		GROUP BY facility, module ORDER BY facility, module`
	err = v.query(query, func(s *sqlite.Stmt) (err error) {
		use := platform.Use{Requests: s.ColumnInt64(2)}
		if use.Facility, err = catalog.ParseFacilityID(s.ColumnText(0)); err != nil {
			return err
		}
		if use.Module, err = catalog.ParseEHRModule(s.ColumnText(1)); err != nil {
			return err
		}
		uses = append(uses, use)
		return nil
	}, id.String(), since)
	return uses, err
}

func (v view) Mails(limit int) ([]platform.Mail, error) {
	return v.mails("SELECT seq, sent, body FROM mails ORDER BY seq DESC LIMIT ?", limit)
}

func (v view) UnsentMails() ([]platform.Mail, error) {
	return v.mails("SELECT seq, sent, body FROM mails WHERE NOT sent ORDER BY seq")
}

func (v view) mails(query string, args ...any) (found []platform.Mail, err error) {
	err = v.query(query, func(s *sqlite.Stmt) error {
		mail := platform.Mail{}
		if err := json.Unmarshal(columnBytes(s, 2), &mail); err != nil {
			return err
		}
		mail.Seq, mail.Sent = s.ColumnInt64(0), s.ColumnBool(1)
		found = append(found, mail)
		return nil
	}, args...)
	return found, err
}

func (v view) Setting(name string) (value string, err error) {
	err = v.query("SELECT value FROM settings WHERE name = ?", func(s *sqlite.Stmt) error {
		value = s.ColumnText(0)
		return nil
	}, name)
	return value, err
}
