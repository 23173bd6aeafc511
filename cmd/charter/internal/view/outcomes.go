package view

import (
	"fmt"
	"io"
	"strings"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile"
)

// states are the states of a batch in the order in which they are counted.
var states = []reconcile.State{
	reconcile.Done, reconcile.Already, reconcile.Moved, reconcile.Refused, reconcile.Unconfirmed, reconcile.NotTried,
}

// Outcomes writes what became of the batches of a plan that were to be carried
// out: those that are not done, then how many there are of each, and what waits
// for its day.
func Outcomes(w io.Writer, s Style, p *plan.Plan, outcomes []reconcile.Outcome) error {
	count := map[reconcile.State]int{}
	var t table
	for _, o := range outcomes {
		count[o.State]++
		if o.State != reconcile.Done && o.State != reconcile.Already {
			t.add("!", Clean(o.Tenant), o.Subject, string(o.State), Clean(o.Text))
		}
	}
	if err := t.write(w, func(_ int, line string) string { return s.paint(magenta, line) }); err != nil {
		return err
	}
	if err := gap(w, len(t.rows)); err != nil {
		return err
	}
	var parts []string
	for _, state := range states {
		if count[state] > 0 || state == reconcile.Done {
			parts = append(parts, fmt.Sprintf("%d %s", count[state], state))
		}
	}
	if n := len(p.Batches) - len(outcomes); n > 0 {
		parts = append(parts, fmt.Sprintf("%d left out", n))
	}
	if _, err := fmt.Fprintln(w, s.paint(bold, fmt.Sprintf("Apply: %s of %s.", strings.Join(parts, ", "), Counted(len(p.Batches), "batch", "batches")))); err != nil {
		return err
	}
	return waiting(w, p)
}

// waiting says that what is scheduled has not been carried out.
func waiting(w io.Writer, p *plan.Plan) error {
	if len(p.Scheduled) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "%s not due yet, the first on %s: plan and apply again then.\n",
		Counted(len(p.Scheduled), "scheduled change is", "scheduled changes are"), catalog.FormatTime(p.Scheduled[0].At))
	return err
}
