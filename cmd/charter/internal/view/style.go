// Package view shows results to people and programs. It computes nothing: what
// it is given is what it shows. Each writer is a function of a stream, a style and
// a result, and writes one format of it:
//
//   - text, for a terminal and for scripts that match its last line;
//   - Markdown, one comment on a forge, which counts what it has no room for;
//   - HTML, one page without network, whose script only filters;
//   - GitHub's workflow commands and JUnit, for mistakes beside their lines;
//   - JSON, described by the schemas in the folder schema.
//
// A plan and a comparison are put into the order of speech once (report): removals
// first, then the registry, then by tenant, facility and module. Text, Markdown
// and HTML show that; each makes what people wrote harmless in its own way.
//
// The rules of speech:
//
//   - Results go to standard output, everything else to standard error.
//   - Sentences begin with a small letter and end without a full stop, unless
//     scripts match them.
//   - What people wrote is shown and never interpreted: control characters,
//     escape sequences and marks that turn the direction of text are written
//     out (Clean), in a terminal as in Markdown.
//   - Colour repeats what a symbol says and never says anything alone.
package view

import (
	"fmt"
	"strings"
	"unicode"
)

// Style says how a stream may be written to.
type Style struct{ Color bool }

// The colours, as parameters of the terminal's SGR sequence.
const (
	red     = "31"
	green   = "32"
	yellow  = "33"
	magenta = "35"
	cyan    = "36"
	dim     = "2"
	bold    = "1"
)

// paint colours a text, where colours may be used.
func (s Style) paint(color, text string) string {
	if !s.Color || text == "" {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

// Clean writes out what would act on a terminal, reorder its text or hide in it:
// control characters, the marks that turn the direction of writing, and
// characters that nobody sees.
func Clean(text string) string {
	if strings.IndexFunc(text, acts) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if acts(r) {
			fmt.Fprintf(&b, "\\u%04x", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// acts reports whether a character does something else than show itself.
func acts(r rune) bool {
	return unicode.IsControl(r) || r == unicode.ReplacementChar || unicode.In(r, unicode.Zl, unicode.Zp) ||
		unicode.Is(unicode.Cf, r) && !spells(r)
}

// spells reports whether a character of format is one that scripts and signs are
// spelled with: the joiners, and the marks that numbers are written under.
func spells(r rune) bool {
	return r == '\u200c' || r == '\u200d' || unicode.Is(unicode.Prepended_Concatenation_Mark, r)
}
