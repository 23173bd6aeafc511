package view

import (
	"fmt"
	"strings"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
)

// sentence says why something changes. A reason that is somebody's own words does
// not say by itself at which level something was ended.
func sentence(r *plan.Reason) string {
	switch r.Code {
	case plan.TenantClosed:
		return "the tenant is closed: " + r.Text
	case plan.FacilityClosed:
		return "the facility is closed: " + r.Text
	case plan.TenantRevocation:
		return "revoked for the tenant: " + r.Text
	case plan.FacilityRevocation:
		return "revoked at the facility: " + r.Text
	case plan.Tombstone:
		return "ended by declaration: " + r.Text
	}
	return r.Text
}

// cause names the edit of an edition, or the move to another one, that a reason
// tells of.
func cause(r *plan.Reason) string {
	if r.Edition == "" {
		return r.Text
	}
	return "edition " + r.Edition
}

// becomes says how something was and how it is to be; "" where its name is all.
func becomes(c *plan.Change) string {
	switch {
	case c.Action == plan.Revoke && c.Before != "":
		return "was " + c.Before
	case c.Action != plan.Alter:
		return c.After
	case c.Before == "":
		return "+ " + c.After
	case c.After == "":
		return "− " + c.Before
	}
	return c.Before + " → " + c.After
}

// place is where a change is declared, or "".
func place(r plan.Reason) string {
	return catalog.Position{File: r.File, Line: r.Line}.String()
}

// moment is when a scheduled entry is due: in UTC, and by the tenant's own clock
// where that is another, with its day where that is another too.
func moment(e *plan.Entry) string {
	text := catalog.FormatTime(e.At)
	if e.Local == "" {
		return text
	}
	local, err := time.Parse(time.RFC3339, e.Local)
	switch {
	case err != nil:
		return text + " (local " + e.Local + ")"
	case local.Format(time.DateOnly) == e.At.UTC().Format(time.DateOnly):
		return text + local.Format(" (local 15:04-07:00)")
	}
	return text + local.Format(" (local 2006-01-02 15:04-07:00)")
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

// Summary is the last line of a plan.
func Summary(p *plan.Plan) string {
	if p.Empty() && len(p.Scheduled)+len(p.Unreadable)+len(p.Refusals) == 0 {
		return "No changes."
	}
	n := p.Summary
	return fmt.Sprintf("Plan: %d to grant, %d to change, %d to revoke (%s, %s), %d scheduled.",
		n.Grant, n.Change, n.Revoke, Counted(n.Tenants, "tenant", "tenants"), Counted(n.Facilities, "facility", "facilities"), n.Scheduled)
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

// Counted writes a number with its noun.
func Counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
