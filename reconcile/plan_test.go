package reconcile_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/ehrtest"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile"
	"github.com/veonahealth/charter/reconcile/ehr"
)

// noBulk is a platform without the feature.
var noBulk = ehrtest.Rule{Path: "/", Fault: ehrtest.Rewrite(func(body []byte) []byte {
	return bytes.Replace(body, []byte(`"bulk-entitlements"`), []byte(`"something-else"`), 1)
})}

// motley makes an EHR with tenants of every state, 25 of them declared, of which
// one has everything that only a request of its own tells.
func motley(t *testing.T) (*ehrtest.EHR, *fleet) {
	t.Helper()
	e := extended(t, `{legacy: {name: "Legacy"}, relic: {name: "Relic"}}`)
	f, _ := many(t, e, 14)
	declare := func(id string, facilities ...string) { f.declare(t, id, "health-centre", facilities, "maternity") }
	e.Onboard(t, "u-suspended", "health-centre", "main")
	e.SetStatus(t, "u-suspended", "suspended")
	declare("u-suspended", "main")
	e.Create(t, "u-created", "health-centre")
	declare("u-created", "main")
	declare("u-absent", "main")
	f.organise(t, "u-absent")
	e.Onboard(t, "v-foreign", "health-centre", "annex", "main")
	e.Put(t, "v-foreign", "annex rx", "main chart", "main legacy", "main register", "main theatre")
	declare("v-foreign", "main")
	e.Onboard(t, "v-site", "health-centre", "main")
	declare("v-site", "annex", "main")
	e.Onboard(t, "v-silent", "health-centre", "annex", "main")
	e.Put(t, "v-silent", "main chart")
	declare("v-silent", "annex", "main")
	e.Onboard(t, "v-empty", "health-centre", "main")
	e.Put(t, "v-empty")
	declare("v-empty", "main")
	e.Onboard(t, "w-active", "hospital", "main")
	e.SetStatus(t, "w-active", "active")
	f.declare(t, "w-active", "hospital", []string{"main"})
	e.Onboard(t, "w-relic", "hospital", "main")
	e.Put(t, "w-relic", "main relic")
	f.declare(t, "w-relic", "hospital", []string{"main"}).Closed = &catalog.Tombstone{Reason: "merged", On: now}
	e.Onboard(t, "w-later", "health-centre", "main")
	f.declare(t, "w-later", "health-centre", []string{"main"}, "scribe").Grants[0].From = now.AddDate(0, 1, 0)
	e.Onboard(t, "x-prem", "hospital", "main")
	prem := f.declare(t, "x-prem", "hospital", []string{"main"})
	prem.Hosting, prem.Licence = catalog.OnPrem, &catalog.Licence{Expires: now.AddDate(1, 0, 0)}
	prem.Connect = []catalog.Connection{{Instrument: must(catalog.ParseInstrumentKey("sysmex-xn-1000"))(t), Reason: "a test"}}
	prem.Admins = []catalog.Admin{{Email: "grace@example.org", Name: "Grace W."}}
	prem.Facilities[0].Beds = 10
	for _, id := range []string{"a-unmanaged", "m-unmanaged", "z-unmanaged"} {
		e.Onboard(t, id, "hospital", "main")
	}
	return e, f
}

func TestEveryWayOfReadingGivesTheSamePlan(t *testing.T) {
	e, f := motley(t)
	proxy := ehrtest.NewProxy(t, e.URL)
	bulk, found, err := reconcile.Plan(t.Context(), newClient(t, proxy.URL), f.request(t))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(proxy.Seen("GET", "/entitlements")); n != 1 {
		t.Errorf("%d streams, want 1", n)
	}
	same(t, "unmanaged", "[a-unmanaged m-unmanaged z-unmanaged]", fmt.Sprint(found.Unmanaged))

	// A stream takes one of the requests that may be under way: alone it would
	// starve the others.
	proxy.Reset()
	narrow := f.plan(t, newClient(t, proxy.URL, func(o *ehr.Options) { o.Parallelism = 1 }))
	same(t, "read one by one, against bulk", bulk, narrow)

	proxy.Reset()
	proxy.Add(noBulk)
	listed, found, err := reconcile.Plan(t.Context(), newClient(t, proxy.URL), f.request(t))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(proxy.Seen("GET", "/entitlements")) + len(proxy.Seen("GET", "/tenants/u-absent/*")); n != 0 {
		t.Errorf("%d requests for what the platform has not", n)
	}
	same(t, "unmanaged, listed", 3, len(found.Unmanaged))
	same(t, "listed, against bulk", bulk, listed)

	proxy.Reset()
	var parts []*plan.Plan
	for half := range slices.Chunk(f.tenants, 12) {
		var ids []string
		for _, tenant := range half {
			ids = append(ids, tenant.ID.String())
		}
		parts = append(parts, f.plan(t, newClient(t, proxy.URL), ids...))
	}
	if n := len(proxy.Seen("GET", "/tenants")); n != 0 {
		t.Errorf("%d listings for few tenants", n)
	}
	single := *parts[0]
	for _, p := range parts[1:] {
		single.Batches = append(single.Batches, p.Batches...)
		single.Scheduled = append(single.Scheduled, p.Scheduled...)
		single.Held = append(single.Held, p.Held...)
		single.Refusals = append(single.Refusals, p.Refusals...)
	}
	slices.SortStableFunc(single.Batches, func(a, b plan.Batch) int { return a.Subject.Order() - b.Subject.Order() })
	same(t, "batches, one by one", bulk.Batches, single.Batches)
	same(t, "scheduled, one by one", bulk.Scheduled, single.Scheduled)
	same(t, "held, one by one", bulk.Held, single.Held)
	same(t, "refusals, one by one", bulk.Refusals, single.Refusals)
}

func TestAPlanSaysWhatIsNotOursToChange(t *testing.T) {
	e, f := motley(t)
	p := f.plan(t, newClient(t, e.URL))
	same(t, "held", []string{
		"u-suspended * * suspended",
		"v-foreign annex rx unknown-facility",
		"v-foreign main legacy unknown-module",
		"w-relic main relic unknown-module",
	}, held(p))
	same(t, "refusals", []string{}, refusals(p))
	same(t, "unreadable", 0, len(p.Unreadable))
	same(t, "instance", p.Instance != "", true)
	same(t, "snapshot", p.Live.Snapshot != "", true)
	var scheduled []string
	for _, entry := range p.Scheduled {
		scheduled = append(scheduled, entry.Tenant+" "+entry.At.Format("2006-01-02"))
	}
	same(t, "scheduled", []string{"w-later 2026-12-22"}, scheduled)
	got := slices.DeleteFunc(changes(p), func(line string) bool { return strings.Contains(line, " t") && strings.HasPrefix(line, "+ t") })
	same(t, "changes", []string{
		"+ u-absent organisation u-absent", "+ u-absent tenant u-absent", "~ x-prem tenant hosting", "+ x-prem licence x-prem",
		"+ u-absent facility main", "+ u-absent main admin", "+ u-absent main chart", "+ u-absent main lab", "+ u-absent main register", "+ u-absent main rx",
		"+ u-created facility main", "+ u-created main admin", "+ u-created main chart", "+ u-created main lab", "+ u-created main register", "+ u-created main rx",
		"+ v-site facility annex", "+ v-site annex admin", "+ v-site annex chart", "+ v-site annex lab", "+ v-site annex register", "+ v-site annex rx",
		"~ x-prem facility beds",
		"+ u-absent main maternity",
		"+ u-created main maternity",
		"+ v-empty main admin", "+ v-empty main chart", "+ v-empty main lab", "+ v-empty main maternity", "+ v-empty main register", "+ v-empty main rx",
		"- v-foreign main theatre", "+ v-foreign main admin", "+ v-foreign main lab", "+ v-foreign main maternity", "+ v-foreign main rx",
		"+ v-silent annex admin", "+ v-silent annex chart", "+ v-silent annex lab", "+ v-silent annex maternity", "+ v-silent annex register", "+ v-silent annex rx",
		"+ v-silent main admin", "+ v-silent main lab", "+ v-silent main maternity", "+ v-silent main register", "+ v-silent main rx",
		"+ v-site annex maternity", "+ v-site main maternity",
		"+ x-prem instrument sysmex-xn-1000",
		"+ x-prem admin grace@example.org",
	}, got)
}

func TestWhatIsHeldSurvivesAnApply(t *testing.T) {
	e, f := motley(t)
	client := newClient(t, e.URL)
	before := e.Grant(t, "u-suspended")
	for _, o := range apply(t, client, f.plan(t, client)) {
		invites := o.Tenant == "x-prem" && o.Subject == "admin" // to a deployment that is not there yet
		if o.State != reconcile.Done && !(invites && o.State == reconcile.NotTried) {
			t.Errorf("%+v", o)
		}
	}
	same(t, "foreign rows", []string{
		"annex rx", "main admin", "main chart", "main lab", "main legacy", "main maternity", "main register", "main rx",
	}, e.Grant(t, "v-foreign").Rows)
	same(t, "the relic", []string{"main relic"}, e.Grant(t, "w-relic").Rows)
	same(t, "the suspended", before, e.Grant(t, "u-suspended"))
	same(t, "an unmanaged one's writes", 0, len(e.Writes(t, "m-unmanaged")))
	again := f.plan(t, client)
	same(t, "the next plan", []string{"+ x-prem admin grace@example.org"}, changes(again))
	same(t, "what it holds", 4, len(again.Held))
}

func TestAPlanAsksNoMoreThanItNeeds(t *testing.T) {
	const n = 25
	e := ehrtest.Start(t)
	f, _ := many(t, e, n)
	for _, tenant := range f.tenants {
		tenant.Grants = nil // as it is live
	}
	proxy := ehrtest.NewProxy(t, e.URL)
	count := func(p *plan.Plan) map[string]int {
		same(t, "changes", []string{}, changes(p))
		asked := map[string]int{"all": len(proxy.Seen("", ""))}
		for name, pattern := range map[string]string{
			"platform": "/", "pages": "/tenants", "tenants": "/tenants/*", "grants": "/tenants/*/entitlements", "streams": "/entitlements",
			"sites": "/tenants/*/facilities",
		} {
			asked[name] = len(proxy.Seen("GET", pattern))
		}
		asked["registry"] = len(proxy.Seen("GET", "/editions")) + len(proxy.Seen("GET", "/clients"))
		proxy.Reset()
		return asked
	}
	same(t, "in bulk", map[string]int{"all": 5 + n, "platform": 1, "registry": 2, "pages": 1, "streams": 1, "tenants": 0, "grants": 0, "sites": n},
		count(f.plan(t, newClient(t, proxy.URL))))
	proxy.Add(noBulk)
	same(t, "listed", map[string]int{"all": 4 + 2*n, "platform": 1, "registry": 2, "pages": 1, "streams": 0, "tenants": 0, "grants": n, "sites": n},
		count(f.plan(t, newClient(t, proxy.URL))))
	same(t, "few", map[string]int{"all": 3 + 3*3, "platform": 1, "registry": 2, "pages": 0, "streams": 0, "tenants": 3, "grants": 3, "sites": 3},
		count(f.plan(t, newClient(t, proxy.URL), "t00", "t07", "t24")))
	same(t, "none", map[string]int{"all": 3, "platform": 1, "registry": 2, "pages": 0, "streams": 0, "tenants": 0, "grants": 0, "sites": 0},
		count(f.plan(t, newClient(t, proxy.URL), "nobody")))
}

// TestATenantBetweenTheListAndTheStreamIsReadByItself has tenants that only one
// of the two readings has, as if they had come or gone in between.
func TestATenantBetweenTheListAndTheStreamIsReadByItself(t *testing.T) {
	e := ehrtest.Start(t)
	f, _ := many(t, e, 25)
	f.declare(t, "nowhere", "health-centre", centre)
	f.declare(t, "z-nowhere", "health-centre", centre)
	proxy := ehrtest.NewProxy(t, e.URL)
	want := f.plan(t, newClient(t, proxy.URL))
	for name, rule := range map[string]ehrtest.Rule{
		"in the list alone": {Path: "/entitlements", Fault: ehrtest.Rewrite(without("t07", 25))},
		"in the stream alone": {Path: "/tenants", Fault: ehrtest.Rewrite(func(body []byte) []byte {
			from := bytes.Index(body, []byte(`{"id":"t07"`))
			next := bytes.Index(body, []byte(`{"id":"t08"`))
			return bytes.Replace(slices.Delete(body, from, next), []byte(`"total":25`), []byte(`"total":24`), 1)
		})},
	} {
		t.Run(name, func(t *testing.T) {
			proxy.Reset()
			proxy.Add(rule)
			same(t, "plan", want, f.plan(t, newClient(t, proxy.URL)))
			same(t, "reads of the tenant", 1, len(proxy.Seen("GET", "/tenants/t07/entitlements")))
			same(t, "all reads", 5+25+2, len(proxy.Seen("GET", ""))) // the registry, everybody's sites, and what t07 is read by
		})
	}
	same(t, "created", "[+ nowhere tenant nowhere + z-nowhere tenant z-nowhere]", fmt.Sprint(slices.DeleteFunc(changes(want), func(line string) bool {
		return !strings.Contains(line, " tenant ")
	})))
}

// without takes a tenant out of a stream of some grants.
func without(id string, total int) func([]byte) []byte {
	return func(body []byte) []byte {
		lines := slices.DeleteFunc(bytes.SplitAfter(body, []byte("\n")), func(line []byte) bool {
			return bytes.Contains(line, []byte(`{"tenant":"`+id+`"`))
		})
		return bytes.Replace(bytes.Join(lines, nil), fmt.Appendf(nil, `"total":%d`, total), fmt.Appendf(nil, `"total":%d`, total-1), 1)
	}
}

// TestThePlanNamesTheSnapshotOfTheGrants has a platform that changes between its
// list and its stream.
func TestThePlanNamesTheSnapshotOfTheGrants(t *testing.T) {
	e := ehrtest.Start(t)
	f, _ := many(t, e, 25)
	proxy := ehrtest.NewProxy(t, e.URL)
	proxy.Add(ehrtest.Rule{Path: "/entitlements", Fault: ehrtest.Rewrite(func(body []byte) []byte {
		return append(body[:bytes.LastIndex(body, []byte(`"snapshot"`))], `"snapshot":"a later one"}`...)
	})})
	same(t, "snapshot", "a later one", f.plan(t, newClient(t, proxy.URL)).Live.Snapshot)
}

// TestARefusalBesideAStreamEndsIt has a stream that does not go on before it is
// given up.
func TestARefusalBesideAStreamEndsIt(t *testing.T) {
	e := ehrtest.Start(t)
	f, _ := many(t, e, 25)
	proxy := ehrtest.NewProxy(t, e.URL)
	proxy.Add(ehrtest.Rule{Path: "/tenants/t00/facilities", Fault: ehrtest.Problem(401, "unauthenticated")})
	proxy.Add(ehrtest.Rule{Path: "/entitlements", Fault: func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		gone := r.Context().Done()
		ehrtest.Rewrite(func(body []byte) []byte { return body[:len(body)/2] })(w, r, pass)
		w.(http.Flusher).Flush()
		<-gone
	}})
	p, _, err := reconcile.Plan(t.Context(), newClient(t, proxy.URL), f.request(t))
	if p != nil || !ehr.IsDenied(err) || strings.Contains(err.Error(), "/entitlements") {
		t.Errorf("plan %v, error %v; the stream is not what was refused", p, err)
	}
}

func TestATenantThatCannotBeReadHoldsUpNoOther(t *testing.T) {
	e := ehrtest.Start(t)
	f, list := many(t, e, 25)
	for name, c := range map[string]struct {
		bulk  bool
		ids   []string
		path  string
		fault ehrtest.Fault
	}{
		"few: the tenant":         {true, list[:5], "/tenants/t03", ehrtest.Answer(500, "text/plain", "")},
		"few: the grant":          {true, list[:5], "/tenants/t03/entitlements", ehrtest.Drop},
		"few: a page with 200":    {true, list[:5], "/tenants/t03/entitlements", ehrtest.Answer(200, "text/html", "<form>")},
		"few: a page with 404":    {true, list[:5], "/tenants/t03", ehrtest.Answer(404, "text/html", "Not Found")},
		"few: gone, by its word":  {true, list[:5], "/tenants/t03/entitlements", ehrtest.Problem(410, "gone")},
		"listed: the grant":       {false, list, "/tenants/t03/entitlements", ehrtest.Answer(503, "text/plain", "")},
		"listed: a grant cut off": {false, list, "/tenants/t03/entitlements", ehrtest.Cut(20)},
	} {
		t.Run(name, func(t *testing.T) {
			proxy := ehrtest.NewProxy(t, e.URL)
			if !c.bulk {
				proxy.Add(noBulk)
			}
			proxy.Add(ehrtest.Rule{Path: c.path, Fault: c.fault})
			p := f.plan(t, newClient(t, proxy.URL), c.ids...)
			if len(p.Unreadable) != 1 || p.Unreadable[0].Tenant != "t03" || p.Unreadable[0].Text == "" {
				t.Errorf("unreadable %+v", p.Unreadable)
			}
			same(t, "refusals", []string{}, refusals(p))
			var want []string
			for _, id := range c.ids {
				if id != "t03" {
					want = append(want, "+ "+id+" main maternity")
				}
			}
			same(t, "changes", want, changes(p))
		})
	}
}

func TestAFacilityListThatCannotBeReadMakesTheTenantUnreadable(t *testing.T) {
	e := ehrtest.Start(t)
	f, _ := many(t, e, 2)
	proxy := ehrtest.NewProxy(t, e.URL)
	proxy.Add(ehrtest.Rule{Path: "/tenants/t01/facilities", Fault: ehrtest.Answer(500, "text/plain", "")})
	p := f.plan(t, newClient(t, proxy.URL))
	same(t, "changes", []string{"+ t00 main maternity"}, changes(p))
	if len(p.Unreadable) != 1 || p.Unreadable[0].Tenant != "t01" {
		t.Errorf("unreadable %+v", p.Unreadable)
	}
}

func TestALiveStateThatIsNotWholeGivesNoPlan(t *testing.T) {
	e := ehrtest.Start(t)
	f, list := many(t, e, 25)
	replace := func(old, with string) ehrtest.Fault {
		return ehrtest.Rewrite(func(body []byte) []byte { return bytes.Replace(body, []byte(old), []byte(with), 1) })
	}
	for name, c := range map[string]struct {
		path    string
		fault   ehrtest.Fault
		ids     []string
		unknown bool // else the platform's own word
	}{
		"a stream that is cut":              {"/entitlements", ehrtest.Cut(3000), list, true},
		"a stream without its last line":    {"/entitlements", replace(`{"end":true`, `{"end":false`), list, true},
		"a stream of another total":         {"/entitlements", replace(`"total":25`, `"total":26`), list, true},
		"a stream that is refused":          {"/entitlements", ehrtest.Problem(403, "capability-missing"), list, false},
		"no stream":                         {"/entitlements", ehrtest.Answer(503, "text/plain", ""), list, true},
		"a list of another total":           {"/tenants", replace(`"total":25`, `"total":24`), list, true},
		"a list with a tenant twice":        {"/tenants", replace(`{"id":"t07"`, `{"id":"t06"`), list, true},
		"a list with a stranger twice":      {"/tenants", ehrtest.Rewrite(func([]byte) []byte { return stranger }), list, true},
		"an empty list":                     {"/tenants", ehrtest.Answer(200, "application/json", `{"items":[],"next_cursor":null,"total":25,"snapshot":"s"}`), list, true},
		"a list that is refused":            {"/tenants", ehrtest.Problem(401, "unauthenticated"), list, false},
		"a platform that is not there":      {"/", ehrtest.Drop, list, true},
		"a token that may not read tenants": {"/tenants/*", ehrtest.Problem(403, "capability-missing"), list[:3], false},
		"a token that nobody knows":         {"/tenants/*/entitlements", ehrtest.Problem(401, "unauthenticated"), list[:3], false},
	} {
		t.Run(name, func(t *testing.T) {
			proxy := ehrtest.NewProxy(t, e.URL)
			proxy.Add(ehrtest.Rule{Path: c.path, Fault: c.fault})
			p, _, err := reconcile.Plan(t.Context(), newClient(t, proxy.URL), f.request(t, c.ids...))
			var said *ehr.Problem
			if p != nil || err == nil || ehr.IsUnknown(err) != c.unknown || errors.As(err, &said) == c.unknown {
				t.Errorf("plan %v, error %v", p, err)
			}
			list, _, err := reconcile.Status(t.Context(), newClient(t, proxy.URL), f.request(t, c.ids...))
			if err == nil {
				t.Errorf("status %+v", list)
			}
		})
	}
}

// stranger is a list that names somebody twice.
var stranger = []byte(`{"items":[{"id":"x","status":"active"},{"id":"x","status":"active"}],"next_cursor":null,"total":2,"snapshot":"s"}`)

func TestAnotherPlatformThanTheDeclaredIsAskedNothingMore(t *testing.T) {
	e := ehrtest.Start(t, "--instance", "platform-1")
	f, _ := many(t, e, 1)
	proxy := ehrtest.NewProxy(t, e.URL)
	r := f.request(t)
	r.Environment.Instance = "platform-2"
	_, _, err := reconcile.Plan(t.Context(), newClient(t, proxy.URL), r)
	var wrong *reconcile.InstanceError
	if !errors.As(err, &wrong) || wrong.Declared != "platform-2" || wrong.Answered != "platform-1" {
		t.Errorf("error %v", err)
	}
	if _, _, err := reconcile.Status(t.Context(), newClient(t, proxy.URL), r); !errors.As(err, &wrong) {
		t.Errorf("status: error %v", err)
	}
	same(t, "requests", 2, len(proxy.Seen("", "")))
	r.Environment.Instance = "platform-1"
	if _, _, err := reconcile.Plan(t.Context(), newClient(t, proxy.URL), r); err != nil {
		t.Error(err)
	}
}

func TestAnInterruptEndsAReading(t *testing.T) {
	e := ehrtest.Start(t)
	f, list := many(t, e, 25)
	for name, path := range map[string]string{"listing": "/tenants", "streaming": "/entitlements", "reading": "/tenants/*/entitlements"} {
		t.Run(name, func(t *testing.T) {
			proxy := ehrtest.NewProxy(t, e.URL)
			ctx, cancel := cancelled(t)
			proxy.Add(ehrtest.Rule{Path: path, Fault: func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
				cancel()
				<-r.Context().Done()
			}})
			ids := list
			if name == "reading" {
				ids = list[:5]
			}
			p, _, err := reconcile.Plan(ctx, newClient(t, proxy.URL), f.request(t, ids...))
			if p != nil || !errors.Is(err, ctx.Err()) || ehr.IsUnknown(err) {
				t.Errorf("plan %v, error %v", p, err)
			}
		})
	}
}

// TestAnAppliedPlanLeavesNothingToPlan draws live rows and declarations.
func TestAnAppliedPlanLeavesNothingToPlan(t *testing.T) {
	e := extended(t, `{legacy: {name: "Legacy"}}`)
	list := ids(3)
	for _, id := range list {
		e.Onboard(t, id, "health-centre", "annex", "closed", "main")
	}
	client := newClient(t, e.URL)
	live := []string{"admin", "chart", "lab", "legacy", "maternity", "register", "rx", "theatre"}
	rapid.Check(t, func(rt *rapid.T) {
		f := newFleet(t)
		foreign := map[string][]string{}
		for _, id := range list {
			var rows []string
			for _, facility := range []string{"annex", "closed", "main"} {
				for _, module := range live {
					if rapid.Bool().Draw(rt, id+" "+facility+" "+module) {
						rows = append(rows, facility+" "+module)
						if facility == "closed" || module == "legacy" {
							foreign[id] = append(foreign[id], facility+" "+module)
						}
					}
				}
			}
			e.Put(t, id, rows...)
			edition := rapid.SampledFrom([]string{"health-centre", "hospital", "public-health"}).Draw(rt, "edition")
			f.declare(t, id, edition, []string{"annex", "main"}, rapid.SampledFrom([]string{"scribe", "main scribe", "annex diagnostics"}).Draw(rt, "grant"))
		}
		p := f.plan(t, client)
		for _, o := range apply(t, client, p) {
			if o.State != reconcile.Done {
				rt.Errorf("%+v", o)
			}
		}
		again := f.plan(t, client)
		if len(again.Batches) > 0 || len(again.Held) != len(p.Held) {
			rt.Errorf("left to do: %q", changes(again))
		}
		for _, id := range list {
			rows := e.Grant(t, id).Rows
			for _, row := range foreign[id] {
				if !slices.Contains(rows, row) {
					rt.Errorf("%s lost %s", id, row)
				}
			}
		}
	})
}
