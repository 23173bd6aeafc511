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
	Environment catalog.ControlPlane
	Source      plan.Source
	At          time.Time // the time that dates are judged by
	Now         time.Time
	ExpiresIn   time.Duration
	Nonce       string
	Warnings    []plan.Warning
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
	var mu sync.Mutex
	found, err := observe(ctx, e, platform, r.Tenants, func(t *catalog.Tenant, live plan.Live) error {
		part := b.Tenant(t, live)
		mu.Lock()
		defer mu.Unlock()
		b.Add(part)
		return nil
	})
	if err != nil {
		return nil, Observation{}, err
	}
	b.Observed(found.Snapshot)
	p, err := b.Plan()
	return p, found, err
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
	}, r.Desired.Catalog, r.Desired.Holds), nil
}
