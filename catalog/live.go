package catalog

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// What follows is how a platform answers. Each type has the fields that the EHR
// contract gives the resource, apart from what only the server sets.

// LiveEdition is an edition as the platform has it, in the EHR's words.
type LiveEdition struct {
	Key     string     `json:"key"`
	Limits  LiveLimits `json:"limits"`
	Modules []string   `json:"modules"` // sorted
	Name    string     `json:"name"`
	Stamp   Stamp      `json:"-"`
}

// LiveLimits are limits on the wire, where null is unlimited.
type LiveLimits struct {
	Beds       *int64 `json:"beds"`
	Facilities *int64 `json:"facilities"`
	StorageGB  *int64 `json:"storage_gb"`
	Users      *int64 `json:"users"`
}

// Live returns limits as they are written on the wire.
func (l Limits) Live() LiveLimits {
	pointer := func(n int64) *int64 {
		if n == Unlimited {
			return nil
		}
		return &n
	}
	return LiveLimits{pointer(l.Beds), pointer(l.Facilities), pointer(l.StorageGB), pointer(l.Users)}
}

// Live returns an edition as it is to be on the platform.
func (c *Catalog) Live(e *Edition) LiveEdition {
	live := LiveEdition{Key: e.Key.String(), Limits: e.Limits.Live(), Modules: []string{}, Name: e.Name}
	for index := range e.set.All() { // in the order of the EHR's keys
		live.Modules = append(live.Modules, c.modules[index].EHR.String())
	}
	return live
}

// LiveOrganisation is an organisation as the platform has it.
type LiveOrganisation struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// LiveTenant is a tenant as the platform has it, but for its status.
type LiveTenant struct {
	Edition      string `json:"edition"`
	Hosting      string `json:"hosting"`
	ID           string `json:"id"`
	Name         string `json:"name"`
	Organisation string `json:"organisation"`
}

// Live returns a tenant as it is to be on the platform.
func (t *Tenant) Live() LiveTenant {
	return LiveTenant{t.Edition.String(), string(t.Hosting), t.ID.String(), t.Name, t.Organisation.String()}
}

// LiveFacility is a site as the platform has it.
type LiveFacility struct {
	Beds      int64  `json:"beds"`
	ID        string `json:"id"`
	Name      string `json:"name"`
	StorageGB int64  `json:"storage_gb"`
	Users     int64  `json:"users"`
}

// Live returns a site as it is to be on the platform.
func (f *Facility) Live() LiveFacility {
	return LiveFacility{f.Beds, f.ID.String(), f.Name, f.StorageGB, f.Users}
}

// LiveAdmin is a tenant's administrator as the platform has them.
type LiveAdmin struct {
	Email string `json:"email"`
	Name  string `json:"name"`
	State string `json:"state"` // invited, active or withdrawn
}

// SameEmail reports whether two addresses are one: no platform tells them apart
// by case.
func SameEmail(a, b string) bool { return strings.EqualFold(a, b) }

// LiveLicence is a licence as the platform has it, without its token, which is a
// secret. What it was issued for is kept in the platform's own words.
type LiveLicence struct {
	ID        string
	State     string // issued, active, suspended or revoked
	Expires   time.Time
	NotBefore time.Time
	Limits    LiveLimits
	Modules   []LicensedModule
	// Terms is the platform's own JSON of {expires, id, limits, modules}: what a
	// change of the licence stands on.
	Terms []byte
}

// LicensedModule is a row that a licence allows, for a stretch of time. Each of
// the two times may be nil.
type LicensedModule struct {
	Facility string     `json:"facility"`
	From     *time.Time `json:"from"`
	Module   string     `json:"module"`
	Until    *time.Time `json:"until"`
}

// Compare orders licensed modules by facility, module and beginning.
func (m LicensedModule) Compare(other LicensedModule) int {
	from := func(m LicensedModule) time.Time {
		if m.From == nil {
			return time.Time{}
		}
		return *m.From
	}
	return cmp.Or(strings.Compare(m.Facility, other.Facility), strings.Compare(m.Module, other.Module), from(m).Compare(from(other)))
}

// Licensed returns what a licence of the tenant has to allow from an instant on:
// each row for the stretches in which it is declared. What has ended by then is
// left out, and what has begun has no beginning, so that the passing of time
// alone changes no licence.
func (c *Catalog) Licensed(t *Tenant, at time.Time) []LicensedModule {
	list := []LicensedModule{}
	for i := range t.Facilities {
		f := &t.Facilities[i]
		spans := Spans(t.Boundaries(f))
		holds := make([]ModuleSet, len(spans))
		for j, span := range spans {
			holds[j] = c.Holds(t, f, span.Instant())
		}
		for index := range c.modules {
			list = append(list, c.licensed(f, index, spans, holds, at)...)
		}
	}
	slices.SortFunc(list, LicensedModule.Compare)
	return list
}

// licensed returns the stretches in which a facility holds one module, given what
// it holds in each span.
func (c *Catalog) licensed(f *Facility, index int, spans []Span, holds []ModuleSet, at time.Time) []LicensedModule {
	var list []LicensedModule
	for i, span := range spans {
		if !holds[i].Has(index) {
			continue
		}
		m := LicensedModule{Facility: f.ID.String(), Module: c.modules[index].EHR.String(), From: instant(span.From), Until: instant(span.Until)}
		if last := len(list) - 1; last >= 0 && list[last].Until != nil && m.From != nil && list[last].Until.Equal(*m.From) {
			list[last].Until = m.Until
		} else {
			list = append(list, m)
		}
	}
	return Current(list, at)
}

// Current drops from licensed modules what has ended by an instant, and the
// beginnings of what has begun.
func Current(list []LicensedModule, at time.Time) []LicensedModule {
	current := []LicensedModule{}
	for _, m := range list {
		if m.Until != nil && !at.Before(*m.Until) {
			continue
		}
		if m.From != nil && !at.Before(*m.From) {
			m.From = nil
		}
		current = append(current, m)
	}
	return current
}

func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// LimitsOf returns the limits of a tenant: its edition's, with the tenant's own
// in their place.
func (c *Catalog) LimitsOf(t *Tenant) Limits {
	limits := c.Edition(t.Edition).Limits
	for _, override := range t.Limits {
		switch override.Limit {
		case "beds":
			limits.Beds = override.Value
		case "facilities":
			limits.Facilities = override.Value
		case "storage_gb":
			limits.StorageGB = override.Value
		case "users":
			limits.Users = override.Value
		}
	}
	return limits
}
