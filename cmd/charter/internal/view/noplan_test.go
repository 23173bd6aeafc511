package view

import (
	"strings"
	"testing"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/schema"
)

func TestWhyNothingWasPlannedFitsAndIsNotInterpreted(t *testing.T) {
	hostile := "<script>alert(1)</script> @everyone `x`\n| a | b |\x1b[31m" + strings.Repeat("long ", 2000)
	var problems schema.Problems
	for range 10_000 {
		problems = append(problems, schema.Problem{Code: "CH0103", Message: hostile, Hint: hostile, Pos: catalog.Position{File: "tenants/a|b/tenant.cue", Line: 3}})
	}
	for name, list := range map[string]schema.Problems{"mistakes": problems, "a reason": nil} {
		var b strings.Builder
		if err := NoPlanMarkdown(&b, "default", hostile, list); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		if len(text) > mostMarkdown || strings.Contains(text, "<script") || strings.Contains(text, "\x1b") || strings.Contains(text, "@everyone") {
			t.Errorf("%s: %d bytes: %.500s", name, len(text), text)
		}
		if !strings.HasPrefix(text, "<!-- charter plan default -->\n") {
			t.Errorf("%s: %.100s", name, text)
		}
	}
	var b strings.Builder
	if err := NoPlanMarkdown(&b, "default", "", problems); err != nil || !strings.Contains(b.String(), "mistakes are not shown for want of room") {
		t.Errorf("what does not fit is not counted: %v", err)
	}
}
