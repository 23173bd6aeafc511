package view

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/veonahealth/charter/schema"
)

const indent = "    "

// Problems writes a block for each mistake: its place and what is wrong, the
// line with a caret under the place, other places that belong to it, what to do,
// and its code.
func Problems(w io.Writer, s Style, problems schema.Problems) {
	for i, p := range problems {
		if i > 0 {
			fmt.Fprintln(w)
		}
		problem(w, s, &p, red)
	}
}

// Fixed writes a line for each mistake or warning that is no longer there.
func Fixed(w io.Writer, s Style, problems schema.Problems) {
	for i := range problems {
		p := &problems[i]
		fmt.Fprintf(w, "%s %s: %s   %s\n", s.paint(green, "fixed"), Clean(p.Pos.String()), Clean(p.Message), s.paint(dim, "["+string(p.Code)+"]"))
	}
}

// manyWarnings is up to how many warnings are written out for people.
const manyWarnings = 20

// Warnings writes a block for each warning, up to as many as anybody reads.
func Warnings(w io.Writer, s Style, warnings schema.Problems) {
	for i, p := range warnings {
		if i == manyWarnings {
			fmt.Fprintf(w, "and %d more warnings: charter validate -o json lists them all\n", len(warnings)-i)
			return
		}
		problem(w, s, &p, yellow)
	}
}

func problem(w io.Writer, s Style, p *schema.Problem, color string) {
	fmt.Fprintf(w, "%s: %s\n", s.paint(bold, Clean(p.Pos.String())), s.paint(color, Clean(p.Message)))
	source(w, s, p)
	for _, r := range p.Related {
		fmt.Fprintf(w, "%s%s: %s\n", indent, Clean(r.Pos.String()), Clean(r.Note))
	}
	code := s.paint(dim, "["+string(p.Code)+"]")
	if p.Hint != "" {
		code = Clean(p.Hint) + "   " + code
	}
	fmt.Fprintf(w, "%s%s\n", indent, code)
}

// source shows the line that a problem points at, and a caret under the place.
func source(w io.Writer, s Style, p *schema.Problem) {
	line := strings.TrimLeft(p.Source, " \t")
	cut := len(p.Source) - len(line)
	if line == "" || p.Pos.Col == 0 {
		return
	}
	const most = 160
	before := min(max(p.Pos.Col-1-cut, 0), len(line))
	left := Clean(strings.ReplaceAll(line[:before], "\t", " "))
	shown := []rune(Clean(strings.ReplaceAll(line, "\t", " ")))
	if len(shown) > most {
		shown = append(shown[:most], '…')
	}
	fmt.Fprintf(w, "%s%s\n", indent, string(shown))
	if utf8.RuneCountInString(left) <= len(shown) {
		fmt.Fprintf(w, "%s%s%s\n", indent, strings.Repeat(" ", room(left)), s.paint(bold, "^"))
	}
}

// ValidationJSON writes mistakes and warnings for programs.
func ValidationJSON(w io.Writer, problems, warnings schema.Problems) error {
	if problems == nil {
		problems = schema.Problems{}
	}
	if warnings == nil {
		warnings = schema.Problems{}
	}
	return JSON(w, struct {
		Problems schema.Problems `json:"problems"`
		Warnings schema.Problems `json:"warnings"`
	}{problems, warnings})
}

// JSON writes a value for programs.
func JSON(w io.Writer, value any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(value)
}
