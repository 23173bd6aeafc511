package adopt

import (
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
)

// Prove plans an environment of a fleet against what was read of its platform,
// without reading again. The plan is for showing: nobody can apply it, as it is of
// no commit.
func Prove(r *Reading, fleet *catalog.Desired, environment catalog.Environment, at time.Time) (*plan.Plan, error) {
	b := plan.NewBuilder(plan.Header{
		At: at, CreatedAt: at, ExpiresAt: at, Environment: environment, Instance: r.Platform.Instance,
	}, fleet.Catalog, fleet.Holds)
	parts, err := b.Editions(r.Editions, func(catalog.EditionKey) bool { return true })
	if err != nil {
		return nil, err
	}
	more, err := b.Organisations(organisationsOf(fleet, environment), r.Organisations)
	if err != nil {
		return nil, err
	}
	for _, part := range append(parts, more...) {
		b.Add(part)
	}
	if err := addTenants(b, r, fleet, environment); err != nil {
		return nil, err
	}
	return b.Plan()
}

// addTenants plans all tenants of an environment, side by side.
func addTenants(b *plan.Builder, r *Reading, fleet *catalog.Desired, environment catalog.Environment) error {
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range fleet.Tenants {
		if fleet.Tenants[i].Environment != environment {
			continue
		}
		g.Go(func() error {
			t, err := fleet.Tenants[i].Tenant()
			if err != nil {
				return err
			}
			part, err := b.Tenant(t, r.Tenant(t.ID))
			mu.Lock()
			defer mu.Unlock()
			b.Add(part)
			return err
		})
	}
	return g.Wait()
}

// organisationsOf are those with a tenant of the environment, or with none at all.
func organisationsOf(fleet *catalog.Desired, environment catalog.Environment) []catalog.Organisation {
	here, anywhere := map[catalog.OrganisationID]bool{}, map[catalog.OrganisationID]bool{}
	for i := range fleet.Tenants {
		t := &fleet.Tenants[i]
		anywhere[t.Organisation] = true
		here[t.Organisation] = here[t.Organisation] || t.Environment == environment
	}
	var list []catalog.Organisation
	for _, o := range fleet.Organisations {
		if here[o.ID] || !anywhere[o.ID] {
			list = append(list, o)
		}
	}
	return list
}
