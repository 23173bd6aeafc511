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
	switch {
	case person == nil:
		return Answer{Text: fmt.Sprintf("%s is nobody in the policy", id)}
	case person.LeftAt(at):
		return Answer{Text: fmt.Sprintf("%s may not: the person left on %s", id, catalog.FormatTime(person.Leaves))}
	case !p.Holds(person, capability):
		return Answer{Text: fmt.Sprintf("%s may not: %s has no role that holds %s (%s)", id, id, capability, some(rolesWith(p, capability), "no role does"))}
	}
	var roles []string
	for _, role := range person.Roles {
		if slices.Contains(rolesWith(p, capability), role) {
			roles = append(roles, role)
		}
	}
	text := fmt.Sprintf("%s may: role %s holds %s", id, strings.Join(roles, ", "), capability)
	for _, r := range p.Rules {
		if r.Capability == capability && (tenant == nil || r.Tenants == nil || r.Tenants.Matches(tenant)) {
			text += fmt.Sprintf("; rule %s asks for %s (%s)", r.Name, count(r.Approvals, "approval"), r.Change)
		}
	}
	return Answer{Can: true, Text: text}
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
