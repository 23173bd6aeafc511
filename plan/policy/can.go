package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/veonahealth/charter/catalog"
)

// Answer is what the policy says of a person.
type Answer struct {
	Can  bool   `json:"can"`
	Text string `json:"text"` // a sentence
}

// Can says whether a person may approve what needs a capability at a time, and
// how many must where a rule asks for more of a tenant's changes; nil is every
// tenant.
func Can(p *catalog.Policy, id, capability string, tenant *catalog.Tenant, at time.Time) Answer {
	person := p.Person(id)
	if person == nil {
		return Answer{Text: stranger(p, id)}
	}
	lost := lostKeys(p, person, at)
	switch {
	case person.LeftAt(at):
		return Answer{Text: fmt.Sprintf("%s may not: the person left on %s", id, catalog.FormatTime(person.Leaves))}
	case !p.Holds(person, capability):
		return Answer{Text: fmt.Sprintf("%s may not: %s has no role that holds %s (%s)", id, id, capability, some(rolesWith(p, capability), "no role does"))}
	case lost != "" && len(person.Forge) == 0:
		return Answer{Text: fmt.Sprintf("%s may not: %s", id, lost)}
	}
	var roles []string
	for _, role := range person.Roles {
		if slices.Contains(rolesWith(p, capability), role) {
			roles = append(roles, role)
		}
	}
	text := fmt.Sprintf("%s may: role %s holds %s", id, strings.Join(roles, ", "), capability)
	if lost != "" {
		text += "; only by a review at the forge, where one counts: " + lost
	}
	for _, r := range p.Rules {
		if r.Capability == capability && (tenant == nil || r.Tenants == nil || r.Tenants.Matches(tenant)) {
			text += fmt.Sprintf("; rule %s asks for %s (%s)", r.Name, count(r.Approvals, "approval"), r.Change)
		}
	}
	return Answer{Can: true, Text: text}
}

// stranger says who somebody is that is no person of the policy.
func stranger(p *catalog.Policy, id string) string {
	if slices.ContainsFunc(p.Appliers, func(a catalog.Applier) bool { return a.ID == id }) {
		return id + " may not: it is an applier, which approves nothing"
	}
	var ids []string
	for i := range p.People {
		ids = append(ids, p.People[i].ID)
	}
	text := id + " is nobody in the policy"
	if nearest := catalog.Nearest(id, slices.Values(ids)); nearest != "" {
		text += fmt.Sprintf(": did you mean %q?", nearest)
	}
	return text
}

// lostKeys says since when each key that a person approves with is revoked; "" where
// one is in service, or there is none.
func lostKeys(p *catalog.Policy, person *catalog.Person, at time.Time) string {
	var since []string
	for i := range person.Keys {
		key := &person.Keys[i]
		if key.IsOpenPGP() {
			continue
		}
		revoked := p.Revocation(person, at, key.Names...)
		if revoked == nil {
			return ""
		}
		since = append(since, revoked.Since)
	}
	switch len(since) {
	case 0:
		return ""
	case 1:
		return "their only key was revoked since " + since[0]
	}
	return "each of their keys was revoked, since " + strings.Join(since, " and ")
}

// rolesWith are the roles that hold a capability, sorted.
func rolesWith(p *catalog.Policy, capability string) []string {
	var roles []string
	for role, patterns := range p.Roles {
		if slices.ContainsFunc(patterns, func(pattern string) bool { return catalog.StandsFor(pattern, capability) }) {
			roles = append(roles, role)
		}
	}
	slices.Sort(roles)
	return roles
}
