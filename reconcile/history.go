package reconcile

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/ledger"
)

// Deed is a receipt in the words of people: what was done, by whose word and
// whose hand.
type Deed struct {
	Act        ledger.Act  `json:"act"`
	Approvals  []string    `json:"approvals"` // who approved, as the policy of the day names them, sorted
	Batches    []DeedBatch `json:"batches"`
	By         string      `json:"by"`          // who carried it out
	Commit     string      `json:"commit"`      // of the declarations; "" where none is concerned
	CreatedAt  time.Time   `json:"created_at"`  // when it was begun
	FinishedAt *time.Time  `json:"finished_at"` // null while it is open
	Glass      []Glass     `json:"glass"`       // who broke a brake's glass for it
	Number     int         `json:"number"`
	Plan       string      `json:"plan"` // its digest; "" where there is none
	Reason     string      `json:"reason"`
	Receipt    string      `json:"receipt"`
	Skipped    int         `json:"skipped"` // tenants' subjects that were left as they were
}

// DeedBatch is what became of one batch, or scheduled entry, of a receipt.
type DeedBatch struct {
	At       *time.Time    `json:"at"`      // of a scheduled entry; null for what was written then
	Changes  []plan.Change `json:"changes"` // those that were asked for
	Revision int64         `json:"revision"`
	State    ledger.State  `json:"state"` // "" while the receipt is open
	Subject  plan.Subject  `json:"subject"`
	Tenant   string        `json:"tenant"`
	Text     string        `json:"text"` // why, where it is not done
}

// DeedFilter chooses receipts. What is left at its zero value does not choose.
type DeedFilter struct {
	Tenant string
	Person string // who carried out or approved, by the policy's id
	Module catalog.ModuleKey
	Span   catalog.Span // of when it was begun
}

// Deeds yields the receipts that a filter chooses, newest first, each read when it
// is asked for. After an error it yields nothing more.
func (g *Governance) Deeds(ctx context.Context, f DeedFilter) iter.Seq2[*Deed, error] {
	return func(yield func(*Deed, error) bool) {
		for r, err := range g.receipts(f.Tenant) {
			var d *Deed
			if err == nil {
				err = ctx.Err()
			}
			if err == nil {
				d, err = g.deed(ctx, r, f)
			}
			if (d != nil || err != nil) && !yield(d, asTrust(err)) || err != nil {
				return
			}
		}
	}
}

// receipts yields all, or those that may be of a tenant, newest first.
func (g *Governance) receipts(tenant string) iter.Seq2[*ledger.Receipt, error] {
	if tenant == "" {
		return g.Ledger.Receipts()
	}
	return func(yield func(*ledger.Receipt, error) bool) {
		open, err := g.Ledger.Unfinished() // which is in no list yet
		if (open != nil || err != nil) && !yield(open, err) || err != nil {
			return
		}
		for _, n := range slices.Backward(g.Ledger.OfTenant(tenant)) {
			r, err := g.Ledger.At(n)
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// chooses reports whether what can be told without the plan fits.
func (f *DeedFilter) chooses(r *ledger.Receipt, broken []Glass) bool {
	by := f.Person == "" || slices.ContainsFunc(broken, func(b Glass) bool { return b.By == f.Person }) || r.Intent.By.ID == f.Person || r.Outcome != nil && r.Outcome.By.ID == f.Person ||
		slices.ContainsFunc(r.Intent.Approvals, func(a ledger.Approval) bool { return a.By.ID == f.Person })
	return by && f.Span.Contains(r.Intent.CreatedAt)
}

// deed tells a receipt; nil where nothing of it fits.
func (g *Governance) deed(ctx context.Context, r *ledger.Receipt, f DeedFilter) (*Deed, error) {
	broken, err := g.glassOf(ctx, r)
	if err != nil || !f.chooses(r, broken) {
		return nil, err
	}
	d := &Deed{
		Act: r.Intent.Act, Approvals: approvers(r), Batches: []DeedBatch{}, By: r.Intent.By.ID, Commit: r.Intent.Commit, CreatedAt: r.Intent.CreatedAt,
		Glass: broken, Number: r.Number, Reason: r.Intent.Reason, Receipt: r.ID.String(),
	}
	if r.Outcome != nil {
		d.FinishedAt, d.Skipped = &r.Outcome.FinishedAt, len(r.Outcome.Skipped)
	}
	changes, err := g.changes(r)
	if err != nil {
		return nil, err
	}
	if r.Intent.Plan != nil {
		d.Plan = r.Intent.Plan.String()
	}
	for i, b := range r.Intent.Batches {
		if f.Tenant != "" && (b.Tenant != f.Tenant || !b.Subject.OfTenant()) {
			continue
		}
		part := f.batch(b, changes[b.Digest])
		if r.Outcome != nil {
			became := r.Outcome.Batches[i]
			part.State, part.Revision, part.Text = became.State, became.Revision, became.Text
		}
		if f.Module.IsZero() || len(part.Changes) > 0 {
			d.Batches = append(d.Batches, part)
		}
	}
	if len(d.Batches) == 0 && (f.Tenant != "" || !f.Module.IsZero()) {
		return nil, nil
	}
	return d, nil
}

// batch tells a batch with those of its changes that fit.
func (f *DeedFilter) batch(b ledger.Batch, changes []plan.Change) DeedBatch {
	part := DeedBatch{At: b.At, Changes: []plan.Change{}, Subject: b.Subject, Tenant: b.Tenant}
	for _, c := range changes {
		if f.Module.IsZero() || c.Module == f.Module.String() {
			part.Changes = append(part.Changes, c)
		}
	}
	return part
}

// approvers are those whose approvals a receipt holds, each once.
func approvers(r *ledger.Receipt) []string {
	list := []string{}
	for _, a := range r.Intent.Approvals {
		list = append(list, a.By.ID)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// changes are those of a receipt's plan, by their batch's digest.
func (g *Governance) changes(r *ledger.Receipt) (map[plan.Digest][]plan.Change, error) {
	data, err := g.Ledger.Plan(r)
	if err != nil || data == nil {
		return nil, err
	}
	p, err := plan.Recorded(data)
	if err != nil {
		return nil, distrust("receipt %d: %w", r.Number, err)
	}
	of := map[plan.Digest][]plan.Change{}
	for i := range p.Batches {
		of[p.Batches[i].Digest] = p.Batches[i].Changes
	}
	for i := range p.Scheduled {
		of[p.Scheduled[i].Digest] = p.Scheduled[i].Changes
	}
	return of, nil
}

// TenantHeld is who held what of a tenant at a time.
type TenantHeld struct {
	AppliedAt  time.Time      `json:"applied_at"` // by which dates were judged when it was last applied
	Commit     string         `json:"commit"`
	Facilities []FacilityHeld `json:"facilities"`
	Number     int            `json:"number"`
	Receipt    string         `json:"receipt"`
	Tenant     string         `json:"tenant"`
}

// FacilityHeld is what a facility held. Began and Ended are the modules whose
// dates had come since it was last applied, and which no receipt had carried out
// by then.
type FacilityHeld struct {
	Began    []catalog.ModuleKey `json:"began"`
	Ended    []catalog.ModuleKey `json:"ended"`
	Facility catalog.FacilityID  `json:"facility"`
	Modules  []catalog.ModuleKey `json:"modules"` // by what was declared at the commit, judged at the time
}

// HeldAt yields who held what at a time, by what was last applied by then, tenant
// by tenant; of one where it is given. After an error it yields nothing more.
func (g *Governance) HeldAt(ctx context.Context, at time.Time, tenant catalog.TenantID) iter.Seq2[*TenantHeld, error] {
	return func(yield func(*TenantHeld, error) bool) {
		past, err := g.Ledger.AsOf(ctx, at)
		var ids []catalog.TenantID
		if err == nil {
			ids, err = g.tenantsOf(ctx, past, tenant)
		}
		if err != nil {
			yield(nil, asTrust(err))
			return
		}
		for _, id := range ids {
			held, err := g.heldAt(ctx, past, id, at)
			if (held != nil || err != nil) && !yield(held, err) || err != nil {
				return
			}
		}
	}
}

// tenantsOf lists the tenants that may have held something, sorted.
func (g *Governance) tenantsOf(ctx context.Context, past *ledger.Past, one catalog.TenantID) ([]catalog.TenantID, error) {
	if !one.IsZero() {
		return []catalog.TenantID{one}, nil
	}
	var ids []catalog.TenantID
	if last, found := past.LastApply(); found {
		desired, err := g.declared(ctx, last.Commit)
		if err != nil {
			return nil, err
		}
		for i := range desired.Tenants {
			ids = append(ids, desired.Tenants[i].ID)
		}
	}
	for _, name := range past.Apart() {
		id, err := catalog.ParseTenantID(name)
		if err != nil {
			return nil, fmt.Errorf("the ledger: %w", err)
		}
		ids = append(ids, id)
	}
	slices.SortFunc(ids, catalog.TenantID.Compare)
	return slices.Compact(ids), nil
}

// heldAt tells what a tenant held; nil where nothing was applied of it.
func (g *Governance) heldAt(ctx context.Context, past *ledger.Past, id catalog.TenantID, at time.Time) (*TenantHeld, error) {
	applied, found := past.LastApplied(id.String(), plan.Entitlements)
	if !found {
		return nil, nil
	}
	desired, err := g.declared(ctx, applied.Commit)
	if err != nil {
		return nil, err
	}
	d := desired.Tenant(id)
	if d == nil || d.Environment != g.o.Environment {
		return nil, nil
	}
	t, err := d.Tenant()
	if err != nil {
		return nil, err
	}
	held := &TenantHeld{AppliedAt: applied.At, Commit: applied.Commit, Number: applied.Number, Receipt: applied.Receipt.String(), Tenant: id.String()}
	for i := range t.Facilities {
		held.Facilities = append(held.Facilities, facilityHeld(desired.Catalog, t, &t.Facilities[i], applied.At, at))
	}
	return held, nil
}

func facilityHeld(c *catalog.Catalog, t *catalog.Tenant, f *catalog.Facility, applied, at time.Time) FacilityHeld {
	held := FacilityHeld{Began: []catalog.ModuleKey{}, Ended: []catalog.ModuleKey{}, Facility: f.ID, Modules: []catalog.ModuleKey{}}
	was, is := c.Holds(t, f, applied), c.Holds(t, f, at)
	for index, m := range c.Modules() {
		if is.Has(index) {
			held.Modules = append(held.Modules, m.Key)
		}
		switch {
		case is.Has(index) && !was.Has(index):
			held.Began = append(held.Began, m.Key)
		case was.Has(index) && !is.Has(index):
			held.Ended = append(held.Ended, m.Key)
		}
	}
	return held
}
