package reconcile_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/ehrtest"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile"
	"github.com/veonahealth/charter/reconcile/ehr"
)

// collections are what an older platform may not have, and another token not read.
var collections = []string{
	"/editions", "/clients", "/licenses", "/tenants/*/facilities", "/tenants/*/connect-entitlements", "/tenants/*/tenant-admins",
}

func TestAPlatformThatOffersRowsAloneIsPlannedForRows(t *testing.T) {
	for name, fault := range map[string]ehrtest.Fault{"not there": ehrtest.Problem(404, "not-found"), "not to be read": ehrtest.Problem(403, "capability-missing")} {
		t.Run(name, func(t *testing.T) {
			c := newCustomer(t)
			for _, path := range collections {
				c.proxy.Add(ehrtest.Rule{Method: "GET", Path: path, Fault: fault})
			}
			for way, ids := range map[string][]string{"all": nil, "by name": {"beside", "kisumu"}} {
				p := c.fleet.plan(t, c.client, ids...)
				same(t, way+": subjects", []string{"kisumu tenant", "beside entitlements", "kisumu entitlements"}, kinds(p))
				same(t, way+": refusals", []string{"kisumu * not-offered", "kisumu * not-offered", "kisumu * not-offered"}, refusals(p))
				same(t, way+": unreadable", 0, len(p.Unreadable))
				var warned []string
				for _, w := range p.Warnings {
					warned = append(warned, w.Code)
				}
				same(t, way+": warnings", []string{"editions", "organisations"}, warned)
			}
		})
	}
}

// TestATokenThatMayOnlyReadRowsPlansForRows asks as an actor whom the platform lets
// read tenants and grants.
func TestATokenThatMayOnlyReadRowsPlansForRows(t *testing.T) {
	c := newCustomer(t)
	p := c.fleet.plan(t, newClient(t, c.URL, func(o *ehr.Options) { o.Token = ehrtest.ReaderToken }))
	got := kinds(p)
	for _, subject := range []string{"health-centre edition", "kisumu licence", "kisumu admin"} {
		if slices.Contains(got, subject) {
			t.Errorf("%s is planned without being read", subject)
		}
	}
	if !slices.Contains(got, "kisumu entitlements") || len(p.Refusals) == 0 {
		t.Errorf("batches %q, refusals %+v", got, p.Refusals)
	}
}

func TestATokenThatIsNotKnownAnyMoreEndsTheReading(t *testing.T) {
	c := newCustomer(t)
	for _, path := range collections {
		c.proxy.Reset()
		c.proxy.Add(ehrtest.Rule{Method: "GET", Path: path, Fault: ehrtest.Problem(401, "unauthenticated")})
		p, _, err := reconcile.Plan(t.Context(), c.client, c.fleet.request(t))
		if p != nil || !ehr.IsDenied(err) {
			t.Errorf("%s: plan %v, error %v", path, p, err)
		}
	}
}

// TestALicenceThatCannotBeReadMakesItsTenantUnreadable leaves out nobody else.
func TestALicenceThatCannotBeReadMakesItsTenantUnreadable(t *testing.T) {
	c := newCustomer(t)
	c.proxy.Add(ehrtest.Rule{Path: "/licenses", Fault: ehrtest.Answer(503, "application/problem+json", `{"code":"unavailable"}`)})
	p := c.fleet.plan(t, c.client)
	if len(p.Unreadable) != 1 || p.Unreadable[0].Tenant != "kisumu" || !strings.Contains(p.Unreadable[0].Text, "503") {
		t.Errorf("unreadable %+v", p.Unreadable)
	}
	same(t, "subjects", []string{"health-centre edition", "county organisation", "beside entitlements"}, kinds(p))
}

// TestLicencesAreListedOnce has many tenants that need one, on a platform that
// lists them all and on one that lists them by tenant alone.
func TestLicencesAreListedOnce(t *testing.T) {
	e := ehrtest.Start(t)
	f, _ := many(t, e, 25)
	for _, tenant := range f.tenants {
		tenant.Grants, tenant.Licence = nil, &catalog.Licence{Expires: ends[0]}
	}
	proxy := ehrtest.NewProxy(t, e.URL)
	want := f.plan(t, newClient(t, proxy.URL))
	same(t, "batches", 25, len(want.Batches))
	same(t, "listings", 1, len(proxy.Seen("GET", "/licenses")))

	proxy.Reset()
	proxy.Add(ehrtest.Rule{Path: "/licenses", Times: 1, Fault: ehrtest.Problem(422, "invalid")})
	same(t, "by tenant", want, f.plan(t, newClient(t, proxy.URL)))
	same(t, "listings by tenant", 1+25, len(proxy.Seen("GET", "/licenses")))

	proxy.Reset()
	proxy.Add(ehrtest.Rule{Path: "/licenses", Fault: ehrtest.Problem(403, "capability-missing")})
	same(t, "refusals", 25, len(f.plan(t, newClient(t, proxy.URL)).Refusals))
	same(t, "listings that are refused", 1, len(proxy.Seen("GET", "/licenses")))
}

// TestAShorterLicenceIsIssuedOnce has a deployment that goes on by the longer one.
func TestAShorterLicenceIsIssuedOnce(t *testing.T) {
	c := newCustomer(t)
	apply(t, c.client, c.plan)
	var page struct {
		Items []struct{ ID, State, Token string }
	}
	c.Do(t, "GET", "/licenses?tenant=kisumu", nil, nil, http.StatusOK, &page)
	for _, l := range page.Items {
		if l.State == plan.LicenceIssued {
			c.activate(t, l.ID, l.Token)
		}
	}
	c.tenant.Licence.Expires = ends[0]
	p := c.fleet.plan(t, c.client)
	same(t, "changes", []string{"+ kisumu licence kisumu"}, changes(p))
	same(t, "outcomes", []string{"kisumu licence done"}, became(apply(t, c.client, p)))
	same(t, "left to do", []string{}, changes(c.fleet.plan(t, c.client)))
	same(t, "again", []string{"kisumu licence already"}, became(apply(t, c.client, p)))

	c.tenant.Licence.Revoked = "moved to the cloud"
	p = c.fleet.plan(t, c.client)
	same(t, "revocations", "[kisumu licence kisumu licence]", fmt.Sprint(kinds(p)))
	same(t, "outcomes", []string{"kisumu licence done", "kisumu licence done"}, became(apply(t, c.client, p)))
	locked := c.fleet.plan(t, c.client)
	same(t, "left to do", []string{}, changes(locked))
	same(t, "held", []string{"kisumu * * locked"}, held(locked))
}
