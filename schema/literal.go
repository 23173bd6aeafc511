package schema

import (
	"errors"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/token"

	"github.com/veonahealth/charter/catalog"
)

// errNotPlain says that a file is more than plain data, so that only CUE itself
// can tell what it means.
var errNotPlain = errors.New("not plain data")

// conflict says that one field was given two values.
type conflict struct {
	path          string // of the field
	first, second *node
}

// reader turns the syntax of plain data into a node. Plain data is the part of
// CUE that means what it says: names, strings, whole numbers, true, false, null,
// structs and lists of them, and a name given twice with equal values. Anything
// else (a reference, an interpolation, a comprehension, a default, an import, an
// attribute, a float) gives errNotPlain, never a wrong value.
type reader struct {
	path      string   // of the file being read
	names     []string // of the fields being read, from the top
	conflicts []conflict
}

// readPlain returns what the files of one package declare together.
func readPlain(files []*source) (*node, []conflict, error) {
	top := &node{Kind: kindStruct}
	var r reader
	for _, f := range files {
		r.path = f.path
		if err := r.decls(top, f.syntax.Decls); err != nil {
			return nil, nil, err
		}
	}
	return top, r.conflicts, nil
}

func (r *reader) decls(into *node, decls []ast.Decl) error {
	for _, decl := range decls {
		switch d := decl.(type) {
		case *ast.Package, *ast.CommentGroup:
		case *ast.Field:
			if err := r.field(into, d); err != nil {
				return err
			}
		default:
			return errNotPlain
		}
	}
	return nil
}

func (r *reader) field(into *node, f *ast.Field) error {
	if f.Constraint != token.ILLEGAL || f.Alias != nil || len(f.Attrs) > 0 {
		return errNotPlain
	}
	name, err := plainLabel(f.Label)
	if err != nil {
		return err
	}
	r.names = append(r.names, name)
	defer func() { r.names = r.names[:len(r.names)-1] }()
	value, err := r.expr(f.Value)
	if err != nil {
		return err
	}
	if given := into.get(name); given != nil {
		return r.merge(given.Value, value, strings.Join(r.names, "."))
	}
	into.add(field{Name: name, Value: value, Pos: r.position(f.Label.Pos())})
	return nil
}

// plainLabel returns the name of a regular field. Hidden fields and definitions
// are not data.
func plainLabel(label ast.Label) (string, error) {
	switch l := label.(type) {
	case *ast.Ident:
		if strings.HasPrefix(l.Name, "_") || strings.HasPrefix(l.Name, "#") {
			return "", errNotPlain
		}
		return l.Name, nil
	case *ast.BasicLit:
		if l.Kind != token.STRING || !strings.HasPrefix(l.Value, `"`) || strings.HasPrefix(l.Value, `"""`) {
			return "", errNotPlain
		}
		name, err := literal.Unquote(l.Value)
		if err != nil {
			return "", errNotPlain
		}
		return name, nil
	}
	return "", errNotPlain
}

func (r *reader) expr(expr ast.Expr) (*node, error) {
	n := &node{Pos: r.position(expr.Pos())}
	switch x := expr.(type) {
	case *ast.BasicLit:
		return n, n.setLiteral(x)
	case *ast.UnaryExpr:
		lit, ok := x.X.(*ast.BasicLit)
		if !ok || x.Op != token.SUB || lit.Kind != token.INT {
			return nil, errNotPlain
		}
		if err := n.setLiteral(lit); err != nil {
			return nil, err
		}
		if n.Text != "0" {
			n.Text = "-" + n.Text
		}
		return n, nil
	case *ast.StructLit:
		n.Kind = kindStruct
		return n, r.decls(n, x.Elts)
	case *ast.ListLit:
		n.Kind = kindList
		for _, elt := range x.Elts {
			item, err := r.expr(elt)
			if err != nil {
				return nil, err
			}
			n.Items = append(n.Items, item)
		}
		return n, nil
	}
	return nil, errNotPlain
}

func (n *node) setLiteral(lit *ast.BasicLit) error {
	n.Text = lit.Value
	switch lit.Kind {
	case token.NULL:
		n.Kind = kindNull
	case token.TRUE, token.FALSE:
		n.Kind = kindBool
	case token.INT:
		n.Kind = kindInt
		if strings.Trim(lit.Value, "0123456789") != "" {
			return errNotPlain // 0x10, 1_000, 4K
		}
	case token.STRING:
		n.Kind = kindString
		text, err := literal.Unquote(lit.Value)
		if err != nil || strings.HasPrefix(strings.TrimLeft(lit.Value, "#"), "'") {
			return errNotPlain
		}
		n.Text = text
	default:
		return errNotPlain
	}
	return nil
}

// merge unifies a value that is given a second time into the first one.
func (r *reader) merge(into, second *node, path string) error {
	if into.Kind == kindList || second.Kind == kindList {
		return errNotPlain
	}
	if into.Kind != second.Kind || into.Kind != kindStruct {
		if into.Kind != second.Kind || into.Text != second.Text {
			r.conflicts = append(r.conflicts, conflict{path, into, second})
		}
		return nil
	}
	for _, f := range second.Fields {
		if given := into.get(f.Name); given == nil {
			into.add(f)
		} else if err := r.merge(given.Value, f.Value, join(path, f.Name)); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) position(pos token.Pos) catalog.Position {
	p := pos.Position()
	return catalog.Position{File: r.path, Line: p.Line, Col: p.Column}
}
