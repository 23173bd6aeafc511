package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// MaxSize is the largest plan file that is read, in bytes.
const MaxSize = 1 << 30

// maxNesting is how deep a plan's JSON may be nested. A plan is six deep.
const maxNesting = 32

// Encode writes the plan as its file: one JSON object with sorted keys and one
// newline at the end. The bytes are the plan's identity, and are to be written
// once.
func Encode(p *Plan) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(p); err != nil {
		return nil, fmt.Errorf("encode plan: %w", err)
	}
	return buf.Bytes(), nil
}

// FormatError says that a file is no plan that this charter can read.
type FormatError struct{ Text string }

func (e *FormatError) Error() string { return "plan file: " + e.Text }

func formatError(format string, args ...any) error {
	return &FormatError{fmt.Sprintf(format, args...)}
}

// Decode reads a plan file. Unknown fields are a later minor version's and are
// left out; a file that is cut short or altered in its form, that has a key
// twice, or that is of another major version gives a FormatError.
func Decode(data []byte) (*Plan, error) {
	if len(data) > MaxSize {
		return nil, formatError("it is larger than %d bytes", MaxSize)
	}
	if err := checkForm(data); err != nil {
		return nil, err
	}
	var head struct {
		Kind          string `json:"kind"`
		FormatVersion string `json:"format_version"`
	}
	if err := json.Unmarshal(data, &head); err != nil || head.Kind != Kind {
		return nil, formatError("it is not a plan: want kind %q", Kind)
	}
	if major, _, ok := strings.Cut(head.FormatVersion, "."); !ok || major != "1" {
		return nil, formatError("format version %.20q is not known, want 1.x", head.FormatVersion)
	}
	p := &Plan{}
	if err := json.Unmarshal(data, p); err != nil {
		return nil, formatError("%s", describe(err))
	}
	return p, p.check()
}

// KnownMinor reports whether this charter knows every field that the plan may
// have. One of a later minor can be shown, and must not be signed or applied.
func (p *Plan) KnownMinor() bool { return p.FormatVersion == FormatVersion }

func describe(err error) string {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Sprintf("field %s has a %s, want another type", wrong.Field, wrong.Value)
	}
	return err.Error()
}

// check holds the plan's digests against its content, so that what is shown is
// what was signed.
func (p *Plan) check() error {
	tree, err := NewTree(p.Leaves())
	if err != nil {
		return formatError("%s", err)
	}
	root, err := tree.Root()
	if err != nil {
		return formatError("%s", err)
	}
	if root != p.BatchesRoot {
		return formatError("batches_root is not the root of its batches")
	}
	seen := map[string]bool{}
	for i := range p.Batches {
		b := &p.Batches[i]
		if seen[b.Tenant] {
			return formatError("tenant %.80q has two batches", b.Tenant)
		}
		seen[b.Tenant] = true
		if !b.Base.Valid() {
			return formatError("the base of tenant %.80q is no revision and entity tag", b.Tenant)
		}
		if err := p.checkDigest(b.Subject, b.Tenant, b.BaseLine(), b.Changes, b.Digest); err != nil {
			return err
		}
	}
	for i := range p.Scheduled {
		e := &p.Scheduled[i]
		if err := p.checkDigest(e.Subject, e.Tenant, AtLine(e.At), e.Changes, e.Digest); err != nil {
			return err
		}
	}
	return nil
}

func (p *Plan) checkDigest(subject Subject, tenant, base string, changes []Change, digest Digest) error {
	if subject != Entitlements {
		if p.KnownMinor() {
			return formatError("subject %.40q is not known", subject)
		}
		return nil // of a later version; it is shown, and cannot be applied
	}
	lines, err := p.lines(tenant, base, changes)
	if err != nil {
		return formatError("batch of tenant %.80q: %s", tenant, err)
	}
	if lines.Digest() != digest {
		return formatError("the digest of a batch of tenant %q is not that of its changes", tenant)
	}
	return nil
}

// checkForm refuses what encoding/json would let pass: a key twice in one
// object, a key that is known by another case, and anything after the object.
func checkForm(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var open []object
	for {
		token, err := dec.Token()
		if err == io.EOF && len(open) == 0 {
			break
		}
		if err != nil {
			return formatError("it is not whole JSON: %s", err)
		}
		if open, err = step(open, token); err != nil {
			return err
		}
		if len(open) == 0 {
			break
		}
	}
	if rest := bytes.TrimSpace(data[dec.InputOffset():]); len(rest) > 0 {
		return formatError("something follows the plan")
	}
	return nil
}

// object is an open object or list on the way through a JSON text.
type object struct {
	keys  map[string]bool // nil for a list
	value bool            // whether a key was read whose value comes next
}

func step(open []object, token json.Token) ([]object, error) {
	if delim, ok := token.(json.Delim); ok && (delim == '}' || delim == ']') {
		return closed(open[:len(open)-1]), nil
	}
	if n := len(open); n > 0 && open[n-1].keys != nil && !open[n-1].value {
		key := token.(string)
		if strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
			return nil, formatError("key %.40q is not of a plan: want lower case", key)
		}
		if open[n-1].keys[key] {
			return nil, formatError("key %.40q stands twice in one object", key)
		}
		open[n-1].keys[key], open[n-1].value = true, true
		return open, nil
	}
	switch t := token.(type) {
	case json.Delim:
		if len(open) == maxNesting {
			return nil, formatError("it is nested too deeply")
		}
		if t == '{' {
			return append(open, object{keys: map[string]bool{}}), nil
		}
		return append(open, object{}), nil
	case json.Number:
		if strings.ContainsAny(t.String(), ".eE") {
			return nil, formatError("number %.40s is not whole", t)
		}
	}
	return closed(open), nil
}

// closed notes that a value has ended.
func closed(open []object) []object {
	if n := len(open); n > 0 {
		open[n-1].value = false
	}
	return open
}
