package daemon

import (
	"context"
	"errors"
	"log/slog"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile"
	"github.com/veonahealth/charter/reconcile/ledger"
)

// Deed is a plan that a pass has made, for who is to do something about it.
type Deed struct {
	Plan *plan.Plan
	// Only are the tenants that the plan was made of; nil where it was made of
	// everything.
	Only       map[catalog.TenantID]bool
	Governance *reconcile.Governance
	// Begun is the receipt of a plan that was cut off, which is to be brought to its
	// end; nil for a plan that this pass has made.
	Begun *ledger.Receipt
	// File is the plan's own, where it was begun; nil for one that is not written yet.
	File []byte
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
	begun, err := p.begun()
	if err != nil {
		log.Warn("the receipt that is open cannot be read", "error", err)
		return
	}
	if begun != nil {
		p.do(*begun, log)
		return // what this pass has found stands on what was before
	}
	for _, deed := range p.deeds {
		if p.ctx.Err() != nil {
			return
		}
		p.do(deed, log)
	}
}

// begun is what an earlier process began and did not bring to its end; nil for
// nothing.
func (p *pass) begun() (*Deed, error) {
	r, err := p.governance.Ledger.Unfinished()
	if err != nil || r == nil {
		return nil, err
	}
	file, err := p.governance.Ledger.Plan(r)
	if err != nil || file == nil {
		return nil, err
	}
	made, err := plan.Decode(file)
	if err != nil {
		return nil, err
	}
	deed := &Deed{Plan: made, File: file, Begun: r}
	if r.Intent.Only != nil {
		deed.Only = map[catalog.TenantID]bool{}
	}
	for _, name := range r.Intent.Only {
		if id, err := catalog.ParseTenantID(name); err == nil {
			deed.Only[id] = true
		}
	}
	return deed, nil
}

func (p *pass) do(deed Deed, log *slog.Logger) {
	if contested := p.contested(deed.Plan); len(contested) > 0 && deed.Begun == nil {
		log.Warn("not acted: contested", "tenants", contested)
		return
	}
	deed.Governance, deed.Anew = p.governance, p.ask.Depth == Full
	outcomes, err := p.o.Act(p.ctx, deed)
	var refused *reconcile.RefusedError
	switch {
	case errors.As(err, &refused):
		level := slog.LevelDebug // said already
		if p.refused != refused.Error() {
			level = slog.LevelInfo
		}
		p.refused = refused.Error()
		log.Log(p.ctx, level, "left to people", "why", p.refused)
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
		if o.State == reconcile.Done {
			p.contests.correct(deed.Plan, o.Batch)
			p.sight = p.o.Now()
			if p.sights > 0 { // there is something to do each time: it is no hurry
				p.sight = p.sight.Add(p.o.Backoff.after(p.sights))
			}
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
