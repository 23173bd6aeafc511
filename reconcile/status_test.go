package reconcile_test

import (
	"testing"

	"github.com/veonahealth/charter/examples/ehr/ehrtest"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile"
)

// standing is what these tests look at of a TenantStatus.
type standing struct {
	Platform       string
	Declared, Rows int
	Grant, Revoke  int
	Change         int
	Enforced       int64
	Reachable      bool
	Held           []plan.Code
	InStep         bool
	Unreadable     bool
}

func standings(list []reconcile.TenantStatus) map[string]standing {
	found := map[string]standing{}
	for i := range list {
		s := &list[i]
		got := standing{
			Platform: s.Platform, Declared: s.Declared, Rows: -1, Grant: s.Grant, Revoke: s.Revoke, Change: s.Change, Enforced: -1,
			Reachable: s.Reachable, InStep: s.InStep(), Unreadable: s.Unreadable != "",
		}
		if s.Accepted != nil {
			got.Rows = s.Accepted.Rows
		}
		if s.Enforced != nil {
			got.Enforced = s.Enforced.Revision
		}
		for _, h := range s.Held {
			got.Held = append(got.Held, h.Reason)
		}
		found[s.Tenant] = got
	}
	return found
}

// statusOf reads the status of some tenants through a proxy.
func statusOf(t *testing.T, proxy *ehrtest.Proxy, f *fleet, ids ...string) map[string]standing {
	t.Helper()
	list, _, err := reconcile.Status(t.Context(), newClient(t, proxy.URL), f.request(t, ids...))
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < len(list); i++ {
		if list[i-1].Tenant >= list[i].Tenant {
			t.Errorf("%s comes before %s", list[i-1].Tenant, list[i].Tenant)
		}
	}
	return standings(list)
}

func TestStatusSetsDeclaredAcceptedAndEnforcedSideBySide(t *testing.T) {
	e, f := motley(t)
	f.declare(t, "x-even", "health-centre", centre)
	e.Onboard(t, "x-even", "health-centre", "main")
	f.declare(t, "x-broken", "health-centre", centre)
	e.Onboard(t, "x-broken", "health-centre", "main")
	f.declare(t, "x-mute", "health-centre", centre)
	e.Onboard(t, "x-mute", "health-centre", "main")
	proxy := ehrtest.NewProxy(t, e.URL)
	proxy.Add(ehrtest.Rule{Path: "/tenants/x-broken/entitlements", Fault: ehrtest.Drop})
	proxy.Add(ehrtest.Rule{Path: "/tenants/x-mute/ehr-status", Fault: ehrtest.Problem(404, "not-found")})
	want := map[string]standing{
		"x-even":      {Platform: "provisioned", Declared: 5, Rows: 5, Enforced: 1, Reachable: true, InStep: true},
		"t00":         {Platform: "provisioned", Declared: 6, Rows: 5, Grant: 1, Enforced: 1, Reachable: true},
		"u-absent":    {Declared: 6, Rows: -1, Grant: 6, Change: 2, Enforced: -1},
		"u-created":   {Platform: "created", Declared: 6, Grant: 6, Change: 1, Enforced: 0, Reachable: true},
		"u-suspended": {Platform: "suspended", Declared: 6, Rows: 5, Enforced: 1, Reachable: true, Held: []plan.Code{plan.Suspended}},
		"v-foreign": {Platform: "provisioned", Declared: 6, Rows: 5, Grant: 4, Revoke: 1, Enforced: 2, Reachable: true,
			Held: []plan.Code{plan.UnknownFacility, plan.UnknownModule}},
		"x-mute":   {Platform: "provisioned", Declared: 5, Rows: 5, Enforced: -1, Unreadable: true},
		"x-broken": {Declared: 5, Rows: -1, Enforced: -1, Unreadable: true},
	}
	got := statusOf(t, proxy, f, "x-even", "t00", "u-absent", "u-created", "u-suspended", "v-foreign", "x-mute", "x-broken")
	same(t, "few", want, got)

	delete(want, "x-broken") // its grant comes in the stream
	all := statusOf(t, proxy, f)
	same(t, "tenants", len(f.tenants), len(all))
	for id := range want {
		same(t, id+" in bulk", want[id], all[id])
	}
}

func TestStatusWritesNothing(t *testing.T) {
	e, f := motley(t)
	before := e.Audit(t)
	statusOf(t, ehrtest.NewProxy(t, e.URL), f)
	same(t, "audit trail", len(before), len(e.Audit(t)))
}
