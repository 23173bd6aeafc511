package reconcile

import (
	"encoding/json"
	"errors"

	"golang.org/x/sync/errgroup"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/ehr"
)

// run carries out all batches: editions, then organisations, then the tenants
// side by side, the steps of each one after the other.
func (a *applier) run(platform ehr.Platform) error {
	a.rules()
	a.together(plan.Edition)
	a.together(plan.Organisation)
	chains, stamped := a.chains()
	if len(stamped) > fewTenants && streams(a.ehr, platform) {
		return a.bulk(chains, stamped)
	}
	g := &errgroup.Group{}
	g.SetLimit(a.ehr.Parallelism())
	for _, chain := range chains {
		g.Go(func() error { a.chain(chain, nil); return nil })
	}
	return g.Wait()
}

// rules carries out what is the fleet's own: from then on it is what was last
// applied, and the platform has no part in it.
func (a *applier) rules() {
	for i := range a.request.Plan.Batches {
		if o := &a.outcomes[i]; a.request.Plan.Batches[i].Subject.OfFleet() && a.wants(i) {
			o.State, o.Text = Done, ""
			if a.request.InForce[a.request.Plan.Batches[i].Digest] {
				o.State, o.Text = Already, "it is in force"
			}
			a.report(o)
		}
	}
}

// together carries out the batches of a subject that no other of it waits for.
func (a *applier) together(subject plan.Subject) {
	var g errgroup.Group
	g.SetLimit(a.ehr.Parallelism())
	for i := range a.request.Plan.Batches {
		if a.request.Plan.Batches[i].Subject == subject && a.wants(i) {
			g.Go(func() error { a.carry(i, nil); return nil })
		}
	}
	_ = g.Wait() // what became of each is in its outcome
}

// chains are the batches of each tenant, as indices in the plan's order, and the
// tenants whose rows stand on a grant that is there already.
func (a *applier) chains() (chains map[string][]int, stamped map[string]bool) {
	chains, stamped = map[string][]int{}, map[string]bool{}
	for i := range a.request.Plan.Batches {
		b := &a.request.Plan.Batches[i]
		if !b.Subject.OfTenant() || !a.wants(i) {
			continue
		}
		chains[b.Tenant] = append(chains[b.Tenant], i)
		if _, ok := b.Base.Stamp(); ok {
			stamped[b.Tenant] = true
		}
	}
	return chains, stamped
}

// bulk reads all grants in one stream and carries out each chain that needs one as
// its tenant comes by: a grant that came is whole, whatever becomes of the stream,
// and a write stands on its stamp. Tenants that do not come are read one by one.
func (a *applier) bulk(chains map[string][]int, stamped map[string]bool) error {
	g := &errgroup.Group{}
	g.SetLimit(besideStream(a.ehr))
	for tenant, chain := range chains {
		if !stamped[tenant] {
			delete(chains, tenant)
			g.Go(func() error { a.chain(chain, nil); return nil })
		}
	}
	_, err := a.ehr.Grants(a.ctx, func(grant catalog.Grant) error {
		if chain, ok := chains[grant.Tenant.String()]; ok {
			delete(chains, grant.Tenant.String())
			g.Go(func() error { a.chain(chain, &grant); return nil })
		}
		return nil
	})
	if err == nil {
		for _, chain := range chains {
			g.Go(func() error { a.chain(chain, nil); return nil })
		}
	}
	return errors.Join(err, g.Wait())
}

// chain carries out the steps of one tenant. A step waits for the next apply where
// one of an earlier subject is not done; those of one subject do not wait for each
// other. live is the tenant's grant where it was read already.
func (a *applier) chain(steps []int, live *catalog.Grant) {
	waits, of := a.lacks(steps), plan.Subject("")
	for _, i := range steps {
		subject, o := a.request.Plan.Batches[i].Subject, &a.outcomes[i]
		if waits == "" || subject == of {
			a.carry(i, live)
		} else if a.ctx.Err() == nil {
			o.Text = "it waits for " + waits
			a.report(o)
		}
		if waits == "" && !o.settled() {
			waits, of = "the tenant's "+o.Subject, subject
		}
	}
}

// settled reports whether the platform has what the batch asks for.
func (o *Outcome) settled() bool { return o.State == Done || o.State == Already }

// lacks names an organisation that the tenant's steps need and that an earlier
// batch of the plan could not make, or an edition that is not as it was to be: new
// facilities would get other rows. "" for none.
func (a *applier) lacks(steps []int) string {
	for _, i := range steps {
		b := &a.request.Plan.Batches[i]
		if b.Subject != plan.Tenant && b.Subject != plan.Provision {
			continue
		}
		var names struct {
			Edition      string `json:"edition"`
			Organisation string `json:"organisation"`
		}
		if err := json.Unmarshal(b.Request.Body, &names); err != nil {
			continue // the platform will say so
		}
		switch {
		case a.unmade(plan.Organisation, names.Organisation):
			return "organisation " + names.Organisation
		case a.unmade(plan.Edition, names.Edition):
			return "edition " + names.Edition
		}
	}
	return ""
}

// unmade reports whether a batch of an edition, or one that creates an
// organisation, is not settled. One that is merely named otherwise will do.
func (a *applier) unmade(subject plan.Subject, name string) bool {
	for i := range a.request.Plan.Batches {
		b, o := &a.request.Plan.Batches[i], &a.outcomes[i]
		if b.Subject.OfTenant() {
			return false // they stand before the tenants
		}
		if b.Subject == subject && b.Tenant == name && !o.settled() && (subject == plan.Edition || b.Base == nil) {
			return true
		}
	}
	return false
}

// carry brings one batch to its outcome.
func (a *applier) carry(i int, live *catalog.Grant) {
	b, o := &a.request.Plan.Batches[i], &a.outcomes[i]
	if a.ctx.Err() != nil {
		return // interrupted before its turn; it says so already
	}
	if b.Subject == plan.Entitlements {
		a.rows(b, o, live)
	} else {
		a.step(b, o)
	}
	if o.State != NotTried || a.ctx.Err() == nil {
		a.report(o)
	}
}
