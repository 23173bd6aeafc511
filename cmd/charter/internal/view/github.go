package view

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/schema"
)

// ProblemsGitHub writes mistakes and warnings as workflow commands, which GitHub,
// and Gitea and Forgejo after it, show beside the lines they are about.
func ProblemsGitHub(w io.Writer, problems, warnings schema.Problems) error {
	for _, list := range []struct {
		level    string
		problems schema.Problems
	}{{"error", problems}, {"warning", warnings}} {
		for i := range list.problems {
			p := &list.problems[i]
			if err := annotate(w, list.level, p.Pos, string(p.Code), problemText(p)); err != nil {
				return err
			}
		}
	}
	return nil
}

// problemText says a problem in one text, with what belongs to it.
func problemText(p *schema.Problem) string {
	text := Clean(p.Message)
	for _, r := range p.Related {
		text += "\n" + Clean(r.Pos.String()+": "+r.Note)
	}
	if p.Hint != "" {
		text += "\n" + Clean(p.Hint)
	}
	return text
}

// TestsGitHub writes the assertions that do not hold as workflow commands.
func TestsGitHub(w io.Writer, results []catalog.TestResult) error {
	for i := range results {
		r := &results[i]
		if r.Passed() {
			continue
		}
		lines := failures(r)
		for j := range lines {
			lines[j] = Clean(lines[j])
		}
		if err := annotate(w, "error", r.Pos, r.Name, strings.Join(lines, "\n")); err != nil {
			return err
		}
	}
	return nil
}

// annotate writes one workflow command. The runner reads a command a line, and
// turns back just what commandText and commandProperty write otherwise.
func annotate(w io.Writer, level string, at catalog.Position, title, text string) error {
	var properties []string
	add := func(name, value string) { properties = append(properties, name+"="+commandProperty(value)) }
	if at.File != "" {
		add("file", at.File)
	}
	if at.Line > 0 {
		add("line", strconv.Itoa(at.Line))
	}
	if at.Col > 0 {
		add("col", strconv.Itoa(at.Col))
	}
	add("title", Clean(title))
	_, err := fmt.Fprintf(w, "::%s %s::%s\n", level, strings.Join(properties, ","), commandText(text))
	return err
}

// commandText writes a message so that it stays one line.
func commandText(text string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(text)
}

// commandProperty writes a property's value so that it neither ends it nor begins
// another.
func commandProperty(value string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(value)
}
