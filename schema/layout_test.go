package schema_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/format"
	cueload "cuelang.org/go/cue/load"

	"github.com/veonahealth/charter/schema"
	"github.com/veonahealth/charter/schema/write"
)

// layout is a new fleet as a file system.
func layout(t *testing.T) fstest.MapFS {
	t.Helper()
	files, err := write.Layout()
	if err != nil {
		t.Fatal(err)
	}
	tree := fstest.MapFS{}
	for _, f := range files {
		tree[f.Path] = &fstest.MapFile{Data: f.Data}
	}
	return tree
}

func TestANewFleetHasNoMistakesAndNoWarnings(t *testing.T) {
	r := load(t, layout(t), schema.Options{Sandbox: newSandbox(t, 1)})
	if r.fleet == nil {
		t.Fatal(lines(r.problems))
	}
	if len(r.fleet.Tenants) != 1 || len(r.fleet.Organisations) != 1 {
		t.Errorf("%d tenants of %d organisations", len(r.fleet.Tenants), len(r.fleet.Organisations))
	}
	for _, at := range []time.Time{now, now.AddDate(-20, 0, 0), now.AddDate(200, 0, 0)} {
		if warnings := r.fleet.Warnings(at); len(warnings) > 0 {
			t.Errorf("at %s: %s", at, lines(warnings))
		}
	}
}

func TestANewFleetIsFormattedAsCUEDoes(t *testing.T) {
	for name, f := range layout(t) {
		if !strings.HasSuffix(name, ".cue") {
			continue
		}
		formatted, err := format.Source(f.Data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !bytes.Equal(f.Data, formatted) {
			t.Errorf("%s is formatted as\n%s", name, formatted)
		}
	}
}

// The fleet to copy has the schema and the workflows that a new one has.
func TestTheExampleHasWhatANewFleetHas(t *testing.T) {
	for name, f := range layout(t) {
		if !strings.HasPrefix(name, ".") && !strings.HasPrefix(name, "schema/") {
			continue
		}
		if got, err := os.ReadFile(filepath.Join("..", "examples", "fleet", name)); err != nil || !bytes.Equal(got, f.Data) {
			t.Errorf("%s is not as charter init lays it out (%v)", name, err)
		}
	}
}

// vet judges a fleet as cue does that knows no charter.
func vet(t *testing.T, files fstest.MapFS) error {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, files); err != nil {
		t.Fatal(err)
	}
	var faults errors.Error
	for _, inst := range cueload.Instances([]string{"./..."}, &cueload.Config{Dir: dir, Env: []string{"CUE_REGISTRY=none", "HOME=" + filepath.Join(dir, "home")}}) {
		if inst.Err != nil {
			faults = errors.Append(faults, inst.Err)
			continue
		}
		if err := cuecontext.New().BuildInstance(inst).Validate(cue.Concrete(true), cue.All()); err != nil {
			faults = errors.Append(faults, errors.Promote(err, ""))
		}
	}
	if faults == nil {
		return nil
	}
	return faults
}

func TestANewFleetIsAcceptedByCUE(t *testing.T) {
	if err := vet(t, layout(t)); err != nil {
		t.Error(errors.Details(err, nil))
	}
}

// What the schema refuses cue refuses too, with no charter installed, and at any
// depth.
func TestAMistakeInANewFleetIsRefusedByCUE(t *testing.T) {
	for name, c := range map[string]struct{ file, old, new string }{
		"a field that there is not":       {"tenants/lakeside-clinic/tenant.cue", "edition:", "editoin:"},
		"one in a facility":               {"tenants/lakeside-clinic/tenant.cue", "beds:", "bed:"},
		"a facility's name":               {"tenants/lakeside-clinic/tenant.cue", "main:", `"Main Site":`},
		"a word that is none":             {"tenants/lakeside-clinic/tenant.cue", "facilities:", "hosting: \"cluod\"\n\tfacilities:"},
		"an organisation's field":         {"organisations/lakeside.cue", "name:", "nmae:"},
		"an edition without modules":      {"catalog/editions.cue", "modules: [\"register\", \"chart\", \"admin\", \"labs\", \"rx\"]\n", ""},
		"a module's field":                {"catalog/modules.cue", "routes:", "route:"},
		"a word of the policy":            {"policy/policy.cue", `commits: "none"`, `commits: "nobody"`},
		"a role that is given as a text":  {"catalog/roles.cue", `["*"]`, `"*"`},
		"an instrument without its words": {"catalog/instruments.cue", `, protocol: "dicom"`, ""},
	} {
		files := layout(t)
		changed := replaced(files, c.file, c.old, c.new)
		if bytes.Equal(changed[c.file].Data, files[c.file].Data) {
			t.Errorf("%s: nothing is changed", name)
		}
		if err := vet(t, changed); err == nil {
			t.Errorf("%s: cue accepts it", name)
		}
		problems := load(t, changed, schema.Options{}).problems
		if len(problems) == 0 || problems[0].Code != schema.Shape || problems[0].Pos.File != c.file {
			t.Errorf("%s: charter says %s", name, lines(problems))
		}
	}
}
