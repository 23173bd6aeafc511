package view

import (
	"fmt"
	"io"
	"strings"

	"github.com/veonahealth/charter/schema"
)

// NoPlanMarkdown writes why nothing was planned, in the place of the comment about
// an environment's plan: one of an older commit must not pass for the newest. why is
// shown where there are no problems.
func NoPlanMarkdown(w io.Writer, environment, why string, problems schema.Problems) error {
	var b strings.Builder
	fmt.Fprintf(&b, "<!-- %s -->\n### charter plan: nothing was planned\n\n", planMarker(environment))
	if len(problems) == 0 {
		fmt.Fprintf(&b, "**%s**\n", Escape(clip(why)))
	} else {
		fmt.Fprintf(&b, "**%s in the declarations.**\n\n", Counted(len(problems), "mistake", "mistakes"))
		list := part{title: "Mistakes", one: "mistake", many: "mistakes", blocks: []block{mistakesBlock(problems)}}
		writeParts(&b, []part{list}, mostMarkdown-b.Len(), "charter validate")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func mistakesBlock(problems schema.Problems) block {
	var rows [][]string
	for i := range problems {
		p := &problems[i]
		text := Escape(clip(p.Message))
		if p.Hint != "" {
			text += "; " + Escape(clip(p.Hint))
		}
		rows = append(rows, []string{code(p.Pos.String()), text, code(string(p.Code))})
	}
	return tableBlock([]string{"Declared at", "Mistake", "Code"}, rows)
}
