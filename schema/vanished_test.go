package schema_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/schema"
)

const standing = `package fleet

tenant: {
	id: "siaya", name: "Siaya", organisation: "lakeside", edition: "hospital"
	facilities: main: name: "Main"
	facilities: annex: name: "Annex"
	facilities: old: {name: "Old", closed: {reason: "moved", on: "2027-01-01"}}
	facilities: late: {name: "Late", closed: {reason: "moves", on: "2027-06-01"}}
	admins: "Grace@example.org": name: "Grace"
	admins: "left@example.org": {name: "L", withdrawn: "left"}
	licence: expires: "2030-01-01"
	grants: telehealth: reason: "pilot"
	connect: "sysmex-xn-1000": reason: "line"
}
`

// without returns lines but those that contain a text.
func without(lines, text string) string {
	var kept []string
	for line := range strings.Lines(lines) {
		if !strings.Contains(line, text) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

func vanished(t *testing.T, base, head map[string]string) string {
	t.Helper()
	problems, err := schema.Vanished(desired(t, base), desired(t, head), now)
	if err != nil {
		t.Fatal(err)
	}
	return picture(problems)
}

func desired(t *testing.T, files map[string]string) *catalog.Desired {
	t.Helper()
	r := load(t, fleet(t, files), schema.Options{})
	if r.fleet == nil {
		t.Fatal(lines(r.problems))
	}
	return &r.fleet.Desired
}

// CH0110: what was declared and is gone is a mistake, with its place; what is
// taken out of a file without being a thing of its own is a plain change.
func TestAbsenceIsNeverACommand(t *testing.T) {
	const shore = "organisations/shore.cue"
	base := map[string]string{siaya: standing, shore: "package fleet\norganisations: shore: name: \"Shore\"\n"}
	for name, c := range map[string]struct {
		head map[string]string
		want string
	}{
		"nothing": {base, ""},
		"an organisation": {map[string]string{siaya: standing},
			shore + `:2:16: organisation "shore" is gone without a tombstone; it stood here [CH0110]
	hint: put it back, and write organisations: "shore": closed: {reason: "…", on: "YYYY-MM-DD"}
`},
		"a tenant, and not its parts": {map[string]string{shore: base[shore]},
			siaya + `:3:1: tenant "siaya" is gone without a tombstone; it stood here [CH0110]
	hint: put it back, and write tenant: closed: {reason: "…", on: "YYYY-MM-DD"}
`},
		"a tenant's folder has moved": {map[string]string{"tenants/east/siaya/t.cue": standing, shore: base[shore]}, ""},
		"a facility": {map[string]string{siaya: without(standing, "annex"), shore: base[shore]},
			siaya + `:6:14: facility "annex" of tenant "siaya" is gone without a tombstone; it stood here [CH0110]
	hint: put it back, and write facilities: "annex": closed: {reason: "…", on: "YYYY-MM-DD"}
`},
		"a facility that another tenant has gained": {
			map[string]string{siaya: without(standing, "annex"), shore: base[shore], kisumu: strings.Replace(base0(t), "\tfacilities:", "\tfacilities: annex: name: \"Annex\"\n\tfacilities:", 1)},
			siaya + `:6:14: facility "annex" of tenant "siaya" is gone without a tombstone; it stood here [CH0110]
	tenants/kisumu/tenant.cue:8:14: tenant "kisumu" has a facility of this id now, which is another one
	hint: put it back, and write facilities: "annex": closed: {reason: "…", on: "YYYY-MM-DD"}
`},
		"a facility of an id that another tenant had before": {
			map[string]string{siaya: without(standing, "main"), shore: base[shore], kisumu: strings.Replace(base0(t), "Kisumu County", "Kisumu", 1)},
			siaya + `:5:14: facility "main" of tenant "siaya" is gone without a tombstone; it stood here [CH0110]
	hint: put it back, and write facilities: "main": closed: {reason: "…", on: "YYYY-MM-DD"}
`},
		"a facility whose day has come": {map[string]string{siaya: without(standing, "old:"), shore: base[shore]}, ""},
		"a facility whose day has not come": {map[string]string{siaya: without(standing, "late:"), shore: base[shore]}, siaya + `:8:14: facility "late" of tenant "siaya" is gone without a tombstone; it stood here [CH0110]
	hint: put it back, and write facilities: "late": closed: {reason: "…", on: "YYYY-MM-DD"}
`},
		"an admin": {map[string]string{siaya: without(standing, "Grace"), shore: base[shore]},
			siaya + `:9:10: admin "Grace@example.org" of tenant "siaya" is gone without a tombstone; it stood here [CH0110]
	hint: put them back, and write admins: "Grace@example.org": withdrawn: "…"
`},
		"an admin in another spelling": {map[string]string{siaya: strings.ReplaceAll(standing, "Grace@", "grace@"), shore: base[shore]}, ""},
		"an admin who was withdrawn":   {map[string]string{siaya: without(standing, "left"), shore: base[shore]}, ""},
		"a licence": {map[string]string{siaya: without(standing, "licence"), shore: base[shore]},
			siaya + `:11:2: the licence of tenant "siaya" is gone without a tombstone; it stood here [CH0110]
	hint: put it back, and write licence: revoked: "…"
`},
		"a grant":       {map[string]string{siaya: without(standing, "grants"), shore: base[shore]}, ""},
		"an instrument": {map[string]string{siaya: without(standing, "connect"), shore: base[shore]}, ""},
	} {
		t.Run(name, func(t *testing.T) { compare(t, "", c.want, vanished(t, base, c.head)) })
	}
}

func base0(t *testing.T) string {
	t.Helper()
	return string(fleet(t, nil)[kisumu].Data)
}

// A tombstone that was applied may be deleted with what it buried: a tenant's with
// all that the tenant was made of.
func TestATombstoneMayBeDeletedWithWhatItBuried(t *testing.T) {
	const shore = "organisations/shore.cue"
	closed := strings.Replace(standing, "\tid:", "\tclosed: {reason: \"merged\", on: \"2027-01-01\"}\n\tid:", 1)
	base := map[string]string{siaya: closed, shore: "package fleet\norganisations: shore: {name: \"Shore\", closed: {reason: \"sold\", on: \"2026-01-01\"}}\n"}
	compare(t, "all of it: ", "", vanished(t, base, nil))
	compare(t, "a part of it: ", "", vanished(t, base, map[string]string{siaya: without(closed, "annex")}))

	revoked := strings.Replace(standing, `expires: "2030-01-01"`, `{expires: "2030-01-01", revoked: "stolen"}`, 1)
	compare(t, "a licence: ", "", vanished(t, map[string]string{siaya: revoked}, map[string]string{siaya: without(revoked, "licence")}))
}

// A facility is judged on its own: its tombstone in the new commit comes too late
// for what is gone already, and one of the tenant does not stand for it.
func TestATombstoneOfTheNewCommitIsNoExcuse(t *testing.T) {
	closed := strings.Replace(without(standing, "annex"), "\tid:", "\tclosed: {reason: \"merged\", on: \"2027-01-01\"}\n\tid:", 1)
	if got := vanished(t, map[string]string{siaya: standing}, map[string]string{siaya: closed}); !strings.Contains(got, `facility "annex"`) {
		t.Errorf("got %s", got)
	}
}

// Whatever is taken out of a fleet is named, all of it and nothing else.
func TestWhatIsTakenOutIsNamed(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var base, head catalog.Desired
		want := 0
		for i := range rapid.IntRange(0, 4).Draw(rt, "tenants") {
			before := standingTenant(i, []string{"a", "b", "main"})
			facilities := rapid.SampledFrom([][]string{{"a", "b", "main"}, {"a", "main"}, {"b"}, {"main", "x"}}).Draw(rt, "facilities")
			base.Tenants = append(base.Tenants, declare(t, before))
			if rapid.Bool().Draw(rt, "stays") {
				head.Tenants = append(head.Tenants, declare(t, standingTenant(i, facilities)))
				for _, f := range before.Facilities {
					if !slices.Contains(facilities, f.ID.String()) {
						want++
					}
				}
			} else if want++; rapid.Bool().Draw(rt, "closed") {
				want--
				before.Closed = &catalog.Tombstone{Reason: "r", On: now}
				base.Tenants[len(base.Tenants)-1] = declare(t, before)
			}
		}
		got, err := schema.Vanished(&base, &head, now)
		if err != nil || len(got) != want {
			rt.Fatalf("got %d, %v, want %d", len(got), err, want)
		}
	})
}

func standingTenant(i int, facilities []string) *catalog.Tenant {
	id, err := catalog.ParseTenantID(fmt.Sprintf("t-%05d", i))
	if err != nil {
		panic(err) // the name is one
	}
	t := &catalog.Tenant{ID: id, Name: strings.Repeat("a name ", 60), Pos: catalog.Position{File: "tenants/" + id.String() + "/t.cue", Line: 1, Col: 1}}
	for line, name := range facilities {
		f, err := catalog.ParseFacilityID(name)
		if err != nil {
			panic(err) // the name is one
		}
		t.Facilities = append(t.Facilities, catalog.Facility{ID: f, Name: name, Pos: catalog.Position{File: t.Pos.File, Line: 2 + line, Col: 1}})
	}
	return t
}

func declare(t testing.TB, tenant *catalog.Tenant) catalog.Declaration {
	t.Helper()
	d, err := catalog.Declare(tenant, "tenants/"+tenant.ID.String())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A tenant that is encoded alike on both sides is not even decoded.
func TestWhatDidNotChangeIsNotDecoded(t *testing.T) {
	id := standingTenant(1, nil).ID
	broken := catalog.Declared(id, catalog.OrganisationID{}, catalog.Environment{}, "", []byte("no JSON"))
	same := &catalog.Desired{Tenants: []catalog.Declaration{broken}}
	if problems, err := schema.Vanished(same, same, now); err != nil || len(problems) > 0 {
		t.Errorf("got %v, %v", problems, err)
	}
	if _, err := schema.Vanished(same, &catalog.Desired{}, now); err == nil {
		t.Error("what changed is not decoded either")
	}
}

func BenchmarkVanished(b *testing.B) {
	var base catalog.Desired
	for i := range 10_000 {
		base.Tenants = append(base.Tenants, declare(b, standingTenant(i, []string{"a", "main"})))
	}
	head := catalog.Desired{Tenants: append([]catalog.Declaration{}, base.Tenants...)}
	head.Tenants[5000] = declare(b, standingTenant(5000, []string{"main"}))
	for b.Loop() {
		if problems, err := schema.Vanished(&base, &head, now); err != nil || len(problems) != 1 {
			b.Fatal(problems, err)
		}
	}
}

// CH0112: a key of the EHR that no module bears any more is a mistake while rows
// of it are live, and only then.
func TestAKeyThatIsLiveMustBeBorne(t *testing.T) {
	base := desired(t, nil).Catalog
	files := fleet(t, nil)
	without := load(t, with(files, "catalog/catalog.cue", strings.Replace(string(files["catalog/catalog.cue"].Data), `ehr_key: "lab"`, `ehr_key: "laboratory"`, 1)), schema.Options{}).fleet.Catalog
	row := func(facility, module string) catalog.Row {
		f, err := catalog.ParseFacilityID(facility)
		m, err2 := catalog.ParseEHRModule(module)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		return catalog.Row{Facility: f, Module: m}
	}
	live := func(yield func(catalog.TenantID, catalog.Rows) bool) {
		_ = yield(standingTenant(1, nil).ID, catalog.Rows{row("a", "chart"), row("a", "lab"), row("b", "lab")}) &&
			yield(standingTenant(2, nil).ID, catalog.Rows{row("a", "lab")}) &&
			yield(standingTenant(3, nil).ID, catalog.Rows{row("a", "unknown")})
	}
	const want = `catalog/catalog.cue:6:38: module "labs" was "lab" in the EHR, which no module of the catalogue is any more, while rows of it are live: 3, of 2 tenants, t-00001 among them [CH0112]
	hint: keep a module with ehr_key: "lab" until they are revoked
`
	compare(t, "", want, picture(schema.Unborne(without.Unborne(base, live))))
	if got := base.Unborne(base, live); len(got) > 0 {
		t.Errorf("every key is borne: got %v", got)
	}
	if got := without.Unborne(base, maps.All(map[catalog.TenantID]catalog.Rows{})); len(got) > 0 {
		t.Errorf("nothing is live: got %v", got)
	}
}
