package policy_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/policy"
	"github.com/veonahealth/charter/plan/seal"
)

// What is approved may go ahead of what is not.
func TestAPlanIsJudgedInParts(t *testing.T) {
	for name, c := range map[string]struct {
		set  func(*world)
		want string // edition, kisumu, mercy, the scheduled entry
	}{
		"support approves all that it may": {func(w *world) { w.approve("brian") }, "capability 4, yes, yes, yes"},
		"asha approves all":                {func(w *world) { w.approve("asha") }, "yes, yes, yes, yes"},
		"an approval that names a tenant covers no edition": {func(w *world) {
			w.decide("asha", seal.Approve, func(a *policy.Approval) { a.Opened.Approval.Tenants = []catalog.TenantID{tenantID(w.t, "mercy")} })
		}, "approval 4, approval 4, yes, approval 4"},
		"a reject that names a tenant blocks that one": {func(w *world) {
			w.approve("asha")
			w.decide("brian", seal.Reject, func(a *policy.Approval) { a.Opened.Approval.Tenants = []catalog.TenantID{tenantID(w.t, "mercy")} })
		}, "yes, yes, approval 4, yes"},
		"a rule about removals leaves grants alone": {func(w *world) {
			w.rule(func(r *catalog.Rule) { r.Approvals, r.Change = 2, catalog.AnyRemoval })
			w.approve("asha")
		}, "yes, approval 4, yes, approval 4"},
		"a window and a hold are not about what is scheduled": {func(w *world) {
			w.approve("asha")
			w.hold("", "", monday.Add(time.Hour))
			w.window(false, "0 12 * * *", time.Hour, nil)
		}, "window 4, hold 4, window 4, yes"},
		"a threshold of one tenant leaves the others alone": {func(w *world) { w.revoke(60, 100, 10_000); w.approve("asha") }, "yes, threshold 4, yes, yes"},
		"the fleet's threshold stops the plan": {func(w *world) {
			w.revoke(60, 1000, 10_000)
			w.policy.Thresholds.Fleet.Rows = 59
			w.approve("asha")
		}, "threshold 4, threshold 4, threshold 4, yes"},
		"a mandate has room for one": {func(w *world) {
			w.drift()
			w.in.Plan.Batches[mercy].Changes[0] = w.in.Plan.Batches[kisumu].Changes[0]
			w.mandate("asha")
			w.in.Mandate.PerHour = 1
		}, "approval 4, mandate, approval 4, approval 4"},
		"trust stops everything": {func(w *world) { w.approve("asha"); w.in.Trust = errors.New("x") }, "trust 7, trust 7, trust 7, trust 7"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c.set(w)
			v := w.judge()
			if got := verdict(v); got != c.want {
				t.Errorf("judged %q, want %q", got, c.want)
			}
			if v.Allowed() != !strings.ContainsAny(verdict(v), "0123456789") {
				t.Errorf("Allowed() = %v of %q", v.Allowed(), verdict(v))
			}
		})
	}
}

// What is due was approved when it was scheduled, however long ago.
func TestWhatWasScheduledIsApprovedWhenItIsDue(t *testing.T) {
	due := monday.AddDate(0, 3, 0)
	for name, c := range map[string]struct {
		now  time.Time
		at   time.Time
		of   plan.Digest // the entry that was approved
		want string
	}{
		"when it is due":                   {due, due, digest("entry", 0), "yes"},
		"fourteen days later":              {due.AddDate(0, 0, 14), due, digest("entry", 0), "yes"},
		"a second after":                   {due.AddDate(0, 0, 14).Add(time.Second), due, digest("entry", 0), "approval 4"},
		"a second before":                  {due.Add(-time.Second), due, digest("entry", 0), "approval 4"},
		"of an entry that nobody approved": {due, due, digest("entry", 1), "approval 4"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.approve("brian") // in March, for fourteen days
			w.in.Leaves = [][]plan.Digest{w.in.Plan.Leaves()}
			w.in.Plan.Batches[kisumu].Digest = digest("due", 0)
			w.in.Due = []policy.Due{{Batch: digest("due", 0), Entry: c.of, At: c.at}}
			w.in.Now = c.now
			if got := said(w.judge().Units[kisumu]); got != c.want {
				t.Errorf("judged %q, want %q", got, c.want)
			}
		})
	}
}

// The policy that was applied last judges the one that follows it.
func TestAPolicyIsJudgedByTheOneBefore(t *testing.T) {
	brings := func(next catalog.Policy) *world {
		w := newWorld(t)
		w.in.Plan.Batches[edition] = plan.Batch{Subject: plan.Policy, Digest: digest("policy", 0), Changes: []plan.Change{{Action: plan.Alter, Kind: "policy"}}}
		w.in.Desired.PolicyData = next
		return w
	}
	escalated := newWorld(t).policy
	escalated.People = append([]catalog.Person{}, escalated.People...)
	escalated.People[1].Roles = []string{"super_admin"} // brian makes himself one

	w := brings(escalated)
	w.approve("brian")
	if got := said(w.judge().Units[edition]); got != "capability 4" {
		t.Errorf("by brian: %q", got)
	}
	w = brings(escalated)
	w.approve("asha")
	if got := said(w.judge().Units[edition]); got != "yes" {
		t.Errorf("by asha: %q", got)
	}

	alone := escalated
	alone.People = alone.People[2:] // neither asha nor brian
	w = brings(alone)
	w.approve("asha")
	if v := w.judge().Units[edition]; said(v) != "approval 4" || !strings.Contains(v.Refusal.Text, "nobody could approve another") {
		t.Errorf("a policy without an approver: %q, %v", said(v), v.Refusal)
	}
	alone.Recovery = &catalog.Recovery{Threshold: 1}
	w = brings(alone)
	w.approve("asha")
	if got := said(w.judge().Units[edition]); got != "yes" {
		t.Errorf("a policy without an approver, but with keys for recovery: %q", got)
	}
}

// A mapper that nobody has approved turns no module's rows into another's: with the
// catalogue they wait, and with it they go.
func TestRowsWaitForTheCatalogueThatNamesThem(t *testing.T) {
	for name, c := range map[string]struct {
		set  func(*world)
		want string
	}{
		"as ever":       {func(w *world) { w.approve("brian") }, "yes"},
		"another's key": {func(w *world) { w.in.LastCatalog = borne(t, "theatre", "surgery"); w.approve("brian") }, "approval 4"},
		"another's name": {func(w *world) {
			w.in.LastCatalog, w.in.Desired.Catalog = borne(t, "surgery", "theatre"), theatre(t, false)
			w.approve("brian")
		}, "approval 4"},
		"neither is known": {func(w *world) { w.in.LastCatalog = borne(t, "chart", "chart"); w.approve("brian") }, "yes"},
		"with its catalogue": {func(w *world) {
			w.in.LastCatalog = borne(t, "theatre", "surgery")
			w.in.Plan.Batches[edition] = plan.Batch{Subject: plan.Catalog, Digest: digest("catalog", 0), Changes: []plan.Change{{Action: plan.Alter, Kind: "catalog"}}}
			w.approve("asha")
		}, "yes"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c.set(w)
			if v := w.judge().Units[kisumu]; said(v) != c.want {
				t.Errorf("judged %q, want %q: %v", said(v), c.want, v.Refusal)
			}
		})
	}
}

// borne is a catalogue in which one module bears a key on the platform.
func borne(t *testing.T, module, key string) *catalog.Catalog {
	t.Helper()
	of, err := catalog.ParseModuleKey(module)
	if err != nil {
		t.Fatal(err)
	}
	ehr, err := catalog.ParseEHRModule(key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := catalog.New(catalog.Data{Modules: []catalog.Module{{Key: of, EHR: ehr}}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Keys that are kept offline make up for lost ones: for a policy, by as many as
// the policy says, and for nothing else.
func TestRecoveryKeysApproveAPolicyAlone(t *testing.T) {
	for name, c := range map[string]struct {
		set  func(*world)
		want string // of the policy, and of kisumu
	}{
		"one of two":               {func(w *world) { w.approve("vault") }, "approval 4, approval 4"},
		"one of two, twice":        {func(w *world) { w.approve("vault", "vault") }, "approval 4, approval 4"},
		"two":                      {func(w *world) { w.approve("vault", "safe") }, "yes, approval 4"},
		"two, though asha says no": {func(w *world) { w.approve("vault", "safe"); w.reject("asha") }, "yes, approval 4"},
		"two who say no":           {func(w *world) { w.approve("asha"); w.reject("vault"); w.reject("safe") }, "yes, yes"},
		"two that have expired": {func(w *world) {
			w.approve("vault", "safe")
			w.in.Now = monday.AddDate(0, 0, 15)
		}, "approval 4, approval 4"},
		"one, and one who may not": {func(w *world) { w.approve("vault", "brian") }, "capability 4, yes"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.policy.Recovery = &catalog.Recovery{Threshold: 2, Keys: []catalog.PolicyKey{{Text: keyOf(t, "vault")}, {Text: keyOf(t, "safe")}, {Text: keyOf(t, "bank")}}}
			w.in.Plan.Batches[edition] = plan.Batch{Subject: plan.Policy, Digest: digest("policy", 0), Changes: []plan.Change{{Action: plan.Alter, Kind: "policy"}}}
			w.in.Desired.PolicyData = w.policy
			c.set(w)
			v := w.judge()
			if got := said(v.Units[edition]) + ", " + said(v.Units[kisumu]); got != c.want {
				t.Errorf("judged %q, want %q: %v", got, c.want, v.Units[edition].Notes)
			}
		})
	}
}

func TestAPlanRequiresWhatItsRulesAskFor(t *testing.T) {
	w := newWorld(t)
	w.rule(func(r *catalog.Rule) { r.Approvals, r.Change = 2, catalog.AnyRemoval })
	want := []plan.Requirement{
		{Capability: "entitlements.write", Approvals: 1, Tenants: []string{"mercy"}},
		{Capability: "entitlements.write", Approvals: 2, Tenants: []string{"kisumu"}},
		{Capability: "registry.write", Approvals: 1, Tenants: []string{}},
	}
	if diff := cmp.Diff(want, policy.Requires(w.in.Plan, &w.policy, w.in.Desired, nil, nil)); diff != "" {
		t.Errorf("requires (-want +got):\n%s", diff)
	}
	if got := policy.Requires(&plan.Plan{}, &w.policy, nil, nil, nil); got == nil || len(got) > 0 {
		t.Errorf("an empty plan requires %v", got)
	}
}

// A plan names what stops it whoever approves, and only that.
func TestAPlanNamesWhatBlocksIt(t *testing.T) {
	w := newWorld(t)
	w.revoke(60, 100, 10_000)
	v := w.judge()
	want := []plan.Refusal{{Code: "threshold", Tenant: "kisumu", Text: "the plan takes away 60 of its rows, and the most is 50"}}
	if diff := cmp.Diff(want, v.Blocked()); diff != "" {
		t.Errorf("blocked (-want +got):\n%s", diff)
	}
	w.in.Restored = true
	v = w.judge()
	if got := v.Blocked(); len(got) != 1 || got[0].Code != "restored" {
		t.Errorf("restored: blocked %v", got)
	}
}

// What is spent with a batch are all approvals that count, not only as many as
// are needed.
func TestAllApprovalsThatCountAreGiven(t *testing.T) {
	w := newWorld(t)
	w.approve("dora", "brian", "mallory", "asha")
	if got := w.judge().Units[kisumu].Approvals; !cmp.Equal(got, []int{1, 3}) {
		t.Errorf("approvals %v, want those of brian and asha", got)
	}
}

func TestTheFirstRefusalOfTrustIsReported(t *testing.T) {
	blocked, trust := &policy.Refusal{Exit: 4}, &policy.Refusal{Exit: 7}
	v := policy.Verdict{Units: []policy.Unit{{}, {Refusal: blocked}, {Refusal: trust}, {Refusal: blocked}}}
	if v.First() != trust {
		t.Errorf("first %v", v.First())
	}
	v.Refusal = blocked
	if v.First() != blocked {
		t.Errorf("first %v, want the plan's own", v.First())
	}
}

func TestWhatThePolicySaysOfAPerson(t *testing.T) {
	w := newWorld(t)
	w.member("chao").Leaves = monday
	for _, id := range []string{"eve", "ewa", "ezra", "emi"} {
		w.policy.People = append(w.policy.People, w.person(id, "support"))
	}
	w.member("ewa").Keys = append(w.member("ewa").Keys, read(t, "ewa's other"))
	w.member("ezra").Keys = append(w.member("ezra").Keys, read(t, "ezra's other"))
	w.member("emi").Forge = []string{"github:7"}
	receipt := strings.Repeat("1", 64)
	for name, since := range map[string]string{"eve": receipt, "ewa": "2027-02-01", "ewa's other": receipt, "ezra": receipt, "emi": receipt, "brian": "2027-03-02"} {
		w.lose(name, since)
	}
	w.rule(func(r *catalog.Rule) { r.Name, r.Approvals, r.Change = "two", 2, catalog.AnyRemoval })
	w.rule(func(r *catalog.Rule) {
		r.Name, r.Approvals, r.Tenants = "mercy", 3, &catalog.Selector{IDs: []catalog.TenantID{tenantID(t, "mercy")}}
	})
	kisumu := &catalog.Tenant{ID: tenantID(t, "kisumu")}
	for id, want := range map[string]policy.Answer{
		"asha":  {Can: true, Text: "asha may: role super_admin holds entitlements.write; rule two asks for 2 approvals (removal)"},
		"brian": {Can: true, Text: "brian may: role support holds entitlements.write; rule two asks for 2 approvals (removal)"},
		"chao":  {Text: "chao may not: the person left on 2027-03-01T12:00:00Z"},
		"dora":  {Text: "dora may not: dora has no role that holds entitlements.write (super_admin or support)"},
		"ci":    {Text: "ci may not: it is an applier, which approves nothing"},
		"asa":   {Text: `asa is nobody in the policy: did you mean "asha"?`},
		"zzzz":  {Text: "zzzz is nobody in the policy"},
		"eve":   {Text: "eve may not: their only key was revoked since " + receipt},
		"ewa":   {Text: "ewa may not: each of their keys was revoked, since 2027-02-01 and " + receipt},
		"ezra":  {Can: true, Text: "ezra may: role support holds entitlements.write; rule two asks for 2 approvals (removal)"},
		"emi":   {Can: true, Text: "emi may: role support holds entitlements.write; only by a review at the forge, where one counts: their only key was revoked since " + receipt + "; rule two asks for 2 approvals (removal)"},
	} {
		if got := policy.Can(&w.policy, id, "entitlements.write", kisumu, monday); got != want {
			t.Errorf("can %s: %+v, want %+v", id, got, want)
		}
	}
	if got := policy.Can(&w.policy, "asha", "entitlements.write", nil, monday); !strings.Contains(got.Text, "rule mercy") {
		t.Errorf("of every tenant: %s", got.Text)
	}
}

func TestARosterSaysWhoseAKeyIs(t *testing.T) {
	w := newWorld(t)
	roster, err := policy.NewRoster(&w.policy)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := roster.Person(fingerprint(t, "brian"), monday); err != nil || got.ID != "brian" {
		t.Errorf("brian's key: %v, %v", got, err)
	}
	if got, err := roster.Applier(fingerprint(t, "ci"), catalog.MayApply, monday); err != nil || got.ID != "ci" {
		t.Errorf("ci's key: %v, %v", got, err)
	}
	for name, err := range map[string]error{
		"ci as a person":      second(roster.Person(fingerprint(t, "ci"), monday)),
		"brian as a machine":  second(roster.Applier(fingerprint(t, "brian"), catalog.MayApply, monday)),
		"ci as one for drift": second(roster.Applier(fingerprint(t, "ci"), catalog.MayCorrect, monday)),
		"a stranger":          second(roster.Person(fingerprint(t, "mallory"), monday)),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestARosterRefusesAKeyOfTwo(t *testing.T) {
	w := newWorld(t)
	w.member("chao").Keys = w.member("brian").Keys
	if _, err := policy.NewRoster(&w.policy); err == nil || !strings.Contains(err.Error(), "it is of person brian and of person chao") {
		t.Errorf("one key of two people: %v", err)
	}
	w = newWorld(t)
	w.policy.Appliers[0].Keys = w.member("brian").Keys
	if _, err := policy.NewRoster(&w.policy); err == nil {
		t.Error("one key of a person and a machine: no error")
	}
	w = newWorld(t)
	w.policy.Recovery = &catalog.Recovery{Threshold: 1, Keys: w.member("brian").Keys}
	if _, err := policy.NewRoster(&w.policy); err == nil || !strings.Contains(err.Error(), "recovery key 0: it is of person brian") {
		t.Errorf("one key of a person and for recovery: %v", err)
	}
	vault := catalog.PolicyKey{Text: keyOf(t, "vault")}
	w.policy.Recovery.Keys = []catalog.PolicyKey{vault, vault}
	if _, err := policy.NewRoster(&w.policy); err == nil || !strings.Contains(err.Error(), "recovery key 1: it is given twice") {
		t.Errorf("one key for recovery twice: %v", err)
	}
	w = newWorld(t)
	w.member("chao").Keys[0].Text = "-----BEGIN PUBLIC KEY-----"
	if _, err := policy.NewRoster(&w.policy); err == nil || !strings.Contains(err.Error(), "key of person chao") {
		t.Errorf("a key that cannot be read: %v", err)
	}
}
