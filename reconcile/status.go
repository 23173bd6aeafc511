package reconcile

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
)

// TenantStatus sets what is declared for a tenant beside what the platform has
// accepted and what its deployment enforces.
type TenantStatus struct {
	Tenant   string `json:"tenant"`
	Edition  string `json:"edition"`
	Declared int    `json:"declared"` // rows at the time asked for
	// Accepted is the platform's grant; nil where there is none to be had.
	Accepted *Accepted `json:"accepted"`
	// Enforced is what the deployment reported last; nil where it never did.
	Enforced   *Enforced      `json:"enforced"`
	Reachable  bool           `json:"reachable"` // the deployment, by the platform's word
	Platform   string         `json:"platform"`  // the tenant's status there, or ""
	Grant      int            `json:"grant"`     // rows that a plan would grant
	Revoke     int            `json:"revoke"`    // rows that a plan would revoke
	Change     int            `json:"change"`    // what else a plan would change
	Held       []plan.Held    `json:"held"`
	Refusals   []plan.Refusal `json:"refusals"`
	Unreadable string         `json:"unreadable"` // why nothing is known, or ""
	// Licence is the one that the deployment runs by; nil where there is none.
	Licence *LicenceStatus `json:"licence"`
}

// Accepted is a tenant's grant in short.
type Accepted struct {
	Revision int64 `json:"revision"`
	Rows     int   `json:"rows"`
}

// Enforced is what a deployment last reported to act by.
type Enforced struct {
	Revision int64  `json:"revision"`
	At       string `json:"at"`
}

// InStep reports whether what is declared, accepted and enforced is one, and
// nothing keeps the platform from acting by it.
func (s *TenantStatus) InStep() bool {
	return s.Pending() == 0 && len(s.Refusals) == 0 && s.Unreadable == "" && !s.Stopped() && s.IsEnforced()
}

// Pending is how much a plan would change.
func (s *TenantStatus) Pending() int { return s.Grant + s.Revoke + s.Change }

// Stopped reports whether the platform has suspended or locked the tenant.
func (s *TenantStatus) Stopped() bool {
	return s.Platform == string(plan.StatusSuspended) || s.Platform == string(plan.StatusLocked)
}

// IsEnforced reports whether the deployment acts by what the platform accepted.
func (s *TenantStatus) IsEnforced() bool {
	return s.Accepted != nil && s.Enforced != nil && s.Enforced.Revision >= s.Accepted.Revision
}

// Status observes the platform and says how each tenant stands. It writes
// nothing.
func Status(ctx context.Context, e EHR, r PlanRequest) ([]TenantStatus, Observation, error) {
	b, platform, err := prepare(ctx, e, &r)
	if err != nil {
		return nil, Observation{}, err
	}
	var mu sync.Mutex
	var list []TenantStatus
	found, err := observe(ctx, e, platform, &r, func(t *catalog.Tenant, live plan.Live) error {
		s, err := standing(b, t, live, r)
		if err != nil {
			return err
		}
		if s.Accepted != nil {
			if err := s.deployment(ctx, e, t, live, r.At); err != nil {
				return err
			}
		}
		mu.Lock()
		defer mu.Unlock()
		list = append(list, s)
		return nil
	})
	slices.SortFunc(list, func(a, b TenantStatus) int { return strings.Compare(a.Tenant, b.Tenant) })
	return list, found, err
}

func standing(b *plan.Builder, t *catalog.Tenant, live plan.Live, r PlanRequest) (TenantStatus, error) {
	part, err := b.Tenant(t, live)
	s := TenantStatus{
		Tenant: t.ID.String(), Edition: t.Edition.String(), Declared: len(r.Desired.Catalog.Rows(t, r.At)),
		Platform: string(live.Status), Held: append([]plan.Held{}, part.Held()...), Refusals: append([]plan.Refusal{}, part.Refusals()...), Unreadable: live.Unreadable,
	}
	pending := part.Pending()
	s.Grant, s.Revoke, s.Change = pending.Grant, pending.Revoke, pending.Change
	if !live.Absent && live.Unreadable == "" {
		s.Accepted = &Accepted{live.Grant.Stamp.Revision, len(live.Grant.Rows)}
	}
	return s, err
}

// deployment adds what the tenant's deployment last reported.
func (s *TenantStatus) deployment(ctx context.Context, e EHR, t *catalog.Tenant, live plan.Live, at time.Time) error {
	d, err := e.Deployment(ctx, t.ID)
	switch {
	case err != nil && ofOneTenant(err):
		s.Unreadable = err.Error()
		return nil
	case err != nil:
		return err
	}
	s.Reachable = d.Reachable
	s.Licence = licenceStatus(live.Licences, &d, at)
	if d.Enforced != nil {
		s.Enforced = &Enforced{d.Enforced.Revision, catalog.FormatTime(d.Enforced.At)}
	}
	return nil
}
