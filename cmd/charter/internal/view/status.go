package view

import (
	"fmt"
	"io"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile"
	"github.com/veonahealth/charter/schema"
)

// Status is how a fleet stands.
type Status struct {
	Tenants   []reconcile.TenantStatus `json:"tenants"`
	Unmanaged []catalog.TenantID       `json:"unmanaged"` // tenants of the platform that nobody declares
	Warnings  schema.Problems          `json:"warnings"`
	Ledger    *LedgerStatus            `json:"ledger"` // null where none is founded
}

// LedgerStatus is how the ledger and the platform bear each other out.
type LedgerStatus struct {
	Receipts int    `json:"receipts"`
	Root     string `json:"root"`
	Open     string `json:"open"`     // the receipt that has no outcome yet, or ""
	Restored string `json:"restored"` // how the platform was put back behind a receipt, or ""
	Trust    string `json:"trust"`    // what is wrong with the ledger, or ""
	// Glass are the brakes that were passed by break-glass and not reviewed since.
	Glass []string `json:"glass"`
}

// text says it in a line, or in one for each thing that is wrong.
func (l *LedgerStatus) text() string {
	text := fmt.Sprintf("ledger of %s\n", Counted(l.Receipts, "receipt", "receipts"))
	if l.Open != "" {
		text += "! " + Clean(l.Open) + "\n"
	}
	if l.Restored != "" {
		text += "! restored: " + Clean(l.Restored) + "; the way on is charter recover --reason, signed\n"
	}
	if l.Trust != "" {
		text += "! " + Clean(l.Trust) + "\n"
	}
	for _, broken := range l.Glass {
		text += "! " + Clean(broken) + "\n"
	}
	return text
}

// StatusText writes how a fleet stands for people.
func StatusText(w io.Writer, s Style, status *Status) error {
	var t table
	t.add("TENANT", "EDITION", "DECLARED", "ACCEPTED", "ENFORCED", "STATE")
	step := 0
	for i := range status.Tenants {
		tenant := &status.Tenants[i]
		if tenant.InStep() {
			step++
		}
		t.add(tenant.Tenant, tenant.Edition, Counted(tenant.Declared, "row", "rows"), accepted(tenant), enforced(tenant), state(tenant))
		for _, h := range tenant.Held {
			t.note(fmt.Sprintf("  = %s %s: %s", orAll(h.Facility), orAll(h.EHRModule), Clean(h.Text)))
		}
		for _, r := range tenant.Refusals {
			t.note(fmt.Sprintf("  ! %s: %s", orAll(r.Facility), Clean(r.Text)))
		}
		if l := tenant.Licence; l != nil {
			if len(status.Tenants) == 1 {
				t.note(fmt.Sprintf("  licence %s is %s", Clean(l.ID), Clean(l.State)))
			}
			for _, warning := range l.Warnings {
				t.note("  ! licence: " + Clean(warning))
			}
		}
	}
	paint := func(i int, line string) string {
		switch {
		case i == 0:
			return s.paint(dim, line)
		case !status.Tenants[i-1].InStep():
			return s.paint(yellow, line)
		}
		return line
	}
	if err := t.write(w, paint); err != nil {
		return err
	}
	if err := gap(w, len(t.rows)-1); err != nil {
		return err
	}
	if n := len(status.Unmanaged); n > 0 {
		if _, err := fmt.Fprintf(w, "%s of the platform not declared, and left alone: %s\n", Counted(n, "tenant", "tenants"), Some(status.Unmanaged)); err != nil {
			return err
		}
	}
	if status.Ledger != nil {
		if _, err := io.WriteString(w, status.Ledger.text()); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%d of %s in step\n", step, Counted(len(status.Tenants), "tenant", "tenants"))
	return err
}

func accepted(t *reconcile.TenantStatus) string {
	if t.Accepted == nil {
		return "-"
	}
	return fmt.Sprintf("%s, revision %d", Counted(t.Accepted.Rows, "row", "rows"), t.Accepted.Revision)
}

func enforced(t *reconcile.TenantStatus) string {
	switch {
	case t.Enforced == nil:
		return "-"
	case !t.Reachable:
		return fmt.Sprintf("revision %d, unreachable", t.Enforced.Revision)
	}
	return fmt.Sprintf("revision %d", t.Enforced.Revision)
}

// state says in a word or two how a tenant stands.
func state(t *reconcile.TenantStatus) string {
	switch {
	case t.Unreadable != "":
		return "unreadable: " + Clean(t.Unreadable)
	case t.Accepted == nil:
		return "not on the platform"
	case t.Stopped():
		return t.Platform
	case t.Pending() > 0:
		return pending(t)
	case len(t.Refusals) > 0:
		return "blocked"
	case !t.IsEnforced():
		return "accepted, not enforced"
	}
	return "in step"
}

// pending says what a plan would do.
func pending(t *reconcile.TenantStatus) string {
	text := fmt.Sprintf("%d to grant, %d to revoke", t.Grant, t.Revoke)
	if t.Change > 0 {
		text = fmt.Sprintf("%d to grant, %d to change, %d to revoke", t.Grant, t.Change, t.Revoke)
	}
	if t.Platform == string(plan.StatusCreated) {
		return "not provisioned, " + text
	}
	return text
}
