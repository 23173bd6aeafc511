package reconcile

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/ledger"
)

// unplanned finds what a plan leaves out that it should have: subjects of tenants
// whose declaration has moved since it was last applied, that differ from what is
// live, and of which the plan has no batch. They are not in step, and a receipt
// that took them for it would make of their next change drift. Tenants whose
// declaration has not moved need not be looked at.
func (g *Governance) unplanned(ctx context.Context, e EHR, o Order) ([]ledger.Skip, error) {
	desired, err := g.declared(ctx, o.Plan.Source.Commit)
	if err != nil {
		return nil, err
	}
	moved, err := g.movedSince(ctx, desired, o)
	if err != nil || len(moved) == 0 {
		return nil, err
	}
	r := PlanRequest{
		Desired: desired, Tenants: moved, Chosen: true, Environment: catalog.ControlPlane{Environment: g.o.Environment},
		Source: o.Plan.Source, At: o.Plan.At, Now: o.Plan.CreatedAt, ExpiresIn: o.Plan.ExpiresAt.Sub(o.Plan.CreatedAt),
	}
	anew, _, err := Plan(ctx, e, r)
	if err != nil {
		return nil, err
	}
	planned := map[ledger.Skip]bool{}
	for i := range o.Plan.Batches {
		planned[ledger.Skip{Subject: o.Plan.Batches[i].Subject, Tenant: o.Plan.Batches[i].Tenant}] = true
	}
	skips := map[ledger.Skip]bool{}
	for i := range anew.Batches {
		key := ledger.Skip{Subject: anew.Batches[i].Subject, Tenant: anew.Batches[i].Tenant}
		if !planned[key] {
			key.Reason = "unplanned"
			skips[key] = true
		}
	}
	for _, u := range anew.Unreadable {
		skips[ledger.Skip{Reason: "unreadable", Tenant: u.Tenant}] = true
	}
	return slices.SortedFunc(maps.Keys(skips), compareSkips), nil
}

func compareSkips(a, b ledger.Skip) int {
	return strings.Compare(a.Tenant+"\x00"+string(a.Subject)+a.Reason, b.Tenant+"\x00"+string(b.Subject)+b.Reason)
}

// movedSince are the tenants whose declaration, or a date of it, has moved since
// they were last applied.
func (g *Governance) movedSince(ctx context.Context, desired *catalog.Desired, o Order) ([]catalog.Declaration, error) {
	history := g.History(ctx)
	var moved []catalog.Declaration
	for i := range desired.Tenants {
		d := &desired.Tenants[i]
		if d.Environment != g.o.Environment || o.Only != nil && !o.Only[d.ID] {
			continue
		}
		last, err := history(plan.Entitlements, d.ID.String())
		if err != nil {
			return nil, err
		}
		has, err := hasMoved(d, desired.Catalog, last, o.Plan)
		if err != nil {
			return nil, err
		}
		if has {
			moved = append(moved, *d)
		}
	}
	return moved, nil
}

func hasMoved(d *catalog.Declaration, c *catalog.Catalog, last *plan.Last, p *plan.Plan) (bool, error) {
	if last == nil {
		return true, nil
	}
	was := last.Desired.Tenant(d.ID)
	if was == nil || !bytes.Equal(was.Encoded(), d.Encoded()) || last.Desired.Catalog.Digest() != c.Digest() {
		return true, nil
	}
	if !bytes.Contains(d.Encoded(), []byte(`"from":`)) && !bytes.Contains(d.Encoded(), []byte(`"until":`)) && !bytes.Contains(d.Encoded(), []byte(`"closed":`)) {
		return false, nil
	}
	t, err := d.Tenant()
	if err != nil {
		return false, err
	}
	return !slices.Equal(c.Rows(t, last.At), c.Rows(t, p.At)), nil
}
