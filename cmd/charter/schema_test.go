package main

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// conformsCommand holds a JSON document against a published schema, and against a
// stricter one too, which allows no field that the schema does not name: what
// charter writes is described whole.
func conformsCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: conforms SCHEMA FILE")
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(ts.ReadFile(args[1]))))
	ts.Check(err)
	published, err := os.ReadFile(filepath.Join("internal", "view", "schema", args[0]+".json"))
	ts.Check(err)
	for _, closed := range []bool{false, true} {
		schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(published))
		ts.Check(err)
		if closed {
			closeObjects(schema)
		}
		compiler := jsonschema.NewCompiler()
		ts.Check(compiler.AddResource("schema.json", schema))
		compiled, err := compiler.Compile("schema.json")
		ts.Check(err)
		ts.Check(compiled.Validate(document))
	}
}

// closeObjects lets the objects that a schema describes have no other fields.
func closeObjects(schema any) {
	switch s := schema.(type) {
	case map[string]any:
		if _, is := s["properties"]; is {
			s["additionalProperties"] = false
		}
		for _, key := range slices.Collect(maps.Keys(s)) {
			closeObjects(s[key])
		}
	case []any:
		for _, item := range s {
			closeObjects(item)
		}
	}
}
