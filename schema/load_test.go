package schema_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/schema"
)

func opaque() cmp.Option {
	return cmp.AllowUnexported(catalog.TenantID{}, catalog.OrganisationID{}, catalog.FacilityID{},
		catalog.EditionKey{}, catalog.ModuleKey{}, catalog.EHRModule{}, catalog.InstrumentKey{}, catalog.Environment{})
}

// placeless leaves out where things stand.
func placeless() cmp.Option {
	return cmp.Options{opaque(), cmpopts.IgnoreTypes(catalog.Position{}), cmpopts.EquateEmpty()}
}

// fields are those of a struct that is to be written as CUE.
type fields map[string]any

// set adds a field that is not empty.
func (f fields) set(name, value string) {
	if value != "" {
		f[name] = value
	}
}

func (f fields) at(name string, t time.Time) {
	if !t.IsZero() {
		f[name] = catalog.FormatTime(t)
	}
}

func adjustments(list []catalog.Adjustment) fields {
	f := fields{}
	for _, a := range list {
		one := fields{"reason": a.Reason}
		one.set("ticket", a.Ticket)
		one.at("from", a.From)
		one.at("until", a.Until)
		f[a.Module.String()] = one
	}
	return f
}

func (f fields) tombstone(c *catalog.Tombstone) {
	if c != nil {
		f["closed"] = fields{"reason": c.Reason, "on": catalog.FormatTime(c.On)}
	}
}

// written is a tenant as plain CUE.
func written(t *catalog.Tenant) string {
	encoded, err := json.MarshalIndent(asFields(t), "", "\t")
	if err != nil {
		panic(err) // every tenant has a form in JSON
	}
	return fmt.Sprintf("package fleet\n\ntenant: %s\n", encoded)
}

// flat are the lines of a tenant's file in which each says one value.
func flat(path string, value any) []string {
	below, ok := value.(fields)
	if !ok || len(below) == 0 {
		encoded, err := json.Marshal(value)
		if err != nil {
			panic(err) // every value of a tenant has a form in JSON
		}
		return []string{fmt.Sprintf("%s%s\n", path, encoded)}
	}
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(below)) {
		lines = append(lines, flat(fmt.Sprintf("%s%q: ", path, name), below[name])...)
	}
	return lines
}

func asFields(t *catalog.Tenant) fields {
	f := fields{
		"id": t.ID, "name": t.Name, "organisation": t.Organisation, "edition": t.Edition, "environment": t.Environment, "hosting": t.Hosting,
		"timezone": t.Timezone, "grants": adjustments(t.Grants), "revocations": adjustments(t.Revocations),
	}
	facilities, connect, staff, admins, limits := fields{}, fields{}, fields{}, fields{}, fields{}
	for _, at := range t.Facilities {
		one := fields{"name": at.Name, "beds": at.Beds, "users": at.Users, "storage_gb": at.StorageGB, "grants": adjustments(at.Grants), "revocations": adjustments(at.Revocations)}
		one.tombstone(at.Closed)
		facilities[at.ID.String()] = one
	}
	for _, c := range t.Connect {
		connect[c.Instrument.String()] = fields{"reason": c.Reason}
	}
	for _, s := range t.Staff {
		staff[s.Email] = fields{"name": s.Name, "role": s.Role, "facility": s.Facility}
	}
	for _, a := range t.Admins {
		one := fields{"name": a.Name}
		one.set("withdrawn", a.Withdrawn)
		admins[a.Email] = one
	}
	for _, l := range t.Limits {
		limits[l.Limit] = fields{"value": unlimited(l.Value), "reason": l.Reason}
	}
	if t.Licence != nil {
		one := fields{}
		one.at("not_before", t.Licence.NotBefore)
		one.at("expires", t.Licence.Expires)
		one.set("revoked", t.Licence.Revoked)
		f["licence"] = one
	}
	f.tombstone(t.Closed)
	maps.Copy(f, fields{"facilities": facilities, "connect": connect, "staff": staff, "admins": admins, "limits": limits})
	return f
}

func unlimited(value int64) any {
	if value == catalog.Unlimited {
		return nil
	}
	return value
}

func named[T any](t *rapid.T, parse func(string) (T, error), names ...string) T {
	value, err := parse(rapid.SampledFrom(names).Draw(t, "name"))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func drawText(t *rapid.T, what string) string {
	return rapid.StringMatching(`[^\pC\s]{1,3}[ \pL"\\()\n\t#]{0,8}`).Draw(t, what)
}

func drawTime(t *rapid.T, what string) time.Time {
	if rapid.Bool().Draw(t, "no "+what) {
		return time.Time{}
	}
	at := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, rapid.IntRange(-400, 400).Draw(t, what))
	return at.Add(rapid.SampledFrom([]time.Duration{0, 0, time.Hour, 1, 36*time.Hour + 123*time.Millisecond}).Draw(t, "hour"))
}

func drawSpan(t *rapid.T) catalog.Span {
	s := catalog.Span{From: drawTime(t, "from"), Until: drawTime(t, "until")}
	if !s.From.IsZero() && !s.Until.IsZero() && !s.Until.After(s.From) {
		s.Until = s.From.Add(time.Nanosecond)
	}
	return s
}

// drawLevel draws grants and revocations that do not contradict each other.
func drawLevel(t *rapid.T) (grants, revocations []catalog.Adjustment) {
	for _, module := range []string{"chart", "connect", "labs", "register", "telehealth", "theatre"} {
		a := catalog.Adjustment{Module: named(t, catalog.ParseModuleKey, module), Reason: drawText(t, "reason"), Span: drawSpan(t)}
		if rapid.Bool().Draw(t, "ticketed") {
			a.Ticket = drawText(t, "ticket")
		}
		switch rapid.IntRange(0, 4).Draw(t, "which") {
		case 0:
			grants = append(grants, a)
		case 1:
			revocations = append(revocations, a)
		}
	}
	return grants, revocations
}

func drawTombstone(t *rapid.T) *catalog.Tombstone {
	on := drawTime(t, "on")
	if on.IsZero() {
		return nil
	}
	return &catalog.Tombstone{Reason: drawText(t, "reason"), On: on}
}

func drawTenant(t *rapid.T) *catalog.Tenant {
	tenant := &catalog.Tenant{
		ID: named(t, catalog.ParseTenantID, "kisumu"), Name: drawText(t, "name"), Organisation: named(t, catalog.ParseOrganisationID, "lakeside"),
		Edition: named(t, catalog.ParseEditionKey, "clinic", "hospital"), Environment: catalog.DefaultEnvironment,
		Hosting:  rapid.SampledFrom([]catalog.Hosting{catalog.Cloud, catalog.OnPrem}).Draw(t, "hosting"),
		Timezone: rapid.SampledFrom([]string{"UTC", "Africa/Nairobi"}).Draw(t, "timezone"), Closed: drawTombstone(t),
	}
	tenant.Grants, tenant.Revocations = drawLevel(t)
	for _, id := range []string{"annex", "main"} {
		f := catalog.Facility{ID: named(t, catalog.ParseFacilityID, id), Name: drawText(t, "name"), Beds: rapid.Int64Range(0, 6).Draw(t, "beds"), Closed: drawTombstone(t)}
		f.Users, f.StorageGB = 2*f.Beds, 3*f.Beds
		f.Grants, f.Revocations = drawLevel(t)
		tenant.Facilities = append(tenant.Facilities, f)
	}
	if rapid.Bool().Draw(t, "connect") {
		tenant.Connect = []catalog.Connection{{Instrument: named(t, catalog.ParseInstrumentKey, "sysmex-xn-1000"), Reason: drawText(t, "reason")}}
	}
	for _, email := range []string{"a@example.org", "é+b@example.org"} {
		tenant.Staff = append(tenant.Staff, catalog.Staff{Email: email, Name: drawText(t, "name"), Role: "nurse", Facility: tenant.Facilities[0].ID})
		tenant.Admins = append(tenant.Admins, catalog.Admin{Email: email, Name: drawText(t, "name"), Withdrawn: rapid.SampledFrom([]string{"", "left"}).Draw(t, "withdrawn")})
	}
	if s := drawSpan(t); !s.Until.IsZero() {
		tenant.Licence = &catalog.Licence{NotBefore: s.From, Expires: s.Until}
	}
	for _, limit := range []string{"beds", "facilities", "storage_gb", "users"} {
		value := rapid.SampledFrom([]int64{catalog.Unlimited, 0, 2, 1000}).Draw(t, limit)
		tenant.Limits = append(tenant.Limits, catalog.LimitOverride{Limit: limit, Value: value, Reason: drawText(t, "reason")})
	}
	return tenant
}

// A tenant that is written down loads as the same tenant, or with mistakes that
// are those of the tenant and not of its form: plainly or by CUE itself it comes
// out alike, places included.
func TestATenantLoadsAsItIsWritten(t *testing.T) {
	base := fleet(t, nil)
	loaded := 0
	rapid.Check(t, func(rt *rapid.T) {
		want := drawTenant(rt)
		text := written(want)
		plain := load(t, with(base, kisumu, text), schema.Options{})
		byCUE := load(t, with(base, kisumu, text+"_x: 1\n"), schema.Options{})
		embedded := load(t, with(base, kisumu, strings.Replace(text, "tenant: ", "{tenant: ", 1)+"}\n"), schema.Options{})
		if len(plain.problems) != len(embedded.problems) {
			rt.Fatalf("%s: embedded, it gives %s", text, lines(embedded.problems))
		}
		if diff := cmp.Diff(plain.problems, byCUE.problems); diff != "" {
			rt.Fatalf("%s (-plain +CUE):\n%s", text, diff)
		}
		for _, p := range plain.problems {
			if !slices.Contains([]schema.Code{schema.Dependency, schema.OverLimit, schema.Incomplete}, p.Code) {
				rt.Fatalf("%s\n%v", text, plain.problems)
			}
		}
		if plain.fleet == nil {
			return
		}
		loaded++
		got := tenant(t, plain.fleet, 0)
		if diff := cmp.Diff(want, got, placeless()); diff != "" {
			rt.Fatalf("%s (-written +loaded):\n%s", text, diff)
		}
		if diff := cmp.Diff(got, tenant(t, byCUE.fleet, 0), opaque()); diff != "" {
			rt.Fatalf("%s (-plain +CUE):\n%s", text, diff)
		}
		if diff := cmp.Diff(plain.fleet.Warnings(now), byCUE.fleet.Warnings(now)); diff != "" {
			rt.Fatalf("%s warnings (-plain +CUE):\n%s", text, diff)
		}
	})
	if loaded == 0 {
		t.Error("not one tenant loaded")
	}
}

// What nobody wrote stands nowhere, whoever fills it in.
func TestDefaultsStandNowhere(t *testing.T) {
	base := fleet(t, nil)
	plain := load(t, base, schema.Options{})
	byCUE := load(t, with(base, kisumu, string(base[kisumu].Data)+"_x: 1\n"), schema.Options{})
	got := tenant(t, plain.fleet, 0)
	if diff := cmp.Diff(got, tenant(t, byCUE.fleet, 0), opaque()); diff != "" {
		t.Errorf("(-plain +CUE):\n%s", diff)
	}
	if !got.EnvironmentPos.IsZero() || got.OrganisationPos.Line != 6 {
		t.Errorf("the environment stands at %q, the organisation at %q", got.EnvironmentPos, got.OrganisationPos)
	}
}

// In whatever order its fields are written, and over how many files, a tenant is
// the same.
func TestTheOrderOfDeclarationsDoesNotMatter(t *testing.T) {
	base := fleet(t, nil)
	rapid.Check(t, func(rt *rapid.T) {
		declared := drawTenant(rt)
		want := load(t, with(base, kisumu, written(declared)), schema.Options{})
		shuffled := rapid.Permutation(flat("tenant: ", asFields(declared))).Draw(rt, "lines")
		cut := rapid.IntRange(0, len(shuffled)).Draw(rt, "cut")
		files := with(base, kisumu, "package fleet\n"+strings.Join(shuffled[:cut], ""))
		got := load(t, with(files, "tenants/kisumu/more.cue", "package fleet\n"+strings.Join(shuffled[cut:], "")), schema.Options{})
		if len(want.problems) != len(got.problems) {
			rt.Fatalf("got %s, want %s", lines(got.problems), lines(want.problems))
		}
		if want.fleet == nil {
			return
		}
		if diff := cmp.Diff(tenant(t, want.fleet, 0), tenant(t, got.fleet, 0), placeless()); diff != "" {
			rt.Fatalf("%s (-want +got):\n%s", shuffled, diff)
		}
	})
}

// Lists are sets: their order and what stands twice in them does not matter.
func TestListsOfModulesAreSets(t *testing.T) {
	f := load(t, fleet(t, map[string]string{
		"holds/h.cue":      "package fleet\nhold: h: {tenant: \"kisumu\", modules: [\"register\", \"chart\", \"register\"], owner: \"o\", reason: \"r\", until: \"2027-04-01\"}\n",
		"tests/t.cue":      "package fleet\ntest: t: {tenants: {}, has: [\"register\", \"chart\", \"chart\"]}\n",
		"catalog/more.cue": "package catalog\nmodules: ward: {name: \"W\", requires: [\"register\", \"chart\", \"register\"]}\n",
	}), schema.Options{}).fleet
	key, err := catalog.ParseModuleKey("ward")
	if err != nil {
		t.Fatal(err)
	}
	ward, _ := f.Catalog.IndexOf(key)
	for what, got := range map[string]any{"a hold": f.Holds[0].Modules, "a test": f.Tests[0].Has, "a module": f.Catalog.Module(ward).Requires} {
		if fmt.Sprint(got) != "[chart register]" {
			t.Errorf("%s names %v", what, got)
		}
	}
}

// with returns files with another text under one name.
func with(files fstest.MapFS, name, text string) fstest.MapFS {
	files = maps.Clone(files)
	files[name] = &fstest.MapFile{Data: []byte(text)}
	return files
}

func tenant(t *testing.T, f *schema.Fleet, i int) *catalog.Tenant {
	t.Helper()
	got, err := f.Tenants[i].Tenant()
	if err != nil {
		t.Fatal(err)
	}
	return got
}

const timely = `package fleet

tenant: {
	id: "kisumu", name: "Kisumu", organisation: "lakeside", edition: "hospital", hosting: "on-prem"
	facilities: main: {name: "Main", grants: theatre: {reason: "pilot", from: "2027-01-01", until: "2027-06-01"}}
	licence: {not_before: "2026-01-01", expires: "2028-01-01"}
	grants: telehealth: {reason: "pilot", until: "2027-03-01"}
	closed: {reason: "merged", on: "2029-01-01"}
}
`

// Whatever the time, a commit that loads loads: what time brings are warnings.
func TestNoMistakeComesFromTheClockAlone(t *testing.T) {
	files := fleet(t, map[string]string{
		kisumu:        timely,
		"holds/h.cue": "package fleet\nhold: h: {tenant: \"kisumu\", owner: \"o\", reason: \"r\", until: \"2027-04-01\"}\n",
	})
	r := load(t, files, schema.Options{})
	if r.fleet == nil {
		t.Fatal(lines(r.problems))
	}
	day := func(text string) time.Time {
		at, err := time.Parse(time.DateOnly, text)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for _, c := range []struct {
		message     string
		code        schema.Code
		from, until time.Time // when it is warned of
	}{
		{"the grant of theatre to facility main ends on 2027-06-01", schema.Ending, day("2027-05-02"), day("2027-06-01")},
		{"the grant of theatre to facility main ended on 2027-06-01", schema.Ending, day("2027-06-01"), time.Time{}},
		{"the licence of tenant kisumu ends on 2028-01-01", schema.Ending, day("2027-12-02"), day("2028-01-01")},
		{"the licence of tenant kisumu ended on 2028-01-01", schema.Ending, day("2028-01-01"), time.Time{}},
		{"the grant of telehealth to tenant kisumu ends on 2027-03-01", schema.Ending, day("2027-01-30"), day("2027-03-01")},
		{"the grant of telehealth to tenant kisumu ended on 2027-03-01", schema.Ending, day("2027-03-01"), time.Time{}},
		{`hold "h" of tenant kisumu ended on 2027-04-01 and holds no longer; its owner is "o"`, schema.HoldEnded, day("2027-04-01"), time.Time{}},
	} {
		span := catalog.Span{From: c.from, Until: c.until}
		for at := day("2020-01-01"); at.Year() < 2035; at = at.Add(24 * time.Hour) {
			for _, at := range []time.Time{at.Add(-1), at} {
				warned := slices.ContainsFunc(r.fleet.Warnings(at), func(p schema.Problem) bool { return p.Message == c.message && p.Code == c.code })
				if warned != span.Contains(at) {
					t.Fatalf("%s: warned at %s is %t", c.message, at, warned)
				}
			}
		}
	}
	for at := day("1000-01-01"); at.Year() < 9000; at = at.AddDate(7, 1, 1) {
		for _, p := range r.fleet.Warnings(at) {
			if !strings.HasPrefix(string(p.Code), "CW") {
				t.Fatalf("at %s: %s", at, p.Code)
			}
		}
	}
}

func TestWarningsMayBeAskedForAgainAndAgain(t *testing.T) {
	r := load(t, fleet(t, map[string]string{kisumu: timely, "schema/schema.cue": "package schema\n"}), schema.Options{})
	later := now.AddDate(5, 0, 0)
	want := lines(r.fleet.Warnings(later))
	r.fleet.Warnings(now)
	if got := lines(r.fleet.Warnings(later)); got != want || got == "" {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestALoadThatIsCancelledGivesNoFleet(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if f, err := schema.Load(ctx, fleet(t, nil), schema.Options{}); f != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v", f, err)
	}
}

func TestProblemsTravelAsAnError(t *testing.T) {
	_, err := schema.Load(t.Context(), fleet(t, map[string]string{kisumu: "package fleet\n", "tenants/b/t.cue": "package fleet\n"}), schema.Options{})
	const want = `tenants/b/t.cue:1:1: field "tenant" is missing [CH0102], and 1 more`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if one := err.(schema.Problems)[:1]; one.Error() != strings.TrimSuffix(want, ", and 1 more") {
		t.Errorf("got %v", one)
	}
	if none := (schema.Problems{}); none.Error() != "no problems" {
		t.Errorf("got %v", none)
	}
}

func TestADigestSaysWhatThePolicyAndTheCatalogueAre(t *testing.T) {
	files := fleet(t, map[string]string{"policy/p.cue": "package policy\n", "environments.cue": "package fleet\nenvironments: default: {}\n"})
	before := load(t, files, schema.Options{}).fleet
	for name, moves := range map[string]struct{ policy, catalogue bool }{
		"policy/p.cue":        {true, false},
		"environments.cue":    {true, false},
		"catalog/catalog.cue": {false, true},
		"fleet.cue":           {false, false},
		kisumu:                {false, false},
	} {
		after := load(t, with(files, name, string(files[name].Data)+"// more\n"), schema.Options{}).fleet
		if moved := before.Policy != after.Policy; moved != moves.policy {
			t.Errorf("%s: the policy's digest moves: %t", name, moved)
		}
		if moved := before.Catalog.Digest() != after.Catalog.Digest(); moved != moves.catalogue {
			t.Errorf("%s: the catalogue's digest moves: %t", name, moved)
		}
	}
}

func TestACatalogueLoadsOnItsOwn(t *testing.T) {
	c, err := schema.LoadCatalog(catalog.DefaultFiles())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range c.Editions() {
		for index := range e.Set().All() {
			for _, needed := range c.Module(index).Needs() {
				if !e.Set().Has(needed) {
					t.Errorf("edition %s has %s without %s", e.Key, c.Module(index).Key, c.Module(needed).Key)
				}
			}
		}
	}
	if all, _ := c.Capabilities("super_admin"); len(c.Editions()) != 4 || len(all) == 0 || len(c.StaffRoles()) == 0 {
		t.Errorf("%d editions, capabilities %v, roles %v", len(c.Editions()), all, c.StaffRoles())
	}
	_, err = schema.LoadCatalog(fstest.MapFS{"c.cue": {Data: []byte("package catalog\nmodules: a: {name: \"A\", requires: [\"b\"]}\n")}})
	var problems schema.Problems
	if !errors.As(err, &problems) {
		t.Fatal(err)
	}
	expect(t, problems, `c.cue:2:36: unknown module "b" [CH0103]`)
}

// A catalogue that says nothing of roles has the product's own.
func TestRolesDefaultToTheProducts(t *testing.T) {
	c := load(t, fleet(t, nil), schema.Options{}).fleet.Catalog
	if _, ok := c.Capabilities("support"); !ok || !slices.Contains(c.StaffRoles(), "nurse") {
		t.Error("there is no support, or there are no nurses")
	}
	own := fleet(t, map[string]string{"catalog/roles.cue": "package catalog\nroles: porter: [\"audit.read\"]\nstaff_roles: [\"porter\"]\n"})
	c = load(t, own, schema.Options{}).fleet.Catalog
	if _, ok := c.Capabilities("support"); ok || slices.Contains(c.StaffRoles(), "nurse") {
		t.Error("there is support, or there are nurses")
	}
	if held, _ := c.Capabilities("porter"); !slices.Equal(held, []string{"audit.read"}) {
		t.Errorf("a porter holds %v", held)
	}
}
