package view

import (
	"fmt"
	"io"
	"strings"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
)

// PlanMarkdown writes a plan for a page that renders Markdown: the summary
// first, then removals, then the rest.
func PlanMarkdown(w io.Writer, p *plan.Plan) error {
	var b strings.Builder
	fmt.Fprintf(&b, "### charter plan: %s\n\n%s\n\n", Escape(p.Environment), Summary(p))
	all := removalsFirst(p)
	changeTable(&b, "Removals", all, func(c *plan.Change) bool { return c.Action == plan.Revoke })
	changeTable(&b, "Grants", all, func(c *plan.Change) bool { return c.Action != plan.Revoke })
	scheduledTable(&b, p)
	heldTable(&b, p)
	blockedTable(&b, p)
	fmt.Fprintf(&b, "commit `%s`, to be applied before %s\n", p.Source.Commit, p.ExpiresAt.Format("2006-01-02 15:04 MST"))
	_, err := io.WriteString(w, b.String())
	return err
}

func changeTable(b *strings.Builder, title string, all []located, in func(*plan.Change) bool) {
	var rows [][]string
	for _, c := range all {
		if in(c.Change) {
			rows = append(rows, []string{c.tenant, c.Facility, module(c.Module, c.Critical), Escape(strings.Join(c.Routes, " ")), Escape(c.Reason.Text), Escape(place(c.Reason))})
		}
	}
	routes := "Routes"
	if title == "Removals" {
		routes = "Routes that will answer 403"
	}
	markdownTable(b, title, []string{"Tenant", "Facility", "Module", routes, "Reason", "Declared at"}, rows)
}

func scheduledTable(b *strings.Builder, p *plan.Plan) {
	var rows [][]string
	for _, e := range p.Scheduled {
		for _, c := range e.Changes {
			rows = append(rows, []string{catalog.FormatTime(e.At), e.Tenant, c.Facility, string(c.Action), "`" + c.Module + "`", Escape(c.Reason.Text), Escape(place(c.Reason))})
		}
	}
	markdownTable(b, "Scheduled", []string{"At", "Tenant", "Facility", "Change", "Module", "Reason", "Declared at"}, rows)
}

func heldTable(b *strings.Builder, p *plan.Plan) {
	var rows [][]string
	for _, h := range p.Held {
		rows = append(rows, []string{h.Tenant, orAll(h.Facility), orAll(h.EHRModule), string(h.Reason), Escape(h.Text)})
	}
	markdownTable(b, "Held as it is", []string{"Tenant", "Facility", "EHR module", "Why", "Text"}, rows)
}

func blockedTable(b *strings.Builder, p *plan.Plan) {
	var rows [][]string
	for _, r := range p.Refusals {
		rows = append(rows, []string{r.Tenant, orAll(r.Facility), string(r.Code), Escape(r.Text)})
	}
	for _, u := range p.Unreadable {
		rows = append(rows, []string{u.Tenant, "*", "unreadable", Escape(u.Text)})
	}
	markdownTable(b, "Blocked", []string{"Tenant", "Facility", "Why", "Text"}, rows)
}

func markdownTable(b *strings.Builder, title string, head []string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(b, "#### %s (%d)\n\n| %s |\n|%s\n", title, len(rows), strings.Join(head, " | "), strings.Repeat(" --- |", len(head)))
	for _, row := range rows {
		fmt.Fprintf(b, "| %s |\n", strings.Join(row, " | "))
	}
	b.WriteString("\n")
}

// Escape makes Markdown show a text and not interpret it.
func Escape(text string) string {
	var b strings.Builder
	for _, r := range Clean(text) {
		switch {
		case r == '&':
			b.WriteString("&amp;")
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '@':
			b.WriteString("&#64;") // else a forge would call somebody
		case strings.ContainsRune("\\`*_{}[]()#+-!|~:", r):
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
