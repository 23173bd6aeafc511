package schema

import (
	"fmt"
	"slices"
	"time"

	"github.com/veonahealth/charter/catalog"
)

// revokedWarnings warns of entries that take no key out of service: a fingerprint
// that is nobody's, or a time that is to come.
func revokedWarnings(p *catalog.Policy, now time.Time) Problems {
	owners := ownersOf(p)
	warnings := owners.revoked(p.Revoked, "", now)
	for i := range p.People {
		person := &p.People[i]
		warnings = append(warnings, owners.revoked(person.Revoked, "person "+person.ID, now)...)
	}
	return warnings
}

// owner is who has a key, and what the key is called.
type owner struct {
	who   string // "" for a key for recovery
	names []string
}

// owners are those of all keys of a policy; nil where nobody has read them.
type owners []owner

func ownersOf(p *catalog.Policy) owners {
	all, read := owners{}, true
	add := func(who string, keys []catalog.PolicyKey) {
		for i := range keys {
			read = read && len(keys[i].Names) > 0
			all = append(all, owner{who, keys[i].Names})
		}
	}
	for i := range p.People {
		add("person "+p.People[i].ID, slices.Concat(p.People[i].Keys, p.People[i].SSH))
	}
	for i := range p.Appliers {
		add("applier "+p.Appliers[i].ID, p.Appliers[i].Keys)
	}
	if p.Recovery != nil {
		add("", p.Recovery.Keys)
	}
	if !read {
		return nil
	}
	return all
}

// revoked judges the entries of a person, or with "" those of the whole policy.
func (all owners) revoked(entries []catalog.RevokedKey, of string, now time.Time) Problems {
	var warnings Problems
	for i := range entries {
		r := &entries[i]
		if p, idle := all.idle(r, of); idle {
			warnings = append(warnings, p)
		}
		if since, dated := r.SinceTime(); dated && now.Before(since) {
			p := problemf(Unrevoked, r.Pos, "key %.16s… is revoked since %s, which is to come: until then it counts", r.Fingerprint, r.Since)
			p.Hint = "give the day when it was lost"
			warnings = append(warnings, p)
		}
	}
	return warnings
}

// idle warns of an entry whose key is not one that it could revoke.
func (all owners) idle(r *catalog.RevokedKey, of string) (Problem, bool) {
	has := slices.IndexFunc(all, func(o owner) bool { return r.Of(o.names...) })
	if all == nil || has >= 0 && all[has].who != "" && (of == "" || all[has].who == of) {
		return Problem{}, false
	}
	who := "no person or applier of the policy has it"
	if of != "" {
		who = of + " does not have it"
	}
	p := problemf(Unrevoked, r.Pos, "key %.16s… is revoked, and %s: nothing is taken out of service", r.Fingerprint, who)
	switch {
	case has >= 0 && all[has].who == "":
		p.Hint = "it is a key for recovery: take it out of there"
	case has >= 0:
		p.Hint = fmt.Sprintf("it is %s's: list it in the policy's own revoked", all[has].who)
	default:
		p.Hint = all.near(r.Fingerprint)
	}
	return p, true
}

// near is the hint for a fingerprint that no key has.
func (all owners) near(fingerprint string) string {
	names := map[string]string{}
	for _, o := range all {
		for _, name := range o.names {
			names[name] = o.who
		}
	}
	nearest := catalog.Nearest(fingerprint, slices.Values(sortedKeys(names)))
	switch who := names[nearest]; {
	case nearest == "":
		return "mend the fingerprint; a key that is revoked stays in keys"
	case who == "":
		return fmt.Sprintf("did you mean %q, a key for recovery? take it out of there", nearest)
	default:
		return fmt.Sprintf("did you mean %q of %s?", nearest, who)
	}
}
