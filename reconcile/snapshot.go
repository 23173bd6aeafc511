package reconcile

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	v1 "encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/sync/errgroup"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/ehr"
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

// TakeSnapshot reads a platform whole. A tenant of which nothing could be learnt is
// in the snapshot as unreadable; an error means that there is none.
func TakeSnapshot(ctx context.Context, e EHR, environment catalog.ControlPlane, now time.Time) (*Snapshot, error) {
	platform, err := e.Platform(ctx)
	if err != nil {
		return nil, err
	}
	if declared := environment.Instance; declared != "" && declared != platform.Instance {
		return nil, &InstanceError{declared, platform.Instance}
	}
	t := taker{ehr: e, platform: platform, licences: licencesOnce(e), grants: map[catalog.TenantID]catalog.Grant{}}
	t.Snapshot = Snapshot{
		Environment: environment.Environment, FormatVersion: snapshotVersion, Kind: snapshotKind,
		ObservedAt: now.UTC().Truncate(time.Second), Platform: SnapshotPlatform{Features: platform.Features, Instance: platform.Instance},
	}
	for _, step := range []func(context.Context) error{t.registry, t.list, t.bulk, t.rest} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return &t.Snapshot, nil
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

// taker takes a snapshot.
type taker struct {
	ehr      EHR
	platform ehr.Platform
	licences licences
	Snapshot
	listed []ehr.Tenant // sorted by id
	grants map[catalog.TenantID]catalog.Grant
}

// registry reads what belongs to no tenant.
func (t *taker) registry(ctx context.Context) error {
	editions, err := optional(t.ehr.Editions(ctx))
	if err != nil {
		return err
	}
	organisations, err := optional(t.ehr.Organisations(ctx))
	if err != nil {
		return err
	}
	t.Editions, t.Organisations = ofEditions(editions), sortedValues(organisations)
	return nil
}

func ofEditions(live map[string]catalog.LiveEdition) []SnapshotEdition {
	if live == nil {
		return nil
	}
	list := []SnapshotEdition{}
	for _, e := range sortedValues(live) {
		list = append(list, SnapshotEdition{e.Stamp.ETag, e.Key, e.Limits, e.Modules, e.Name, e.Stamp.Revision})
	}
	return list
}

// sortedValues gives the values of a map in the order of its keys; nil of nil.
func sortedValues[T any](of map[string]T) []T {
	if of == nil {
		return nil
	}
	list := make([]T, 0, len(of))
	for _, key := range slices.Sorted(maps.Keys(of)) {
		list = append(list, of[key])
	}
	return list
}

// list reads who there is.
func (t *taker) list(ctx context.Context) error {
	_, err := t.ehr.Tenants(ctx, func(one ehr.Tenant) error {
		t.listed = append(t.listed, one)
		return nil
	})
	slices.SortFunc(t.listed, func(a, b ehr.Tenant) int { return a.ID.Compare(b.ID) })
	for i := 1; i < len(t.listed) && err == nil; i++ {
		if id := t.listed[i].ID; id == t.listed[i-1].ID { // in the place of another
			err = &ehr.UnknownError{Request: "GET /tenants", Err: fmt.Errorf("tenant %s is listed twice", id)}
		}
	}
	return err
}

// bulk reads all grants in one stream where the platform has one. Those that do
// not come in it are asked for one by one later.
func (t *taker) bulk(ctx context.Context) error {
	if !t.platform.Has(ehr.FeatureBulk) || len(t.listed) <= fewTenants {
		return nil
	}
	_, err := t.ehr.Grants(ctx, func(g catalog.Grant) error {
		t.grants[g.Tenant] = g
		return nil
	})
	return err
}

// rest reads what is told for one tenant at a time, of all side by side. One that
// went while the platform was read is left out.
func (t *taker) rest(ctx context.Context) error {
	found := make([]*SnapshotTenant, len(t.listed))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(t.ehr.Parallelism())
	for i := range t.listed {
		g.Go(func() (err error) {
			if err = ctx.Err(); err == nil {
				found[i], err = t.tenant(ctx, &t.listed[i])
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	t.Tenants = []SnapshotTenant{}
	for _, one := range found {
		if one != nil {
			t.Tenants = append(t.Tenants, *one)
		}
	}
	return nil
}

// tenant reads one tenant, as far as a plan would look into it.
func (t *taker) tenant(ctx context.Context, there *ehr.Tenant) (*SnapshotTenant, error) {
	o := &SnapshotTenant{Record: there.Live, Status: there.Status}
	reads := []func(context.Context, catalog.TenantID, *SnapshotTenant) error{t.grant, t.licence, t.sites, t.instruments, t.admins, t.usage}
	switch plan.Status(there.Status) {
	case plan.StatusSuspended:
		reads = reads[:1]
	case plan.StatusLocked:
		reads = reads[:2] // a new licence may unlock it
	}
	for _, read := range reads {
		err := read(ctx, there.ID, o)
		switch {
		case ehr.IsNotFound(err):
			return nil, nil
		case err != nil && ofOneTenant(err):
			return &SnapshotTenant{Record: there.Live, Status: there.Status, Unreadable: true}, nil
		case err != nil:
			return nil, err
		}
	}
	return o, nil
}

func (t *taker) grant(ctx context.Context, id catalog.TenantID, o *SnapshotTenant) error {
	live, streamed := t.grants[id]
	if !streamed {
		var err error
		if live, err = t.ehr.Grant(ctx, id); err != nil {
			return err
		}
	}
	o.Grant = &SnapshotGrant{ETag: live.Stamp.ETag, Revision: live.Stamp.Revision, Rows: map[string][]string{}}
	if !strings.ContainsRune(live.By, '@') {
		o.Grant.By = live.By
	}
	for _, row := range live.Rows {
		facility := row.Facility.String()
		o.Grant.Rows[facility] = append(o.Grant.Rows[facility], row.Module.String())
	}
	return nil
}

func (t *taker) licence(ctx context.Context, id catalog.TenantID, o *SnapshotTenant) error {
	listed, err := t.licences(ctx, id)
	if err != nil || listed == nil {
		return err
	}
	o.Licences = []SnapshotLicence{}
	for _, l := range listed[id.String()] {
		o.Licences = append(o.Licences, SnapshotLicence{l.Expires, l.ID, l.Limits, l.Modules, l.NotBefore, l.State, l.Terms})
	}
	slices.SortFunc(o.Licences, func(a, b SnapshotLicence) int { return strings.Compare(a.ID, b.ID) })
	return nil
}

func (t *taker) sites(ctx context.Context, id catalog.TenantID, o *SnapshotTenant) (err error) {
	o.Facilities, err = optional(t.ehr.Facilities(ctx, id))
	slices.SortFunc(o.Facilities, func(a, b catalog.LiveFacility) int { return strings.Compare(a.ID, b.ID) })
	return err
}

func (t *taker) instruments(ctx context.Context, id catalog.TenantID, o *SnapshotTenant) (err error) {
	o.Connect, err = optional(t.ehr.Connect(ctx, id))
	return err
}

func (t *taker) admins(ctx context.Context, id catalog.TenantID, o *SnapshotTenant) error {
	live, err := optional(t.ehr.Admins(ctx, id))
	if err != nil || live == nil {
		return err
	}
	o.Admins = []SnapshotAdmin{}
	for _, a := range live {
		one := SnapshotAdmin{Address: addressHash(strings.ToLower(a.Email)), State: a.State}
		if spelled := addressHash(a.Email); spelled != one.Address {
			one.Spelled = spelled
		}
		o.Admins = append(o.Admins, one)
	}
	slices.SortFunc(o.Admins, func(a, b SnapshotAdmin) int { return strings.Compare(a.Address, b.Address) })
	return nil
}

// usage reads what is for people to decide by: a platform that does not say leaves it
// open.
func (t *taker) usage(ctx context.Context, id catalog.TenantID, o *SnapshotTenant) error {
	asked, counts := t.ehr.(counter)
	if !counts || !t.platform.Has(ehr.FeatureUsage) {
		return nil
	}
	used, err := asked.Usage(ctx, id)
	if err != nil {
		return ctx.Err()
	}
	o.Usage = map[string]map[string]int64{}
	for row, n := range used {
		facility := row.Facility.String()
		if o.Usage[facility] == nil {
			o.Usage[facility] = map[string]int64{}
		}
		o.Usage[facility][row.Module.String()] = n
	}
	return nil
}

func addressHash(address string) string {
	sum := sha256.Sum256([]byte(address))
	return hex.EncodeToString(sum[:])
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
