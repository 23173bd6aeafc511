package view

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/schema"
)

// command is a workflow command as a runner reads it.
type command struct {
	level, text string
	properties  map[string]string
}

// readCommand reads one line as the runner does.
func readCommand(t *rapid.T, line string) command {
	head, text, ok := strings.Cut(strings.TrimPrefix(line, "::"), "::")
	if !ok || !strings.HasPrefix(line, "::") {
		t.Fatalf("%q is no command", line)
	}
	level, list, _ := strings.Cut(head, " ")
	c := command{level: level, properties: map[string]string{}, text: strings.NewReplacer("%0D", "\r", "%0A", "\n", "%25", "%").Replace(text)}
	for _, property := range strings.Split(list, ",") {
		name, value, _ := strings.Cut(property, "=")
		c.properties[name] = strings.NewReplacer("%0D", "\r", "%0A", "\n", "%3A", ":", "%2C", ",", "%25", "%").Replace(value)
	}
	return c
}

func TestAProblemIsOneWorkflowCommandWhateverItsWords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		file, message, hint := rapid.StringN(1, 40, -1).Draw(t, "file"), rapid.String().Draw(t, "message"), rapid.String().Draw(t, "hint")
		var b bytes.Buffer
		problems := schema.Problems{{Code: schema.Unknown, Pos: catalog.Position{File: file, Line: 14, Col: 12}, Message: message, Hint: hint}}
		if err := ProblemsGitHub(&b, problems, nil); err != nil {
			t.Fatal(err)
		}
		line, rest, _ := strings.Cut(b.String(), "\n")
		if rest != "" {
			t.Fatalf("more than one line: %q", b.String())
		}
		text := Clean(message)
		if hint != "" {
			text += "\n" + Clean(hint)
		}
		want := command{"error", text, map[string]string{"file": file, "line": "14", "col": "12", "title": "CH0103"}}
		if diff := cmp.Diff(want, readCommand(t, line), cmp.AllowUnexported(command{})); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestWarningsAndFailedAssertionsAreAnnotationsToo(t *testing.T) {
	var b bytes.Buffer
	at := catalog.Position{File: "tests/all.cue", Line: 3, Col: 7}
	if err := ProblemsGitHub(&b, nil, schema.Problems{{Code: schema.Ending, Pos: at, Message: "it ends"}}); err != nil {
		t.Fatal(err)
	}
	if err := TestsGitHub(&b, []catalog.TestResult{{Name: "passes", Facilities: 1}, {Name: "a, b: never", Pos: at}}); err != nil {
		t.Fatal(err)
	}
	want := "::warning file=tests/all.cue,line=3,col=7,title=CW0109::it ends\n" +
		"::error file=tests/all.cue,line=3,col=7,title=a%2C b%3A never::no tenant with such a facility matches: it would hold whatever is declared\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

func TestJUnitOfProblemsIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		message := rapid.String().Draw(t, "message")
		problems := schema.Problems{{Code: schema.Unknown, Pos: catalog.Position{File: "a.cue", Line: 1}, Message: message}}
		for name, list := range map[string]schema.Problems{"some": problems, "none": nil} {
			var b bytes.Buffer
			if err := ProblemsJUnit(&b, list, problems); err != nil {
				t.Fatal(err)
			}
			var suite junitSuite
			if err := xml.NewDecoder(&b).Decode(&suite); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if suite.Failures != len(list) || suite.Tests != 1 || len(suite.Cases) != 1 || suite.Out == "" {
				t.Fatalf("%s: %+v", name, suite)
			}
			if failure := suite.Cases[0].Failure; len(list) > 0 && failure.Message != Clean(message) {
				t.Fatalf("%q, want %q", failure.Message, Clean(message))
			}
		}
	})
}

func TestFormatsOfValidation(t *testing.T) {
	at := catalog.Position{File: "tenants/kisumu/tenant.cue", Line: 14, Col: 12}
	problems := schema.Problems{{
		Code: schema.Unknown, Pos: at, Message: `unknown module "telehelth"`, Hint: `did you mean "telehealth"?`,
		Source: "\tgrants: telehelth: reason: \"pilot\"", Related: []schema.Related{{Pos: at, Note: "first here"}},
	}}
	warnings := schema.Problems{{Code: schema.Ending, Pos: at, Message: "it ends"}}
	golden(t, "validate.txt", func(w io.Writer) error { Problems(w, Style{}, problems); return nil })
	golden(t, "validate.github", func(w io.Writer) error { return ProblemsGitHub(w, problems, warnings) })
	golden(t, "validate.xml", func(w io.Writer) error { return ProblemsJUnit(w, problems, warnings) })
	golden(t, "validate.json", func(w io.Writer) error { return ValidationJSON(w, problems, warnings) })
}
