package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/seal"
)

// Discount says why a decision about a plan that somebody has just signed does not
// count, by the policy that is in force: the reasons, each once, and for which
// changes; none where it counts for all that it is about, and no changes where it
// counts for none of them. What else the plan lacks is not looked at.
func (g *Governance) Discount(ctx context.Context, p *plan.Plan, file plan.Digest, b Bundle, signer seal.Fingerprint) (reasons, changes []string, err error) {
	roster, err := g.Roster(ctx)
	if err != nil {
		return nil, nil, err
	}
	opened, err := roster.Verifier().Open(b.Data)
	if err != nil {
		if _, known := roster.Person(signer, g.o.Now()); known != nil {
			err = known // in words
		}
		return []string{err.Error()}, nil, nil
	}
	j, err := g.Judge(ctx, Case{Plan: p, Digest: file, Bundles: []Bundle{b}})
	if err != nil {
		return nil, nil, err
	}
	about := 0
	for i := range j.Units {
		u := &j.Units[i]
		if only := opened.Approval.Tenants; only != nil && !(u.Subject.OfTenant() && slices.Contains(only, tenantOf(u.Tenant))) {
			continue // it is not meant to be about that
		}
		about++
		for _, n := range u.Notes {
			if n.Name != b.Name || n.Counts {
				continue
			}
			changes = append(changes, strings.TrimSpace(u.Tenant+" "+string(u.Subject)))
			why := n.Text
			if n.Person != "" {
				why = n.Person + ": " + why
			}
			if !slices.Contains(reasons, why) {
				reasons = append(reasons, why)
			}
		}
	}
	if len(changes) == about {
		changes = nil
	}
	return reasons, changes, nil
}

// DiscountGlass says why breaking a brake's glass does not count, by the policy that is
// in force; "" where it may.
func (g *Governance) DiscountGlass(ctx context.Context, signer seal.Fingerprint) (string, error) {
	roster, err := g.Roster(ctx)
	if err != nil {
		return "", err
	}
	terms := roster.Policy().BreakGlass
	if terms == nil {
		return "the policy has no break_glass: nobody may break the glass of a brake", nil
	}
	person, err := roster.Person(signer, g.o.Now())
	switch {
	case err != nil:
		return err.Error(), nil
	case !slices.Contains(terms.People, person.ID):
		return fmt.Sprintf("%s is not among those whose word breaks a glass: %s", person.ID, strings.Join(terms.People, ", ")), nil
	}
	return "", nil
}
