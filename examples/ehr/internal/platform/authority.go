package platform

import (
	"errors"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/authority"
	"github.com/veonahealth/charter/plan"
)

// Verified reports whether writes need people's approval.
func (p *Platform) Verified() bool { return p.checker != nil }

// read checks the signatures of a write's authority. It is asked before the
// transaction, which should not wait for them.
func (p *Platform) read(w Write) *authority.Claim {
	if p.checker == nil {
		return nil
	}
	return p.checker.Read(w.Authority, p.now().UTC())
}

// approved refuses a write that people have not approved, and writes down what it
// uses up. Every judgement of what a plan can write asks it: after its own
// refusals of what is not there, is there already or has moved, and before
// those of what the body names.
func (p *Platform) approved(tx Tx, m moment, of authority.Write) error {
	if p.checker == nil {
		return nil
	}
	_, err := p.cover(tx, m, of)
	return err
}

// cover is approved where writes need approval, and tells by what a write may be
// carried out.
func (p *Platform) cover(tx Tx, m moment, of authority.Write) (authority.Cover, error) {
	of.Spent = func(name string) (bool, error) {
		body, err := tx.Record(Spent, spentKey(of, name))
		return body != nil, err
	}
	cover, err := m.claim.Covers(of)
	if invalid, is := errors.AsType[*authority.Invalid](err); is {
		return cover, refuse(AuthorityInvalid, "%s", invalid)
	}
	if err != nil {
		return cover, err
	}
	for _, name := range cover.Spends {
		if _, err := put(tx, m, Spent, spentKey(of, name), struct{}{}); err != nil {
			return cover, err
		}
	}
	return cover, nil
}

func spentKey(of authority.Write, name string) string {
	return string(of.Subject) + "/" + of.Of + "/" + name
}

// approvedRequest is approved for what a request writes, which stands on base.
func (p *Platform) approvedRequest(tx Tx, m moment, w Write, subject plan.Subject, of string, base *plan.Base) error {
	return p.approved(tx, m, authority.Write{Subject: subject, Of: of, Base: base, Request: w.Request})
}

// approvedOn is approvedRequest for what has no revision: it stands on what is
// there, as JSON; nil is nothing.
func (p *Platform) approvedOn(tx Tx, m moment, w Write, subject plan.Subject, of string, there any) error {
	if p.checker == nil {
		return nil
	}
	base, err := contentOf(there)
	if err != nil {
		return err
	}
	return p.approvedRequest(tx, m, w, subject, of, base)
}

// contentOf is the base of what has no revision; nil where there is nothing.
func contentOf(there any) (*plan.Base, error) {
	if there == nil {
		return nil, nil
	}
	text, err := json.Marshal(there)
	if err != nil {
		return nil, err
	}
	return plan.ContentOf([]byte(text))
}

// approvedRows is approved for a replacement of a tenant's rows.
func (p *Platform) approvedRows(tx Tx, m moment, id catalog.TenantID, rows catalog.Rows) error {
	if p.checker == nil {
		return nil
	}
	grant, err := tx.Grant(id)
	if err != nil {
		return err
	}
	held, err := grant.rows()
	if err != nil {
		return err
	}
	from, err := provisionedFrom(tx, grant)
	if err != nil {
		return err
	}
	approved, err := authorised(tx, id)
	if err != nil {
		return err
	}
	cover, err := p.cover(tx, m, authority.Write{
		Subject: plan.Entitlements, Of: id.String(), Base: plan.OnStamp(grant.Stamp), Provisioned: from,
		Revoked: held.Minus(rows), Granted: rows.Minus(held), Authorised: approved,
	})
	if err != nil || cover.ByMandate {
		return err
	}
	return putAuthorised(tx, id, rows)
}

// authorisedRows is what is kept of the newest revision that people approved.
type authorisedRows struct {
	Rows jsontext.Value `json:"rows"`
}

// authorised returns the rows of a tenant that people approved last; nil where they
// approved none.
func authorised(v View, id catalog.TenantID) (rows catalog.Rows, err error) {
	var kept authorisedRows
	found, err := get(v, Authorised, id.String(), &kept)
	if err != nil || !found {
		return nil, err
	}
	rows = catalog.Rows{}
	err = json.Unmarshal(kept.Rows, &rows)
	return rows, err
}

func putAuthorised(tx Tx, id catalog.TenantID, rows catalog.Rows) error {
	_, err := put(tx, moment{seq: unversioned}, Authorised, id.String(), authorisedRows{rows.AppendJSON(nil)})
	return err
}

// authoriseProvisioned adds the rows that provisioning has given to those that
// people approved: what else the grant holds they did not look at.
func (p *Platform) authoriseProvisioned(tx Tx, id catalog.TenantID, made []catalog.FacilityID) error {
	if p.checker == nil || len(made) == 0 {
		return nil
	}
	before, err := authorised(tx, id)
	if err != nil {
		return err
	}
	grant, err := tx.Grant(id)
	if err != nil {
		return err
	}
	held, err := grant.rows()
	if err != nil {
		return err
	}
	if before == nil && grant.Stamp.Revision > 1 {
		return nil // what was there before nobody approved
	}
	for _, row := range held {
		if slices.Contains(made, row.Facility) {
			before = append(before, row)
		}
	}
	return putAuthorised(tx, id, catalog.NewRows(before))
}

// provisionedFrom returns the revision that a grant had before provisioning made
// it what it is, by the audit trail; nil where it was last written otherwise.
func provisionedFrom(v View, grant *Grant) (*int64, error) {
	entry, err := entryAt(v, grant.Seq)
	if err != nil || entry == nil || entry.Event != "tenant.provision" {
		return nil, err
	}
	before := grant.Stamp.Revision - 1
	return &before, nil
}

// approvedConnect is approved for a replacement of a tenant's instruments.
func (p *Platform) approvedConnect(tx Tx, m moment, w Write, id catalog.TenantID, held Connect, want []Instrument) error {
	if p.checker == nil {
		return nil
	}
	before, after := licensed(held.Instruments), licensed(want)
	base, err := contentOf(before)
	if err != nil {
		return err
	}
	return p.approved(tx, m, authority.Write{
		Subject: plan.Connect, Of: id.String(), Base: base, Request: w.Request, Withdraws: !containsAll(after, before),
	})
}

// approvedProvision is approved for making a tenant's facilities.
func (p *Platform) approvedProvision(tx Tx, m moment, w Write, id catalog.TenantID) error {
	if p.checker == nil {
		return nil
	}
	there := []string{}
	for record, err := range tx.Records(Range{Kind: Facilities, Prefix: below(id, ""), At: m.seq}) {
		if err != nil {
			return err
		}
		there = append(there, record.Key[len(below(id, "")):])
	}
	return p.approvedOn(tx, m, w, plan.Provision, id.String(), there)
}

// approvedIssue is approved for another licence of a tenant: it stands on that
// which counts, of those that are not revoked the one that ends last.
func (p *Platform) approvedIssue(tx Tx, m moment, w Write, id catalog.TenantID) error {
	if p.checker == nil {
		return nil
	}
	var current *licenceRecord
	for record, err := range tx.Records(Range{Kind: Licences, Prefix: below(id, ""), At: m.seq}) {
		if err != nil {
			return err
		}
		var l licenceRecord
		if err := json.Unmarshal(record.Body, &l); err != nil {
			return err
		}
		if !l.Revoked && (current == nil || !l.Expires.Before(current.Expires)) {
			current = &l
		}
	}
	if current == nil {
		return p.approvedRequest(tx, m, w, plan.Licence, id.String(), nil)
	}
	return p.approvedOn(tx, m, w, plan.Licence, id.String(), current.base())
}

// base is what a change of a licence stands on.
func (l *licenceRecord) base() any {
	return struct {
		ID      string `json:"id"`
		Expires any    `json:"expires"`
		Modules any    `json:"modules"`
		Limits  Limits `json:"limits"`
	}{l.ID, l.Expires, l.Modules, l.Limits}
}

// approvedWithdrawal is approved for what takes away something that has no
// revision.
func (p *Platform) approvedWithdrawal(tx Tx, m moment, w Write, subject plan.Subject, of string, there any) error {
	if p.checker == nil {
		return nil
	}
	base, err := contentOf(there)
	if err != nil {
		return err
	}
	return p.approved(tx, m, authority.Write{Subject: subject, Of: of, Base: base, Request: w.Request, Withdraws: true})
}
