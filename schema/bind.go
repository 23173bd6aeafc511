package schema

import (
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // so that a name is a time zone on a machine that has none, too

	"github.com/veonahealth/charter/catalog"
)

// binder turns nodes that have passed their shape into declarations, or what is
// left of those that have not. What it reports is what a shape cannot say: days
// that are not in the calendar, ends before beginnings, names given twice in ways
// that contradict each other.
type binder struct {
	problems Problems

	// What holds and tests are held against; see referrer.
	fleet       *Fleet
	lost, wrong map[string]bool // as the loader's
}

func (b *binder) report(code Code, pos catalog.Position, hint, format string, args ...any) {
	p := problemf(code, pos, format, args...)
	p.Hint = hint
	b.problems = append(b.problems, p)
}

// relate adds a second place to the last problem.
func (b *binder) relate(pos catalog.Position, note string) {
	last := &b.problems[len(b.problems)-1]
	last.Related = append(last.Related, Related{pos, note})
}

// id parses an identifier whose shape was checked; zero where it was wrong.
func id[T any](parse func(string) (T, error), text string) T {
	value, _ := parse(text) // the shape #ID is what parse accepts, which a test holds
	return value
}

// The years that a date may lie in. Go's zero time, which is the beginning of
// the year 1, stands for no time at all; and beyond 9999 a year cannot be written.
const minYear, maxYear = 2, 9999

// instant parses a date or time; the zero time where the field is not there.
func (b *binder) instant(n *node, name string) time.Time {
	v := n.value(name)
	if v == nil {
		return time.Time{}
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339Nano} {
		t, err := time.Parse(layout, v.Text)
		if err != nil {
			continue
		}
		if t = t.UTC(); t.Year() < minYear || t.Year() > maxYear {
			b.report(Shape, v.Pos, "", "%s: %q is out of bounds, want a year from %d to %d", name, v.Text, minYear, maxYear)
			return time.Time{}
		}
		return t
	}
	b.report(Shape, v.Pos, "", "%s: %q is not a day in the calendar", name, v.Text)
	return time.Time{}
}

func integer(n *node, name string) int64 {
	value, _ := strconv.ParseInt(n.text(name), 10, 64) // the shape #Count is what it accepts
	return value
}

// limit returns a limit, where null and nothing are unlimited.
func limit(n *node, name string) int64 {
	if v := n.value(name); v == nil || v.Kind == kindNull {
		return catalog.Unlimited
	}
	return integer(n, name)
}

func (b *binder) tenant(n *node, pos catalog.Position) *catalog.Tenant {
	t := &catalog.Tenant{
		ID:           id(catalog.ParseTenantID, n.text("id")),
		Name:         n.text("name"),
		Organisation: id(catalog.ParseOrganisationID, n.text("organisation")),
		Edition:      id(catalog.ParseEditionKey, n.text("edition")),
		Environment:  id(catalog.ParseEnvironment, n.text("environment")),
		Hosting:      catalog.Hosting(n.text("hosting")),
		Timezone:     n.text("timezone"),
		Grants:       b.adjustments(n, "grants"),
		Revocations:  b.adjustments(n, "revocations"),
		Closed:       b.tombstone(n),
		Licence:      b.licence(n),

		Pos:             pos,
		EditionPos:      n.place("edition"),
		OrganisationPos: n.place("organisation"),
		EnvironmentPos:  n.place("environment"),
	}
	b.contradictions(n, "the tenant")
	b.timezone(n)
	for _, f := range n.fields("facilities") {
		t.Facilities = append(t.Facilities, b.facility(f))
	}
	for _, f := range n.fields("connect") {
		t.Connect = append(t.Connect, catalog.Connection{
			Instrument: id(catalog.ParseInstrumentKey, f.Name), Reason: f.Value.text("reason"), Pos: f.Pos,
		})
	}
	b.people(t, n)
	for _, f := range n.fields("limits") {
		t.Limits = append(t.Limits, catalog.LimitOverride{
			Limit: f.Name, Value: limit(f.Value, "value"), Reason: f.Value.text("reason"), Pos: f.Pos,
		})
	}
	slices.SortFunc(t.Facilities, func(a, b catalog.Facility) int { return a.ID.Compare(b.ID) })
	slices.SortFunc(t.Connect, func(a, b catalog.Connection) int { return a.Instrument.Compare(b.Instrument) })
	slices.SortFunc(t.Limits, func(a, b catalog.LimitOverride) int { return strings.Compare(a.Limit, b.Limit) })
	return t
}

func (b *binder) people(t *catalog.Tenant, n *node) {
	for _, f := range n.fields("staff") {
		t.Staff = append(t.Staff, catalog.Staff{
			Email: f.Name, Name: f.Value.text("name"), Role: f.Value.text("role"),
			Facility: id(catalog.ParseFacilityID, f.Value.text("facility")), Pos: f.Pos,
		})
	}
	for _, f := range n.fields("admins") {
		t.Admins = append(t.Admins, catalog.Admin{
			Email: f.Name, Name: f.Value.text("name"), Withdrawn: f.Value.text("withdrawn"), Pos: f.Pos,
		})
	}
	slices.SortFunc(t.Staff, func(a, b catalog.Staff) int { return strings.Compare(a.Email, b.Email) })
	slices.SortFunc(t.Admins, func(a, b catalog.Admin) int { return strings.Compare(a.Email, b.Email) })
}

func (b *binder) timezone(n *node) {
	v := n.value("timezone")
	if v == nil || v.Text == "UTC" {
		return
	}
	if _, err := time.LoadLocation(v.Text); err != nil || v.Text == "Local" {
		b.report(Shape, v.Pos, `write an IANA name, such as "Africa/Nairobi"`, "timezone: %s is not known", quoted(v.Text))
	}
}

func (b *binder) facility(f field) catalog.Facility {
	b.contradictions(f.Value, "facility "+f.Name)
	return catalog.Facility{
		ID:          id(catalog.ParseFacilityID, f.Name),
		Name:        f.Value.text("name"),
		Beds:        integer(f.Value, "beds"),
		Users:       integer(f.Value, "users"),
		StorageGB:   integer(f.Value, "storage_gb"),
		Grants:      b.adjustments(f.Value, "grants"),
		Revocations: b.adjustments(f.Value, "revocations"),
		Closed:      b.tombstone(f.Value),
		Pos:         f.Pos,
	}
}

func (b *binder) adjustments(n *node, name string) []catalog.Adjustment {
	var list []catalog.Adjustment
	for _, f := range n.fields(name) {
		a := catalog.Adjustment{
			Module: id(catalog.ParseModuleKey, f.Name),
			Reason: f.Value.text("reason"),
			Ticket: f.Value.text("ticket"),
			Span:   b.span(f.Value, "from", "until"),
			Pos:    f.Pos,
		}
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b catalog.Adjustment) int { return a.Module.Compare(b.Module) })
	return list
}

// span reads a beginning and an end, which must be in this order.
func (b *binder) span(n *node, from, until string) catalog.Span {
	s := catalog.Span{From: b.instant(n, from), Until: b.instant(n, until)}
	if !s.From.IsZero() && !s.Until.IsZero() && !s.Until.After(s.From) {
		b.report(EmptySpan, n.value(until).Pos, "it would never be in force",
			"%s %s is not after %s %s", until, n.text(until), from, n.text(from))
		b.relate(n.value(from).Pos, "the beginning")
	}
	return s
}

func (b *binder) tombstone(n *node) *catalog.Tombstone {
	f := n.get("closed")
	if f == nil {
		return nil
	}
	return &catalog.Tombstone{Reason: f.Value.text("reason"), On: b.instant(f.Value, "on"), Pos: f.Pos}
}

func (b *binder) licence(n *node) *catalog.Licence {
	f := n.get("licence")
	if f == nil {
		return nil
	}
	s := b.span(f.Value, "not_before", "expires")
	return &catalog.Licence{NotBefore: s.From, Expires: s.Until, Revoked: f.Value.text("revoked"), Pos: f.Pos}
}

// contradictions reports the modules that one level both grants and revokes.
func (b *binder) contradictions(n *node, level string) {
	grants := n.value("grants")
	for _, f := range n.fields("revocations") {
		if granted := grants.get(f.Name); granted != nil {
			b.report(Contradicted, f.Pos, "keep one of them", "module %q is in grants and in revocations of %s", f.Name, level)
			b.relate(granted.Pos, "granted here")
		}
	}
}

func (b *binder) organisations(n *node) []catalog.Organisation {
	var list []catalog.Organisation
	for _, f := range n.fields("organisations") {
		list = append(list, catalog.Organisation{
			ID: id(catalog.ParseOrganisationID, f.Name), Name: f.Value.text("name"),
			Closed: b.tombstone(f.Value), Pos: f.Pos,
		})
	}
	return list
}

func (b *binder) environments(n *node) []catalog.ControlPlane {
	var list []catalog.ControlPlane
	for _, f := range n.fields("environments") {
		list = append(list, catalog.ControlPlane{
			Environment: id(catalog.ParseEnvironment, f.Name),
			EHR:         f.Value.text("ehr"), Instance: f.Value.text("instance"), Pos: f.Pos,
		})
	}
	slices.SortFunc(list, func(a, b catalog.ControlPlane) int { return a.Environment.Compare(b.Environment) })
	return list
}

func moduleKeys(items []*node) []catalog.ModuleKey {
	keys := make([]catalog.ModuleKey, 0, len(items))
	for _, item := range items {
		keys = append(keys, id(catalog.ParseModuleKey, item.Text))
	}
	slices.SortFunc(keys, catalog.ModuleKey.Compare)
	return slices.Compact(keys)
}

func (b *binder) holds(n *node) []catalog.Hold {
	var list []catalog.Hold
	for _, f := range n.fields("hold") {
		b.inHold(f.Value)
		list = append(list, catalog.Hold{
			Key:      f.Name,
			Tenant:   id(catalog.ParseTenantID, f.Value.text("tenant")),
			Facility: id(catalog.ParseFacilityID, f.Value.text("facility")),
			Modules:  moduleKeys(f.Value.items("modules")),
			Owner:    f.Value.text("owner"),
			Reason:   f.Value.text("reason"),
			Until:    b.instant(f.Value, "until"),
			Pos:      f.Pos,
		})
	}
	return list
}

func (b *binder) tests(n *node) []catalog.Test {
	var list []catalog.Test
	for _, f := range n.fields("test") {
		b.inTest(f.Value)
		selector := f.Value.value("tenants")
		test := catalog.Test{
			Name: f.Name,
			Tenants: catalog.Selector{
				Edition:      id(catalog.ParseEditionKey, selector.text("edition")),
				Organisation: id(catalog.ParseOrganisationID, selector.text("organisation")),
				Hosting:      catalog.Hosting(selector.text("hosting")),
			},
			Facility: id(catalog.ParseFacilityID, f.Value.text("facility")),
			At:       b.instant(f.Value, "at"),
			Has:      moduleKeys(f.Value.items("has")),
			HasNot:   moduleKeys(f.Value.items("hasnt")),
			Pos:      f.Pos,
		}
		for _, item := range selector.items("ids") {
			test.Tenants.IDs = append(test.Tenants.IDs, id(catalog.ParseTenantID, item.Text))
		}
		b.inTenants(f.Value, &test)
		list = append(list, test)
	}
	return list
}
