package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
)

// whole are the brakes of the plan as a whole.
func (c *court) whole() *Refusal {
	p := c.in.Plan
	switch {
	case c.in.Trust != nil:
		return &Refusal{Brake: Trust, Exit: exitTrust, Text: c.in.Trust.Error(), Act: "no approval passes it"}
	case p.Environment != c.in.Environment.String():
		return &Refusal{Brake: Environment, Exit: exitTrust, Act: "only a plan of this environment passes",
			Text: fmt.Sprintf("the plan is for environment %.63q, not %s", p.Environment, c.in.Environment)}
	case c.in.Instance != "" && p.Instance != c.in.Instance:
		return &Refusal{Brake: Instance, Exit: exitTrust, Act: "only a plan of this platform passes",
			Text: fmt.Sprintf("the plan is for platform %.80q, and this one is %.80q", p.Instance, c.in.Instance)}
	case c.in.Restored:
		return &Refusal{Brake: Restored, Exit: exitRestored, Act: "charter recover --reason, signed, passes it",
			Text: "the platform was put back behind the newest receipt"}
	}
	return c.misnamed()
}

// misnamed refuses a plan that calls a row by a module that it is not of: people
// read the name, and what is signed and written is the platform's own key.
func (c *court) misnamed() *Refusal {
	for i := range c.units {
		u := &c.units[i]
		for j := range u.changes {
			if of := c.facts.misnamed(&u.changes[j]); of != "" {
				return &Refusal{Brake: Trust, Exit: exitTrust, Tenant: u.tenant, Subject: u.subject, Act: "only another plan passes",
					Text: fmt.Sprintf("the plan shows a row of module %.63q, and it is of %s", u.changes[j].Module, of)}
			}
		}
	}
	return nil
}

// turn is the brake of mappers: rows that a module bears by a new catalogue alone
// wait until that one is approved, as whoever reads the module's name knows it by
// the one in force.
func (c *court) turn(v *Verdict) {
	if c.facts.last == nil || slices.ContainsFunc(v.Units, func(u Unit) bool { return u.Subject == plan.Catalog && u.Allowed() }) {
		return
	}
	for i := range c.units {
		u := &c.units[i]
		j := slices.IndexFunc(u.changes, c.facts.turned)
		if j < 0 || v.Units[i].Refusal != nil {
			continue
		}
		v.Units[i].Refusal = u.refuse(Missing, "an approval of the catalogue passes it",
			"module %.63s bears %.63q by a catalogue that nobody has approved, and not by the one in force", u.changes[j].Module, u.changes[j].EHRModule)
	}
}

// held is the brake of holds: of rows that somebody asked to leave alone.
func (c *court) held(u *unit) *Refusal {
	id := u.id()
	for i := range c.in.Holds {
		h := &c.in.Holds[i]
		if h.Tenant != id || !c.in.Now.Before(h.Until) || !slices.ContainsFunc(u.changes, touchedBy(h)) {
			continue
		}
		return u.refuse(Held, "the hold's end passes it: a commit that takes the hold out, or gives it another end",
			"hold %q of %s keeps rows of it until %s: %s", h.Key, h.Owner, catalog.FormatTime(h.Until), h.Reason)
	}
	return nil
}

// touchedBy reports whether a change is of a row that a hold keeps.
func touchedBy(h *catalog.Hold) func(plan.Change) bool {
	return func(c plan.Change) bool {
		facility, err := catalog.ParseFacilityID(c.Facility)
		if c.Kind != plan.KindRow || err != nil {
			return false
		}
		module, err := catalog.ParseModuleKey(c.Module)
		// A row of a module that has no key here may be any.
		return err != nil && (h.Facility.IsZero() || h.Facility == facility) || h.Covers(facility, module)
	}
}

// window is the brake of windows.
func (c *court) window(u *unit) *Refusal {
	kind := c.facts.kind(u)
	var shut []string
	open := false
	for i := range c.policy.Windows {
		w := &c.policy.Windows[i]
		if !w.Change.Covers(kind) || !c.facts.matches(w.Tenants, u) {
			continue
		}
		is, err := w.OpenAt(c.in.Now)
		switch {
		case err != nil:
			return u.refuse(Closed, "only a policy that can be read passes it", "window %s: %s", w.Name, err)
		case !w.Allow && is:
			return c.broken("window", u.refuse(Closed, c.glassOf("window"), "window %s lets nothing through now", w.Name))
		case w.Allow && is:
			open = true
		case w.Allow:
			shut = append(shut, w.Name)
		}
	}
	if len(shut) == 0 || open {
		return nil
	}
	return c.broken("window", u.refuse(Closed, c.glassOf("window"), "it is outside of window %s", strings.Join(shut, ", ")))
}

// removals counts the rows that a plan takes away.
type removals struct {
	rows  map[string]int // by tenant
	share map[string]int // by tenant, but for those under a tombstone
	total int
}

func (c *court) countRemovals() {
	c.removed = removals{rows: map[string]int{}, share: map[string]int{}}
	for i := range c.units {
		u := &c.units[i]
		if u.batch == nil {
			continue // a scheduled entry takes away later, in a plan of then
		}
		for j := range u.changes {
			change := &u.changes[j]
			if change.Kind != plan.KindRow || !change.Action.Withdraws() {
				continue
			}
			c.removed.total++
			c.removed.rows[u.tenant]++
			if !c.facts.buried(u, change.Facility) {
				c.removed.share[u.tenant]++
			}
		}
	}
}

// threshold is the brake of too many removals, of the fleet and of one tenant.
func (c *court) threshold(u *unit) *Refusal {
	text := over(c.policy.Thresholds.Fleet, "the fleet's", c.removed.total, c.removed.total, c.in.Live.Total)
	if text == "" && u.subject.OfTenant() {
		text = over(c.policy.Thresholds.Tenant, "its", c.removed.rows[u.tenant], c.removed.share[u.tenant], c.in.Live.Rows[u.tenant])
	}
	if text == "" {
		return nil
	}
	return c.broken("threshold", u.refuse(TooMany, c.glassOf("threshold"), "%s", text))
}

// over says how a threshold is passed; "" where it is not.
func over(t catalog.Threshold, whose string, rows, share, live int) string {
	if int64(rows) > t.Rows {
		return fmt.Sprintf("the plan takes away %d of %s rows, and the most is %d", rows, whose, t.Rows)
	}
	if live >= catalog.ShareFrom && int64(share)*100 > t.Share*int64(live) {
		return fmt.Sprintf("the plan takes away %d of %s %d rows, and the most is %d %%", share, whose, live, t.Share)
	}
	return ""
}

// broken lets a refusal go where people that the policy names broke the glass of
// its brake for this plan.
func (c *court) broken(brake string, r *Refusal) *Refusal {
	g := c.policy.BreakGlass
	if g == nil || !slices.Contains(g.Passes, brake) {
		return r
	}
	people := map[string]bool{}
	for i := range c.in.BreakGlass {
		s := &c.in.BreakGlass[i]
		person, err := c.in.Roster.Person(s.Signer, c.in.Now)
		if err == nil && slices.Contains(g.People, person.ID) && s.Plan == c.in.PlanDigest && s.Environment == c.in.Environment &&
			strings.TrimSpace(s.Reason) != "" && !c.in.Now.After(s.NotAfter) {
			people[person.ID] = true
		}
	}
	if len(people) < g.Approvals {
		return r
	}
	return nil
}

// glassOf says who may break the glass of a brake.
func (c *court) glassOf(brake string) string {
	g := c.policy.BreakGlass
	if g == nil || !slices.Contains(g.Passes, brake) {
		return "nobody may break the glass of it: the policy's break_glass does not name it"
	}
	return fmt.Sprintf("a break-glass statement for this plan, by %d of %s, passes it", g.Approvals, strings.Join(g.People, ", "))
}

// mandated reports whether the mandate covers a unit: every change in it is drift
// of a kind that both the statement and the policy name, and there is room left
// in the hour and the day. Where drift is not covered why says so; "" where no
// mandate was given.
func (c *court) mandated(u *unit, n Need) (covered bool, why string) {
	m, bound := c.in.Mandate, c.policy.Mandate
	drift := !slices.ContainsFunc(u.changes, func(change plan.Change) bool { return change.Class != plan.Drift })
	if m == nil || u.batch == nil || !u.subject.OfTenant() || !drift {
		return false, ""
	}
	made := int64(c.corrected + len(u.changes))
	switch {
	case bound == nil:
		why = "the policy in force has none to bound it"
	case m.Environment != c.in.Environment:
		why = "it is of environment " + m.Environment.String()
	case c.in.Now.After(m.NotAfter), !bound.Until.IsZero() && !c.in.Now.Before(bound.Until):
		why = "it is over"
	case slices.ContainsFunc(u.changes, func(change plan.Change) bool {
		return !slices.Contains(m.Kinds, change.Action) || !slices.Contains(bound.Kinds, string(change.Action))
	}):
		why = "it is not of these kinds of change"
	case m.Tenants != nil && !slices.Contains(m.Tenants, u.id()), !c.facts.covers(bound.Tenants, u):
		why = "it is not of this tenant"
	case !c.signedMandate(m, n):
		why = fmt.Sprintf("it wants %s by people with %s", count(n.Approvals, "signature"), n.Capability)
	case c.in.Corrected.Hour+made > min(m.PerHour, bound.PerHour), c.in.Corrected.Day+made > min(m.PerDay, bound.PerDay):
		why = "as many changes as it allows in an hour or a day are made"
	default:
		c.corrected += len(u.changes)
		return true, ""
	}
	return false, why
}

// signedMandate reports whether people enough signed the mandate who hold what
// the unit needs.
func (c *court) signedMandate(m *Mandate, n Need) bool {
	people := map[string]bool{}
	for _, key := range m.Signers {
		if person, err := c.in.Roster.Person(key, c.in.Now); err == nil && c.may(person, n) {
			people[person.ID] = true
		}
	}
	return slices.Contains(n.Evidence, catalog.ByKey) && len(people) >= n.Approvals
}
