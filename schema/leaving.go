package schema

import (
	"slices"
	"time"

	"github.com/veonahealth/charter/catalog"
)

// leavingWarnings warns of what people who have left by now, or keys that are
// revoked by now, would be needed for: a rule, another policy, a machine's duty.
func leavingWarnings(p *catalog.Policy, now time.Time) Problems {
	var warnings Problems
	for i := range p.Rules {
		r := &p.Rules[i]
		if able := len(p.Able(r, now)); able < r.Approvals {
			why, _ := missed(p, r, now)
			w := problemf(Leaving, r.Pos, "%s, now that %s", short(r, able), why)
			w.Hint = "give more people the role"
			if why != left {
				w.Hint += ", or a new key"
			}
			warnings = append(warnings, w)
		}
	}
	warnings = append(warnings, lastOfPolicy(p, now)...)
	for _, duty := range []catalog.Duty{catalog.MayApply, catalog.MayCorrect, catalog.MayNotary} {
		warnings = append(warnings, lastOfDuty(p, duty, now)...)
	}
	return warnings
}

// What became of those who are missed.
const (
	left    = "others have left"
	revoked = "keys are revoked"
)

// missed says why fewer people can satisfy a rule than are in the policy, and where
// that stands.
func missed(p *catalog.Policy, r *catalog.Rule, now time.Time) (why string, pos catalog.Position) {
	able := p.Able(r, now)
	for _, person := range p.Satisfiers(r, time.Time{}) {
		reason, at := left, person.Pos
		switch {
		case slices.Contains(able, person):
			continue
		case !person.LeftAt(now):
			reason, at = revoked, lastRevoked(p, person, person.Keys, now).Pos
		}
		switch why {
		case "":
			why, pos = reason, at
		case reason:
		default:
			why = left + " and " + revoked
		}
	}
	return why, pos
}

// lastRevoked is the entry that revokes the last of some keys, or nil where one is
// in service, or none are there; person is nil for an applier's.
func lastRevoked(p *catalog.Policy, person *catalog.Person, keys []catalog.PolicyKey, now time.Time) *catalog.RevokedKey {
	var last *catalog.RevokedKey
	for i := range keys {
		if keys[i].IsOpenPGP() {
			continue
		}
		if last = p.Revocation(person, now, keys[i].Names...); last == nil {
			return nil
		}
	}
	return last
}

// lastOfPolicy warns where nobody is left who could approve another policy. Where a
// rule is about that, it is the rule that warns.
func lastOfPolicy(p *catalog.Policy, now time.Time) Problems {
	const capability = "policy.write"
	for i := range p.Rules {
		if r := &p.Rules[i]; r.Capability == capability && r.Tenants == nil && r.Change == catalog.AnyChange {
			return nil
		}
	}
	r := catalog.Rule{Capability: capability, Evidence: []catalog.Evidence{catalog.ByKey}}
	if len(p.Satisfiers(&r, time.Time{})) == 0 || len(p.Able(&r, now)) > 0 {
		return nil
	}
	why, pos := missed(p, &r, now)
	w := problemf(Leaving, pos, "no person with %s could approve another policy, now that %s", capability, why)
	w.Hint = "give somebody the role, or a new key"
	return Problems{w}
}

// lastOfDuty warns where a revoked key was the last of the machines with a duty.
func lastOfDuty(p *catalog.Policy, duty catalog.Duty, now time.Time) Problems {
	var last *catalog.RevokedKey
	for i := range p.Appliers {
		applier := &p.Appliers[i]
		if !slices.Contains(applier.May, duty) || len(applier.Keys) == 0 {
			continue
		}
		if last = lastRevoked(p, nil, applier.Keys, now); last == nil {
			return nil
		}
	}
	if last == nil {
		return nil
	}
	w := problemf(Leaving, last.Pos, "no applier that may %s has a key, now that %s", duty, revoked)
	w.Hint = "give one a new key"
	return Problems{w}
}
