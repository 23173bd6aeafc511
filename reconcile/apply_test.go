package reconcile_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/ehrtest"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile"
	"github.com/veonahealth/charter/reconcile/ehr"
)

// scene is an EHR behind a proxy, and a plan that grants one module to each of
// some tenants.
type scene struct {
	*ehrtest.EHR
	proxy  *ehrtest.Proxy
	client *ehr.Client
	fleet  *fleet
	ids    []string
	before map[string]ehrtest.Grant
	plan   *plan.Plan
}

// few is how many tenants are read one by one, and lots how many in one stream.
const few, lots = 4, 30

func newScene(t *testing.T, n int, change ...func(*ehr.Options)) *scene {
	t.Helper()
	return sceneOn(t, ehrtest.Start(t), n, change...)
}

func sceneOn(t *testing.T, e *ehrtest.EHR, n int, change ...func(*ehr.Options)) *scene {
	t.Helper()
	s := &scene{EHR: e, proxy: ehrtest.NewProxy(t, e.URL), before: map[string]ehrtest.Grant{}}
	s.client = newClient(t, s.proxy.URL, change...)
	s.fleet, s.ids = many(t, s.EHR, n)
	s.plan = s.fleet.plan(t, s.client)
	if len(s.plan.Batches) != n {
		t.Fatalf("%d batches of %d tenants", len(s.plan.Batches), n)
	}
	for _, id := range s.ids {
		s.before[id] = s.Grant(t, id)
	}
	s.proxy.Reset()
	return s
}

// each runs a test with few tenants and with lots.
func each(t *testing.T, test func(*testing.T, *scene)) {
	t.Helper()
	for name, n := range map[string]int{"one by one": few, "in bulk": lots} {
		t.Run(name, func(t *testing.T) { test(t, newScene(t, n)) })
	}
}

// on makes a fault meet requests of a tenant's grant.
func (s *scene) on(method, id string, times int, fault ehrtest.Fault) {
	s.proxy.Add(ehrtest.Rule{Method: method, Path: "/tenants/" + id + "/entitlements", Times: times, Fault: fault})
}

// untouched holds that a tenant is wholly as it was.
func (s *scene) untouched(t *testing.T, id string) {
	t.Helper()
	same(t, id, s.before[id], s.Grant(t, id))
}

// written holds that a tenant is wholly as planned, by one write of its batch.
func (s *scene) written(t *testing.T, id string) {
	t.Helper()
	live := s.Grant(t, id)
	same(t, id+": rows", with(s.before[id].Rows, "main maternity"), live.Rows)
	same(t, id+": revision", s.before[id].Revision+1, live.Revision)
	same(t, id+": batch", s.batch(t, id).Digest.String(), live.Batch)
	writes := s.Writes(t, id)
	if len(writes) != 1 || writes[0].Authority == nil || writes[0].Authority.Batch != live.Batch {
		t.Errorf("%s: writes %+v, want one of its batch", id, writes)
	}
}

func (s *scene) batch(t *testing.T, id string) *plan.Batch {
	t.Helper()
	i := slices.IndexFunc(s.plan.Batches, func(b plan.Batch) bool { return b.Tenant == id })
	if i < 0 {
		t.Fatalf("no batch of %s", id)
	}
	return &s.plan.Batches[i]
}

// all gives every tenant one state, but for some.
func (s *scene) all(state reconcile.State, but ...string) []string {
	lines := []string{}
	for _, id := range s.ids {
		i := slices.IndexFunc(but, func(other string) bool { return strings.HasPrefix(other, id+" ") })
		if i >= 0 {
			lines = append(lines, but[i])
		} else {
			lines = append(lines, id+" "+string(state))
		}
	}
	return lines
}

func TestAPlanIsCarriedOutOnceAndThenDoneAlready(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		same(t, "gate before", http.StatusForbidden, s.Gate(t, "t01", "main", "/maternity"))
		outcomes := apply(t, s.client, s.plan)
		same(t, "outcomes", s.all(reconcile.Done), states(outcomes))
		for i, o := range outcomes {
			b := &s.plan.Batches[i]
			same(t, "outcome", reconcile.Outcome{
				Batch: b.Digest, Path: "/tenants/" + b.Tenant + "/entitlements", Revision: *b.Base.Revision + 1,
				State: reconcile.Done, Subject: "entitlements", Tenant: b.Tenant,
			}, o)
			s.written(t, b.Tenant)
		}
		same(t, "gate after", http.StatusOK, s.Gate(t, "t01", "main", "/maternity"))
		same(t, "tries of a write", len(s.ids), len(s.proxy.Seen("PUT", "")))

		s.proxy.Reset()
		again := apply(t, s.client, s.plan)
		same(t, "outcomes again", s.all(reconcile.Already), states(again))
		for _, o := range again {
			if o.Text != "" || o.Revision != s.before[o.Tenant].Revision+1 {
				t.Errorf("%+v", o)
			}
		}
		same(t, "writes again", 0, len(s.proxy.Seen("PUT", "")))
	})
}

func TestATenantThatMovedDropsOutAlone(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.Put(t, "t01", "main chart", "main register")
		outcomes := apply(t, s.client, s.plan)
		same(t, "outcomes", s.all(reconcile.Done, "t01 moved"), states(outcomes))
		same(t, "text", "planned on revision 1, and the grant is at revision 2", outcomes[1].Text)
		same(t, "revision", int64(2), outcomes[1].Revision)
		same(t, "rows", []string{"main chart", "main register"}, s.Grant(t, "t01").Rows)
		same(t, "tries", 0, len(s.proxy.Seen("PUT", "/tenants/t01/*")))
		s.written(t, "t02")
	})
}

func TestWhenAllHaveMovedNothingIsWritten(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		for _, id := range s.ids {
			s.Put(t, id, s.before[id].Rows...) // the same rows, and another revision
		}
		same(t, "outcomes", s.all(reconcile.Moved), states(apply(t, s.client, s.plan)))
		same(t, "tries", 0, len(s.proxy.Seen("PUT", "")))
	})
}

func TestRowsThatSomebodyElseHasWrittenAsPlannedAreAlready(t *testing.T) {
	s := newScene(t, few)
	s.Put(t, "t01", with(s.before["t01"].Rows, "main maternity")...)
	same(t, "outcomes", s.all(reconcile.Done, "t01 already"), states(apply(t, s.client, s.plan)))
}

// TestAWriteBetweenTheReadAndOurWriteIsNeverLost writes by other hands at the
// last moment.
func TestAWriteBetweenTheReadAndOurWriteIsNeverLost(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.on("PUT", "t01", 1, ehrtest.Before(func() { s.Put(t, "t01", "main rx") }))
		outcomes := apply(t, s.client, s.plan)
		same(t, "outcomes", s.all(reconcile.Done, "t01 moved"), states(outcomes))
		same(t, "revision", int64(2), outcomes[1].Revision)
		same(t, "rows", []string{"main rx"}, s.Grant(t, "t01").Rows)
	})
}

func TestATenantThatIsGoneHasMoved(t *testing.T) {
	for name, method := range map[string]string{"before the read": "", "before the write": "PUT"} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, few)
			s.on(method, "t01", 0, ehrtest.Problem(404, "not-found"))
			outcomes := apply(t, s.client, s.plan)
			same(t, "outcomes", s.all(reconcile.Done, "t01 moved"), states(outcomes))
			same(t, "text", "the platform no longer has the tenant", outcomes[1].Text)
		})
	}
}

// TestATenantThatDoesNotComeInTheStreamIsReadByItself takes it out of the stream.
func TestATenantThatDoesNotComeInTheStreamIsReadByItself(t *testing.T) {
	s := newScene(t, lots)
	s.proxy.Add(ehrtest.Rule{Path: "/entitlements", Fault: ehrtest.Rewrite(without("t01", lots))})
	same(t, "outcomes", s.all(reconcile.Done), states(apply(t, s.client, s.plan)))
	same(t, "reads", 1, len(s.proxy.Seen("GET", "/tenants/t01/entitlements")))
}

func TestWhatThePlatformRefusesIsToldInItsWords(t *testing.T) {
	t.Run("suspended", func(t *testing.T) {
		each(t, func(t *testing.T, s *scene) {
			s.SetStatus(t, "t01", "suspended")
			outcomes := apply(t, s.client, s.plan)
			same(t, "outcomes", s.all(reconcile.Done, "t01 refused"), states(outcomes))
			if text := outcomes[1].Text; !strings.Contains(text, "423 tenant-suspended") {
				t.Errorf("text %q", text)
			}
			s.untouched(t, "t01")
			same(t, "tries", 1, len(s.proxy.Seen("PUT", "/tenants/t01/*")))
		})
	})
	t.Run("a token that may only read", func(t *testing.T) {
		s := newScene(t, few, func(o *ehr.Options) { o.Token = ehrtest.ReaderToken })
		outcomes := apply(t, s.client, s.plan)
		same(t, "outcomes", s.all(reconcile.Refused), states(outcomes))
		if text := outcomes[0].Text; !strings.Contains(text, "403 capability-missing") || strings.Contains(text, ehrtest.ReaderToken) {
			t.Errorf("text %q", text)
		}
	})
	t.Run("a module that the platform lacks", func(t *testing.T) {
		s := newScene(t, few)
		c := must(extendedCatalog())(t)
		s.fleet.catalog = c
		s.fleet.tenants[1].Grants = []catalog.Adjustment{adjustment(t, "robotics")}
		s.plan = s.fleet.plan(t, s.client)
		outcomes := apply(t, s.client, s.plan)
		same(t, "outcomes", s.all(reconcile.Done, "t01 refused"), states(outcomes))
		if text := outcomes[1].Text; !strings.Contains(text, "422 unknown-module") {
			t.Errorf("text %q", text)
		}
		s.untouched(t, "t01")
	})
}

// extendedCatalog is the default one with a module more.
func extendedCatalog() (*catalog.Catalog, error) {
	c, err := standard()
	if err != nil {
		return nil, err
	}
	data := catalog.Data{Digest: digest}
	for _, m := range c.Modules() {
		data.Modules = append(data.Modules, *m)
	}
	for _, e := range c.Editions() {
		data.Editions = append(data.Editions, *e)
	}
	robotics := data.Modules[0]
	if robotics.Key, err = catalog.ParseModuleKey("robotics"); err != nil {
		return nil, err
	}
	if robotics.EHR, err = catalog.ParseEHRModule("robotics"); err != nil {
		return nil, err
	}
	data.Modules = append(data.Modules, robotics)
	return catalog.New(data)
}

func TestATenantThatCannotBeReadIsNotTried(t *testing.T) {
	s := newScene(t, few)
	s.on("GET", "t01", 0, ehrtest.Answer(500, "text/plain", ""))
	outcomes := apply(t, s.client, s.plan)
	same(t, "outcomes", s.all(reconcile.Done, "t01 not-tried"), states(outcomes))
	if o := outcomes[1]; !o.Unreadable || !strings.Contains(o.Text, "500") {
		t.Errorf("%+v", o)
	}
	same(t, "tries", 0, len(s.proxy.Seen("PUT", "/tenants/t01/*")))
	s.untouched(t, "t01")
}

// TestAStreamThatBreaksOffLeavesTheRestForTheNextTime applies again afterwards.
func TestAStreamThatBreaksOffLeavesTheRestForTheNextTime(t *testing.T) {
	s := newScene(t, lots)
	s.proxy.Add(ehrtest.Rule{Path: "/entitlements", Times: 1, Fault: ehrtest.Cut(4000)})
	count := map[reconcile.State]int{}
	for _, o := range apply(t, s.client, s.plan) {
		count[o.State]++
		switch o.State {
		case reconcile.Done:
			s.written(t, o.Tenant)
			if o.Text != "" || o.Unreadable {
				t.Errorf("%+v", o)
			}
		case reconcile.NotTried:
			s.untouched(t, o.Tenant)
			if !o.Unreadable || !strings.Contains(o.Text, "broke off") {
				t.Errorf("%+v", o)
			}
		}
	}
	if count[reconcile.Done] == 0 || count[reconcile.NotTried] == 0 || len(count) != 2 {
		t.Errorf("states %v, want done and not-tried", count)
	}
	for _, o := range apply(t, s.client, s.plan) {
		if o.State != reconcile.Done && o.State != reconcile.Already {
			t.Errorf("%+v", o)
		}
		s.written(t, o.Tenant)
	}
}

func TestALostAnswerDoesNotWriteTwice(t *testing.T) {
	for name, times := range map[string]int{"one answer": 1, "every answer": 0} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, s *scene) {
				s.on("PUT", "t01", times, ehrtest.DropAnswer)
				outcomes := apply(t, s.client, s.plan)
				same(t, "outcomes", s.all(reconcile.Done), states(outcomes))
				same(t, "revision", int64(2), outcomes[1].Revision)
				s.written(t, "t01")
				tries := s.proxy.Seen("PUT", "/tenants/t01/*")
				if len(tries) < 2 {
					t.Fatalf("%d tries", len(tries))
				}
				for _, r := range tries {
					want := plan.DigestOf([]byte(applyOf(t, s.plan).Digest.String() + "\n" + s.batch(t, "t01").Digest.String())).Hex()
					same(t, "Idempotency-Key", []string{want}, r.Header.Values("Idempotency-Key"))
					same(t, "If-Match", []string{s.before["t01"].ETag}, r.Header.Values("If-Match"))
				}
			})
		})
	}
}

// TestAnAnswerThatCannotBeReliedOnIsCheckedAgainstTheLiveGrant answers writes
// with nonsense, of which some were carried out.
func TestAnAnswerThatCannotBeReliedOnIsCheckedAgainstTheLiveGrant(t *testing.T) {
	s := newScene(t, 5)
	s.on("PUT", "t00", 0, ehrtest.Rewrite(func([]byte) []byte { return []byte("<form>") })) // carried out
	s.on("PUT", "t01", 0, ehrtest.Answer(412, "text/html", "<h1>Precondition Failed</h1>")) // not
	s.on("PUT", "t02", 0, ehrtest.Answer(502, "text/html", "<h1>Bad Gateway</h1>"))         // not
	for id, fault := range map[string]ehrtest.Fault{
		"t03": ehrtest.DropAnswer,                     // carried out
		"t04": ehrtest.Problem(412, "revision-moved"), // not by this try; perhaps by one before
	} {
		s.on("PUT", id, 0, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
			s.on("GET", id, 0, ehrtest.Drop) // and can no more be read
			fault(w, r, pass)
		})
	}
	outcomes := apply(t, s.client, s.plan)
	same(t, "outcomes", s.all(reconcile.Unconfirmed, "t00 done"), states(outcomes))
	for i, want := range []string{"", "412", "502", "EOF", "revision-moved"} {
		if text := outcomes[i].Text; !strings.Contains(text, want) || (text == "") != (want == "") {
			t.Errorf("%s: %q", outcomes[i].Tenant, text)
		}
	}
	s.written(t, "t00")
	s.untouched(t, "t01")
	s.untouched(t, "t02")
	s.written(t, "t03")

	s.proxy.Reset()
	same(t, "the next time", s.all(reconcile.Done, "t00 already", "t03 already"), states(apply(t, s.client, s.plan)))
}

func TestAPlanThatNoLongerHoldsIsNotBegun(t *testing.T) {
	s := newScene(t, few)
	later := func(d time.Duration) func(*reconcile.ApplyRequest) {
		return func(r *reconcile.ApplyRequest) { r.Now = now.Add(d) }
	}
	at := func(d time.Duration) func(*reconcile.ApplyRequest) {
		return func(r *reconcile.ApplyRequest) { r.Plan.At = r.Plan.CreatedAt.Add(d) }
	}
	for name, c := range map[string]struct {
		change func(*reconcile.ApplyRequest)
		stale  bool
	}{
		"at its end":                       {later(time.Hour), true},
		"long after":                       {later(1000 * time.Hour), true},
		"of another day":                   {at(24 * time.Hour), true},
		"of a time before":                 {at(-5*time.Minute - time.Second), true},
		"of a time after":                  {at(5*time.Minute + time.Second), true},
		"of times that cannot be compared": {func(r *reconcile.ApplyRequest) { r.Plan.At = time.Time{} }, true},
		"a moment before its end":          {later(time.Hour - time.Second), false},
		"of a time near enough":            {at(-5 * time.Minute), false},
	} {
		t.Run(name, func(t *testing.T) {
			r := applyOf(t, s.plan)
			c.change(&r)
			var stale *reconcile.StaleError
			if err := reconcile.CheckTime(r.Plan, r.Now); errors.As(err, &stale) != c.stale || c.stale && !strings.Contains(err.Error(), "no longer holds") {
				t.Errorf("check: %v", err)
			}
			if !c.stale {
				return
			}
			outcomes, err := reconcile.Apply(t.Context(), s.client, r)
			if outcomes != nil || !errors.As(err, &stale) {
				t.Errorf("%+v, %v", outcomes, err)
			}
		})
	}
	same(t, "requests", 0, len(s.proxy.Seen("", "")))
}

func TestAPlanOfAnotherPlatformIsNotBegun(t *testing.T) {
	s := newScene(t, few)
	other := ehrtest.NewProxy(t, ehrtest.Start(t, "--instance", "another").URL)
	outcomes, err := reconcile.Apply(t.Context(), newClient(t, other.URL), applyOf(t, s.plan))
	var wrong *reconcile.InstanceError
	if outcomes != nil || !errors.As(err, &wrong) || wrong.Answered != "another" || wrong.Declared != s.plan.Instance {
		t.Errorf("%+v, %v", outcomes, err)
	}
	same(t, "requests", 1, len(other.Seen("", "")))
	other.Add(ehrtest.Rule{Fault: ehrtest.Drop})
	if _, err := reconcile.Apply(t.Context(), newClient(t, other.URL), applyOf(t, s.plan)); !ehr.IsUnknown(err) {
		t.Errorf("a platform that does not answer: %v", err)
	}
}

func TestAnEmptyPlanIsAppliedToNothing(t *testing.T) {
	s := newScene(t, few)
	apply(t, s.client, s.plan)
	if outcomes := apply(t, s.client, s.fleet.plan(t, s.client)); outcomes == nil || len(outcomes) != 0 {
		t.Errorf("%+v, want none", outcomes)
	}
}

// TestManyTenantsAreWrittenSideBySide also holds how many at once.
func TestManyTenantsAreWrittenSideBySide(t *testing.T) {
	const n, parallelism = 64, 16
	s := newScene(t, n, func(o *ehr.Options) { o.Parallelism = parallelism })
	var mu sync.Mutex
	now, most := 0, 0
	s.on("PUT", "*", 0, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		mu.Lock()
		now++
		most = max(most, now)
		mu.Unlock()
		time.Sleep(5 * time.Millisecond) // long enough for others to come
		pass.ServeHTTP(w, r)
		mu.Lock()
		now--
		mu.Unlock()
	})
	progress := map[int]bool{}
	r := applyOf(t, s.plan)
	r.Progress = func(done, of int, o reconcile.Outcome) {
		if of != n || o.State != reconcile.Done || progress[done] {
			t.Errorf("%d of %d: %+v", done, of, o)
		}
		progress[done] = true
	}
	outcomes, err := reconcile.Apply(t.Context(), s.client, r)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "outcomes", s.all(reconcile.Done), states(outcomes))
	same(t, "progress", n, len(progress))
	if most < 2 || most > parallelism {
		t.Errorf("%d writes at once", most)
	}
	for _, id := range s.ids {
		s.written(t, id)
	}
}

// TestEveryWriteProvesThatItIsAmongWhatWasApproved takes the authority of each
// write apart as a server that checks it would.
func TestEveryWriteProvesThatItIsAmongWhatWasApproved(t *testing.T) {
	s := newScene(t, few)
	type authority struct {
		Environment, Batch, Base string
		Receipt, Mandate         *string
		Approvals                []struct {
			Bundle       json.RawMessage
			Index, Count int64
			Proof        [][]byte
		}
	}
	var mu sync.Mutex
	sent := map[string]authority{}
	s.on("PUT", "*", 0, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		text, err := io.ReadAll(r.Body)
		var body struct{ Authority authority }
		if err := errors.Join(err, json.Unmarshal(text, &body)); err != nil {
			t.Error(err)
		}
		mu.Lock()
		sent[strings.Split(r.URL.Path, "/")[2]] = body.Authority
		mu.Unlock()
		r.Body = io.NopCloser(strings.NewReader(string(text)))
		pass.ServeHTTP(w, r)
	})
	r := applyOf(t, s.plan)
	// One approval of all of it, and an older one of another plan that shares a batch.
	older := []plan.Digest{plan.DigestOf([]byte("x")), s.batch(t, "t02").Digest, plan.DigestOf([]byte("y"))}
	r.Approvals = []reconcile.Approval{
		{Bundle: json.RawMessage(`{"of":"all"}`), Leaves: s.plan.Leaves()},
		{Bundle: json.RawMessage(`{"of":"some"}`), Leaves: older},
	}
	if _, err := reconcile.Apply(t.Context(), s.client, r); err != nil {
		t.Fatal(err)
	}
	for _, id := range s.ids {
		a, b := sent[id], s.batch(t, id)
		want := 1
		if id == "t02" {
			want = 2
		}
		if a.Environment != "default" || a.Batch != b.Digest.String() || a.Base != b.Base.Line() || a.Receipt != nil || a.Mandate != nil || len(a.Approvals) != want {
			t.Fatalf("%s: %+v", id, a)
		}
		for i, approval := range a.Approvals {
			leaves, bundle := s.plan.Leaves(), `{"of":"all"}`
			if i == 1 {
				leaves, bundle = older, `{"of":"some"}`
			}
			same(t, "bundle", bundle, string(approval.Bundle))
			same(t, "count", int64(len(leaves)), approval.Count)
			root := must(must(plan.NewTree(leaves))(t).Root())(t)
			var proof []plan.Digest
			for _, node := range approval.Proof {
				proof = append(proof, plan.Digest(node))
			}
			if err := plan.CheckProof(proof, approval.Count, root, approval.Index, b.Digest); err != nil {
				t.Errorf("%s, approval %d: %v", id, i, err)
			}
		}
	}
}

// TestABatchThatIsNoneIsRefused hands over what no plan file can hold.
func TestABatchThatIsNoneIsRefused(t *testing.T) {
	s := newScene(t, few)
	r := applyOf(t, s.plan)
	r.Plan.Batches[0].Tenant = "../t00"
	r.Plan.Batches[1].Changes[0].Action = "obliterate"
	outcomes, err := reconcile.Apply(t.Context(), s.client, r)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "states", []string{"../t00 not-tried", "t01 refused", "t02 done", "t03 done"}, states(outcomes))
	s.untouched(t, "t00")
	s.untouched(t, "t01")
	for _, r := range s.proxy.Seen("", "") {
		if strings.Contains(fmt.Sprint(r.Path), "..") {
			t.Errorf("asked for %s", r.Path)
		}
	}
}
