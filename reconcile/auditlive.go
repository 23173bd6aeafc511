package reconcile

import (
	"context"
	"fmt"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/ehr"
	"github.com/veonahealth/charter/reconcile/ledger"
)

// LiveAudit sets the platform's rows beside what the receipts say is there.
type LiveAudit struct {
	Rows      int        `json:"rows"`
	Strangers []Stranger `json:"strangers"`
	Tenants   int        `json:"tenants"`
}

// Stranger is a row, or a tenant's newest write, that was made by other hands.
type Stranger struct {
	EHRModule string `json:"ehr_module"` // "" for the tenant as a whole
	Facility  string `json:"facility"`
	Tenant    string `json:"tenant"`
	Text      string `json:"text"`
}

// AuditLive asks of every live row whether the newest receipt of its tenant says
// that it is there, and of every row that one says is there whether it is live.
// Rows that charter leaves alone, of modules and sites that nobody declares and
// those on hold, are nobody's.
func (g *Governance) AuditLive(ctx context.Context, e EHR) (*LiveAudit, error) {
	testimony, err := g.Witness(ctx, e)
	if err != nil {
		return nil, err
	}
	if testimony.Restored != "" {
		return nil, &RestoredError{testimony.Restored}
	}
	platform, err := e.Platform(ctx)
	if err != nil {
		return nil, err
	}
	report := &LiveAudit{Strangers: []Stranger{}}
	history := g.History(ctx)
	return report, eachGrant(ctx, e, platform.Has(ehr.FeatureBulk), func(grant catalog.Grant) error {
		last, err := history(plan.Entitlements, grant.Tenant.String())
		if err != nil {
			return err
		}
		report.Tenants++
		report.Rows += len(grant.Rows)
		found, err := g.strangers(&grant, last)
		report.Strangers = append(report.Strangers, found...)
		return err
	})
}

// RestoredError says that the platform was put back behind what a receipt saw.
type RestoredError struct{ Text string }

func (e *RestoredError) Error() string { return "the platform was put back: " + e.Text }

// eachGrant reads the grant of every tenant.
func eachGrant(ctx context.Context, e EHR, bulk bool, yield func(catalog.Grant) error) error {
	if bulk {
		_, err := e.Grants(ctx, yield)
		return err
	}
	var ids []catalog.TenantID
	if _, err := e.Tenants(ctx, func(t ehr.Tenant) error { ids = append(ids, t.ID); return nil }); err != nil {
		return err
	}
	for _, id := range ids {
		grant, err := e.Grant(ctx, id)
		if err == nil {
			err = yield(grant)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// strangers are the rows in which a tenant differs from what its newest receipt
// says.
func (g *Governance) strangers(grant *catalog.Grant, last *plan.Last) ([]Stranger, error) {
	var list []Stranger
	by := grant.By
	if by == "" {
		by = "somebody"
	}
	add := func(facility, module, format string, args ...any) {
		list = append(list, Stranger{module, facility, grant.Tenant.String(), fmt.Sprintf(format, args...)})
	}
	if id, err := ledger.ParseID(grant.Receipt); err == nil {
		if _, err := g.Ledger.Find(id); err != nil {
			add("", "", "revision %d names receipt %s, which the ledger does not have", grant.Stamp.Revision, id)
		}
	}
	said, ours, err := receipted(grant.Tenant, last)
	if err != nil {
		return nil, err
	}
	for _, row := range grant.Rows.Minus(said) {
		if ours(row) {
			add(row.Facility.String(), row.Module.String(), "it is live, and no receipt says so: revision %d was last written by %s", grant.Stamp.Revision, by)
		}
	}
	for _, row := range said.Minus(grant.Rows) {
		if ours(row) {
			add(row.Facility.String(), row.Module.String(), "a receipt says that it is there, and it is not: revision %d was last written by %s", grant.Stamp.Revision, by)
		}
	}
	return list, nil
}

// receipted are the rows of a tenant by its newest receipt, and what tells whether
// a row is one that charter writes.
func receipted(id catalog.TenantID, last *plan.Last) (rows catalog.Rows, ours func(catalog.Row) bool, err error) {
	everything := func(catalog.Row) bool { return true }
	if last == nil {
		return nil, everything, nil
	}
	declared := last.Desired.Tenant(id)
	if declared == nil {
		return nil, everything, nil
	}
	t, err := declared.Tenant()
	if err != nil {
		return nil, nil, err
	}
	c := last.Desired.Catalog
	return c.Rows(t, last.At), func(row catalog.Row) bool {
		index, known := c.FromEHR(row.Module)
		if !known || t.Facility(row.Facility) == nil {
			return false
		}
		for i := range last.Desired.Holds {
			h := &last.Desired.Holds[i]
			if h.Tenant == id && last.At.Before(h.Until) && h.Covers(row.Facility, c.Module(index).Key) {
				return false
			}
		}
		return true
	}, nil
}

// stranger says why a grant's newest write is none of the ledger's; "".
func (g *Governance) stranger(grant *catalog.Grant) string {
	if len(grant.Rows) == 0 && grant.Receipt == "" {
		return ""
	}
	by := grant.By
	if by == "" {
		by = "somebody"
	}
	id, err := ledger.ParseID(grant.Receipt)
	if err != nil {
		return fmt.Sprintf("revision %d was written by %s without a receipt", grant.Stamp.Revision, by)
	}
	r, err := g.Ledger.Find(id)
	if err != nil {
		return fmt.Sprintf("revision %d names receipt %s, which the ledger does not have", grant.Stamp.Revision, id)
	}
	for _, b := range r.Intent.Batches {
		if b.Digest.String() == grant.Batch {
			return ""
		}
	}
	return fmt.Sprintf("revision %d names receipt %s, which has no batch %s", grant.Stamp.Revision, id, grant.Batch)
}
