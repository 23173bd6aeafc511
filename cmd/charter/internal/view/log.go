package view

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile"
)

// LogText writes receipts for people as they come, and then how many there were.
func LogText(w io.Writer, s Style, deeds iter.Seq2[*reconcile.Deed, error]) error {
	n := 0
	for d, err := range deeds {
		if err != nil {
			return err
		}
		if err := gap(w, n); err != nil {
			return err
		}
		n++
		if err := deed(w, s, d); err != nil {
			return err
		}
	}
	if err := gap(w, n); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, Counted(n, "receipt", "receipts"))
	return err
}

// deed writes a receipt: a heading, then a line for each batch.
func deed(w io.Writer, s Style, d *reconcile.Deed) error {
	head := fmt.Sprintf("%s  %s  %s %d", d.Receipt, catalog.FormatTime(d.CreatedAt), d.Act, d.Number)
	if d.Commit != "" {
		head += fmt.Sprintf(" of commit %.12s", d.Commit)
	}
	head += ", by " + Clean(d.By)
	if len(d.Approvals) > 0 {
		head += ", approved by " + Some(d.Approvals)
	}
	if d.FinishedAt == nil {
		head += ", not finished"
	}
	if _, err := fmt.Fprintln(w, s.paint(bold, head)); err != nil {
		return err
	}
	var t table
	for i := range d.Batches {
		b := &d.Batches[i]
		t.add("  "+owner(b.Tenant), string(b.Subject), became(b), changed(b.Changes))
	}
	for _, b := range d.Glass {
		t.add("  ! " + Clean(b.String()))
	}
	if d.Reason != "" {
		t.add("  " + Clean(d.Reason))
	}
	if d.Skipped > 0 {
		t.add(fmt.Sprintf("  %s left as they were", Counted(d.Skipped, "subject", "subjects")))
	}
	return t.write(w, plain)
}

// owner names what a batch is of; the fleet itself has no name.
func owner(name string) string {
	if name == "" {
		return "the fleet"
	}
	return Clean(name)
}

// became says what became of a batch.
func became(b *reconcile.DeedBatch) string {
	text := string(b.State)
	switch {
	case text == "":
		text = "under way"
	case b.At != nil:
		text += " for " + catalog.FormatTime(*b.At)
	case b.Revision > 0:
		text += fmt.Sprintf(", revision %d", b.Revision)
	}
	if b.Text != "" {
		text += ": " + Clean(b.Text)
	}
	return text
}

// changed names the first few changes of a batch.
func changed(changes []plan.Change) string {
	var list []string
	for _, c := range changes {
		what := c.Module
		if c.Kind != plan.KindRow {
			what = strings.TrimSpace(c.Kind + " " + c.Key)
		}
		list = append(list, strings.Join(strings.Fields(c.Action.Symbol()+" "+c.Facility+" "+what), " "))
	}
	return Some(list)
}

// HeldText writes who held what, as it comes.
func HeldText(w io.Writer, s Style, tenants iter.Seq2[*reconcile.TenantHeld, error]) error {
	n := 0
	for held, err := range tenants {
		if err != nil {
			return err
		}
		if err := gap(w, n); err != nil {
			return err
		}
		n++
		if _, err := fmt.Fprintln(w, s.paint(bold, fmt.Sprintf("%s, by receipt %d of commit %.12s", held.Tenant, held.Number, held.Commit))); err != nil {
			return err
		}
		var t table
		for i := range held.Facilities {
			f := &held.Facilities[i]
			t.add("  "+f.Facility.String(), keys(f.Modules))
			if len(f.Began) > 0 {
				t.note("    of these not carried out by then: " + keys(f.Began))
			}
			if len(f.Ended) > 0 {
				t.note("    ended, and not carried out by then: " + keys(f.Ended))
			}
		}
		if err := t.write(w, plain); err != nil {
			return err
		}
	}
	if n == 0 {
		_, err := fmt.Fprintln(w, "nothing was applied by then")
		return err
	}
	return nil
}

func keys(list []catalog.ModuleKey) string {
	if len(list) == 0 {
		return "nothing"
	}
	names := make([]string, len(list))
	for i, key := range list {
		names[i] = key.String()
	}
	return strings.Join(names, ", ")
}

// JSONList writes what comes as one JSON array, each element when it comes. After
// an error of the sequence the array is left open: what was written is no result.
func JSONList[T any](w io.Writer, list iter.Seq2[T, error]) error {
	before := "[\n  "
	for item, err := range list {
		if err != nil {
			return err
		}
		data, err := json.MarshalIndent(item, "  ", "  ")
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, before+string(data)); err != nil {
			return err
		}
		before = ",\n  "
	}
	end := "\n]\n"
	if before == "[\n  " {
		end = "[]\n"
	}
	_, err := io.WriteString(w, end)
	return err
}
