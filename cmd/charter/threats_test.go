package main

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The tests that the threat model names are there, and every attack that is tested is
// in it.
func TestTheThreatModelNamesTestsThatAreThere(t *testing.T) {
	page, err := os.ReadFile("../../examples/authority/threats.md")
	if err != nil {
		t.Fatal(err)
	}
	wanted := regexp.MustCompile("`(Test[A-Za-z0-9]+)`").FindAllSubmatch(page, -1)
	if len(wanted) < 20 {
		t.Fatalf("%d tests are named", len(wanted))
	}
	var all bytes.Buffer
	err = filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		data, err := os.ReadFile(path)
		all.Write(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range wanted {
		if !bytes.Contains(all.Bytes(), append([]byte("func "), append(match[1], '(')...)) {
			t.Errorf("no test is called %s", match[1])
		}
	}
	named := map[string]bool{}
	for _, match := range regexp.MustCompile("`TestAttacks/([^`]+)`").FindAllSubmatch(page, -1) {
		named[string(match[1])] = true
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(attacks())), slices.Sorted(maps.Keys(named))); diff != "" {
		t.Errorf("attacks that are tested and that the page names (-tested +named):\n%s", diff)
	}
	for _, match := range regexp.MustCompile("`([a-z_]+\\.txtar)`").FindAllSubmatch(page, -1) {
		if _, err := os.Stat("testdata/script/" + string(match[1])); err != nil {
			t.Error(err)
		}
	}
}
