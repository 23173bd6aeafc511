package schema

import (
	"bytes"
	"maps"
	"slices"
	"strconv"

	"github.com/veonahealth/charter/catalog"
)

// referrer returns a binder that holds what holds and tests name against what the
// fleet declares. Where a file that may declare it could not be read, and where
// it is declared and wrong, nothing is said: it would only repeat that.
func (l *loader) referrer(f *Fleet) *binder {
	return &binder{fleet: f, lost: l.lost, wrong: l.wrong}
}

// inHold reports what a hold names and nobody declares.
func (b *binder) inHold(n *node) {
	b.moduleItems(n.items("modules"))
	b.tenantNode(n.value("tenant"), n.value("facility"))
}

// inTest reports what a test names and nobody declares.
func (b *binder) inTest(n *node) {
	b.moduleItems(slices.Concat(n.items("has"), n.items("hasnt")))
	b.selects(n.value("tenants"))
	b.twice(n)
}

// selects reports what a selector of tenants names and nobody declares. It may be
// nil.
func (b *binder) selects(selector *node) {
	c := b.fleet.Catalog
	if e := selector.value("edition"); e != nil && c != nil && c.Edition(id(catalog.ParseEditionKey, e.Text)) == nil {
		b.unknown("edition", e.Text, e.Pos, editionNames(c))
	}
	if o := selector.value("organisation"); o != nil && !b.lost["organisations"] && !b.fleet.declares(o.Text) {
		b.unknown("organisation", o.Text, o.Pos, organisationNames(b.fleet))
	}
	for _, item := range selector.items("ids") {
		b.tenantNode(item, nil)
	}
}

// twice reports the modules that a test says are held and are not.
func (b *binder) twice(n *node) {
	for _, not := range n.items("hasnt") {
		items := n.items("has")
		if i := slices.IndexFunc(items, func(has *node) bool { return has.Text == not.Text }); i >= 0 {
			b.report(Contradicted, not.Pos, "keep one of them", "module %q is in has and in hasnt of one test", not.Text)
			b.relate(items[i].Pos, "said to be held here")
		}
	}
}

// inTenants reports the facility that a test names and none of the tenants has
// that it chooses: it would look at nothing. Where a tenant is wrong, it may be
// the one; where none is chosen yet, the test waits for its first.
func (b *binder) inTenants(n *node, test *catalog.Test) {
	if test.Facility.IsZero() || len(b.wrong) > 0 {
		return
	}
	named := []byte(strconv.Quote(test.Facility.String()))
	chosen := false
	for i := range b.fleet.Tenants {
		d := &b.fleet.Tenants[i]
		if len(test.Tenants.IDs) > 0 && !slices.Contains(test.Tenants.IDs, d.ID) || chosen && !bytes.Contains(d.Encoded(), named) {
			continue // what need not be decoded is not: there may be very many
		}
		t, err := d.Tenant()
		if err != nil || !test.Tenants.Matches(t) {
			continue
		}
		if chosen = true; t.Facility(test.Facility) != nil {
			return
		}
	}
	if chosen {
		b.report(Unknown, n.place("facility"), "no tenant that the test chooses has it", "unknown facility %q", test.Facility)
	}
}

// declares reports whether there is an organisation of an id.
func (f *Fleet) declares(organisation string) bool {
	return slices.ContainsFunc(f.Organisations, func(o catalog.Organisation) bool { return o.ID.String() == organisation })
}

// moduleItems reports the modules that the catalogue does not have.
func (b *binder) moduleItems(items []*node) {
	if b.fleet.Catalog == nil {
		return
	}
	for _, item := range items {
		if _, known := b.fleet.Catalog.IndexOf(id(catalog.ParseModuleKey, item.Text)); !known {
			b.unknown("module", item.Text, item.Pos, moduleNames(b.fleet.Catalog))
		}
	}
}

// tenantNode reports a tenant, or a facility of it, that is not declared. Either
// may be nil.
func (b *binder) tenantNode(tenant, facility *node) {
	if tenant == nil || b.wrong[tenant.Text] {
		return
	}
	declared := b.fleet.Tenant(id(catalog.ParseTenantID, tenant.Text))
	if declared == nil {
		b.unknown("tenant", tenant.Text, tenant.Pos, b.tenantNames())
		return
	}
	if facility == nil {
		return
	}
	t, err := declared.Tenant()
	if err == nil && t.Facility(id(catalog.ParseFacilityID, facility.Text)) == nil {
		b.unknown("facility", facility.Text, facility.Pos, facilityNames(t))
	}
}

// tenantNames returns the names of all tenants, those that are wrong with them.
func (b *binder) tenantNames() []string {
	names := slices.Collect(maps.Keys(b.wrong))
	for i := range b.fleet.Tenants {
		names = append(names, b.fleet.Tenants[i].ID.String())
	}
	slices.Sort(names)
	return slices.Compact(names)
}
