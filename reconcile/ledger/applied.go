package ledger

import (
	"slices"

	"github.com/veonahealth/charter/plan"
)

// applied says for every tenant and subject which receipt was the newest to
// apply it. Most are as the newest apply of all left them, so only the others
// are kept by name.
type applied struct {
	// All is the receipt that applied whatever Tenants and Subjects do not name.
	All int
	// Tenants are the tenants for all of whose subjects it is another one, but
	// for those in Subjects.
	Tenants map[string]int
	// Subjects are tenants' subjects for which it is another one.
	Subjects map[key]int
}

// key is a tenant's subject. Tenant is the key of an edition or organisation,
// or "", where the subject is of no tenant.
type key struct {
	Tenant  string
	Subject plan.Subject
}

// never is in the place of a receipt where nothing was applied yet.
const never = -1

func newApplied() applied {
	return applied{All: never, Tenants: map[string]int{}, Subjects: map[key]int{}}
}

// of returns the receipt that last applied a tenant's subject.
func (a *applied) of(k key) int {
	if n, ok := a.Subjects[k]; ok {
		return n
	}
	if n, ok := a.Tenants[k.Tenant]; ok && k.Subject.OfTenant() {
		return n
	}
	return a.All
}

// take notes what a receipt applied.
func (a *applied) take(number int, i *Intent, o *Outcome) {
	if i.Act != Apply {
		return
	}
	left := unsettled(i, o)
	if i.Only == nil {
		a.takeAll(number, left)
		return
	}
	for _, tenant := range i.Only {
		a.takeTenant(tenant, number, left[tenant])
	}
}

// unsettled are the subjects, by tenant, that a receipt left as they were; one
// of "" is all that the tenant has.
func unsettled(i *Intent, o *Outcome) map[string][]plan.Subject {
	left := map[string][]plan.Subject{}
	add := func(tenant string, s plan.Subject) {
		if !slices.Contains(left[tenant], s) {
			left[tenant] = append(left[tenant], s)
		}
	}
	for n, result := range o.Batches {
		if b := i.Batches[n]; b.At == nil && !result.State.settled() {
			add(b.Tenant, b.Subject)
		}
	}
	for _, s := range o.Skipped {
		add(s.Tenant, s.Subject)
	}
	return left
}

// takeAll notes an apply of everything but what was left.
func (a *applied) takeAll(number int, left map[string][]plan.Subject) {
	was := *a
	*a = newApplied()
	a.All = number
	for tenant, subjects := range left {
		a.keep(tenant, subjects, &was)
	}
}

// takeTenant notes an apply of one tenant.
func (a *applied) takeTenant(tenant string, number int, left []plan.Subject) {
	was := applied{All: a.All, Tenants: map[string]int{}, Subjects: map[key]int{}}
	if n, ok := a.Tenants[tenant]; ok {
		was.Tenants[tenant] = n
	}
	for k, n := range a.Subjects {
		if k.Tenant == tenant && k.Subject.OfTenant() {
			was.Subjects[k] = n
			delete(a.Subjects, k)
		}
	}
	a.Tenants[tenant] = number
	a.keep(tenant, left, &was)
}

// keep lets a tenant's subjects be applied by whatever applied them before.
func (a *applied) keep(tenant string, subjects []plan.Subject, was *applied) {
	for _, s := range subjects {
		if s != "" {
			a.Subjects[key{tenant, s}] = was.of(key{tenant, s})
			continue
		}
		if n, ok := was.Tenants[tenant]; ok {
			a.Tenants[tenant] = n
		} else {
			a.Tenants[tenant] = was.All
		}
		for k, n := range was.Subjects {
			if _, newer := a.Subjects[k]; k.Tenant == tenant && k.Subject.OfTenant() && !newer {
				a.Subjects[k] = n
			}
		}
	}
}
