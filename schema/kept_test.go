package schema_test

import (
	"io/fs"
	"maps"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/veonahealth/charter/schema"
)

const (
	siaya   = "tenants/west/siaya/t.cue"
	homabay = "tenants/west/homabay/t.cue"
)

// several is a fleet with tenants of each kind: plain, sharing, importing.
func several(t *testing.T) fstest.MapFS {
	plain := func(id, more string) string {
		return "package fleet\n" + more + "\ntenant: {id: \"" + id + "\", name: \"N\", organisation: \"lakeside\", edition: \"clinic\", facilities: main: name: \"M\"}\n"
	}
	return fleet(t, map[string]string{
		"tenants/west/shared.cue": "package fleet\n_reason: \"pilot\"\n",
		siaya:                     plain("siaya", "tenant: grants: telehealth: reason: _reason"),
		homabay:                   plain("homabay", "import \"veonahealth.com/fleet/lib\"\ntenant: grants: telehealth: reason: lib.reason"),
		"lib/lib.cue":             "package lib\nimport \"veonahealth.com/fleet/lib/deep\"\nreason: deep.reason\n",
		"lib/deep/deep.cue":       "package deep\nreason: \"pilot\"\n",
	})
}

func replaced(files fstest.MapFS, name, old, new string) fstest.MapFS {
	return with(files, name, strings.Replace(string(files[name].Data), old, new, 1))
}

// Each change evaluates what it may change and nothing else, on a file system
// that knows hashes and on one that does not, and what is kept says the same as
// what is evaluated.
func TestAChangeEvaluatesWhatItMayChange(t *testing.T) {
	files := several(t)
	for name, c := range map[string]struct {
		changed   fstest.MapFS
		o         schema.Options
		evaluated int
		forgets   int // how many of what was kept before are not kept any more
	}{
		"nothing":                       {changed: files},
		"a plain tenant":                {changed: replaced(files, kisumu, "Kisumu County", "Kisumu"), evaluated: 1},
		"a further file of a tenant":    {changed: with(files, "tenants/kisumu/more.cue", "package fleet\n"), evaluated: 1},
		"a file's name":                 {changed: moved(files, siaya, "tenants/west/siaya/s.cue"), evaluated: 1},
		"a directory":                   {changed: moved(files, siaya, "tenants/siaya/t.cue"), evaluated: 1},
		"a plain directory":             {changed: moved(files, kisumu, "tenants/east/kisumu/tenant.cue"), evaluated: 1},
		"a shared file":                 {changed: replaced(files, "tenants/west/shared.cue", "pilot", "wanted"), evaluated: 2},
		"a shared file at the top":      {changed: with(files, "shared.cue", "package fleet\n_x: 1\n"), evaluated: 3},
		"an imported package":           {changed: replaced(files, "lib/lib.cue", "deep.reason", `deep.reason + "!"`), evaluated: 1, forgets: 1},
		"a package that one imports":    {changed: replaced(files, "lib/deep/deep.cue", "pilot", "wanted"), evaluated: 1, forgets: 1},
		"what fleet.cue says":           {changed: replaced(files, "fleet.cue", "schema.#Tenant", `schema.#Tenant & {hosting: "cloud"}`), evaluated: 3},
		"a comment in fleet.cue":        {changed: with(files, "fleet.cue", string(files["fleet.cue"].Data)+"// more\n")},
		"the catalogue":                 {changed: replaced(files, "catalog/catalog.cue", "beds: 10", "beds: 11")},
		"an organisation":               {changed: replaced(files, "organisations/lakeside.cue", "Trust", "Group")},
		"a file that is no declaration": {changed: with(files, "README.md", "more")},
		"a hold":                        {changed: with(files, "holds/h.cue", "package fleet\n")},
		"the program":                   {changed: files, o: schema.Options{Identity: "another"}, evaluated: 3},
		"the module":                    {changed: anotherModule(files), evaluated: 3},
	} {
		for way, fsOf := range ways() {
			kept := &memory{}
			if first := load(t, fsOf(files), schema.Options{Cache: kept, Identity: "one"}); first.fleet == nil || first.fleet.Evaluated != 3 {
				t.Fatalf("%s: %s: at first: %s", name, way, lines(first.problems))
			}
			o := c.o
			if o.Cache = kept; o.Identity == "" {
				o.Identity = "one"
			}
			got := load(t, fsOf(c.changed), o)
			if got.fleet == nil {
				t.Fatalf("%s: %s: %s", name, way, lines(got.problems))
			}
			if got.fleet.Evaluated != c.evaluated {
				t.Errorf("%s: %s: %d are evaluated, want %d", name, way, got.fleet.Evaluated, c.evaluated)
			}
			same(t, name+": "+way, load(t, c.changed, schema.Options{}).fleet, got.fleet)
			if again := load(t, fsOf(c.changed), o); again.fleet == nil || again.fleet.Evaluated != 0 {
				t.Errorf("%s: %s: loaded again, some are evaluated", name, way)
			}
			if back := load(t, fsOf(files), schema.Options{Cache: kept, Identity: "one"}); back.fleet == nil || back.fleet.Evaluated != c.forgets {
				t.Errorf("%s: %s: changed back, more or less than %d are evaluated", name, way, c.forgets)
			}
		}
	}
}

func ways() map[string]func(fstest.MapFS) fs.FS {
	return map[string]func(fstest.MapFS) fs.FS{
		"by hash":    func(files fstest.MapFS) fs.FS { return newHashed(files) },
		"by content": func(files fstest.MapFS) fs.FS { return files },
	}
}

func moved(files fstest.MapFS, from, to string) fstest.MapFS {
	files = maps.Clone(files)
	files[to] = files[from]
	delete(files, from)
	if strings.Contains(to, "tenants/siaya/") { // where nothing is shared with it
		files = replaced(files, to, "_reason", `"pilot"`)
	}
	return files
}

// anotherModule is the fleet as a module of another path.
func anotherModule(files fstest.MapFS) fstest.MapFS {
	files = maps.Clone(files)
	for name, f := range files {
		files[name] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(string(f.Data), "veonahealth.com/fleet", "example.org/fleet"))}
	}
	return files
}

// same holds a fleet that was kept in part against one that was evaluated.
func same(t *testing.T, what string, want, got *schema.Fleet) {
	t.Helper()
	if len(want.Tenants) != len(got.Tenants) {
		t.Fatalf("%s: %d tenants, want %d", what, len(got.Tenants), len(want.Tenants))
	}
	for i := range want.Tenants {
		if diff := cmp.Diff(tenant(t, want, i), tenant(t, got, i), opaque()); diff != "" {
			t.Errorf("%s (-evaluated +kept):\n%s", what, diff)
		}
		if want.Tenants[i].Dir != got.Tenants[i].Dir || want.Tenants[i].ID != got.Tenants[i].ID {
			t.Errorf("%s: tenant %s stands in %s", what, got.Tenants[i].ID, got.Tenants[i].Dir)
		}
	}
	if diff := cmp.Diff(want.Organisations, got.Organisations, opaque()); diff != "" {
		t.Errorf("%s: organisations (-evaluated +kept):\n%s", what, diff)
	}
	if diff := cmp.Diff(want.Warnings(now), got.Warnings(now)); diff != "" {
		t.Errorf("%s: warnings (-evaluated +kept):\n%s", what, diff)
	}
}

// What is kept is held against today's catalogue: what it makes wrong is found,
// and what it warned of is judged anew.
func TestAChangeOfTheCatalogueIsHeldAgainstWhatIsKept(t *testing.T) {
	files := several(t)
	for way, fsOf := range ways() {
		kept := &memory{}
		o := schema.Options{Cache: kept}
		load(t, fsOf(files), o)
		narrow := replaced(files, "catalog/catalog.cue", `telehealth: name: "Telehealth"`, `telehealth: {name: "Telehealth", requires: ["chart"]}`)
		problems := load(t, fsOf(narrow), o).problems
		if want := load(t, narrow, schema.Options{}).problems; lines(problems) != lines(want) || len(want) != 2 {
			t.Errorf("%s: got %s, want %s", way, lines(problems), lines(want))
		}
		wide := replaced(files, "catalog/catalog.cue", `modules: ["register", "labs"]`, `modules: ["register", "labs", "telehealth"]`)
		again := load(t, fsOf(wide), o)
		if again.fleet == nil || again.fleet.Evaluated != 0 {
			t.Fatalf("%s: %s", way, lines(again.problems))
		}
		if warnings := again.fleet.Warnings(now); len(warnings) != 2 || warnings[0].Code != schema.Redundant {
			t.Errorf("%s: warnings are %v", way, warnings)
		}
		wrong := replaced(files, "catalog/catalog.cue", `ehr_key: "lab"`, `ehr_key: "chart"`)
		for range 2 {
			if problems := load(t, fsOf(wrong), o).problems; len(problems) != 1 || problems[0].Code != schema.Mapper {
				t.Errorf("%s: got %s", way, lines(problems))
			}
		}
	}
}

// What organisations mean may come from packages that shared files import.
func TestOrganisationsAreNotKeptBeyondWhatTheyImport(t *testing.T) {
	for name, files := range map[string]fstest.MapFS{
		"by a shared file": fleet(t, map[string]string{
			"shared.cue": "package fleet\nimport \"veonahealth.com/fleet/lib\"\n_name: lib.name\n", "lib/lib.cue": "package lib\nname: \"Before\"\n",
			"organisations/more.cue": "package fleet\norganisations: shore: name: _name\n",
		}),
		"in a shared file": fleet(t, map[string]string{
			"lib/lib.cue": "package lib\n", "shared.cue": "package fleet\n_name: \"Before\"\n",
			"organisations/more.cue": "package fleet\norganisations: shore: name: _name\n",
		}),
		"by themselves": fleet(t, map[string]string{
			"shared.cue": "package fleet\n", "lib/lib.cue": "package lib\nname: \"Before\"\n",
			"organisations/more.cue": "package fleet\nimport \"veonahealth.com/fleet/lib\"\norganisations: shore: name: lib.name\n",
		}),
	} {
		kept := &memory{}
		o := schema.Options{Cache: kept}
		load(t, newHashed(files), o)
		changed := replaced(replaced(files, "lib/lib.cue", "Before", "After"), "shared.cue", "Before", "After")
		after := load(t, newHashed(changed), o).fleet
		if got := after.Organisations[1].Name; got != "After" {
			t.Errorf("%s: the name is %s", name, got)
		}
	}
}

// A directory whose hash is known is neither listed nor are its files read. Of a
// directory of directories the first is looked into, to know it for one.
func TestWhatIsKnownByItsHashIsNotAskedFor(t *testing.T) {
	files := several(t)
	kept := &memory{}
	load(t, newHashed(files), schema.Options{Cache: kept})
	again := newHashed(files)
	load(t, again, schema.Options{Cache: kept})
	for _, dir := range []string{"tenants/kisumu", "tenants/west/siaya", "organisations"} {
		if again.listed[dir] > 0 {
			t.Errorf("%s is listed %d times", dir, again.listed[dir])
		}
	}
	for _, name := range []string{kisumu, siaya, homabay, "organisations/lakeside.cue"} {
		if again.opened[name] > 0 {
			t.Errorf("%s is opened %d times", name, again.opened[name])
		}
	}
	if again.listed["tenants"] == 0 {
		t.Error("nothing is counted")
	}
}

// Whatever is damaged of what is kept, and however, a load says what it says.
func TestWhatIsKeptMayBeDamaged(t *testing.T) {
	files := several(t)
	want := load(t, files, schema.Options{}).fleet
	for name, damage := range map[string]func([]byte) []byte{
		"emptied":       func([]byte) []byte { return nil },
		"another thing": func([]byte) []byte { return []byte(`{"k": 7}`) },
		"cut in front":  func(value []byte) []byte { return value[len(value)/2:] },
		"null":          func([]byte) []byte { return []byte("null") },
	} {
		kept := &memory{}
		load(t, newHashed(files), schema.Options{Cache: kept})
		kept.values.Range(func(key, value any) bool {
			kept.values.Store(key, damage(value.([]byte)))
			return true
		})
		got := load(t, newHashed(files), schema.Options{Cache: kept})
		if got.fleet == nil {
			t.Errorf("%s: %s", name, lines(got.problems))
			continue
		}
		same(t, name, want, got.fleet)
	}
}
