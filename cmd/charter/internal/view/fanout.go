package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
)

// manyTenants is from how many tenants on, beyond it, what one edit of an edition
// does is told as one thing.
const manyTenants = 10

// fanout is what one edit of an edition does to many tenants.
type fanout struct {
	cause        string // "edition hospital"
	place        string // of the edition, or ""
	revoke, give []spread
}

// spread is a module that comes or goes at many places.
type spread struct {
	module              string
	critical            bool
	routes              []string
	facilities, tenants int
}

// action is the gravest of what it does.
func (f *fanout) action() plan.Action {
	if len(f.revoke) > 0 {
		return plan.Revoke
	}
	return plan.Grant
}

// text says what is taken and what is given, what is nothing last.
func (f *fanout) text() string {
	taken, given := "− "+spreads(f.revoke), "+ "+spreads(f.give)
	if len(f.revoke) == 0 {
		taken, given = given, taken
	}
	return f.cause + ": " + taken + "; " + given
}

func spreads(list []spread) string {
	if len(list) == 0 {
		return "nothing"
	}
	parts := make([]string, len(list))
	for i, s := range list {
		parts[i] = fmt.Sprintf("%s at %s of %s", s.module, Counted(s.facilities, "facility", "facilities"), Counted(s.tenants, "tenant", "tenants"))
	}
	return strings.Join(parts, ", ")
}

// fanKey tells apart what is told as one thing.
type fanKey struct {
	cause  string
	action plan.Action
	module string
}

// fan gives the key of a line that comes of an edition.
func (l *line) fan() (fanKey, bool) {
	return fanKey{l.cause, l.action, l.what}, l.cause != ""
}

// fanouts finds what an edit of an edition does to many tenants, and marks the
// lines that it tells of.
func fanouts(lines []line, p *plan.Plan) []fanout {
	tenants := map[fanKey]map[string]int{} // facilities, by tenant
	for i := range lines {
		if key, is := lines[i].fan(); is {
			if tenants[key] == nil {
				tenants[key] = map[string]int{}
			}
			tenants[key][lines[i].owner]++
		}
	}
	found := map[string]*fanout{}
	told := map[fanKey]bool{}
	for i := range lines {
		key, is := lines[i].fan()
		if !is || len(tenants[key]) <= manyTenants {
			continue
		}
		lines[i].spread = true
		if told[key] {
			continue
		}
		told[key] = true
		if found[key.cause] == nil {
			found[key.cause] = &fanout{cause: key.cause, place: editionPlace(p, key.cause)}
		}
		found[key.cause].add(key.action, spread{
			module: key.module, critical: lines[i].critical, routes: lines[i].routes, facilities: sum(tenants[key]), tenants: len(tenants[key]),
		})
	}
	return inOrder(found)
}

func (f *fanout) add(action plan.Action, s spread) {
	list := &f.give
	if action.Withdraws() {
		list = &f.revoke
	}
	*list = append(*list, s)
	slices.SortFunc(*list, func(a, b spread) int { return strings.Compare(a.module, b.module) })
}

func sum(counts map[string]int) int {
	n := 0
	for _, c := range counts {
		n += c
	}
	return n
}

// inOrder puts those that take something away first.
func inOrder(found map[string]*fanout) []fanout {
	var list []fanout
	for _, f := range found {
		list = append(list, *f)
	}
	slices.SortFunc(list, func(a, b fanout) int {
		return cmp.Or(strings.Compare(b.action().Symbol(), a.action().Symbol()), strings.Compare(a.cause, b.cause)) // "-" before "+"
	})
	return list
}

// editionPlace is where the plan says that the edition of a cause is declared.
func editionPlace(p *plan.Plan, cause string) string {
	for i := range p.Batches {
		b := &p.Batches[i]
		if b.Subject == plan.Edition && "edition "+b.Tenant == cause && len(b.Changes) > 0 {
			r := b.Changes[0].Reason
			return catalog.Position{File: r.File, Line: r.Line}.String()
		}
	}
	return ""
}
