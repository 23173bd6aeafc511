package view

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/reconcile"
)

// Why is why facilities have a module, or do not.
type Why struct {
	At      time.Time       `json:"at"`
	Commit  string          `json:"commit"`  // of the declarations
	Founded bool            `json:"founded"` // whether there is a ledger
	Rows    []reconcile.Why `json:"rows"`
}

// WhyText writes for people why facilities have a module, a facility after the
// other, each from the declaration back to the platform. Nothing is said to be held
// here but what a hold keeps.
func WhyText(w io.Writer, s Style, why *Why) error {
	for i := range why.Rows {
		row := &why.Rows[i]
		if err := gap(w, i); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(w, s.paint(bold, fmt.Sprintf("%s/%s %s: %s", row.Tenant, row.Facility, row.Module, standing(row)))); err != nil {
			return err
		}
		t := steps(why, row)
		if err := t.write(w, func(_ int, line string) string { return paintProof(s, line) }); err != nil {
			return err
		}
	}
	return nil
}

// standing says in a few words how a row stands.
func standing(w *reconcile.Why) string {
	switch {
	case w.Live == nil && w.Declared.Held:
		return "declared"
	case w.Live == nil:
		return "not declared"
	case w.Live.Held && w.Declared.Held:
		return "has it"
	case w.Live.Held:
		return "live, and not declared"
	case w.Declared.Held:
		return "declared, and not live"
	}
	return "does not have it"
}

const unproved = "not verified"

func paintProof(s Style, line string) string {
	if strings.Contains(line, unproved) {
		return s.paint(yellow, line)
	}
	return line
}

func proof(p reconcile.Proof) string {
	switch {
	case p.Verified && p.Text != "":
		return "verified, " + Clean(p.Text)
	case p.Verified:
		return "verified"
	case p.Text == "":
		return unproved
	}
	return unproved + ": " + Clean(p.Text)
}

// steps are the way back from a row, a line a step.
func steps(why *Why, w *reconcile.Why) *table {
	t := &table{}
	t.add("  because", Clean(w.Declared.Text), fmt.Sprintf("%s:%d", Clean(w.Declared.File), w.Declared.Line))
	for _, b := range w.Declared.Brought {
		what := fmt.Sprintf("%s:%d by nobody that was found", Clean(b.File), b.Line)
		if b.Commit != "" {
			what = fmt.Sprintf("%s:%d by commit %.12s of %s, %s: %s", Clean(b.File), b.Line, b.Commit, catalog.FormatTime(b.When), Clean(b.Author), Clean(b.Subject))
		}
		t.add("  brought in", what, proof(b.Proof))
	}
	t.written(why, w)
	if w.Live == nil {
		t.add("  platform", "not asked: give --ehr")
	} else {
		t.add("  platform", live(w.Live), proof(w.Live.Proof))
	}
	for _, hold := range w.Held {
		t.add("  kept by", Clean(hold))
	}
	if len(w.Missing) > 0 {
		t.add("  requires", Some(w.Missing)+", which the facility does not have")
	}
	if w.Command != "" {
		t.add("  to grant", w.Command)
	}
	return t
}

// written adds what the ledger says.
func (t *table) written(why *Why, w *reconcile.Why) {
	r := w.Written
	switch {
	case !why.Founded:
		t.add("  ledger", "there is none: what was approved and carried out nobody can prove")
		return
	case r == nil:
		t.add("  receipt", "none: no receipt wrote this row")
		return
	}
	what := fmt.Sprintf("%d, %s: %s, %s", r.Number, r.Receipt, r.Action, r.State)
	if r.Revision > 0 { // a provision's is not known
		what += fmt.Sprintf(", revision %d", r.Revision)
	}
	t.add("  receipt", what+", carried out by "+Clean(r.By)+" on "+catalog.FormatTime(r.When), "verified")
	t.add("  plan", fmt.Sprintf("%s of commit %.12s: %s", r.Plan, r.Commit, Clean(r.Reason.Text)), "verified")
	if r.Confirmed > 0 {
		t.add("  confirmed", fmt.Sprintf("by receipt %d, which found it so", r.Confirmed), "verified")
	}
	for _, b := range r.Glass {
		t.add("  without", Clean(b.String()), "verified")
	}
	by := "nobody"
	if len(r.Approvers) > 0 {
		by = Some(r.Approvers)
	}
	t.add("  approved by", by, proof(r.Authority))
}

// live says how the platform has a row.
func live(l *reconcile.LiveRow) string {
	text := "not live"
	if l.Held {
		text = "live"
	}
	if l.Revision > 0 {
		text += fmt.Sprintf(", revision %d", l.Revision)
	}
	if l.By != "" {
		text += ", last written by " + Clean(l.By)
	}
	return text
}
