package plan_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
)

// registryCatalog has the modules of testCatalog, and editions of one module that
// stand at lines of their own.
func registryCatalog() *catalog.Catalog {
	data := catalog.Data{}
	for _, m := range testCatalog().Modules() {
		data.Modules = append(data.Modules, *m)
	}
	edition := func(key, name string, line int, beds int64, modules ...catalog.ModuleKey) {
		limits := catalog.NoLimits
		limits.Beds = beds
		data.Editions = append(data.Editions, catalog.Edition{
			Key: must(catalog.ParseEditionKey(key)), Name: name, Modules: modules, Limits: limits, Pos: at("catalog.cue", line),
		})
	}
	edition("basic", "Basic", 3, 100, module("labs"), module("register"))
	edition("extra", "Extra", 4, catalog.Unlimited)
	return must(catalog.New(data))
}

func limits(beds int64) catalog.LiveLimits { return catalog.LiveLimits{Beds: &beds} }

// asDeclared are the editions of registryCatalog on a platform, and one more.
func asDeclared() map[string]catalog.LiveEdition {
	return map[string]catalog.LiveEdition{
		"basic": {Key: "basic", Name: "Basic", Modules: []string{"lab", "register"}, Limits: limits(100), Stamp: stamp(3)},
		"extra": {Key: "extra", Name: "Extra", Modules: []string{}, Stamp: stamp(1)},
		"older": {Key: "older", Name: "Older", Modules: []string{"legacy"}, Stamp: stamp(1)},
	}
}

func registryBuilder() *plan.Builder {
	return plan.NewBuilder(plan.Header{At: day("2027-01-01"), Environment: environment("default")}, registryCatalog(), nil)
}

func all(catalog.EditionKey) bool { return true }

func TestEditionsAreMadeAndEdited(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(map[string]catalog.LiveEdition)
		want   string
		body   string
	}{
		{name: "what is so, and what is not declared, is left alone", change: func(map[string]catalog.LiveEdition) {}},
		{
			name: "one that is not there is made", change: func(live map[string]catalog.LiveEdition) { delete(live, "basic") },
			want: "edition basic POST /registry/editions (nothing)\n" +
				"  + edition  basic \"\" -> \"Basic: lab register, limits.beds 100\" (new: the platform does not have the edition) catalog.cue:3\n",
			body: `{"key":"basic","limits":{"beds":100,"facilities":null,"storage_gb":null,"users":null},"modules":["lab","register"],"name":"Basic"}`,
		},
		{
			name: "what it loses stands before what it gains",
			change: func(live map[string]catalog.LiveEdition) {
				e := live["basic"]
				e.Modules, e.Name, e.Limits = []string{"legacy", "register", "ward"}, "Base", limits(50)
				e.Limits.Users = e.Limits.Beds
				live["basic"] = e
			},
			want: "edition basic PUT /registry/editions/basic (revision 3)\n" +
				"  ~ edition  modules \"legacy\" -> \"\" (changed: the catalogue says so) catalog.cue:3\n" +
				"  ~ edition  modules \"ward\" -> \"\" (changed: the catalogue says so) catalog.cue:3\n" +
				"  ~ edition  modules \"\" -> \"lab\" (changed: the catalogue says so) catalog.cue:3\n" +
				"  ~ edition  name \"Base\" -> \"Basic\" (changed: the catalogue says so) catalog.cue:3\n" +
				"  ~ edition  limits.beds \"50\" -> \"100\" (changed: the catalogue says so) catalog.cue:3\n" +
				"  ~ edition  limits.users \"50\" -> \"unlimited\" (changed: the catalogue says so) catalog.cue:3\n",
			body: `{"key":"basic","limits":{"beds":100,"facilities":null,"storage_gb":null,"users":null},"modules":["lab","register"],"name":"Basic"}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, live := registryBuilder(), asDeclared()
			c.change(live)
			for _, part := range must(b.Editions(live, all)) {
				b.Add(part)
			}
			p := must(b.Plan())
			if diff := cmp.Diff(c.want, steps(p)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if sent := bodies(p, plan.Edition); c.body != "" && (len(sent) != 1 || sent[0] != c.body) {
				t.Errorf("bodies %q, want %q", sent, c.body)
			}
			if _, err := plan.Decode(must(plan.Encode(p))); err != nil {
				t.Errorf("its file: %v", err)
			}
			if p.Summary.Tenants != 0 || len(p.Requires) > 0 && (p.Requires[0].Capability != "registry.write" || len(p.Requires[0].Tenants) > 0) {
				t.Errorf("summary %+v, requires %+v", p.Summary, p.Requires)
			}
		})
	}
}

func TestEditionsThatNobodyAsksForOrKnowsAreNotPlanned(t *testing.T) {
	for name, parts := range map[string][]plan.Part{
		"not wanted": must(registryBuilder().Editions(map[string]catalog.LiveEdition{}, func(catalog.EditionKey) bool { return false })),
		"not known":  must(registryBuilder().Editions(nil, all)),
	} {
		if len(parts) != 0 {
			t.Errorf("%s: %d parts", name, len(parts))
		}
	}
}

// TestAnEditedEditionIsTheReasonOfItsRows has rows that come and go with it, and
// others that do not.
func TestAnEditedEditionIsTheReasonOfItsRows(t *testing.T) {
	b, editions := registryBuilder(), asDeclared()
	e := editions["basic"]
	e.Modules = []string{"register", "theatre"}
	editions["basic"] = e
	for _, part := range must(b.Editions(editions, all)) {
		b.Add(part)
	}
	declared := tenant()
	declared.Facilities[1].Revocations = []catalog.Adjustment{{Module: module("labs"), Reason: "no room"}}
	l := live("a theatre, a ward, b lab, b register, b theatre")
	b.Add(must(b.Tenant(declared, l)))
	var got []string
	for _, batch := range must(b.Plan()).Batches {
		for _, c := range batch.Changes {
			if c.Kind == plan.KindRow {
				got = append(got, c.Action.Symbol()+" "+c.Facility+" "+c.EHRModule+" "+string(c.Reason.Code)+" "+c.Reason.Edition)
			}
		}
	}
	want := []string{
		"- a theatre edition-changed basic", "- a ward not-in-edition ", "- b lab facility-revocation ", "- b theatre edition-changed basic",
		"+ a lab edition-changed basic", "+ a register edition-default ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestOrganisationsAreMadeAndNamed(t *testing.T) {
	organisation := func(id, name string) catalog.Organisation {
		return catalog.Organisation{ID: must(catalog.ParseOrganisationID(id)), Name: name, Pos: at("o.cue", 2)}
	}
	closed := organisation("gone", "Gone")
	closed.Closed = &catalog.Tombstone{Reason: "merged", On: day("2027-01-01")}
	declared := []catalog.Organisation{organisation("even", "Even"), closed, organisation("named", "Named"), organisation("new", "New & more")}
	live := map[string]catalog.LiveOrganisation{
		"even": {ID: "even", Name: "Even"}, "named": {ID: "named", Name: "Called"}, "stranger": {ID: "stranger", Name: "Stranger"},
	}
	b := registryBuilder()
	for _, part := range must(b.Organisations(declared, live)) {
		b.Add(part)
	}
	p := must(b.Plan())
	want := `organisation named PUT /clients/named (other contents)
  ~ organisation  name "Called" -> "Named" (changed: declared so) o.cue:2
organisation new POST /clients (nothing)
  + organisation  new "" -> "New & more" (new: the platform does not have the organisation) o.cue:2
`
	if diff := cmp.Diff(want, steps(p)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if line, want := p.Batches[0].Base.Line(), "base "+plan.DigestOf([]byte(`{"id":"named","name":"Called"}`)).String(); line != want {
		t.Errorf("base line %q, want %q", line, want)
	}
	again := must(plan.Decode(must(plan.Encode(p))))
	if diff := cmp.Diff(want, steps(again)); diff != "" {
		t.Errorf("its file: -want +got:\n%s", diff)
	}
	if parts := must(registryBuilder().Organisations(declared, nil)); len(parts) != 0 {
		t.Errorf("%d parts where nothing is known", len(parts))
	}
}
