package authority

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/seal"
)

const entitlements = plan.Entitlements

// Write is what an EHR is asked to do, in its own words: nothing of it may be
// taken from the authority.
type Write struct {
	Subject plan.Subject
	Of      string // the tenant's id, or the key of an edition or organisation
	// Base is what is there now; nil where there is nothing yet.
	Base *plan.Base
	// Request is what was asked, its body without the field authority; nil for
	// entitlements.
	Request *plan.Request
	// Revoked and Granted are the rows that go and come; of entitlements alone.
	Revoked, Granted catalog.Rows
	// Provisioned is the revision from which provisioning made the grant that is
	// there; nil where it was last written otherwise. Of entitlements alone.
	Provisioned *int64
	// Authorised are the rows of the newest revision that people approved, sorted; nil
	// where there was none. Of entitlements alone: a mandate goes by them.
	Authorised catalog.Rows
	// Spent tells whether a name that Covers gave for an earlier write was kept. It
	// may be nil where none was ever kept.
	Spent func(name string) (bool, error)
	// Withdraws tells that something is taken away that is not a row.
	Withdraws bool
}

func (w *Write) withdraws() bool { return w.Withdraws || len(w.Revoked) > 0 }

// lines are the lines of the batch that the write is, on a base line.
func (w *Write) lines(environment catalog.Environment, base string) (plan.Lines, error) {
	if w.Subject != entitlements {
		p := plan.Plan{Environment: environment.String()}
		return p.Lines(&plan.Batch{Base: w.Base, Request: w.Request, Subject: w.Subject, Tenant: w.Of})
	}
	tenant, err := catalog.ParseTenantID(w.Of)
	if err != nil {
		return nil, err
	}
	return plan.EntitlementLines(environment, tenant, base, w.Revoked, w.Granted), nil
}

// Cover is by what a write may be carried out.
type Cover struct {
	// Spends are names that are to be kept with the write, in one transaction, and
	// to be told by Spent from then on. There are none where the base can never be
	// true again.
	Spends []string
	// ByMandate tells that people approved no such write, but that rows be brought
	// back to what they approved: so it makes no newer revision that they did.
	ByMandate bool
}

// Covers checks that people have approved just this write, or by a mandate that it
// be made. An error is an Invalid, or one of Spent.
func (c *Claim) Covers(w Write) (Cover, error) {
	if c == nil {
		return Cover{}, invalid("%w", errMissing)
	}
	if c.fault != nil {
		return Cover{}, invalid("%w", c.fault)
	}
	if err := c.checkBase(&w); err != nil {
		return Cover{}, err
	}
	lines, err := w.lines(c.environment, c.base)
	if err != nil {
		return Cover{}, invalid("batch: %w", err)
	}
	if digest := lines.Digest(); digest != c.batch {
		return Cover{}, invalid("batch %s: this request, on what is here, is batch %s", c.batch, digest)
	}
	return c.count(&w)
}

// Invalid says why an authority does not cover a write, in words that may be
// answered.
type Invalid struct{ reason error }

func (e *Invalid) Error() string { return e.reason.Error() }

// Unwrap returns the reason.
func (e *Invalid) Unwrap() error { return e.reason }

func invalid(format string, args ...any) error { return &Invalid{fmt.Errorf(format, args...)} }

// checkBase refuses a base line that is not true.
func (c *Claim) checkBase(w *Write) error {
	if !c.at.IsZero() && w.Subject == entitlements {
		return c.checkTime()
	}
	if c.base == w.Base.Line() {
		return nil
	}
	if w.Provisioned != nil && c.base == plan.OnProvisioned(*w.Provisioned).Line() {
		return nil
	}
	return invalid("base %.200q: what is here is %q", c.base, w.Base.Line())
}

func (c *Claim) checkTime() error {
	switch {
	case c.now.Before(c.at):
		return invalid("base %q: that is still to come", c.base)
	case c.now.After(c.at.Add(afterTime)):
		return invalid("base %q: that is more than %d days ago", c.base, afterTime/(24*time.Hour))
	}
	return nil
}

// tally is a count of the people who have approved a write.
type tally struct {
	people     []string
	spends     []string
	objections []string // why other approvals do not count
}

// count refuses a write that too few people have approved.
func (c *Claim) count(w *Write) (Cover, error) {
	t := tally{objections: slices.Clone(c.objections)}
	for _, a := range c.approvals {
		spent, err := c.spent(w, a)
		if err != nil {
			return Cover{}, err
		}
		if a.terms.Review != nil && !c.reviewable(w) {
			t.objections = append(t.objections, a.person+": a review does not count for this, a key does")
			continue
		}
		t.add(a, c.spends(w, a), spent, a.terms.Objections(c.use(w, a)))
	}
	need := c.checker.need.of(w)
	if len(t.people) >= need {
		return Cover{Spends: t.spends}, nil
	}
	if c.mandate != nil {
		err := c.mandated(w)
		if err == nil {
			return Cover{ByMandate: true}, nil
		}
		t.objections = append(t.objections, "mandate: "+err.Error())
	}
	text := fmt.Sprintf("approvals: %d of %d", len(t.people), need)
	if len(t.objections) > 0 {
		text += ": " + strings.Join(t.objections, "; ")
	}
	return Cover{}, invalid("%s", text)
}

func (t *tally) add(a approval, spends string, spent bool, objections []seal.Objection) {
	who := a.person + ": "
	for _, objection := range objections {
		t.objections = append(t.objections, who+objection.Text)
	}
	if spent {
		t.objections = append(t.objections, who+"its approval was used before")
	}
	if spent || len(objections) > 0 {
		return
	}
	if !slices.Contains(t.people, a.person) {
		t.people = append(t.people, a.person)
	}
	if spends != "" && !slices.Contains(t.spends, spends) {
		t.spends = append(t.spends, spends)
	}
}

// reviewable reports whether a review counts for a write.
func (c *Claim) reviewable(w *Write) bool {
	return c.checker.anyReview || w.Subject == entitlements && !w.withdraws()
}

// use is what an approval is held against.
func (c *Claim) use(w *Write, a approval) seal.Use {
	use := seal.Use{At: c.now, Batches: a.tree, Environment: c.environment}
	if !c.at.IsZero() {
		use.At = time.Time{} // it had to hold when its plan was applied
	}
	if id, err := catalog.ParseTenantID(w.Of); err == nil && w.Subject.OfTenant() {
		use.Tenant = id
	}
	return use
}

func (c *Claim) spent(w *Write, a approval) (bool, error) {
	name := c.spends(w, a)
	if name == "" || w.Spent == nil {
		return false, nil
	}
	return w.Spent(name)
}

// spends names what an approval of a write can be used for but once: a scheduled
// entry, by whomever it was approved; else what was approved by looking at one
// plan. It is "" where a revision sees to that.
func (c *Claim) spends(w *Write, a approval) string {
	if !c.at.IsZero() {
		return c.batch.Hex()
	}
	if w.Subject == entitlements {
		return ""
	}
	if _, stamped := w.Base.Stamp(); stamped {
		return ""
	}
	return c.batch.Hex() + "." + a.plan.Hex()
}
