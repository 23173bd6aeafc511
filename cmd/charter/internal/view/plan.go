package view

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
)

// Plan writes a plan for people: removals first, then the registry, then by
// tenant, facility and module, each with its reason and place; then what is
// scheduled, held, refused and unreadable; and a last line that scripts may match.
func Plan(w io.Writer, s Style, p *plan.Plan) error {
	r := planReport(p, plan.Digest{})
	for _, section := range []*section{s.changes(r), s.anyway(r), s.scheduled(r), s.held(r), s.blocked(r)} {
		if err := section.write(w, s); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w, s.paint(bold, r.summary))
	return err
}

// section is a table with a colour a row, and an empty line after it.
type section struct {
	table
	title  string // "" for none
	colors []string
}

// add takes a row in, whatever people wrote into it.
func (c *section) add(color string, cells ...string) {
	for i := range cells {
		cells[i] = Clean(cells[i])
	}
	c.table.add(cells...)
	c.colors = append(c.colors, color)
}

func (c *section) write(w io.Writer, s Style) error {
	if c.title != "" && len(c.rows) > 0 {
		if _, err := fmt.Fprintln(w, s.paint(bold, c.title)); err != nil {
			return err
		}
	}
	if err := c.table.write(w, func(i int, line string) string { return s.paint(c.colors[i], line) }); err != nil {
		return err
	}
	return gap(w, len(c.rows))
}

// gap writes an empty line after a section that has anything in it.
func gap(w io.Writer, n int) error {
	if n == 0 {
		return nil
	}
	_, err := fmt.Fprintln(w)
	return err
}

func colorOf(a plan.Action) string {
	switch a.Symbol() {
	case "-":
		return red
	case "+":
		return green
	}
	return yellow
}

// changes are a row a change, and a row for each fanout: one that takes away
// before everything, one that gives before what tenants are given.
func (s Style) changes(r *report) *section {
	t := &section{}
	s.fanouts(t, r, plan.Revoke)
	told := false
	for i := range r.changes {
		l := &r.changes[i]
		if !told && !l.withdraws() && l.ofTenant {
			s.fanouts(t, r, plan.Grant)
			told = true
		}
		if l.spread {
			continue
		}
		s.change(t, l)
	}
	if !told {
		s.fanouts(t, r, plan.Grant)
	}
	return t
}

func (s Style) change(t *section, l *line) {
	t.add(colorOf(l.action), l.symbol, l.owner, l.facility, l.thing(), l.when, l.reason, l.place)
	s.refused(t, l.action, l.routes, l.critical, l.usage)
}

// anyway are the changes that are planned whether or not a branch is merged.
func (s Style) anyway(r *report) *section {
	t := &section{title: "pending or drifting anyway:"}
	for i := range r.anyway {
		s.change(t, &r.anyway[i])
	}
	return t
}

func (s Style) fanouts(t *section, r *report, action plan.Action) {
	for i := range r.fanouts {
		f := &r.fanouts[i]
		if f.action() != action {
			continue
		}
		text := f.text()
		if f.place != "" {
			text += "  " + f.place
		}
		t.add(colorOf(action), action.Symbol(), text)
		for _, gone := range f.revoke {
			s.refused(t, plan.Revoke, gone.routes, gone.critical, "")
		}
	}
}

// refused notes below a row which routes will answer 403, and whether patients
// depend on them.
func (s Style) refused(t *section, a plan.Action, routes []string, critical bool, usage string) {
	if !a.Withdraws() || len(routes) == 0 && !critical {
		return
	}
	text := s.paint(dim, "403 from then on: ")
	if len(routes) == 0 {
		text = s.paint(dim, "no route of it is known")
	}
	text += Clean(strings.Join(routes, ", "))
	if critical {
		text += "   " + s.paint(red, "(critical)")
	}
	if usage != "" {
		text += "   " + usage
	}
	t.note(indent + text)
}

func (s Style) scheduled(r *report) *section {
	t := &section{}
	for i := range r.scheduled {
		l := &r.scheduled[i]
		t.add(cyan, ">", l.when, l.owner, l.symbol, l.facility, l.thing(), l.reason, l.place)
		s.refused(t, l.action, l.routes, l.critical, l.usage)
	}
	return t
}

func (s Style) held(r *report) *section {
	t := &section{}
	for _, l := range r.held {
		t.add(dim, l.symbol, l.owner, l.facility, l.what, l.kind, l.reason)
	}
	return t
}

func (s Style) blocked(r *report) *section {
	t := &section{}
	for _, l := range r.blocked {
		t.add(magenta, l.symbol, l.owner, l.facility, l.kind, l.reason)
	}
	return t
}

// PlanHead writes what a saved plan is of: commit, platform, and until when it
// may be applied.
func PlanHead(w io.Writer, p *plan.Plan, digest plan.Digest) error {
	var t table
	for _, fact := range planFacts(p, digest) {
		t.add(fact[0], Clean(fact[1]))
	}
	if err := t.write(w, plain); err != nil {
		return err
	}
	return gap(w, 1)
}

// planFacts say what a plan is of.
func planFacts(p *plan.Plan, digest plan.Digest) [][2]string {
	facts := [][2]string{
		{"plan", digest.String()},
		{"environment", p.Environment + at(p.Live.EHR) + " (instance " + p.Instance + ")"},
		{"commit", strings.TrimSpace(p.Source.Commit + " " + p.Source.Ref)},
		{"made", p.CreatedAt.Format(time.RFC3339) + ", to be applied before " + p.ExpiresAt.Format(time.RFC3339)},
	}
	if !p.At.Equal(p.CreatedAt) {
		facts = append(facts, [2]string{"as of", catalog.FormatTime(p.At)})
	}
	if _, err := plan.ParseDigest(p.Live.Snapshot); err == nil { // a platform names its answers otherwise
		age := p.CreatedAt.Sub(p.Live.ObservedAt)
		facts = append(facts, [2]string{"live state", "as of " + catalog.FormatTime(p.Live.ObservedAt) + ", " + age.String() + " before, of snapshot " + p.Live.Snapshot})
	}
	return facts
}

// at says where a platform is; a plan made against a snapshot need not know.
func at(url string) string {
	if url == "" {
		return ""
	}
	return " at " + url
}

// PlanWarnings writes the warnings of the declarations that a plan was made of,
// a line each.
func PlanWarnings(w io.Writer, s Style, warnings []plan.Warning) {
	for i, warning := range warnings {
		if i == manyWarnings {
			fmt.Fprintf(w, "and %d more warnings: charter validate -o json lists them all\n", len(warnings)-i)
			return
		}
		place := catalog.Position{File: warning.File, Line: warning.Line}.String()
		if place != "" {
			place += ": "
		}
		fmt.Fprintf(w, "%s%s %s\n", Clean(place), s.paint(yellow, Clean(warning.Text)), s.paint(dim, "["+Clean(warning.Code)+"]"))
	}
}
