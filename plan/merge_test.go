package plan_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
)

// must is for values that the tests themselves write.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func module(name string) catalog.ModuleKey     { return must(catalog.ParseModuleKey(name)) }
func facility(name string) catalog.FacilityID  { return must(catalog.ParseFacilityID(name)) }
func day(text string) time.Time                { return must(time.Parse(time.DateOnly, text)) }
func stamp(revision int64) catalog.Stamp       { return catalog.Stamp{Revision: revision, ETag: `"tag"`} }
func at(file string, n int) catalog.Position   { return catalog.Position{File: file, Line: n, Col: 1} }
func tenantID(name string) catalog.TenantID    { return must(catalog.ParseTenantID(name)) }
func environment(n string) catalog.Environment { return must(catalog.ParseEnvironment(n)) }

// testCatalog has an edition "basic" of register and labs (lab in the EHR's
// words), and ward and theatre beside it. ward is critical.
func testCatalog() *catalog.Catalog {
	m := func(key, ehr string, critical bool) catalog.Module {
		return catalog.Module{Key: module(key), EHR: must(catalog.ParseEHRModule(ehr)), Name: key, Routes: []string{"/" + key}, Critical: critical}
	}
	return must(catalog.New(catalog.Data{
		Modules: []catalog.Module{m("register", "register", false), m("labs", "lab", false), m("ward", "ward", true), m("theatre", "theatre", false)},
		Editions: []catalog.Edition{{
			Key: must(catalog.ParseEditionKey("basic")), Name: "Basic", Limits: catalog.NoLimits,
			Modules: []catalog.ModuleKey{module("labs"), module("register")},
		}},
	}))
}

// tenant is one of edition basic with facilities a and b.
func tenant() *catalog.Tenant {
	return &catalog.Tenant{
		ID: tenantID("kisumu"), Edition: must(catalog.ParseEditionKey("basic")), EditionPos: at("t.cue", 3),
		Facilities: []catalog.Facility{{ID: facility("a")}, {ID: facility("b")}},
	}
}

// rows reads "a register, b lab".
func rows(text string) catalog.Rows {
	var list []catalog.Row
	for _, pair := range strings.Split(text, ", ") {
		if text == "" {
			break
		}
		f, m, _ := strings.Cut(pair, " ")
		list = append(list, catalog.Row{Facility: facility(f), Module: must(catalog.ParseEHRModule(m))})
	}
	return catalog.NewRows(list)
}

func live(text string) plan.Live {
	return plan.Live{Status: "active", Grant: catalog.Grant{Tenant: tenantID("kisumu"), Stamp: stamp(7), Rows: rows(text)}}
}

// build plans one tenant as of 2027-01-01.
func build(t *catalog.Tenant, l plan.Live, holds ...catalog.Hold) *plan.Plan {
	b := plan.NewBuilder(plan.Header{At: day("2027-01-01"), CreatedAt: day("2027-01-01"), ExpiresAt: day("2027-01-02"), Environment: environment("default"), Source: plan.Source{Commit: "c0ffee"}}, testCatalog(), holds)
	b.Add(must(b.Tenant(t, l)))
	return must(b.Plan())
}

// printed writes a plan's content on lines, for tests to compare.
func printed(p *plan.Plan) string {
	var b strings.Builder
	line := func(prefix string, c plan.Change) {
		fmt.Fprintf(&b, "%s%s %s %s (%s: %s) %s:%d\n", prefix, c.Action.Symbol(), c.Facility, c.EHRModule, c.Reason.Code, c.Reason.Text, c.Reason.File, c.Reason.Line)
	}
	for _, batch := range p.Batches {
		for _, c := range batch.Changes {
			line("", c)
		}
	}
	for _, e := range p.Scheduled {
		for _, c := range e.Changes {
			line("> "+catalog.FormatTime(e.At)+" ", c)
		}
	}
	for _, h := range p.Held {
		fmt.Fprintf(&b, "= %s %s %s (%s)\n", h.Tenant, h.Facility, h.EHRModule, h.Reason)
	}
	for _, r := range p.Refusals {
		fmt.Fprintf(&b, "! %s %s (%s)\n", r.Tenant, r.Facility, r.Code)
	}
	for _, u := range p.Unreadable {
		fmt.Fprintf(&b, "? %s (%s)\n", u.Tenant, u.Text)
	}
	return b.String()
}

const inStep = "a lab, a register, b lab, b register"

func TestPlan(t *testing.T) {
	grant := func(m string) catalog.Adjustment {
		return catalog.Adjustment{Module: module(m), Reason: "pilot", Ticket: "OPS-1", Pos: at("t.cue", 9)}
	}
	spanned := func(a catalog.Adjustment, from, until string) catalog.Adjustment {
		if from != "" {
			a.From = day(from)
		}
		if until != "" {
			a.Until = day(until)
		}
		return a
	}
	hold := catalog.Hold{Key: "H-1", Tenant: tenantID("kisumu"), Facility: facility("a"), Owner: "ann", Reason: "moving", Until: day("2027-02-01")}
	for _, c := range []struct {
		name   string
		tenant func(*catalog.Tenant)
		live   plan.Live
		holds  []catalog.Hold
		want   string
	}{
		{name: "what is in step is left alone", live: live(inStep)},
		{
			name: "a missing row of the edition is granted", live: live("a lab, a register, b register"),
			want: "+ b lab (edition-default: edition basic) t.cue:3\n",
		},
		{
			name: "a row that nothing gives is revoked", live: live(inStep + ", b theatre"),
			want: "- b theatre (not-in-edition: edition basic does not have it) t.cue:3\n",
		},
		{
			name: "removals stand first, then facilities, then modules", live: live("a register, a theatre, b ward"),
			want: "- a theatre (not-in-edition: edition basic does not have it) t.cue:3\n" +
				"- b ward (not-in-edition: edition basic does not have it) t.cue:3\n" +
				"+ a lab (edition-default: edition basic) t.cue:3\n" +
				"+ b lab (edition-default: edition basic) t.cue:3\n" +
				"+ b register (edition-default: edition basic) t.cue:3\n",
		},
		{
			name: "a tenant's grant says so", live: live(inStep + ", a ward"),
			tenant: func(t *catalog.Tenant) { t.Grants = []catalog.Adjustment{grant("ward")} },
			want:   "+ b ward (tenant-grant: a la carte, OPS-1: pilot) t.cue:9\n",
		},
		{
			name: "a facility's revocation beats the tenant's grant", live: live(inStep + ", a ward, b ward"),
			tenant: func(t *catalog.Tenant) {
				t.Grants = []catalog.Adjustment{grant("ward")}
				t.Facilities[1].Revocations = []catalog.Adjustment{grant("ward")}
			},
			want: "- b ward (facility-revocation: pilot, OPS-1) t.cue:9\n",
		},
		{
			name: "a grant that has ended says when", live: live(inStep + ", a ward, b ward"),
			tenant: func(t *catalog.Tenant) { t.Grants = []catalog.Adjustment{spanned(grant("ward"), "", "2027-01-01")} },
			want: "- a ward (grant-expired: granted until 2027-01-01, OPS-1: pilot) t.cue:9\n" +
				"- b ward (grant-expired: granted until 2027-01-01, OPS-1: pilot) t.cue:9\n",
		},
		{
			name: "what comes and goes later is scheduled", live: live(inStep),
			tenant: func(t *catalog.Tenant) {
				t.Facilities[0].Grants = []catalog.Adjustment{spanned(grant("ward"), "2027-02-01", "2027-03-01")}
			},
			want: "> 2027-02-01 + a ward (grant-begins: a la carte, OPS-1: pilot) t.cue:9\n" +
				"> 2027-03-01 - a ward (grant-expired: granted until 2027-03-01, OPS-1: pilot) t.cue:9\n",
		},
		{
			name: "a closed facility loses its rows", live: live(inStep),
			tenant: func(t *catalog.Tenant) {
				t.Facilities[1].Closed = &catalog.Tombstone{Reason: "sold", On: day("2027-01-01"), Pos: at("t.cue", 5)}
			},
			want: "- b lab (facility-closed: sold) t.cue:5\n- b register (facility-closed: sold) t.cue:5\n",
		},
		{
			name: "a closed tenant loses all, and not before its day", live: live(inStep),
			tenant: func(t *catalog.Tenant) {
				t.Closed = &catalog.Tombstone{Reason: "gone", On: day("2027-01-02"), Pos: at("t.cue", 5)}
			},
			want: "> 2027-01-02 - a lab (tenant-closed: gone) t.cue:5\n> 2027-01-02 - a register (tenant-closed: gone) t.cue:5\n" +
				"> 2027-01-02 - b lab (tenant-closed: gone) t.cue:5\n> 2027-01-02 - b register (tenant-closed: gone) t.cue:5\n",
		},
		{
			name: "rows that are not ours are held by name", live: live(inStep + ", a legacy, z register"),
			want: "= kisumu a legacy (unknown-module)\n= kisumu z register (unknown-facility)\n",
		},
		{
			name: "a hold keeps rows as they are, both ways", live: live("a register, a theatre, b lab, b register, b theatre"),
			holds: []catalog.Hold{hold},
			want: "- b theatre (not-in-edition: edition basic does not have it) t.cue:3\n" +
				"= kisumu a lab (hold)\n= kisumu a theatre (hold)\n",
		},
		{
			name: "a hold of one module holds that one", live: live("a theatre, a ward, b lab, b register"),
			holds: []catalog.Hold{{Key: "H", Tenant: tenantID("kisumu"), Modules: []catalog.ModuleKey{module("ward")}, Until: day("2027-02-01")}},
			want: "- a theatre (not-in-edition: edition basic does not have it) t.cue:3\n" +
				"+ a lab (edition-default: edition basic) t.cue:3\n+ a register (edition-default: edition basic) t.cue:3\n" +
				"= kisumu a ward (hold)\n",
		},
		{
			name: "a hold that has ended holds no longer", live: live(inStep + ", a theatre"),
			holds: []catalog.Hold{{Key: "H", Tenant: tenantID("kisumu"), Until: day("2027-01-01")}},
			want:  "- a theatre (not-in-edition: edition basic does not have it) t.cue:3\n",
		},
		{
			name: "a hold keeps what is scheduled before its end, and no longer", live: live(inStep),
			tenant: func(t *catalog.Tenant) {
				t.Facilities[0].Grants = []catalog.Adjustment{spanned(grant("ward"), "2027-01-15", "2027-03-01")}
			},
			holds: []catalog.Hold{hold},
			want:  "> 2027-03-01 - a ward (grant-expired: granted until 2027-03-01, OPS-1: pilot) t.cue:9\n",
		},
		{name: "a suspended tenant is held", live: plan.Live{Status: plan.StatusSuspended}, want: "= kisumu   (suspended)\n"},
		{name: "a locked tenant is held", live: plan.Live{Status: plan.StatusLocked}, want: "= kisumu   (locked)\n"},
		{name: "a tenant of a status that nobody here knows is held", live: plan.Live{Status: "archived"}, want: "= kisumu   (unknown-status)\n"},
		{name: "nothing is planned for what could not be read", live: plan.Live{Unreadable: "it answers 503"}, want: "? kisumu (it answers 503)\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			declared := tenant()
			if c.tenant != nil {
				c.tenant(declared)
			}
			p := build(declared, c.live, c.holds...)
			if diff := cmp.Diff(c.want, printed(p)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestSummaryCountsWhatThePlanHolds(t *testing.T) {
	b := plan.NewBuilder(plan.Header{At: day("2027-01-01"), Environment: environment("default")}, testCatalog(), nil)
	first := tenant()
	first.Grants = []catalog.Adjustment{{Module: module("ward"), Span: catalog.Span{Until: day("2027-06-01")}}}
	b.Add(must(b.Tenant(first, live("a lab, a register, a theatre, b lab, b register, b legacy"))))
	second := tenant()
	second.ID = tenantID("second")
	second.Admins = []catalog.Admin{{Name: "A", Email: "a@example.org"}}
	b.Add(must(b.Tenant(second, live("a lab, a register, b lab, b register"))))
	p := must(b.Plan())
	want := plan.Summary{Blocked: 1, Facilities: 2, Grant: 2, Held: 1, Revoke: 1, Scheduled: 1, Tenants: 1}
	if diff := cmp.Diff(want, p.Summary); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	requires := []plan.Requirement{{Approvals: 1, Capability: "entitlements.write", Tenants: []string{"kisumu"}}}
	if diff := cmp.Diff(requires, p.Requires); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestBatchDigestIsThatOfItsLines(t *testing.T) {
	p := build(tenant(), live("a register, a theatre, b lab, b register"))
	want := plan.Lines{
		"charter batch v1", "environment default", "tenant kisumu", "subject entitlements", `base 7 "tag"`,
		"- a theatre", "+ a lab",
	}
	lines := must(p.Lines(&p.Batches[0]))
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if p.Batches[0].Digest != want.Digest() {
		t.Errorf("digest %s, want %s", p.Batches[0].Digest, want.Digest())
	}
}

// TestApplyingAPlanLeadsToWhatIsDeclared holds the merge to its purpose: the live
// rows with a batch's changes are what is declared, and what is not ours stays.
func TestApplyingAPlanLeadsToWhatIsDeclared(t *testing.T) {
	facilities := []string{"a", "b", "z"}
	modules := []string{"register", "lab", "ward", "theatre", "legacy"}
	rapid.Check(t, func(rt *rapid.T) {
		var list []catalog.Row
		for _, f := range facilities {
			for _, m := range modules {
				if rapid.Bool().Draw(rt, f+" "+m) {
					list = append(list, rows(f + " " + m)[0])
				}
			}
		}
		declared := tenant()
		for _, m := range []string{"register", "labs", "ward", "theatre"} {
			switch rapid.IntRange(0, 2).Draw(rt, "tenant "+m) {
			case 1:
				declared.Grants = append(declared.Grants, catalog.Adjustment{Module: module(m)})
			case 2:
				declared.Revocations = append(declared.Revocations, catalog.Adjustment{Module: module(m)})
			}
		}
		before := catalog.NewRows(list)
		l := live("")
		l.Grant.Rows = before
		p := build(declared, l)
		after := before
		for _, b := range p.Batches {
			revoked, granted, err := plan.Rows(b.Changes)
			if err != nil {
				rt.Fatal(err)
			}
			if len(revoked.Minus(before)) > 0 || len(granted.Minus(granted.Minus(before))) > 0 {
				rt.Fatal("a change says what is so already")
			}
			after = after.Minus(revoked).Union(granted)
		}
		want := testCatalog().Rows(declared, day("2027-01-01"))
		for _, row := range before {
			if row.Facility.String() == "z" || row.Module.String() == "legacy" {
				want = want.Union(catalog.Rows{row})
			}
		}
		if diff := cmp.Diff(fmt.Sprint(want), fmt.Sprint(after)); diff != "" {
			rt.Fatalf("-want +got:\n%s", diff)
		}
	})
}
