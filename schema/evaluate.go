package schema

import (
	"fmt"
	"slices"
	"strconv"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/build"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"
)

// contextUses is after how many evaluations a CUE context is given up: it keeps
// every instance it ever built.
const contextUses = 250

// engine evaluates units by CUE, one at a time.
type engine struct {
	ctx         *cue.Context
	definitions cue.Value
	uses        int
}

// renew gives the engine a context with the schema in it.
func (e *engine) renew() error {
	if e.ctx != nil && e.uses < contextUses {
		e.uses++
		return nil
	}
	e.uses = 0
	e.ctx = cuecontext.New(cuecontext.CUE_DEBUG(""))
	e.definitions = e.ctx.CompileBytes(definitions, cue.Filename("schema.cue"))
	return e.definitions.Err()
}

// evaluate gives the value that CUE gives the unit, held against the schema.
// Where there are problems, the node is what is right, or nil. A panic of CUE's
// is a problem of the unit that caused it.
func (e *engine) evaluate(u *unit, module string) (n *node, problems Problems, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			*e = engine{} // whatever state the panic left it in
			n, problems = nil, Problems{problemf(Syntax, u.start(), "CUE ended with an internal error: %s", cut(fmt.Sprint(fault)))}
		}
	}()
	if err := e.renew(); err != nil {
		return nil, nil, fmt.Errorf("compile the schema: %w", err)
	}
	if problems := u.parse(); len(problems) > 0 {
		return nil, problems, nil
	}
	n, faults, err := u.plain() // a large file comes here unread, and may be plain
	if err != nil {
		return e.value(u, module)
	}
	if !u.constrained {
		return n, faults, nil
	}
	value, problems, err := e.value(u, module)
	if len(faults) == 0 {
		return value, problems, err
	}
	return n, beside(faults, problems), err
}

// value gives what CUE itself makes of the unit. What is wrong is taken out, and
// the rest put to CUE again, so that no mistake hides another.
func (e *engine) value(u *unit, module string) (*node, Problems, error) {
	var said Problems
	for range maxRounds {
		n, problems, faults := e.round(u, module)
		said = slices.Concat(said, problems, u.cueProblems(faults))
		if len(faults) == 0 {
			return n, said.sorted(), nil
		}
		if !u.lose(faults) {
			break
		}
		u.renew()
	}
	return nil, said.sorted(), nil
}

// round evaluates the unit as it is. Where CUE finds faults there is no node.
func (e *engine) round(u *unit, module string) (*node, Problems, []cueFault) {
	inst, err := u.instance(module)
	if err != nil {
		return nil, nil, u.faults(Syntax, err)
	}
	value := e.ctx.BuildInstance(inst)
	if inst.Err != nil {
		return nil, nil, u.faults(Syntax, inst.Err)
	}
	if err := value.Validate(cue.All()); err != nil {
		return nil, nil, u.faults(Shape, err)
	}
	top, problems, faults := e.fields(u, value)
	if len(faults) > 0 {
		return nil, problems, faults
	}
	c := checker{problems: problems}
	c.check(u.kind.outline(), top, u.start(), "")
	return top, c.problems, nil
}

// parse parses what is not parsed yet, and refuses what takes input from
// outside the commit.
func (u *unit) parse() Problems {
	var problems Problems
	each := func(pkg string, files []*source) {
		for _, f := range files {
			problems = append(problems, f.parse(pkg)...)
			if f.syntax != nil {
				problems = append(problems, f.attributes()...)
			}
		}
	}
	each(u.kind.Pkg, u.files)
	each(u.kind.Pkg, u.shared)
	for path, files := range u.packages {
		each(ast.ParseImportPath(path).Qualifier, files)
	}
	return problems
}

// instance puts the files together as cue's own loader would, but from memory
// alone: an import is the schema, one of the unit's packages, or CUE's own.
func (u *unit) instance(module string) (*build.Instance, error) {
	var load build.LoadFunc
	ctx := build.NewContext(build.Loader(func(pos token.Pos, path string) *build.Instance { return load(pos, path) }))
	load = func(_ token.Pos, path string) *build.Instance {
		files := u.packages[path]
		if isSchema(path, module) {
			files = []*source{{path: "schema/schema.cue", data: definitions}}
		}
		if files == nil {
			return nil // CUE's own; the loader has refused everything else
		}
		return complete(ctx.NewInstance(path, load), files)
	}
	inst := complete(ctx.NewInstance(u.dir, load), slices.Concat(u.shared, u.files))
	return inst, inst.Err
}

func complete(inst *build.Instance, files []*source) *build.Instance {
	for _, f := range files {
		syntax := f.syntax
		if syntax == nil {
			syntax, _ = parser.ParseFile(f.path, f.data)
		}
		inst.PkgName = syntax.PackageName()
		if err := inst.AddSyntax(syntax); err != nil {
			inst.ReportError(err)
		}
	}
	if err := inst.Complete(); err != nil && inst.Err == nil {
		inst.ReportError(errors.Promote(err, ""))
	}
	return inst
}

// fields gives the values of the unit's regular top-level fields, with what is
// wrong with them. Where CUE finds faults, one of them has no value.
func (e *engine) fields(u *unit, value cue.Value) (*node, Problems, []cueFault) {
	top := &node{Kind: kindStruct}
	all, err := value.Fields()
	if err != nil {
		return nil, nil, u.faults(Shape, err)
	}
	var problems Problems
	var faults []cueFault
	for all.Next() {
		name := all.Selector().Unquoted()
		path := []string{name}
		definition, known := u.kind.Fields[name]
		if !known {
			top.add(field{Name: name, Value: &node{}, Pos: u.written(path, all.Value())})
			continue // which the check of the whole refuses
		}
		n, wrong, fault := e.field(u, definition, all.Value(), path)
		problems, faults = append(problems, wrong...), append(faults, fault...)
		top.add(field{Name: name, Value: n, Pos: u.label(path)})
	}
	return top, problems, faults
}

// field holds one top-level value against its definition. Where there are
// problems, the node is what is right; where CUE finds faults, there is none.
func (e *engine) field(u *unit, definition string, raw cue.Value, path []string) (*node, Problems, []cueFault) {
	unified := e.definitions.LookupPath(cue.ParsePath(definition)).Unify(raw)
	err := unified.Validate(cue.Concrete(true), cue.Final(), cue.All())
	if err == nil {
		n, err := u.convert(unified, raw, path)
		return n, nil, u.faults(Shape, err)
	}
	// CUE says no. Where the declaration is a value without the schema's help,
	// our own words for what is wrong with it are the better ones.
	if incomplete := raw.Validate(cue.Concrete(true), cue.Final(), cue.All()); incomplete != nil {
		if faults := notCompleted(u.faults(Shape, incomplete), unified); len(faults) > 0 {
			return nil, nil, faults
		}
		return nil, nil, u.faults(Shape, err)
	}
	n, notConverted := u.convert(raw, raw, path)
	if notConverted != nil {
		return nil, nil, u.faults(Shape, notConverted)
	}
	c := checker{}
	c.check(shapes()[definition], n, u.label(path), path[0])
	if len(c.problems) == 0 && u.lost == nil {
		return nil, nil, u.faults(Shape, err)
	}
	return n, c.problems, nil
}

// notCompleted returns the faults of a value that the schema does not mend: its
// defaults may complete what has none.
func notCompleted(faults []cueFault, unified cue.Value) []cueFault {
	return slices.DeleteFunc(faults, func(f cueFault) bool {
		var selectors []cue.Selector
		for _, name := range f.path[min(1, len(f.path)):] {
			selectors = append(selectors, cue.Str(name))
		}
		v := unified.LookupPath(cue.MakePath(selectors...))
		return len(selectors) > 0 && v.Exists() && v.Validate(cue.Concrete(true), cue.Final()) == nil
	})
}

// convert turns a concrete value into a node. raw is the same value before the
// schema was put to it, and knows the places in the declaration.
func (u *unit) convert(v, raw cue.Value, path []string) (*node, error) {
	n := &node{}
	if raw.Exists() {
		n.Pos = u.locate(raw, path)
	}
	if value, ok := v.Default(); ok {
		v = value
	}
	switch v.Kind() {
	case cue.NullKind:
		n.Kind, n.Text = kindNull, "null"
	case cue.BoolKind:
		b, err := v.Bool()
		n.Kind, n.Text = kindBool, strconv.FormatBool(b)
		return n, err
	case cue.IntKind:
		i, err := v.Int(nil)
		if err != nil {
			return nil, err
		}
		n.Kind, n.Text = kindInt, i.String()
	case cue.StringKind:
		s, err := v.String()
		n.Kind, n.Text = kindString, s
		if u.isLost(s) {
			n.Kind = kindLost
		}
		return n, err
	case cue.ListKind:
		n.Kind = kindList
		items, err := v.List()
		if err != nil {
			return nil, err
		}
		for i := 0; items.Next(); i++ {
			item, err := u.convert(items.Value(), raw.LookupPath(cue.MakePath(cue.Index(i))), path)
			if err != nil {
				return nil, err
			}
			n.Items = append(n.Items, item)
		}
	case cue.StructKind:
		n.Kind = kindStruct
		return n, u.convertFields(n, v, raw, path)
	default:
		n.Kind = kindOther
	}
	return n, nil
}

func (u *unit) convertFields(n *node, v, raw cue.Value, path []string) error {
	fields, err := v.Fields()
	if err != nil {
		return err
	}
	for fields.Next() {
		name := fields.Selector().Unquoted()
		if u.isLost(name) {
			n.Wrong = append(n.Wrong, name)
			continue
		}
		below := append(slices.Clip(path), name)
		written := raw.LookupPath(cue.MakePath(cue.Str(name)))
		value, err := u.convert(fields.Value(), written, below)
		if err != nil {
			return err
		}
		f := field{Name: name, Value: value}
		if written.Exists() { // else it is the schema's default, and stands nowhere
			f.Pos = u.written(below, written)
		}
		n.add(f)
	}
	return nil
}
