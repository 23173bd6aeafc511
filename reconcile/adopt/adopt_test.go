package adopt_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/adopt"
	"github.com/veonahealth/charter/schema"
	"github.com/veonahealth/charter/schema/write"
)

// now is the day of every reading here.
var now = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func must[T any](value T, err error) func(rapid.TB) T {
	return func(t rapid.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// imported is a reading that was declared, written, and evaluated again.
type imported struct {
	found *adopt.Declarations
	fleet *schema.Fleet
	plan  *plan.Plan
	dir   string
}

// adopted declares a reading as a new fleet.
func adopted(t rapid.TB, dir string, r *adopt.Reading) imported {
	t.Helper()
	i := imported{dir: dir}
	defaults := must(schema.LoadCatalog(catalog.DefaultFiles()))(t)
	i.found = must(adopt.Declare(r, adopt.Request{
		Base: &catalog.Desired{Catalog: defaults}, New: true, Environment: catalog.DefaultEnvironment, At: now, Owner: "Ann",
	}))(t)
	save(t, dir, slices.DeleteFunc(must(write.Layout())(t), func(f write.File) bool {
		return strings.HasPrefix(f.Path, "organisations/") || strings.HasPrefix(f.Path, "tenants/")
	}))
	save(t, dir, must(i.found.Files())(t))
	i.fleet = must(schema.Load(context.Background(), os.DirFS(dir), schema.Options{}))(t)
	i.plan = must(adopt.Prove(r, &i.fleet.Desired, catalog.DefaultEnvironment, now))(t)
	return i
}

func save(t rapid.TB, dir string, files []write.File) {
	t.Helper()
	for _, f := range files {
		name := filepath.Join(dir, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// changes are what a plan would do, as "tenant subject key: before → after".
func changes(p *plan.Plan) []string {
	list := []string{}
	for _, b := range p.Batches {
		for _, c := range b.Changes {
			list = append(list, fmt.Sprintf("%s %s %s %s%s: %s → %s", b.Tenant, b.Subject, c.Action, c.Facility, c.Key+c.Module, c.Before, c.After))
		}
	}
	return list
}

func tenantID(t rapid.TB, id string) catalog.TenantID { return must(catalog.ParseTenantID(id))(t) }

// rows reads "main register, main chart".
func rows(t rapid.TB, text string) catalog.Rows {
	t.Helper()
	var list []catalog.Row
	for _, pair := range strings.Split(text, ", ") {
		facility, module, _ := strings.Cut(pair, " ")
		list = append(list, catalog.Row{Facility: must(catalog.ParseFacilityID(facility))(t), Module: must(catalog.ParseEHRModule(module))(t)})
	}
	return catalog.NewRows(list)
}

func limit(n int64) *int64 { return &n }

// platform is one with an edition "basic" of register and chart, for five
// facilities and 100 beds, and an organisation "lakeside".
func platform(tenants ...adopt.Found) *adopt.Reading {
	slices.SortFunc(tenants, func(a, b adopt.Found) int { return a.ID.Compare(b.ID) })
	return &adopt.Reading{
		Editions: map[string]catalog.LiveEdition{
			"basic": {Key: "basic", Name: "Basic", Modules: []string{"chart", "register"}, Limits: catalog.LiveLimits{Facilities: limit(5), Beds: limit(100)}, Stamp: catalog.Stamp{Revision: 1, ETag: `"1"`}},
		},
		Organisations: map[string]catalog.LiveOrganisation{"lakeside": {ID: "lakeside", Name: "Lakeside"}},
		Tenants:       tenants,
	}
}

// tenant is one of edition basic with facilities, and the rows of live.
func tenant(t rapid.TB, id, live string, facilities ...string) adopt.Found {
	t.Helper()
	f := adopt.Found{ID: tenantID(t, id), Live: plan.Live{
		Status: plan.StatusActive, Tenant: &catalog.LiveTenant{ID: id, Name: "Tenant " + id, Organisation: "lakeside", Edition: "basic", Hosting: "cloud"},
		Grant:      catalog.Grant{Tenant: tenantID(t, id), Stamp: catalog.Stamp{Revision: 3, ETag: `"3"`}, Rows: rows(t, live)},
		Facilities: []catalog.LiveFacility{}, Instruments: []string{}, Admins: []catalog.LiveAdmin{}, Licences: []catalog.LiveLicence{},
	}}
	for _, facility := range facilities {
		f.Live.Facilities = append(f.Live.Facilities, catalog.LiveFacility{ID: facility, Name: "Site " + facility, Beds: 10})
	}
	return f
}

// declared is the declaration of a tenant.
func (i *imported) declared(t rapid.TB, id string) *catalog.Tenant {
	t.Helper()
	d := i.fleet.Tenant(tenantID(t, id))
	if d == nil {
		t.Fatalf("tenant %s is not declared; %v", id, i.found.Notes)
	}
	return must(d.Tenant())(t)
}

func keys(list []catalog.Adjustment) string {
	var names []string
	for _, a := range list {
		names = append(names, a.Module.String())
	}
	return strings.Join(names, " ")
}

func TestAModuleIsGrantedAtTheTenantWhereAllFacilitiesAgree(t *testing.T) {
	f := tenant(t, "kisumu", "a register, a rx, a scribe, b register, b scribe, b chart", "a", "b")
	f.Live.Grant.Rows = rows(t, "a register, a lab, a scribe, b register, b scribe")
	i := adopted(t, t.TempDir(), platform(f))
	got := i.declared(t, "kisumu")
	for _, c := range []struct {
		what, want string
		of         []catalog.Adjustment
	}{
		{"grants", "scribe", got.Grants}, {"revocations", "chart", got.Revocations},
		{"grants of a", "labs", got.Facilities[0].Grants}, {"revocations of a", "", got.Facilities[0].Revocations},
		{"grants of b", "", got.Facilities[1].Grants},
	} {
		if keys(c.of) != c.want {
			t.Errorf("%s: %s, want %s", c.what, keys(c.of), c.want)
		}
	}
	if got.Grants[0].Reason != "as found on 2026-11-22" {
		t.Errorf("reason %q", got.Grants[0].Reason)
	}
	if c := changes(i.plan); len(c) > 0 {
		t.Errorf("the plan changes %v", c)
	}
}

func TestTheBestFittingEditionIsTakenOnlyWhereThePlatformNamesNone(t *testing.T) {
	r := platform(tenant(t, "named", "a register, a lab, a rx", "a"), tenant(t, "unnamed", "a register, a lab, a rx", "a"))
	r.Editions["labs"] = catalog.LiveEdition{Key: "labs", Name: "Labs", Modules: []string{"lab", "register"}, Stamp: catalog.Stamp{Revision: 1, ETag: `"1"`}}
	r.Tenants[1].Live.Tenant.Edition = "gone"
	i := adopted(t, t.TempDir(), r)
	if got := i.declared(t, "named").Edition.String(); got != "basic" {
		t.Errorf("edition %s, want the platform's", got)
	}
	if got := i.declared(t, "unnamed").Edition.String(); got != "labs" {
		t.Errorf("edition %s, want the one that fits", got)
	}
	want := []string{"unnamed tenant change edition: gone → labs"}
	if got := changes(i.plan); !slices.Equal(got, want) {
		t.Errorf("the plan changes %v, want %v", got, want)
	}
}

func TestALicenceIsDeclaredSuchThatNoneIsIssued(t *testing.T) {
	prem := func(id string, l ...catalog.LiveLicence) adopt.Found {
		f := tenant(t, id, "a register, a telehealth", "a")
		f.Live.Tenant.Hosting, f.Live.Licences = "on-prem", append([]catalog.LiveLicence{}, l...)
		return f
	}
	allows := []catalog.LicensedModule{{Facility: "a", Module: "register"}, {Facility: "a", Module: "telehealth"}}
	valid := catalog.LiveLicence{ID: "l", State: "active", Expires: now.AddDate(1, 0, 0), Modules: allows, Limits: catalog.LiveLimits{Facilities: limit(5), Beds: limit(40)}, Terms: []byte("{}")}
	ended := valid
	ended.Expires = now.AddDate(-1, 0, 0)
	i := adopted(t, t.TempDir(), platform(prem("ended", ended), prem("none"), prem("valid", valid)))
	if got := i.declared(t, "valid"); !got.Licence.Expires.Equal(valid.Expires) || got.Licence.Revoked != "" || len(got.Limits) != 1 || got.Limits[0].Value != 40 {
		t.Errorf("licence %+v, limits %+v", got.Licence, got.Limits)
	}
	if got := i.declared(t, "none"); got.Licence.Revoked != "" || got.Licence.Expires.After(now) {
		t.Errorf("licence %+v, want one that has ended", got.Licence)
	}
	if c := changes(i.plan); len(c) > 0 {
		t.Errorf("the plan changes %v", c)
	}
}

func TestALicenceThatIsIssuedLaterIsNotRevoked(t *testing.T) {
	f := tenant(t, "none", "a register", "a")
	f.Live.Tenant.Hosting = "on-prem"
	r := platform(f)
	i := adopted(t, t.TempDir(), r)
	r.Tenants[0].Live.Licences = []catalog.LiveLicence{{ID: "l", State: "active", Expires: now.AddDate(1, 0, 0), Terms: []byte("{}")}}
	for _, at := range []time.Time{now, now.AddDate(0, 0, 1)} {
		if c := changes(must(adopt.Prove(r, &i.fleet.Desired, catalog.DefaultEnvironment, at))(t)); len(c) > 0 {
			t.Errorf("on %s the plan changes %v", at, c)
		}
	}
}

// TestWhatIsNotKnownIsNotDeclaredAsNotThere has readings that lack something which
// a plan would act upon, if it were declared as not there.
func TestWhatIsNotKnownIsNotDeclaredAsNotThere(t *testing.T) {
	for _, c := range []struct {
		name string
		lose func(*adopt.Reading)
		want string
	}{
		{"licences of a tenant on-prem", func(r *adopt.Reading) {
			r.Tenants[0].Live.Tenant.Hosting, r.Tenants[0].Live.Licences = "on-prem", nil
			r.Denied[adopt.ReadLicences] = true
		}, "the licences of on-prem tenants were not read: the token lacks license.read"},
		{"licences that are not offered", func(r *adopt.Reading) {
			r.Tenants[0].Live.Tenant.Hosting, r.Tenants[0].Live.Licences = "on-prem", nil
		}, "the platform does not offer them"},
		{"licences of none on-prem", func(r *adopt.Reading) { r.Tenants[0].Live.Licences, r.Denied[adopt.ReadLicences] = nil, true }, ""},
		{"instruments", func(r *adopt.Reading) { r.Tenants[0].Live.Instruments, r.Denied[adopt.ReadInstruments] = nil, true }, "the token lacks entitlements.read"},
		{"editions", func(r *adopt.Reading) { r.Editions, r.Denied[adopt.ReadEditions] = nil, true }, "the token lacks registry.read"},
		{"organisations", func(r *adopt.Reading) { r.Organisations, r.Denied[adopt.ReadOrganisations] = nil, true }, "the token lacks clients.read"},
		{"administrators", func(r *adopt.Reading) { r.Tenants[0].Live.Admins, r.Denied[adopt.ReadAdmins] = nil, true }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := platform(tenant(t, "kisumu", "a register", "a"))
			r.Denied = map[adopt.Capability]bool{}
			c.lose(r)
			defaults := must(schema.LoadCatalog(catalog.DefaultFiles()))(t)
			_, err := adopt.Declare(r, adopt.Request{
				Base: &catalog.Desired{Catalog: defaults}, New: true, Environment: catalog.DefaultEnvironment, At: now, Owner: "Ann",
			})
			var partial *adopt.PartialError
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (!errors.As(err, &partial) || !strings.Contains(err.Error(), c.want)):
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestWhatCannotBeDeclaredIsLeftOutAndNamed(t *testing.T) {
	unread := tenant(t, "unread", "a register", "a")
	unread.Live.Unreadable = "GET /tenants/unread/facilities: broken off"
	stray := tenant(t, "stray", "a register", "a")
	stray.Live.Tenant.Organisation = "Not An Id"
	odd := tenant(t, "odd", "a register", "a")
	odd.Live.Admins = []catalog.LiveAdmin{
		{Email: "grace@example.org", State: "active"}, {Email: "GRACE@example.org", State: "invited"},
		{Email: "gone@example.org", State: "withdrawn"}, {Email: "not an address", State: "invited"},
	}
	i := adopted(t, t.TempDir(), platform(unread, stray, odd, tenant(t, "empty", "a register")))
	var notes []string
	for _, n := range i.found.Notes {
		notes = append(notes, n.Tenant+": "+n.Text)
	}
	want := []string{
		"empty: left out: it has no facility yet",
		`odd: administrator "not an address" is not declared: that is no e-mail address`,
		`stray: left out: organisation id "Not An Id": want 1 to 63 of a-z, 0-9 and inner hyphens`,
		"unread: left out: its live state could not be read: GET /tenants/unread/facilities: broken off",
	}
	if !slices.Equal(notes, want) {
		t.Errorf("notes %q, want %q", notes, want)
	}
	if got := i.declared(t, "odd").Admins; len(got) != 1 || got[0].Email != "grace@example.org" {
		t.Errorf("administrators %+v", got)
	}
}

// TestWhateverAPlatformSaysIsDeclaredAsItIs imports platforms with hostile texts,
// numbers and rows that break rules. What is written is always without mistakes,
// and a plan of it changes no row; nothing else either, but for what a declaration
// cannot say.
func TestWhateverAPlatformSaysIsDeclaredAsItIs(t *testing.T) {
	root := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		dir := filepath.Join(root, fmt.Sprint(n))
		r, sayable := drawPlatform(t)
		i := adopted(t, dir, r)
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		for _, b := range i.plan.Batches {
			for _, c := range b.Changes {
				if c.Kind == plan.KindRow || sayable {
					t.Fatalf("the plan changes %v; %v", changes(i.plan), i.found.Notes)
				}
			}
		}
		if len(i.fleet.Tenants) != len(r.Tenants) {
			t.Fatalf("%d tenants are declared, want %d; %v", len(i.fleet.Tenants), len(r.Tenants), i.found.Notes)
		}
	})
}

// drawPlatform draws a platform, and reports whether all of it can be declared.
func drawPlatform(t *rapid.T) (r *adopt.Reading, sayable bool) {
	texts := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{`"`, `\(secret)`, "\"\"\"", "a\nb", "#\"", "x, beds: 9", "\u2028", "\x00", "// no comment", "'''"}))
	numbers := rapid.OneOf(rapid.Int64Range(0, 2000), rapid.SampledFrom([]int64{1_000_000_000_000}))
	if sayable = rapid.Bool().Draw(t, "sayable"); !sayable {
		numbers = rapid.OneOf(numbers, rapid.SampledFrom([]int64{-1, math.MinInt64, math.MaxInt64, 1_000_000_000_001}))
	}
	modules := []string{"register", "chart", "lab", "ward", "connect", "appointments", "live", "blood-bank", "telehealth", "scribe"}
	drawn := func(name string) string {
		text := texts.Draw(t, name)
		if sayable && strings.Trim(text, "\t\n\f\r ") == "" {
			return "named"
		}
		return text
	}
	var found []adopt.Found
	for i := range rapid.IntRange(1, 3).Draw(t, "tenants") {
		f := tenant(t, fmt.Sprintf("t%d", i), "a register")
		f.Live.Tenant.Name = drawn("name")
		f.Live.Status = rapid.SampledFrom([]plan.Status{plan.StatusActive, plan.StatusSuspended, plan.StatusLocked, "strange"}).Draw(t, "status")
		var list []catalog.Row
		for j := range rapid.IntRange(1, 3).Draw(t, "facilities") {
			id := fmt.Sprintf("f%d", j)
			f.Live.Facilities = append(f.Live.Facilities, catalog.LiveFacility{
				ID: id, Name: drawn("site"), Beds: numbers.Draw(t, "beds"), Users: numbers.Draw(t, "users"), StorageGB: numbers.Draw(t, "storage"),
			})
			for _, module := range rapid.SliceOfDistinct(rapid.SampledFrom(modules), rapid.ID[string]).Draw(t, "modules") {
				list = append(list, rows(t, id+" "+module)...)
			}
		}
		f.Live.Grant.Rows = catalog.NewRows(list)
		f.Live.Instruments = slices.Sorted(slices.Values(rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"sysmex-xn-1000", "acme-9"}), 0, 2, rapid.ID[string]).Draw(t, "instruments")))
		f.Live.Admins = append(f.Live.Admins, catalog.LiveAdmin{Email: texts.Draw(t, "email") + "@example.org", Name: texts.Draw(t, "admin"), State: "active"})
		found = append(found, f)
	}
	r = platform(found...)
	r.Organisations["lakeside"] = catalog.LiveOrganisation{ID: "lakeside", Name: drawn("organisation")}
	basic := r.Editions["basic"]
	basic.Name, basic.Limits.Beds = drawn("edition"), limit(numbers.Draw(t, "limit"))
	basic.Modules = slices.Sorted(slices.Values(rapid.SliceOfDistinct(rapid.SampledFrom(append(modules, "labs")), rapid.ID[string]).Draw(t, "edition modules")))
	r.Editions["basic"] = basic
	return r, sayable
}
