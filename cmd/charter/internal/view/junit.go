package view

import (
	"encoding/xml"
	"io"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/schema"
)

// The elements of JUnit's report that CI systems read.
type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Cases    []junitCase `xml:"testcase"`
	Out      string      `xml:"system-out,omitempty"` // what is worth saying and fails nothing
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	File    string        `xml:"file,attr,omitempty"`
	Line    int           `xml:"line,attr,omitempty"`
	Failure *junitFailure `xml:"failure"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// TestsJUnit writes what became of the fleet's assertions as a JUnit report.
func TestsJUnit(w io.Writer, results []catalog.TestResult) error {
	suite := junitSuite{Name: "charter test", Tests: len(results)}
	for i := range results {
		r := &results[i]
		c := junitCase{Name: Clean(r.Name), Class: "charter.test", File: Clean(r.Pos.File), Line: r.Pos.Line}
		if !r.Passed() {
			suite.Failures++
			lines := failures(r)
			c.Failure = &junitFailure{Message: Clean(lines[0])}
			for _, line := range lines {
				c.Failure.Text += Clean(line) + "\n"
			}
		}
		suite.Cases = append(suite.Cases, c)
	}
	return junit(w, suite)
}

func junit(w io.Writer, suite junitSuite) error {
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(suite); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// ProblemsJUnit writes mistakes as a JUnit report: a case that fails for each, or
// one that passes for all there is to check. Warnings fail nothing.
func ProblemsJUnit(w io.Writer, problems, warnings schema.Problems) error {
	suite := junitSuite{Name: "charter validate", Tests: max(len(problems), 1), Failures: len(problems)}
	for i := range problems {
		p := &problems[i]
		suite.Cases = append(suite.Cases, junitCase{
			Name: Clean(p.Pos.String()) + " [" + string(p.Code) + "]", Class: "charter.validate", File: Clean(p.Pos.File), Line: p.Pos.Line,
			Failure: &junitFailure{Message: Clean(p.Message), Text: problemText(p)},
		})
	}
	if len(problems) == 0 {
		suite.Cases = []junitCase{{Name: "declarations", Class: "charter.validate"}}
	}
	for i := range warnings {
		suite.Out += Clean(warnings[i].Pos.String()+": ") + problemText(&warnings[i]) + " [" + string(warnings[i].Code) + "]\n"
	}
	return junit(w, suite)
}
