package catalog

import "iter"

// UnborneModule is a module of a catalogue that was applied, whose key in the EHR
// no module of the next catalogue bears, while rows of it are live. Nobody could
// say any more what such a row means: it would be held for ever as unknown.
type UnborneModule struct {
	Module  *Module  // of the catalogue that was applied
	Rows    int      // live ones, of all tenants
	Tenants int      // that have any
	First   TenantID // the first of them
}

// Unborne returns the modules of base, the catalogue last applied, whose key in
// the EHR no module of c bears any more and of which live rows are; in the order
// of the EHR's keys. live yields each tenant once with its rows.
func (c *Catalog) Unborne(base *Catalog, live iter.Seq2[TenantID, Rows]) []UnborneModule {
	dropped := base.NewSet()
	for i, m := range base.Modules() {
		if _, borne := c.byEHR[m.EHR]; !borne {
			dropped.Add(i)
		}
	}
	found := make([]UnborneModule, len(base.modules))
	for tenant, rows := range live {
		seen := base.NewSet()
		for _, row := range rows {
			i, ours := base.FromEHR(row.Module)
			if !ours || !dropped.Has(i) {
				continue
			}
			found[i].add(tenant, !seen.Has(i))
			seen.Add(i)
		}
	}
	var list []UnborneModule
	for i := range dropped.All() {
		if found[i].Rows > 0 {
			found[i].Module = base.Module(i)
			list = append(list, found[i])
		}
	}
	return list
}

// add counts one more row of a tenant, which may be its first.
func (u *UnborneModule) add(tenant TenantID, first bool) {
	u.Rows++
	if !first {
		return
	}
	u.Tenants++
	if u.Tenants == 1 {
		u.First = tenant
	}
}
