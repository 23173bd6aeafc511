package schema

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"

	"github.com/veonahealth/charter/catalog"
)

// locate says where a value stands in the unit's files; where CUE does not
// know, the nearest name above it that is written out.
func (u *unit) locate(v cue.Value, path []string) catalog.Position {
	pos := v.Pos()
	if f, ok := v.Source().(*ast.Field); ok {
		pos = f.Value.Pos()
	}
	if place, ok := u.own(pos); ok {
		return place
	}
	return u.label(path)
}

// own returns a place in one of the fleet's own files that the unit is made of.
func (u *unit) own(pos token.Pos) (catalog.Position, bool) {
	if u.paths == nil {
		u.paths = map[string]bool{}
		for _, files := range append(slices.Collect(maps.Values(u.packages)), u.files, u.shared) {
			for _, f := range files {
				u.paths[f.path] = true
			}
		}
	}
	p := pos.Position()
	return catalog.Position{File: p.Filename, Line: p.Line, Col: p.Column}, u.paths[p.Filename]
}

// written says where a field is written: its name, or its value where no literal
// name says it.
func (u *unit) written(path []string, v cue.Value) catalog.Position {
	label := u.label(path)
	if pos, ok := u.labels[labelKey(path...)]; ok {
		return pos
	}
	if place, ok := u.own(v.Pos()); ok {
		return place
	}
	return label
}

// maxLabelDepth is how deep in structs names are looked for: no definition of
// the schema reaches further.
const maxLabelDepth = 8

// label returns where the last name of a path is written, or the nearest one
// above it, in the first file that has it.
func (u *unit) label(path []string) catalog.Position {
	if u.labels == nil {
		u.labels = map[string]catalog.Position{}
		for _, f := range u.files {
			u.addLabels(f, f.syntax.Decls, "", 1)
		}
	}
	for ; len(path) > 0; path = path[:len(path)-1] {
		if pos, ok := u.labels[labelKey(path...)]; ok {
			return pos
		}
	}
	return u.start()
}

func labelKey(path ...string) string { return strings.Join(path, "\x00") }

func (u *unit) addLabels(f *source, decls []ast.Decl, above string, depth int) {
	for _, decl := range decls {
		if x, ok := decl.(*ast.EmbedDecl); ok && depth < maxLabelDepth {
			for _, s := range structs(x.Expr) {
				u.addLabels(f, s.Elts, above, depth+1)
			}
		}
		x, ok := decl.(*ast.Field)
		if !ok {
			continue
		}
		name, _, err := ast.LabelName(x.Label)
		if err != nil {
			continue
		}
		if above != "" {
			name = labelKey(above, name)
		}
		if _, known := u.labels[name]; !known {
			u.labels[name] = f.at(x.Label)
		}
		if depth < maxLabelDepth {
			for _, s := range structs(x.Value) {
				u.addLabels(f, s.Elts, name, depth+1)
			}
		}
	}
}

// structs returns the structs that an expression writes out: itself, or those
// that it puts together by &.
func structs(expr ast.Expr) []*ast.StructLit {
	switch x := expr.(type) {
	case *ast.StructLit:
		return []*ast.StructLit{x}
	case *ast.BinaryExpr:
		if x.Op == token.AND {
			return append(structs(x.X), structs(x.Y)...)
		}
	}
	return nil
}

// places returns which of CUE's positions are the fleet's own, each once: first
// those of the field whose label is given, which CUE names after the places that
// led to it. Where there are none it returns the label.
func (u *unit) places(positions []token.Pos, label catalog.Position) []catalog.Position {
	var near, far []catalog.Position
	for _, pos := range positions {
		place, ok := u.own(pos)
		switch {
		case !ok || slices.Contains(near, place) || slices.Contains(far, place):
		case place.File == label.File && cmp.Or(cmp.Compare(place.Line, label.Line), cmp.Compare(place.Col, label.Col)) >= 0:
			near = append(near, place)
		default:
			far = append(far, place)
		}
	}
	if len(near)+len(far) == 0 {
		return []catalog.Position{label}
	}
	return append(near, far...)
}
