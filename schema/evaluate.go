package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/build"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"

	"github.com/veonahealth/charter/catalog"
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
func (e *engine) evaluate(u *unit, module string) (*node, Problems, error) {
	if err := e.renew(); err != nil {
		return nil, nil, fmt.Errorf("compile the schema: %w", err)
	}
	if problems := u.parse(); len(problems) > 0 {
		return nil, problems, nil
	}
	if !u.constrained { // a large file comes here unread, and may be plain
		if n, problems, err := u.plain(); err == nil {
			return n, problems, nil
		}
	}
	inst, err := u.instance(module)
	if err != nil {
		return nil, u.cueProblems(Syntax, err), nil
	}
	value := e.ctx.BuildInstance(inst)
	if err := value.Err(); err != nil {
		return nil, u.cueProblems(Shape, err), nil
	}
	top, problems := e.fields(u, value)
	if len(problems) > 0 {
		return nil, problems, nil
	}
	c := checker{}
	c.check(u.kind.shape(), top, u.start(), "")
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

// fields gives the values of the unit's regular top-level fields.
func (e *engine) fields(u *unit, value cue.Value) (*node, Problems) {
	top := &node{Kind: kindStruct}
	var problems Problems
	all, err := value.Fields()
	if err != nil {
		return nil, u.cueProblems(Shape, err)
	}
	for all.Next() {
		name := all.Selector().Unquoted()
		path := []string{name}
		definition, known := u.kind.Fields[name]
		if !known {
			if u.sharedField(name) {
				continue
			}
			top.add(field{Name: name, Value: &node{}, Pos: u.locate(all.Value(), path)})
			continue // which the check of the whole refuses
		}
		n, faults := e.field(u, definition, all.Value(), path)
		problems = append(problems, faults...)
		if n != nil {
			top.add(field{Name: name, Value: n, Pos: u.label(path)})
		}
	}
	return top, problems
}

// field holds one top-level value against its definition.
func (e *engine) field(u *unit, definition string, raw cue.Value, path []string) (*node, Problems) {
	unified := e.definitions.LookupPath(cue.ParsePath(definition)).Unify(raw)
	err := unified.Validate(cue.Concrete(true), cue.Final())
	if err == nil {
		n, err := u.convert(unified, raw, path)
		if err == nil {
			return n, nil
		}
		return nil, u.cueProblems(Shape, err)
	}
	// CUE says no. Where the declaration is a value without the schema's help,
	// our own words for what is wrong with it are the better ones.
	if raw.Validate(cue.Concrete(true), cue.Final()) == nil {
		if n, err := u.convert(raw, raw, path); err == nil {
			c := checker{}
			c.check(shapes()[definition], n, u.label(path), path[0])
			if len(c.problems) > 0 {
				return nil, c.problems
			}
		}
	}
	return nil, u.cueProblems(Shape, err)
}

// convert turns a concrete value into a node. raw is the same value before the
// schema was put to it, and knows the places in the declaration.
func (u *unit) convert(v, raw cue.Value, path []string) (*node, error) {
	n := &node{Pos: u.locate(raw, path)}
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
		below := append(slices.Clip(path), name)
		value, err := u.convert(fields.Value(), raw.LookupPath(cue.MakePath(cue.Str(name))), below)
		if err != nil {
			return err
		}
		pos := u.label(below)
		if pos.IsZero() {
			pos = value.Pos
		}
		n.add(field{Name: name, Value: value, Pos: pos})
	}
	return nil
}

// locate says where a value stands in the unit's files; where CUE does not
// know, the nearest name above it that is written out.
func (u *unit) locate(v cue.Value, path []string) catalog.Position {
	if v.Exists() {
		if pos, ok := u.own(v.Pos()); ok {
			return pos
		}
	}
	return u.label(path)
}

// own returns a place in one of the unit's own files.
func (u *unit) own(pos token.Pos) (catalog.Position, bool) {
	p := pos.Position()
	for _, f := range slices.Concat(u.files, u.shared) {
		if f.path == p.Filename {
			return catalog.Position{File: p.Filename, Line: p.Line, Col: p.Column}, true
		}
	}
	return catalog.Position{}, false
}

// label returns where the last name of a path is written, or the nearest one
// above it, in the first file that has it.
func (u *unit) label(path []string) catalog.Position {
	var best catalog.Position
	depth := 0
	for _, f := range u.files {
		if pos, d := findLabel(f, f.syntax.Decls, path, 1); d > depth {
			best, depth = pos, d
		}
	}
	if depth == 0 {
		return u.start()
	}
	return best
}

func findLabel(f *source, decls []ast.Decl, path []string, depth int) (catalog.Position, int) {
	var best catalog.Position
	found := 0
	for _, decl := range decls {
		x, ok := decl.(*ast.Field)
		if !ok {
			continue
		}
		if name, _, err := ast.LabelName(x.Label); err != nil || name != path[0] {
			continue
		}
		if found < depth {
			best, found = f.at(x.Label), depth
		}
		if s, ok := x.Value.(*ast.StructLit); ok && len(path) > 1 {
			if pos, d := findLabel(f, s.Elts, path[1:], depth+1); d > found {
				best, found = pos, d
			}
		}
	}
	return best, found
}

// sharedField reports whether a top-level name comes from the files above the
// unit alone.
func (u *unit) sharedField(name string) bool {
	for _, f := range u.files {
		if _, depth := findLabel(f, f.syntax.Decls, []string{name}, 1); depth > 0 {
			return false
		}
	}
	return true
}

// cueProblems turns CUE's errors into problems that point at the declaration.
func (u *unit) cueProblems(code Code, err error) Problems {
	var problems Problems
	for _, e := range errors.Errors(err) {
		format, args := e.Msg()
		p := problemf(code, catalog.Position{}, format, args...)
		path := u.declared(e.Path())
		if len(path) > 0 {
			p.Message = strings.Join(path, ".") + ": " + p.Message
		}
		for _, pos := range errors.Positions(e) {
			place, ok := u.own(pos)
			switch {
			case !ok:
			case p.Pos.IsZero():
				p.Pos = place
			case place != p.Pos:
				p.Related = append(p.Related, Related{place, "and here"})
			}
		}
		if p.Pos.IsZero() {
			p.Pos = u.label(path)
		}
		problems = append(problems, p)
	}
	return problems.sorted()
}

// declared is the path of an error as a reader of the declaration knows it: CUE
// names the schema's definition where the declaration has a field.
func (u *unit) declared(path []string) []string {
	var known []string
	for _, name := range path {
		for field, definition := range u.kind.Fields {
			if name == definition {
				name = field
			}
		}
		if !strings.HasPrefix(name, "#") {
			known = append(known, name)
		}
	}
	return known
}
