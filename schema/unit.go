package schema

import (
	"slices"
	"strings"

	"github.com/veonahealth/charter/catalog"
)

// unitKind is one of the things that a folder of a fleet declares.
type unitKind struct {
	Pkg    string            // the CUE package of its files
	Fields map[string]string // the regular fields that may stand at the top, and the definition of each
	Needed string            // the field that must be there, or ""
}

// The kinds of unit, by the folder they stand in.
var (
	tenantUnit       = unitKind{"fleet", map[string]string{"tenant": "#Tenant"}, "tenant"}
	organisationUnit = unitKind{"fleet", map[string]string{"organisations": "#Organisations"}, ""}
	environmentUnit  = unitKind{"fleet", map[string]string{"environments": "#Environments"}, ""}
	holdUnit         = unitKind{"fleet", map[string]string{"hold": "#Holds"}, ""}
	testUnit         = unitKind{"fleet", map[string]string{"test": "#Tests"}, ""}
	sharedUnit       = unitKind{"fleet", nil, ""}
	catalogUnit      = unitKind{"catalog", map[string]string{
		"modules": "#Modules", "editions": "#Editions", "instruments": "#Instruments",
		"capabilities": "#Capabilities", "roles": "#Roles", "staff_roles": "#StaffRoles",
	}, ""}
	policyUnit = unitKind{"policy", map[string]string{
		"people": "#People", "appliers": "#Appliers", "revoked": "#Revoked", "roles": "#Roles", "rules": "#Rules",
		"commits": "#Commits", "thresholds": "#Thresholds", "windows": "#Windows", "mandate": "#Mandate",
		"break_glass": "#BreakGlass", "paths": "#Paths", "recovery": "#Recovery",
	}, ""}
)

// shape returns the shape of everything at the top of a unit.
func (k unitKind) shape() *shape {
	return k.top(func(definition string) *shape { return shapes()[definition] })
}

// outline returns the shape of a unit whose fields have been held against their
// definitions before.
func (k unitKind) outline() *shape {
	return k.top(func(string) *shape { return &shape{any: true} })
}

// fits reports whether a node that was kept may be the value of a unit.
func (k unitKind) fits(n *node) bool {
	return n.Kind == kindStruct && (k.Needed == "" || n.value(k.Needed) != nil)
}

func (k unitKind) top(of func(definition string) *shape) *shape {
	top := unbounded(kindStruct)
	for name, definition := range k.Fields {
		top.members = append(top.members, member{name: name, shape: of(definition), optional: name != k.Needed})
	}
	slices.SortFunc(top.members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	return top
}

// unit is what is evaluated together: the files of one directory, and what the
// directories above share with it.
type unit struct {
	kind        unitKind
	dir         string
	files       []*source
	shared      []*source
	constrained bool // shared says more of the unit's fields than the schema does
	// packages are the packages of the fleet's own module that the files import,
	// by import path.
	packages map[string][]*source

	lost   *losses                     // nil until something is
	labels map[string]catalog.Position // see label; nil until it is asked
	paths  map[string]bool             // of all files; nil until it is asked
}

// start is the first place of the unit, for a fault that has none.
func (u *unit) start() catalog.Position {
	if len(u.files) == 0 {
		return catalog.Position{File: u.dir}
	}
	return catalog.Position{File: u.files[0].path, Line: 1, Col: 1}
}

// plain evaluates the unit without CUE, which is possible where its files are
// plain data. It gives errNotPlain where only CUE can tell. Where there are
// problems, the node is what is right.
func (u *unit) plain() (*node, Problems, error) {
	top, conflicts, err := readPlain(u.files)
	if err != nil {
		return nil, nil, err
	}
	c := checker{problems: conflictProblems(conflicts)}
	c.check(u.kind.shape(), top, u.start(), "")
	return top, c.problems, nil
}

func conflictProblems(conflicts []conflict) Problems {
	var problems Problems
	for _, x := range conflicts {
		p := problemf(Shape, x.second.Pos, "%s: conflicting values %s and %s", cut(x.path), x.first.shown(), x.second.shown())
		p.Related = []Related{{x.first.Pos, "the first value"}}
		problems = append(problems, p)
	}
	return problems
}

// shown is the value as a message shows it.
func (n *node) shown() string {
	switch n.Kind {
	case kindString:
		return quoted(n.Text)
	case kindStruct, kindList:
		return n.Kind.String()
	}
	return unquoted(n.Text)
}

// budgetProblem says that a unit asks for more than it may.
func (u *unit) budgetProblem(format string, args ...any) Problem {
	p := problemf(OverBudget, u.start(), format, args...)
	p.Hint = "write it as plain data, or with fewer references"
	return p
}
