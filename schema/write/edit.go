package write

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/format"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/parser"
)

// The two maps of a tenant or facility that an edit changes.
const (
	Grants      = "grants"
	Revocations = "revocations"
)

// Level is where an edit applies: a tenant, or one facility of it.
type Level struct{ Facility string } // "" for the tenant itself

func (l Level) path() []string {
	if l.Facility == "" {
		return []string{"tenant"}
	}
	return []string{"tenant", "facilities", l.Facility}
}

// Statement is what is said of a module.
type Statement struct {
	Reason, Ticket string // the ticket may be ""
	From, Until    string // a date or time as declarations write them, or ""
}

// Errors of an edit that finds something else than it expects.
var (
	ErrNotLiteral = errors.New("it is not written out as a struct of its own")
	ErrNoEntry    = errors.New("there is no such entry")
	ErrEntry      = errors.New("there is such an entry already")
)

// Standing ranks a file for an entry that is to be added: the highest is the one
// in which the map stands already, then one in which the other map does, then one
// with the edition of the tenant or the name of the facility; 0 is a file without
// the level, to which nothing can be added.
func Standing(src []byte, level Level, list string) (int, error) {
	f, err := parse(src)
	if err != nil {
		return 0, err
	}
	stands := func(names ...string) bool { return len(entries(f.Decls, append(level.path(), names...))) > 0 }
	main := "edition"
	if level.Facility != "" {
		main = "name"
	}
	for i, there := range []bool{stands(list), stands(Grants) || stands(Revocations), stands(main), stands()} {
		if there {
			return 4 - i, nil
		}
	}
	return 0, nil
}

// Add writes an entry for a module into a map of a level: beside the entries
// that are there, or as a new map at the end of the level. Comments and
// everything else stay; the file is formatted as cue fmt does.
func Add(src []byte, level Level, list, module string, s Statement) ([]byte, error) {
	f, err := parse(src)
	if err != nil {
		return nil, err
	}
	if len(entries(f.Decls, append(level.path(), list, module))) > 0 {
		return nil, fmt.Errorf("%s of %s: %w", list, module, ErrEntry)
	}
	entry := label(module) + ": " + s.text()
	if into := body(f.Decls, append(level.path(), list)); into != nil {
		return insertBefore(src, into, entry)
	}
	at, found := body(f.Decls, level.path()), entries(f.Decls, level.path())
	switch {
	case len(found) == 0:
		return nil, fmt.Errorf("%s: %w", strings.Join(level.path(), "."), ErrNotLiteral)
	case at != nil && (level.Facility != "" || !onOneLine(src, at)):
		return insertBefore(src, at, apart(src, at, list)+list+": "+entry)
	case len(found) == 1 && level.Facility != "":
		return extend(src, found[0], list+": "+entry)
	}
	// A tenant's one line is not made longer: another one is set below it.
	end := found[len(found)-1].End().Offset()
	if rest := bytes.IndexByte(src[end:], '\n'); rest >= 0 {
		end += rest
	}
	path := strings.Join(append(level.path(), list), ": ")
	return formatted(slices.Concat(src[:end], []byte("\n\n"+path+": "+entry), src[end:]))
}

// apart is the empty line that keeps a new map from being aligned with the line
// above it.
func apart(src []byte, s *ast.StructLit, list string) string {
	if len(s.Elts) == 0 || onOneLine(src, s) {
		return ""
	}
	last, ok := s.Elts[len(s.Elts)-1].(*ast.Field)
	if !ok || bytes.ContainsRune(src[last.Pos().Offset():last.End().Offset()], '\n') {
		return ""
	}
	if name, _, err := ast.LabelName(last.Label); err == nil && name == list {
		return ""
	}
	return "\n"
}

func onOneLine(src []byte, s *ast.StructLit) bool {
	return !bytes.ContainsRune(src[s.Lbrace.Offset():s.Rbrace.Offset()], '\n')
}

// Remove takes the entry of a module out of a map, and the map too where nothing
// is left in it.
func Remove(src []byte, level Level, list, module string) ([]byte, error) {
	f, err := parse(src)
	if err != nil {
		return nil, err
	}
	found := removable(f.Decls, append(level.path(), list, module))
	if len(found) == 0 {
		return nil, fmt.Errorf("%s of %s: %w", list, module, ErrNoEntry)
	}
	slices.Reverse(found) // from the end, so that places stay right
	for _, e := range found {
		src = cut(src, e)
	}
	return formatted(src)
}

// Set gives a field of an entry, such as its until, another value, or adds it.
func Set(src []byte, level Level, list, module, field, value string) ([]byte, error) {
	f, err := parse(src)
	if err != nil {
		return nil, err
	}
	path := append(level.path(), list, module)
	if found := entries(f.Decls, append(slices.Clip(path), field)); len(found) == 1 {
		old := found[0].Value
		return formatted(slices.Concat(src[:old.Pos().Offset()], []byte(quote(value)), src[old.End().Offset():]))
	}
	found := entries(f.Decls, path)
	if len(found) != 1 {
		return nil, fmt.Errorf("%s of %s: %w", list, module, ErrNoEntry)
	}
	return extend(src, found[0], field+": "+quote(value))
}

// extend adds a field to the struct that is the value of another one. One that is
// written without braces, as in module: reason: "…", gets them.
func extend(src []byte, f *ast.Field, line string) ([]byte, error) {
	lit, ok := f.Value.(*ast.StructLit)
	if !ok {
		return nil, ErrNotLiteral
	}
	if lit.Lbrace.IsValid() {
		return insertBefore(src, lit, line)
	}
	start, end := lit.Elts[0].Pos().Offset(), lit.End().Offset()
	inside := slices.Concat([]byte("{"), src[start:end], []byte(", "+line+"}"))
	return formatted(slices.Concat(src[:start], inside, src[end:]))
}

func parse(src []byte) (*ast.File, error) { return parser.ParseFile("", src, parser.ParseComments) }

// named returns the fields with a name, in the order written.
func named(decls []ast.Decl, name string) []*ast.Field {
	var found []*ast.Field
	for _, decl := range decls {
		f, ok := decl.(*ast.Field)
		if !ok {
			continue
		}
		if label, _, err := ast.LabelName(f.Label); err == nil && label == name {
			found = append(found, f)
		}
	}
	return found
}

// entries returns the fields at the end of a path, in the order written. A path
// may be written more than once, and in one go (a: b: c: …) or in structs.
func entries(decls []ast.Decl, path []string) []*ast.Field {
	var found []*ast.Field
	for _, f := range named(decls, path[0]) {
		if len(path) == 1 {
			found = append(found, f)
		} else if s, ok := f.Value.(*ast.StructLit); ok {
			found = append(found, entries(s.Elts, path[1:])...)
		}
	}
	return found
}

// removable returns what is to be taken out so that nothing is left at the end of
// a path: the field itself, or the one above it that would be left empty.
func removable(decls []ast.Decl, path []string) []*ast.Field {
	var found []*ast.Field
	for _, f := range named(decls, path[0]) {
		if len(path) == 1 {
			found = append(found, f)
			continue
		}
		s, ok := f.Value.(*ast.StructLit)
		if !ok {
			continue
		}
		below := removable(s.Elts, path[1:])
		stays := func(d ast.Decl) bool { f, ok := d.(*ast.Field); return !ok || !slices.Contains(below, f) }
		emptied := len(s.Elts) > 0 && !slices.ContainsFunc(s.Elts, stays)
		isMap := len(path) == 2 // grants or revocations, which may go; a tenant or facility may not
		if emptied && (isMap || !s.Lbrace.IsValid()) {
			below = []*ast.Field{f}
		}
		found = append(found, below...)
	}
	return found
}

// body returns the last struct with braces that is written at a path, or nil.
func body(decls []ast.Decl, path []string) *ast.StructLit {
	var last *ast.StructLit
	for _, f := range entries(decls, path) {
		if s, ok := f.Value.(*ast.StructLit); ok && s.Lbrace.IsValid() {
			last = s
		}
	}
	return last
}

// insertBefore adds a line at the end of a struct with braces.
func insertBefore(src []byte, s *ast.StructLit, line string) ([]byte, error) {
	at := s.Rbrace.Offset()
	sep := "\n"
	if onOneLine(src, s) {
		sep = ", "
		if len(s.Elts) == 0 {
			sep = ""
		}
		return formatted(slices.Concat(src[:at], []byte(sep+line), src[at:]))
	}
	return formatted(slices.Concat(bytes.TrimRight(src[:at], " \t\n"), []byte(sep+line+sep), src[at:]))
}

// cut takes a field out, with the comments that belong to it and the empty lines
// that it would leave.
func cut(src []byte, f *ast.Field) []byte {
	start, end := f.Pos().Offset(), f.End().Offset()
	for _, group := range ast.Comments(f) {
		start = min(start, group.Pos().Offset())
		end = max(end, group.End().Offset())
	}
	for end < len(src) && (src[end] == ',' || src[end] == ' ') {
		end++
	}
	before, after := src[:start], src[end:]
	line := bytes.TrimRight(before, " \t")
	if !bytes.HasSuffix(line, []byte("\n")) || !bytes.HasPrefix(after, []byte("\n")) {
		return slices.Concat(before, after) // something else stands on its line
	}
	return joined(line, after[1:])
}

// joined sets lines below others: with at most one empty line between them, and
// none at the beginning or the end of a struct.
func joined(above, below []byte) []byte {
	top, bottom := bytes.TrimRight(above, " \t\n"), bytes.TrimLeft(below, " \t\n")
	empty := bytes.Count(above[len(top):], []byte("\n")) > 1 || bytes.ContainsRune(below[:len(below)-len(bottom)], '\n')
	sep := "\n"
	if empty && !bytes.HasSuffix(top, []byte("{")) && !bytes.HasPrefix(bottom, []byte("}")) {
		sep = "\n\n"
	}
	return slices.Concat(top, []byte(sep), bottom)
}

// text writes a statement as the value of its module: on one line, in a struct
// where there is more than the reason.
func (s Statement) text() string {
	if s.Ticket == "" && s.From == "" && s.Until == "" {
		return "reason: " + quote(s.Reason)
	}
	text := "{reason: " + quote(s.Reason)
	for _, field := range []struct{ name, value string }{{"ticket", s.Ticket}, {"from", s.From}, {"until", s.Until}} {
		if field.value != "" {
			text += ", " + field.name + ": " + quote(field.value)
		}
	}
	return text + "}"
}

func quote(text string) string { return literal.String.Quote(text) }

// label writes a name, in quotes where it needs them.
func label(name string) string {
	if ast.StringLabelNeedsQuoting(name) {
		return quote(name)
	}
	return name
}

func formatted(src []byte) ([]byte, error) {
	out, err := format.Source(src)
	if err != nil {
		return nil, fmt.Errorf("format: %w", err)
	}
	return out, nil
}
