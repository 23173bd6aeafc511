package view

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
)

// located is a change with the tenant that it is of.
type located struct {
	tenant string
	*plan.Change
}

// removalsFirst returns the changes of all batches, those that take away before
// those that give.
func removalsFirst(p *plan.Plan) []located {
	var all []located
	for i := range p.Batches {
		for j := range p.Batches[i].Changes {
			all = append(all, located{p.Batches[i].Tenant, &p.Batches[i].Changes[j]})
		}
	}
	slices.SortStableFunc(all, func(a, b located) int { return order(a.Action) - order(b.Action) })
	return all
}

func order(a plan.Action) int { return strings.Index("-~+", a.Symbol()) }

// Plan writes a plan for people: removals first, then by tenant, facility and
// module, each with its reason and place; then what is scheduled, held, refused
// and unreadable; and a last line that scripts may match.
func Plan(w io.Writer, s Style, p *plan.Plan) error {
	for _, write := range []func(io.Writer, Style, *plan.Plan) error{changes, scheduled, heldRows, blocked} {
		if err := write(w, s, p); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w, s.paint(bold, Summary(p)))
	return err
}

// Summary is the last line of a plan.
func Summary(p *plan.Plan) string {
	if p.Empty() && len(p.Scheduled)+len(p.Unreadable)+len(p.Refusals) == 0 {
		return "No changes."
	}
	n := p.Summary
	return fmt.Sprintf("Plan: %d to grant, %d to change, %d to revoke (%s, %s), %d scheduled.",
		n.Grant, n.Change, n.Revoke, Counted(n.Tenants, "tenant", "tenants"), Counted(n.Facilities, "facility", "facilities"), n.Scheduled)
}

// Counted writes a number with its noun.
func Counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func changes(w io.Writer, s Style, p *plan.Plan) error {
	all := removalsFirst(p)
	var t table
	for _, c := range all {
		t.add(c.Action.Symbol(), c.tenant, c.Facility, c.Module, Clean(c.Reason.Text), place(c.Reason))
		if c.Action == plan.Revoke && len(c.Routes) > 0 {
			t.note(indent + s.paint(dim, "403 from then on: ") + routes(c.Routes, c.Critical))
		}
	}
	if err := t.write(w, func(i int, line string) string { return s.action(all[i].Action, line) }); err != nil {
		return err
	}
	return gap(w, len(all))
}

// routes names what a revocation turns off, and whether patients depend on it.
func routes(list []string, critical bool) string {
	text := Clean(strings.Join(list, ", "))
	if critical {
		text += "   (critical)"
	}
	return text
}

func (s Style) action(a plan.Action, line string) string {
	switch a {
	case plan.Revoke:
		return s.paint(red, line)
	case plan.Grant:
		return s.paint(green, line)
	}
	return s.paint(yellow, line)
}

// place is where a change is declared.
func place(r plan.Reason) string {
	return Clean(catalog.Position{File: r.File, Line: r.Line}.String())
}

// gap writes an empty line after a section that has anything in it.
func gap(w io.Writer, n int) error {
	if n == 0 {
		return nil
	}
	_, err := fmt.Fprintln(w)
	return err
}

func scheduled(w io.Writer, s Style, p *plan.Plan) error {
	var t table
	for _, e := range p.Scheduled {
		for _, c := range e.Changes {
			t.add(">", catalog.FormatTime(e.At), e.Tenant, c.Action.Symbol(), c.Facility, c.Module, Clean(c.Reason.Text), place(c.Reason))
		}
	}
	if err := t.write(w, func(_ int, line string) string { return s.paint(cyan, line) }); err != nil {
		return err
	}
	return gap(w, len(t.rows))
}

func heldRows(w io.Writer, s Style, p *plan.Plan) error {
	var t table
	for _, h := range p.Held {
		t.add("=", h.Tenant, orAll(h.Facility), orAll(h.EHRModule), string(h.Reason), Clean(h.Text))
	}
	if err := t.write(w, func(_ int, line string) string { return s.paint(dim, line) }); err != nil {
		return err
	}
	return gap(w, len(t.rows))
}

func orAll(text string) string {
	if text == "" {
		return "*"
	}
	return text
}

// blocked shows what is declared and cannot be planned.
func blocked(w io.Writer, s Style, p *plan.Plan) error {
	var t table
	for _, r := range p.Refusals {
		t.add("!", r.Tenant, orAll(r.Facility), string(r.Code), Clean(r.Text))
	}
	for _, u := range p.Unreadable {
		t.add("!", u.Tenant, "*", "unreadable", "its live state could not be read: "+Clean(u.Text))
	}
	if err := t.write(w, func(_ int, line string) string { return s.paint(magenta, line) }); err != nil {
		return err
	}
	return gap(w, len(t.rows))
}

// PlanHead writes what a saved plan is of: commit, platform, and until when it
// may be applied.
func PlanHead(w io.Writer, p *plan.Plan, digest plan.Digest) error {
	var t table
	t.add("plan", digest.String())
	t.add("environment", p.Environment+" at "+Clean(p.Live.EHR)+" (instance "+Clean(p.Instance)+")")
	t.add("commit", Clean(p.Source.Commit+" "+p.Source.Ref))
	t.add("made", p.CreatedAt.Format(time.RFC3339)+", to be applied before "+p.ExpiresAt.Format(time.RFC3339))
	if !p.At.Equal(p.CreatedAt) {
		t.add("as of", catalog.FormatTime(p.At))
	}
	if err := t.write(w, plain); err != nil {
		return err
	}
	return gap(w, 1)
}

// PlanWarnings writes the warnings of the declarations that a plan was made of,
// a line each.
func PlanWarnings(w io.Writer, s Style, warnings []plan.Warning) {
	for i, warning := range warnings {
		if i == manyWarnings {
			fmt.Fprintf(w, "and %d more warnings: charter validate -o json lists them all\n", len(warnings)-i)
			return
		}
		place := catalog.Position{File: warning.File, Line: warning.Line}
		fmt.Fprintf(w, "%s: %s %s\n", Clean(place.String()), s.paint(yellow, Clean(warning.Text)), s.paint(dim, "["+warning.Code+"]"))
	}
}
