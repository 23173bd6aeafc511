package reconcile_test

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/ehrtest"
	"github.com/veonahealth/charter/reconcile"
	"github.com/veonahealth/charter/reconcile/ehr"
)

// TestAStepThatFailsKeepsTheLaterOnesOfItsTenantAlone lets each subject's write be
// refused in turn.
func TestAStepThatFailsKeepsTheLaterOnesOfItsTenantAlone(t *testing.T) {
	for i, subject := range subjects {
		t.Run(subject, func(t *testing.T) {
			c := newCustomer(t)
			method, path := c.request(i)
			c.proxy.Add(ehrtest.Rule{Method: method, Path: path, Fault: ehrtest.Problem(422, "invalid")})
			outcomes := apply(t, c.client, c.plan)
			but := []string{subject + " refused"}
			if subject == "health-centre edition" || strings.HasPrefix(subject, "kisumu ") {
				but = append(but, waiting(subject)...)
			}
			same(t, "outcomes", every(reconcile.Done, but...), became(outcomes))
			for _, o := range outcomes {
				waits := "it waits for the tenant's " + strings.Fields(subject)[1]
				if subject == "health-centre edition" {
					waits = "it waits for edition health-centre"
				}
				if o.State == reconcile.NotTried && (o.Text != waits || o.Unreadable) {
					t.Errorf("%+v", o)
				}
			}
			if text := outcome(t, outcomes, subject).Text; !strings.Contains(text, "422 invalid") {
				t.Errorf("text %q", text)
			}

			c.proxy.Reset()
			for _, o := range apply(t, c.client, c.plan) {
				if o.State != reconcile.Done && o.State != reconcile.Already {
					t.Errorf("the next time: %+v", o)
				}
			}
			same(t, "mails", []string{"grace@example.org"}, c.mails(t))
		})
	}
}

// TestAStepThatCannotBeLookedAtIsNotTried has reads that fail once the plan is made.
func TestAStepThatCannotBeLookedAtIsNotTried(t *testing.T) {
	for subject, path := range map[string]string{
		"health-centre edition": "/editions/*", "county organisation": "/clients", "kisumu tenant": "/tenants/kisumu", "kisumu licence": "/licenses",
		"kisumu provision": "/tenants/*/facilities", "kisumu entitlements": "/tenants/kisumu/entitlements",
		"kisumu connect": "/tenants/*/connect-entitlements", "kisumu admin": "/tenants/*/tenant-admins",
	} {
		t.Run(subject, func(t *testing.T) {
			c := newCustomer(t)
			c.proxy.Add(ehrtest.Rule{Method: "GET", Path: path, Fault: ehrtest.Answer(503, "application/problem+json", `{"code":"unavailable","detail":"by the proxy"}`)})
			outcomes := apply(t, c.client, c.plan)
			but := []string{subject + " not-tried"}
			if subject != "county organisation" { // it is there, by another name
				but = append(but, waiting(subject)...)
			}
			same(t, "outcomes", every(reconcile.Done, but...), became(outcomes))
			o := outcome(t, outcomes, subject)
			if !o.Unreadable || !strings.Contains(o.Text, "503") {
				t.Errorf("%+v", o)
			}
			method, written := c.request(slices.Index(subjects, subject))
			same(t, "writes", 0, len(c.proxy.Seen(method, written)))
		})
	}
}

// TestAnOrganisationThatCannotBeMadeKeepsItsTenantsAlone has two new customers.
func TestAnOrganisationThatCannotBeMadeKeepsItsTenantsAlone(t *testing.T) {
	e := ehrtest.Start(t)
	proxy := ehrtest.NewProxy(t, e.URL)
	f, client := newFleet(t), newClient(t, proxy.URL)
	for _, id := range []string{"grace", "mercy"} {
		f.organise(t, id)
		f.declare(t, id, "health-centre", centre)
	}
	p := f.plan(t, client)
	proxy.Add(ehrtest.Rule{Method: "POST", Path: "/clients", Times: 1, Fault: ehrtest.Problem(422, "invalid")})
	r := applyOf(t, p)
	outcomes, err := reconcile.Apply(t.Context(), newClient(t, proxy.URL, func(o *ehr.Options) { o.Parallelism = 1 }), r)
	if err != nil {
		t.Fatal(err)
	}
	refused := strings.Fields(became(outcomes)[0])[0]
	for _, o := range outcomes {
		want := reconcile.Done
		switch {
		case o.Tenant == refused && o.Subject == "organisation":
			want = reconcile.Refused
		case o.Tenant == refused:
			want = reconcile.NotTried
			same(t, "text", "it waits for organisation "+refused, o.Text)
		}
		same(t, o.Tenant+" "+o.Subject, want, o.State)
	}
	same(t, "listings", 1, len(proxy.Seen("GET", "/clients"))-1) // and the plan's
}

func TestAProvisionThatLeavesNothingBehindIsUnconfirmed(t *testing.T) {
	c := newCustomer(t)
	c.proxy.Add(ehrtest.Rule{Path: "/tenants/kisumu/provision", Fault: ehrtest.Answer(201, "application/json", `{"created":{"facilities":["annex"],"staff":[]},"existing":{}}`)})
	outcomes := apply(t, c.client, c.plan)
	same(t, "outcomes", every(reconcile.Done, append(waiting("kisumu provision"), "kisumu provision unconfirmed")...), became(outcomes))
	same(t, "text", "the platform answered that it has made the facilities, and does not list all of them", outcome(t, outcomes, "kisumu provision").Text)
	same(t, "rows", 5, len(c.Grant(t, "kisumu").Rows))
	same(t, "mails", []string{}, c.mails(t))

	c.proxy.Reset()
	for _, o := range apply(t, c.client, c.plan) {
		if o.State != reconcile.Done && o.State != reconcile.Already {
			t.Errorf("the next time: %+v", o)
		}
	}
	same(t, "mails", []string{"grace@example.org"}, c.mails(t))
}

// TestAnInvitationWaitsForTheDeployment lets the platform say that nobody could
// sign in yet. Everything else is carried out, and a withdrawal too.
func TestAnInvitationWaitsForTheDeployment(t *testing.T) {
	for name, change := range map[string][2]string{
		"it is not reachable": {`"reachable":true`, `"reachable":false`},
		"its app is down":     {`"app":"up"`, `"app":"down"`},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCustomer(t)
			c.Do(t, "POST", "/tenants/kisumu/tenant-admins", nil, object{"email": "zoe@example.org", "name": "Zoe"}, http.StatusCreated, nil)
			c.tenant.Admins = append(c.tenant.Admins,
				catalog.Admin{Email: "mia@example.org", Name: "Mia"}, catalog.Admin{Email: "zoe@example.org", Name: "Zoe", Withdrawn: "has left"})
			c.plan = c.fleet.plan(t, c.client)
			c.proxy.Add(ehrtest.Rule{Path: "/tenants/kisumu/ehr-status", Fault: ehrtest.Rewrite(func(body []byte) []byte {
				return bytes.Replace(body, []byte(change[0]), []byte(change[1]), 1)
			})})
			outcomes := apply(t, c.client, c.plan)
			for _, o := range outcomes {
				want := reconcile.Done
				if o.Path == "/tenants/kisumu/tenant-admins" {
					want = reconcile.NotTried
					same(t, "text", "it waits for the tenant's deployment, which is accepted and not reachable yet", o.Text)
				}
				if o.State != want || o.Unreadable {
					t.Errorf("%+v", o)
				}
			}
			same(t, "mails", []string{"zoe@example.org"}, c.mails(t))

			c.proxy.Reset()
			next := c.fleet.plan(t, c.client)
			same(t, "the next plan", []string{"+ kisumu admin grace@example.org", "+ kisumu admin mia@example.org"}, changes(next))
			for _, o := range apply(t, c.client, next) {
				same(t, "the next time", reconcile.Done, o.State)
			}
			same(t, "mails in the end", []string{"grace@example.org", "mia@example.org", "zoe@example.org"}, slices.Sorted(slices.Values(c.mails(t))))
			same(t, "left to do", []string{}, changes(c.fleet.plan(t, c.client)))
		})
	}
}

// TestAnApplyOfSomeTenantsCarriesOutTheirBatchesAlone also leaves out what belongs
// to no tenant.
func TestAnApplyOfSomeTenantsCarriesOutTheirBatchesAlone(t *testing.T) {
	c := newCustomer(t)
	r := applyOf(t, c.plan)
	r.Only = map[catalog.TenantID]bool{must(catalog.ParseTenantID("beside"))(t): true}
	r.Progress = func(done, of int, _ reconcile.Outcome) { same(t, "progress", [2]int{1, 1}, [2]int{done, of}) }
	outcomes, err := reconcile.Apply(t.Context(), c.client, r)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "outcomes", []string{"beside entitlements done"}, became(outcomes))
	same(t, "writes", 1, c.writes())
}

// TestAStreamThatBreaksOffKeepsNobodyWhoDoesNotNeedIt has new customers beside so
// many grants that these are read in one stream.
func TestAStreamThatBreaksOffKeepsNobodyWhoDoesNotNeedIt(t *testing.T) {
	e := ehrtest.Start(t)
	f, _ := many(t, e, lots)
	for _, id := range []string{"grace", "mercy"} {
		f.organise(t, id)
		f.declare(t, id, "health-centre", centre, "maternity")
	}
	proxy := ehrtest.NewProxy(t, e.URL)
	client := newClient(t, proxy.URL)
	p := f.plan(t, client)
	proxy.Add(ehrtest.Rule{Method: "POST", Path: "/tenants/grace/provision", Fault: ehrtest.Problem(422, "invalid")})
	proxy.Add(ehrtest.Rule{Path: "/entitlements", Fault: ehrtest.Cut(4000)})
	broken := 0
	for _, o := range apply(t, client, p) {
		switch name := o.Tenant + " " + o.Subject; {
		case name == "grace provision":
			same(t, name, reconcile.Refused, o.State)
		case name == "grace entitlements":
			same(t, name, reconcile.NotTried, o.State)
			same(t, name, "it waits for the tenant's provision", o.Text)
			same(t, name, false, o.Unreadable)
		case o.State == reconcile.NotTried && o.Unreadable && strings.Contains(o.Text, "broke off") && strings.HasPrefix(name, "t"):
			broken++
		case o.State != reconcile.Done:
			t.Errorf("%+v", o)
		}
	}
	if broken == 0 || broken == lots {
		t.Errorf("%d tenants did not come in the stream", broken)
	}
}
