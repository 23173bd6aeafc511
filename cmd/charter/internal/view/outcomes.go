package view

import (
	"fmt"
	"io"
	"strings"

	"github.com/veonahealth/charter/reconcile"
)

// states are the states of a batch in the order in which they are counted.
var states = []reconcile.State{
	reconcile.Done, reconcile.Already, reconcile.Moved, reconcile.Refused, reconcile.Unconfirmed, reconcile.NotTried,
}

// Outcomes writes what became of each batch: those that are not done, then how
// many there are of each.
func Outcomes(w io.Writer, s Style, outcomes []reconcile.Outcome) error {
	count := map[reconcile.State]int{}
	var t table
	for _, o := range outcomes {
		count[o.State]++
		if o.State != reconcile.Done && o.State != reconcile.Already {
			t.add("!", o.Tenant, string(o.State), Clean(o.Text))
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
	_, err := fmt.Fprintln(w, s.paint(bold, fmt.Sprintf("Apply: %s of %s.", strings.Join(parts, ", "), Counted(len(outcomes), "batch", "batches"))))
	return err
}
