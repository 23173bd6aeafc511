package sqlite

import (
	"iter"

	"github.com/go-json-experiment/json"

	"github.com/veonahealth/charter/examples/ehr/internal/platform"
)

// tx is a transaction that also writes.
type tx struct{ view }

func (t tx) PutRecord(seq int64, kind platform.Kind, r platform.Record) error {
	const query = `INSERT INTO records (kind, key, seq, body) VALUES (?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET body = excluded.body`
	return t.exec(query, string(kind), r.Key, seq, string(r.Body))
}

func (t tx) PutGrant(g *platform.Grant) error {
	const query = `INSERT INTO grants (` + grantColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (tenant) DO UPDATE SET seq = excluded.seq, revision = excluded.revision,
			etag = excluded.etag, modules = excluded.modules, rows = excluded.rows,
			authority = excluded.authority, updated_at = excluded.updated_at, updated_by = excluded.updated_by`
	var authority any
	if g.Authority != nil {
		authority = string(g.Authority)
	}
	return t.exec(query, g.Tenant.String(), g.Seq, g.Stamp.Revision, g.Stamp.ETag,
		string(g.Modules), string(g.Rows), authority, g.UpdatedAt, g.UpdatedBy)
}

func (t tx) Append(head platform.Head, body []byte) error {
	return t.exec("INSERT INTO audit (seq, hash, body) VALUES (?, ?, ?)", head.Seq, head.Hash, string(body))
}

func (t tx) Remember(a *platform.Remembered, before int64) error {
	// A few at each write keep the table at one window's size, and no write pays
	// for a day's answers at once.
	const forget = `DELETE FROM answers WHERE at <= ?
		AND rowid IN (SELECT rowid FROM answers ORDER BY rowid LIMIT 4)`
	if err := t.exec(forget, before); err != nil {
		return err
	}
	const query = `INSERT OR REPLACE INTO answers (id, digest, at, created, etag, body) VALUES (?, ?, ?, ?, ?, ?)`
	return t.exec(query, a.ID[:], a.Body[:], a.At, a.Answer.Created, a.Answer.ETag, string(a.Answer.Body))
}

func (t tx) AddUses(counts iter.Seq2[platform.DayOfUse, int64], oldest int64) error {
	const query = `INSERT INTO uses (tenant, facility, module, day, requests) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET requests = requests + excluded.requests`
	for of, requests := range counts {
		err := t.exec(query, of.Tenant.String(), of.Facility.String(), of.Module.String(), of.Day, requests)
		if err != nil {
			return err
		}
	}
	return t.exec("DELETE FROM uses WHERE day < ?", oldest)
}

func (t tx) PutMail(m *platform.Mail) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return t.exec("INSERT OR REPLACE INTO mails (seq, sent, body) VALUES (?, ?, ?)", m.Seq, m.Sent, string(body))
}

func (t tx) PutSetting(name, value string) error {
	return t.exec("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", name, value)
}
