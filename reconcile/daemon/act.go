package daemon

import (
	"context"
	"errors"
	"log/slog"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile"
)

// Deed is a plan that a pass has made, for who is to do something about it.
type Deed struct {
	Plan *plan.Plan
	// Only are the tenants that the plan was made of; nil where it was made of
	// everything.
	Only       map[catalog.TenantID]bool
	Governance *reconcile.Governance
	// Anew says that what was refused before is to be tried once more: a window may
	// have opened since.
	Anew bool
}

// Act does something about a plan: carries out what is approved, or mandated, of
// it. It gives what became of each batch that it tried; a RefusedError says that
// nothing of the plan may be carried out now.
type Act func(ctx context.Context, d Deed) ([]reconcile.Outcome, error)

// act does something about what was found, where somebody has said so. While any
// fault is there nothing is done: each may be a reason to leave things as they
// are.
func (p *pass) act(log *slog.Logger) {
	if p.o.Act == nil || p.governance == nil || len(p.faults) > 0 {
		return
	}
	for _, deed := range p.deeds {
		if p.ctx.Err() != nil {
			return
		}
		p.do(deed, log)
	}
}

func (p *pass) do(deed Deed, log *slog.Logger) {
	if contested := p.contested(deed.Plan); len(contested) > 0 {
		log.Warn("not acted: contested", "tenants", contested)
		return
	}
	deed.Governance, deed.Anew = p.governance, p.ask.Depth == Full
	outcomes, err := p.o.Act(p.ctx, deed)
	var refused *reconcile.RefusedError
	switch {
	case errors.As(err, &refused):
		log.Debug("nothing may be carried out", "why", refused.Error())
	case err != nil:
		log.Warn("not carried out", "error", err)
	}
	for _, o := range outcomes {
		log.Info("carried out", "tenant", o.Tenant, "subject", o.Subject, "state", o.State, "why", o.Text)
		if id, err := catalog.ParseTenantID(o.Tenant); err == nil {
			p.unseen[id] = true // so that the next pass shows what came of it
		} else {
			p.unread = true
		}
	}
}

// contested names the tenants of a plan that somebody else changes back again and
// again. A plan that has one of them is left to people.
func (p *pass) contested(made *plan.Plan) []string {
	of := map[string]bool{}
	for _, c := range p.contests.list(p.now) {
		of[c.Tenant] = true
	}
	var names []string
	for i := range made.Batches {
		if of[made.Batches[i].Tenant] {
			names = append(names, made.Batches[i].Tenant)
		}
	}
	return names
}
