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
// reader knows their own file and not the schema. What is wrong it takes out, so
// that what is left can be judged in the same run.
type checker struct{ problems Problems }

func (c *checker) fault(pos catalog.Position, path, hint, format string, args ...any) {
	p := problemf(Shape, pos, format, args...)
	if path != "" {
		p.Message = path + ": " + p.Message
	}
	p.Hint = hint
	c.problems = append(c.problems, p)
}

// check holds n against s, and reports whether n may stay: a struct or a list
// may, as what is wrong in it has been taken out of it. pos is where the name
// stands under which n stands, path how a reader would call the place.
func (c *checker) check(s *shape, n *node, pos catalog.Position, path string) bool {
	switch {
	case n.Kind == kindLost:
		return false
	case s.any, n.Kind == kindNull && s.null:
	case n.Kind != s.kind:
		c.fault(n.Pos, path, "", "want %s, not %s", s.want(), n.Kind)
		return false
	case s.kind == kindString:
		return c.text(s, n, path)
	case s.kind == kindInt:
		return c.number(s, n, path)
	case s.kind == kindList:
		c.list(s, n, path)
	case s.kind == kindStruct && s.keys != nil:
		c.names(s, n, pos, path)
	case s.kind == kindStruct:
		c.members(s, n, pos, path)
	}
	return true
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

func (c *checker) text(s *shape, n *node, path string) bool {
	switch {
	case s.pattern != nil && !s.pattern.MatchString(n.Text):
		c.fault(n.Pos, path, "", "%s is not %s", quoted(n.Text), s.doc)
		return false
	case s.pattern == nil && len(s.enum) > 0 && !slices.Contains(s.enum, n.Text):
		c.fault(n.Pos, path, didYouMean(n.Text, s.enum), "%s is not %s", quoted(n.Text), s.want())
		return false
	}
	return true
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

func (c *checker) number(s *shape, n *node, path string) bool {
	value, err := strconv.ParseInt(n.Text, 10, 64)
	switch {
	case err != nil && strings.HasPrefix(n.Text, "-"), err == nil && value < s.min:
		c.fault(n.Pos, path, "", "%s is out of bounds, want at least %d", unquoted(n.Text), s.min)
		return false
	case err != nil, value > s.max:
		c.fault(n.Pos, path, "", "%s is out of bounds, want at most %d", unquoted(n.Text), s.max)
		return false
	}
	return true
}

func unquoted(text string) string { return strings.Trim(quoted(text), `"`) }

func (c *checker) list(s *shape, n *node, path string) {
	var sound []*node
	for i, item := range n.Items {
		if c.check(s.items, item, item.Pos, fmt.Sprintf("%s[%d]", path, i)) {
			sound = append(sound, item)
		} else {
			n.Wrong = append(n.Wrong, "")
		}
	}
	n.Items = sound
}

// names checks a struct whose names are free. A name whose value is wrong stays,
// with an empty value: it is declared, and what refers to it is right.
func (c *checker) names(s *shape, n *node, pos catalog.Position, path string) {
	if len(n.Fields) < s.minFields {
		c.fault(pos, path, "", "want at least %d", s.minFields)
	}
	var wrong []int
	for i, f := range n.Fields {
		if s.keys.pattern != nil && !s.keys.pattern.MatchString(f.Name) {
			c.fault(f.Pos, path, "", "%s is not %s", quoted(f.Name), s.keys.doc)
			if s.keys != shapes()["#Email"] { // where an account is and in which role can be judged whatever its address
				wrong = append(wrong, i)
				n.Wrong = append(n.Wrong, f.Name)
			}
		}
		if !c.check(s.values, f.Value, f.Pos, join(path, f.Name)) {
			n.Fields[i].Value = &node{Kind: s.values.kind, Pos: f.Value.Pos}
			n.Wrong = append(n.Wrong, f.Name)
		}
	}
	n.drop(wrong)
}

// members checks a struct whose names are fixed.
func (c *checker) members(s *shape, n *node, pos catalog.Position, path string) {
	var wrong []int
	for i, f := range n.Fields {
		m := s.member(f.Name)
		if m == nil {
			c.fault(f.Pos, path, c.allowed(s, f.Name), "field %s is not allowed", quoted(f.Name))
		}
		if m == nil || !c.check(m.shape, f.Value, f.Pos, join(path, f.Name)) {
			wrong = append(wrong, i)
			n.Wrong = append(n.Wrong, f.Name)
		}
	}
	for _, m := range s.members {
		switch {
		case n.get(m.name) != nil:
		case m.value != nil:
			n.add(field{Name: m.name, Value: m.value})
		case !m.optional:
			c.fault(pos, path, "", "field %q is missing", m.name)
			n.Wrong = append(n.Wrong, m.name)
		}
	}
	n.drop(wrong)
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
