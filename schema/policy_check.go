package schema

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/veonahealth/charter/catalog"
)

// Keys reads one key of a policy: PEM, an armored OpenPGP key, or an SSH line. It
// returns the names of the key, at least one: the first is the same for two
// spellings of one key.
type Keys func(text string) (names []string, err error)

// inPolicy reports what is wrong with a policy beyond its shape.
func (b *binder) inPolicy(n *node, p *catalog.Policy, keys Keys) {
	b.keysOfOne(p, keys)
	b.names(n)
	b.selectors(n)
	for i := range p.Rules {
		b.satisfiable(&p.Rules[i], p)
	}
	b.breakable(n, p)
	if r := p.Recovery; r != nil && r.Threshold > len(r.Keys) {
		b.report(Unsatisfiable, r.Pos, "give more keys, or lower the threshold", "recovery asks for %d of %d keys", r.Threshold, len(r.Keys))
	}
}

// keyring is who holds each key.
type keyring struct {
	*binder
	read    Keys
	holders map[string]holding
}

type holding struct {
	who string
	pos catalog.Position
}

// keysOfOne reports keys that cannot be read, and those that two hold: approvals
// are counted by person, and a machine is nobody.
func (b *binder) keysOfOne(p *catalog.Policy, read Keys) {
	ring := keyring{b, read, map[string]holding{}}
	for i := range p.People {
		person := &p.People[i]
		ring.add("person "+person.ID, "keys", true, person.Keys)
		ring.add("person "+person.ID, "ssh", false, person.SSH)
	}
	for i := range p.Appliers {
		ring.add("applier "+p.Appliers[i].ID, "keys", true, p.Appliers[i].Keys)
	}
	if p.Recovery != nil {
		for i := range p.Recovery.Keys { // each is a holder of its own: one key given twice is not two
			ring.add(fmt.Sprintf("recovery key %d", i), "keys", true, p.Recovery.Keys[i:i+1])
		}
	}
	b.accountsOfOne(p)
}

func (r keyring) add(who, list string, inPEM bool, keys []catalog.PolicyKey) {
	for i := range keys {
		key := &keys[i]
		if isPEM := strings.HasPrefix(strings.TrimSpace(key.Text), "-----BEGIN "); isPEM != inPEM {
			want := map[bool]string{true: "a PEM file's text", false: "a line as in authorized_keys"}[inPEM]
			r.report(Shape, key.Pos, "want "+want, "%s of %s is of another kind", keyName(list, i), who)
			continue
		}
		if r.read == nil {
			continue
		}
		names, err := r.read(key.Text)
		if err != nil {
			r.report(Shape, key.Pos, "", "%s of %s: %s", keyName(list, i), who, err)
			continue
		}
		key.Names = names
		if first, held := r.holders[names[0]]; held && first.who != who {
			r.report(Duplicate, key.Pos, "each key belongs to one", "%s has a key that %s has", who, first.who)
			r.relate(first.pos, "the key, here first")
			continue
		}
		r.holders[names[0]] = holding{who, key.Pos}
	}
}

// accountsOfOne reports forge accounts and addresses that two people have.
func (b *binder) accountsOfOne(p *catalog.Policy) {
	first := map[string]*catalog.Person{}
	for i := range p.People {
		person := &p.People[i]
		for _, name := range append([]string{strings.ToLower(person.Email)}, person.Forge...) {
			other := first[name]
			if other != nil && other != person && name != "" {
				b.report(Duplicate, person.Pos, "each belongs to one person", "person %s has %s, which is person %s's", person.ID, quoted(name), other.ID)
				b.relate(other.Pos, "declared here first")
			}
			first[name] = person
		}
	}
}

// names reports roles and capabilities that there are not.
func (b *binder) names(n *node) {
	roles := sortedKeys(policyRoles(n))
	for _, f := range n.fields("people") {
		for _, item := range f.Value.items("roles") {
			if !slices.Contains(roles, item.Text) {
				b.unknown("role", item.Text, item.Pos, roles)
			}
		}
	}
	capabilities := texts(defaultRoles().items("capabilities"))
	stands := func(pattern string) bool {
		return slices.ContainsFunc(capabilities, func(c string) bool { return catalog.StandsFor(pattern, c) })
	}
	for _, f := range n.fields("roles") {
		for _, item := range f.Value.Items {
			if !stands(item.Text) {
				b.unknown("capability", item.Text, item.Pos, capabilities)
			}
		}
	}
	for _, f := range n.fields("rules") {
		if v := f.Value.value("capability"); v != nil && !slices.Contains(capabilities, v.Text) {
			b.unknown("capability", v.Text, v.Pos, capabilities)
		}
	}
}

// selectors reports editions, organisations and tenants that nobody declares: a
// rule about them would never match, and so not protect.
func (b *binder) selectors(n *node) {
	for _, list := range []string{"rules", "windows"} {
		for _, f := range n.fields(list) {
			b.selects(f.Value.value("tenants"))
		}
	}
	b.selects(n.value("mandate").value("tenants"))
	for _, f := range n.fields("paths") {
		for _, item := range f.Value.Items {
			b.selects(item)
		}
	}
}

// satisfiable reports a rule that the policy's own people could not satisfy, were
// they all there: who leaves, and when, is a warning (Leaving).
func (b *binder) satisfiable(r *catalog.Rule, p *catalog.Policy) {
	if able := len(p.Satisfiers(r, time.Time{})); able < r.Approvals {
		b.report(Unsatisfiable, r.Pos, "give more people the role, or a key", "%s", short(r, able))
	}
	if !r.Writers && p.Commits != catalog.CommitsPeople && !slices.Equal(r.Evidence, []catalog.Evidence{catalog.ByForge}) {
		b.report(Unsatisfiable, r.Pos, `set commits to "people", or ask for evidence ["forge"] alone`,
			"rule %s leaves out those who wrote a change, which commits that nobody has signed cannot say", r.Name)
	}
}

func short(r *catalog.Rule, able int) string {
	return fmt.Sprintf("rule %s asks for %s of people with %s, and %d could give it", r.Name, count(r.Approvals, "approval"), r.Capability, able)
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// breakable reports a break-glass that nobody could give.
func (b *binder) breakable(n *node, p *catalog.Policy) {
	glass := n.value("break_glass")
	var ids []string
	for i := range p.People {
		ids = append(ids, p.People[i].ID)
	}
	for _, item := range glass.items("people") {
		if !slices.Contains(ids, item.Text) {
			b.unknown("person", item.Text, item.Pos, ids)
		}
	}
	if g := p.BreakGlass; g != nil && len(g.People) < g.Approvals {
		b.report(Unsatisfiable, g.Pos, "name more people", "break_glass asks for %d people and names %d", g.Approvals, len(g.People))
	}
}

// checkPaths reports the tenants that stand where the policy does not let them.
func (l *loader) checkPaths(f *Fleet, b *binder) error {
	if len(f.PolicyData.Paths) == 0 {
		return nil
	}
	for i := range f.Tenants {
		d := &f.Tenants[i]
		rule := f.PolicyData.PathRule(d.Dir)
		if rule == nil {
			continue
		}
		t, err := d.Tenant()
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(rule.Tenants, func(s catalog.Selector) bool { return s.Matches(t) }) {
			b.report(OutOfPath, t.Pos, "move it, or have the policy changed", "tenant %s may not be declared below %s", t.ID, rule.Path)
			b.relate(rule.Pos, "what the policy lets it declare")
		}
	}
	return nil
}
