package catalog_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/veonahealth/charter/catalog"
)

// A world is a tenant in the plainest terms there are: names are texts, and
// instants are whole numbers, even ones where something may begin or end and odd
// ones between. What it means is written out below from the contract's words
// alone, for the catalogue's own answer to be held against.
type world struct {
	edition    []string
	tenant     level
	facilities map[string]level
}

type level struct {
	grants, revocations map[string]span
	closed              *int
}

type span struct{ from, until *int }

func (s span) inForce(t int) bool {
	return (s.from == nil || *s.from <= t) && (s.until == nil || t < *s.until)
}

func (l level) closedAt(t int) bool { return l.closed != nil && *l.closed <= t }

// holds says whether a facility has a row of a module at t: the edition's
// modules, what the tenant says on top, and what the facility says on top.
func (w *world) holds(facility, module string, t int) bool {
	f := w.facilities[facility]
	if w.tenant.closedAt(t) || f.closedAt(t) {
		return false
	}
	held := slices.Contains(w.edition, module)
	for _, l := range []level{w.tenant, f} {
		if s, ok := l.grants[module]; ok && s.inForce(t) {
			held = true
		}
		if s, ok := l.revocations[module]; ok && s.inForce(t) {
			held = false
		}
	}
	return held
}

// modules are the words of every world; their keys in the EHR are in another
// order.
var modules = []string{"bill", "chart", "labs", "rx", "ward"}

func inEHR(module string) string { return fmt.Sprintf("%c-%s", 'z'-module[0]%26, module) }

// last is the last instant of a world.
const last = 12

// hour returns an instant of a world in the EHR's terms, in some time zone.
func hour(t int) time.Time {
	zone := time.FixedZone("", (t%5-2)*3600)
	return time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC).Add(time.Duration(t) * time.Hour / 2).In(zone)
}

func drawWorld(t *rapid.T) *world {
	w := &world{
		edition:    rapid.SliceOfDistinct(rapid.SampledFrom(modules), rapid.ID).Draw(t, "edition"),
		tenant:     drawLevel(t, "tenant"),
		facilities: map[string]level{},
	}
	for _, id := range []string{"main", "annex"}[:rapid.IntRange(1, 2).Draw(t, "facilities")] {
		w.facilities[id] = drawLevel(t, id)
	}
	return w
}

func drawLevel(t *rapid.T, name string) level {
	l := level{map[string]span{}, map[string]span{}, nil}
	boundary := rapid.Ptr(rapid.Map(rapid.IntRange(0, last/2), func(i int) int { return 2 * i }), true)
	for _, module := range modules {
		// One module in both maps of one level is a mistake, but not one that
		// this package judges: there, the revocation is the stronger.
		for _, adjustments := range []map[string]span{l.grants, l.revocations} {
			if rapid.IntRange(0, 2).Draw(t, name+" adjusts "+module) == 0 {
				adjustments[module] = span{boundary.Draw(t, "from"), boundary.Draw(t, "until")}
			}
		}
	}
	if rapid.IntRange(0, 3).Draw(t, name+" closed") == 0 {
		l.closed = boundary.Draw(t, "on")
	}
	return l
}

// catalogue returns the world's catalogue.
func (w *world) catalogue(t *rapid.T) *catalog.Catalog {
	data := catalog.Data{Editions: []catalog.Edition{{Key: editionKey("hospital")}}}
	for _, module := range modules {
		data.Modules = append(data.Modules, catalog.Module{Key: moduleKey(module), EHR: ehrModule(inEHR(module))})
	}
	for _, module := range w.edition {
		data.Editions[0].Modules = append(data.Editions[0].Modules, moduleKey(module))
	}
	c, err := catalog.New(data)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// declared returns the world as a declaration. Each statement bears a line of
// its own.
func (w *world) declared() *catalog.Tenant {
	line := 0
	pos := func() catalog.Position { line++; return catalog.Position{File: "t.cue", Line: line} }
	adjustments := func(given map[string]span) []catalog.Adjustment {
		var list []catalog.Adjustment
		for _, module := range modules {
			if s, ok := given[module]; ok {
				list = append(list, catalog.Adjustment{Module: moduleKey(module), Span: s.declared(), Pos: pos()})
			}
		}
		return list
	}
	tombstone := func(on *int) *catalog.Tombstone {
		if on == nil {
			return nil
		}
		return &catalog.Tombstone{On: hour(*on), Pos: pos()}
	}
	t := &catalog.Tenant{
		Edition: editionKey("hospital"), EditionPos: pos(),
		Grants: adjustments(w.tenant.grants), Revocations: adjustments(w.tenant.revocations), Closed: tombstone(w.tenant.closed),
	}
	for _, id := range []string{"annex", "main"} {
		if f, ok := w.facilities[id]; ok {
			t.Facilities = append(t.Facilities, catalog.Facility{
				ID: facilityID(id), Grants: adjustments(f.grants), Revocations: adjustments(f.revocations), Closed: tombstone(f.closed),
			})
		}
	}
	return t
}

func (s span) declared() catalog.Span {
	var declared catalog.Span
	if s.from != nil {
		declared.From = hour(*s.from)
	}
	if s.until != nil {
		declared.Until = hour(*s.until)
	}
	return declared
}

func TestRowsAreWhatTheContractSaysAtAnyTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		c, tenant := w.catalogue(t), w.declared()
		for at := -1; at <= last+1; at++ {
			var want []catalog.Row
			for i := range tenant.Facilities {
				f := &tenant.Facilities[i]
				held := c.Holds(tenant, f, hour(at))
				for _, module := range modules {
					holds := w.holds(f.ID.String(), module, at)
					if index, _ := c.IndexOf(moduleKey(module)); held.Has(index) != holds {
						t.Fatalf("%s holds %s at %d: %t, want %t", f.ID, module, at, !holds, holds)
					}
					if holds {
						want = append(want, catalog.Row{Facility: f.ID, Module: ehrModule(inEHR(module))})
					}
				}
			}
			same(t, fmt.Sprintf("Rows at %d", at), catalog.NewRows(want), c.Rows(tenant, hour(at)))
		}
	})
}

// For every module, the cause agrees with what is held, and it is the strongest
// statement that is in force.
func TestTheCauseIsTheStrongestStatementInForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		c, tenant := w.catalogue(t), w.declared()
		at := rapid.IntRange(-1, last+1).Draw(t, "at")
		for i := range tenant.Facilities {
			f := &tenant.Facilities[i]
			for _, module := range append(modules, "unheard-of") {
				got := c.Cause(tenant, f, moduleKey(module), hour(at))
				if want := w.holds(f.ID.String(), module, at); got.Held != want {
					t.Fatalf("the cause says that %s holds %s at %d: %t, want %t", f.ID, module, at, got.Held, want)
				}
				want := strongest(tenant, f, module, hour(at))
				if got.Held = false; got != want {
					t.Fatalf("the cause of %s at %s at %d is %+v, want %+v", module, f.ID, at, got, want)
				}
			}
		}
	})
}

// strongest returns the cause that all of the tenant's statements together
// amount to, from the weakest up. It leaves Held out.
func strongest(t *catalog.Tenant, f *catalog.Facility, module string, at time.Time) catalog.Cause {
	cause := catalog.Cause{Origin: catalog.FromEdition, Pos: t.EditionPos}
	statements := func(origin catalog.Origin, lists ...[]catalog.Adjustment) {
		for _, list := range lists {
			for i := range list {
				if a := &list[i]; a.Module.String() == module && a.Contains(at) {
					cause = catalog.Cause{Origin: origin, Adjustment: a, Pos: a.Pos}
				}
			}
		}
	}
	tombstone := func(origin catalog.Origin, c *catalog.Tombstone) {
		if c != nil && !at.Before(c.On) {
			cause = catalog.Cause{Origin: origin, Tombstone: c, Pos: c.Pos}
		}
	}
	statements(catalog.FromTenant, t.Grants, t.Revocations)
	statements(catalog.FromFacility, f.Grants, f.Revocations)
	tombstone(catalog.FromFacilityTombstone, f.Closed)
	tombstone(catalog.FromTenantTombstone, t.Closed)
	return cause
}

// Between two boundaries nothing changes, and nothing changes anywhere else.
func TestWhatIsHeldChangesOnlyAtBoundaries(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		c, tenant := w.catalogue(t), w.declared()
		for i := range tenant.Facilities {
			f := &tenant.Facilities[i]
			boundaries := tenant.Boundaries(f)
			spans := catalog.Spans(boundaries)
			if len(spans) != len(boundaries)+1 {
				t.Fatalf("%d spans of %d boundaries", len(spans), len(boundaries))
			}
			for at := -1; at <= last+1; at++ {
				in := slices.IndexFunc(spans, func(s catalog.Span) bool { return s.Contains(hour(at)) })
				if in < 0 || slices.ContainsFunc(spans[in+1:], func(s catalog.Span) bool { return s.Contains(hour(at)) }) {
					t.Fatalf("%d is not in just one of %v", at, spans)
				}
				if !c.Holds(tenant, f, hour(at)).Equal(c.Holds(tenant, f, spans[in].Instant())) {
					t.Fatalf("%s holds something else at %d than elsewhere %s", f.ID, at, spans[in])
				}
			}
		}
	})
}

func TestAllBoundariesAreThoseOfEachFacility(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tenant := drawWorld(t).declared()
		var want []time.Time
		for i := range tenant.Facilities {
			want = append(want, tenant.Boundaries(&tenant.Facilities[i])...)
		}
		slices.SortFunc(want, time.Time.Compare)
		want = slices.CompactFunc(want, time.Time.Equal)
		if got := tenant.AllBoundaries(); !slices.EqualFunc(got, want, time.Time.Equal) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}
