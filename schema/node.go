package schema

import (
	"slices"

	"github.com/veonahealth/charter/catalog"
)

// kind is what a value is, as far as declarations go.
type kind uint8

const (
	kindNull kind = iota
	kindBool
	kindInt
	kindString
	kindList
	kindStruct
	kindOther // a float, bytes: no declaration has one
	kindLost  // a value that was wrong, and was reported
)

func (k kind) String() string {
	switch k {
	case kindNull:
		return "null"
	case kindBool:
		return "true or false"
	case kindInt:
		return "a whole number"
	case kindString:
		return "a string"
	case kindList:
		return "a list"
	case kindStruct:
		return "a struct"
	}
	return "a fraction or bytes"
}

// node is a concrete value with the places where it was written: all that is
// left of CUE once a file has been evaluated. Both ways to evaluate give one,
// so that everything after is written once.
type node struct {
	Kind   kind             `json:"k"`
	Text   string           `json:"t,omitempty"` // a string's value, an int's decimal digits, a bool's word
	Fields []field          `json:"f,omitempty"` // of a struct, in the order written
	Items  []*node          `json:"i,omitempty"` // of a list
	Pos    catalog.Position `json:"p"`           // where the value stands
	// Wrong are the names of a struct's fields, or "" for an element of a list, that
	// were wrong or missing, so that nothing is concluded from what is left.
	Wrong []string `json:"w,omitempty"`

	index map[string]int // of Fields by name, once it is asked for and there are many
}

// manyFields is from how many fields on a struct keeps an index: below it a walk
// is faster, above it a hostile file would make the walks quadratic.
const manyFields = 16

// field is one name of a struct and its value.
type field struct {
	Name  string           `json:"n"`
	Value *node            `json:"v"`
	Pos   catalog.Position `json:"p"` // where the name stands
}

// get returns the field of a name, or nil. A nil node has no fields.
func (n *node) get(name string) *field {
	if n == nil {
		return nil
	}
	if n.index == nil && len(n.Fields) >= manyFields {
		n.reindex()
	}
	if n.index != nil {
		if i, ok := n.index[name]; ok {
			return &n.Fields[i]
		}
		return nil
	}
	for i := range n.Fields {
		if n.Fields[i].Name == name {
			return &n.Fields[i]
		}
	}
	return nil
}

// add appends a field of a name that the struct does not have yet.
func (n *node) add(f field) {
	n.Fields = append(n.Fields, f)
	if n.index != nil {
		n.index[f.Name] = len(n.Fields) - 1
	}
}

func (n *node) reindex() {
	n.index = make(map[string]int, 2*len(n.Fields))
	for i := range n.Fields {
		n.index[n.Fields[i].Name] = i
	}
}

// drop takes fields out, by their places in ascending order.
func (n *node) drop(places []int) {
	if len(places) == 0 {
		return
	}
	rest := make([]field, 0, len(n.Fields)-len(places))
	for i, f := range n.Fields {
		if len(places) > 0 && places[0] == i {
			places = places[1:]
			continue
		}
		rest = append(rest, f)
	}
	n.Fields, n.index = rest, nil
}

// wrong reports whether the field of a name was wrong, missing, or misspelt.
func (n *node) wrong(name string) bool {
	return n != nil && slices.ContainsFunc(n.Wrong, func(written string) bool {
		return written == name || catalog.Nearest(written, slices.Values([]string{name})) != ""
	})
}

// words are the fields that are for people, from which no rule concludes anything.
var words = []string{"name", "reason", "ticket"}

// sound reports whether nothing in a value was wrong but words; nil is.
func (n *node) sound() bool {
	return n == nil || !slices.ContainsFunc(n.Wrong, func(name string) bool { return !slices.Contains(words, name) }) &&
		!slices.ContainsFunc(n.Fields, func(f field) bool { return !f.Value.sound() }) &&
		!slices.ContainsFunc(n.Items, func(item *node) bool { return !item.sound() })
}

// value returns the value of the field of a name, or nil.
func (n *node) value(name string) *node {
	if f := n.get(name); f != nil {
		return f.Value
	}
	return nil
}

// text returns the text of the field of a name, or "".
func (n *node) text(name string) string {
	if v := n.value(name); v != nil {
		return v.Text
	}
	return ""
}

// place returns where the value of a name stands, or nowhere.
func (n *node) place(name string) catalog.Position {
	if v := n.value(name); v != nil {
		return v.Pos
	}
	return catalog.Position{}
}

// fields returns the fields of the struct under a name, or none.
func (n *node) fields(name string) []field {
	if v := n.value(name); v != nil {
		return v.Fields
	}
	return nil
}

// items returns the elements of the list under a name, or none.
func (n *node) items(name string) []*node {
	if v := n.value(name); v != nil {
		return v.Items
	}
	return nil
}
