package plan

import (
	"bytes"
	v1 "encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/veonahealth/charter/catalog"
)

// MaxSize is the largest plan file that is read, in bytes.
const MaxSize = 1 << 30

// Encode writes the plan as its file: one JSON object with sorted keys and one
// newline at the end. The bytes are the plan's identity, and are to be written
// once.
func Encode(p *Plan) ([]byte, error) {
	var buf bytes.Buffer
	enc := v1.NewEncoder(&buf)
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

// AlteredError says that a file is a plan whose parts do not fit: somebody edited
// it after it was made.
type AlteredError struct{ Text string }

func (e *AlteredError) Error() string { return "plan file: " + e.Text }

func alteredFile(format string, args ...any) error {
	return &AlteredError{fmt.Sprintf(format, args...)}
}

// Decode reads a plan file. Unknown fields are a later minor version's and are
// left out; a file that is cut short, that has a key twice, or that is of another
// major version gives a FormatError, one whose digests are not those of its
// content, or that shows something else than it sends, an AlteredError.
func Decode(data []byte) (*Plan, error) {
	p, err := Recorded(data)
	if err == nil && p.KnownMinor() {
		if err := p.checkShown(); err != nil {
			return nil, alteredFile("%s", err)
		}
	}
	return p, err
}

// Recorded is Decode for a plan of which a receipt names the digest: its words are
// those of the charter that made it, which another version may say otherwise.
func Recorded(data []byte) (*Plan, error) {
	if len(data) > MaxSize {
		return nil, formatError("it is larger than %d bytes", MaxSize)
	}
	p := &Plan{}
	// This decoder, unlike encoding/json's first version, refuses a key that
	// stands twice and tells keys apart by case.
	if err := json.Unmarshal(data, p); err != nil {
		return nil, undecoded(data, err)
	}
	if err := checkHead(p.Kind, p.FormatVersion); err != nil {
		return nil, err
	}
	return p, p.check()
}

// undecoded says why a file cannot be read: where it is something else than a plan,
// or of another major version, that is the reason.
func undecoded(data []byte, err error) error {
	var head struct {
		Kind          string `json:"kind"`
		FormatVersion string `json:"format_version"`
	}
	if json.Unmarshal(data, &head) == nil {
		if other := checkHead(head.Kind, head.FormatVersion); other != nil {
			return other
		}
	}
	return formatError("%s", err)
}

func checkHead(kind, version string) error {
	if kind != Kind {
		return formatError("its kind is %.40q, want %q", kind, Kind)
	}
	if major, _, ok := strings.Cut(version, "."); !ok || major != "1" {
		return formatError("format version %.20q is not known, want 1.x", version)
	}
	return nil
}

// KnownMinor reports whether this charter knows every field that the plan may
// have. One of a later minor can be shown, and must not be signed or applied.
func (p *Plan) KnownMinor() bool { return p.FormatVersion == FormatVersion }

// check holds the plan's digests against its content.
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
		return alteredFile("batches_root is not the root of its batches")
	}
	seen := map[[3]string]bool{}
	for i := range p.Batches {
		b := &p.Batches[i]
		if err := p.checkBatch(b); err != nil {
			return alteredFile("batch of %s %.80q: %s", b.Subject, b.Tenant, err)
		}
		if key := b.place(); seen[key] {
			return formatError("%s %.80q has two batches", b.Subject, b.Tenant)
		} else {
			seen[key] = true
		}
	}
	for i := range p.Scheduled {
		e := &p.Scheduled[i]
		lines, err := p.rowLines(e.Tenant, AtLine(e.At), e.Changes)
		if err == nil && lines.Digest() != e.Digest {
			err = errDigest
		}
		if err != nil {
			return alteredFile("what is scheduled for tenant %.80q: %s", e.Tenant, err)
		}
	}
	return nil
}

// place tells what a batch writes from what any other of its plan does. Each
// invitation of a tenant is one of its own.
func (b *Batch) place() [3]string {
	if b.Subject == Admin {
		return [3]string{string(b.Subject), b.Tenant, b.Digest.String()}
	}
	return [3]string{string(b.Subject), b.Tenant, requestPath(b)}
}

var errDigest = errors.New("the digest is not that of its changes")

// checkBatch holds a batch against its form and its digest. One of a subject that
// only a later minor version knows is left alone: it is shown, and cannot be
// applied.
func (p *Plan) checkBatch(b *Batch) error {
	switch {
	case b.Subject.Order() < 0 && !p.KnownMinor():
		return nil
	case b.Subject.Order() < 0:
		return errors.New("the subject is not known")
	case !b.Base.valid():
		return errors.New("the base is no revision and entity tag, and nothing else that can be one")
	case b.Subject.OfFleet(): // its lines say all there is
	case b.Subject == Entitlements && (b.Request != nil || b.Base == nil || b.Base.Content != nil):
		return errors.New("rows stand on a revision, and are not sent as something else")
	case b.Subject != Entitlements && b.Request == nil:
		return errors.New("it has no request")
	}
	if err := b.checkOwner(); err != nil {
		return err
	}
	if b.Request != nil {
		if err := b.checkRequest(p.KnownMinor()); err != nil {
			return err
		}
	}
	lines, err := p.Lines(b)
	switch {
	case err != nil:
		return err
	case lines.Digest() != b.Digest:
		return errDigest
	case len(b.Changes) == 0 && p.KnownMinor():
		return errors.New("it shows no change")
	}
	return nil
}

// checkOwner refuses what a batch cannot be of.
func (b *Batch) checkOwner() (err error) {
	switch b.Subject.Owner() {
	case Edition:
		_, err = catalog.ParseEditionKey(b.Tenant)
	case Organisation:
		_, err = catalog.ParseOrganisationID(b.Tenant)
	case Policy, Catalog:
		if b.Tenant != "" {
			err = errors.New("it is of the fleet, and names one of it")
		}
	default:
		_, err = catalog.ParseTenantID(b.Tenant)
	}
	return err
}
