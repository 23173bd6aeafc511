package view

import (
	"fmt"
	"io"
	"strings"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
)

// Diff writes what a change of the declarations does to effective entitlements.
func Diff(w io.Writer, s Style, c *plan.Comparison) error {
	var t table
	for i := range c.Differences {
		d := &c.Differences[i]
		t.add(d.Action.Symbol(), d.Tenant, d.Facility, d.Module, stretch(d), Clean(d.Reason.Text), place(d.Reason))
		if d.Action == plan.Revoke && len(d.Routes) > 0 {
			t.note(indent + s.paint(dim, "403 from then on: ") + routes(d.Routes, d.Critical))
		}
	}
	if err := t.write(w, func(i int, line string) string { return s.action(c.Differences[i].Action, line) }); err != nil {
		return err
	}
	for _, gone := range c.Gone {
		if _, err := fmt.Fprintln(w, s.paint(magenta, "!  "+gone+"  is declared no longer, and keeps what it holds: close it instead")); err != nil {
			return err
		}
	}
	if err := gap(w, len(t.rows)+len(c.Gone)); err != nil {
		return err
	}
	if c.Empty() {
		if _, err := fmt.Fprintf(w, "%s compared: what each facility holds is the same, now and at every declared date\n", Counted(c.Tenants, "tenant", "tenants")); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w, s.paint(bold, DiffSummary(c)))
	return err
}

// DiffSummary is the last line of a comparison.
func DiffSummary(c *plan.Comparison) string {
	if c.Empty() {
		return "No changes."
	}
	n := map[plan.Action]int{}
	for _, d := range c.Differences {
		n[d.Action]++
	}
	return fmt.Sprintf("Diff: %d to grant, %d to revoke, %d gone (%s compared).",
		n[plan.Grant], n[plan.Revoke], len(c.Gone), Counted(c.Tenants, "tenant", "tenants"))
}

// stretch is when a difference holds, or "" for now and ever after.
func stretch(d *plan.Difference) string {
	var parts []string
	if d.From != nil {
		parts = append(parts, "from "+catalog.FormatTime(*d.From))
	}
	if d.Until != nil {
		parts = append(parts, "until "+catalog.FormatTime(*d.Until))
	}
	return strings.Join(parts, " ")
}

// DiffMarkdown writes the same for a page that renders Markdown.
func DiffMarkdown(w io.Writer, c *plan.Comparison) error {
	var b strings.Builder
	fmt.Fprintf(&b, "### charter diff\n\n%s\n\n", DiffSummary(c))
	for _, section := range []struct {
		title  string
		action plan.Action
	}{{"Removals", plan.Revoke}, {"Grants", plan.Grant}} {
		var rows [][]string
		for i := range c.Differences {
			if d := &c.Differences[i]; d.Action == section.action {
				rows = append(rows, []string{d.Tenant, d.Facility, module(d.Module, d.Critical), stretch(d),
					Escape(strings.Join(d.Routes, " ")), Escape(d.Reason.Text), Escape(place(d.Reason))})
			}
		}
		markdownTable(&b, section.title, []string{"Tenant", "Facility", "Module", "When", "Routes", "Reason", "Declared at"}, rows)
	}
	var gone [][]string
	for _, name := range c.Gone {
		gone = append(gone, []string{Escape(name)})
	}
	markdownTable(&b, "Declared no longer, and left as they are", []string{"Tenant"}, gone)
	_, err := io.WriteString(w, b.String())
	return err
}

// module is a module's key as Markdown.
func module(key string, critical bool) string {
	if critical {
		return "**`" + key + "`** (critical)"
	}
	return "`" + key + "`"
}
