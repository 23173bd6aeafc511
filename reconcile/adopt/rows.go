package adopt

import (
	"fmt"
	"slices"
	"strings"

	"github.com/veonahealth/charter/catalog"
)

// sites are the modules of each of a tenant's facilities, in their order.
type sites []catalog.ModuleSet

// rows declares an edition and what is granted and revoked beside it, such that
// the rows in force are just the live ones.
func (d *declarer) rows(t *catalog.Tenant, f *Found) {
	live := d.live(t, f.Live.Grant.Rows)
	declared := make(sites, len(live))
	for i := range live {
		declared[i] = live[i].Clone()
		d.require(declared[i])
	}
	d.requireConnect(t, declared)
	for i := range live {
		d.hold(t, &t.Facilities[i], live[i], declared[i])
	}
	t.Edition = d.editionOf(t, f.Live.Tenant.Edition, declared)
	d.adjust(t, declared)
}

// live gives the rows that are ours to declare.
func (d *declarer) live(t *catalog.Tenant, rows catalog.Rows) sites {
	at := map[catalog.FacilityID]catalog.ModuleSet{}
	live := make(sites, len(t.Facilities))
	for i := range t.Facilities {
		live[i] = d.Catalog.NewSet()
		at[t.Facilities[i].ID] = live[i]
	}
	for _, row := range rows {
		set, declared := at[row.Facility]
		index, known := d.Catalog.FromEHR(row.Module)
		switch {
		case !known:
			d.unknown[row.Module.String()]++
		case !declared:
			d.note(t.ID.String(), "%s at %s: the platform lists no such facility; the row stays as it is, held", row.Module, row.Facility)
		default:
			set.Add(index)
		}
	}
	return live
}

// require adds to a set what its modules require, and what that requires.
func (d *declarer) require(set catalog.ModuleSet) {
	for complete := false; !complete; {
		complete = true
		for index := range set.Clone().All() {
			for _, needed := range d.Catalog.Module(index).Needs() {
				complete = complete && set.Has(needed)
				set.Add(needed)
			}
		}
	}
}

// requireConnect adds the module without which instruments may not be declared.
func (d *declarer) requireConnect(t *catalog.Tenant, declared sites) {
	index, known := d.Catalog.IndexOf(catalog.ConnectModule)
	has := func(set catalog.ModuleSet) bool { return set.Has(index) }
	switch {
	case len(t.Connect) == 0:
	case !known:
		d.note(t.ID.String(), "its instruments are not declared: the catalogue does not have the module %s", catalog.ConnectModule)
		t.Connect = nil
	case !slices.ContainsFunc(declared, has):
		declared[0].Add(index)
	}
}

// hold keeps what is declared of a facility and not live from being granted.
func (d *declarer) hold(t *catalog.Tenant, f *catalog.Facility, live, declared catalog.ModuleSet) {
	if declared.Equal(live) {
		return
	}
	id := t.ID.String()
	h := catalog.Hold{
		Key: "adopted " + id + " " + f.ID.String(), Tenant: t.ID, Facility: f.ID, Owner: d.Owner, Until: d.At.UTC().Truncate(day).AddDate(0, 0, holdDays),
	}
	var lacks []string
	for index := range declared.All() {
		if !live.Has(index) {
			h.Modules = append(h.Modules, d.Catalog.Module(index).Key)
			lacks = append(lacks, d.lack(index, declared))
		}
	}
	what := fmt.Sprintf("%s holds %s", f.ID, strings.Join(lacks, ", "))
	h.Reason = d.reason + ": " + what
	d.Holds[id] = append(d.Holds[id], h)
	d.note(id, "%s: declared with it, and held as it is until %s; decide by then what is right", what, catalog.FormatTime(h.Until))
}

// lack names a module that is not there and those that require it; where none
// does, it is the instruments.
func (d *declarer) lack(index int, declared catalog.ModuleSet) string {
	var names []string
	for other := range declared.All() {
		if module := d.Catalog.Module(other); slices.Contains(module.Needs(), index) {
			names = append(names, module.Key.String())
		}
	}
	if names == nil {
		names = []string{"instruments"}
	}
	return strings.Join(names, " and ") + " without " + d.Catalog.Module(index).Key.String()
}

// editionOf is the edition that the platform names, or the one that fits best.
func (d *declarer) editionOf(t *catalog.Tenant, name string, declared sites) catalog.EditionKey {
	if key, err := catalog.ParseEditionKey(name); err == nil && d.Catalog.Edition(key) != nil {
		return key
	}
	var best catalog.EditionKey
	fewest := -1
	for _, e := range d.Catalog.Editions() {
		if n := differences(e.Set(), declared); fewest < 0 || n < fewest {
			best, fewest = e.Key, n
		}
	}
	d.note(t.ID.String(), "the platform names the edition %.80q, which there is not: %s fits best", name, best)
	return best
}

// differences counts the rows by which facilities differ from an edition.
func differences(edition catalog.ModuleSet, declared sites) (n int) {
	for _, set := range declared {
		for index := range set.All() {
			if !edition.Has(index) {
				n++
			}
		}
		for index := range edition.All() {
			if !set.Has(index) {
				n++
			}
		}
	}
	return n
}

// adjust grants and revokes what the edition does not tell: at the tenant where
// all facilities agree.
func (d *declarer) adjust(t *catalog.Tenant, declared sites) {
	edition := d.Catalog.Edition(t.Edition).Set()
	for index, module := range d.Catalog.Modules() {
		var other []*catalog.Facility
		for i, set := range declared {
			if set.Has(index) != edition.Has(index) {
				other = append(other, &t.Facilities[i])
			}
		}
		a := catalog.Adjustment{Module: module.Key, Reason: d.reason}
		if len(other) == len(declared) {
			add(&t.Grants, &t.Revocations, edition.Has(index), a)
			continue
		}
		for _, f := range other {
			add(&f.Grants, &f.Revocations, edition.Has(index), a)
		}
	}
}

// add adds an adjustment to the revocations of what is given, else to the grants.
func add(grants, revocations *[]catalog.Adjustment, given bool, a catalog.Adjustment) {
	list := grants
	if given {
		list = revocations
	}
	*list = append(*list, a)
	slices.SortFunc(*list, func(a, b catalog.Adjustment) int { return a.Module.Compare(b.Module) })
}
