package policy

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/seal"
)

// Approval is a bundle whose signature holds.
type Approval struct {
	Opened *seal.Opened
	Name   string // how messages call the bundle: its file's name
	// Void is why it counts for nothing any more but what was scheduled; "".
	Void string
}

// ID tells approvals apart, whatever their bundles' bytes: the key that signed
// and what it signed.
type ID [sha256.Size]byte

// ID returns the approval's.
func (a *Approval) ID() ID {
	return sha256.Sum256(append(a.Opened.Signer[:], a.Opened.Statement...))
}

// Unverified is a bundle that does not verify.
type Unverified struct {
	Name string // its file's name
	Err  error  // as Verifier.Open returned it
}

// Due is a batch whose rows a receipt has recorded as scheduled: what was
// approved then counts for it now.
type Due struct {
	Batch plan.Digest // of this plan
	Entry plan.Digest // that was approved, of which the batch's lines are all or a part
	At    time.Time   // from when on
}

// Writer is one of those who wrote a change.
type Writer struct {
	Email  string // of an author, committer or Co-authored-by line
	Person string // whose key signed the commit; "" where only the address is known
}

// Note says what an approval is for a unit.
type Note struct {
	Name   string `json:"name"`   // the bundle's
	Person string `json:"person"` // "" where the key is nobody's
	Counts bool   `json:"counts"`
	Text   string `json:"text"` // why it does not count, or what it says
}

// tally is what the approvals of a unit come to.
type tally struct {
	approved map[string]int  // by person, the approval's index: all who said yes and whose evidence counts
	no       map[string]bool // by person who said no: whether they could approve
	notes    []Note
	bundles  []int // of Input.Approvals, in their order: those that count
	// recovered are the keys for recovery that approve a policy.
	recovered map[seal.Fingerprint]bool
}

// rejected are the people who could approve and said no, sorted.
func (t *tally) rejected() []string {
	var people []string
	for person, could := range t.no {
		if could {
			people = append(people, person)
		}
	}
	slices.Sort(people)
	return people
}

// tally counts the approvals of a unit by person. They stand oldest first: of one
// person the last word counts.
func (c *court) tally(u *unit, n Need) *tally {
	t := &tally{approved: map[string]int{}, no: map[string]bool{}, recovered: map[seal.Fingerprint]bool{}}
	for i := range c.in.Approvals {
		switch a := &c.in.Approvals[i]; {
		case !c.about(a, u):
		case c.in.Roster.recovers(a.Opened.Signer):
			t.notes = append(t.notes, c.recovers(a, i, u, t))
		default:
			t.notes = append(t.notes, c.decides(a, i, u, n, t))
		}
	}
	for person, i := range t.approved {
		if c.may(c.policy.Person(person), n) {
			t.bundles = append(t.bundles, i)
		}
	}
	slices.Sort(t.bundles)
	return t
}

// decides takes in a person's decision.
func (c *court) decides(a *Approval, i int, u *unit, n Need, t *tally) Note {
	person, why := c.approver(a, u, n)
	note := Note{Name: a.Name, Text: why}
	if person != nil {
		note.Person = person.ID
	}
	switch {
	case why != "":
	case a.Opened.Approval.Decision == seal.Reject:
		note.Text, note.Counts = "rejects it", c.may(person, n)
		delete(t.approved, person.ID)
		t.no[person.ID] = note.Counts
	default:
		note.Text, note.Counts = "approves it", c.may(person, n)
		t.approved[person.ID] = i
		delete(t.no, person.ID)
	}
	if why == "" && !note.Counts {
		note.Text += ", and has no role that holds " + n.Capability
	}
	return note
}

// recovers takes in a decision by a key that is kept offline, for when people lost
// theirs: it counts for a new policy and for nothing else.
func (c *court) recovers(a *Approval, i int, u *unit, t *tally) Note {
	note := Note{Name: a.Name, Text: c.unfit(a, u)}
	switch {
	case note.Text != "":
	case a.Opened.Approval.Review != nil:
		note.Text = "a key for recovery is no notary"
	case u.subject != plan.Policy:
		note.Text = "a key for recovery signs a policy, and nothing else"
	case a.Opened.Approval.Decision == seal.Reject:
		note.Text = "a key for recovery rejects nothing"
	default:
		note.Text, note.Counts = "recovers it", true
		t.recovered[a.Opened.Signer] = true
		t.bundles = append(t.bundles, i)
	}
	return note
}

// recovered reports whether keys for recovery enough approve a unit.
func (c *court) recovered(t *tally) bool {
	return c.policy.Recovery != nil && len(t.recovered) > 0 && len(t.recovered) >= c.policy.Recovery.Threshold
}

// may reports whether a person holds what the unit needs.
func (c *court) may(person *catalog.Person, n Need) bool { return c.policy.Holds(person, n.Capability) }

// about reports whether the unit is a leaf under the root that was signed: of
// other plans' approvals nothing is said.
func (c *court) about(a *Approval, u *unit) bool {
	leaves := c.trees[a.Opened.Approval.Batches]
	if _, is := leaves[u.digest]; is {
		return true
	}
	due, is := c.due[u.digest]
	if !is {
		return false
	}
	_, is = leaves[due.Entry]
	return is
}

// approver returns whose decision an approval is, and why it does not count; "".
func (c *court) approver(a *Approval, u *unit, n Need) (*catalog.Person, string) {
	person, evidence, err := c.signer(a)
	if err != nil {
		return nil, err.Error()
	}
	if why := c.unfit(a, u); why != "" {
		return person, why
	}
	if !slices.Contains(n.Evidence, evidence) {
		return person, fmt.Sprintf("a decision by %s does not count here", evidence)
	}
	return person, c.wrote(person, u, n)
}

// unfit says why an approval does not count for a unit, whoever gave it; "".
func (c *court) unfit(a *Approval, u *unit) string {
	use := seal.Use{At: c.in.Now, Environment: c.in.Environment, Batches: a.Opened.Approval.Batches, Tenant: u.id()}
	due, scheduled := c.due[u.digest]
	if u.batch != nil && u.batch.Base != nil && u.batch.Base.At != nil && !scheduled {
		return "it was for what was to come, and that is not scheduled, or not declared any more"
	}
	if scheduled { // it has not expired before its time has come, and is good for a while from then
		use.At = time.Time{}
		if c.in.Now.Before(due.At) || c.in.Now.After(due.At.Add(plan.ScheduledFor)) {
			return fmt.Sprintf("it was for %s and %d days from then", due.At.Format(time.RFC3339), int(plan.ScheduledFor.Hours())/24)
		}
	}
	if a.Void != "" && !scheduled {
		return a.Void
	}
	if objections := a.Opened.Approval.Objections(use); len(objections) > 0 {
		return objections[0].Text
	}
	if c.in.Spent != nil && c.in.Spent(u.digest, a.ID()) {
		return "it is spent: a receipt says that its batch is done"
	}
	return ""
}

// signer returns whose decision an approval is: that of whoever has the key, or, by
// a notary's word, the account. A notary's own decision is nobody's, and so is a
// review that anybody else speaks of.
func (c *court) signer(a *Approval) (*catalog.Person, catalog.Evidence, error) {
	review := a.Opened.Approval.Review
	if review == nil {
		person, err := c.in.Roster.Person(a.Opened.Signer, c.in.Now)
		return person, catalog.ByKey, err
	}
	if _, err := c.in.Roster.Applier(a.Opened.Signer, catalog.MayNotary, c.in.Now); err != nil {
		return nil, catalog.ByForge, fmt.Errorf("review of %s: only a notary's word counts: %w", review.Account, err)
	}
	person, err := c.in.Roster.Account(review.Account, c.in.Now)
	return person, catalog.ByForge, err
}

// wrote says why a person may not approve a change as one of its writers; "". An
// address that is nobody's may be anybody's, and so is the approver's.
func (c *court) wrote(person *catalog.Person, u *unit, n Need) string {
	if n.Writers {
		return ""
	}
	if c.in.Writers == nil {
		return "who wrote the change is not known, and the approver may have"
	}
	for _, w := range c.in.Writers(u.tenant, u.subject) {
		whose := w.Person
		if whose == "" {
			whose = c.byEmail(w.Email)
		}
		switch whose {
		case "":
			return fmt.Sprintf("%.80q wrote the change and is nobody's address: it may be the approver's", w.Email)
		case person.ID:
			return "the approver wrote the change"
		}
	}
	return ""
}

func (c *court) byEmail(email string) string {
	for i := range c.policy.People {
		if strings.EqualFold(c.policy.People[i].Email, email) {
			return c.policy.People[i].ID
		}
	}
	return ""
}

// approvals is the brake of missing approvals, and then that of capabilities.
func (c *court) approvals(u *unit, n Need, t *tally) *Refusal {
	if c.recovered(t) {
		return c.lastApprover(u)
	}
	if rejected := t.rejected(); len(rejected) > 0 {
		return u.refuse(Missing, "it passes when they approve it after all, or the change is altered", "%s rejects it", strings.Join(rejected, ", "))
	}
	if missing := n.Approvals - len(t.approved); missing > 0 {
		people := c.able(u, n, t)
		r := u.refuse(Missing, givenBy(people), "%s of %s by people with %s %s missing: %s could give %s",
			count(missing, "more approval"), count(n.Approvals, "approval"), n.Capability, verb(missing), some(people, "nobody in the policy"), it(missing))
		if given := len(t.recovered); given > 0 {
			r.Text += fmt.Sprintf("; %d of the %s for recovery that it takes approve it", given, count(c.policy.Recovery.Threshold, "key"))
		}
		return c.suspect(u, r)
	}
	able := len(t.bundles) - len(t.recovered)
	if missing := n.Approvals - able; missing > 0 {
		people := c.able(u, n, t)
		r := u.refuse(Incapable, givenBy(people), "%s needed, and %d of %s hold %s: %s could give %s",
			count(n.Approvals, "approval"), able, count(len(t.approved), "approver"), n.Capability, some(people, "nobody in the policy"), it(missing))
		return c.suspect(u, r)
	}
	return c.lastApprover(u)
}

// suspect makes a refusal one of trust where a bundle that does not verify, or
// one by a key that was revoked, might have been what is missing.
func (c *court) suspect(u *unit, r *Refusal) *Refusal {
	var bad []string
	for _, b := range c.in.Unverified {
		bad = append(bad, fmt.Sprintf("%s (%s)", b.Name, b.Err))
	}
	for i := range c.in.Approvals {
		a := &c.in.Approvals[i]
		_, _, err := c.signer(a)
		var revoked *RevokedError
		if errors.As(err, &revoked) && c.about(a, u) && a.Opened.Approval.Decision == seal.Approve && c.unfit(a, u) == "" {
			bad = append(bad, fmt.Sprintf("%s (%s)", a.Name, err))
		}
	}
	if len(bad) > 0 {
		r.Exit = exitTrust
		r.Text += "; not counted, as it does not verify: " + strings.Join(bad, ", ")
	}
	return r
}

// able are the people who could give what is missing.
func (c *court) able(u *unit, n Need, t *tally) []string {
	var ids []string
	rule := catalog.Rule{Capability: n.Capability, Evidence: n.Evidence}
	for _, person := range c.policy.Able(&rule, c.in.Now) {
		if _, already := t.approved[person.ID]; !already && c.wrote(person, u, n) == "" {
			ids = append(ids, person.ID)
		}
	}
	return ids
}

// lastApprover refuses a policy after which nobody could approve another, where
// there is somebody now and no keys for recovery would be left.
func (c *court) lastApprover(u *unit) *Refusal {
	next := c.facts.desired
	if u.subject != plan.Policy || next == nil {
		return nil
	}
	rule := catalog.Rule{Capability: u.capability, Evidence: []catalog.Evidence{catalog.ByKey, catalog.ByForge}}
	if len(next.PolicyData.Satisfiers(&rule, c.in.Now)) > 0 || next.PolicyData.Recovery != nil || len(c.policy.Satisfiers(&rule, c.in.Now)) == 0 {
		return nil
	}
	return u.refuse(Missing, "a policy that keeps one, or keys for recovery, passes",
		"by the new policy nobody could approve another: no person who stays has %s and a key", u.capability)
}

// givenBy says how an approval is given, if anybody could.
func givenBy(people []string) string {
	if len(people) == 0 {
		return "another policy, or another writer of the change, passes it"
	}
	return "an approval is given with charter approve"
}

func verb(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func it(n int) string {
	if n == 1 {
		return "it"
	}
	return "them"
}
