package policy_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/policy"
	"github.com/veonahealth/charter/plan/seal"
)

// Each sentence that the policy is made of, as a case: what becomes of the unit
// of kisumu, which takes a row away, and what is said of it.
func TestKisumuIsJudgedAsThePolicySays(t *testing.T) {
	writers := func(list ...policy.Writer) func(string, plan.Subject) []policy.Writer {
		return func(string, plan.Subject) []policy.Writer { return list }
	}
	noWriters := func(r *catalog.Rule) { r.Writers = false }
	two := func(r *catalog.Rule) { r.Approvals = 2 }
	for name, c := range map[string]struct {
		set  func(*world)
		want string
		text string // a part of the refusal, or of the last note
	}{
		"nobody approves":          {func(*world) {}, "approval 4", "1 more approval of 1 approval by people with entitlements.write is missing: asha, brian or chao could give it"},
		"one who may":              {func(w *world) { w.approve("brian") }, "yes", "approves it"},
		"one who may not":          {func(w *world) { w.approve("dora") }, "capability 4", "0 of 1 approver hold entitlements.write: asha, brian or chao could give it; an approval is given with charter approve"},
		"one who may not, by name": {func(w *world) { w.approve("dora") }, "capability 4", "approves it, and has no role that holds entitlements.write"},
		"a stranger":               {func(w *world) { w.approve("mallory") }, "approval 4", "the policy does not know it"},
		"a machine":                {func(w *world) { w.approve("ci") }, "approval 4", "a machine never approves"},

		"keys that are revoked are not asked for": {func(w *world) {
			w.lose("brian", "2027-02-01")
			w.lose("chao", "2027-03-02") // tomorrow
		}, "approval 4", "entitlements.write is missing: asha or chao could give it"},

		"two are asked for, one came":       {func(w *world) { w.rule(two); w.approve("brian") }, "approval 4", "1 more approval of 2 approvals by people with entitlements.write is missing: asha or chao could give it"},
		"two are asked for, two came":       {func(w *world) { w.rule(two); w.approve("brian", "asha") }, "yes", ""},
		"two are asked for, one came twice": {func(w *world) { w.rule(two); w.approve("brian", "brian") }, "approval 4", ""},
		"two keys of one person are one": {func(w *world) {
			w.rule(two)
			w.member("brian").Keys = append(w.member("brian").Keys, catalog.PolicyKey{Text: keyOf(w.t, "brian's other")})
			w.approve("brian", "brian's other")
		}, "approval 4", ""},
		"two are asked for, one of them may not": {func(w *world) { w.rule(two); w.approve("brian", "dora") }, "capability 4", ""},

		"removals ask for more": {func(w *world) {
			w.rule(func(r *catalog.Rule) { r.Approvals, r.Change = 2, catalog.AnyRemoval })
			w.approve("brian")
		}, "approval 4", ""},
		"critical removals ask for more, and this is one by the plan": {func(w *world) {
			w.rule(func(r *catalog.Rule) { r.Approvals, r.Change = 2, catalog.CriticalRemovals })
			w.in.Plan.Batches[kisumu].Changes[0].Critical = true
			w.approve("brian")
		}, "approval 4", ""},
		"critical removals ask for more, and this is none": {func(w *world) {
			w.rule(func(r *catalog.Rule) { r.Approvals, r.Change = 2, catalog.CriticalRemovals })
			w.approve("brian")
		}, "yes", ""},
		"critical by the catalogue last applied, though not by the new one": {func(w *world) {
			w.rule(func(r *catalog.Rule) { r.Approvals, r.Change = 2, catalog.CriticalRemovals })
			w.in.LastCatalog, w.in.Desired.Catalog = theatre(w.t, true), theatre(w.t, false)
			w.approve("brian")
		}, "approval 4", ""},
		"critical by the new catalogue, though the plan denies it": {func(w *world) {
			w.rule(func(r *catalog.Rule) { r.Approvals, r.Change = 2, catalog.CriticalRemovals })
			w.in.Desired.Catalog = theatre(w.t, true)
			w.approve("brian")
		}, "approval 4", ""},
		"of two rules the stricter counts": {func(w *world) {
			w.rule(two)
			w.rule(func(r *catalog.Rule) {})
			w.approve("brian")
		}, "approval 4", ""},
		"a rule about other tenants": {func(w *world) {
			w.declare(func(*catalog.Tenant) {}, "kisumu")
			w.rule(func(r *catalog.Rule) {
				r.Approvals, r.Tenants = 2, &catalog.Selector{IDs: []catalog.TenantID{tenantID(w.t, "mercy")}}
			})
			w.approve("brian")
		}, "yes", ""},
		"a rule about a hosting that is this one's": {func(w *world) {
			w.declare(func(*catalog.Tenant) {}, "kisumu")
			w.rule(func(r *catalog.Rule) { r.Approvals, r.Tenants = 2, &catalog.Selector{Hosting: catalog.Cloud} })
			w.approve("brian")
		}, "approval 4", ""},
		"a rule that might be about a tenant that is not declared": {func(w *world) {
			w.rule(func(r *catalog.Rule) { r.Approvals, r.Tenants = 2, &catalog.Selector{Hosting: catalog.OnPrem} })
			w.approve("brian")
		}, "approval 4", ""},
		"a rule about another capability": {func(w *world) {
			w.rule(func(r *catalog.Rule) { r.Approvals, r.Capability = 2, "registry.write" })
			w.approve("brian")
		}, "yes", ""},

		"a reject by one who could approve": {func(w *world) { w.approve("asha"); w.reject("brian") }, "approval 4", "brian rejects it"},
		"a reject by one who could not":     {func(w *world) { w.approve("asha"); w.reject("dora") }, "yes", ""},
		"a reject by a machine":             {func(w *world) { w.approve("asha"); w.reject("ci") }, "yes", ""},
		"a reject, then an approval":        {func(w *world) { w.reject("brian"); w.approve("brian") }, "yes", ""},
		"an approval, then a reject":        {func(w *world) { w.approve("brian"); w.reject("brian") }, "approval 4", "brian rejects it"},
		"one who may not takes it back":     {func(w *world) { w.rule(two); w.approve("brian", "dora"); w.reject("dora") }, "approval 4", ""},
		"a reject that has expired": {func(w *world) {
			w.approve("asha")
			w.decide("brian", seal.Reject, func(a *policy.Approval) { a.Opened.Approval.NotAfter = monday.Add(-time.Second) })
		}, "yes", ""},

		"an expired approval": {func(w *world) {
			w.decide("brian", seal.Approve, func(a *policy.Approval) { a.Opened.Approval.NotAfter = monday.Add(-time.Second) })
		}, "approval 4", "it expired at"},
		"an approval at its last instant": {func(w *world) {
			w.decide("brian", seal.Approve, func(a *policy.Approval) { a.Opened.Approval.NotAfter = monday })
		}, "yes", ""},
		"an approval of another environment": {func(w *world) {
			w.decide("brian", seal.Approve, func(a *policy.Approval) {
				a.Opened.Approval.Environment, _ = catalog.ParseEnvironment("prod")
			})
		}, "approval 4", "it is for environment prod"},
		"an approval of other tenants": {func(w *world) {
			w.decide("brian", seal.Approve, func(a *policy.Approval) { a.Opened.Approval.Tenants = []catalog.TenantID{tenantID(w.t, "mercy")} })
		}, "approval 4", "it names tenants, and not tenant kisumu"},
		"an approval of this tenant": {func(w *world) {
			w.decide("brian", seal.Approve, func(a *policy.Approval) { a.Opened.Approval.Tenants = []catalog.TenantID{tenantID(w.t, "kisumu")} })
		}, "yes", ""},
		"an approval under another root": {func(w *world) {
			w.decide("brian", seal.Approve, func(a *policy.Approval) { a.Opened.Approval.Batches.Root[0]++ })
		}, "approval 4", ""},
		"an approval under this root, with another count": {func(w *world) {
			w.decide("brian", seal.Approve, func(a *policy.Approval) { a.Opened.Approval.Batches.Count++ })
		}, "approval 4", ""},
		"an approval of another plan that holds the same batch": {func(w *world) {
			leaves := []plan.Digest{digest("other", 1), w.in.Plan.Batches[kisumu].Digest}
			w.in.Leaves = [][]plan.Digest{leaves}
			w.decide("brian", seal.Approve, func(a *policy.Approval) { a.Opened.Approval.Batches = batches(w.t, leaves) })
		}, "yes", ""},
		"an approval of another plan that does not hold it": {func(w *world) {
			leaves := []plan.Digest{digest("other", 1)}
			w.in.Leaves = [][]plan.Digest{leaves}
			w.decide("brian", seal.Approve, func(a *policy.Approval) { a.Opened.Approval.Batches = batches(w.t, leaves) })
		}, "approval 4", ""},
		"a spent approval": {func(w *world) {
			w.approve("brian")
			spent := w.in.Approvals[0].ID()
			w.in.Spent = func(batch plan.Digest, id policy.ID) bool {
				return batch == w.in.Plan.Batches[kisumu].Digest && id == spent
			}
		}, "approval 4", "it is spent"},
		"a spent approval, and a new one of the same person": {func(w *world) {
			w.approve("brian", "brian")
			spent := w.in.Approvals[0].ID()
			w.in.Spent = func(_ plan.Digest, id policy.ID) bool { return id == spent }
		}, "yes", ""},

		"a bundle that does not verify, and is not missed": {func(w *world) {
			w.approve("brian")
			w.in.Unverified = []policy.Unverified{{Name: "x.sigstore.json", Err: errors.New("signature does not hold")}}
		}, "yes", ""},
		"a bundle that does not verify, and is missed": {func(w *world) {
			w.in.Unverified = []policy.Unverified{{Name: "x.sigstore.json", Err: errors.New("signature does not hold")}}
		}, "approval 7", "not counted, as it does not verify: x.sigstore.json (signature does not hold)"},

		"a role that was taken away":     {func(w *world) { w.member("brian").Roles = nil; w.approve("brian") }, "capability 4", ""},
		"somebody who left":              {func(w *world) { w.member("brian").Leaves = monday; w.approve("brian") }, "approval 4", "left on"},
		"somebody who is about to leave": {func(w *world) { w.member("brian").Leaves = monday.Add(time.Second); w.approve("brian") }, "yes", ""},
		"a revoked key": {func(w *world) {
			w.member("brian").Revoked = []catalog.RevokedKey{{Fingerprint: fingerprint(w.t, "brian").String(), Since: "2027-02-28"}}
			w.approve("brian")
		}, "approval 7", "was revoked since 2027-02-28"},
		"a key revoked since a receipt": {func(w *world) {
			w.policy.Revoked = []catalog.RevokedKey{{Fingerprint: fingerprint(w.t, "brian").String(), Since: strings.Repeat("a", 64)}}
			w.approve("brian")
		}, "approval 7", "was revoked"},
		"a revoked key, and enough without it": {func(w *world) {
			w.policy.Revoked = []catalog.RevokedKey{{Fingerprint: fingerprint(w.t, "brian").String(), Since: "2027-02-28"}}
			w.approve("brian", "asha")
		}, "yes", ""},
		"a revoked key says no, and something else is missing": {func(w *world) {
			w.policy.Revoked = []catalog.RevokedKey{{Fingerprint: fingerprint(w.t, "brian").String(), Since: "2027-02-28"}}
			w.decide("brian", seal.Reject)
		}, "approval 4", "asha"},
		"a revoked key's approval that was spent": {func(w *world) {
			w.policy.Revoked = []catalog.RevokedKey{{Fingerprint: fingerprint(w.t, "brian").String(), Since: "2027-02-28"}}
			w.approve("brian")
			w.in.Spent = func(plan.Digest, policy.ID) bool { return true }
		}, "approval 4", "asha"},
		"a key that will be revoked": {func(w *world) {
			w.policy.Revoked = []catalog.RevokedKey{{Fingerprint: fingerprint(w.t, "brian").String(), Since: "2027-03-02"}}
			w.approve("brian")
		}, "yes", ""},
		"a key revoked by SSH's name": {func(w *world) {
			key, _, err := seal.ParseKey(keyOf(w.t, "brian"))
			if err != nil {
				w.t.Fatal(err)
			}
			w.policy.Revoked = []catalog.RevokedKey{{Fingerprint: key.Name(), Since: "2027-01-01"}}
			w.approve("brian")
		}, "approval 7", "was revoked"},

		"the writer approves, where that is allowed": {func(w *world) {
			w.in.Writers = writers(policy.Writer{Email: "brian@example.org"})
			w.approve("brian")
		}, "yes", ""},
		"the writer approves, where that is forbidden": {func(w *world) {
			w.rule(noWriters)
			w.in.Writers = writers(policy.Writer{Email: "Brian@Example.org"})
			w.approve("brian")
		}, "approval 4", "asha or chao could give it"},
		"one rule forbids it, another does not": {func(w *world) {
			w.rule(noWriters)
			w.rule(func(*catalog.Rule) {})
			w.in.Writers = writers(policy.Writer{Email: "brian@example.org"})
			w.approve("brian")
		}, "approval 4", "the approver wrote the change"},
		"another approves than the writer": {func(w *world) {
			w.rule(noWriters)
			w.in.Writers = writers(policy.Writer{Email: "asha@example.org"}, policy.Writer{Person: "chao"})
			w.approve("brian")
		}, "yes", ""},
		"the writer by the key that signed, under another's address": {func(w *world) {
			w.rule(noWriters)
			w.in.Writers = writers(policy.Writer{Email: "asha@example.org", Person: "brian"})
			w.approve("brian")
		}, "approval 4", "the approver wrote the change"},
		"an address that is nobody's": {func(w *world) {
			w.rule(noWriters)
			w.in.Writers = writers(policy.Writer{Email: "home@example.com"})
			w.approve("brian")
		}, "approval 4", "is nobody's address: it may be the approver's"},
		"writers that are not known": {func(w *world) { w.rule(noWriters); w.approve("brian") }, "approval 4", "who wrote the change is not known"},
		"a change that nobody wrote": {func(w *world) { w.rule(noWriters); w.in.Writers = writers(); w.approve("brian") }, "yes", ""},

		"a review of a removal, where nothing else is said": {func(w *world) { w.review("github:2") }, "approval 4", "a decision by forge does not count here"},
		"a review, where keys are asked for":                {func(w *world) { w.rule(func(*catalog.Rule) {}); w.review("github:2") }, "approval 4", "a decision by forge does not count here"},
		"a review, where it counts":                         {func(w *world) { w.byForge(); w.review("github:2") }, "yes", ""},
		"a review by nobody":                                {func(w *world) { w.byForge(); w.review("github:3") }, "approval 4", `account "github:3": it is nobody's`},
		"a review by somebody who left":                     {func(w *world) { w.byForge(); w.review("github:2"); w.member("brian").Leaves = monday }, "approval 4", `account "github:2": person brian left on`},
		"a review by a machine that is no notary":           {func(w *world) { w.byForge(); w.reviewBy("ci", "github:2") }, "approval 4", "only a notary's word counts: key"},
		"a review that a person speaks of":                  {func(w *world) { w.byForge(); w.reviewBy("asha", "github:2") }, "approval 4", "it is of person asha, who is no applier"},
		"a review by a notary whose key was revoked": {func(w *world) {
			w.byForge()
			w.review("github:2")
			w.policy.Revoked = []catalog.RevokedKey{{Fingerprint: fingerprint(w.t, "notary").String(), Since: "2027-01-01"}}
		}, "approval 7", "it is of applier notary and was revoked"},
		"a notary that decides by itself": {func(w *world) { w.byForge(); w.decide("notary", seal.Approve) }, "approval 4", "it is of applier notary, and a machine never approves"},
		"a review by one of two people": {func(w *world) {
			w.rule(func(r *catalog.Rule) {
				r.Approvals, r.Evidence = 2, []catalog.Evidence{catalog.ByKey, catalog.ByForge}
			})
			w.review("github:2")
			w.approve("brian")
		}, "approval 4", "1 more approval of 2"},
		"a review and another's key": {func(w *world) {
			w.rule(func(r *catalog.Rule) {
				r.Approvals, r.Evidence = 2, []catalog.Evidence{catalog.ByKey, catalog.ByForge}
			})
			w.review("github:2")
			w.approve("chao")
		}, "yes", ""},
		"two accounts of a person": {func(w *world) {
			w.byForge()
			w.policy.Rules[0].Approvals = 2
			w.review("github:2")
			w.review("gitlab:9")
			w.member("brian").Forge = []string{"github:2", "gitlab:9"}
			w.member("chao").Forge = []string{"github:7"}
		}, "approval 4", "1 more approval of 2"},
		"a review by the writer": {func(w *world) {
			w.byForge()
			noWriters(&w.policy.Rules[0])
			w.in.Writers = writers(policy.Writer{Email: "brian@example.org"})
			w.review("github:2")
		}, "approval 4", "the approver wrote the change"},
		"a key, where reviews are asked for": {func(w *world) { w.byForge(); w.approve("brian") }, "approval 4", "a decision by key does not count here"},

		"a hold":                              {func(w *world) { w.approve("brian"); w.hold("main", "theatre", monday.Add(time.Hour)) }, "hold 4", `hold "OPS-1" of grace keeps rows of it until`},
		"a hold that has ended":               {func(w *world) { w.approve("brian"); w.hold("main", "theatre", monday) }, "yes", ""},
		"a hold of another module":            {func(w *world) { w.approve("brian"); w.hold("main", "ward", monday.Add(time.Hour)) }, "yes", ""},
		"a hold of another site":              {func(w *world) { w.approve("brian"); w.hold("annex", "", monday.Add(time.Hour)) }, "yes", ""},
		"a hold of everything":                {func(w *world) { w.approve("brian"); w.hold("", "", monday.Add(time.Hour)) }, "hold 4", ""},
		"a hold comes before what is missing": {func(w *world) { w.hold("", "", monday.Add(time.Hour)) }, "hold 4", ""},

		"a deny window that is open":   {func(w *world) { w.approve("brian"); w.window(false, "0 8 * * 1-5", 9*time.Hour, nil) }, "window 4", "window w lets nothing through now"},
		"a deny window that is shut":   {func(w *world) { w.approve("brian"); w.window(false, "0 8 * * 1-5", 4*time.Hour, nil) }, "yes", ""},
		"a deny window for others":     {func(w *world) { w.approve("brian"); w.window(false, "0 8 * * *", 9*time.Hour, only(w, "mercy")) }, "yes", ""},
		"an allow window that is open": {func(w *world) { w.approve("brian"); w.window(true, "0 12 * * 1", time.Hour, nil) }, "yes", ""},
		"an allow window that is shut": {func(w *world) { w.approve("brian"); w.window(true, "0 22 * * *", 6*time.Hour, nil) }, "window 4", "it is outside of window w"},
		"one of two allow windows": {func(w *world) {
			w.approve("brian")
			w.window(true, "0 22 * * *", 6*time.Hour, nil)
			w.window(true, "0 11 * * *", 2*time.Hour, nil)
		}, "yes", ""},
		"deny beats allow": {func(w *world) {
			w.approve("brian")
			w.window(true, "0 11 * * *", 2*time.Hour, nil)
			w.window(false, "0 11 * * *", 2*time.Hour, nil)
		}, "window 4", ""},
		"a window of another time zone": {func(w *world) {
			w.approve("brian")
			w.window(false, "0 15 * * *", time.Minute, nil)
			w.policy.Windows[0].Timezone = "Africa/Nairobi" // where it is 15:00
		}, "window 4", ""},
		"a window about removals": {func(w *world) {
			w.approve("brian")
			w.window(false, "0 12 * * *", time.Hour, nil)
			w.policy.Windows[0].Change = catalog.AnyRemoval
		}, "window 4", ""},

		"a quarter of its rows, and no more": {func(w *world) { w.revoke(25, 100, 10_000); w.approve("brian") }, "yes", ""},
		"more than a quarter of its rows":    {func(w *world) { w.revoke(26, 100, 10_000); w.approve("brian") }, "threshold 4", "the plan takes away 26 of its 100 rows, and the most is 25 %"},
		"more than fifty of its rows":        {func(w *world) { w.revoke(51, 1000, 10_000); w.approve("brian") }, "threshold 4", "and the most is 50"},
		"all of the nine rows that it has":   {func(w *world) { w.revoke(9, 9, 10_000); w.approve("brian") }, "yes", ""},
		"more than a quarter of the fleet's": {func(w *world) { w.revoke(3, 100, 10); w.approve("brian") }, "threshold 4", "3 of the fleet's 10 rows"},
		"rows under a tombstone are no share": {func(w *world) {
			w.declare(func(t *catalog.Tenant) { t.Closed = &catalog.Tombstone{Reason: "merged", On: monday} }, "kisumu")
			w.revoke(40, 40, 10_000)
			w.approve("brian")
		}, "yes", ""},
		"rows under a tombstone of the site": {func(w *world) {
			w.declare(func(t *catalog.Tenant) { t.Facilities[0].Closed = &catalog.Tombstone{Reason: "moved", On: monday} }, "kisumu")
			w.revoke(40, 40, 10_000)
			w.approve("brian")
		}, "yes", ""},
		"rows under a tombstone count as rows": {func(w *world) {
			w.declare(func(t *catalog.Tenant) { t.Closed = &catalog.Tombstone{Reason: "merged", On: monday} }, "kisumu")
			w.revoke(51, 60, 10_000)
			w.approve("brian")
		}, "threshold 4", ""},
		"rows under a tombstone of tomorrow": {func(w *world) {
			w.declare(func(t *catalog.Tenant) { t.Closed = &catalog.Tombstone{Reason: "merged", On: monday.AddDate(0, 0, 1)} }, "kisumu")
			w.revoke(40, 40, 10_000)
			w.approve("brian")
		}, "threshold 4", ""},
		"a reason does not make a tombstone": {func(w *world) {
			w.declare(func(*catalog.Tenant) {}, "kisumu")
			w.revoke(40, 40, 10_000)
			for i := range w.in.Plan.Batches[kisumu].Changes {
				w.in.Plan.Batches[kisumu].Changes[i].Reason.Code = plan.TenantClosed
			}
			w.approve("brian")
		}, "threshold 4", ""},

		"the glass of a threshold broken": {func(w *world) {
			w.revoke(60, 100, 10_000)
			w.approve("brian")
			w.glass(1, "threshold")
			w.shatter("asha")
		}, "yes", ""},
		"the glass of another brake": {func(w *world) { w.revoke(60, 100, 10_000); w.approve("brian"); w.glass(1, "window"); w.shatter("asha") }, "threshold 4", "nobody may break the glass"},
		"the glass broken by one who is not named": {func(w *world) {
			w.revoke(60, 100, 10_000)
			w.approve("brian")
			w.glass(1, "threshold")
			w.shatter("brian")
		}, "threshold 4", "by 1 of asha, chao"},
		"the glass broken by one of two": {func(w *world) {
			w.revoke(60, 100, 10_000)
			w.approve("brian")
			w.glass(2, "threshold")
			w.shatter("asha", "asha")
		}, "threshold 4", ""},
		"the glass broken by two": {func(w *world) {
			w.revoke(60, 100, 10_000)
			w.approve("brian")
			w.glass(2, "threshold")
			w.shatter("asha", "chao")
		}, "yes", ""},
		"the glass of another plan": {func(w *world) {
			w.revoke(60, 100, 10_000)
			w.approve("brian")
			w.glass(1, "threshold")
			w.shatter("asha")
			w.in.PlanDigest = digest("x", 0)
		}, "threshold 4", ""},
		"the glass broken until a minute ago": {func(w *world) {
			w.revoke(60, 100, 10_000)
			w.approve("brian")
			w.glass(1, "threshold")
			w.shatter("asha")
			w.in.Now = monday.Add(61 * time.Minute)
		}, "threshold 4", ""},
		"the glass of another environment": {func(w *world) {
			w.revoke(60, 100, 10_000)
			w.approve("brian")
			w.glass(1, "threshold")
			w.shatter("asha")
			w.in.BreakGlass[0].Environment = catalog.Environment{}
		}, "threshold 4", ""},
		"the glass broken without a reason": {func(w *world) {
			w.revoke(60, 100, 10_000)
			w.approve("brian")
			w.glass(1, "threshold")
			w.shatter("asha")
			w.in.BreakGlass[0].Reason = " "
		}, "threshold 4", ""},
		"the glass of missing approvals":          {func(w *world) { w.glass(1, "approval"); w.shatter("asha") }, "yes", ""},
		"the glass does not overrule who says no": {func(w *world) { w.reject("brian"); w.glass(1, "approval"); w.shatter("asha") }, "approval 4", ""},
		"the glass does not pass what is not to be trusted": {func(w *world) {
			w.glass(1, "approval")
			w.shatter("asha")
			w.in.Unverified = []policy.Unverified{{Name: "x", Err: errors.New("y")}}
		}, "approval 7", ""},

		"drift under a mandate":                    {func(w *world) { w.drift(); w.mandate("asha") }, "mandate", ""},
		"drift without a mandate":                  {func(w *world) { w.drift() }, "approval 4", ""},
		"a mandate that the policy does not bound": {func(w *world) { w.drift(); w.mandate("asha"); w.policy.Mandate = nil }, "approval 4", "the policy in force has none"},
		"a mandate by one who may not":             {func(w *world) { w.drift(); w.mandate("dora") }, "approval 4", "it wants 1 signature by people"},
		"a mandate by a machine":                   {func(w *world) { w.drift(); w.mandate("ci") }, "approval 4", ""},
		"a mandate by one where two are asked for": {func(w *world) { w.drift(); w.rule(two); w.mandate("asha", "asha") }, "approval 4", "it wants 2 signatures by people"},
		"what is not drift, under a mandate":       {func(w *world) { w.mandate("asha") }, "approval 4", ""},
		"drift of another kind":                    {func(w *world) { w.drift(); w.mandate("asha"); w.in.Mandate.Kinds = []plan.Action{plan.Grant} }, "approval 4", "it is not of these kinds"},
		"drift of a kind that the policy forbids":  {func(w *world) { w.drift(); w.mandate("asha"); w.policy.Mandate.Kinds = []string{"grant"} }, "approval 4", ""},
		"drift of other tenants": {func(w *world) {
			w.drift()
			w.declare(func(*catalog.Tenant) {}, "kisumu")
			w.mandate("asha")
			w.in.Mandate.Tenants = only(w, "mercy").IDs
		}, "approval 4", ""},
		"drift of tenants that the policy leaves out": {func(w *world) { w.drift(); w.mandate("asha"); w.policy.Mandate.Tenants = only(w, "mercy") }, "approval 4", "it is not of this tenant"},
		"a mandate where reviews are asked for":       {func(w *world) { w.drift(); w.byForge(); w.mandate("asha") }, "approval 4", ""},
		"drift under a mandate, and somebody says no": {func(w *world) { w.drift(); w.mandate("asha"); w.reject("brian") }, "approval 4", "brian rejects it"},
		"drift of nobody":                     {func(w *world) { w.drift(); w.mandate("asha"); w.in.Mandate.Tenants = []catalog.TenantID{} }, "approval 4", ""},
		"a mandate that has ended":            {func(w *world) { w.drift(); w.mandate("asha"); w.in.Mandate.NotAfter = monday.Add(-time.Second) }, "approval 4", "it is over"},
		"a mandate that the policy has ended": {func(w *world) { w.drift(); w.mandate("asha"); w.policy.Mandate.Until = monday }, "approval 4", ""},
		"a mandate of another environment":    {func(w *world) { w.drift(); w.mandate("asha"); w.in.Mandate.Environment = catalog.Environment{} }, "approval 4", "it is of environment"},
		"a mandate used up for the hour":      {func(w *world) { w.drift(); w.mandate("asha"); w.in.Corrected.Hour = 10 }, "approval 4", "as many changes as it allows"},
		"a mandate used up for the day":       {func(w *world) { w.drift(); w.mandate("asha"); w.in.Corrected.Day = 50 }, "approval 4", ""},
		"a batch with one change that is not drift": {func(w *world) {
			w.drift()
			w.mandate("asha")
			w.in.Plan.Batches[kisumu].Changes = append(w.in.Plan.Batches[kisumu].Changes, row(plan.Revoke, "main", "ward"))
		}, "approval 4", ""},

		"something is not to be trusted":  {func(w *world) { w.approve("asha"); w.in.Trust = errors.New("history was rewritten") }, "trust 7", "history was rewritten"},
		"a plan of another environment":   {func(w *world) { w.approve("asha"); w.in.Plan.Environment = "prod" }, "environment 7", ""},
		"a plan of another platform":      {func(w *world) { w.approve("asha"); w.in.Instance = "ke-2" }, "instance 7", ""},
		"a platform that was put back":    {func(w *world) { w.approve("asha"); w.in.Restored = true }, "restored 8", ""},
		"trust comes before the platform": {func(w *world) { w.in.Trust = errors.New("x"); w.in.Restored = true; w.in.Instance = "y" }, "trust 7", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c.set(w)
			v := w.judge()
			got := v.Units[kisumu]
			if said(got) != c.want {
				t.Fatalf("judged %q, want %q: %v", said(got), c.want, got.Refusal)
			}
			var texts []string
			if got.Refusal != nil {
				texts = append(texts, got.Refusal.Error())
			}
			for _, note := range got.Notes {
				texts = append(texts, note.Text)
			}
			if text := strings.Join(texts, "\n"); !strings.Contains(text, c.text) {
				t.Errorf("said\n%s\nwant\n%s", text, c.text)
			}
		})
	}
}

func theatre(t testing.TB, critical bool) *catalog.Catalog {
	t.Helper()
	key, err := catalog.ParseModuleKey("theatre")
	if err != nil {
		t.Fatal(err)
	}
	ehr, err := catalog.ParseEHRModule("theatre")
	if err != nil {
		t.Fatal(err)
	}
	c, err := catalog.New(catalog.Data{Modules: []catalog.Module{{Key: key, EHR: ehr, Name: "Theatre", Critical: critical}}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (w *world) review(account string) {
	w.member("brian").Forge = []string{"github:2"}
	w.reviewBy("notary", account)
}

// reviewBy adds a review that a key speaks of.
func (w *world) reviewBy(key, account string) {
	w.member("brian").Forge = []string{"github:2"}
	w.decide(key, seal.Approve, func(a *policy.Approval) {
		a.Opened.Approval.Review = &seal.Review{Account: account, Change: 5, Head: strings.Repeat("a", 40), ID: "1", At: monday}
	})
}

func (w *world) byForge() {
	w.rule(func(r *catalog.Rule) { r.Evidence = []catalog.Evidence{catalog.ByForge} })
}

func (w *world) hold(facility, module string, until time.Time) {
	h := catalog.Hold{Key: "OPS-1", Tenant: tenantID(w.t, "kisumu"), Owner: "grace", Reason: "migration", Until: until}
	if facility != "" {
		h.Facility, _ = catalog.ParseFacilityID(facility)
	}
	if module != "" {
		key, _ := catalog.ParseModuleKey(module)
		h.Modules = []catalog.ModuleKey{key}
	}
	w.in.Holds = append(w.in.Holds, h)
}

func only(w *world, ids ...string) *catalog.Selector {
	w.declare(func(*catalog.Tenant) {}, "kisumu")
	s := &catalog.Selector{}
	for _, id := range ids {
		s.IDs = append(s.IDs, tenantID(w.t, id))
	}
	return s
}

func (w *world) window(allow bool, cron string, duration time.Duration, tenants *catalog.Selector) {
	w.policy.Windows = append(w.policy.Windows, catalog.Window{
		Name: "w", Allow: allow, Cron: cron, Timezone: "UTC", Duration: duration, Change: catalog.AnyChange, Tenants: tenants,
	})
}

// revoke makes kisumu's batch one of n rows, of so many that are live.
func (w *world) revoke(n, live, total int) {
	changes := make([]plan.Change, n)
	for i := range changes {
		changes[i] = row(plan.Revoke, "main", "theatre")
	}
	w.in.Plan.Batches[kisumu].Changes = changes
	w.in.Live = policy.Live{Rows: map[string]int{"kisumu": live}, Total: total}
	w.policy.Thresholds.Fleet.Rows = 1000
}

func (w *world) glass(approvals int, passes ...string) {
	w.policy.BreakGlass = &catalog.BreakGlass{People: []string{"asha", "chao"}, Approvals: approvals, Passes: passes}
}

func (w *world) shatter(keys ...string) {
	for _, key := range keys {
		w.in.BreakGlass = append(w.in.BreakGlass, policy.BreakGlass{
			Signer: fingerprint(w.t, key), Plan: w.in.PlanDigest,
			BreakGlassTerms: policy.BreakGlassTerms{Environment: w.in.Environment, Reason: "a stolen key", NotAfter: monday.Add(time.Hour)},
		})
	}
}

func (w *world) drift() { w.in.Plan.Batches[kisumu].Changes[0].Class = plan.Drift }

func (w *world) mandate(keys ...string) {
	w.policy.Mandate = &catalog.Mandate{Kinds: []string{"grant", "revoke"}, PerHour: 10, PerDay: 50}
	m := &policy.Mandate{MandateTerms: policy.MandateTerms{
		Environment: w.in.Environment, Kinds: []plan.Action{plan.Revoke}, PerHour: 100, PerDay: 100, NotAfter: monday.Add(time.Hour),
	}}
	for _, key := range keys {
		m.Signers = append(m.Signers, fingerprint(w.t, key))
	}
	w.in.Mandate = m
}

// Where no rule speaks a review suffices for what is granted, and for nothing else: of
// the world's plan for the rows of mercy.
func TestAReviewSufficesForGrants(t *testing.T) {
	w := newWorld(t)
	w.member("asha").Forge = []string{"github:1"}
	w.reviewBy("notary", "github:1")
	if got, want := verdict(w.judge()), "approval 4, approval 4, yes, approval 4"; got != want {
		t.Errorf("judged %s, want %s", got, want)
	}
	w.approve("asha") // by key it is the same person, who may do everything
	v := w.judge()
	if got, want := verdict(v), "yes, yes, yes, yes"; got != want {
		t.Errorf("judged %s, want %s", got, want)
	}
	if n := len(v.Units[mercy].Approvals); n != 1 {
		t.Errorf("one person counts as %d", n)
	}
}
