package schema

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/veonahealth/charter/catalog"
)

// bindPolicy binds what the files of the policy declare and holds it against
// itself and the rest of the fleet, which is why it comes last.
func (l *loader) bindPolicy(_ context.Context, f *Fleet) error {
	b := l.referrer(f)
	f.PolicyData = b.policy(l.policy)
	if l.policy != nil {
		b.inPolicy(l.policy, &f.PolicyData, l.opts.Keys)
	}
	err := l.checkPaths(f, b)
	l.report(b.problems...)
	return err
}

// policy binds the package policy; nil is a fleet that has none.
func (b *binder) policy(n *node) catalog.Policy {
	p := catalog.Policy{
		Revoked:    revokedKeys(n, "revoked"),
		Roles:      policyRoles(n),
		Commits:    catalog.CommitsNone,
		Thresholds: catalog.Thresholds{Tenant: catalog.DefaultThreshold, Fleet: catalog.DefaultThreshold},
	}
	if word := n.text("commits"); word != "" {
		p.Commits = catalog.CommitRule(word)
	}
	b.who(n, &p)
	b.brakes(n, &p)
	for _, f := range n.fields("paths") {
		rule := catalog.PathRule{Path: f.Name, Pos: f.Pos}
		for _, item := range f.Value.Items {
			rule.Tenants = append(rule.Tenants, selector(item))
		}
		p.Paths = append(p.Paths, rule)
	}
	slices.SortFunc(p.Paths, func(a, b catalog.PathRule) int { return strings.Compare(a.Path, b.Path) })
	return p
}

// policyRoles are the product's own where the policy declares none: never those
// of the fleet's catalogue, whose editors would then write the policy.
func policyRoles(n *node) map[string][]string {
	fields := n.fields("roles")
	if n.get("roles") == nil {
		fields = defaultRoles().fields("roles")
	}
	roles := map[string][]string{}
	for _, f := range fields {
		roles[f.Name] = texts(f.Value.Items)
	}
	return roles
}

// who binds people, appliers and the keys for recovery.
func (b *binder) who(n *node, p *catalog.Policy) {
	for _, f := range n.fields("people") {
		p.People = append(p.People, catalog.Person{
			ID: f.Name, Name: f.Value.text("name"), Email: f.Value.text("email"),
			Roles: texts(f.Value.items("roles")), Forge: texts(f.Value.items("forge")),
			Keys: policyKeys(f.Value, "keys"), SSH: policyKeys(f.Value, "ssh"),
			Leaves: b.instant(f.Value, "leaves"), Revoked: revokedKeys(f.Value, "revoked"), Pos: f.Pos,
		})
	}
	for _, f := range n.fields("appliers") {
		applier := catalog.Applier{ID: f.Name, Keys: policyKeys(f.Value, "keys"), Pos: f.Pos}
		for _, duty := range f.Value.items("may") {
			applier.May = append(applier.May, catalog.Duty(duty.Text))
		}
		p.Appliers = append(p.Appliers, applier)
	}
	if f := n.get("recovery"); f != nil {
		p.Recovery = &catalog.Recovery{Keys: policyKeys(f.Value, "keys"), Threshold: int(integer(f.Value, "threshold")), Pos: f.Pos}
	}
	slices.SortFunc(p.People, func(a, b catalog.Person) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(p.Appliers, func(a, b catalog.Applier) int { return strings.Compare(a.ID, b.ID) })
}

func policyKeys(n *node, name string) []catalog.PolicyKey {
	var keys []catalog.PolicyKey
	for _, item := range n.items(name) {
		keys = append(keys, catalog.PolicyKey{Text: item.Text, Pos: item.Pos})
	}
	return keys
}

func revokedKeys(n *node, name string) []catalog.RevokedKey {
	var keys []catalog.RevokedKey
	for _, item := range n.items(name) {
		keys = append(keys, catalog.RevokedKey{Fingerprint: item.text("fingerprint"), Since: item.text("since"), Pos: item.Pos})
	}
	return keys
}

// brakes binds what stands in the way of an apply.
func (b *binder) brakes(n *node, p *catalog.Policy) {
	for _, f := range n.fields("rules") {
		p.Rules = append(p.Rules, rule(f))
	}
	for _, f := range n.fields("windows") {
		p.Windows = append(p.Windows, b.window(f))
	}
	thresholds := n.value("thresholds")
	p.Thresholds = catalog.Thresholds{Tenant: threshold(thresholds, "tenant"), Fleet: threshold(thresholds, "fleet")}
	if f := n.get("mandate"); f != nil {
		p.Mandate = &catalog.Mandate{
			Kinds: texts(f.Value.items("kinds")), Tenants: selectorAt(f.Value),
			PerHour: integer(f.Value, "per_hour"), PerDay: integer(f.Value, "per_day"), Until: b.instant(f.Value, "until"), Pos: f.Pos,
		}
	}
	if f := n.get("break_glass"); f != nil {
		p.BreakGlass = &catalog.BreakGlass{
			People: texts(f.Value.items("people")), Approvals: int(integer(f.Value, "approvals")),
			Passes: texts(f.Value.items("passes")), Pos: f.Pos,
		}
	}
	slices.SortFunc(p.Rules, func(a, b catalog.Rule) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(p.Windows, func(a, b catalog.Window) int { return strings.Compare(a.Name, b.Name) })
}

func rule(f field) catalog.Rule {
	r := catalog.Rule{
		Name: f.Name, Capability: f.Value.text("capability"), Change: catalog.ChangeKind(f.Value.text("change")),
		Tenants: selectorAt(f.Value), Approvals: int(integer(f.Value, "approvals")),
		Writers: f.Value.text("writers") == "true", Pos: f.Pos,
	}
	for _, item := range f.Value.items("evidence") {
		r.Evidence = append(r.Evidence, catalog.Evidence(item.Text))
	}
	if f.Value.get("evidence") == nil {
		r.Evidence = []catalog.Evidence{catalog.ByKey}
	}
	return r
}

func (b *binder) window(f field) catalog.Window {
	b.timezone(f.Value)
	w := catalog.Window{
		Name: f.Name, Allow: f.Value.text("effect") == "allow", Cron: f.Value.text("cron"),
		Timezone: f.Value.text("timezone"), Change: catalog.ChangeKind(f.Value.text("change")),
		Tenants: selectorAt(f.Value), Pos: f.Pos,
	}
	const most = 31 * 24 * time.Hour
	text := f.Value.text("duration")
	w.Duration, _ = time.ParseDuration(text) // the shape #Duration is a part of what it accepts
	if text != "" && (w.Duration <= 0 || w.Duration > most) {
		b.report(Shape, f.Value.place("duration"), "", "duration: %s is out of bounds, want 1m to 744h", quoted(text))
	}
	if w.Cron != "" {
		if _, err := w.Schedule(); err != nil {
			b.report(Shape, f.Value.place("cron"), "minute, hour, day of month, month, day of week", "cron: %s", err)
		}
	}
	return w
}

// threshold reads one, with the defaults where it is left out.
func threshold(n *node, name string) catalog.Threshold {
	f := n.get(name)
	if f == nil {
		return catalog.DefaultThreshold
	}
	return catalog.Threshold{Share: integer(f.Value, "share"), Rows: integer(f.Value, "rows")}
}

// selectorAt reads the selector under "tenants"; nil where there is none.
func selectorAt(n *node) *catalog.Selector {
	v := n.value("tenants")
	if v == nil {
		return nil
	}
	s := selector(v)
	return &s
}

func selector(n *node) catalog.Selector {
	s := catalog.Selector{
		Edition:      id(catalog.ParseEditionKey, n.text("edition")),
		Organisation: id(catalog.ParseOrganisationID, n.text("organisation")),
		Hosting:      catalog.Hosting(n.text("hosting")),
	}
	for _, item := range n.items("ids") {
		s.IDs = append(s.IDs, id(catalog.ParseTenantID, item.Text))
	}
	return s
}

// keyName is how a message calls a key in a list.
func keyName(list string, index int) string { return list + "[" + strconv.Itoa(index) + "]" }
