package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/veonahealth/charter/catalog"
)

// checker holds a value against a shape. It collects every fault, fills in what
// the shape gives a default for, and points each fault at the declaration, as a
// reader knows their own file and not the schema.
type checker struct{ problems Problems }

func (c *checker) fault(pos catalog.Position, path, hint, format string, args ...any) {
	p := problemf(Shape, pos, format, args...)
	if path != "" {
		p.Message = path + ": " + p.Message
	}
	p.Hint = hint
	c.problems = append(c.problems, p)
}

// check holds n against s. pos is where the name stands under which n stands,
// path how a reader would call the place.
func (c *checker) check(s *shape, n *node, pos catalog.Position, path string) {
	switch {
	case n.Kind == kindNull && s.null:
	case n.Kind != s.kind:
		c.fault(n.Pos, path, "", "want %s, not %s", s.want(), n.Kind)
	case s.kind == kindString:
		c.text(s, n, path)
	case s.kind == kindInt:
		c.number(s, n, path)
	case s.kind == kindList:
		for i, item := range n.Items {
			c.check(s.items, item, item.Pos, fmt.Sprintf("%s[%d]", path, i))
		}
	case s.kind == kindStruct && s.keys != nil:
		c.names(s, n, pos, path)
	case s.kind == kindStruct:
		c.members(s, n, pos, path)
	}
}

// want says in words what a value of the shape is.
func (s *shape) want() string {
	switch {
	case s.doc != "":
		return s.doc
	case len(s.enum) > 0:
		quoted := make([]string, len(s.enum))
		for i, word := range s.enum {
			quoted[i] = strconv.Quote(word)
		}
		return strings.Join(quoted, " or ")
	}
	return s.kind.String()
}

func (c *checker) text(s *shape, n *node, path string) {
	switch {
	case s.pattern != nil && !s.pattern.MatchString(n.Text):
		c.fault(n.Pos, path, "", "%s is not %s", quoted(n.Text), s.doc)
	case s.pattern == nil && len(s.enum) > 0 && !slices.Contains(s.enum, n.Text):
		c.fault(n.Pos, path, didYouMean(n.Text, s.enum), "%s is not %s", quoted(n.Text), s.want())
	}
}

// maxShown is how many bytes of a text that somebody wrote are shown.
const maxShown = 64

// quoted shows what somebody wrote, however long it is.
func quoted(text string) string {
	if len(text) > maxShown {
		return strconv.Quote(strings.ToValidUTF8(text[:maxShown], "")) + "…"
	}
	return strconv.Quote(text)
}

func (c *checker) number(s *shape, n *node, path string) {
	value, err := strconv.ParseInt(n.Text, 10, 64)
	switch {
	case err != nil && strings.HasPrefix(n.Text, "-"), err == nil && value < s.min:
		c.fault(n.Pos, path, "", "%s is out of bounds, want at least %d", unquoted(n.Text), s.min)
	case err != nil, value > s.max:
		c.fault(n.Pos, path, "", "%s is out of bounds, want at most %d", unquoted(n.Text), s.max)
	}
}

func unquoted(text string) string { return strings.Trim(quoted(text), `"`) }

// names checks a struct whose names are free.
func (c *checker) names(s *shape, n *node, pos catalog.Position, path string) {
	if len(n.Fields) < s.minFields {
		c.fault(pos, path, "", "want at least %d", s.minFields)
	}
	for _, f := range n.Fields {
		if s.keys.pattern != nil && !s.keys.pattern.MatchString(f.Name) {
			c.fault(f.Pos, path, "", "%s is not %s", quoted(f.Name), s.keys.doc)
		}
		c.check(s.values, f.Value, f.Pos, join(path, f.Name))
	}
}

// members checks a struct whose names are fixed.
func (c *checker) members(s *shape, n *node, pos catalog.Position, path string) {
	for _, f := range n.Fields {
		m := s.member(f.Name)
		if m == nil {
			c.fault(f.Pos, path, c.allowed(s, f.Name), "field %s is not allowed", quoted(f.Name))
			continue
		}
		c.check(m.shape, f.Value, f.Pos, join(path, f.Name))
	}
	for _, m := range s.members {
		switch {
		case n.get(m.name) != nil:
		case m.value != nil:
			n.add(field{Name: m.name, Value: m.value})
		case !m.optional:
			c.fault(pos, path, "", "field %q is missing", m.name)
		}
	}
}

func (c *checker) allowed(s *shape, name string) string {
	if hint := didYouMean(name, s.names()); hint != "" {
		return hint
	}
	return "allowed: " + strings.Join(s.names(), ", ")
}

// join gives the path of a name below a path, for messages.
func join(path, name string) string {
	if len(name) > maxShown {
		name = strings.ToValidUTF8(name[:maxShown], "") + "…"
	}
	if path == "" {
		return name
	}
	return path + "." + name
}
