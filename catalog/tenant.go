package catalog

import (
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

// Boundaries returns the instants at which what the tenant's facilities hold may
// change by declaration: every from and until, and the days of tombstones;
// sorted, each once.
func (t *Tenant) Boundaries() []time.Time {
	var times []time.Time
	add := func(adjustments []Adjustment) {
		for _, a := range adjustments {
			times = append(times, a.From, a.Until)
		}
	}
	closed := func(c *Tombstone) {
		if c != nil {
			times = append(times, c.On)
		}
	}
	add(t.Grants)
	add(t.Revocations)
	closed(t.Closed)
	for i := range t.Facilities {
		add(t.Facilities[i].Grants)
		add(t.Facilities[i].Revocations)
		closed(t.Facilities[i].Closed)
	}
	times = slices.DeleteFunc(times, time.Time.IsZero)
	slices.SortFunc(times, time.Time.Compare)
	return slices.CompactFunc(times, time.Time.Equal)
}
