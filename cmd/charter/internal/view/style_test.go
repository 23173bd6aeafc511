package view

import (
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"
)

func TestCleanWritesOutWhatWouldAct(t *testing.T) {
	for text, want := range map[string]string{
		"maternity wing":                "maternity wing",
		"Nyanza — Kisumu, čaj, 医院":      "Nyanza — Kisumu, čaj, 医院",
		"\x1b[2Jgone":                   `\u001b[2Jgone`,
		"two\nlines\r":                  `two\u000alines\u000d`,
		"user\u202etxt.exe":             `user\u202etxt.exe`,
		"a\u2066b\u2069":                `a\u2066b\u2069`,
		"zero\x00":                      `zero\u0000`,
		"\u009b31m":                     `\u009b31m`,
		"line\u2028separator\ufeffmark": `line\u2028separator\ufeffmark`,
	} {
		if got := Clean(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestWhatIsCleanStaysSo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clean := Clean(rapid.String().Draw(t, "text"))
		if strings.ContainsFunc(clean, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }) {
			t.Fatalf("%q still acts", clean)
		}
		if again := Clean(clean); again != clean {
			t.Fatalf("%q becomes %q", clean, again)
		}
	})
}

func TestEscapeLeavesNoMarkdown(t *testing.T) {
	got := Escape("<script>alert(1)</script> [x](http://e) **b** | `c` @ann\n# h")
	for _, active := range []string{"<", ">", "](", "**b**", " | ", "`c`", "@ann", "\n"} {
		if strings.Contains(got, active) {
			t.Errorf("%q is left in %q", active, got)
		}
	}
}

func TestColourNeverStandsAlone(t *testing.T) {
	if got := (Style{}).paint(red, "text"); got != "text" {
		t.Errorf("without colour: %q", got)
	}
	if got := (Style{Color: true}).paint(red, "text"); got != "\x1b[31mtext\x1b[0m" {
		t.Errorf("with colour: %q", got)
	}
}
