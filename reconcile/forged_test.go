package reconcile_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/veonahealth/charter/examples/ehr/ehrtest"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/policy"
	"github.com/veonahealth/charter/plan/seal"
	"github.com/veonahealth/charter/reconcile"
)

// Whoever can push can hand an applier a plan file that charter never wrote, with
// batches that people did approve.

// forge alters a plan file as an attacker would, without its digests.
func (c *court) forge(file []byte, alter func(*plan.Plan)) []byte {
	c.t.Helper()
	p := must(plan.Decode(file))(c.t)
	alter(p)
	return must(plan.Encode(p))(c.t)
}

// An approval of a policy is for its digest: a plan that has it at a commit with
// another policy would put that one on the ledger.
func TestAPolicyIsNotPinnedAtACommitOfAnother(t *testing.T) {
	c := newCourt(t)
	c.ship("the first")
	c.write("policy/people.cue", c.people("appliers: ci: may: [\"apply\"]\n"))
	c.commit("harmless")
	honest, file := c.plan()
	approval := c.bundle("bob", file, seal.Approve)
	c.write("policy/people.cue", strings.Replace(c.people(""), `roles: ["support"]`, `roles: ["all"]`, 1))
	evil := c.commit("ann may all")
	forged := c.forge(file, func(p *plan.Plan) { p.Source.Commit, p.Source.Tree = evil, c.git("rev-parse", "HEAD^{tree}") })
	_, err := c.carry(forged, approval)
	refusedBy(t, err, policy.Trust, 7)
	if got := must(c.open())(t).Ledger.Policy().Digest.String(); got == honest.Batches[0].Changes[0].After {
		t.Error("the policy was turned")
	}
	if _, err := c.carry(file, approval); err != nil {
		t.Errorf("the plan that was approved: %v", err)
	}
}

// Two changes of the policy may be approved at once: the second was approved as a
// step from the first policy, and not from what the first made of it.
func TestAPolicyOnAnOldOneNoLongerHolds(t *testing.T) {
	c := newCourt(t)
	c.ship("the first")
	c.write("policy/more.cue", "package policy\n\npeople: cat: {name: \"Cat\", email: \"cat@example.org\"}\n")
	c.commit("cat")
	_, one := c.plan()
	c.write("policy/more.cue", "package policy\n\npeople: dan: {name: \"Dan\", email: \"dan@example.org\"}\n")
	c.commit("dan")
	_, two := c.plan()
	if _, err := c.carry(one, c.bundle("bob", one, seal.Approve)); err != nil {
		t.Fatal(err)
	}
	var stale *reconcile.StaleError
	if _, err := c.carry(two, c.bundle("bob", two, seal.Approve)); !errors.As(err, &stale) {
		t.Fatalf("error %v, want a StaleError", err)
	}
}

// A machine that carries plans out would, with a stolen key, let any commit pass.
func TestAMachineDoesNotSealCommits(t *testing.T) {
	c := newCourt(t)
	c.ship("the first")
	c.commit("nobody signed")
	var untrusted *reconcile.TrustError
	_, err := must(c.open())(t).Seal(t.Context(), "HEAD", reconcile.Signatory{Signer: c.keys["ci"].Signer}, "x")
	if !errors.As(err, &untrusted) {
		t.Fatalf("error %v, want a TrustError", err)
	}
}

// A commit may be applied whose catalogue nobody approved. What that one calls
// uncritical is as critical as before.
func TestACatalogueThatWasNotApprovedMakesNothingUncritical(t *testing.T) {
	c := newCourt(t)
	c.write("policy/more.cue", "package policy\n\nrules: critical: {capability: \"entitlements.write\", change: \"critical-removal\", approvals: 2}\n")
	c.tenant("a", "")
	c.ship("the first")
	modules := readText(t, c.dir+"/catalog/modules.cue")
	c.write("catalog/modules.cue", strings.ReplaceAll(modules, "critical: true", "critical: false"))
	c.tenant("a", `grants: scribe: reason: "x"`)
	c.commit("nothing is critical")
	_, file := c.plan()
	if _, err := c.carry(file, c.bundle("ann", file, seal.Approve)); err != nil { // who may not approve the catalogue
		t.Fatal(err)
	}
	c.tenant("a", `grants: scribe: reason: "x", revocations: chart: reason: "x"`)
	c.commit("no chart")
	p, file := c.plan()
	asked := false
	for _, r := range p.Requires {
		asked = asked || r.Capability == "entitlements.write" && r.Approvals == 2
	}
	if !asked {
		t.Errorf("the plan requires %+v", p.Requires)
	}
	if _, err := c.carry(file, c.bundle("ann", file, seal.Approve)); err == nil {
		t.Error("one approval was enough")
	}
	if c.ehr.Gate(t, "a", "main", "/chart") != 200 {
		t.Error("the chart is gone")
	}
}

// People read a module's name, and the platform is sent its own key.
func TestARowThatIsCalledByAnotherModuleIsRefused(t *testing.T) {
	c := newCourt(t)
	c.tenant("a", "")
	c.ship("the first")
	c.tenant("a", `grants: theatre: reason: "x"`)
	c.commit("theatre")
	_, file := c.plan()
	forged := c.forge(file, func(p *plan.Plan) { p.Batches[0].Changes[0].Module = "scribe" })
	_, err := c.carry(forged, c.bundle("bob", forged, seal.Approve))
	refusedBy(t, err, policy.Trust, 7)
}

// The most that a plan may take away is counted from what it does, whatever its
// summary says.
func TestASummaryHidesNoRemovals(t *testing.T) {
	c := newCourt(t)
	c.tenant("a", `grants: ward: reason: "x"`)
	c.commit("a ward")
	p, file := c.plan()
	if p.TakesAway() {
		t.Error("a plan that grants takes something away")
	}
	if _, err := c.carry(file, c.bundle("bob", file, seal.Approve)); err != nil {
		t.Fatal(err)
	}
	c.tenant("a", "")
	c.commit("no ward")
	p, _ = c.plan()
	p.Summary.Revoke = 0
	if !p.TakesAway() {
		t.Error("a plan that revokes takes nothing away")
	}
}

// A no counts, beside whatever plan it lies and whatever its file is called, until
// an approval of the same plan takes its place.
func TestANoIsNotTakenBackByTheOrderOfFiles(t *testing.T) {
	c := newCourt(t)
	c.tenant("a", "")
	c.ship("the first")
	c.tenant("a", `grants: ward: reason: "x"`)
	c.commit("a grant")
	_, file := c.plan()
	yes := c.bundle("ann", file, seal.Approve)
	c.now = c.now.Add(time.Minute)
	no := c.bundle("ann", file, seal.Reject)
	for _, order := range [][]reconcile.Bundle{{yes, no}, {no, yes}} {
		_, err := c.carry(file, order...)
		refusedBy(t, err, policy.Missing, 4)
	}
	c.now = c.now.Add(time.Minute)
	after := c.bundle("ann", file, seal.Approve)
	_, err := c.carry(file, after, no)
	refusedBy(t, err, policy.Missing, 4)
	if _, err := c.carry(file, after); err != nil {
		t.Error(err)
	}
}

// What was approved before a platform was put back was approved for another state
// of it, though the same batch be planned again.
func TestAnApprovalFromBeforeARecoveryIsVoid(t *testing.T) {
	c := newCourt(t)
	c.commit("the first")
	before, file := c.plan()
	approval := c.bundle("bob", file, seal.Approve)
	c.ship("the same")
	other := ehrtest.Start(t, "--instance", "court")
	c.client = newClient(t, other.URL)
	c.now = c.now.Add(time.Minute)
	g := must(c.open())(t)
	if _, err := g.Recover(t.Context(), c.client, reconcile.Signatory{Signer: c.keys["bob"].Signer}, "a new machine"); err != nil {
		t.Fatal(err)
	}
	again, later := c.plan()
	if again.BatchesRoot != before.BatchesRoot {
		t.Fatal("the same is not planned again")
	}
	order := reconcile.Order{
		Plan: again, File: later, Bundles: []reconcile.Bundle{approval}, Others: []*plan.Plan{before}, Signer: c.keys["ci"].Signer,
	}
	_, err := must(c.open())(t).Carry(t.Context(), c.client, order)
	refusedBy(t, err, policy.Missing, 4)
	order.Bundles = append(order.Bundles, c.bundle("bob", later, seal.Approve))
	if _, err := must(c.open())(t).Carry(t.Context(), c.client, order); err != nil {
		t.Error(err)
	}
}

// What was scheduled is carried out as long as it is declared still, whatever a plan
// file says.
func TestAScheduledEndThatWasTakenBackIsNotCarriedOut(t *testing.T) {
	c := newCourt(t)
	c.tenant("a", `grants: ward: {reason: "pilot", until: "2026-12-01"}`)
	c.commit("a pilot")
	old, file := c.plan()
	approval := c.bundle("bob", file, seal.Approve)
	if _, err := c.carry(file, approval); err != nil {
		t.Fatal(err)
	}
	entry := old.Scheduled[0]
	c.tenant("a", `grants: ward: {reason: "kept"}`)
	c.ship("for good")
	c.now = time.Date(2026, 12, 2, 0, 0, 0, 0, time.UTC)
	p, _ := c.plan()
	at := entry.At
	p.Batches = []plan.Batch{{Tenant: "a", Subject: plan.Entitlements, Base: &plan.Base{At: &at}, Changes: entry.Changes, Digest: entry.Digest}}
	p.Scheduled, p.Summary.Revoke, p.Summary.Tenants, p.Summary.Facilities = nil, 1, 1, 1
	p.BatchesRoot = must(must(plan.NewTree(p.Leaves()))(t).Root())(t)
	g := must(c.open())(t)
	_, err := g.Carry(t.Context(), c.client, reconcile.Order{
		Plan: p, File: must(plan.Encode(p))(t), Bundles: []reconcile.Bundle{approval}, Others: []*plan.Plan{old}, Signer: c.keys["ci"].Signer,
	})
	refusedBy(t, err, policy.Missing, 4)
	if c.ehr.Gate(t, "a", "main", "/ward") != 200 {
		t.Error("the grant is gone")
	}
}

// What was scheduled and was not carried out in the time that its approval is good
// for can be approved anew.
func TestAScheduledEndThatWasMissedIsApprovedAnew(t *testing.T) {
	c := newCourt(t)
	c.tenant("a", `grants: ward: {reason: "pilot", until: "2026-12-01"}`)
	c.ship("a pilot")
	c.now = time.Date(2026, 12, 20, 0, 0, 0, 0, time.UTC)
	_, file := c.plan()
	if _, err := c.carry(file); err == nil {
		t.Error("it was carried out by an approval that is over")
	}
	if _, err := c.carry(file, c.bundle("bob", file, seal.Approve)); err != nil {
		t.Fatal(err)
	}
	if c.ehr.Gate(t, "a", "main", "/ward") != 403 {
		t.Error("the grant is there still")
	}
}

// Whoever signs a plan twice approves it once: the other bundle, kept back, brings
// nothing back later.
func TestASecondBundleOfAPlanThatIsDoneIsSpent(t *testing.T) {
	c := newCourt(t)
	name := func(is string) {
		c.tenant("a", "")
		c.write("tenants/a/tenant.cue", strings.Replace(readText(t, c.dir+"/tenants/a/tenant.cue"), `"T"`, `"`+is+`"`, 1))
	}
	name("T")
	c.ship("the first")
	name("U")
	c.commit("a name")
	p, file := c.plan()
	one := c.bundle("bob", file, seal.Approve)
	c.now = c.now.Add(time.Minute)
	kept := c.bundle("bob", file, seal.Approve)
	if _, err := c.carry(file, one); err != nil {
		t.Fatal(err)
	}
	name("T")
	c.ship("the old name")
	name("U")
	c.commit("the name again")
	again, later := c.plan()
	if again.BatchesRoot != p.BatchesRoot {
		t.Fatal("it is another batch")
	}
	for _, b := range []reconcile.Bundle{one, kept} {
		_, err := must(c.open())(t).Carry(t.Context(), c.client, reconcile.Order{
			Plan: again, File: later, Bundles: []reconcile.Bundle{b}, Others: []*plan.Plan{p}, Signer: c.keys["ci"].Signer,
		})
		refusedBy(t, err, policy.Missing, 4)
	}
}

// A plan says itself when it was made, and one of next year would never expire.
func TestAPlanFromTheFutureNoLongerHolds(t *testing.T) {
	c := newCourt(t)
	c.commit("the first")
	_, file := c.plan()
	forged := c.forge(file, func(p *plan.Plan) {
		p.At, p.CreatedAt, p.ExpiresAt = p.At.AddDate(1, 0, 0), p.CreatedAt.AddDate(1, 0, 0), p.ExpiresAt.AddDate(1, 0, 0)
	})
	var stale *reconcile.StaleError
	if _, err := c.carry(forged, c.bundle("bob", forged, seal.Approve)); !errors.As(err, &stale) {
		t.Fatalf("error %v, want a StaleError", err)
	}
}
