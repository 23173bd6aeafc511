package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/veonahealth/charter/catalog"
)

// Status is the state of a tenant as the platform says it.
type Status string

// The states of a tenant. One that is suspended or locked is kept as it is.
const (
	StatusCreated     Status = "created"     // exists, and was never provisioned
	StatusProvisioned Status = "provisioned" // has its sites
	StatusActive      Status = "active"
	StatusSuspended   Status = "suspended" // by billing
	StatusLocked      Status = "locked"    // by its licence
)

// Live is a declared tenant as the platform has it. A list that is nil was not
// asked for, or is of something that the platform does not offer: what it would
// hold is then neither compared nor planned.
type Live struct {
	Absent      bool // the platform does not know the tenant; nothing else is set
	Status      Status
	Tenant      *catalog.LiveTenant // nil where only the status is known
	Grant       catalog.Grant
	Facilities  []catalog.LiveFacility
	Instruments []string // the licensed ones, sorted
	Admins      []catalog.LiveAdmin
	Licences    []catalog.LiveLicence
	// Unreadable says why nothing is known, or is "".
	Unreadable string
}

// Builder makes a plan of parts, one a tenant. Nothing but what the plan says is
// held for a tenant.
type Builder struct {
	explainer
	plan        Plan
	environment catalog.Environment
	holds       map[catalog.TenantID][]catalog.Hold
	// turned are the modules, in the EHR's words, that the plan takes into an
	// edition or out of it.
	turned map[catalog.EditionKey]map[string]bool
	// history tells what was last applied; nil where there is no ledger.
	history   History
	scheduled Scheduled
	target    *Last // the branch that is merged into; nil where there is none
}

// Part is what a plan says of one tenant.
type Part struct {
	tenant     string
	batches    []Batch
	scheduled  []Entry
	held       []Held
	refusals   []Refusal
	unreadable []Unreadable
	warnings   []Warning
}

// Header is what a plan says of its making. Times are cut to seconds.
type Header struct {
	At, CreatedAt, ExpiresAt time.Time
	Environment              catalog.Environment
	Instance, Nonce          string
	Live                     Observation
	Source                   Source
	Policy, Catalog          Digest
	Warnings                 []Warning
	Base                     *Applied // the newest receipt; nil before the first apply
	// LastPolicy and LastCatalog are the digests that were last applied; nil where no
	// ledger is founded.
	LastPolicy, LastCatalog *Digest
	History                 History // nil where no ledger is founded
	Scheduled               Scheduled
	// Target is the branch that what is planned is to be merged into: what a plan of
	// it would change too is marked. Nil where nothing is merged.
	Target *catalog.Desired
}

// NewBuilder starts a plan. Holds that have ended by the header's At hold
// nothing.
func NewBuilder(h Header, c *catalog.Catalog, holds []catalog.Hold) *Builder {
	second := func(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
	b := &Builder{explainer: explainer{c, h.Source.Commit}, environment: h.Environment, plan: Plan{
		At: h.At.UTC(), CreatedAt: second(h.CreatedAt), ExpiresAt: second(h.ExpiresAt),
		FormatVersion: FormatVersion, Kind: Kind, Environment: h.Environment.String(), Instance: h.Instance,
		Base: h.Base, Nonce: h.Nonce, Live: h.Live, Source: h.Source, Policy: h.Policy, Catalog: h.Catalog, Warnings: h.Warnings,
		Batches: []Batch{}, Scheduled: []Entry{}, Held: []Held{}, Refusals: []Refusal{}, Unreadable: []Unreadable{},
	}, holds: map[catalog.TenantID][]catalog.Hold{}, turned: map[catalog.EditionKey]map[string]bool{}, history: h.History, scheduled: h.Scheduled}
	if h.Target != nil {
		b.target = &Last{Desired: h.Target, At: b.plan.At}
	}
	b.plan.Live.ObservedAt = second(h.Live.ObservedAt)
	if h.Warnings == nil {
		b.plan.Warnings = []Warning{}
	}
	b.own(Policy, h.LastPolicy, h.Policy)
	b.own(Catalog, h.LastCatalog, h.Catalog)
	for _, hold := range holds {
		if h.At.Before(hold.Until) {
			b.holds[hold.Tenant] = append(b.holds[hold.Tenant], hold)
		}
	}
	return b
}

// Tenant works out what is to change for a declared tenant, and which side moved.
// It may be called by many goroutines at once.
func (b *Builder) Tenant(t *catalog.Tenant, live Live) (Part, error) {
	p, err := b.merge(t, live)
	if err != nil {
		return Part{}, fmt.Errorf("tenant %s: %w", t.ID, err)
	}
	err = b.classify(&p, live.Grant.By, func(old *Builder, last *Last) (Part, error) {
		declared := last.Desired.Tenant(t.ID)
		if declared == nil {
			return Part{}, nil
		}
		was, err := declared.Tenant()
		if err != nil {
			return Part{}, err
		}
		return old.merge(was, live)
	})
	if err == nil {
		err = b.due(&p, t)
	}
	return p, err
}

func (b *Builder) merge(t *catalog.Tenant, live Live) (Part, error) {
	p := Part{tenant: t.ID.String()}
	switch {
	case live.Unreadable != "":
		p.unreadable = append(p.unreadable, Unreadable{Tenant: p.tenant, Text: live.Unreadable})
	case live.Absent && t.Closed.ClosedAt(b.plan.At): // it never was, and is not to be
	case live.Absent, live.Status == StatusCreated, live.Status == StatusProvisioned, live.Status == StatusActive:
		p.scheduled = b.schedule(t)
		return p, b.steps(&p, t, live.known())
	case live.Status == StatusSuspended:
		p.hold("", "", Suspended, "the platform has suspended the tenant")
	case live.Status == StatusLocked:
		p.hold("", "", Locked, "the platform has locked the tenant")
		if CurrentLicence(live.Licences) != nil { // one that is not revoked: it has run out
			return p, b.licence(&p, t, live)
		}
	default:
		p.hold("", "", UnknownStatus, fmt.Sprintf("the platform says that the tenant is %.40q, which this charter does not know", live.Status))
	}
	return p, nil
}

// known adds what a status says by itself: who is absent, or was created and no
// more, has nothing.
func (l Live) known() Live {
	if l.Absent {
		l.Facilities, l.Instruments = []catalog.LiveFacility{}, []string{}
		l.Admins, l.Licences = []catalog.LiveAdmin{}, []catalog.LiveLicence{}
	}
	if l.Status == StatusCreated && l.Facilities == nil {
		l.Facilities = []catalog.LiveFacility{}
	}
	return l
}

// Pending counts what would be changed.
func (p *Part) Pending() Summary {
	var n Summary
	for i := range p.batches {
		n.add(p.batches[i].Changes)
	}
	return n
}

// Held returns what is kept as it is live.
func (p *Part) Held() []Held { return p.held }

// Refusals returns what is declared and cannot be carried out.
func (p *Part) Refusals() []Refusal { return p.refusals }

func (p *Part) refuse(facility string, code Code, text string) {
	p.refusals = append(p.refusals, Refusal{Code: code, Facility: facility, Tenant: p.tenant, Text: text})
}

func (p *Part) hold(facility, module string, reason Code, text string) {
	p.held = append(p.held, Held{EHRModule: module, Facility: facility, Reason: reason, Tenant: p.tenant, Text: text})
}

// Add takes a part into the plan. It must not be called by two goroutines at
// once; the order of the calls does not matter.
func (b *Builder) Add(p Part) {
	b.plan.Batches = append(b.plan.Batches, p.batches...)
	b.plan.Scheduled = append(b.plan.Scheduled, p.scheduled...)
	b.plan.Held = append(b.plan.Held, p.held...)
	b.plan.Refusals = append(b.plan.Refusals, p.refusals...)
	b.plan.Unreadable = append(b.plan.Unreadable, p.unreadable...)
	b.plan.Warnings = append(b.plan.Warnings, p.warnings...)
}

// Warn adds a warning of what could not be planned.
func (b *Builder) Warn(code, text string) {
	b.plan.Warnings = append(b.plan.Warnings, Warning{Code: code, Text: text})
}

// Observed notes the server's own name for the live state that was read.
func (b *Builder) Observed(snapshot string) { b.plan.Live.Snapshot = snapshot }

// Plan returns what was built.
func (b *Builder) Plan() (*Plan, error) {
	if err := b.plan.finish(); err != nil {
		return nil, err
	}
	return &b.plan, nil
}

// merged is one tenant's rows on their way into a part.
type merged struct {
	*Builder
	part    *Part
	tenant  *catalog.Tenant
	live    map[catalog.FacilityID]catalog.ModuleSet // of declared facilities
	changes []Change
}

// entitlements plans the tenant's rows: what is declared against the live ones,
// as the plan's own provision leaves them.
func (b *Builder) entitlements(p *Part, t *catalog.Tenant, live Live, made catalog.Rows) {
	m := merged{Builder: b, part: p, tenant: t, live: make(map[catalog.FacilityID]catalog.ModuleSet, len(t.Facilities))}
	for i := range t.Facilities {
		m.live[t.Facilities[i].ID] = b.catalog.NewSet()
	}
	m.observe(live.Grant.Rows.Union(made))
	for i := range t.Facilities {
		f := &t.Facilities[i]
		desired := b.catalog.Holds(t, f, b.plan.At)
		m.keepHeld(f, desired)
		m.compare(f, desired, live.Tenant)
	}
	if len(m.changes) == 0 {
		return
	}
	sortChanges(m.changes)
	batch := Batch{Base: OnStamp(live.Grant.Stamp), Changes: m.changes, Subject: Entitlements, Tenant: p.tenant}
	if made != nil { // sites, though perhaps no rows with them
		batch.Base = OnProvisioned(live.Grant.Stamp.Revision)
	}
	batch.Digest = b.digest(t.ID, batch.Base.Line(), m.changes)
	p.batches = append(p.batches, batch)
}

// observe takes the live rows in, and holds by name those that are not ours.
func (m *merged) observe(rows catalog.Rows) {
	for _, row := range rows {
		set, declared := m.live[row.Facility]
		index, known := m.catalog.FromEHR(row.Module)
		switch {
		case !declared:
			m.part.hold(row.Facility.String(), row.Module.String(), UnknownFacility, "the facility is not declared")
		case !known:
			m.part.hold(row.Facility.String(), row.Module.String(), UnknownModule, "the catalogue does not have the module")
		default:
			set.Add(index)
		}
	}
}

// keepHeld makes what is desired agree with what is live where a hold covers it.
func (m *merged) keepHeld(f *catalog.Facility, desired catalog.ModuleSet) {
	for _, hold := range m.holds[m.tenant.ID] {
		text := fmt.Sprintf("hold %s of %s until %s: %s", hold.Key, hold.Owner, catalog.FormatTime(hold.Until), hold.Reason)
		for index, module := range m.catalog.Modules() {
			live := m.live[f.ID].Has(index)
			if live == desired.Has(index) || !hold.Covers(f.ID, module.Key) {
				continue
			}
			if live {
				desired.Add(index)
			} else {
				desired.Remove(index)
			}
			m.part.hold(f.ID.String(), module.EHR.String(), OnHold, text)
		}
	}
}

// compare lists the rows of a facility that come and go.
func (m *merged) compare(f *catalog.Facility, desired catalog.ModuleSet, was *catalog.LiveTenant) {
	live := m.live[f.ID]
	if desired.Equal(live) {
		return
	}
	first := len(m.changes)
	for index := range m.catalog.Modules() {
		switch {
		case live.Has(index) && !desired.Has(index):
			m.changes = append(m.changes, m.change(m.tenant, f, index, Revoke, m.plan.At))
		case desired.Has(index) && !live.Has(index):
			m.changes = append(m.changes, m.change(m.tenant, f, index, Grant, m.plan.At))
		}
	}
	for i := range m.changes[first:] {
		m.sayEdition(&m.changes[first+i], was)
	}
}

// sayEdition gives the reason of a row that comes or goes because the tenant has
// another edition than before, or the edition other modules.
func (m *merged) sayEdition(c *Change, was *catalog.LiveTenant) {
	edition := m.tenant.Edition
	switch {
	case c.Reason.Code != EditionDefault && c.Reason.Code != NotInEdition:
	case was != nil && was.Edition != edition.String():
		c.Reason.Code, c.Reason.Text = EditionChanged, fmt.Sprintf("edition %s instead of %s", edition, was.Edition)
	case m.turned[edition][c.EHRModule] && c.Action == Grant:
		c.Reason.Code, c.Reason.Text, c.Reason.Edition = EditionChanged, fmt.Sprintf("edition %s has it now", edition), edition.String()
	case m.turned[edition][c.EHRModule]:
		c.Reason.Code, c.Reason.Text, c.Reason.Edition = EditionChanged, fmt.Sprintf("edition %s has it no longer", edition), edition.String()
	}
}

// sortChanges puts removals first, then orders by facility, then by module.
func sortChanges(changes []Change) {
	slices.SortStableFunc(changes, func(a, b Change) int {
		if a.Action != b.Action {
			return strings.Compare(string(b.Action), string(a.Action)) // "revoke" before "grant"
		}
		if a.Facility != b.Facility {
			return strings.Compare(a.Facility, b.Facility)
		}
		return strings.Compare(a.Module, b.Module)
	})
}

// change describes one row that comes or goes at an instant.
func (b *Builder) change(t *catalog.Tenant, f *catalog.Facility, index int, action Action, at time.Time) Change {
	module := b.catalog.Module(index)
	return Change{
		Action: action, Class: Pending, Critical: module.Critical, EHRModule: module.EHR.String(),
		Facility: f.ID.String(), Kind: KindRow, Module: module.Key.String(),
		Reason: b.reason(t, f, module.Key, at), Routes: slices.Clone(nonNil(module.Routes)),
	}
}

func nonNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func (b *Builder) digest(tenant catalog.TenantID, base string, changes []Change) Digest {
	revoked, granted, err := Rows(changes)
	if err != nil {
		panic(err) // they were made of identifiers a few lines above
	}
	return EntitlementLines(b.environment, tenant, base, revoked, granted).Digest()
}

// schedule adds an entry for each coming boundary at which the tenant's rows
// change by declaration.
func (b *Builder) schedule(t *catalog.Tenant) []Entry {
	coming := map[time.Time][]Change{}
	for i := range t.Facilities {
		f := &t.Facilities[i]
		for _, at := range t.Boundaries(f) {
			if at.After(b.plan.At) {
				coming[at] = append(coming[at], b.crossing(t, f, at)...)
			}
		}
	}
	var entries []Entry
	for at, changes := range coming {
		if len(changes) == 0 {
			continue
		}
		sortChanges(changes)
		entry := Entry{At: at, Changes: changes, Local: local(at, t.Timezone), Subject: Entitlements, Tenant: t.ID.String()}
		entry.Digest = b.digest(t.ID, AtLine(at), changes)
		entries = append(entries, entry)
	}
	return entries
}

// local writes an instant by the clock of a time zone, or "" where that is UTC.
func local(at time.Time, zone string) string {
	place, err := time.LoadLocation(zone)
	if err != nil || place == time.UTC {
		return ""
	}
	return at.In(place).Format(time.RFC3339)
}

// crossing lists what changes at a facility at a boundary, but for what a hold
// still keeps by then.
func (b *Builder) crossing(t *catalog.Tenant, f *catalog.Facility, at time.Time) []Change {
	before, after := b.catalog.Holds(t, f, at.Add(-1)), b.catalog.Holds(t, f, at)
	var changes []Change
	for index, module := range b.catalog.Modules() {
		held := slices.ContainsFunc(b.holds[t.ID], func(h catalog.Hold) bool {
			return at.Before(h.Until) && h.Covers(f.ID, module.Key)
		})
		switch {
		case held || before.Has(index) == after.Has(index):
		case after.Has(index):
			changes = append(changes, b.change(t, f, index, Grant, at))
		default:
			changes = append(changes, b.change(t, f, index, Revoke, at))
		}
	}
	return changes
}

// AtLine returns the base line of a scheduled entry.
func AtLine(at time.Time) string { return "at " + at.UTC().Format(time.RFC3339Nano) }
