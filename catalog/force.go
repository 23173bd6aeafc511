package catalog

import "time"

// Holds returns the modules that facility f of tenant t holds at the instant at.
// The tenant's edition must be in the catalogue; modules that are not in it are
// passed over, as the loader refuses a fleet that names one.
func (c *Catalog) Holds(t *Tenant, f *Facility, at time.Time) ModuleSet {
	if t.Closed.ClosedAt(at) || f.Closed.ClosedAt(at) {
		return c.NewSet()
	}
	set := c.Edition(t.Edition).set.Clone()
	c.adjust(set, t.Grants, at, ModuleSet.Add)
	c.adjust(set, t.Revocations, at, ModuleSet.Remove)
	c.adjust(set, f.Grants, at, ModuleSet.Add)
	c.adjust(set, f.Revocations, at, ModuleSet.Remove)
	return set
}

func (c *Catalog) adjust(set ModuleSet, adjustments []Adjustment, at time.Time, change func(ModuleSet, int)) {
	for i := range adjustments {
		if index, known := c.byKey[adjustments[i].Module]; known && adjustments[i].Contains(at) {
			change(set, index)
		}
	}
}

// Rows returns the rows of all facilities of tenant t at the instant at.
func (c *Catalog) Rows(t *Tenant, at time.Time) Rows {
	var rows Rows
	for i := range t.Facilities {
		f := &t.Facilities[i]
		for index := range c.Holds(t, f, at).All() {
			rows = append(rows, Row{Facility: f.ID, Module: c.modules[index].EHR})
		}
	}
	return rows
}

// Origin is which kind of statement decides about a module at a facility.
type Origin int

// The origins, from the weakest to the strongest.
const (
	FromEdition Origin = iota // the edition has it, or has it not
	FromTenant                // a grant or revocation of the tenant
	FromFacility
	FromFacilityTombstone
	FromTenantTombstone
)

// Cause is the statement that decides whether a facility holds a module.
type Cause struct {
	Held       bool
	Origin     Origin
	Adjustment *Adjustment // the grant or revocation that decides, or nil
	Tombstone  *Tombstone  // the tombstone that decides, or nil
	Pos        Position    // where the statement stands
}

// Cause says why facility f of tenant t holds the module, or does not, at the
// instant at.
func (c *Catalog) Cause(t *Tenant, f *Facility, module ModuleKey, at time.Time) Cause {
	if t.Closed.ClosedAt(at) {
		return Cause{Origin: FromTenantTombstone, Tombstone: t.Closed, Pos: t.Closed.Pos}
	}
	if f.Closed.ClosedAt(at) {
		return Cause{Origin: FromFacilityTombstone, Tombstone: f.Closed, Pos: f.Closed.Pos}
	}
	for _, level := range []struct {
		adjustments []Adjustment
		held        bool
		origin      Origin
	}{
		{f.Revocations, false, FromFacility},
		{f.Grants, true, FromFacility},
		{t.Revocations, false, FromTenant},
		{t.Grants, true, FromTenant},
	} {
		if a := inForce(level.adjustments, module, at); a != nil {
			return Cause{Held: level.held, Origin: level.origin, Adjustment: a, Pos: a.Pos}
		}
	}
	index, known := c.byKey[module]
	return Cause{Held: known && c.Edition(t.Edition).set.Has(index), Origin: FromEdition, Pos: t.EditionPos}
}

func inForce(adjustments []Adjustment, module ModuleKey, at time.Time) *Adjustment {
	for i := range adjustments {
		if adjustments[i].Module == module && adjustments[i].Contains(at) {
			return &adjustments[i]
		}
	}
	return nil
}
