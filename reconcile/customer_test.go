package reconcile_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/ehrtest"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile"
	"github.com/veonahealth/charter/reconcile/ehr"
)

// customer is an EHR behind a proxy, and a plan with a batch of every subject for
// an on-prem tenant that is there already and runs. Beside it stands a cloud tenant
// that is to get a module.
type customer struct {
	*ehrtest.EHR
	proxy  *ehrtest.Proxy
	client *ehr.Client
	outbox string
	fleet  *fleet
	tenant *catalog.Tenant
	plan   *plan.Plan
}

// subjects are those of the customer's plan, in its order; the other tenant's rows
// stand before the customer's.
var subjects = []string{
	"health-centre edition", "county organisation", "kisumu tenant", "kisumu licence", "kisumu provision", "kisumu facility",
	"beside entitlements", "kisumu entitlements", "kisumu connect", "kisumu admin",
}

// ends are when licences end: no test is that old.
var ends = []time.Time{time.Date(2098, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)}

func newCustomer(t *testing.T) *customer {
	t.Helper()
	c := &customer{outbox: filepath.Join(t.TempDir(), "outbox"), fleet: newFleet(t)}
	c.EHR = ehrtest.Start(t, "--outbox", c.outbox)
	c.proxy = ehrtest.NewProxy(t, c.URL)
	c.client = newClient(t, c.proxy.URL)
	c.found(t)
	c.declare(t)
	c.plan = c.fleet.plan(t, c.client)
	same(t, "batches", subjects, kinds(c.plan))
	c.proxy.Reset()
	return c
}

type object = map[string]any

// found makes the platform as it was before.
func (c *customer) found(t *testing.T) {
	t.Helper()
	c.Onboard(t, "beside", "hospital", "main")
	c.Do(t, "POST", "/clients", nil, object{"id": "county", "name": "County"}, http.StatusCreated, nil)
	c.Do(t, "POST", "/tenants", nil, object{
		"id": "kisumu", "name": "Kisumo", "organisation": "county", "edition": "health-centre", "hosting": "on-prem",
	}, http.StatusCreated, nil)
	c.Provision(t, "kisumu", "health-centre", "main")
	var licence struct{ ID, Token string }
	c.Do(t, "POST", "/licenses", nil, object{"tenant": "kisumu", "expires": ends[0]}, http.StatusCreated, &licence)
	c.activate(t, licence.ID, licence.Token)
}

// activate starts the tenant's deployment with a licence.
func (c *customer) activate(t *testing.T, id, token string) {
	t.Helper()
	for _, call := range []struct{ path, body string }{
		{"/activate", `{"fingerprint":"box"}`}, {"/heartbeat", `{"fingerprint":"box","enforced_revision":1}`},
	} {
		r := must(http.NewRequest(http.MethodPost, c.URL+"/licenses/"+id+call.path, strings.NewReader(call.body)))(t)
		r.Header.Set("Authorization", "Bearer "+token)
		answer := must(http.DefaultClient.Do(r))(t)
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", call.path, answer.Status)
		}
	}
}

// declare says how everything is to be.
func (c *customer) declare(t *testing.T) {
	t.Helper()
	f := c.fleet
	f.catalog = catalogWith(t, func(data *catalog.Data) {
		for i := range data.Editions {
			if e := &data.Editions[i]; e.Key.String() == "health-centre" {
				e.Modules = append(e.Modules, must(catalog.ParseModuleKey("maternity"))(t))
				slices.SortFunc(e.Modules, catalog.ModuleKey.Compare)
			}
		}
	})
	f.organise(t, "county").Name = "Kisumu County"
	f.organise(t, "beside")
	f.declare(t, "beside", "hospital", centre, "scribe")
	k := f.declare(t, "kisumu", "health-centre", []string{"annex", "main"}, "scribe")
	k.Name, k.Organisation, k.Hosting = "Kisumu", must(catalog.ParseOrganisationID("county"))(t), catalog.OnPrem
	k.Facilities[1].Beds = 40
	k.Staff = []catalog.Staff{{Email: "amy@example.org", Name: "Amy", Role: staffRole(f.catalog), Facility: k.Facilities[0].ID}}
	k.Connect = []catalog.Connection{instrument(t)}
	k.Admins = []catalog.Admin{{Email: "grace@example.org", Name: "Grace W."}}
	k.Licence = &catalog.Licence{Expires: ends[1]}
	c.tenant = k
}

func instrument(t testing.TB) catalog.Connection {
	t.Helper()
	return catalog.Connection{Instrument: must(catalog.ParseInstrumentKey("sysmex-xn-1000"))(t), Reason: "a test"}
}

func staffRole(c *catalog.Catalog) string {
	if roles := c.StaffRoles(); len(roles) > 0 {
		return roles[0]
	}
	return "nurse"
}

// catalogWith is the default catalogue with something changed.
func catalogWith(t testing.TB, change func(*catalog.Data)) *catalog.Catalog {
	t.Helper()
	c := must(standard())(t)
	data := catalog.Data{Digest: digest, StaffRoles: c.StaffRoles()}
	for _, m := range c.Modules() {
		data.Modules = append(data.Modules, *m)
	}
	for _, e := range c.Editions() {
		data.Editions = append(data.Editions, *e)
	}
	change(&data)
	return must(catalog.New(data))(t)
}

// kinds writes a plan's batches as "tenant subject".
func kinds(p *plan.Plan) []string {
	list := []string{}
	for _, b := range p.Batches {
		list = append(list, b.Tenant+" "+string(b.Subject))
	}
	return list
}

// became writes outcomes as "tenant subject state".
func became(outcomes []reconcile.Outcome) []string {
	list := []string{}
	for _, o := range outcomes {
		list = append(list, o.Tenant+" "+o.Subject+" "+string(o.State))
	}
	return list
}

// every gives each of the subjects a state, but for some.
func every(state reconcile.State, but ...string) []string {
	list := []string{}
	for _, subject := range subjects {
		i := slices.IndexFunc(but, func(other string) bool { return strings.HasPrefix(other, subject+" ") })
		if i >= 0 {
			list = append(list, but[i])
		} else {
			list = append(list, subject+" "+string(state))
		}
	}
	return list
}

// mails are whom the platform has written to.
func (c *customer) mails(t testing.TB) []string {
	t.Helper()
	text, err := os.ReadFile(c.outbox)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	to := []string{}
	for line := range bytes.Lines(text) {
		var mail struct{ To string }
		if err := json.Unmarshal(line, &mail); err != nil {
			t.Fatal(err)
		}
		to = append(to, mail.To)
	}
	return to
}

// events counts what was written, by the names of the audit trail.
func (c *customer) events(t testing.TB) map[string]int {
	t.Helper()
	count := map[string]int{}
	for _, entry := range c.Audit(t) {
		count[entry.Event]++
	}
	return count
}

// writes are the requests that were no reads.
func (c *customer) writes() int {
	return len(c.proxy.Seen("", "")) - len(c.proxy.Seen("GET", ""))
}

// complete holds that everything is as it was planned, done once, and that nothing
// is left to plan.
func (c *customer) complete(t testing.TB, before map[string]int) {
	t.Helper()
	same(t, "mails", []string{"grace@example.org"}, c.mails(t))
	want := map[string]int{}
	for _, event := range []string{
		"edition.upsert", "client.upsert", "tenant.upsert", "license.issue", "tenant.provision", "facility.upsert",
		"tenant.connect_entitlements.put", "tenant_admin.invite",
	} {
		want[event] = 1
	}
	want["entitlement.write"] = 2
	got := c.events(t)
	for event, n := range before {
		if got[event] -= n; got[event] == 0 {
			delete(got, event)
		}
	}
	same(t, "events", want, got)
	same(t, "rows", []string{
		"annex admin", "annex chart", "annex lab", "annex maternity", "annex register", "annex rx", "annex scribe",
		"main admin", "main chart", "main lab", "main maternity", "main register", "main rx", "main scribe",
	}, c.Grant(t, "kisumu").Rows)
	same(t, "left to do", []string{}, changes(c.fleet.plan(t, c.client)))
}

func TestEverySubjectIsCarriedOutInOneApplyAndOnce(t *testing.T) {
	c := newCustomer(t)
	before := c.events(t)
	outcomes := apply(t, c.client, c.plan)
	same(t, "outcomes", every(reconcile.Done), became(outcomes))
	for i, o := range outcomes {
		if o.Text != "" || o.Unreadable || o.Batch != c.plan.Batches[i].Digest {
			t.Errorf("%+v", o)
		}
	}
	same(t, "writes", len(subjects), c.writes())
	c.complete(t, before)

	c.proxy.Reset()
	same(t, "the same plan again", every(reconcile.Already), became(apply(t, c.client, c.plan)))
	same(t, "writes again", 0, c.writes())
	c.complete(t, before)
}

// TestANewCustomerIsOnboardedInOneApply begins with nothing.
func TestANewCustomerIsOnboardedInOneApply(t *testing.T) {
	outbox := filepath.Join(t.TempDir(), "outbox")
	c := &customer{EHR: ehrtest.Start(t, "--outbox", outbox), outbox: outbox}
	f, client := newFleet(t), newClient(t, c.URL)
	f.organise(t, "mercy")
	k := f.declare(t, "mercy", "health-centre", []string{"annex", "main"}, "annex maternity")
	k.Staff = []catalog.Staff{{Email: "amy@example.org", Name: "Amy", Role: staffRole(f.catalog), Facility: k.Facilities[1].ID}}
	k.Connect = []catalog.Connection{instrument(t)}
	k.Admins = []catalog.Admin{{Email: "eve@example.org", Name: "Eve"}, {Email: "grace@example.org", Name: "Grace"}}
	p := f.plan(t, client)
	same(t, "batches", []string{
		"mercy organisation", "mercy tenant", "mercy provision", "mercy entitlements", "mercy connect", "mercy admin", "mercy admin",
	}, kinds(p))
	same(t, "base of the rows", "base provisioned 0", p.Batches[3].Base.Line())
	for _, o := range apply(t, client, p) {
		if o.State != reconcile.Done {
			t.Errorf("%+v", o)
		}
	}
	same(t, "mails", []string{"eve@example.org", "grace@example.org"}, c.mails(t))
	same(t, "gate of a row beyond the edition", http.StatusOK, c.Gate(t, "mercy", "annex", "/maternity"))
	same(t, "gate of another facility", http.StatusForbidden, c.Gate(t, "mercy", "main", "/maternity"))
	var status struct {
		Facilities []struct {
			ID    string
			Staff int
		}
	}
	c.Do(t, "GET", "/tenants/mercy/ehr-status", nil, nil, http.StatusOK, &status)
	same(t, "staff", "[{annex 0} {main 1}]", fmt.Sprint(status.Facilities))
	same(t, "left to do", []string{}, changes(f.plan(t, client)))
	same(t, "left to do for the tenant alone", []string{}, changes(f.plan(t, client, "mercy")))
}

// lossy are the requests of the customer's batches, as rules match them.
func (c *customer) request(i int) (method, path string) {
	b := &c.plan.Batches[i]
	if b.Request == nil {
		return "PUT", "/tenants/" + b.Tenant + "/entitlements"
	}
	return b.Request.Method, b.Request.Path
}

func TestALostAnswerOfAnySubjectDoesNothingTwice(t *testing.T) {
	for i, subject := range subjects {
		for name, times := range map[string]int{"one answer": 1, "every answer": 0} {
			t.Run(subject+", "+name, func(t *testing.T) {
				c := newCustomer(t)
				before := c.events(t)
				method, path := c.request(i)
				c.proxy.Add(ehrtest.Rule{Method: method, Path: path, Times: times, Fault: ehrtest.DropAnswer})
				same(t, "outcomes", every(reconcile.Done), became(apply(t, c.client, c.plan)))
				keys := map[string]bool{}
				for _, r := range c.proxy.Seen(method, path) {
					keys[r.Header.Get("Idempotency-Key")] = true
				}
				if len(c.proxy.Seen(method, path)) < 2 || len(keys) != 1 {
					t.Errorf("%d tries with %d keys", len(c.proxy.Seen(method, path)), len(keys))
				}
				c.complete(t, before)
			})
		}
	}
}

// TestACrashBetweenAnyTwoStepsIsTakenUpByTheNextApply interrupts after each number
// of outcomes.
func TestACrashBetweenAnyTwoStepsIsTakenUpByTheNextApply(t *testing.T) {
	for n := range len(subjects) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			c := newCustomer(t)
			before := c.events(t)
			ctx, cancel := cancelled(t)
			r := applyOf(t, c.plan)
			r.Progress = func(done, of int, o reconcile.Outcome) {
				if of != len(subjects) || o.State != reconcile.Done {
					t.Errorf("%d of %d: %+v", done, of, o)
				}
				if done > n {
					cancel()
				}
			}
			outcomes, err := reconcile.Apply(ctx, newClient(t, c.proxy.URL, func(o *ehr.Options) { o.Parallelism = 1 }), r)
			if err != nil {
				t.Fatal(err)
			}
			count := map[reconcile.State]int{}
			for _, o := range outcomes {
				if count[o.State]++; o.State == reconcile.NotTried && o.Text != "interrupted before its turn" {
					t.Errorf("%+v", o)
				}
			}
			same(t, "states", map[reconcile.State]int{reconcile.Done: n + 1, reconcile.NotTried: len(subjects) - n - 1}, nonzero(count, reconcile.NotTried))
			for _, o := range apply(t, c.client, c.plan) {
				if o.State != reconcile.Done && o.State != reconcile.Already {
					t.Errorf("%+v", o)
				}
			}
			c.complete(t, before)
		})
	}
}

// nonzero makes sure that a state is counted, if only as none.
func nonzero(count map[reconcile.State]int, state reconcile.State) map[reconcile.State]int {
	count[state] += 0
	return count
}
