package reconcile_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/veonahealth/charter/examples/ehr/ehrtest"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile"
)

// outcome returns what became of one of the customer's batches.
func outcome(t testing.TB, outcomes []reconcile.Outcome, subject string) reconcile.Outcome {
	t.Helper()
	i := slices.IndexFunc(outcomes, func(o reconcile.Outcome) bool { return o.Tenant+" "+o.Subject == subject })
	if i < 0 {
		t.Fatalf("no outcome of %s", subject)
	}
	return outcomes[i]
}

// waiting are the customer's steps after one of them, none of which is tried.
func waiting(after string) []string {
	var list []string
	for _, subject := range subjects[slices.Index(subjects, after)+1:] {
		if strings.HasPrefix(subject, "kisumu ") {
			list = append(list, subject+" not-tried")
		}
	}
	return list
}

// put writes as somebody else.
func (c *customer) put(t *testing.T, path string, body any) {
	t.Helper()
	header := http.Header{}
	if strings.HasPrefix(path, "/registry/editions/") {
		header["If-Match"] = []string{c.Do(t, "GET", strings.TrimPrefix(path, "/registry"), nil, nil, http.StatusOK, nil).Get("ETag")}
	}
	c.Do(t, "PUT", path, header, body, http.StatusOK, nil)
}

func TestWhatOtherHandsDidBetweenPlanAndApplyIsNeverOverwritten(t *testing.T) {
	const otherwise = "the platform has it otherwise than when it was planned"
	for _, c := range []struct {
		name    string
		hand    func(*testing.T, *customer)
		subject string
		state   reconcile.State
		text    string
		// also are other outcomes than done, beside the steps that wait.
		also []string
	}{
		{"an edition", func(t *testing.T, c *customer) {
			c.put(t, "/registry/editions/health-centre", object{"name": "Clinic", "modules": []string{"chart"}, "limits": object{}})
		}, "health-centre edition", reconcile.Moved, otherwise, waiting("county organisation")},
		{"an organisation", func(t *testing.T, c *customer) {
			c.put(t, "/clients/county", object{"name": "The County"})
		}, "county organisation", reconcile.Moved, otherwise, nil},
		{"an organisation, as planned", func(t *testing.T, c *customer) {
			c.put(t, "/clients/county", object{"name": "Kisumu County"})
		}, "county organisation", reconcile.Already, "", nil},
		{"a tenant", func(t *testing.T, c *customer) {
			c.put(t, "/tenants/kisumu", object{"name": "Kisumu II", "edition": "health-centre", "hosting": "on-prem"})
		}, "kisumu tenant", reconcile.Moved, otherwise, waiting("kisumu tenant")},
		{"a licence", func(t *testing.T, c *customer) {
			c.Do(t, "POST", "/licenses", nil, object{"tenant": "kisumu", "expires": ends[0].AddDate(0, 6, 0)}, http.StatusCreated, nil)
		}, "kisumu licence", reconcile.Moved, otherwise, waiting("kisumu licence")},
		{"another facility", func(t *testing.T, c *customer) {
			c.Provision(t, "kisumu", "health-centre", "wing")
		}, "kisumu provision", reconcile.Moved, otherwise, waiting("kisumu provision")},
		{"a size", func(t *testing.T, c *customer) {
			c.put(t, "/tenants/kisumu/facilities/main", object{"name": "Facility main", "beds": 39, "users": 0, "storage_gb": 0})
		}, "kisumu facility", reconcile.Moved, otherwise, waiting("kisumu facility")},
		{"a size, as planned", func(t *testing.T, c *customer) {
			c.put(t, "/tenants/kisumu/facilities/main", object{"name": "Facility main", "beds": 40, "users": 0, "storage_gb": 0})
		}, "kisumu facility", reconcile.Already, "", nil},
		{"rows", func(t *testing.T, c *customer) {
			c.Put(t, "kisumu", "main chart")
		}, "kisumu entitlements", reconcile.Moved, "planned on what provisioning makes of revision 1, and the grant is at revision 3", waiting("kisumu entitlements")},
		{"instruments", func(t *testing.T, c *customer) {
			c.put(t, "/tenants/kisumu/connect-entitlements", object{"instruments": []object{{"key": "sysmex-xn-1000", "licensed": false}, {"key": anotherInstrument(t), "licensed": true}}})
		}, "kisumu connect", reconcile.Moved, otherwise, waiting("kisumu connect")},
		{"instruments, as planned", func(t *testing.T, c *customer) {
			c.put(t, "/tenants/kisumu/connect-entitlements", object{"instruments": []object{{"key": "sysmex-xn-1000", "licensed": true}, {"key": anotherInstrument(t), "licensed": false}}})
		}, "kisumu connect", reconcile.Already, "", nil},
		{"an invitation", func(t *testing.T, c *customer) {
			c.Do(t, "POST", "/tenants/kisumu/tenant-admins", nil, object{"email": "Grace@example.org", "name": "G"}, http.StatusCreated, nil)
		}, "kisumu admin", reconcile.Already, "", nil},
		{"an invitation that was withdrawn since", func(t *testing.T, c *customer) {
			c.Do(t, "POST", "/tenants/kisumu/tenant-admins", nil, object{"email": "grace@example.org", "name": "G"}, http.StatusCreated, nil)
			c.Do(t, "DELETE", "/tenants/kisumu/tenant-admins/grace@example.org", nil, object{}, http.StatusOK, nil)
		}, "kisumu admin", reconcile.Already, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newCustomer(t)
			c.hand(t, s)
			i := slices.Index(subjects, c.subject)
			method, path := s.request(i)
			outcomes := apply(t, s.client, s.plan)
			same(t, "outcomes", every(reconcile.Done, append(c.also, c.subject+" "+string(c.state))...), became(outcomes))
			o := outcome(t, outcomes, c.subject)
			same(t, "text", c.text, o.Text)
			same(t, "path", path, o.Path)
			same(t, "writes", 0, len(s.proxy.Seen(method, path)))
			if mails := s.mails(t); len(mails) > 1 {
				t.Errorf("mails to %q", mails)
			}
		})
	}
}

func anotherInstrument(t testing.TB) string {
	t.Helper()
	for _, i := range must(standard())(t).Instruments() {
		if key := i.Key.String(); key != "sysmex-xn-1000" {
			return key
		}
	}
	t.Fatal("the catalogue has one instrument alone")
	return ""
}

// TestAFacilityThatOtherHandsMadeIsNotTakenForOurs has one that was made before the
// edition was edited: it lacks a row that the plan counted on.
func TestAFacilityThatOtherHandsMadeIsNotTakenForOurs(t *testing.T) {
	c := newCustomer(t)
	c.Provision(t, "kisumu", "health-centre", "annex")
	outcomes := apply(t, c.client, c.plan)
	same(t, "outcomes", every(reconcile.Done,
		append(waiting("kisumu entitlements"), "kisumu provision already", "kisumu entitlements moved")...), became(outcomes))
	same(t, "rows", 10, len(c.Grant(t, "kisumu").Rows))

	again := apply(t, c.client, c.fleet.plan(t, c.client))
	for _, o := range again {
		if o.State != reconcile.Done {
			t.Errorf("%+v", o)
		}
	}
	same(t, "rows in the end", 14, len(c.Grant(t, "kisumu").Rows))
	same(t, "mails", []string{"grace@example.org"}, c.mails(t))
}

// TestInstrumentsThatOtherHandsWriteBehindOursAreReported writes before they are
// read back: they have no revision that would tell.
func TestInstrumentsThatOtherHandsWriteBehindOursAreReported(t *testing.T) {
	c := newCustomer(t)
	c.proxy.Add(ehrtest.Rule{Method: "PUT", Path: "/tenants/kisumu/connect-entitlements", Fault: func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		pass.ServeHTTP(w, r)
		c.put(t, "/tenants/kisumu/connect-entitlements", object{"instruments": []object{}})
	}})
	outcomes := apply(t, c.client, c.plan)
	same(t, "outcomes", every(reconcile.Done, append(waiting("kisumu connect"), "kisumu connect moved")...), became(outcomes))
	same(t, "text", "somebody else has written it meanwhile", outcome(t, outcomes, "kisumu connect").Text)
	same(t, "the next plan", []string{"+ kisumu instrument sysmex-xn-1000", "+ kisumu admin grace@example.org"}, changes(c.fleet.plan(t, newClient(t, c.proxy.URL))))
}

// TestAnEditionThatMovesAtTheLastMomentIsNotOverwritten edits it between the look
// and the write, which only its entity tag tells.
func TestAnEditionThatMovesAtTheLastMomentIsNotOverwritten(t *testing.T) {
	c := newCustomer(t)
	c.proxy.Add(ehrtest.Rule{Method: "PUT", Path: "/registry/editions/*", Times: 1, Fault: ehrtest.Before(func() {
		c.put(t, "/registry/editions/health-centre", object{"name": "Clinic", "modules": []string{"chart"}, "limits": object{}})
	})})
	outcomes := apply(t, c.client, c.plan)
	same(t, "outcomes", every(reconcile.Done, append(waiting("county organisation"), "health-centre edition moved")...), became(outcomes))
	var edition struct{ Name string }
	c.Do(t, "GET", "/editions/health-centre", nil, nil, http.StatusOK, &edition)
	same(t, "name", "Clinic", edition.Name)
	same(t, "mails", []string{}, c.mails(t))
}

// TestAnInvitationThatOtherHandsSendAtTheLastMomentIsNotSentTwice sends it between
// the look and the write.
func TestAnInvitationThatOtherHandsSendAtTheLastMomentIsNotSentTwice(t *testing.T) {
	c := newCustomer(t)
	c.proxy.Add(ehrtest.Rule{Method: "POST", Path: "/tenants/kisumu/tenant-admins", Times: 1, Fault: ehrtest.Before(func() {
		c.Do(t, "POST", "/tenants/kisumu/tenant-admins", nil, object{"email": "GRACE@example.org", "name": "G"}, http.StatusCreated, nil)
	})})
	same(t, "outcomes", every(reconcile.Done, "kisumu admin already"), became(apply(t, c.client, c.plan)))
	same(t, "mails", []string{"GRACE@example.org"}, c.mails(t))
}

// TestAPlanOfLaterHandsIsStillGood plans again after others wrote: what they did is
// the base of the next plan.
func TestAPlanOfLaterHandsIsStillGood(t *testing.T) {
	c := newCustomer(t)
	c.put(t, "/tenants/kisumu", object{"name": "Kisumu II", "edition": "health-centre", "hosting": "on-prem"})
	c.Put(t, "kisumu", "main chart", "main theatre")
	c.plan = c.fleet.plan(t, c.client)
	before := c.events(t)
	same(t, "outcomes", every(reconcile.Done), became(apply(t, c.client, c.plan)))
	c.complete(t, before)
	same(t, "base", "base provisioned 2", c.plan.Batches[slices.IndexFunc(c.plan.Batches, func(b plan.Batch) bool {
		return b.Tenant == "kisumu" && b.Subject == plan.Entitlements
	})].Base.Line())
}
