package schema

import (
	_ "embed"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"
)

// Version is the version of the schema that this charter judges by.
const Version = "v1"

//go:embed v1/schema.cue
var definitions []byte

// Definitions returns the schema package of a fleet: the CUE file that stands in
// its schema folder.
func Definitions() []byte { return slices.Clone(definitions) }

// shape is one definition of the schema, compiled to what a Go loop can check.
// It judges concrete values only, and must give CUE's own verdict: the
// definitions are the one source of both, and a test holds the two together.
type shape struct {
	doc       string // what a value of it is, for "want …"; "" where it has no words
	kind      kind   // what kind a value must be; meaningless where any is set
	any       bool   // anything at all
	null      bool   // null too
	pattern   *regexp.Regexp
	enum      []string
	min, max  int64
	members   []member // of a struct with fixed names
	keys      *shape   // of a struct with free names: what a name must be
	values    *shape   // and what stands under it
	minFields int      // of a struct with free names
	items     *shape   // of a list
}

// member is one fixed name of a struct.
type member struct {
	name     string
	optional bool
	shape    *shape
	value    *node // its default, or nil
}

func (s *shape) member(name string) *member {
	for i := range s.members {
		if s.members[i].name == name {
			return &s.members[i]
		}
	}
	return nil
}

func (s *shape) names() []string {
	names := make([]string, len(s.members))
	for i, m := range s.members {
		names[i] = m.name
	}
	return names
}

// shapes are the compiled definitions of the schema, by name ("#Tenant").
var shapes = sync.OnceValue(func() map[string]*shape {
	compiled, err := compileShapes(definitions)
	if err != nil {
		panic(err) // the definitions are part of the binary, and a test compiles them
	}
	return compiled
})

// compiler turns the syntax of the schema into shapes. It knows the forms that
// the schema uses and no others.
type compiler struct {
	exprs  map[string]ast.Expr
	docs   map[string]string
	shapes map[string]*shape
}

func compileShapes(source []byte) (map[string]*shape, error) {
	file, err := parser.ParseFile("schema.cue", source, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	c := compiler{exprs: map[string]ast.Expr{}, docs: map[string]string{}, shapes: map[string]*shape{}}
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.Field)
		if !ok {
			continue
		}
		name, _, err := ast.LabelName(f.Label)
		if err != nil || !strings.HasPrefix(name, "#") {
			continue
		}
		c.exprs[name], c.docs[name] = f.Value, firstLine(f)
	}
	for name := range c.exprs {
		if _, err := c.definition(name); err != nil {
			return nil, err
		}
	}
	return c.shapes, nil
}

// firstLine returns the comment over a definition of a scalar, which is written
// to follow the word "want".
func firstLine(f *ast.Field) string {
	for _, group := range ast.Comments(f) {
		if group.Doc {
			line, _, _ := strings.Cut(group.Text(), "\n")
			return line
		}
	}
	return ""
}

func (c *compiler) definition(name string) (*shape, error) {
	if s := c.shapes[name]; s != nil {
		return s, nil
	}
	expr, ok := c.exprs[name]
	if !ok {
		return nil, fmt.Errorf("schema: %s is not defined", name)
	}
	s := &shape{}
	c.shapes[name] = s // before its expression, which may lead back to it
	compiled, _, err := c.expr(expr)
	if err != nil {
		return nil, fmt.Errorf("schema: %s: %w", name, err)
	}
	*s = *compiled
	if s.kind != kindStruct && s.kind != kindList && s.enum == nil {
		s.doc = c.docs[name]
	}
	return s, nil
}

// expr returns the shape of an expression, and its default or nil.
func (c *compiler) expr(expr ast.Expr) (*shape, *node, error) {
	switch x := expr.(type) {
	case *ast.Ident:
		return c.ident(x)
	case *ast.BinaryExpr:
		if x.Op == token.OR {
			return c.disjunction(x)
		}
		return c.conjunction(x)
	case *ast.UnaryExpr:
		s, err := c.bound(x)
		return s, nil, err
	case *ast.StructLit:
		s, err := c.structure(x)
		return s, nil, err
	case *ast.ListLit:
		s, err := c.list(x)
		return s, nil, err
	case *ast.BasicLit:
		n := &node{}
		if err := n.setLiteral(x); err != nil {
			return nil, nil, err
		}
		s := unbounded(n.Kind)
		if n.Kind == kindString {
			s.enum = []string{n.Text}
		}
		return s, n, nil
	case *ast.CallExpr: // struct.MinFields(n)
		if len(x.Args) == 1 {
			s := unbounded(kindStruct)
			lit, ok := x.Args[0].(*ast.BasicLit)
			if ok {
				n, err := strconv.Atoi(lit.Value)
				s.minFields = n
				return s, nil, err
			}
		}
	}
	return nil, nil, fmt.Errorf("form %T is not known", expr)
}

func unbounded(k kind) *shape { return &shape{kind: k, min: math.MinInt64, max: math.MaxInt64} }

func (c *compiler) ident(x *ast.Ident) (*shape, *node, error) {
	switch x.Name {
	case "string":
		return unbounded(kindString), nil, nil
	case "int":
		return unbounded(kindInt), nil, nil
	case "bool":
		return unbounded(kindBool), nil, nil
	}
	s, err := c.definition(x.Name)
	return s, nil, err
}

// conjunction puts two shapes of one kind together.
func (c *compiler) conjunction(x *ast.BinaryExpr) (*shape, *node, error) {
	a, _, err := c.expr(x.X)
	if err != nil {
		return nil, nil, err
	}
	b, _, err := c.expr(x.Y)
	if err != nil {
		return nil, nil, err
	}
	if x.Op != token.AND || a.kind != b.kind {
		return nil, nil, fmt.Errorf("%s of two kinds is not known", x.Op)
	}
	both := *a
	both.min, both.max = max(a.min, b.min), min(a.max, b.max)
	both.minFields = max(a.minFields, b.minFields)
	if b.pattern != nil {
		both.pattern = b.pattern
	}
	if b.keys != nil {
		both.keys, both.values = b.keys, b.values
	}
	return &both, nil, nil
}

// disjunction knows three forms: words to choose from, null beside a shape, and
// a default beside the shape that it fits.
func (c *compiler) disjunction(x *ast.BinaryExpr) (*shape, *node, error) {
	union := &shape{}
	var value *node
	for _, alternative := range alternatives(x) {
		marked := false
		if u, ok := alternative.(*ast.UnaryExpr); ok && u.Op == token.MUL {
			alternative, marked = u.X, true
		}
		s, literal, err := c.expr(alternative)
		if err != nil {
			return nil, nil, err
		}
		if marked {
			value = literal
		}
		switch {
		case literal != nil && literal.Kind == kindNull:
			union.null = true
		case literal != nil && literal.Kind == kindString:
			union.kind, union.enum = kindString, append(union.enum, literal.Text)
		case literal != nil && marked: // the shape that follows covers it
		default:
			null := union.null
			*union = *s
			union.null = null
		}
	}
	return union, value, nil
}

// alternatives returns the operands of a chain of disjunctions in the order in
// which they are written.
func alternatives(expr ast.Expr) []ast.Expr {
	if x, ok := expr.(*ast.BinaryExpr); ok && x.Op == token.OR {
		return append(alternatives(x.X), alternatives(x.Y)...)
	}
	return []ast.Expr{expr}
}

// bound is =~, >= or <=.
func (c *compiler) bound(x *ast.UnaryExpr) (*shape, error) {
	lit, ok := x.X.(*ast.BasicLit)
	if !ok {
		return nil, fmt.Errorf("operand of %s is not known", x.Op)
	}
	if x.Op == token.MAT {
		text, err := literal.Unquote(lit.Value)
		if err != nil {
			return nil, err
		}
		s := unbounded(kindString)
		s.pattern, err = regexp.Compile(text)
		return s, err
	}
	n, err := strconv.ParseInt(lit.Value, 10, 64)
	if err != nil {
		return nil, err
	}
	s := unbounded(kindInt)
	switch x.Op {
	case token.GEQ:
		s.min = n
	case token.LEQ:
		s.max = n
	default:
		return nil, fmt.Errorf("operator %s is not known", x.Op)
	}
	return s, nil
}

func (c *compiler) structure(x *ast.StructLit) (*shape, error) {
	s := unbounded(kindStruct)
	for _, elt := range x.Elts {
		f, ok := elt.(*ast.Field)
		if !ok {
			continue // a comment
		}
		value, def, err := c.expr(f.Value)
		if err != nil {
			return nil, err
		}
		if pattern, ok := f.Label.(*ast.ListLit); ok {
			s.values = value
			if s.keys, _, err = c.expr(pattern.Elts[0]); err != nil {
				return nil, err
			}
			continue
		}
		name, _, err := ast.LabelName(f.Label)
		if err != nil {
			return nil, err
		}
		s.members = append(s.members, member{
			name: name, shape: value, value: def,
			optional: f.Constraint == token.OPTION,
		})
	}
	return s, nil
}

// list is [...T].
func (c *compiler) list(x *ast.ListLit) (*shape, error) {
	if len(x.Elts) != 1 {
		return nil, fmt.Errorf("a list of fixed length is not known")
	}
	rest, ok := x.Elts[0].(*ast.Ellipsis)
	if !ok {
		return nil, fmt.Errorf("a list of fixed length is not known")
	}
	items, _, err := c.expr(rest.Type)
	s := unbounded(kindList)
	s.items = items
	return s, err
}
