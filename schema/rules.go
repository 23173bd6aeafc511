package schema

import (
	"slices"

	"github.com/veonahealth/charter/catalog"
)

// rules holds one tenant against the catalogue. All that it finds depends on the
// tenant and the catalogue alone, so that it can be kept with the evaluation,
// and nothing on the clock.
type rules struct {
	binder
	catalog *catalog.Catalog
	tenant  *catalog.Tenant
	// written is what the tenant was bound from, which knows the place of every
	// value; nil where nobody is to be told, only whether there is a mistake.
	written *node
}

// checkTenant returns what is wrong with a tenant under a catalogue. Where its
// shape has faults, it is held against all that they do not touch.
func checkTenant(c *catalog.Catalog, t *catalog.Tenant, written *node) Problems {
	r := rules{catalog: c, tenant: t, written: written}
	r.modules()
	unknownModules := len(r.problems) > 0
	r.names()
	if c.Edition(t.Edition) == nil {
		return r.problems
	}
	if r.sound("limits") {
		r.limits()
	}
	if unknownModules || !r.sound("facilities", "grants", "revocations", "closed") {
		return r.problems // what follows would only repeat it in other words
	}
	r.instruments()
	r.dependencies()
	return r.problems
}

// sound reports whether nothing was wrong in fields of the tenant.
func (r *rules) sound(names ...string) bool {
	return !slices.ContainsFunc(names, func(name string) bool {
		return r.written.wrong(name) || !r.written.value(name).sound()
	})
}

// checkNames returns what a tenant names and the catalogue or the tenant has not.
// It is all that can be judged under a catalogue that is wrong.
func checkNames(c *catalog.Catalog, t *catalog.Tenant, written *node) Problems {
	r := rules{catalog: c, tenant: t, written: written}
	r.modules()
	r.names()
	return r.problems
}

// modules reports adjustments of modules that the catalogue has not.
func (r *rules) modules() {
	for a := range r.tenant.Adjustments() {
		if _, known := r.catalog.IndexOf(a.Module); !known {
			r.unknown("module", a.Module.String(), a.Pos, moduleNames(r.catalog))
		}
	}
}

// names reports what else names something that the catalogue or the tenant has
// not. What is empty was wrong already.
func (r *rules) names() {
	t, c := r.tenant, r.catalog
	if !t.Edition.IsZero() && c.Edition(t.Edition) == nil {
		r.unknown("edition", t.Edition.String(), t.EditionPos, editionNames(c))
	}
	for _, connection := range t.Connect {
		if !c.HasInstrument(connection.Instrument) {
			r.unknown("instrument", connection.Instrument.String(), connection.Pos, instrumentNames(c))
		}
	}
	for _, s := range t.Staff {
		r.staff(s)
	}
}

// staff reports an account at a site or in a role that there is not. Where the
// sites are wrong, that is said.
func (r *rules) staff(s catalog.Staff) {
	written := r.written.value("staff").value(s.Email)
	if !s.Facility.IsZero() && !r.written.wrong("facilities") && r.tenant.Facility(s.Facility) == nil {
		r.unknown("facility", s.Facility.String(), firstPosition(written.place("facility"), s.Pos), facilityNames(r.tenant))
	}
	if roles := r.catalog.StaffRoles(); s.Role != "" && !slices.Contains(roles, s.Role) {
		r.unknown("role", s.Role, firstPosition(written.place("role"), s.Pos), roles)
	}
}

func (b *binder) unknown(noun, name string, pos catalog.Position, known []string) {
	b.report(Unknown, pos, didYouMean(name, known), "unknown %s %q", noun, name)
}

func editionNames(c *catalog.Catalog) []string {
	var names []string
	for _, e := range c.Editions() {
		names = append(names, e.Key.String())
	}
	return names
}

func moduleNames(c *catalog.Catalog) []string {
	var names []string
	for _, m := range c.Modules() {
		names = append(names, m.Key.String())
	}
	return names
}

func instrumentNames(c *catalog.Catalog) []string {
	var names []string
	for _, in := range c.Instruments() {
		names = append(names, in.Key.String())
	}
	return names
}

func facilityNames(t *catalog.Tenant) []string {
	var names []string
	for i := range t.Facilities {
		names = append(names, t.Facilities[i].ID.String())
	}
	return names
}

// instruments reports instruments of a tenant whose facilities never hold the
// module that they are connected to.
func (r *rules) instruments() {
	if len(r.tenant.Connect) == 0 {
		return
	}
	index, known := r.catalog.IndexOf(catalog.ConnectModule)
	for i := range r.tenant.Facilities {
		f := &r.tenant.Facilities[i]
		for _, span := range catalog.Spans(r.tenant.Boundaries(f)) {
			if known && r.catalog.Holds(r.tenant, f, span.Instant()).Has(index) {
				return
			}
		}
	}
	r.report(Incomplete, r.tenant.Connect[0].Pos, "grant the module, or take the instruments out",
		"instruments are connected, and no facility holds the module %q", catalog.ConnectModule)
}
