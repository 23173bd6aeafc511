package plan

import (
	"fmt"
	"time"

	"github.com/veonahealth/charter/catalog"
)

// Base is what a batch stands on: it may be written only while that is so. A nil
// Base stands on there being nothing yet.
type Base struct {
	// At is the time that the rows were scheduled for, and approved before: they may
	// be written from then on, whatever the revision.
	At *time.Time `json:"at,omitempty"`
	// Content is the digest of what is there, for what has no revision.
	Content *Digest `json:"content,omitempty"`
	// ETag and Revision are the stamp of a grant or an edition.
	ETag string `json:"etag,omitempty"`
	// Provisioned is the revision of the grant that the plan's own provision batch
	// stands on, where that batch comes first and so moves it.
	Provisioned *int64 `json:"provisioned,omitempty"`
	Revision    *int64 `json:"revision,omitempty"`
}

// OnStamp returns the base of what has a revision and an entity tag.
func OnStamp(s catalog.Stamp) *Base {
	revision := s.Revision
	return &Base{ETag: s.ETag, Revision: &revision}
}

// OnProvisioned returns the base of a grant whose sites the same plan makes.
func OnProvisioned(revision int64) *Base { return &Base{Provisioned: &revision} }

// OnContent returns the base of what has no revision.
func OnContent(d Digest) *Base { return &Base{Content: &d} }

// Stamp returns the stamp that the base is, if it is one.
func (b *Base) Stamp() (catalog.Stamp, bool) {
	if b == nil || b.Revision == nil {
		return catalog.Stamp{}, false
	}
	return catalog.Stamp{ETag: b.ETag, Revision: *b.Revision}, true
}

// Line returns the line of a batch's digest that names its base.
func (b *Base) Line() string {
	switch {
	case b == nil:
		return "base none"
	case b.At != nil:
		return AtLine(*b.At)
	case b.Content != nil:
		return "base " + b.Content.String()
	case b.Provisioned != nil:
		return fmt.Sprintf("base provisioned %d", *b.Provisioned)
	case b.Revision != nil:
		return fmt.Sprintf("base %d %s", *b.Revision, b.ETag)
	}
	return "base"
}

// Words says the base to people.
func (b *Base) Words() string {
	switch stamp, stamped := b.Stamp(); {
	case b == nil:
		return "nothing"
	case stamped:
		return fmt.Sprintf("revision %d", stamp.Revision)
	case b.At != nil:
		return "what was scheduled for " + catalog.FormatTime(*b.At)
	case b.Provisioned != nil:
		return fmt.Sprintf("what provisioning makes of revision %d", *b.Provisioned)
	}
	return "other contents"
}

// valid reports whether the base is just one of the kinds, and can be written
// into a line and read back.
func (b *Base) valid() bool {
	if b == nil {
		return true
	}
	stamp, stamped := b.Stamp()
	kinds := 0
	for _, is := range []bool{b.At != nil, b.Content != nil, b.Provisioned != nil, stamped} {
		if is {
			kinds++
		}
	}
	return kinds == 1 && (!stamped || stamp.Valid()) && (stamped || b.ETag == "") && (b.Provisioned == nil || *b.Provisioned >= 0)
}
