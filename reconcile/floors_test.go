package reconcile_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/veonahealth/charter/"

// floors is the house: a package imports only packages of lower floors, or of its
// own tree. The examples stand on top and may import all of it.
var floors = map[string]int{
	"catalog":                          0,
	"schema":                           1,
	"schema/cache":                     1,
	"schema/write":                     1,
	"plan":                             1,
	"plan/seal":                        1,
	"reconcile/source":                 1,
	"reconcile/ehr":                    1,
	"reconcile/ehr/conform":            1,
	"plan/policy":                      2,
	"reconcile/ledger":                 2,
	"reconcile/forge":                  2,
	"reconcile/forge/forgetest":        2,
	"reconcile":                        3,
	"reconcile/adopt":                  3,
	"reconcile/daemon":                 4,
	"reconcile/daemon/notice":          4,
	"reconcile/daemon/web/browsertest": 4,
	"reconcile/daemon/web":             4,
	"cmd/charter":                      5,
	"cmd/charter/internal/livetree":    5,
	"cmd/charter/internal/view":        5,
}

// trees are those whose packages may import each other.
var trees = []string{"schema", "cmd", "reconcile/ehr", "reconcile/forge", "reconcile/daemon"}

// keepers are the packages that alone import what begins with a path.
var keepers = map[string]string{
	"cuelang.org/go/":                "schema",
	"github.com/go-git/":             "reconcile/source",
	"github.com/sigstore/":           "plan/seal",
	"github.com/secure-systems-lab/": "plan/seal",
	"crypto/ecdsa":                   "plan/seal",
	"crypto/ed25519":                 "plan/seal",
}

// importer is a package without its tests, by its path within the module.
type importer struct {
	name    string
	imports []string
}

// packages lists the module's, but for the examples.
func packages(t *testing.T) []importer {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var list []importer
	for decoder := json.NewDecoder(out); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if name := strings.TrimPrefix(p.ImportPath, module); !within(name, "examples") {
			list = append(list, importer{name, p.Imports})
		}
	}
	if err := cmd.Wait(); err != nil || len(list) == 0 {
		t.Fatalf("go list: %d packages, %v", len(list), err)
	}
	return list
}

// within reports whether a package is the root of a tree or stands below it.
func within(name, tree string) bool { return name == tree || strings.HasPrefix(name, tree+"/") }

func mayImport(name, other string) bool {
	for _, tree := range trees {
		if within(name, tree) && within(other, tree) {
			return true
		}
	}
	floor, known := floors[other] // no example has one
	return known && floor < floors[name]
}

func TestAPackageImportsOnlyLowerFloors(t *testing.T) {
	for _, p := range packages(t) {
		if _, known := floors[p.name]; !known {
			t.Errorf("package %s has no floor", p.name)
		}
		for _, path := range p.imports {
			if other, ours := strings.CutPrefix(path, module); ours && !mayImport(p.name, other) {
				t.Errorf("package %s imports %s", p.name, other)
			}
		}
	}
}

func TestWhatAPackageKeepsNoOtherImports(t *testing.T) {
	imported := map[string]bool{}
	for _, p := range packages(t) {
		for _, path := range p.imports {
			for prefix, keeper := range keepers {
				if !strings.HasPrefix(path, prefix) {
					continue
				}
				imported[prefix] = true
				if !within(p.name, keeper) {
					t.Errorf("package %s imports %s, which is %s's", p.name, path, keeper)
				}
			}
		}
	}
	for prefix := range keepers {
		if !imported[prefix] {
			t.Errorf("nobody imports %s: the table is out of date", prefix)
		}
	}
}
