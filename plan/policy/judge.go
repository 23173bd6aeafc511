package policy

import (
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/seal"
)

// Input is all that a judgement is made of.
type Input struct {
	Plan        *plan.Plan
	PlanDigest  plan.Digest         // of the plan's file; break-glass names it
	Roster      *Roster             // of the policy last applied
	Now         time.Time           // when it is judged
	Environment catalog.Environment // that is applied to
	Instance    string              // the platform's id as it says it; "" where it is not known, and not compared

	Desired     *catalog.Desired // at the plan's commit
	Last        *catalog.Desired // as last applied; nil before
	LastCatalog *catalog.Catalog // as last applied; nil before
	Holds       []catalog.Hold   // of the newest commit that is known, which may be later than the plan's
	Live        Live

	// Trust is what is wrong with the ancestry, the commits or the ledger; nil.
	Trust    error
	Restored bool // the platform no longer holds what the newest receipt saw

	// Approvals are the bundles that verify, oldest first, of this plan and of
	// others, and Unverified those that do not.
	Approvals  []Approval
	Unverified []Unverified
	// Leaves are of other plans that approvals were given for: a unit that is a
	// leaf of one of them is approved with it.
	Leaves [][]plan.Digest
	// Spent reports whether an approval was used for a batch that a receipt says
	// is done. Nil: nothing is.
	Spent func(batch plan.Digest, approval ID) bool
	Due   []Due
	// Writers are all authors, committers and co-authors of commits that touched
	// the files of a subject since it was last applied. Nil: it is not known, and
	// a rule that leaves writers out lets nobody approve.
	Writers func(tenant string, subject plan.Subject) []Writer

	BreakGlass []BreakGlass
	Mandate    *Mandate  // nil: nothing is corrected without approval
	Corrected  Corrected // by the mandate, before this plan
}

// Live is how many rows there are.
type Live struct {
	Rows  map[string]int // by tenant
	Total int            // of all tenants
}

// Corrected counts the changes that were made under a mandate.
type Corrected struct{ Hour, Day int64 }

// Verdict is what may be done.
type Verdict struct {
	// Refusal is why nothing may be; nil where it depends on the unit.
	Refusal *Refusal `json:"refusal,omitempty"`
	Units   []Unit   `json:"units"` // in the plan's order: batches, then scheduled entries
}

// Unit is what is judged of a batch or of a scheduled entry.
type Unit struct {
	Tenant    string       `json:"tenant"`
	Subject   plan.Subject `json:"subject"`
	Digest    plan.Digest  `json:"digest"`
	Need      Need         `json:"need"`
	Notes     []Note       `json:"notes"` // what each approval is for it
	ByMandate bool         `json:"by_mandate"`
	// Approvals are the indexes in Input.Approvals of all that count: what a write
	// carries as its authority, and what is spent once it is done.
	Approvals []int    `json:"-"`
	Refusal   *Refusal `json:"refusal,omitempty"` // the first brake that refuses; nil: it may be applied
}

// Allowed reports whether the unit may be applied.
func (u *Unit) Allowed() bool { return u.Refusal == nil }

// Allowed reports whether all of the plan may be applied.
func (v *Verdict) Allowed() bool { return v.First() == nil }

// First returns the refusal that a command reports: of the plan, or else of its
// units the first that is a matter of trust, or else the first; nil where there
// is none.
func (v *Verdict) First() *Refusal {
	first := v.Refusal
	for i := range v.Units {
		r := v.Units[i].Refusal
		switch {
		case r == nil || v.Refusal != nil:
		case first == nil, r.Exit == exitTrust && first.Exit != exitTrust:
			first = r
		}
	}
	return first
}

// Blocked returns what stands in the way whoever approves, for a plan's refusals:
// approvals come after the plan.
func (v *Verdict) Blocked() []plan.Refusal {
	if v.Refusal != nil {
		return []plan.Refusal{{Code: plan.Code(v.Refusal.Brake), Text: v.Refusal.Text}}
	}
	var list []plan.Refusal
	for i := range v.Units {
		switch r := v.Units[i].Refusal; {
		case r == nil || r.Brake == Missing || r.Brake == Incapable:
		default:
			list = append(list, plan.Refusal{Code: plan.Code(r.Brake), Tenant: r.Tenant, Text: r.Text})
		}
	}
	return list
}

// court is one judgement.
type court struct {
	in        Input
	policy    *catalog.Policy
	facts     *facts
	units     []unit
	trees     map[seal.Batches]map[plan.Digest]struct{} // the leaves under each root that may have been signed
	due       map[plan.Digest]Due
	removed   removals
	corrected int // by mandate, in this plan
}

// Judge judges a plan: each unit by itself, so that what is approved may go
// ahead of what is not. A plan that has a tree that cannot be built (its leaves
// are too many) is refused as a whole.
func Judge(in Input) Verdict {
	c := &court{
		in: in, policy: in.Roster.policy, units: units(in.Plan), due: map[plan.Digest]Due{},
		facts: newFacts(in.Desired, in.LastCatalog, in.Plan.At),
	}
	c.facts.applied = in.Last
	for _, d := range in.Due {
		c.due[d.Batch] = d
	}
	v := Verdict{Refusal: c.whole()}
	if err := c.plant(); err != nil && v.Refusal == nil {
		v.Refusal = &Refusal{Brake: Trust, Exit: exitTrust, Text: err.Error(), Act: "only another plan passes"}
	}
	c.countRemovals()
	for i := range c.units {
		v.Units = append(v.Units, c.unit(&c.units[i], v.Refusal))
	}
	c.turn(&v)
	return v
}

// plant builds the trees whose roots may have been signed.
func (c *court) plant() error {
	c.trees = map[seal.Batches]map[plan.Digest]struct{}{}
	for _, leaves := range append([][]plan.Digest{c.in.Plan.Leaves()}, c.in.Leaves...) {
		tree, err := plan.NewTree(leaves)
		if err != nil {
			return err
		}
		root, err := tree.Root()
		if err != nil {
			return err
		}
		set := make(map[plan.Digest]struct{}, len(leaves))
		for _, leaf := range leaves {
			set[leaf] = struct{}{}
		}
		c.trees[seal.Batches{Root: root, Count: len(leaves)}] = set
	}
	return nil
}

// unit judges one unit by the brakes in their order. A scheduled entry writes
// nothing yet: of the brakes that look at what is written now, it meets those when
// it is due.
func (c *court) unit(u *unit, whole *Refusal) Unit {
	n := c.facts.need(c.policy, u)
	t := c.tally(u, n)
	judged := Unit{Tenant: u.tenant, Subject: u.subject, Digest: u.digest, Need: n, Notes: t.notes, Refusal: whole}
	for _, brake := range []func(*unit) *Refusal{c.held, c.window, c.threshold} {
		if judged.Refusal == nil && u.batch != nil {
			judged.Refusal = brake(u)
		}
	}
	if judged.Refusal != nil {
		return judged
	}
	judged.Approvals = t.bundles
	refusal := c.approvals(u, n, t)
	if refusal != nil && len(t.rejected()) == 0 {
		var why string
		if judged.ByMandate, why = c.mandated(u, n); judged.ByMandate {
			refusal = nil
		} else if why != "" {
			refusal.Text += "; the mandate does not cover it: " + why
		}
	}
	if refusal != nil && len(t.rejected()) == 0 && refusal.Exit == exitBlocked {
		refusal = c.broken("approval", refusal)
	}
	judged.Refusal = refusal
	return judged
}
