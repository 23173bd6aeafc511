package catalog

import (
	"iter"
	"slices"
	"time"
)

// Span is a half-open stretch of time: From is included, Until is not. A zero
// From has no beginning, a zero Until no end. Both are in UTC.
type Span struct {
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

// Contains reports whether the span holds the instant t.
func (s Span) Contains(t time.Time) bool {
	return (s.From.IsZero() || !t.Before(s.From)) && (s.Until.IsZero() || t.Before(s.Until))
}

// Adjustment is one grant or revocation: a module beyond, or off, what the
// level above gives.
type Adjustment struct {
	Module ModuleKey `json:"module"`
	Reason string    `json:"reason"`
	Ticket string    `json:"ticket,omitempty"`
	Span
	Pos Position `json:"pos"`
}

// Tombstone says that something ended on purpose: nothing is taken away merely
// because it is no longer declared.
type Tombstone struct {
	Reason string    `json:"reason"`
	On     time.Time `json:"on"` // the first instant at which it is closed
	Pos    Position  `json:"pos"`
}

// ClosedAt reports whether the tombstone's day has come at t. A nil Tombstone
// closes nothing.
func (c *Tombstone) ClosedAt(t time.Time) bool { return c != nil && !t.Before(c.On) }

// Facility is a site of a tenant.
type Facility struct {
	ID          FacilityID   `json:"id"`
	Name        string       `json:"name"`
	Beds        int64        `json:"beds,omitempty"`
	Users       int64        `json:"users,omitempty"`
	StorageGB   int64        `json:"storage_gb,omitempty"`
	Grants      []Adjustment `json:"grants,omitempty"`      // sorted by module
	Revocations []Adjustment `json:"revocations,omitempty"` // sorted by module
	Closed      *Tombstone   `json:"closed,omitempty"`
	Pos         Position     `json:"pos"`
}

// Hosting is where a tenant's deployment runs.
type Hosting string

// The two kinds of hosting. An on-prem deployment needs a licence.
const (
	Cloud  Hosting = "cloud"
	OnPrem Hosting = "on-prem"
)

// Staff is an account that is made when the tenant is provisioned and never
// corrected afterwards: clinical roles belong to the customer.
type Staff struct {
	Email    string     `json:"email"`
	Name     string     `json:"name"`
	Role     string     `json:"role"`
	Facility FacilityID `json:"facility"`
	Pos      Position   `json:"pos"`
}

// Admin is a tenant's administrator, who is invited once.
type Admin struct {
	Email     string   `json:"email"`
	Name      string   `json:"name"`
	Withdrawn string   `json:"withdrawn,omitempty"` // the reason, where the tombstone is set
	Pos       Position `json:"pos"`
}

// Connection is an instrument that the tenant may use.
type Connection struct {
	Instrument InstrumentKey `json:"instrument"`
	Reason     string        `json:"reason"`
	Pos        Position      `json:"pos"`
}

// Licence lets an on-prem deployment run.
type Licence struct {
	NotBefore time.Time `json:"not_before,omitzero"`
	Expires   time.Time `json:"expires"`
	Revoked   string    `json:"revoked,omitempty"` // the reason, where the tombstone is set
	Pos       Position  `json:"pos"`
}

// LimitOverride replaces one limit of the edition for one tenant.
type LimitOverride struct {
	Limit  string   `json:"limit"` // facilities, users, beds or storage_gb
	Value  int64    `json:"value"` // Unlimited for null
	Reason string   `json:"reason"`
	Pos    Position `json:"pos"`
}

// Tenant is a tenant as it is declared.
type Tenant struct {
	ID           TenantID        `json:"id"`
	Name         string          `json:"name"`
	Organisation OrganisationID  `json:"organisation"`
	Edition      EditionKey      `json:"edition"`
	Environment  Environment     `json:"environment"`
	Hosting      Hosting         `json:"hosting"`
	Timezone     string          `json:"timezone"` // IANA name; for showing times only
	Facilities   []Facility      `json:"facilities"`
	Grants       []Adjustment    `json:"grants,omitempty"`
	Revocations  []Adjustment    `json:"revocations,omitempty"`
	Connect      []Connection    `json:"connect,omitempty"`
	Staff        []Staff         `json:"staff,omitempty"`
	Admins       []Admin         `json:"admins,omitempty"`
	Licence      *Licence        `json:"licence,omitempty"`
	Limits       []LimitOverride `json:"limits,omitempty"`
	Closed       *Tombstone      `json:"closed,omitempty"`

	Pos             Position `json:"pos"`
	EditionPos      Position `json:"edition_pos"`
	OrganisationPos Position `json:"organisation_pos"`
	EnvironmentPos  Position `json:"environment_pos"` // zero where it is left to its default
}

// Facility returns the tenant's facility of an id, or nil. Facilities are sorted
// by id, as every list of a Tenant is by its key.
func (t *Tenant) Facility(id FacilityID) *Facility {
	i, found := slices.BinarySearchFunc(t.Facilities, id, func(f Facility, id FacilityID) int {
		return f.ID.Compare(id)
	})
	if !found {
		return nil
	}
	return &t.Facilities[i]
}

// Boundaries returns the instants at which what facility f of the tenant holds
// may change by declaration: each from and until of the two, and the days of
// their tombstones; sorted, each once.
func (t *Tenant) Boundaries(f *Facility) []time.Time {
	var times []time.Time
	for _, list := range [][]Adjustment{t.Grants, t.Revocations, f.Grants, f.Revocations} {
		for i := range list {
			times = append(times, list[i].From, list[i].Until)
		}
	}
	for _, c := range []*Tombstone{t.Closed, f.Closed} {
		if c != nil {
			times = append(times, c.On)
		}
	}
	return sortedTimes(times)
}

// sortedTimes sorts times, and drops zero ones and those that stand twice.
func sortedTimes(times []time.Time) []time.Time {
	times = slices.DeleteFunc(times, time.Time.IsZero)
	slices.SortFunc(times, time.Time.Compare)
	return slices.CompactFunc(times, time.Time.Equal)
}

// AllBoundaries returns the boundaries of all facilities together.
func (t *Tenant) AllBoundaries() []time.Time {
	var times []time.Time
	for i := range t.Facilities {
		times = append(times, t.Boundaries(&t.Facilities[i])...)
	}
	return sortedTimes(times)
}

// Spans returns the stretches of time between sorted boundaries: one more than
// there are boundaries, the first without a beginning and the last without an
// end. Within each, what is declared is the same.
func Spans(boundaries []time.Time) []Span {
	spans := make([]Span, 0, len(boundaries)+1)
	var from time.Time
	for _, boundary := range boundaries {
		spans = append(spans, Span{From: from, Until: boundary})
		from = boundary
	}
	return append(spans, Span{From: from})
}

// Instant returns an instant in the span.
func (s Span) Instant() time.Time {
	if s.From.IsZero() && !s.Until.IsZero() {
		return s.Until.Add(-1)
	}
	return s.From
}

// String names the span for people: "from 2026-12-01 until 2027-03-01".
func (s Span) String() string {
	switch {
	case s.From.IsZero() && s.Until.IsZero():
		return "at all times"
	case s.From.IsZero():
		return "until " + FormatTime(s.Until)
	case s.Until.IsZero():
		return "from " + FormatTime(s.From) + " on"
	}
	return "from " + FormatTime(s.From) + " until " + FormatTime(s.Until)
}

// FormatTime writes an instant as declarations do: the day alone where it is the
// beginning of one in UTC, else RFC 3339.
func FormatTime(t time.Time) string {
	t = t.UTC()
	if t.Truncate(24 * time.Hour).Equal(t) {
		return t.Format(time.DateOnly)
	}
	return t.Format(time.RFC3339Nano)
}

// Adjustments yields every grant and revocation, of the tenant and of its
// facilities.
func (t *Tenant) Adjustments() iter.Seq[*Adjustment] {
	return func(yield func(*Adjustment) bool) {
		lists := [][]Adjustment{t.Grants, t.Revocations}
		for i := range t.Facilities {
			lists = append(lists, t.Facilities[i].Grants, t.Facilities[i].Revocations)
		}
		for _, list := range lists {
			for i := range list {
				if !yield(&list[i]) {
					return
				}
			}
		}
	}
}
