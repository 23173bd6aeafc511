package reconcile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	v1 "encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/veonahealth/charter/catalog"
)

// SnapshotType is the predicateType of the statement by which an applier vouches
// for a snapshot.
const SnapshotType = "https://veonahealth.com/charter/snapshot/v1"

const (
	snapshotKind    = "charter.snapshot"
	snapshotVersion = "1.0"
	// MaxSnapshot is the largest snapshot that is read, in bytes: ten times what ten
	// thousand tenants of fifty sites need.
	MaxSnapshot = 512 << 20
)

// Snapshot is the live state of a platform at one moment, as far as a plan needs
// it: to be planned against where neither the platform nor a token is at hand. It
// holds no token, no licence's token, no address of the platform and no person's:
// an administrator is the SHA-256 of their lower-cased address, so that only who
// declares an address can tell whether it is there.
type Snapshot struct {
	// Editions and Organisations are sorted; nil where the platform does not offer
	// them, or the token might not read them.
	Editions      []SnapshotEdition          `json:"editions"`
	Environment   catalog.Environment        `json:"environment"`
	FormatVersion string                     `json:"format_version"`
	Kind          string                     `json:"kind"`
	ObservedAt    time.Time                  `json:"observed_at"` // when the reading began
	Organisations []catalog.LiveOrganisation `json:"organisations"`
	Platform      SnapshotPlatform           `json:"platform"`
	Tenants       []SnapshotTenant           `json:"tenants"` // sorted by id
}

// SnapshotPlatform says which platform a snapshot is of, and what it offers.
type SnapshotPlatform struct {
	Features []string `json:"features"`
	Instance string   `json:"instance"`
}

// SnapshotEdition is an edition as the platform has it.
type SnapshotEdition struct {
	ETag     string             `json:"etag"`
	Key      string             `json:"key"`
	Limits   catalog.LiveLimits `json:"limits"`
	Modules  []string           `json:"modules"`
	Name     string             `json:"name"`
	Revision int64              `json:"revision"`
}

// SnapshotTenant is a tenant as the platform has it. A list that is nil is of what
// was not read: the platform does not offer it, the token might not read it, or no
// plan looks into a tenant of this status.
type SnapshotTenant struct {
	Admins     []SnapshotAdmin        `json:"admins"`
	Connect    []string               `json:"connect"` // the licensed instruments
	Facilities []catalog.LiveFacility `json:"facilities"`
	Grant      *SnapshotGrant         `json:"grant"` // nil where the tenant is unreadable
	Licences   []SnapshotLicence      `json:"licences"`
	Record     catalog.LiveTenant     `json:"record"`
	Status     string                 `json:"status"`
	// Unreadable is true where the platform gave no answer to rely on. Why is not
	// kept: it may name addresses.
	Unreadable bool `json:"unreadable"`
	// Usage is how many requests each row let through in the last 30 days, by facility
	// and the EHR's module; nil where the platform does not count, or did not say.
	Usage map[string]map[string]int64 `json:"usage"`
}

// SnapshotAdmin is an administrator who cannot be told from it.
type SnapshotAdmin struct {
	Address string `json:"address"` // the SHA-256 of the lower-cased address, in hexadecimal
	// Spelled is the SHA-256 of the address as the platform spells it; "" where that
	// is in lower case.
	Spelled string `json:"spelled"`
	State   string `json:"state"`
}

// SnapshotGrant is a tenant's rows and what they stand on.
type SnapshotGrant struct {
	// By is the actor of the newest write, or "" where the platform does not say or
	// says an e-mail address.
	By       string              `json:"by"`
	ETag     string              `json:"etag"`
	Revision int64               `json:"revision"`
	Rows     map[string][]string `json:"rows"` // the EHR's modules, sorted, by facility
}

// SnapshotLicence is a licence without its token.
type SnapshotLicence struct {
	Expires   time.Time                `json:"expires"`
	ID        string                   `json:"id"`
	Limits    catalog.LiveLimits       `json:"limits"`
	Modules   []catalog.LicensedModule `json:"modules"`
	NotBefore time.Time                `json:"not_before"`
	State     string                   `json:"state"`
	Terms     v1.RawMessage            `json:"terms"` // in the platform's own words
}

// Unreadable names the tenants of which nothing could be learnt.
func (s *Snapshot) Unreadable() []string {
	var list []string
	for i := range s.Tenants {
		if s.Tenants[i].Unreadable {
			list = append(list, s.Tenants[i].Record.ID)
		}
	}
	return list
}

// Encode writes a snapshot as its file: one JSON object with sorted keys, on one
// line.
func (s *Snapshot) Encode() ([]byte, error) {
	var buf bytes.Buffer
	enc := v1.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return nil, fmt.Errorf("encode snapshot: %w", err)
	}
	return buf.Bytes(), nil
}

// SnapshotFormatError says that a file is no snapshot that this charter can read.
type SnapshotFormatError struct{ Err error }

func (e *SnapshotFormatError) Error() string { return "snapshot file: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *SnapshotFormatError) Unwrap() error { return e.Err }

// DecodeSnapshot reads a snapshot's file. Unknown fields are a later minor
// version's and are left out; everything else that is not as Encode writes it is a
// SnapshotFormatError. Whether it is to be believed, its signature and the policy
// say beforehand.
func DecodeSnapshot(data []byte) (*Snapshot, error) {
	if len(data) > MaxSnapshot {
		return nil, &SnapshotFormatError{fmt.Errorf("it is larger than %d bytes", MaxSnapshot)}
	}
	s := &Snapshot{}
	if err := json.Unmarshal(data, s); err != nil {
		return nil, &SnapshotFormatError{err}
	}
	if err := s.check(); err != nil {
		return nil, &SnapshotFormatError{err}
	}
	return s, nil
}

func (s *Snapshot) check() error {
	major, _, _ := strings.Cut(s.FormatVersion, ".")
	switch {
	case s.Kind != snapshotKind:
		return fmt.Errorf("its kind is %.40q, want %q", s.Kind, snapshotKind)
	case major != "1":
		return fmt.Errorf("format version %.20q is not known, want 1.x", s.FormatVersion)
	case s.Environment.IsZero() || s.Platform.Instance == "" || s.ObservedAt.IsZero():
		return errors.New("it lacks its environment, instance or time")
	}
	for _, e := range s.Editions {
		if _, err := catalog.ParseEditionKey(e.Key); err != nil {
			return err
		}
		if stamp := (catalog.Stamp{ETag: e.ETag, Revision: e.Revision}); !stamp.Valid() {
			return fmt.Errorf("edition %s has no revision and entity tag", e.Key)
		}
	}
	for i := range s.Tenants {
		if i > 0 && s.Tenants[i-1].Record.ID >= s.Tenants[i].Record.ID {
			return fmt.Errorf("tenant %.80q is out of order", s.Tenants[i].Record.ID)
		}
	}
	return nil
}

// snapshotPredicate is what an applier says of a snapshot's file, so that it can
// be told what it is before it is read.
type snapshotPredicate struct {
	Environment string `json:"environment"`
	Instance    string `json:"instance"`
	ObservedAt  string `json:"observed_at"`
}

// Predicate is what the statement about a snapshot says of it.
func (s *Snapshot) Predicate() any {
	return snapshotPredicate{s.Environment.String(), s.Platform.Instance, catalog.FormatTime(s.ObservedAt)}
}

// Vouches reports whether the predicate of a statement is of this snapshot.
func (s *Snapshot) Vouches(predicate []byte) bool {
	var said snapshotPredicate
	return json.Unmarshal(predicate, &said) == nil && said == s.Predicate()
}

// parsed returns the tenant's grant, with identifiers for what are texts in the
// file.
func (o *SnapshotTenant) parsed(id catalog.TenantID) (catalog.Grant, error) {
	g := catalog.Grant{Tenant: id, Stamp: catalog.Stamp{ETag: o.Grant.ETag, Revision: o.Grant.Revision}, By: o.Grant.By}
	if !g.Stamp.Valid() {
		return g, fmt.Errorf("tenant %s: its grant has no revision and entity tag", id)
	}
	var rows []catalog.Row
	for name, modules := range o.Grant.Rows {
		for _, module := range modules {
			row, err := parseRow(name, module)
			if err != nil {
				return g, fmt.Errorf("tenant %s: %w", id, err)
			}
			rows = append(rows, row)
		}
	}
	g.Rows = catalog.NewRows(rows)
	return g, nil
}

func parseRow(facility, module string) (catalog.Row, error) {
	f, err := catalog.ParseFacilityID(facility)
	if err != nil {
		return catalog.Row{}, err
	}
	m, err := catalog.ParseEHRModule(module)
	return catalog.Row{Facility: f, Module: m}, err
}

// addressHash is what a snapshot has of an address.
func addressHash(address string) string {
	sum := sha256.Sum256([]byte(address))
	return hex.EncodeToString(sum[:])
}
