package reconcile

import (
	"context"
	"slices"
	"time"

	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/ledger"
)

// abandonedAfter is after what time a receipt that has no outcome is taken for one
// that its writer will not come back to.
const abandonedAfter = 15 * time.Minute

// resume takes up the receipt that an earlier try of the same plan has left open; one
// of another plan is in the way.
func (g *Governance) resume(digest plan.Digest) (*ledger.Receipt, error) {
	r, err := g.Ledger.Unfinished()
	if err != nil || r == nil || of(r, digest) {
		return r, asTrust(err)
	}
	return nil, &ledger.OpenError{Receipt: r}
}

// settleAbandoned ends a receipt of another plan that nobody has ended for a while:
// what it did decides what the next may be.
func (g *Governance) settleAbandoned(ctx context.Context, e EHR, w ledger.Writer, digest plan.Digest) error {
	r, err := g.Ledger.Unfinished()
	if err != nil || r == nil || of(r, digest) || !g.abandoned(r) {
		return asTrust(err)
	}
	return g.settle(ctx, e, w, r)
}

// of reports whether a receipt carries out a plan.
func of(r *ledger.Receipt, digest plan.Digest) bool {
	return r.Intent.Plan != nil && *r.Intent.Plan == digest
}

// abandoned reports whether the writer of an open receipt will not come back to it.
// Nobody comes back from a time that is still to come.
func (g *Governance) abandoned(r *ledger.Receipt) bool {
	age := g.o.Now().Sub(r.Intent.CreatedAt)
	return age >= abandonedAfter || age < -wrongClock
}

// settle ends a receipt that was abandoned: what the platform has is done, and
// the rest was not tried. Nothing is written to the platform.
func (g *Governance) settle(ctx context.Context, e EHR, w ledger.Writer, r *ledger.Receipt) error {
	results := ledger.Results{Audit: r.Intent.Audit}
	states, unknown := map[plan.Digest]State{}, false
	if data, err := g.Ledger.Plan(r); err != nil {
		return asTrust(err)
	} else if data != nil {
		p, err := plan.Recorded(data)
		if unknown = err != nil; !unknown { // what nobody can read is no reason to wait for ever
			states, err = Look(ctx, e, p, g.o.Now())
			if err != nil {
				return err
			}
		}
	}
	for _, b := range r.Intent.Batches {
		state := ledger.State(NotTried)
		if unknown {
			state = ledger.State(Unconfirmed)
		} else if states[b.Digest] == Already {
			state = ledger.Done
		}
		results.Batches = append(results.Batches, ledger.Result{Digest: b.Digest, State: state, Text: "the apply was cut off"})
	}
	return asTrust(g.Ledger.Outcome(ctx, w, r.ID, results))
}

// Replayed refuses, with a ReplayedError, a plan that receipts say was carried out
// whole.
func (g *Governance) Replayed(p *plan.Plan, digest plan.Digest) error {
	newest, found, err := g.Ledger.Carried(digest)
	if err != nil || !found || newest.Outcome == nil {
		return asTrust(err)
	}
	open := func(numbers []int) bool {
		return !slices.ContainsFunc(numbers, func(n int) bool {
			r, err := g.Ledger.At(n)
			return err == nil && of(r, digest)
		})
	}
	for i := range p.Batches {
		if open(g.Ledger.Settled(p.Batches[i].Digest)) {
			return nil
		}
	}
	for i := range p.Scheduled {
		if open(g.Ledger.Scheduled(p.Scheduled[i].Digest)) {
			return nil
		}
	}
	return &ReplayedError{newest.ID, newest.Intent.CreatedAt}
}
