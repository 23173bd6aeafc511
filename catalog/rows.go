package catalog

import (
	"cmp"
	"slices"
)

// Row is one FacilityEntitlement of a tenant: the facility holds the module.
type Row struct {
	Facility FacilityID `json:"facility"`
	Module   EHRModule  `json:"module"`
}

// Compare orders rows by facility, then by module.
func (r Row) Compare(other Row) int {
	return cmp.Or(r.Facility.Compare(other.Facility), r.Module.Compare(other.Module))
}

// Rows is a set of rows of one tenant, sorted by facility and then by module,
// without duplicates. Every function here that takes Rows needs them so, and
// every one that returns Rows gives them so.
type Rows []Row

// NewRows sorts rows in place, drops what stands twice, and returns the set.
func NewRows(rows []Row) Rows {
	if !slices.IsSortedFunc(rows, Row.Compare) {
		slices.SortFunc(rows, Row.Compare)
	}
	return slices.Compact(rows)
}

// Contains reports whether the set has row.
func (r Rows) Contains(row Row) bool {
	_, found := slices.BinarySearchFunc(r, row, Row.Compare)
	return found
}

// Minus returns the rows that r has and other has not.
func (r Rows) Minus(other Rows) Rows {
	var rest Rows
	for _, row := range r {
		for len(other) > 0 && other[0].Compare(row) < 0 {
			other = other[1:]
		}
		if len(other) == 0 || other[0] != row {
			rest = append(rest, row)
		}
	}
	return rest
}

// Union returns the rows that r or other has, as a set of its own.
func (r Rows) Union(other Rows) Rows {
	both := make(Rows, 0, len(r)+len(other))
	for _, row := range r {
		for len(other) > 0 && other[0].Compare(row) < 0 {
			both, other = append(both, other[0]), other[1:]
		}
		if len(other) > 0 && other[0] == row {
			other = other[1:]
		}
		both = append(both, row)
	}
	return append(both, other...)
}

// Modules returns the modules that the rows name, sorted, each once.
func (r Rows) Modules() []EHRModule {
	modules := make([]EHRModule, 0, len(r))
	for _, row := range r {
		modules = append(modules, row.Module)
	}
	slices.SortFunc(modules, EHRModule.Compare)
	return slices.Compact(modules)
}
