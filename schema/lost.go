package schema

import (
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/ast/astutil"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"

	"github.com/veonahealth/charter/catalog"
)

// lostText stands in the place of a value that was wrong, and was reported, while
// the rest of a unit is put to CUE again: one mistake is not to hide the others.
// What CUE makes of it, or says of it, only repeats that mistake.
const lostText = "charter: a value that was wrong"

// maxRounds is how often a unit is put to CUE. Each round finds mistakes of
// another kind: names that are not defined, values that contradict each other,
// values that are not all there.
const maxRounds = 8

// losses is what was taken out of a unit, and what was said of it.
type losses struct {
	values map[catalog.Position]bool // where they stood
	paths  map[string]bool           // of the faults
}

// lose takes what the faults point at out of the unit's files, and reports whether
// there may be more to find: it is false where a fault stands in no value of
// those files, or in one that is lost already.
func (u *unit) lose(faults []cueFault) bool {
	if u.lost == nil {
		u.lost = &losses{values: map[catalog.Position]bool{}, paths: map[string]bool{}}
	}
	more := false
	for _, f := range faults {
		if len(f.path) > 0 {
			u.lost.paths[labelKey(f.path...)] = true
		}
		for _, place := range u.places(f.positions, u.label(f.path)) {
			held, ok := u.holder(place)
			if f.format == unusedImport {
				held, ok = place, true
			}
			if ok && !u.lost.values[held] {
				u.lost.values[held], more = true, true
				break // if it was another one of them, the next round tells
			}
		}
	}
	return more
}

// holder returns the place of the smallest value of the unit's own files that
// holds a place or has its name there; of a let clause that is wrong as a whole,
// the clause's own place.
func (u *unit) holder(place catalog.Position) (catalog.Position, bool) {
	var held catalog.Position
	for _, f := range u.files {
		if f.path != place.File {
			continue
		}
		offset := offsetOf(f, place)
		within := func(n ast.Node) bool { return n.Pos().Offset() <= offset && offset < n.End().Offset() }
		ast.Walk(f.syntax, func(n ast.Node) bool {
			switch x := n.(type) {
			case *ast.Field:
				_, _, err := ast.LabelName(x.Label)
				if within(x.Value) || err == nil && within(x.Label) {
					held = f.at(x.Value)
				}
			case *ast.LetClause:
				if within(x.Expr) {
					held = f.at(x.Expr)
				} else if within(x) {
					held = f.at(x)
				}
			}
			return true
		}, nil)
	}
	return held, !held.IsZero()
}

// offsetOf returns how many bytes of a file stand before a place.
func offsetOf(f *source, place catalog.Position) int {
	r := lineReader{rest: f.data}
	r.line(place.Line)
	return len(f.data) - len(r.rest) + place.Col - 1
}

// renew parses the unit's files again, as CUE writes to what it evaluates, with
// what is lost replaced.
func (u *unit) renew() {
	for _, f := range u.files {
		f.reparse()
		astutil.Apply(f.syntax, func(c astutil.Cursor) bool {
			switch x := c.Node().(type) {
			case *ast.ImportDecl:
				x.Specs = slices.DeleteFunc(x.Specs, func(i *ast.ImportSpec) bool { return u.lost.values[f.at(i)] })
				if len(x.Specs) == 0 {
					c.Delete()
				}
				return false
			case *ast.Field:
				x.Value = u.kept(f, x.Value)
			case *ast.LetClause:
				if u.lost.values[f.at(x)] {
					c.Delete()
					return false
				}
				x.Expr = u.kept(f, x.Expr)
			}
			return true
		}, nil)
	}
	for _, f := range u.shared {
		f.reparse()
	}
	for _, files := range u.packages {
		for _, f := range files {
			f.reparse()
		}
	}
}

// reparse parses a file that was parsed before.
func (s *source) reparse() {
	if syntax, err := parser.ParseFile(s.path, s.data); err == nil {
		s.syntax = syntax
	}
}

// kept returns an expression, or what stands in its place where it is lost.
func (u *unit) kept(f *source, expr ast.Expr) ast.Expr {
	if !u.lost.values[f.at(expr)] {
		return expr
	}
	return &ast.BasicLit{Kind: token.STRING, Value: strconv.Quote(lostText), ValuePos: expr.Pos()}
}

// repeats reports whether a fault comes of what is lost already.
func (u *unit) repeats(f cueFault) bool {
	if u.lost == nil {
		return false
	}
	return f.format == unusedImport || u.lost.paths[labelKey(f.path...)] ||
		slices.ContainsFunc(f.messages, u.isLost) || slices.ContainsFunc(f.path, u.isLost)
}

// isLost reports whether a text comes of what is lost; anybody may write such a
// text where nothing is.
func (u *unit) isLost(text string) bool { return u.lost != nil && strings.Contains(text, lostText) }
