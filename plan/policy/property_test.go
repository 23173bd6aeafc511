package policy_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan/policy"
	"github.com/veonahealth/charter/plan/seal"
)

// drawWorld is a world with rules, and with decisions of anybody.
func drawWorld(t *testing.T, r *rapid.T) *world {
	w := newWorld(t)
	for range rapid.IntRange(0, 3).Draw(r, "rules") {
		w.rule(func(rule *catalog.Rule) {
			rule.Approvals = rapid.IntRange(1, 3).Draw(r, "approvals")
			rule.Change = rapid.SampledFrom([]catalog.ChangeKind{catalog.AnyChange, catalog.AnyRemoval, catalog.CriticalRemovals}).Draw(r, "change")
		})
	}
	for _, key := range rapid.SliceOfN(rapid.SampledFrom([]string{"asha", "brian", "chao", "dora", "ci", "mallory"}), 0, 6).Draw(r, "keys") {
		w.decide(key, rapid.SampledFrom([]seal.Decision{seal.Approve, seal.Approve, seal.Reject}).Draw(r, "decision"))
	}
	return w
}

func allowed(v policy.Verdict) map[int]bool {
	units := map[int]bool{}
	for i := range v.Units {
		if v.Units[i].Allowed() {
			units[i] = true
		}
	}
	return units
}

// within reports whether all that a allows, b allows too.
func within(a, b map[int]bool) bool {
	for i := range a {
		if !b[i] {
			return false
		}
	}
	return true
}

func TestAnotherApprovalTakesNothingAway(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := drawWorld(t, r)
		before := allowed(w.judge())
		w.approve(rapid.SampledFrom([]string{"asha", "brian", "chao", "dora", "ci", "mallory"}).Draw(r, "one more"))
		if after := allowed(w.judge()); !within(before, after) {
			r.Errorf("allowed %v, and with one approval more %v", before, after)
		}
	})
}

func TestARejectGivesNothing(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := drawWorld(t, r)
		before := allowed(w.judge())
		w.reject(rapid.SampledFrom([]string{"asha", "brian", "chao", "dora", "ci", "mallory"}).Draw(r, "who"))
		if after := allowed(w.judge()); !within(after, before) {
			r.Errorf("allowed %v, and with one reject more %v", before, after)
		}
	})
}

func TestASecondKeyOfAPersonAddsNothing(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := drawWorld(t, r)
		who := rapid.SampledFrom([]string{"asha", "brian", "chao"}).Draw(r, "who")
		w.member(who).Keys = append(w.member(who).Keys, catalog.PolicyKey{Text: keyOf(t, "second")})
		w.approve(who)
		before := allowed(w.judge())
		w.approve("second")
		if after := allowed(w.judge()); !within(after, before) {
			r.Errorf("allowed %v by one key, %v by two", before, after)
		}
	})
}

func TestARuleMoreAllowsNothingMore(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := drawWorld(t, r)
		before := allowed(w.judge())
		w.rule(func(rule *catalog.Rule) { rule.Approvals = rapid.IntRange(1, 3).Draw(r, "approvals of one more") })
		if after := allowed(w.judge()); !within(after, before) {
			r.Errorf("allowed %v, and with one rule more %v", before, after)
		}
	})
}

func TestALowerThresholdAllowsNothingMore(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(t)
		w.approve("asha")
		w.revoke(rapid.IntRange(0, 60).Draw(r, "revoked"), rapid.IntRange(0, 100).Draw(r, "live"), 10_000)
		threshold := func(name string, most catalog.Threshold) catalog.Threshold {
			return catalog.Threshold{Share: rapid.Int64Range(0, most.Share).Draw(r, name+" share"), Rows: rapid.Int64Range(0, most.Rows).Draw(r, name+" rows")}
		}
		w.policy.Thresholds.Tenant = threshold("higher", catalog.Threshold{Share: 100, Rows: 100})
		before := allowed(w.judge())
		w.policy.Thresholds.Tenant = threshold("lower", w.policy.Thresholds.Tenant)
		if after := allowed(w.judge()); !within(after, before) {
			r.Errorf("allowed %v, and by the lower threshold %v", before, after)
		}
	})
}

// Nobody's decision counts who is not a person of the policy, in whatever order
// they come.
func TestOnlyPeopleWhoMayAreCounted(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := drawWorld(t, r)
		v := w.judge()
		for _, i := range v.Units[kisumu].Approvals {
			if name := w.in.Approvals[i].Name; name != "asha.sigstore.json" && name != "brian.sigstore.json" && name != "chao.sigstore.json" {
				r.Errorf("counted %s", name)
			}
		}
		people := map[string]bool{}
		for _, i := range v.Units[kisumu].Approvals {
			people[w.in.Approvals[i].Name] = true
		}
		if v.Units[kisumu].Allowed() && len(people) < v.Units[kisumu].Need.Approvals {
			r.Errorf("allowed by %d people, and %d are needed", len(people), v.Units[kisumu].Need.Approvals)
		}
	})
}
