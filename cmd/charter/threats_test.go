package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The tests that the threat model names are there.
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
}
