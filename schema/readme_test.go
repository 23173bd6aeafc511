package schema_test

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/veonahealth/charter/schema"
)

var updateReadme = flag.Bool("update-readme", false, "write what README.md says of its examples anew")

// readmeDay is when the README's warnings are asked for.
var readmeDay = time.Date(2027, 1, 10, 12, 0, 0, 0, time.UTC)

// A section of the README tells of one code: its block of code is files, each
// with its path behind the package clause, and then what charter says.
var (
	sectionOf = regexp.MustCompile(`(?m)^### (C[HW]\d{4}): [^#]*`)
	fileOf    = regexp.MustCompile(`^package \w+ // (\S+)\n`)
)

// TestReadmesExamples puts each example of README.md to a load, on top of
// examples/fleet, and holds what comes out against what stands there.
func TestReadmesExamples(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(readme)
	sandbox := newSandbox(t, 1)
	for _, match := range sectionOf.FindAllStringSubmatch(text, -1) {
		files, want := example(match[0])
		got := shown(saidOf(t, match[1], files, sandbox))
		switch {
		case !strings.Contains(got, "["+match[1]+"]"):
			t.Errorf("%s: its example gives\n%s", match[1], got)
		case *updateReadme:
			changed := strings.Replace(match[0], indented(want), indented(got), 1)
			text = strings.Replace(text, match[0], changed, 1)
		default:
			compare(t, match[1]+": ", want, got)
		}
	}
	if *updateReadme {
		if err := os.WriteFile("README.md", []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// example returns the files of a section's block of code, and what is said of
// them.
func example(section string) (fstest.MapFS, string) {
	var chunks []string
	chunk := ""
	for line := range strings.Lines(section) {
		code, isCode := strings.CutPrefix(line, "    ")
		if isCode {
			chunk += code
		} else if chunk != "" {
			chunks, chunk = append(chunks, chunk), ""
		}
	}
	if chunk != "" {
		chunks = append(chunks, chunk)
	}
	files, said := fstest.MapFS{}, []string{}
	for _, chunk := range chunks {
		if match := fileOf.FindStringSubmatch(chunk); match != nil {
			files[match[1]] = &fstest.MapFile{Data: []byte(chunk)}
		} else {
			said = append(said, chunk)
		}
	}
	return files, strings.Join(said, "\n")
}

func indented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if line != "\n" {
			b.WriteString("    ")
		}
		b.WriteString(line)
	}
	return b.String()
}

// saidOf returns what charter says of the example fleet with other files on top:
// of CH0110, what it says where they are taken out again.
func saidOf(t *testing.T, code string, files fstest.MapFS, sandbox *schema.Sandbox) schema.Problems {
	t.Helper()
	plain := exampleFleet(t)
	whole := exampleFleet(t)
	for name, f := range files {
		whole[name] = f
	}
	r := load(t, whole, schema.Options{Sandbox: sandbox})
	if r.fleet == nil {
		return r.problems
	}
	if code != string(schema.Gone) {
		return r.fleet.Warnings(readmeDay)
	}
	before := load(t, plain, schema.Options{Sandbox: sandbox})
	problems, err := schema.Vanished(&r.fleet.Desired, &before.fleet.Desired, readmeDay)
	if err != nil {
		t.Fatal(err)
	}
	return problems
}

func exampleFleet(t *testing.T) fstest.MapFS {
	t.Helper()
	tree := fstest.MapFS{}
	files := os.DirFS("../examples/fleet")
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(files, name)
		tree[name] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// shown are problems as charter validate shows them.
func shown(problems schema.Problems) string {
	var blocks []string
	for _, p := range problems {
		block := fmt.Sprintf("%s: %s\n", p.Pos, p.Message)
		if line := strings.TrimLeft(p.Source, " \t"); line != "" {
			block += fmt.Sprintf("    %s\n    %s^\n", line, strings.Repeat(" ", p.Pos.Col-1-len(p.Source)+len(line)))
		}
		for _, r := range p.Related {
			block += fmt.Sprintf("    %s: %s\n", r.Pos, r.Note)
		}
		if p.Hint != "" {
			p.Hint += "   "
		}
		blocks = append(blocks, fmt.Sprintf("%s    %s[%s]\n", block, p.Hint, p.Code))
	}
	return strings.Join(blocks, "\n")
}

// Every code has its place in the README, and every field that the schema has.
func TestReadmeTellsOfEverything(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range allCodes(t) {
		if !regexp.MustCompile(`(?m)^### .*` + code).Match(readme) {
			t.Errorf("no section tells of %s", code)
		}
	}
	definitions, _, found := strings.Cut(string(schema.Definitions()), "\n// policy/*.cue")
	if !found {
		t.Fatal("the schema has no part for policies: is the comment still right?")
	}
	for _, match := range regexp.MustCompile(`(?m)^\t([a-z_]+)[?!]?:`).FindAllStringSubmatch(definitions, -1) {
		if !regexp.MustCompile(`\b` + match[1] + `\b`).Match(readme) {
			t.Errorf("nothing tells of the field %s", match[1])
		}
	}
}
