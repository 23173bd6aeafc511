package reconcile_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/seal"
	"github.com/veonahealth/charter/reconcile"
	"github.com/veonahealth/charter/reconcile/ledger"
	"github.com/veonahealth/charter/reconcile/source"
	"github.com/veonahealth/charter/schema"
)

// Whoever reads the ledger judges what it puts in force. What honest people did has to
// hold for all of them, or nobody reads on; what a machine's key did without them must
// not.

const cat = "package policy\n\npeople: cat: {name: \"Cat\", email: \"cat@example.org\"}\n"

// holds opens the ledger as one who has never seen it, and audits it.
func (c *court) holds(what string) *reconcile.Governance {
	c.t.Helper()
	g, err := c.open()
	if err != nil {
		c.t.Fatalf("%s: %v", what, err)
	}
	report, err := g.Audit(c.t.Context())
	if err != nil {
		c.t.Fatalf("%s: %v", what, err)
	}
	for _, f := range report.Faults {
		c.t.Errorf("%s: receipt %d: %s", what, f.Number, f.Text)
	}
	return g
}

// signed commits what is in the work tree as somebody who signs.
func (c *court) signed(who, message string) {
	c.t.Helper()
	c.git("add", "-A")
	put := map[string][]byte{}
	for _, name := range strings.Fields(c.git("diff", "--cached", "--name-only")) {
		put[name] = []byte(readText(c.t, c.dir+"/"+name))
	}
	made, err := c.repo.Write(source.Draft{
		Parent: c.git("rev-parse", "HEAD"), Put: put, Author: source.Author{Name: who, Email: who + "@example.org"}, When: c.now, Message: message,
		Sign: c.keys[who].SignCommit,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.git("reset", "-q", "--hard", made.Hash)
}

// among carries out a plan with other plans open.
func (c *court) among(file []byte, others []*plan.Plan, bundles ...reconcile.Bundle) error {
	c.t.Helper()
	_, err := must(c.open())(c.t).Carry(c.t.Context(), c.client, reconcile.Order{
		Plan: must(plan.Decode(file))(c.t), File: file, Bundles: bundles, Others: others, Signer: c.keys["ci"].Signer,
	})
	return err
}

// steals writes the receipt by which a plan's policy comes into force, with the
// applier's key and an approval that was given once, as of a time.
func (c *court) steals(file []byte, approval reconcile.Bundle, at time.Time) (after plan.Digest) {
	c.t.Helper()
	const name = "plan.json.bob.sigstore.json"
	d := c.draft(file)
	p := must(plan.Decode(file))(c.t)
	i := 0
	for p.Batches[i].Subject != plan.Policy {
		i++
	}
	after = must(plan.ParseDigest(p.Batches[i].Changes[0].After))(c.t)
	d.Intent.Batches = []ledger.Batch{{Digest: p.Batches[i].Digest, Subject: plan.Policy}}
	d.Files = map[string][]byte{name: approval.Data}
	d.Intent.Approvals = []ledger.Approval{{Bundle: name, By: ledger.By{ID: "bob", Fingerprint: c.keys["bob"].PublicKey().Fingerprint().String()}}}
	w := c.writer("ci")
	w.Now = func() time.Time { return at }
	// The thief's own machine believes whatever it is told.
	l := must(ledger.Open(c.t.Context(), ledger.Options{Repo: c.repo, Environment: catalog.DefaultEnvironment, Root: c.root, Trust: believer(w.By)}))(c.t)
	r := must(l.Intent(c.t.Context(), w, d))(c.t)
	err := l.Outcome(c.t.Context(), w, r.ID, ledger.Results{
		Batches: []ledger.Result{{Digest: d.Intent.Batches[0].Digest, State: ledger.Done}}, Policy: &ledger.Pin{Commit: p.Source.Commit, Digest: after},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return after
}

type believer ledger.By

func (b believer) Signer(context.Context, ledger.Pin, ledger.Act, time.Time, []byte) (ledger.By, error) {
	return ledger.By(b), nil
}

func (believer) Turned(context.Context, *ledger.Ledger, *ledger.Receipt) error { return nil }

func (c *court) restore(evaluate func(context.Context, string) (*catalog.Desired, error)) (ledger.Restored, error) {
	c.t.Helper()
	return reconcile.Restore(c.t.Context(), reconcile.GovernanceOptions{Repo: c.repo, Environment: catalog.DefaultEnvironment, Root: c.root, Evaluate: evaluate, Now: c.clock}, "")
}

func TestAPolicyThatItsWriterMayNotApproveHolds(t *testing.T) {
	c := newCourt(t)
	text := strings.Replace(c.people(""), `roles: ["support"]`, `roles: ["all"]`, 1)
	c.write("policy/people.cue", text+"rules: four: {capability: \"policy.write\", writers: false}\nrules: eyes: {capability: \"entitlements.write\", writers: false}\n")
	c.write("policy/policy.cue", strings.Replace(readText(t, c.dir+"/policy/policy.cue"), `commits: "none"`, `commits: "people"`, 1))
	c.ship("four eyes")
	c.tenant("a", `grants: ward: reason: "x"`)
	c.write("policy/more.cue", cat)
	c.signed("ann", "cat, and a ward")
	_, file := c.plan()
	before := c.holds("before").Ledger.Policy()
	_, _ = c.carry(file, c.bundle("ann", file, seal.Approve)) // she may not approve all of what she wrote
	if c.holds("what ann wrote and approved").Ledger.Policy() != before {
		t.Error("ann approved what she wrote")
	}
	c.now = c.now.Add(time.Minute)
	if _, err := c.carry(file, c.bundle("bob", file, seal.Approve)); err != nil {
		t.Fatal(err)
	}
	if c.holds("what ann wrote and bob approved").Ledger.Policy() == before {
		t.Error("bob's approval was not enough")
	}
}

func TestAPolicyThatIsInForceFromAnotherPlanStays(t *testing.T) {
	c := newCourt(t)
	c.ship("first")
	c.write("policy/more.cue", cat)
	c.commit("cat")
	_, one := c.plan()
	c.tenant("a", `grants: ward: reason: "x"`)
	c.commit("and a ward")
	_, two := c.plan()
	for _, file := range [][]byte{one, two} {
		c.now = c.now.Add(time.Minute)
		if _, err := c.carry(file, c.bundle("bob", file, seal.Approve)); err != nil {
			t.Fatal(err)
		}
	}
	var replayed *reconcile.ReplayedError
	if _, err := c.carry(two, c.bundle("bob", two, seal.Approve)); !errors.As(err, &replayed) {
		t.Errorf("a third time: %v", err)
	}
	g := c.holds("the second plan")
	if pinned := g.Ledger.Policy().Commit; pinned != must(plan.Decode(one))(t).Source.Commit {
		t.Errorf("the policy is pinned at %s", pinned)
	}
}

// The clock goes on while the platform is read, and an approval ends meanwhile.
func TestWhatIsJudgedIsOnTheReceiptAtThatTime(t *testing.T) {
	c := newCourt(t)
	c.ship("first")
	c.write("policy/more.cue", cat)
	c.commit("cat")
	p, file := c.plan()
	terms := seal.Approval{
		Decision: seal.Approve, Environment: catalog.DefaultEnvironment, NotAfter: c.now.Add(10 * time.Second), Plan: plan.DigestOf(file).String(),
		Batches: seal.Batches{Root: p.BatchesRoot, Count: len(p.Leaves())},
	}
	statement := must(seal.Statement(seal.Subject{Name: "plan.json", SHA256: plan.DigestOf(file)}, terms))(t)
	approval := reconcile.Bundle{Name: "bob", Data: must(c.keys["bob"].Sign(statement))(t)}
	for began := 3; began < 12; began++ {
		clock := c.now.Add(time.Duration(began) * time.Second)
		ticking := func() time.Time { clock = clock.Add(time.Second); return clock }
		g := must(reconcile.Govern(t.Context(), reconcile.GovernanceOptions{
			Repo: c.repo, Environment: catalog.DefaultEnvironment, Root: c.root, Evaluate: c.evaluate, Newest: c.git("rev-parse", "HEAD"), Now: ticking,
		}))(t)
		_, err := g.Carry(t.Context(), c.client, reconcile.Order{Plan: p, File: file, Bundles: []reconcile.Bundle{approval}, Signer: c.keys["ci"].Signer})
		c.holds("one that ends soon")
		if err == nil {
			return // carried out once, and it holds
		}
	}
	t.Error("it was never carried out")
}

// What an approval is of is all that the files mean.
func TestAPolicysDigestIsOfWhatItImportsToo(t *testing.T) {
	c := newCourt(t)
	c.ship("first")
	c.write("lib/lib.cue", "package lib\n\nmay: [\"entitlements.*\"]\n")
	text := strings.Replace(c.people(""), `support: ["entitlements.*", "clients.*", "onboarding.run", "tenant_admins.manage"]`, `support: lib.may`, 1)
	c.write("policy/people.cue", strings.Replace(text, "package policy\n", "package policy\n\nimport \"veonahealth.com/fleet/lib\"\n", 1))
	c.commit("roles are elsewhere")
	one, file := c.plan()
	approval := c.bundle("bob", file, seal.Approve)
	c.write("lib/lib.cue", "package lib\n\nmay: [\"*\"]\n")
	c.commit("ann may all")
	two, later := c.plan()
	if one.BatchesRoot == two.BatchesRoot {
		t.Error("it is the same change")
	}
	if err := c.among(later, []*plan.Plan{one}, approval); err == nil {
		t.Error("it was carried out by the approval of another policy")
	}
}

func TestAMachineRevivesNoApproval(t *testing.T) {
	allow := func(c *court) {
		c.write("policy/people.cue", strings.Replace(c.people(""), `roles: ["support"]`, `roles: ["all"]`, 1))
	}
	for name, c := range map[string]struct {
		// live does what happens after the approval, and gives the time that the thief
		// dates the receipt.
		live func(c *court) time.Time
		why  string
	}{
		"dated back into its days": {func(c *court) time.Time {
			then := c.now.Add(time.Hour)
			c.write("policy/people.cue", c.people(""))
			c.now = c.now.AddDate(1, 0, 0)
			c.tenant("a", "")
			c.ship("a year later")
			return then
		}, "does not descend"},
		"of a line that was given up": {func(c *court) time.Time {
			c.git("reset", "-q", "--hard", "HEAD~1")
			c.tenant("a", "")
			c.ship("another line")
			return c.now
		}, "does not descend"},
	} {
		t.Run(name, func(t *testing.T) {
			court := newCourt(t)
			court.ship("first")
			allow(court)
			court.commit("ann may all")
			_, file := court.plan()
			approval := court.bundle("bob", file, seal.Approve)
			at := c.live(court)
			court.steals(file, approval, at)
			if _, err := court.open(); err == nil || !strings.Contains(err.Error(), c.why) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// As before, with a plan of the newest commit.
func TestAReceiptIsNotDatedBackIntoTheDaysOfAnApproval(t *testing.T) {
	c := newCourt(t)
	c.ship("first")
	c.write("policy/people.cue", strings.Replace(c.people(""), `roles: ["support"]`, `roles: ["all"]`, 1))
	c.commit("ann may all")
	_, file := c.plan()
	approval, then := c.bundle("bob", file, seal.Approve), c.now.Add(time.Hour)
	c.write("policy/people.cue", c.people(""))
	c.tenant("a", "")
	c.now = c.now.AddDate(1, 0, 0)
	c.ship("a year later")
	c.write("policy/people.cue", strings.Replace(c.people(""), `roles: ["support"]`, `roles: ["all"]`, 1))
	c.commit("ann may all")
	_, later := c.plan()
	c.steals(later, approval, then)
	if _, err := c.open(); err == nil || !strings.Contains(err.Error(), "receipts before it") {
		t.Errorf("error %v", err)
	}
}

// An approval of a change that was done by another one is spent as well.
func TestAnApprovalFromBeforeItsChangeWasDoneIsSpent(t *testing.T) {
	c := newCourt(t)
	c.ship("first")
	all := strings.Replace(c.people(""), `roles: ["support"]`, `roles: ["all"]`, 1)
	c.write("policy/people.cue", all)
	c.commit("ann may all")
	one, file := c.plan()
	kept := c.bundle("bob", file, seal.Approve)
	c.tenant("a", "")
	c.now = c.now.Add(time.Hour)
	c.ship("the same, later")
	c.write("policy/people.cue", c.people(""))
	c.now = c.now.Add(time.Hour)
	c.ship("ann may not")
	c.write("policy/people.cue", all)
	c.commit("ann may all again")
	_, again := c.plan()
	if err := c.among(again, []*plan.Plan{one}, kept); err == nil {
		t.Error("it was carried out by an approval from before")
	}
	if err := c.among(again, []*plan.Plan{one}, c.bundle("bob", again, seal.Approve)); err != nil {
		t.Errorf("a new one: %v", err)
	}
	c.holds("again")
}

// A receipt that was begun with a part goes on with that part.
func TestAReceiptThatIsTakenUpDoesWhatItsIntentNames(t *testing.T) {
	c := newCourt(t)
	c.ship("first")
	c.tenant("a", `grants: ward: reason: "x"`)
	c.write("policy/more.cue", cat)
	c.commit("cat, and a ward")
	_, file := c.plan()
	ann := c.bundle("ann", file, seal.Approve)
	d := c.draft(file)
	d.Intent.Batches = d.Intent.Batches[1:] // all but the policy
	d.Files = map[string][]byte{"plan.json.ann.sigstore.json": ann.Data}
	d.Intent.Approvals = []ledger.Approval{{Bundle: "plan.json.ann.sigstore.json", By: ledger.By{ID: "ann", Fingerprint: c.keys["ann"].PublicKey().Fingerprint().String()}}}
	if _, err := must(c.open())(t).Ledger.Intent(t.Context(), c.writer("ci"), d); err != nil {
		t.Fatal(err)
	}
	before := must(c.open())(t).Ledger.Policy()
	for _, want := range []string{"taken up", "the rest"} {
		c.now = c.now.Add(time.Minute)
		if _, err := c.carry(file, ann, c.bundle("bob", file, seal.Approve)); err != nil {
			t.Fatalf("%s: %v", want, err)
		}
		if g := c.holds(want); (g.Ledger.Policy() == before) != (want == "taken up") {
			t.Errorf("%s: the policy is %+v", want, g.Ledger.Policy())
		}
	}
	var replayed *reconcile.ReplayedError
	if _, err := c.carry(file, ann, c.bundle("bob", file, seal.Approve)); !errors.As(err, &replayed) {
		t.Errorf("a third time: %v", err)
	}
}

// One receipt with a machine's key does not stop the work for ever.
func TestAThiefsReceiptIsNotInTheWayForEver(t *testing.T) {
	for name, steal := range map[string]func(c *court, g *reconcile.Governance, w ledger.Writer){
		"begun, with a plan that nobody can read": func(c *court, g *reconcile.Governance, w ledger.Writer) {
			_, err := g.Ledger.Intent(c.t.Context(), w, ledger.Draft{Plan: []byte("no plan"), Intent: ledger.Intent{Act: ledger.Apply, Commit: c.git("rev-parse", "HEAD"), At: c.now}})
			if err != nil {
				c.t.Fatal(err)
			}
		},
		"begun, in two hundred years": func(c *court, g *reconcile.Governance, w ledger.Writer) {
			w.Now = func() time.Time { return c.now.AddDate(200, 0, 0) }
			_, err := g.Ledger.Intent(c.t.Context(), w, ledger.Draft{Intent: ledger.Intent{Act: ledger.Apply, Commit: c.git("rev-parse", "HEAD"), At: c.now}})
			if err != nil {
				c.t.Fatal(err)
			}
		},
		"recovered, in two hundred years": func(c *court, g *reconcile.Governance, w ledger.Writer) {
			w.Now = func() time.Time { return c.now.AddDate(200, 0, 0) }
			r, err := g.Ledger.Intent(c.t.Context(), w, ledger.Draft{Intent: ledger.Intent{Act: ledger.Recover, At: c.now}})
			if err == nil {
				err = g.Ledger.Outcome(c.t.Context(), w, r.ID, ledger.Results{})
			}
			if err != nil {
				c.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCourt(t)
			c.ship("first")
			steal(c, must(c.open())(t), c.writer("ci"))
			c.now = c.now.Add(24 * time.Hour)
			c.tenant("a", `grants: ward: reason: "x"`)
			c.commit("ward")
			_, file := c.plan()
			if _, err := c.carry(file, c.bundle("bob", file, seal.Approve)); err != nil {
				t.Error(err)
			}
		})
	}
}

// After a forged outcome was taken away its intent says nothing of what was applied.
func TestWhatCarriedNothingOutWasNotApplied(t *testing.T) {
	c := newCourt(t)
	c.ship("first")
	c.git("checkout", "-q", "-b", "evil")
	c.write("policy/people.cue", strings.Replace(c.people(""), `roles: ["support"]`, `roles: ["all"]`, 1))
	c.commit("evil")
	_, file := c.plan()
	c.git("checkout", "-q", "main")
	c.steals(file, c.bundle("ann", file, seal.Approve), c.now)
	if did, err := c.restore(c.evaluate); err != nil || did.Refused == nil {
		t.Fatalf("%+v, %v", did, err)
	}
	c.now = c.now.Add(time.Hour)
	c.tenant("a", "")
	c.commit("a tenant")
	_, file = c.plan()
	if _, err := c.carry(file, c.bundle("bob", file, seal.Approve)); err != nil {
		t.Error(err)
	}
}

// That a machine is slow says nothing of a receipt.
func TestWhatTakesTooLongIsNoForgery(t *testing.T) {
	c := newCourt(t)
	c.ship("first")
	c.write("policy/more.cue", cat)
	c.ship("cat")
	slow := c.git("rev-parse", "HEAD")
	tip := must(c.open())(t).Ledger.Tip()
	did, err := c.restore(func(ctx context.Context, commit string) (*catalog.Desired, error) {
		if commit == slow {
			return nil, schema.Problems{{Code: schema.OverBudget, Message: "evaluating it takes longer than 10 s"}}
		}
		return c.evaluate(ctx, commit)
	})
	var unjudged *ledger.UnjudgedError
	if !errors.As(err, &unjudged) || must(c.open())(t).Ledger.Tip() != tip {
		t.Errorf("%+v, %v", did, err)
	}
}

// Another machine puts a policy in force after this one has judged by the old one, and
// before its receipt is accepted.
func TestWhatWasJudgedByAnotherPolicyIsNotBegun(t *testing.T) {
	for name, act := range map[string]func(c *court, g *reconcile.Governance, p *plan.Plan, file []byte) error{
		"an apply": func(c *court, g *reconcile.Governance, p *plan.Plan, file []byte) error {
			bob := c.bundle("bob", file, seal.Approve)
			_, err := g.Carry(c.t.Context(), c.client, reconcile.Order{Plan: p, File: file, Bundles: []reconcile.Bundle{bob}, Signer: c.keys["ci"].Signer})
			return err
		},
		"a seal": func(c *court, g *reconcile.Governance, _ *plan.Plan, _ []byte) error {
			_, err := g.Seal(c.t.Context(), "HEAD", reconcile.Signatory{Signer: c.keys["bob"].Signer}, "x")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCourt(t)
			c.ship("first")
			c.write("policy/more.cue", cat)
			c.commit("cat")
			_, one := c.plan()
			c.write("policy/even.cue", "package policy\n\npeople: dan: {name: \"Dan\", email: \"dan@example.org\"}\n")
			c.commit("dan")
			p, two := c.plan()
			g := must(c.open())(t)
			if _, err := c.carry(one, c.bundle("bob", one, seal.Approve)); err != nil {
				t.Fatal(err)
			}
			if err := act(c, g, p, two); !errors.Is(err, ledger.ErrTurned) {
				t.Errorf("error %v", err)
			}
			c.holds("the race")
		})
	}
}

// A machine's clock was two days ahead once. What is refused for it is not begun, and a
// seal goes on; no reader is told another thing later.
func TestAClockThatWasAheadIsPassedByASeal(t *testing.T) {
	c := newCourt(t)
	c.ship("first")
	right := c.now
	c.now = right.Add(48 * time.Hour)
	c.tenant("a", "")
	c.ship("two days ahead")
	c.now = right.Add(time.Hour)
	c.write("policy/more.cue", cat)
	c.commit("cat")
	_, file := c.plan()
	if _, err := c.carry(file, c.bundle("bob", file, seal.Approve)); err == nil || !strings.Contains(err.Error(), "charter seal") {
		t.Fatalf("error %v", err)
	}
	if _, err := must(c.open())(t).Seal(t.Context(), "HEAD", reconcile.Signatory{Signer: c.keys["bob"].Signer}, "a clock"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.carry(file, c.bundle("bob", file, seal.Approve)); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		c.holds("as time goes by")
		c.now = c.now.Add(24 * time.Hour)
	}
}
