package reconcile

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/ehr"
)

// PlanRequest says what to plan.
type PlanRequest struct {
	Desired     *catalog.Desired
	Tenants     []catalog.Declaration // those to plan for, sorted by id
	Chosen      bool                  // whether they were chosen by name: what belongs to no tenant of them is left out
	Environment catalog.ControlPlane
	Source      plan.Source
	At          time.Time // the time that dates are judged by
	Now         time.Time
	ExpiresIn   time.Duration
	Nonce       string
	Warnings    []plan.Warning
	Target      *catalog.Desired // the branch that Desired is to be merged into; nil for none
	Base        *plan.Applied    // the newest receipt; nil before the first apply
	// History tells what was last applied, LastPolicy and LastCatalog what of the
	// fleet's own rules; nil where no ledger is founded.
	History                 plan.History
	Scheduled               plan.Scheduled // what receipts say was scheduled
	LastPolicy, LastCatalog *plan.Digest
	// Seen is told of each tenant as it was read, by many goroutines; nil for
	// nobody.
	Seen func(*catalog.Tenant, plan.Live)
}

// InstanceError says that another platform answers than the one that is
// declared.
type InstanceError struct{ Declared, Answered string }

func (e *InstanceError) Error() string {
	return fmt.Sprintf("the platform says that it is instance %q, and %q is declared", e.Answered, e.Declared)
}

// Plan observes the platform and plans what would bring it to what is declared.
// Tenants whose live state could not be read are in the plan's Unreadable. An
// error means that there is no plan.
func Plan(ctx context.Context, e EHR, r PlanRequest) (*plan.Plan, Observation, error) {
	b, platform, err := prepare(ctx, e, &r)
	if err != nil {
		return nil, Observation{}, err
	}
	if err := registry(ctx, e, b, &r); err != nil {
		return nil, Observation{}, err
	}
	var mu sync.Mutex
	found, err := observe(ctx, e, platform, &r, func(t *catalog.Tenant, live plan.Live) error {
		if r.Seen != nil {
			r.Seen(t, live)
		}
		part, err := b.Tenant(t, live)
		mu.Lock()
		defer mu.Unlock()
		b.Add(part)
		return err
	})
	if err != nil {
		return nil, Observation{}, err
	}
	b.Observed(found.Snapshot)
	p, err := b.Plan()
	if err == nil {
		use(ctx, e, platform, p)
	}
	return p, found, err
}

// registry plans what belongs to no tenant: editions and organisations. What the
// token may not read, or the platform does not offer, is warned of and left out.
func registry(ctx context.Context, e EHR, b *plan.Builder, r *PlanRequest) error {
	editions, err := optional(e.Editions(ctx))
	if err != nil {
		return err
	}
	organisations, err := optional(e.Organisations(ctx))
	if err != nil {
		return err
	}
	if editions == nil {
		b.Warn("editions", "the platform's editions could not be read, and were not compared")
	}
	if organisations == nil {
		b.Warn("organisations", "the platform's organisations could not be read, and were not compared")
	}
	wanted, err := r.wantsEdition()
	if err != nil {
		return err
	}
	parts, err := b.Editions(editions, wanted)
	if err != nil {
		return err
	}
	more, err := b.Organisations(r.organisations(), organisations)
	if err != nil {
		return err
	}
	for _, part := range append(parts, more...) {
		b.Add(part)
	}
	return nil
}

// wantsEdition tells which editions to plan for: of the tenants that were chosen
// by name, else all.
func (r *PlanRequest) wantsEdition() (func(catalog.EditionKey) bool, error) {
	of := map[catalog.EditionKey]bool{}
	for i := range r.Tenants {
		if !r.Chosen {
			break
		}
		t, err := r.Tenants[i].Tenant()
		if err != nil {
			return nil, err
		}
		of[t.Edition] = true
	}
	return func(key catalog.EditionKey) bool { return !r.Chosen || of[key] }, nil
}

// organisations are those to plan for: of the tenants that are planned for, and,
// where these were not chosen by name, those that have no tenant at all.
func (r *PlanRequest) organisations() []catalog.Organisation {
	planned, any := map[catalog.OrganisationID]bool{}, map[catalog.OrganisationID]bool{}
	for i := range r.Tenants {
		planned[r.Tenants[i].Organisation] = true
	}
	for i := range r.Desired.Tenants {
		any[r.Desired.Tenants[i].Organisation] = true
	}
	var list []catalog.Organisation
	for _, o := range r.Desired.Organisations {
		if planned[o.ID] || !r.Chosen && !any[o.ID] {
			list = append(list, o)
		}
	}
	return list
}

// prepare checks that the platform is the declared one, and starts a plan of it.
func prepare(ctx context.Context, e EHR, r *PlanRequest) (*plan.Builder, ehr.Platform, error) {
	platform, err := e.Platform(ctx)
	if err != nil {
		return nil, platform, err
	}
	if declared := r.Environment.Instance; declared != "" && declared != platform.Instance {
		return nil, platform, &InstanceError{declared, platform.Instance}
	}
	b, err := newBuilder(e, r, platform.Instance)
	return b, platform, err
}

func newBuilder(e EHR, r *PlanRequest, instance string) (*plan.Builder, error) {
	policy, err := plan.ParseDigest(r.Desired.Policy)
	if err != nil {
		return nil, err
	}
	digest, err := plan.ParseDigest(r.Desired.Catalog.Digest())
	if err != nil {
		return nil, err
	}
	return plan.NewBuilder(plan.Header{
		At: r.At, CreatedAt: r.Now, ExpiresAt: r.Now.Add(r.ExpiresIn),
		Environment: r.Environment.Environment, Instance: instance, Nonce: r.Nonce,
		Live:   plan.Observation{EHR: e.URL(), ObservedAt: r.Now},
		Source: r.Source, Policy: policy, Catalog: digest, Warnings: r.Warnings,
		Target: r.Target, Base: r.Base, History: r.History, Scheduled: r.Scheduled, LastPolicy: r.LastPolicy, LastCatalog: r.LastCatalog,
	}, r.Desired.Catalog, r.Desired.Holds), nil
}
