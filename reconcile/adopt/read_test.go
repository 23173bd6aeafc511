package adopt_test

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/ehrtest"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/adopt"
	"github.com/veonahealth/charter/reconcile/ehr"
	"github.com/veonahealth/charter/schema"
)

func TestMain(m *testing.M) { os.Exit(ehrtest.Main(m)) }

func newClient(t testing.TB, url, token string) *ehr.Client {
	t.Helper()
	return must(ehr.New(ehr.Options{URL: url, Token: token, Retries: 1, Pause: time.Millisecond}))(t)
}

func TestEverythingIsReadWithOneRequestForEachKindAndThreeForATenant(t *testing.T) {
	e := ehrtest.Start(t, "--seed-fleet", "60")
	proxy := ehrtest.NewProxy(t, e.URL)
	r := must(adopt.Read(t.Context(), newClient(t, proxy.URL, ehrtest.Token)))(t)
	if len(r.Tenants) != 60 || len(r.Editions) != 4 || len(r.Organisations) == 0 {
		t.Errorf("%d tenants, %d editions, %d organisations", len(r.Tenants), len(r.Editions), len(r.Organisations))
	}
	for _, c := range []struct {
		path string
		want int
	}{
		{"/tenants", 1}, {"/editions", 1}, {"/clients", 1}, {"/licenses", 1}, {"/entitlements", 1}, {"/tenants/*/entitlements", 0},
		{"/tenants/*/facilities", 60}, {"/tenants/*/connect-entitlements", 60}, {"/tenants/*/tenant-admins", 60},
	} {
		if got := len(proxy.Seen("GET", c.path)); got != c.want {
			t.Errorf("GET %s: %d requests, want %d", c.path, got, c.want)
		}
	}
	statuses := map[plan.Status]int{}
	for _, f := range r.Tenants {
		statuses[f.Live.Status]++
		if !f.Live.Grant.Stamp.Valid() || f.Live.Facilities == nil || f.Live.Admins == nil || f.Live.Licences == nil {
			t.Errorf("tenant %s is not read whole: %+v", f.ID, f.Live)
		}
	}
	if statuses[plan.StatusSuspended] == 0 || statuses[plan.StatusActive] == 0 {
		t.Errorf("statuses %v, want suspended ones too", statuses)
	}
	i := adopted(t, t.TempDir(), r)
	if got := changes(i.plan); len(got) > 0 || len(i.fleet.Tenants)+statuses[plan.StatusCreated] != 60 {
		t.Errorf("%d tenants declared, and the plan changes %v", len(i.fleet.Tenants), got)
	}
}

// found is the live state of a tenant of a reading.
func found(t *testing.T, r *adopt.Reading, id string) plan.Live {
	t.Helper()
	return r.Tenant(tenantID(t, id))
}

func TestWhatFailsForOneTenantIsSaidOfThatTenant(t *testing.T) {
	e := ehrtest.Start(t)
	for _, id := range []string{"broken", "gone", "odd", "twice", "well"} {
		e.Onboard(t, id, "health-centre", "main")
	}
	proxy := ehrtest.NewProxy(t, e.URL)
	proxy.Add(ehrtest.Rule{Path: "/tenants/broken/entitlements", Fault: ehrtest.Drop})
	proxy.Add(ehrtest.Rule{Path: "/tenants/gone/entitlements", Fault: ehrtest.Problem(404, "not-found")})
	proxy.Add(ehrtest.Rule{Path: "/tenants/odd/facilities", Fault: ehrtest.Rewrite(func(body []byte) []byte {
		return bytes.ReplaceAll(body, []byte(`"id":"main"`), []byte(`"id":"../main"`))
	})})
	proxy.Add(ehrtest.Rule{Path: "/tenants/twice/facilities", Fault: ehrtest.Answer(200, "application/json",
		`{"items":[{"id":"a","name":"A"},{"id":"a","name":"B"}],"next_cursor":null,"total":2,"snapshot":"1"}`)})
	r := must(adopt.Read(t.Context(), newClient(t, proxy.URL, ehrtest.Token)))(t)
	for id, want := range map[string]string{
		"broken": "GET /tenants/broken/entitlements: ", "odd": `facility id "../main"`, "twice": "twice", "well": "",
	} {
		if got := found(t, r, id).Unreadable; !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("%s: unreadable %q, want %q", id, got, want)
		}
	}
	if !found(t, r, "gone").Absent || len(r.Tenants) != 4 {
		t.Errorf("a tenant that went is still there: %+v", r.Tenants)
	}
}

func TestWhatIsTrueOfAllIsAnError(t *testing.T) {
	e := ehrtest.Start(t, "--seed-fleet", "30")
	for name, fault := range map[string]ehrtest.Rule{
		"the stream of grants is cut":   {Path: "/entitlements", Fault: ehrtest.Cut(2000)},
		"the listing is cut":            {Path: "/tenants", Fault: ehrtest.Cut(200)},
		"a tenant's id is none":         {Path: "/tenants", Fault: ehrtest.Answer(200, "application/json", `{"items":[{"id":"../etc","name":"","status":"active"}],"next_cursor":null,"total":1,"snapshot":"1"}`)},
		"the token may not read grants": {Path: "/entitlements", Fault: ehrtest.Problem(403, "capability-missing")},
	} {
		proxy := ehrtest.NewProxy(t, e.URL)
		proxy.Add(fault)
		if _, err := adopt.Read(t.Context(), newClient(t, proxy.URL, ehrtest.Token)); err == nil {
			t.Errorf("%s: it was read all the same", name)
		}
	}
}

func TestATokenThatMayNotReadARegistryAdoptsIntoAFleetWithoutIt(t *testing.T) {
	e := ehrtest.Start(t)
	e.Onboard(t, "well", "health-centre", "main")
	r := must(adopt.Read(t.Context(), newClient(t, e.URL, ehrtest.ReaderToken)))(t)
	if r.Editions != nil || found(t, r, "well").Admins != nil {
		t.Errorf("editions %v, administrators %v: want nothing known", r.Editions, found(t, r, "well").Admins)
	}
	if !r.Denied[adopt.ReadEditions] || !r.Denied[adopt.ReadLicences] || !r.Denied[adopt.ReadAdmins] || r.Denied[adopt.ReadInstruments] {
		t.Errorf("denied %v", r.Denied)
	}
	base := catalog.Desired{Catalog: must(schema.LoadCatalog(catalog.DefaultFiles()))(t)}
	found := must(adopt.Declare(r, adopt.Request{Base: &base, Environment: catalog.DefaultEnvironment, At: now, Owner: "Ann"}))(t)
	if len(found.Tenants) != 1 || found.Tenants[0].Edition.String() != "health-centre" {
		t.Errorf("tenants %+v", found.Tenants)
	}
}

func TestIntoAFleetOnlyWhatIsMissingIsDeclared(t *testing.T) {
	e := ehrtest.Start(t)
	e.Onboard(t, "first", "health-centre", "main")
	client := newClient(t, e.URL, ehrtest.Token)
	i := adopted(t, t.TempDir(), must(adopt.Read(t.Context(), client))(t))
	e.Onboard(t, "second", "hospital", "main")
	r := must(adopt.Read(t.Context(), client))(t)
	more := must(adopt.Declare(r, adopt.Request{Base: &i.fleet.Desired, Environment: catalog.DefaultEnvironment, At: now, Owner: "Ann"}))(t)
	var paths []string
	for _, f := range must(more.Files())(t) {
		paths = append(paths, f.Path)
	}
	if want := []string{"organisations/second.cue", "tenants/second/tenant.cue"}; !slices.Equal(paths, want) {
		t.Errorf("files %v, want %v", paths, want)
	}
}
