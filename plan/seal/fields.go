package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName bounds the texts of a statement that name something, in bytes.
const maxName = 1024

// maxDepth is how deep objects and lists may lie in each other in a statement;
// charter's own go to four.
const maxDepth = 16

// checkJSON refuses what encoding/json would let pass and two readers could
// read in two ways: bytes that are not UTF-8, keys given twice, and depth.
func checkJSON(data []byte) error {
	if !utf8.Valid(data) || !json.Valid(data) {
		return &MalformedError{What: "statement", Reason: "not JSON in UTF-8"}
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber() // no number is too large to be walked over
	return checkKeys(d, "", 1)
}

// checkKeys walks over the next value of d.
func checkKeys(d *json.Decoder, path string, depth int) error {
	if depth > maxDepth {
		return &MalformedError{What: "statement", Reason: fmt.Sprintf("deeper than %d levels", maxDepth)}
	}
	token, err := d.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('{'):
		err = checkMembers(d, path, depth)
	case json.Delim('['):
		for i := 0; err == nil && d.More(); i++ {
			err = checkKeys(d, item(path, i), depth+1)
		}
	default:
		return nil
	}
	if err != nil {
		return err
	}
	_, err = d.Token() // the closing delimiter
	return err
}

func checkMembers(d *json.Decoder, path string, depth int) error {
	seen := make(map[string]bool)
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string)
		if seen[key] {
			return &FieldError{Path: member(path, key), Fault: Duplicate}
		}
		seen[key] = true
		if err := checkKeys(d, member(path, key), depth+1); err != nil {
			return err
		}
	}
	return nil
}

// plainKey are the bytes that a key may have to stand in an error as it is.
const plainKey = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

// member and item name a place in a statement. Keys may be hostile.
func member(path, key string) string {
	if key == "" || len(key) > shown || strings.Trim(key, plainKey) != "" {
		key = quoted(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func item(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// fields takes the members of one JSON object out by name. The first fault is
// kept, in the object and in those within it alike, and what is asked after it
// answers zero values: so a reader says what it expects, and looks at the fault
// once, at the end.
//
// encoding/json is not asked to fill a struct because it takes "Decision" for
// "decision", null for "", and nothing for anything.
type fields struct {
	path    string
	members map[string]json.RawMessage // what was not taken yet
	fault   *error                     // the first one, shared by all objects of a statement
}

// newFields opens the object that raw is.
func newFields(path string, raw json.RawMessage, fault *error) *fields {
	f := &fields{path: path, fault: fault}
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || raw[0] != '{' || json.Unmarshal(raw, &f.members) != nil {
		f.failAt(path, WrongKind, "an object")
	}
	return f
}

func (f *fields) fail(err error) {
	if *f.fault == nil {
		*f.fault = err
	}
}

func (f *fields) failAt(path string, fault Fault, want string) {
	f.fail(&FieldError{Path: path, Fault: fault, Want: want})
}

func (f *fields) failField(name string, fault Fault, want string) {
	f.failAt(member(f.path, name), fault, want)
}

// take returns a member as it stands; nil where there is none, which is a fault.
func (f *fields) take(name string) json.RawMessage {
	raw, ok := f.members[name]
	if !ok {
		f.failField(name, Missing, "")
		return nil
	}
	delete(f.members, name)
	return raw
}

// end refuses the members that nobody took.
func (f *fields) end() {
	if len(f.members) > 0 {
		f.failField(slices.Sorted(maps.Keys(f.members))[0], Unknown, "")
	}
}

// object returns the object that a member is. Its end is to be called as well.
func (f *fields) object(name string) *fields {
	raw := f.take(name)
	if *f.fault != nil {
		return &fields{fault: f.fault}
	}
	return newFields(member(f.path, name), raw, f.fault)
}

// list returns the items of a member.
func (f *fields) list(name string) []json.RawMessage {
	raw := f.take(name)
	if *f.fault != nil {
		return nil
	}
	var items []json.RawMessage
	if raw[0] != '[' || json.Unmarshal(raw, &items) != nil {
		f.failField(name, WrongKind, "a list")
	}
	return items
}

// word returns a member that is a text. Its length and form are for the caller
// to check.
func (f *fields) word(name string) string {
	raw := f.take(name)
	if *f.fault != nil {
		return ""
	}
	text, ok := rawText(raw)
	if !ok {
		f.failField(name, WrongKind, "a text")
	}
	return text
}

// name returns a member that is a text of 1 to maxName bytes on one line.
func (f *fields) name(name string) string {
	text := f.word(name)
	if text == "" || len(text) > maxName || strings.ContainsFunc(text, unicode.IsControl) {
		f.failField(name, OutOfBounds, fmt.Sprintf("a text of 1 to %d bytes on one line", maxName))
	}
	return text
}

// note returns a member that is a text of at most limit bytes, of lines, or ""
// where it is missing.
func (f *fields) note(name string, limit int) string {
	if _, ok := f.members[name]; !ok {
		return ""
	}
	text := f.word(name)
	control := func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }
	if len(text) > limit || strings.ContainsFunc(text, control) {
		f.failField(name, OutOfBounds, fmt.Sprintf("a text of at most %d bytes without control characters", limit))
	}
	return text
}

// formed returns a member that is a text of a form.
func (f *fields) formed(name string, form *regexp.Regexp, want string) string {
	text := f.word(name)
	if !form.MatchString(text) {
		f.failField(name, OutOfBounds, want)
	}
	return text
}

// count returns a member that is a whole number from 0 to most.
func (f *fields) count(name string, most int) int {
	raw := f.take(name)
	if *f.fault != nil {
		return 0
	}
	want := fmt.Sprintf("a whole number from 0 to %d", most)
	n, err := strconv.Atoi(string(raw))
	if errors.Is(err, strconv.ErrSyntax) {
		f.failField(name, WrongKind, want)
	} else if err != nil || n < 0 || n > most {
		f.failField(name, OutOfBounds, want)
	}
	return n
}

// digest returns a member that is a SHA-256 in hexadecimal after a prefix.
func (f *fields) digest(name, prefix string) [sha256.Size]byte {
	digits, prefixed := strings.CutPrefix(f.word(name), prefix)
	sum, ok := parseHex(digits)
	if !prefixed || !ok {
		f.failField(name, OutOfBounds, prefix+"64 lower-case hexadecimal digits")
	}
	return sum
}

// rawText returns the text that a JSON value is.
func rawText(raw json.RawMessage) (text string, ok bool) {
	if raw[0] != '"' || json.Unmarshal(raw, &text) != nil {
		return "", false
	}
	return text, true
}
