package schema_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/veonahealth/charter/schema"
)

var update = flag.Bool("update", false, "write what testdata/fleets and the JSON Schemas say anew")

// An archive in testdata/fleets is a small fleet and what charter says of it. Its
// first lines say what it shows; its files stand on those of testdata/base.txtar,
// and an empty one takes the base's away. "want" is the picture of its mistakes,
// or what it declares where there are none; "warnings" what it is warned of at
// the instant now.
const (
	wantFile     = "want"
	warningsFile = "warnings"
)

// now is when the archives' warnings are asked for.
var now = time.Date(2027, 1, 15, 12, 0, 0, 0, time.UTC)

// However a fleet comes to charter, it says the same of it: in this process or in
// another one, one tenant at a time or many, and from what was kept.
func TestFleets(t *testing.T) {
	archives, err := filepath.Glob("testdata/fleets/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	sandbox := newSandbox(t, 2)
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			files := treeOf(t, archive)
			said := verdict(load(t, files, schema.Options{}))
			if *update {
				rewrite(t, name, archive, said)
				return
			}
			compare(t, "", section(archive, wantFile), said.text)
			compare(t, "warnings: ", section(archive, warningsFile), said.warnings)
			for way, o := range map[string]schema.Options{
				"in the sandbox": {Sandbox: sandbox},
				"one at a time":  {Parallelism: 1},
				"many at once":   {Parallelism: 8},
			} {
				compare(t, way+": ", said.text, verdict(load(t, files, o)).text)
			}
			kept := &memory{}
			for _, time := range []string{"kept the first time", "kept the second time"} {
				again := verdict(load(t, newHashed(files), schema.Options{Cache: kept, Identity: "test"}))
				compare(t, time+": ", said.text, again.text)
				compare(t, time+": warnings: ", said.warnings, again.warnings)
			}
		})
	}
}

func compare(t *testing.T, what, want, got string) {
	t.Helper()
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s(-want +got):\n%s", what, diff)
	}
}

// treeOf returns the fleet of an archive.
func treeOf(t testing.TB, archive *txtar.Archive) fstest.MapFS {
	t.Helper()
	base, err := txtar.ParseFile("testdata/base.txtar")
	if err != nil {
		t.Fatal(err)
	}
	tree := fstest.MapFS{}
	for _, f := range slices.Concat(base.Files, archive.Files) {
		switch {
		case f.Name == wantFile || f.Name == warningsFile:
		case len(f.Data) == 0:
			delete(tree, f.Name)
		default:
			tree[f.Name] = &fstest.MapFile{Data: f.Data}
		}
	}
	return tree
}

func section(archive *txtar.Archive, name string) string {
	for _, f := range archive.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

func rewrite(t *testing.T, name string, archive *txtar.Archive, said said) {
	t.Helper()
	archive.Files = slices.DeleteFunc(archive.Files, func(f txtar.File) bool {
		return f.Name == wantFile || f.Name == warningsFile
	})
	archive.Files = append(archive.Files, txtar.File{Name: wantFile, Data: []byte(said.text)})
	if said.warnings != "" {
		archive.Files = append(archive.Files, txtar.File{Name: warningsFile, Data: []byte(said.warnings)})
	}
	if err := os.WriteFile(name, txtar.Format(archive), 0o666); err != nil {
		t.Fatal(err)
	}
}

// result is what a load gave: a fleet, or Problems.
type result struct {
	fleet    *schema.Fleet
	problems schema.Problems
}

func load(t *testing.T, files fs.FS, o schema.Options) result {
	t.Helper()
	fleet, err := schema.Load(t.Context(), files, o)
	var problems schema.Problems
	if err != nil && !errors.As(err, &problems) {
		t.Fatal(err)
	}
	if (fleet == nil) != (len(problems) > 0) {
		t.Fatalf("a fleet and %d problems", len(problems))
	}
	return result{fleet, problems}
}

// said is a result in words.
type said struct{ text, warnings string }

func verdict(r result) said {
	if r.fleet == nil {
		return said{text: picture(r.problems)}
	}
	return said{text: declarations(r.fleet), warnings: picture(r.fleet.Warnings(now))}
}

// picture shows problems with everything that is said of them.
func picture(problems schema.Problems) string {
	var b strings.Builder
	for i, p := range problems {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s: %s [%s]\n", p.Pos, p.Message, p.Code)
		if p.Source != "" {
			fmt.Fprintf(&b, "\t%s\n", strings.TrimSpace(p.Source))
		}
		for _, r := range p.Related {
			fmt.Fprintf(&b, "\t%s: %s\n", r.Pos, r.Note)
		}
		if p.Hint != "" {
			fmt.Fprintf(&b, "\thint: %s\n", p.Hint)
		}
	}
	return b.String()
}

// declarations shows what a fleet declares, without the places.
func declarations(f *schema.Fleet) string {
	var b bytes.Buffer
	for _, o := range f.Organisations {
		fmt.Fprintf(&b, "organisation %s\n", o.ID)
	}
	for _, e := range f.Environments {
		fmt.Fprintf(&b, "environment %s %s %s\n", e.Environment, e.EHR, e.Instance)
	}
	for _, h := range f.Holds {
		fmt.Fprintf(&b, "hold %q: %s/%s %v until %s\n", h.Key, h.Tenant, h.Facility, h.Modules, h.Until)
	}
	for _, test := range f.Tests {
		fmt.Fprintf(&b, "test %q: %v at %s has %v hasnt %v\n", test.Name, test.Tenants, test.Facility, test.Has, test.HasNot)
	}
	for i := range f.Tenants {
		t, err := f.Tenants[i].Tenant()
		if err != nil {
			fmt.Fprintln(&b, err)
			continue
		}
		fmt.Fprintf(&b, "tenant %s: %s, %s, %s, %s, %s\n", t.ID, t.Name, t.Organisation, t.Edition, t.Environment, t.Hosting)
		for j := range t.Facilities {
			fmt.Fprintf(&b, "\t%s:", t.Facilities[j].ID)
			for index := range f.Catalog.Holds(t, &t.Facilities[j], now).All() {
				fmt.Fprintf(&b, " %s", f.Catalog.Module(index).Key)
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}
