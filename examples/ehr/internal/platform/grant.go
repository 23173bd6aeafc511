package platform

import (
	"bytes"
	"context"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/veonahealth/charter/catalog"
)

// Grant is one tenant's grant. What is answered of it is kept as the JSON that
// it is answered as: a grant is read far more often than it is written.
type Grant struct {
	Tenant    catalog.TenantID
	Stamp     catalog.Stamp  // revision and entity tag
	Modules   jsontext.Value // array of the modules that the rows name, sorted
	Rows      jsontext.Value // array of the rows, sorted, as AppendJSON spells them
	Authority jsontext.Value // of the newest write; nil where it gave none
	UpdatedAt string         // of the newest write, as timeForm has it
	UpdatedBy string         // the actor of the newest write
	Seq       int64          // of the newest write, its audit entry
}

// newGrant returns a grant of rows, which must be sorted. It has neither author
// nor authority until it is put.
func newGrant(tenant catalog.TenantID, revision int64, rows catalog.Rows) *Grant {
	encoded := jsontext.Value(rows.AppendJSON(nil))
	return &Grant{
		Tenant:  tenant,
		Stamp:   catalog.Stamp{Revision: revision, ETag: entityTag(revision, encoded)},
		Modules: modulesJSON(rows.Modules()),
		Rows:    encoded,
	}
}

// put stores the grant as the newest write of its tenant.
func (g *Grant) put(tx Tx, m moment, w Write) error {
	g.Authority, g.UpdatedAt, g.UpdatedBy, g.Seq = w.Authority, m.at, w.Actor, m.seq
	return tx.PutGrant(g)
}

func modulesJSON(modules []catalog.EHRModule) jsontext.Value {
	out := []byte{'['}
	for i, module := range modules {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(append(out, '"'), module.String()...), '"')
	}
	return append(out, ']')
}

// Holds reports whether the facility holds the module. It looks for the row's
// text, which cannot stand in the rows for anything else, and so need not decode
// a grant for each request of the clinical app.
func (g *Grant) Holds(row catalog.Row) bool {
	return bytes.Contains(g.Rows, row.AppendJSON(nil))
}

// rows decodes the grant's rows.
func (g *Grant) rows() (rows catalog.Rows, err error) {
	err = json.Unmarshal(g.Rows, &rows)
	return rows, err
}

// Append appends the grant to out as a client reads it. It is put together from
// parts that are JSON already, and they are not read again.
func (g *Grant) Append(out []byte) []byte {
	out = slices.Grow(out, len(g.Rows)+len(g.Modules)+len(g.Authority)+256)
	out = append(append(out, `{"tenant":"`...), g.Tenant.String()...)
	out = strconv.AppendInt(append(out, `","revision":`...), g.Stamp.Revision, 10)
	out = append(append(out, `,"modules":`...), g.Modules...)
	out = append(append(out, `,"rows":`...), g.Rows...)
	out = append(out, `,"authority":`...)
	if g.Authority == nil {
		out = append(out, "null"...)
	} else {
		out = append(out, g.Authority...)
	}
	out = appendText(append(out, `,"updated_at":`...), g.UpdatedAt)
	out = appendText(append(out, `,"updated_by":`...), g.UpdatedBy)
	return append(out, '}')
}

// AppendLine appends the grant as a line of the bulk stream: with its entity tag
// as the field etag, and a newline.
func (g *Grant) AppendLine(out []byte) []byte {
	out = g.Append(out)
	out = appendText(append(out[:len(out)-1], `,"etag":`...), g.Stamp.ETag)
	return append(out, "}\n"...)
}

// Condition is what a write of something with a revision demands of the one in
// force. The zero Condition demands nothing, and is refused.
type Condition struct {
	ETag   string // it must bear this strong tag, given with its quotes
	Absent bool   // it must not exist
}

// check refuses a write whose condition the stamp in force does not meet.
func (c Condition) check(what string, stamp catalog.Stamp) error {
	switch {
	case c == Condition{}:
		return refuse(PreconditionMissing, "If-Match: want exactly one strong entity tag")
	case c.Absent || c.ETag != stamp.ETag:
		moved := refuse(RevisionMoved, "%s: is at revision %d", what, stamp.Revision)
		moved.Stamp = &stamp
		return moved
	}
	return nil
}

// Grant returns a tenant's grant.
func (p *Platform) Grant(ctx context.Context, id catalog.TenantID) (grant *Grant, err error) {
	grant, err = p.store.Grant(ctx, id)
	if err == nil && grant == nil {
		err = refuse(NotFound, "tenant %q", id)
	}
	return grant, err
}

// ReplaceGrant makes rows the tenant's grant, at once for every facility. Also a
// write that changes no row is a new revision. Rows may come in any order.
func (p *Platform) ReplaceGrant(ctx context.Context, w Write, id catalog.TenantID, c Condition, rows []catalog.Row) (Answer, error) {
	sorted, err := p.checkRows(rows)
	if err != nil {
		return Answer{}, err
	}
	return p.write(ctx, w, func(tx Tx, m moment) (change, error) {
		if _, err := openTenant(tx, id); err != nil {
			return change{}, err
		}
		stamp, err := tx.Stamp(id)
		if err != nil {
			return change{}, err
		}
		if err := c.check("grant of tenant "+id.String(), stamp); err != nil {
			return change{}, err
		}
		if err := p.approvedRows(tx, m, id, sorted); err != nil {
			return change{}, err
		}
		if err := p.checkKnown(tx, id, sorted); err != nil {
			return change{}, err
		}
		grant := newGrant(id, stamp.Revision+1, sorted)
		if err := grant.put(tx, m, w); err != nil {
			return change{}, err
		}
		return change{
			event: "entitlement.write", subject: id.String(), revision: &grant.Stamp.Revision,
			answer: Answer{ETag: grant.Stamp.ETag, Body: grant.Append(nil)},
		}, nil
	})
}

// Touch writes a tenant's grant as it is: its revision moves, and no row. It needs
// nobody's approval.
func (p *Platform) Touch(ctx context.Context, w Write, id catalog.TenantID) error {
	_, err := p.write(ctx, w, func(tx Tx, m moment) (change, error) {
		grant, err := tx.Grant(id)
		switch {
		case err != nil:
			return change{}, err
		case grant == nil:
			return change{}, refuse(NotFound, "tenant %q", id)
		}
		rows, err := grant.rows()
		if err != nil {
			return change{}, err
		}
		next := newGrant(id, grant.Stamp.Revision+1, rows)
		return change{
			event: "entitlement.write", subject: id.String(), revision: &next.Stamp.Revision,
		}, next.put(tx, m, w)
	})
	return err
}

// checkRows returns the rows sorted. It refuses rows that are not given at all,
// which is not the same as none, and what no facility could hold.
func (p *Platform) checkRows(rows []catalog.Row) (catalog.Rows, error) {
	if rows == nil {
		return nil, refuse(Invalid, "rows: missing; an empty grant is []")
	}
	for i, row := range rows {
		if row.Facility.IsZero() || row.Module.IsZero() {
			return nil, refuse(Invalid, "rows/%d: want a facility and a module", i)
		}
	}
	given := len(rows)
	sorted := catalog.NewRows(rows)
	if len(sorted) != given {
		return nil, refuse(Invalid, "rows: one stands twice")
	}
	return sorted, nil
}

// checkKnown refuses rows at facilities that the tenant has not, or of modules
// that the EHR has not.
func (p *Platform) checkKnown(tx Tx, id catalog.TenantID, rows catalog.Rows) error {
	var last catalog.FacilityID
	for _, row := range rows {
		if _, known := p.catalog.FromEHR(row.Module); !known {
			return refuse(UnknownModule, "module %q", row.Module)
		}
		if row.Facility == last {
			continue
		}
		last = row.Facility
		facility, err := tx.Record(Facilities, below(id, last.String()))
		switch {
		case err != nil:
			return err
		case facility == nil:
			return refuse(UnknownFacility, "facility %q of tenant %q", last, id)
		}
	}
	return nil
}

// offerKey is the key of a grant that a box was given.
func offerKey(id catalog.TenantID, revision int64) string {
	return below(id, strconv.FormatInt(revision, 10))
}

// below is the key of something that belongs to a tenant.
func below(id catalog.TenantID, name string) string { return id.String() + "/" + name }

// Bulk calls each with every tenant's grant, in the order of their ids, of one
// state; with the grants that changed after since, where since is a snapshot. It
// returns that state's snapshot. The Grant is good until each returns.
func (p *Platform) Bulk(ctx context.Context, since *string, each func(*Grant) error) (snapshot string, err error) {
	err = p.store.View(ctx, func(v View) error {
		after := int64(0)
		if since != nil {
			if after, err = p.seqOf(v, *since); err != nil {
				return err
			}
		}
		head, err := v.Head()
		if err != nil {
			return err
		}
		snapshot = p.snapshot(head)
		return v.Grants(after, each)
	})
	return snapshot, err
}
