package view

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/veonahealth/charter/plan"
)

// left is the sentence about what did not fit.
var left = regexp.MustCompile(`\*\*(\d+) \w+ (?:is|are) not shown for want of room: see whole\.\*\*`)

func TestPartsFitAndCountWhatDoesNot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var parts []part
		total := 0
		for i := range rapid.IntRange(1, 5).Draw(t, "parts") {
			p := part{title: fmt.Sprint("part ", i), one: "row", many: "rows", least: rapid.IntRange(0, 2_000).Draw(t, "least")}
			for range rapid.IntRange(0, 4).Draw(t, "blocks") {
				b := block{open: "<open>\n", close: "</open>\n"}
				for range rapid.IntRange(0, 30).Draw(t, "rows") {
					b.rows = append(b.rows, "row "+strings.Repeat("x", rapid.IntRange(0, 300).Draw(t, "length"))+"\n")
				}
				p.blocks = append(p.blocks, b)
			}
			total += p.count()
			parts = append(parts, p)
		}
		room := rapid.IntRange(5*notice, 20_000).Draw(t, "room")
		var b strings.Builder
		writeParts(&b, parts, room, "whole")
		if b.Len() > room {
			t.Fatalf("%d bytes, and there is room for %d", b.Len(), room)
		}
		counted := strings.Count(b.String(), "row x") + strings.Count(b.String(), "row \n")
		for _, sentence := range left.FindAllStringSubmatch(b.String(), -1) {
			n, _ := strconv.Atoi(sentence[1])
			counted += n
		}
		if counted != total {
			t.Fatalf("%d rows shown or counted, of %d:\n%s", counted, total, b.String())
		}
		if strings.Count(b.String(), "<open>") != strings.Count(b.String(), "</open>") {
			t.Fatalf("a block is not closed:\n%s", b.String())
		}
	})
}

func TestALargePlanIsOneCommentThatBeginsWithRemovals(t *testing.T) {
	var b bytes.Buffer
	if err := PlanMarkdown(&b, largePlan(10_000), plan.Digest{}, Beside{}); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	if len(text) > mostMarkdown {
		t.Errorf("%d bytes", len(text))
	}
	order := -1
	for _, part := range []string{"<!-- charter plan prod -->", "#### Removals (3000)", "removals are not shown", "#### Changes (7000)", "changes are not shown", "#### Scheduled (1)", "403 at `/live`", "| plan | `sha256:"} {
		at := strings.Index(text, part)
		if at <= order {
			t.Errorf("%q stands at %d, after %d", part, at, order)
		}
		order = at
	}
}

func TestALargePageHoldsEveryChangeAndStaysSmall(t *testing.T) {
	var b bytes.Buffer
	if err := PlanHTML(&b, largePlan(10_000), plan.Digest{}); err != nil {
		t.Fatal(err)
	}
	if most := 5_000_000; b.Len() > most {
		t.Errorf("%d bytes, want at most %d", b.Len(), most)
	}
	for _, class := range []string{"gone", "come"} {
		rows, want := strings.Count(b.String(), `<tr class="`+class+`"`), map[string]int{"gone": 3_000, "come": 7_000}[class]
		if rows != want {
			t.Errorf("%d rows of class %s, want %d", rows, class, want)
		}
	}
}
