package schema

import (
	"slices"
	"strings"
	"time"

	"github.com/veonahealth/charter/catalog"
)

// connectModule is the module without which instruments are of no use.
const connectModule = "connect"

// rules holds one tenant against the catalogue. All that it finds depends on the
// tenant and the catalogue alone, so that it can be kept with the evaluation,
// and nothing on the clock.
type rules struct {
	binder
	catalog *catalog.Catalog
	tenant  *catalog.Tenant
}

// checkTenant returns what is wrong with a tenant under a catalogue.
func checkTenant(c *catalog.Catalog, t *catalog.Tenant) Problems {
	r := rules{catalog: c, tenant: t}
	r.modules()
	unknownModules := len(r.problems) > 0
	r.names()
	if c.Edition(t.Edition) == nil {
		return r.problems
	}
	r.limits()
	if unknownModules {
		return r.problems // what follows would only repeat it in other words
	}
	r.instruments()
	r.dependencies()
	return r.problems
}

// checkNames returns what a tenant names and the catalogue or the tenant has not.
// It is all that can be judged of a tenant, or under a catalogue, that is wrong.
func checkNames(c *catalog.Catalog, t *catalog.Tenant) Problems {
	r := rules{catalog: c, tenant: t}
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
		if !s.Facility.IsZero() && t.Facility(s.Facility) == nil {
			r.unknown("facility", s.Facility.String(), s.Pos, facilityNames(t))
		}
		if s.Role != "" && !slices.Contains(c.StaffRoles(), s.Role) {
			r.unknown("role", s.Role, s.Pos, c.StaffRoles())
		}
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
	index, known := r.catalog.IndexOf(id(catalog.ParseModuleKey, connectModule))
	for i := range r.tenant.Facilities {
		f := &r.tenant.Facilities[i]
		for _, span := range catalog.Spans(r.tenant.Boundaries(f)) {
			if known && r.catalog.Holds(r.tenant, f, span.Instant()).Has(index) {
				return
			}
		}
	}
	r.report(Incomplete, r.tenant.Connect[0].Pos, "grant the module, or take the instruments out",
		"instruments are connected, and no facility holds the module %q", connectModule)
}

// broken is a dependency that is not met, by the statement to blame.
type broken struct {
	module, needed int
	pos            catalog.Position
}

// dependencies reports each module that is in force without one that it
// requires: once for each statement to blame, at the first facility and span
// where that is so.
func (r *rules) dependencies() {
	reported := map[broken]bool{}
	for i := range r.tenant.Facilities {
		f := &r.tenant.Facilities[i]
		for _, span := range catalog.Spans(r.tenant.Boundaries(f)) {
			held := r.catalog.Holds(r.tenant, f, span.Instant())
			for module := range held.All() {
				for _, needed := range r.catalog.Module(module).Needs() {
					if !held.Has(needed) {
						r.dependency(reported, f, span, module, needed)
					}
				}
			}
		}
	}
}

// dependency blames the statement that takes the needed module away, else the one
// that gives the module.
func (r *rules) dependency(reported map[broken]bool, f *catalog.Facility, span catalog.Span, of, on int) {
	module, needed := r.catalog.Module(of), r.catalog.Module(on)
	gives := r.catalog.Cause(r.tenant, f, module.Key, span.Instant())
	takes := r.catalog.Cause(r.tenant, f, needed.Key, span.Instant())
	pos, other, note := gives.Pos, module.Pos, "required here"
	if takes.Adjustment != nil {
		pos, other, note = takes.Pos, gives.Pos, "given here"
	}
	blamed := broken{of, on, pos}
	if reported[blamed] {
		return
	}
	reported[blamed] = true
	r.report(Dependency, pos, "grant "+needed.Key.String()+" too, or take "+module.Key.String()+" away",
		"module %q is in force at %s without %q, which it requires, %s", module.Key, f.ID, needed.Key, span)
	r.relate(other, note)
}

// measured is one dimension of the limits.
type measured struct {
	name  string
	limit int64
	of    func(*catalog.Facility) int64
}

func (r *rules) measures() []measured {
	limits := r.catalog.Edition(r.tenant.Edition).Limits
	list := []measured{
		{"beds", limits.Beds, func(f *catalog.Facility) int64 { return f.Beds }},
		{"facilities", limits.Facilities, func(*catalog.Facility) int64 { return 1 }},
		{"storage_gb", limits.StorageGB, func(f *catalog.Facility) int64 { return f.StorageGB }},
		{"users", limits.Users, func(f *catalog.Facility) int64 { return f.Users }},
	}
	for i := range list {
		for _, override := range r.tenant.Limits {
			if override.Limit == list[i].name {
				list[i].limit = override.Value
			}
		}
	}
	return list
}

// limits reports each limit that the tenant's facilities exceed together, with
// the first span in which they do. What is open only ever becomes less, so that
// is the span before the first tombstone.
func (r *rules) limits() {
	span := catalog.Span{Until: r.firstClosing()}
	for _, m := range r.measures() {
		var sum int64
		for i := range r.tenant.Facilities {
			sum += m.of(&r.tenant.Facilities[i])
		}
		if m.limit == catalog.Unlimited || sum <= m.limit {
			continue
		}
		r.report(OverLimit, r.tenant.Pos, "choose a larger edition, or override it: limits: "+m.name+": {value: …, reason: …}",
			"%d %s, and the limit of edition %q is %d, %s",
			sum, strings.ReplaceAll(m.name, "_gb", " (GB)"), r.tenant.Edition, m.limit, span)
		r.relate(r.catalog.Edition(r.tenant.Edition).Pos, "the edition")
	}
}

// firstClosing returns the day of the first tombstone, or the zero time.
func (r *rules) firstClosing() time.Time {
	var first time.Time
	closing := func(c *catalog.Tombstone) {
		if c != nil && (first.IsZero() || c.On.Before(first)) {
			first = c.On
		}
	}
	closing(r.tenant.Closed)
	for i := range r.tenant.Facilities {
		closing(r.tenant.Facilities[i].Closed)
	}
	return first
}
