package plan

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/veonahealth/charter/catalog"
)

// FormatVersion is the version of the plan file that this package writes.
const FormatVersion = "1.0"

// Kind marks a file as a plan.
const Kind = "charter.plan"

// Action is what a change does. An unknown action prints as itself.
type Action string

// The actions. Grant and Revoke are of rows, of instruments, and Revoke of a
// licence or an invitation too.
const (
	Grant  Action = "grant"
	Revoke Action = "revoke"
	Create Action = "create"
	Alter  Action = "change"
	Invite Action = "invite"
	Issue  Action = "issue"
)

// Symbol is the action's sign in a printed plan.
func (a Action) Symbol() string {
	switch a {
	case Grant, Create, Invite, Issue:
		return "+"
	case Revoke:
		return "-"
	}
	return "~"
}

// Withdraws reports whether the action takes something away.
func (a Action) Withdraws() bool { return a == Revoke }

// Code is a stable word for why a change is made, why a row is held, or why a
// change is refused.
type Code string

// Why a row is granted or revoked.
const (
	EditionDefault     Code = "edition-default"
	NotInEdition       Code = "not-in-edition"
	TenantGrant        Code = "tenant-grant"
	TenantRevocation   Code = "tenant-revocation"
	FacilityGrant      Code = "facility-grant"
	FacilityRevocation Code = "facility-revocation"
	GrantExpired       Code = "grant-expired"
	GrantBegins        Code = "grant-begins"
	TenantClosed       Code = "tenant-closed"
	FacilityClosed     Code = "facility-closed"
	EditionChanged     Code = "edition-changed"
	DriftAdded         Code = "drift-added"   // the platform has it by other hands
	DriftRemoved       Code = "drift-removed" // other hands took it from the platform
)

// Why something else than a row is changed.
const (
	New       Code = "new"       // it is declared, and the platform has it not
	Changed   Code = "changed"   // the platform has it otherwise than it is declared
	Tombstone Code = "tombstone" // its end is declared
)

// Why a row is kept as it is.
const (
	UnknownModule   Code = "unknown-module"
	UnknownFacility Code = "unknown-facility"
	Suspended       Code = "suspended"
	Locked          Code = "locked"
	OnHold          Code = "hold"
)

// UnknownStatus is why a tenant is held whose status on the platform this
// charter does not know.
const UnknownStatus Code = "unknown-status"

// NotOffered is why something is declared and cannot be planned: the platform
// does not offer it, or the token may not read it.
const NotOffered Code = "not-offered"

// Plan is what an apply would do. Its fields stand in the order in which they
// are written.
type Plan struct {
	At            time.Time     `json:"at"` // the time that dates were judged by
	Base          *Applied      `json:"base"`
	Batches       []Batch       `json:"batches"`
	BatchesRoot   Digest        `json:"batches_root"`
	Catalog       Digest        `json:"catalog"`
	CreatedAt     time.Time     `json:"created_at"`
	Environment   string        `json:"environment"`
	ExpiresAt     time.Time     `json:"expires_at"`
	FormatVersion string        `json:"format_version"`
	Held          []Held        `json:"held"`
	Instance      string        `json:"instance"` // the platform's stable id
	Kind          string        `json:"kind"`
	Live          Observation   `json:"live"`
	Nonce         string        `json:"nonce"` // tells two plans of one content apart
	Policy        Digest        `json:"policy"`
	Refusals      []Refusal     `json:"refusals"`
	Requires      []Requirement `json:"requires"`
	Scheduled     []Entry       `json:"scheduled"`
	Source        Source        `json:"source"`
	Summary       Summary       `json:"summary"`
	Unreadable    []Unreadable  `json:"unreadable"`
	Warnings      []Warning     `json:"warnings"`
}

// Applied is what was applied before; nil in a plan before the first apply.
type Applied struct {
	Commit  string `json:"commit"`
	Receipt string `json:"receipt"`
}

// Observation says what live state the plan was made from.
type Observation struct {
	EHR        string    `json:"ehr"`         // the URL that was read
	ObservedAt time.Time `json:"observed_at"` // when the reading began
	Snapshot   string    `json:"snapshot"`    // the server's own name for what it answered
}

// Source is the commit that the plan was made from.
type Source struct {
	Commit     string `json:"commit"`
	Ref        string `json:"ref"`        // the branch, or "" where the commit was named otherwise
	Repository string `json:"repository"` // the remote's URL without credentials, or ""
	Tree       string `json:"tree"`
}

// Batch is one request, for one tenant, edition or organisation.
type Batch struct {
	Base    *Base    `json:"base"` // what it stands on
	Changes []Change `json:"changes"`
	Digest  Digest   `json:"digest"`
	// Request is what is sent; nil for entitlements, whose rows follow from the
	// changes.
	Request *Request `json:"request"`
	Subject Subject  `json:"subject"`
	Tenant  string   `json:"tenant"` // the id, or the key of an edition or organisation
}

// Entry is a change that the declarations already name the time of.
type Entry struct {
	At      time.Time `json:"at"`
	Changes []Change  `json:"changes"`
	Digest  Digest    `json:"digest"`
	// Local is At by the tenant's clock, with its offset from UTC, for people; ""
	// where the tenant goes by UTC.
	Local   string  `json:"local,omitempty"`
	Subject Subject `json:"subject"`
	Tenant  string  `json:"tenant"`
}

// Change is one row that comes or goes, or one thing else that is made or altered.
type Change struct {
	Action    Action   `json:"action"`
	Anyway    bool     `json:"anyway,omitempty"` // a plan of the branch that is merged into has it too
	After     string   `json:"after,omitempty"`  // how it is to be, for what is no row
	Before    string   `json:"before,omitempty"` // how it is, for what is altered
	Class     Class    `json:"class"`
	Critical  bool     `json:"critical"` // patients may come to harm where the module is taken away
	EHRModule string   `json:"ehr_module"`
	Facility  string   `json:"facility"`      // "" for what is of no site
	Key       string   `json:"key,omitempty"` // which thing it is, for what is no row
	Kind      string   `json:"kind"`          // "entitlement" for a row
	Module    string   `json:"module"`
	Reason    Reason   `json:"reason"`
	Routes    []string `json:"routes"` // what begins, or ceases, to answer
	// Usage is how many requests the row let through in the last 30 days, of one that
	// is taken away; nil where the platform does not count.
	Usage *int64 `json:"usage,omitempty"`
}

// KindRow is the kind of a change that is a row.
const KindRow = "entitlement"

// Reason explains a change to people. Nothing is decided by it.
type Reason struct {
	Code   Code   `json:"code"`
	Commit string `json:"commit"` // at which file and line are to be read
	// Edition is the one whose modules were changed, where the row comes or goes
	// because of that: what one edit does to many tenants can be told as one thing.
	Edition string `json:"edition,omitempty"`
	File    string `json:"file"`
	Line    int    `json:"line"`
	Text    string `json:"text"`
}

// Held is a row, or a whole tenant, that is kept as it is live.
type Held struct {
	EHRModule string `json:"ehr_module"` // "" for a whole tenant
	Facility  string `json:"facility"`   // "" for a whole tenant
	Reason    Code   `json:"reason"`
	Tenant    string `json:"tenant"`
	Text      string `json:"text"`
}

// Refusal is what is declared and cannot be carried out.
type Refusal struct {
	Code     Code   `json:"code"`
	Facility string `json:"facility"` // "" for a whole tenant
	Tenant   string `json:"tenant"`
	Text     string `json:"text"`
}

// Requirement is a capability that people must approve by.
type Requirement struct {
	Approvals  int      `json:"approvals"`
	Capability string   `json:"capability"`
	Tenants    []string `json:"tenants"`
}

// Summary counts.
type Summary struct {
	Blocked    int `json:"blocked"`    // refusals
	Change     int `json:"change"`     // changes that are no rows
	Facilities int `json:"facilities"` // that a batch changes
	Grant      int `json:"grant"`      // rows
	Held       int `json:"held"`
	Revoke     int `json:"revoke"`    // rows
	Scheduled  int `json:"scheduled"` // entries
	Tenants    int `json:"tenants"`   // that a batch is of
}

// Unreadable is a tenant whose live state could not be read.
type Unreadable struct {
	Tenant string `json:"tenant"`
	Text   string `json:"text"`
}

// Warning is a warning of the declarations.
type Warning struct {
	Code string `json:"code"`
	File string `json:"file"`
	Line int    `json:"line"`
	Text string `json:"text"`
}

// Among reports whether the batch is of one of some tenants; nil are all there
// are, and what belongs to no tenant too.
func (b *Batch) Among(only map[catalog.TenantID]bool) bool {
	if only == nil {
		return true
	}
	id, err := catalog.ParseTenantID(b.Tenant)
	return err == nil && b.Subject.OfTenant() && only[id]
}

// Lines returns the lines that a batch's digest is taken over.
func (p *Plan) Lines(b *Batch) (Lines, error) {
	if b.Subject.OfFleet() {
		return p.ownLines(b)
	}
	if b.Request != nil {
		return b.Request.lines(p.Environment, b.Tenant, b.Subject, b.Base)
	}
	return p.rowLines(b.Tenant, b.Base.Line(), b.Changes)
}

func (p *Plan) rowLines(tenant, base string, changes []Change) (Lines, error) {
	id, err := catalog.ParseTenantID(tenant)
	if err != nil {
		return nil, err
	}
	environment, err := catalog.ParseEnvironment(p.Environment)
	if err != nil {
		return nil, err
	}
	revoked, granted, err := Rows(changes)
	if err != nil {
		return nil, err
	}
	return EntitlementLines(environment, id, base, revoked, granted), nil
}

// Used notes how often the rows were used that a batch takes away.
func (b *Batch) Used(used map[catalog.Row]int64) {
	for i := range b.Changes {
		c := &b.Changes[i]
		rows, _, err := Rows([]Change{*c})
		if err != nil || len(rows) != 1 {
			continue // a grant
		}
		n := used[rows[0]]
		c.Usage = &n
	}
}

// Empty reports whether there is nothing to change now.
func (p *Plan) Empty() bool { return len(p.Batches) == 0 }

// Leaves returns the digests that the root is taken over: of the batches, then
// of the scheduled entries.
func (p *Plan) Leaves() []Digest {
	leaves := make([]Digest, 0, len(p.Batches)+len(p.Scheduled))
	for i := range p.Batches {
		leaves = append(leaves, p.Batches[i].Digest)
	}
	for i := range p.Scheduled {
		leaves = append(leaves, p.Scheduled[i].Digest)
	}
	return leaves
}

// Rows splits the changes of a batch or entry into the rows that it revokes and
// those that it grants.
func Rows(changes []Change) (revoked, granted catalog.Rows, err error) {
	for _, c := range changes {
		if c.Kind != KindRow { // or brakes that look at rows would pass it over
			return nil, nil, fmt.Errorf("a change of kind %.40q among rows", c.Kind)
		}
		facility, err := catalog.ParseFacilityID(c.Facility)
		if err != nil {
			return nil, nil, err
		}
		module, err := catalog.ParseEHRModule(c.EHRModule)
		if err != nil {
			return nil, nil, err
		}
		row := catalog.Row{Facility: facility, Module: module}
		switch c.Action {
		case Revoke:
			revoked = append(revoked, row)
		case Grant:
			granted = append(granted, row)
		default:
			return nil, nil, fmt.Errorf("action %.40q on a row", c.Action)
		}
	}
	revoked, granted = catalog.NewRows(revoked), catalog.NewRows(granted)
	if both := len(revoked) - len(revoked.Minus(granted)); both > 0 {
		return nil, nil, fmt.Errorf("%d rows are both granted and revoked", both)
	}
	if len(revoked)+len(granted) != len(changes) {
		return nil, nil, errors.New("a row stands twice")
	}
	return revoked, granted, nil
}

// finish puts everything in order, counts it and takes the root.
func (p *Plan) finish() error {
	slices.SortStableFunc(p.Batches, compareBatches) // a tenant's invitations stay in their order
	slices.SortFunc(p.Scheduled, func(a, b Entry) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(a.Tenant, b.Tenant))
	})
	slices.SortFunc(p.Held, func(a, b Held) int {
		return cmp.Or(strings.Compare(a.Tenant, b.Tenant), strings.Compare(a.Facility, b.Facility), strings.Compare(a.EHRModule, b.EHRModule))
	})
	sortRefusals(p.Refusals)
	slices.SortFunc(p.Unreadable, func(a, b Unreadable) int { return strings.Compare(a.Tenant, b.Tenant) })
	p.count()
	p.require()
	tree, err := NewTree(p.Leaves())
	if err != nil {
		return err
	}
	p.BatchesRoot, err = tree.Root()
	return err
}

// compareBatches orders by subject, then by tenant, then by request path.
func compareBatches(a, b Batch) int {
	return cmp.Or(a.Subject.Order()-b.Subject.Order(), strings.Compare(a.Tenant, b.Tenant), strings.Compare(requestPath(&a), requestPath(&b)))
}

// requestPath is where a batch's request goes; "" for rows.
func requestPath(b *Batch) string {
	if b.Request == nil {
		return ""
	}
	return b.Request.Path
}

// add counts changes by what they are of.
func (n *Summary) add(changes []Change) {
	for i := range changes {
		switch {
		case changes[i].Kind != KindRow:
			n.Change++
		case changes[i].Action == Revoke:
			n.Revoke++
		default:
			n.Grant++
		}
	}
}

func (p *Plan) count() {
	p.Summary = Summary{Blocked: len(p.Refusals), Held: len(p.Held), Scheduled: len(p.Scheduled)}
	tenants, facilities := map[string]bool{}, map[[2]string]bool{}
	for i := range p.Batches {
		b := &p.Batches[i]
		if b.Subject.OfTenant() {
			tenants[b.Tenant] = true
		}
		for _, c := range b.Changes {
			if c.Facility != "" {
				facilities[[2]string{b.Tenant, c.Facility}] = true
			}
		}
		p.Summary.add(b.Changes)
	}
	p.Summary.Tenants, p.Summary.Facilities = len(tenants), len(facilities)
}

// Touches reports whether the plan changes anything of a tenant, now or later.
func (p *Plan) Touches(id catalog.TenantID) bool {
	return slices.ContainsFunc(p.Batches, func(b Batch) bool { return b.Subject.OfTenant() && b.Tenant == id.String() }) ||
		slices.ContainsFunc(p.Scheduled, func(e Entry) bool { return e.Tenant == id.String() })
}

// TakesAway reports whether the plan takes a row away now.
func (p *Plan) TakesAway() bool {
	return slices.ContainsFunc(p.Batches, func(b Batch) bool {
		return slices.ContainsFunc(b.Changes, func(c Change) bool { return c.Kind == KindRow && c.Action.Withdraws() })
	})
}

// require lists the capabilities that people must approve the batches by.
func (p *Plan) require() {
	tenants := map[string]map[string]bool{}
	for i := range p.Batches {
		b := &p.Batches[i]
		capability := b.Subject.Capability(b.Request)
		if tenants[capability] == nil {
			tenants[capability] = map[string]bool{}
		}
		if b.Subject.OfTenant() {
			tenants[capability][b.Tenant] = true
		}
	}
	p.Requires = []Requirement{}
	for _, capability := range slices.Sorted(maps.Keys(tenants)) {
		p.Requires = append(p.Requires, Requirement{
			Approvals: 1, Capability: capability, Tenants: append([]string{}, slices.Sorted(maps.Keys(tenants[capability]))...),
		})
	}
}

// Refuse adds what stands in the way of a plan that is built already.
func (p *Plan) Refuse(refusals ...Refusal) {
	p.Refusals = append(p.Refusals, refusals...)
	sortRefusals(p.Refusals)
	p.Summary.Blocked = len(p.Refusals)
}

func sortRefusals(list []Refusal) {
	slices.SortFunc(list, func(a, b Refusal) int {
		return cmp.Or(strings.Compare(a.Tenant, b.Tenant), strings.Compare(a.Facility, b.Facility), strings.Compare(string(a.Code), string(b.Code)))
	})
}
