package schema_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
	cueload "cuelang.org/go/cue/load"
	cueschema "cuelang.org/go/encoding/jsonschema"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/veonahealth/charter/schema"
)

// published are the JSON Schemas of files, as `cue export` gives them, by what the
// CUE definitions say of such a file.
var published = map[string]struct{ title, definition string }{
	"tenant":        {"The files of one tenant, tenants/**/ID/*.cue", "{tenant!: #Tenant}"},
	"organisations": {"The customers, organisations/*.cue", "{organisations!: #Organisations}"},
}

// What is published is what the definitions say.
func TestThePublishedSchemasAreTheDefinitions(t *testing.T) {
	for name := range published {
		file := filepath.Join("v1", name+".json")
		want := exported(t, name)
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what schema.cue says (%v): go test ./schema -run PublishedSchemas -update", file, err)
		}
	}
}

// exported gives the JSON Schema of a file.
func exported(t testing.TB, name string) []byte {
	t.Helper()
	p := published[name]
	value := cuecontext.New().CompileString(string(schema.Definitions()) + "\n#File: " + p.definition)
	expr, err := cueschema.Generate(value.LookupPath(cue.ParsePath("#File")), nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := cuecontext.New().BuildExpr(expr).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	document := map[string]any{}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	document["$id"], document["title"] = "https://veonahealth.com/charter/schema/"+name+".json", p.title
	if name == "tenant" { // struct.MinFields(1) & {…} comes out as an open struct of any size
		facilities := at(t, document, "$defs", "Tenant", "properties", "facilities")
		facilities["minProperties"], facilities["additionalProperties"] = 1, false
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(document); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func at(t testing.TB, document map[string]any, path ...string) map[string]any {
	t.Helper()
	for _, name := range path {
		var is bool
		if document, is = document[name].(map[string]any); !is {
			t.Fatalf("no %s in %q", name, path)
		}
	}
	return document
}

func compiledSchema(t testing.TB, name string) *jsonschema.Schema {
	t.Helper()
	compiled, err := jsonschema.NewCompiler().Compile(filepath.Join("v1", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// cueExport gives a package of the example fleet as JSON.
func cueExport(t testing.TB, dir string) map[string]any {
	t.Helper()
	root, err := filepath.Abs("../examples/fleet")
	if err != nil {
		t.Fatal(err)
	}
	rel, err := filepath.Rel(root, dir)
	if err != nil {
		t.Fatal(err)
	}
	instance := cueload.Instances([]string{"./" + filepath.ToSlash(rel)}, &cueload.Config{Dir: root, Package: "fleet"})[0]
	text, err := cuecontext.New().BuildInstance(instance).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return document.(map[string]any)
}

// exampleTenants are the folders of the tenants of the example fleet.
func exampleTenants(t testing.TB) []string {
	t.Helper()
	root, err := filepath.Abs("../examples/fleet/tenants")
	if err != nil {
		t.Fatal(err)
	}
	var dirs []string
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			if text, err := os.ReadFile(filepath.Join(path, "tenant.cue")); err == nil && bytes.Contains(text, []byte("tenant:")) {
				dirs = append(dirs, path)
			}
		}
		return err
	})
	if err != nil || len(dirs) < 2 {
		t.Fatalf("%d tenants, %v", len(dirs), err)
	}
	return dirs
}

func TestTheExamplesAreAsThePublishedSchemasSay(t *testing.T) {
	tenant := compiledSchema(t, "tenant")
	for _, dir := range exampleTenants(t) {
		if err := tenant.Validate(cueExport(t, dir)); err != nil {
			t.Errorf("%s: %v", filepath.Base(dir), err)
		}
	}
	root, _ := filepath.Abs("../examples/fleet/organisations")
	if err := compiledSchema(t, "organisations").Validate(cueExport(t, root)); err != nil {
		t.Error(err)
	}
}

func TestThePublishedSchemaRefusesWhatCharterRefuses(t *testing.T) {
	compiled := compiledSchema(t, "tenant")
	for name, change := range map[string]func(tenant map[string]any){
		"wrong enum":      func(x map[string]any) { x["hosting"] = "moon" },
		"missing field":   func(x map[string]any) { delete(x, "edition") },
		"unknown field":   func(x map[string]any) { x["editon"] = "network" },
		"id of capitals":  func(x map[string]any) { x["id"] = "Kisumu" },
		"no facilities":   func(x map[string]any) { x["facilities"] = map[string]any{} },
		"beds below none": func(x map[string]any) { x["facilities"] = map[string]any{"a": map[string]any{"name": "A", "beds": -1}} },
		"half a bed": func(x map[string]any) {
			x["facilities"] = map[string]any{"a": map[string]any{"name": "A", "beds": 1.5}}
		},
		"facility of no id":  func(x map[string]any) { x["facilities"] = map[string]any{"A B": map[string]any{"name": "A"}} },
		"grant of no reason": func(x map[string]any) { x["grants"] = map[string]any{"ward": map[string]any{"ticket": "OPS-1"}} },
		"until of no day":    func(x map[string]any) { x["closed"] = map[string]any{"reason": "r", "on": "2027-13-01"} },
		"unlimited by a word": func(x map[string]any) {
			x["limits"] = map[string]any{"beds": map[string]any{"value": "none", "reason": "r"}}
		},
		"unknown in a grant": func(x map[string]any) {
			x["grants"] = map[string]any{"ward": map[string]any{"reason": "r", "why": "r"}}
		},
		"licence of no end":    func(x map[string]any) { x["licence"] = map[string]any{"not_before": "2027-01-01"} },
		"name of spaces alone": func(x map[string]any) { x["name"] = "  " },
	} {
		document := cueExport(t, exampleTenants(t)[0])
		change(document["tenant"].(map[string]any))
		if compiled.Validate(document) == nil {
			t.Errorf("%s: valid", name)
		}
		text, err := json.Marshal(document)
		if err != nil {
			t.Fatal(err)
		}
		definition := cuecontext.New().CompileString(string(schema.Definitions()) + "\n#File: {tenant!: #Tenant}").LookupPath(cue.ParsePath("#File"))
		if definition.Unify(cuecontext.New().CompileBytes(text)).Validate(cue.Concrete(true)) == nil {
			t.Errorf("%s: the definitions take it", name)
		}
	}
	if compiled.Validate(map[string]any{}) == nil || compiled.Validate(map[string]any{"tenants": map[string]any{}}) == nil {
		t.Error("no tenant at all: valid")
	}
}
