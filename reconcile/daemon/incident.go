package daemon

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/veonahealth/charter/plan"
)

// Incident is something that people are to know of, from when it begins until it
// is over.
type Incident struct {
	ID     string    `json:"id"`     // the same for as long as it lasts, and at every daemon
	Kind   string    `json:"kind"`   // a fault's name, a standing, or "contested"
	Tenant string    `json:"tenant"` // "" where it is of no tenant
	Text   string    `json:"text"`
	Since  time.Time `json:"since"`
}

const kindContested = "contested"

// Incidents lists what people are to know of, faults first, then by tenant. What
// may pass by itself (no answer of the platform, the repository or a tenant) is
// one only when it has lasted for patience. While the platform is known to have
// been restored, what that did to each tenant is part of that one incident.
func (v *View) Incidents(now time.Time, patience time.Duration) []Incident {
	var list []Incident
	restored := false
	for _, f := range v.Faults {
		restored = restored || f.Code == Restored
		if passing(f.Code) && now.Sub(f.Since) < patience {
			continue
		}
		list = append(list, Incident{ID: v.Environment + "/" + string(f.Code), Kind: string(f.Code), Text: f.Text, Since: f.Since})
	}
	for _, t := range v.Tenants {
		if !restored && t.Standing.Concern() && (t.Standing != Unreadable || now.Sub(t.Since) >= patience) {
			list = append(list, t.incident(v.Environment))
		}
	}
	for _, c := range v.Contested {
		list = append(list, c.incident(v.Environment))
	}
	return list
}

// passing reports whether a fault may be over before anybody has read of it.
func passing(code FaultCode) bool {
	return slices.Contains([]FaultCode{PlatformDown, RepositoryDown, LedgerDown}, code)
}

func (t *Tenant) incident(environment string) Incident {
	return Incident{
		ID: environment + "/" + t.ID + "/" + string(t.Standing), Kind: string(t.Standing), Tenant: t.ID,
		Text: t.Sentence(), Since: t.Since,
	}
}

func (c *Contest) incident(environment string) Incident {
	who := c.Actor
	if who == "" {
		who = "somebody whom the audit trail does not name"
	}
	return Incident{
		ID: environment + "/" + c.Tenant + "/" + kindContested + "/" + c.Row, Kind: kindContested, Tenant: c.Tenant, Since: c.Last,
		Text: fmt.Sprintf("%s came back changed %d times within a day, last by %s; it is left to people", c.Row, c.Returns, who),
	}
}

// fewChanges is how many changes a sentence names.
const fewChanges = 5

// Sentence says in words how the tenant stands.
func (t *Tenant) Sentence() string {
	if t.Unreadable != "" {
		return "its live state could not be read: " + t.Unreadable
	}
	var words []string
	for _, class := range []plan.Class{plan.Conflict, plan.Drift, plan.Pending} {
		if n := t.Classes()[class]; n > 0 {
			words = append(words, fmt.Sprintf("%d %s: %s", n, class, t.some(class)))
		}
	}
	for _, r := range t.Refusals {
		words = append(words, r.Text)
	}
	switch {
	case len(words) > 0:
	case len(t.Held) > 0:
		words = append(words, fmt.Sprintf("%d held: %s", len(t.Held), t.Held[0].Text))
	case t.Standing == Offline && !t.Enforced.Reachable:
		words = append(words, fmt.Sprintf("the site does not answer; revision %d is accepted, and it acted by %d when it was last heard", t.Revision, t.Enforced.Revision))
	case t.Standing == Offline:
		words = append(words, fmt.Sprintf("revision %d is accepted, and the site acts by %d", t.Revision, t.Enforced.Revision))
	}
	return strings.Join(words, "; ")
}

// some names the first changes of a class.
func (t *Tenant) some(class plan.Class) string {
	var names []string
	more := 0
	for i := range t.Batches {
		for _, c := range t.Batches[i].Changes {
			switch {
			case c.Class != class:
			case len(names) == fewChanges:
				more++
			default:
				names = append(names, c.Action.Symbol()+" "+Named(&c))
			}
		}
	}
	if more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

// Named says what a change is of.
func Named(c *plan.Change) string {
	parts := []string{c.Facility, c.Module, c.Key}
	if c.Kind != plan.KindRow {
		parts = append([]string{c.Kind}, parts...)
	}
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), " ")
}
