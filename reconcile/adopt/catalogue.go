package adopt

import (
	"maps"
	"slices"

	"github.com/veonahealth/charter/catalog"
)

// catalogue makes the catalogue by which the tenants are declared: the fleet's,
// with the editions of the platform that it does not have.
func (d *declarer) catalogue() error {
	base := d.Base.Catalog
	data := catalog.Data{Instruments: base.Instruments(), StaffRoles: base.StaffRoles()}
	for _, m := range base.Modules() {
		data.Modules = append(data.Modules, *m)
	}
	if !d.Declarations.New {
		for _, e := range base.Editions() {
			data.Editions = append(data.Editions, *e)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(d.reading.Editions)) {
		d.edition(&data, d.reading.Editions[key])
	}
	var err error
	d.Catalog, err = catalog.New(data)
	return err
}

// edition adds an edition of the platform, with the modules of it that are not in
// the catalogue: without them it would be another edition.
func (d *declarer) edition(data *catalog.Data, live catalog.LiveEdition) {
	key, err := catalog.ParseEditionKey(live.Key)
	if err != nil {
		d.note("", "left out: %s", err)
		return
	}
	if slices.ContainsFunc(data.Editions, func(e catalog.Edition) bool { return e.Key == key }) {
		return
	}
	e := catalog.Edition{Key: key, Name: d.named(live.Name, live.Key), Limits: catalog.Limits{
		Facilities: allowed(live.Limits.Facilities, 0), Users: allowed(live.Limits.Users, 0),
		Beds: allowed(live.Limits.Beds, 0), StorageGB: allowed(live.Limits.StorageGB, 0),
	}}
	for _, name := range slices.Compact(slices.Clone(live.Modules)) {
		module, err := catalog.ParseEHRModule(name)
		if err != nil {
			d.note("", "edition %s: left out: %s", key, err)
			continue
		}
		e.Modules = append(e.Modules, d.module(data, module, live.Key))
	}
	slices.SortFunc(e.Modules, catalog.ModuleKey.Compare)
	data.Editions = append(data.Editions, e)
	d.Editions = append(d.Editions, &e)
}

// module finds a module by the platform's word, or adds it under that word, or
// under "ehr-" and that word where the catalogue means another one by it.
func (d *declarer) module(data *catalog.Data, live catalog.EHRModule, edition string) catalog.ModuleKey {
	for i := range data.Modules {
		if data.Modules[i].EHR == live {
			return data.Modules[i].Key
		}
	}
	m := catalog.Module{EHR: live, Name: live.String()}
	taken := true
	for name := live.String(); taken; name = "ehr-" + name {
		m.Key, _ = catalog.ParseModuleKey(name)
		taken = slices.ContainsFunc(data.Modules, func(other catalog.Module) bool { return other.Key == m.Key })
	}
	data.Modules = append(data.Modules, m)
	d.Modules = append(d.Modules, &m)
	d.note("", "module %s of edition %s is not in the catalogue: it is added there; give it its name and routes", live, edition)
	return m.Key
}
