package reconcile_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/ehrtest"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/policy"
	"github.com/veonahealth/charter/plan/seal"
	"github.com/veonahealth/charter/reconcile"
	"github.com/veonahealth/charter/reconcile/ledger"
)

// refusedBy asserts that nothing was done, by which brake, and with what status.
func refusedBy(t *testing.T, err error, brake policy.Brake, exit int) {
	t.Helper()
	var refused *reconcile.RefusedError
	if !errors.As(err, &refused) || refused.Refusal.Brake != brake || refused.Refusal.Exit != exit {
		t.Fatalf("error %v, want a refusal by %s with %d", err, brake, exit)
	}
}

func TestAPlanIsCarriedOutOnceByThoseWhoMay(t *testing.T) {
	c := newCourt(t)
	_, file := c.plan()
	_, err := c.carry(file)
	refusedBy(t, err, policy.Missing, 4)
	_, err = c.carry(file, c.bundle("ci", file, seal.Approve))
	refusedBy(t, err, policy.Missing, 4)
	_, err = c.carry(file, c.bundle("ann", file, seal.Approve), c.bundle("bob", file, seal.Reject))
	refusedBy(t, err, policy.Missing, 4)
	if n := len(c.ehr.Audit(t)); n != 0 {
		t.Fatalf("%d writes before anybody approved", n)
	}
	done, err := c.carry(file, c.bundle("ann", file, seal.Approve))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range done.Outcomes {
		if o.State != reconcile.Done {
			t.Errorf("%s: %s %s", o.Subject, o.State, o.Text)
		}
	}
	for _, e := range c.ehr.Audit(t) {
		if e.Authority == nil || e.Authority.Receipt != done.Receipt {
			t.Errorf("%s bears %+v, and not receipt %s", e.Event, e.Authority, done.Receipt)
		}
	}
	var replayed *reconcile.ReplayedError
	if _, err := c.carry(file, c.bundle("ann", file, seal.Approve)); !errors.As(err, &replayed) {
		t.Errorf("again: %v", err)
	}
	if p, _ := c.plan(); !p.Empty() {
		t.Errorf("still: %v", changes(p))
	}
}

// An end that is approved with its grant is carried out at its time, by that
// approval alone, and once.
func TestWhatWasScheduledIsWrittenByItsOwnApproval(t *testing.T) {
	c := newCourt(t)
	c.tenant("a", `grants: ward: {reason: "pilot", until: "2026-12-01"}`)
	c.ship("a pilot")
	if c.ehr.Gate(t, "a", "main", "/ward") != 200 {
		t.Fatal("the grant is not there")
	}
	c.now = time.Date(2026, 12, 2, 0, 0, 0, 0, time.UTC)
	p, file := c.plan()
	if len(p.Batches) != 1 || p.Batches[0].Base.Line() != "at 2026-12-01T00:00:00Z" {
		t.Fatalf("batches %+v", p.Batches)
	}
	if _, err := c.carry(file); err != nil {
		t.Fatal(err)
	}
	if c.ehr.Gate(t, "a", "main", "/ward") != 403 {
		t.Fatal("the grant is there still")
	}
	// other hands bring it back: that end is spent
	c.ehr.Put(t, "a", append(c.ehr.Grant(t, "a").Rows, "main ward")...)
	_, file = c.plan()
	_, err := c.carry(file)
	refusedBy(t, err, policy.Missing, 4)
}

func TestAScheduledEndThatMovedAsksAgain(t *testing.T) {
	c := newCourt(t)
	c.tenant("a", `grants: ward: {reason: "pilot", until: "2026-12-01"}`)
	c.ship("a pilot")
	c.tenant("a", `grants: ward: {reason: "pilot", until: "2026-11-25"}`)
	c.commit("shorter")
	c.now = time.Date(2026, 12, 2, 0, 0, 0, 0, time.UTC)
	_, file := c.plan()
	_, err := c.carry(file)
	refusedBy(t, err, policy.Missing, 4)
}

func TestWhatIsApprovedGoesAheadAndTheRestStaysPending(t *testing.T) {
	c := newCourt(t)
	c.tenant("a", "")
	c.tenant("b", "")
	c.ship("two")
	c.tenant("a", `grants: ward: reason: "x"`)
	c.tenant("b", `grants: ward: reason: "x"`)
	c.commit("grants")
	_, file := c.plan()
	some := c.bundle("ann", file, seal.Approve, "a")
	done, err := c.carry(file, some)
	if err != nil {
		t.Fatal(err)
	}
	if len(done.Outcomes) != 1 || c.ehr.Gate(t, "a", "main", "/ward") != 200 || c.ehr.Gate(t, "b", "main", "/ward") != 403 {
		t.Fatalf("outcomes %v", states(done.Outcomes))
	}
	p, _ := c.plan()
	if got := changes(p); len(got) != 1 || p.Batches[0].Changes[0].Class != plan.Pending {
		t.Errorf("the rest is %v", got)
	}
	if _, err := c.carry(file, some, c.bundle("bob", file, seal.Approve)); err != nil {
		t.Fatal(err)
	}
	if c.ehr.Gate(t, "b", "main", "/ward") != 200 {
		t.Error("the rest was not taken up")
	}
}

// A plan that was begun and cut off is taken up under its own receipt; one of
// another plan blocks for a while and is then ended with what the platform shows.
func TestAReceiptWithoutAnOutcomeIsTakenUp(t *testing.T) {
	c := newCourt(t)
	_, file := c.plan()
	digest := plan.DigestOf(file)
	open := c.begin(file)
	done, err := c.carry(file, c.bundle("ann", file, seal.Approve))
	if err != nil || done.Receipt != open.String() {
		t.Fatalf("receipt %v, want %s; %v", done, open, err)
	}
	c.tenant("a", "")
	c.commit("another")
	_, other := c.plan()
	c.begin(other)
	c.tenant("a", `grants: ward: reason: "x"`)
	c.commit("more")
	_, newer := c.plan()
	var under *ledger.OpenError
	if _, err := c.carry(newer, c.bundle("ann", newer, seal.Approve)); !errors.As(err, &under) {
		t.Fatalf("error %v", err)
	}
	c.now = c.now.Add(time.Hour)
	_, newer = c.plan()
	if _, err := c.carry(newer, c.bundle("ann", newer, seal.Approve)); err != nil {
		t.Fatal(err)
	}
	if digest == plan.DigestOf(other) || c.ehr.Gate(t, "a", "main", "/ward") != 200 {
		t.Error("the newer plan was not carried out")
	}
}

// What the platform has of a plan of organisations and tenants that was cut off, it
// is asked for too.
func TestAReceiptOfAnOnboardingThatWasCutOffIsEnded(t *testing.T) {
	c := newCourt(t)
	_, file := c.plan()
	c.begin(file)
	c.now = c.now.Add(time.Hour)
	c.ship("the same, planned anew")
	g := must(c.open())(t)
	r := must(g.Ledger.At(1))(t)
	for _, b := range r.Outcome.Batches {
		if b.State != ledger.State(reconcile.NotTried) {
			t.Errorf("the receipt that was cut off says %s", b.State)
		}
	}
}

// That the ledger was rewritten is a matter of trust, also where it is noticed only
// when somebody else's receipt is ended.
func TestALedgerThatIsRewrittenWhileAReceiptIsEndedIsNotTrusted(t *testing.T) {
	c := newCourt(t)
	_, file := c.plan()
	c.begin(file)
	c.tenant("a", "")
	c.commit("another")
	c.now = c.now.Add(time.Hour)
	_, newer := c.plan()
	g := must(c.open())(t)
	branch := ledger.Branch(catalog.DefaultEnvironment)
	c.git("update-ref", branch, c.git("commit-tree", branch+"^{tree}", "-p", branch+"~1", "-m", "another intent"))
	_, err := g.Carry(t.Context(), c.client, reconcile.Order{
		Plan: must(plan.Decode(newer))(t), File: newer, Bundles: []reconcile.Bundle{c.bundle("bob", newer, seal.Approve)}, Signer: c.keys["ci"].Signer,
	})
	var untrusted *reconcile.TrustError
	if !errors.As(err, &untrusted) || !strings.Contains(err.Error(), "the ledger was rewritten") {
		t.Fatalf("error %v", err)
	}
}

func TestThePolicyThatWasAppliedLastJudgesTheNext(t *testing.T) {
	c := newCourt(t)
	c.ship("the first")
	c.write("policy/people.cue", c.people("people: ann: roles: [\"support\", \"all\"]\n"))
	c.write("policy/people.cue", strings.Replace(c.people(""), `roles: ["support"]`, `roles: ["all"]`, 1))
	c.commit("ann may all")
	p, file := c.plan()
	if !p.Turns(plan.Policy) || len(p.Batches) != 1 {
		t.Fatalf("batches %+v", p.Batches)
	}
	_, err := c.carry(file, c.bundle("ann", file, seal.Approve))
	refusedBy(t, err, policy.Incapable, 4)
	if _, err := c.carry(file, c.bundle("bob", file, seal.Approve)); err != nil {
		t.Fatal(err)
	}
	if g := must(c.open())(t); !must(g.Roster(t.Context()))(t).Policy().Holds(must(g.Roster(t.Context()))(t).Policy().Person("ann"), "policy.write") {
		t.Error("the new policy is not in force")
	}
}

// Whoever stole an applier's key chooses the date of what they sign with it, but not
// what stands before it.
func TestAReceiptByARevokedKeyIsRefusedHoweverItIsDated(t *testing.T) {
	c := newCourt(t)
	founded := c.now
	c.now = c.now.Add(time.Hour)
	c.write("policy/stolen.cue", fmt.Sprintf("package policy\n\nappliers: ci2: {keys: [%q], may: [\"apply\"]}\nrevoked: [{fingerprint: %q, since: %q}]\n",
		c.keys["ci2"].pem, c.keys["ci"].PublicKey().Fingerprint(), c.now.Add(-time.Minute).Format(time.RFC3339)))
	c.ship("ci's key was stolen")
	report := must(must(c.open())(t).Audit(t.Context()))(t)
	if len(report.Faults) != 0 || len(report.Doubts) != 1 || report.Doubts[0].Number != 1 ||
		!strings.HasPrefix(report.Doubts[0].Text, "ci signed it with key") || !strings.HasSuffix(report.Doubts[0].Text, "revoked since 2026-11-22T10:59:00Z") {
		t.Errorf("%+v", report)
	}
	c.tenant("a", "")
	c.commit("another")
	_, file := c.plan()
	c.now = founded
	g, draft := must(c.open())(t), c.draft(file)
	if _, err := g.Ledger.Intent(t.Context(), c.writer("ci"), draft); err == nil {
		t.Error("the thief's receipt is taken by the thief's own charter")
	}
	var untrusted *reconcile.TrustError
	if _, err := c.open(); !errors.As(err, &untrusted) || !strings.Contains(err.Error(), "applier ci and was revoked since") {
		t.Errorf("error %v", err)
	}
}

func TestARewrittenHistoryIsRefused(t *testing.T) {
	c := newCourt(t)
	c.tenant("a", "")
	c.ship("the first")
	last := c.git("rev-parse", "HEAD")
	c.git("reset", "-q", "--hard", "HEAD~1")
	c.tenant("a", "")
	c.tenant("b", "")
	c.commit("another line")
	_, file := c.plan()
	_, err := c.carry(file, c.bundle("bob", file, seal.Approve))
	refusedBy(t, err, policy.Trust, 7)
	if !strings.Contains(err.Error(), last) || !strings.Contains(err.Error(), c.git("rev-parse", "HEAD")) {
		t.Errorf("%v does not name both commits", err)
	}
}

func TestPeopleSignTheirCommitsWhereThePolicyAsks(t *testing.T) {
	c := newCourt(t)
	c.write("policy/policy.cue", strings.Replace(readText(t, c.dir+"/policy/policy.cue"), `commits: "none"`, `commits: "people"`, 1))
	c.ship("people sign")
	c.tenant("a", "")
	unsigned := c.commit("nobody signed")
	_, file := c.plan()
	_, err := c.carry(file, c.bundle("bob", file, seal.Approve))
	refusedBy(t, err, policy.Trust, 7)
	if !strings.Contains(err.Error(), unsigned) {
		t.Errorf("%v does not name %s", err, unsigned)
	}
	g := must(c.open())(t)
	var untrusted *reconcile.TrustError
	if _, err := g.Seal(t.Context(), "HEAD", reconcile.Signatory{Signer: c.keys["ann"].Signer}, "x"); !errors.As(err, &untrusted) {
		t.Errorf("ann seals: %v", err)
	}
	if _, err := g.Seal(t.Context(), "HEAD", reconcile.Signatory{Signer: c.keys["bob"].Signer}, "reviewed by hand"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.carry(file, c.bundle("bob", file, seal.Approve)); err != nil {
		t.Fatal(err)
	}
}

// The platform and the ledger are each other's witness.
func TestAPlatformThatWasPutBackIsNoticed(t *testing.T) {
	c := newCourt(t)
	c.ship("the first")
	other := ehrtest.Start(t, "--instance", "court")
	c.client = newClient(t, other.URL)
	_, file := c.plan()
	_, err := c.carry(file, c.bundle("bob", file, seal.Approve))
	refusedBy(t, err, policy.Restored, 8)
	g := must(c.open())(t)
	c.now = c.now.Add(time.Minute)
	if _, err := g.Recover(t.Context(), c.client, reconcile.Signatory{Signer: c.keys["bob"].Signer}, "a new machine"); err != nil {
		t.Fatal(err)
	}
	_, err = c.carry(file, c.bundle("bob", file, seal.Approve))
	refusedBy(t, err, policy.Trust, 7)
	_, file = c.plan()
	if _, err := c.carry(file, c.bundle("bob", file, seal.Approve)); err != nil {
		t.Fatal(err)
	}
	if n := len(other.Audit(t)); n == 0 {
		t.Error("nothing was written to the platform that was put back")
	}
}

func TestALedgerThatWasPutBackIsNoticed(t *testing.T) {
	c := newCourt(t)
	branch := ledger.Branch(catalog.DefaultEnvironment)
	founded := c.git("rev-parse", branch)
	c.ship("the first")
	c.git("update-ref", branch, founded)
	_, file := c.plan()
	var untrusted *reconcile.TrustError
	if _, err := c.carry(file, c.bundle("bob", file, seal.Approve)); !errors.As(err, &untrusted) || !strings.Contains(err.Error(), "rolled back") {
		t.Fatalf("error %v", err)
	}
}

// A platform that was put back as another's, whose trail names receipts of another
// ledger, is gone on with by the word of a person, and not by that of a machine.
func TestAMachineDoesNotVouchForReceiptsThatTheLedgerDoesNotHave(t *testing.T) {
	c := newCourt(t)
	branch := ledger.Branch(catalog.DefaultEnvironment)
	founded, one := c.git("rev-parse", branch), c.client
	other := ehrtest.Start(t, "--instance", "court")
	c.client = newClient(t, other.URL)
	c.ship("the first, of another ledger")
	for range 20 {
		other.Put(t, "lakeside-clinic")
	}
	c.git("update-ref", branch, founded)
	c.client = one
	c.ship("the first")
	c.client = newClient(t, other.URL)
	c.now = c.now.Add(time.Minute)
	recover := func(who string) error {
		_, err := must(c.open())(t).Recover(t.Context(), c.client, reconcile.Signatory{Signer: c.keys[who].Signer}, "another's database")
		return err
	}
	var untrusted *reconcile.TrustError
	if err := recover("ci"); !errors.As(err, &untrusted) || !strings.Contains(err.Error(), "signed by a person") {
		t.Fatalf("error %v", err)
	}
	if err := recover("bob"); err != nil {
		t.Fatal(err)
	}
	_, file := c.plan()
	if _, err := c.carry(file, c.bundle("bob", file, seal.Approve)); err != nil {
		t.Fatal(err)
	}
}

func TestTooManyRemovalsAreRefused(t *testing.T) {
	c := newCourt(t)
	c.tenant("a", `edition: string, grants: {ward: reason: "x", theatre: reason: "x", maternity: reason: "x", stock: reason: "x", bill: reason: "x"}`)
	c.ship("much")
	c.tenant("a", "")
	c.commit("little")
	p, file := c.plan()
	if p.Summary.Blocked == 0 || p.Refusals[0].Code != plan.Code(policy.TooMany) {
		t.Errorf("refusals %+v", p.Refusals)
	}
	_, err := c.carry(file, c.bundle("bob", file, seal.Approve))
	refusedBy(t, err, policy.TooMany, 4)
}

// A hold of a commit that came later would stop the apply, and the plan says so.
func TestAPlanShowsAHoldThatCameLater(t *testing.T) {
	c := newCourt(t)
	c.tenant("a", "")
	c.ship("the first")
	c.tenant("a", `grants: ward: reason: "x"`)
	older := must(c.evaluate(t.Context(), c.commit("a grant")))(t)
	p, _ := c.plan()
	if len(p.Refusals) != 0 {
		t.Fatalf("refusals %+v", p.Refusals)
	}
	c.write("holds/a.cue", `package fleet

hold: "OPS-1": {tenant: "a", owner: "grace", reason: "the ward moves", until: "2027-01-01"}
`)
	c.commit("a hold")
	if err := must(c.open())(t).Require(t.Context(), p, older); err != nil {
		t.Fatal(err)
	}
	if len(p.Refusals) != 1 || p.Refusals[0].Code != plan.Code(policy.Held) || p.Summary.Blocked != 1 {
		t.Errorf("refusals %+v", p.Refusals)
	}
}

// Every receipt is checked by the policy of its day, and what other hands wrote is
// named.
func TestTheAuditFindsWhatOtherHandsWrote(t *testing.T) {
	c := newCourt(t)
	c.tenant("a", "")
	c.ship("the first")
	g := must(c.open())(t)
	report := must(g.Audit(t.Context()))(t)
	if len(report.Faults) != 0 || report.Receipts != 2 {
		t.Errorf("%+v", report)
	}
	if live := must(g.AuditLive(t.Context(), c.client))(t); len(live.Strangers) != 0 || live.Tenants != 2 {
		t.Errorf("%+v", live)
	}
	rows := c.ehr.Grant(t, "a").Rows
	c.ehr.Put(t, "a", append(slices.Clone(rows[1:]), "main ward")...) // one gone, one more
	var found []string
	for _, s := range must(must(c.open())(t).AuditLive(t.Context(), c.client))(t).Strangers {
		found = append(found, s.Tenant+" "+s.Facility+" "+s.EHRModule)
	}
	same(t, "strangers", []string{"a main ward", "a " + rows[0]}, found)
}

// An approval is of batches: given for one plan it counts in another, and whoever
// reads the receipt later can tell.
func TestAnApprovalOfAnotherPlanCounts(t *testing.T) {
	c := newCourt(t)
	c.tenant("a", "")
	c.ship("the first")
	c.tenant("a", `grants: ward: reason: "x"`)
	c.commit("a grant")
	p, file := c.plan()
	approval := c.bundle("ann", file, seal.Approve)
	c.tenant("b", "")
	c.commit("another tenant")
	_, later := c.plan()
	g := must(c.open())(t)
	done, err := g.Carry(t.Context(), c.client, reconcile.Order{
		Plan: must(plan.Decode(later))(t), File: later, Bundles: []reconcile.Bundle{approval}, Others: []*plan.Plan{p}, Signer: c.keys["ci"].Signer,
	})
	if err != nil || len(done.Outcomes) != 1 || done.Outcomes[0].Tenant != "a" {
		t.Fatalf("%+v, %v", done, err)
	}
	if report := must(must(c.open())(t).Audit(t.Context()))(t); len(report.Faults) != 0 {
		t.Errorf("%+v", report.Faults)
	}
}

func TestABrokenGlassPassesABrakeForOnePlan(t *testing.T) {
	c := newCourt(t)
	c.write("policy/glass.cue", `package policy

break_glass: {people: ["bob"], passes: ["threshold"]}
`)
	c.tenant("a", `grants: {ward: reason: "x", theatre: reason: "x", maternity: reason: "x", stock: reason: "x", bill: reason: "x"}`)
	c.ship("much")
	c.tenant("a", "")
	c.commit("little")
	_, file := c.plan()
	approval := c.bundle("bob", file, seal.Approve)
	_, err := c.carry(file, approval)
	refusedBy(t, err, policy.TooMany, 4)
	glass := func(who string, until time.Time) reconcile.Bundle {
		terms := policy.BreakGlassTerms{Environment: catalog.DefaultEnvironment, Reason: "INC-7", NotAfter: until}
		statement := must(terms.Statement(seal.Subject{Name: "plan.json", SHA256: plan.DigestOf(file)}))(t)
		return reconcile.Bundle{Name: "glass", Data: must(c.keys[who].Sign(statement))(t)}
	}
	for name, broken := range map[string]reconcile.Bundle{"by ann": glass("ann", c.now.Add(time.Hour)), "ended": glass("bob", c.now.Add(-time.Hour))} {
		t.Log(name)
		_, err = c.carry(file, approval, broken)
		refusedBy(t, err, policy.TooMany, 4)
	}
	if _, err := c.carry(file, approval, glass("bob", c.now.Add(time.Hour))); err != nil {
		t.Fatal(err)
	}
	if broken := must(must(c.open())(t).Broken(t.Context()))(t); len(broken) != 1 || !strings.HasSuffix(broken[0], "bob broke the glass: INC-7") {
		t.Errorf("shown: %v", broken)
	}
	c.now = c.now.Add(31 * 24 * time.Hour)
	review := func(who string, left int) {
		if _, err := must(c.open())(t).Seal(t.Context(), "HEAD", reconcile.Signatory{Signer: c.keys[who].Signer}, "INC-7 reviewed"); err != nil {
			t.Fatal(err)
		}
		if broken := must(must(c.open())(t).Broken(t.Context()))(t); len(broken) != left {
			t.Errorf("after a review by %s: %v", who, broken)
		}
	}
	review("bob", 1) // who broke it
	c.write("policy/people.cue", strings.Replace(c.people(""), `roles: ["support"]`, `roles: ["all"]`, 1))
	c.ship("ann may all")
	review("ann", 0)
	if report := must(must(c.open())(t).Audit(t.Context()))(t); len(report.Faults) != 0 {
		t.Errorf("%+v", report.Faults)
	}
}

// A plan that says nothing of a tenant, because it was made for others or because
// somebody left it out, does not make what is declared for it the past.
func TestWhatAPlanLeavesOutStaysPending(t *testing.T) {
	c := newCourt(t)
	c.tenant("a", "")
	c.tenant("b", "")
	c.ship("two")
	c.tenant("a", `grants: ward: reason: "x"`)
	c.tenant("b", `grants: ward: reason: "x"`)
	c.commit("grants")
	_, file := c.planOf("b")
	if _, err := c.carry(file, c.bundle("ann", file, seal.Approve)); err != nil {
		t.Fatal(err)
	}
	p, _ := c.plan()
	if got := changes(p); len(got) != 1 || p.Batches[0].Tenant != "a" || p.Batches[0].Changes[0].Class != plan.Pending {
		t.Errorf("the rest is %v, %s", got, p.Batches[0].Changes[0].Class)
	}
	_, empty := c.planOf("lakeside-clinic")
	if _, err := c.carry(empty); err != nil {
		t.Fatal(err)
	}
	p, _ = c.plan()
	if len(p.Batches) != 1 || p.Batches[0].Changes[0].Class != plan.Pending {
		t.Errorf("after an empty plan: %v, %s", changes(p), p.Batches[0].Changes[0].Class)
	}
}

// A rule about a tenant is about the change that moves it out of the rule's reach.
func TestAMoveOutOfARulesReachIsInIt(t *testing.T) {
	c := newCourt(t)
	c.write("policy/rules.cue", "package policy\n\nrules: centres: {capability: \"entitlements.write\", tenants: edition: \"health-centre\", approvals: 2}\n")
	c.tenant("a", "")
	c.commit("two for health centres")
	_, file := c.plan()
	if _, err := c.carry(file, c.bundle("bob", file, seal.Approve), c.bundle("ann", file, seal.Approve)); err != nil {
		t.Fatal(err)
	}
	c.write("tenants/a/tenant.cue", "package fleet\n\ntenant: {id: \"a\", name: \"T\", organisation: \"lakeside\", edition: \"hospital\", facilities: main: name: \"Main\"}\n")
	c.commit("a hospital")
	p, file := c.plan()
	for _, r := range p.Requires {
		if r.Capability == "entitlements.write" && r.Approvals != 2 {
			t.Errorf("requires %+v", r)
		}
	}
	done, err := c.carry(file, c.bundle("bob", file, seal.Approve))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range done.Outcomes {
		if o.Subject == string(plan.Entitlements) {
			t.Errorf("rows were written by one approval: %+v", o)
		}
	}
}
