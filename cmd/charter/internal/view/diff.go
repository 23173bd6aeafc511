package view

import (
	"fmt"
	"io"
	"slices"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
)

// diffReport puts a comparison into the order of speech.
func diffReport(c *plan.Comparison) *report {
	r := &report{
		title: "charter diff", summary: DiffSummary(c), blockedTitle: "Declared no longer, and left as they are", whole: "charter diff -o text, html or json",
		facts: [][2]string{{"base", c.Base}, {"head", c.Head}, {"as of", catalog.FormatTime(c.At)}},
	}
	for i := range c.Differences {
		r.changes = append(r.changes, differenceLine(&c.Differences[i]))
	}
	slices.SortStableFunc(r.changes, func(a, b line) int { return removalsFirst(&a, &b) })
	gone := "is declared no longer, and keeps what it holds: close it instead"
	if len(c.Environments) == 2 {
		r.facts = append([][2]string{{"environments", c.Environments[0] + " → " + c.Environments[1]}}, r.facts...)
		r.blockedTitle, gone = "In one environment alone", "is in "+c.Environments[0]+" alone"
	}
	for _, name := range c.Gone {
		r.blocked = append(r.blocked, line{symbol: "!", owner: name, facility: "*", kind: "gone", reason: gone})
	}
	for _, name := range c.Alone {
		r.blocked = append(r.blocked, line{symbol: "!", owner: name, facility: "*", kind: "alone", reason: "is in one environment alone"})
	}
	r.counts = countKinds(r.changes)
	return r
}

func differenceLine(d *plan.Difference) line {
	return line{
		action: d.Action, symbol: d.Action.Symbol(), owner: d.Tenant, ofTenant: true, facility: d.Facility, kind: plan.KindRow, what: d.Module,
		when: stretch(d), routes: d.Routes, critical: d.Critical, reason: sentence(&d.Reason), place: place(d.Reason),
	}
}

// Diff writes what a change of the declarations does to effective entitlements.
func Diff(w io.Writer, s Style, c *plan.Comparison) error {
	r := diffReport(c)
	changes := s.changes(r)
	for _, gone := range r.blocked {
		changes.add(magenta, gone.symbol, gone.owner+"  "+gone.reason)
	}
	if err := changes.write(w, s); err != nil {
		return err
	}
	if c.Empty() {
		if _, err := fmt.Fprintf(w, "%s compared: what each facility holds is the same, now and at every declared date\n", Counted(c.Tenants, "tenant", "tenants")); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w, s.paint(bold, r.summary))
	return err
}
