package policy

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
)

// Need is what a unit asks for: the strictest of each field of all rules that
// match it.
type Need struct {
	Capability string             `json:"capability"`
	Approvals  int                `json:"approvals"`
	Writers    bool               `json:"writers"`  // whether those who wrote the change may be among them
	Evidence   []catalog.Evidence `json:"evidence"` // none: the rules leave no kind over
	Rules      []string           `json:"rules"`    // by name; none: the default
}

// need works out what a unit asks for.
func (f *facts) need(p *catalog.Policy, u *unit) Need {
	kind := f.kind(u)
	n := Need{Capability: u.capability, Approvals: 1, Writers: true, Evidence: defaultEvidence(u, kind), Rules: []string{}}
	for i := range p.Rules {
		r := &p.Rules[i]
		if r.Capability != u.capability || !r.Change.Covers(kind) || !f.matches(r.Tenants, u) {
			continue
		}
		if len(n.Rules) == 0 {
			n.Evidence = r.Evidence
		} else {
			n.Evidence = slices.DeleteFunc(slices.Clone(n.Evidence), func(e catalog.Evidence) bool { return !slices.Contains(r.Evidence, e) })
		}
		n.Rules = append(n.Rules, r.Name)
		n.Approvals = max(n.Approvals, r.Approvals)
		n.Writers = n.Writers && r.Writers
	}
	return n
}

// defaultEvidence is what counts where no rule speaks: a key always, and a review
// for rows that are granted. What takes something away, and what changes a tenant,
// an edition or the rules themselves, asks for a key.
func defaultEvidence(u *unit, kind catalog.ChangeKind) []catalog.Evidence {
	if u.subject == plan.Entitlements && kind == catalog.AnyChange {
		return []catalog.Evidence{catalog.ByKey, catalog.ByForge}
	}
	return []catalog.Evidence{catalog.ByKey}
}

// Requires returns what a plan requires, for its field of that name: for each
// capability and number of approvals, whose batches and scheduled entries ask for
// it. desired are the declarations at the plan's commit, applied those that were
// last applied, and last the catalogue that was; each may be nil.
func Requires(p *plan.Plan, rules *catalog.Policy, desired, applied *catalog.Desired, last *catalog.Catalog) []plan.Requirement {
	type key struct {
		capability string
		approvals  int
	}
	f := newFacts(desired, last, p.At)
	f.applied = applied
	tenants := map[key]map[string]bool{}
	for _, u := range units(p) {
		k := key{u.capability, f.need(rules, &u).Approvals}
		if tenants[k] == nil {
			tenants[k] = map[string]bool{}
		}
		if u.subject.OfTenant() {
			tenants[k][u.tenant] = true
		}
	}
	keys := slices.SortedFunc(maps.Keys(tenants), func(a, b key) int {
		return cmp.Or(strings.Compare(a.capability, b.capability), cmp.Compare(a.approvals, b.approvals))
	})
	required := make([]plan.Requirement, 0, len(keys))
	for _, k := range keys {
		required = append(required, plan.Requirement{
			Approvals: k.approvals, Capability: k.capability, Tenants: append([]string{}, slices.Sorted(maps.Keys(tenants[k]))...),
		})
	}
	return required
}
