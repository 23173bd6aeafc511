package main

import (
	"context"
	"strings"

	"github.com/veonahealth/charter/cmd/charter/internal/view"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/ledger"
)

// overlaps says which open plans of other branches touch what this one does: of two
// that are approved, the one that comes second finds its base moved.
func (c *pipeline) overlaps(ctx context.Context, open *ledger.Plans, file *planFile) {
	all := func(*plan.Plan) bool { return true }
	for _, fact := range c.app.overlaps(ctx, open, file, all) {
		c.said = append(c.said, fact)
		c.app.note("open plan %s touches it too: %s", strings.TrimPrefix(fact[0], alsoIn), fact[1])
	}
}

// alsoIn begins the name of a fact about another plan.
const alsoIn = "also in plan "

// overlaps are the facts about open plans that touch what one does, of those that
// count.
func (a *app) overlaps(ctx context.Context, open *ledger.Plans, file *planFile, counts func(*plan.Plan) bool) (facts [][2]string) {
	ours := touched(file.plan)
	for published, err := range open.All(ctx) {
		if published == nil {
			a.note("what other open plans touch is not known: %s", err)
			return nil
		}
		var other *plan.Plan
		if err == nil {
			other, err = plan.Decode(published.Plan)
		}
		if err != nil || published.Digest == file.digest || !counts(other) || earlier(ctx, open, other, file.plan) {
			continue // what cannot be read is nobody's plan
		}
		var both []string
		for _, what := range touched(other).list {
			if ours.has[what] {
				both = append(both, what)
			}
		}
		if len(both) > 0 {
			facts = append(facts, [2]string{alsoIn + published.Digest.Hex()[:12], view.Some(both)})
		}
	}
	return facts
}

// earlier reports whether a plan is of a commit that this one's was made from: of the
// same pull request before it was pushed to again, or of what is merged already.
func earlier(ctx context.Context, open *ledger.Plans, other, this *plan.Plan) bool {
	is, err := open.Repo.IsAncestor(ctx, other.Source.Commit, this.Source.Commit)
	return err == nil && is
}

// touches are what a plan changes, each as a person reads it.
type touches struct {
	list []string // in the plan's order
	has  map[string]bool
}

func touched(p *plan.Plan) touches {
	t := touches{has: map[string]bool{}}
	add := func(tenant string, changes []plan.Change) {
		for i := range changes {
			ch := &changes[i]
			what := strings.TrimSpace(tenant + " " + ch.Kind + " " + ch.Key)
			if ch.Kind == plan.KindRow {
				what = tenant + " " + ch.Facility + " " + ch.EHRModule
			}
			if !t.has[what] {
				t.has[what] = true
				t.list = append(t.list, what)
			}
		}
	}
	for i := range p.Batches {
		add(p.Batches[i].Tenant, p.Batches[i].Changes)
	}
	for i := range p.Scheduled {
		add(p.Scheduled[i].Tenant, p.Scheduled[i].Changes)
	}
	return t
}
