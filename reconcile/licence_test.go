package reconcile_test

import (
	"net/http"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/ehrtest"
	"github.com/veonahealth/charter/reconcile"
)

// issued is a licence as the EHR answers it.
type issued struct{ ID, Token string }

func issue(t *testing.T, e *ehrtest.EHR, tenant string, expires time.Time) issued {
	t.Helper()
	var l issued
	e.Do(t, "POST", "/licenses", nil, map[string]any{"tenant": tenant, "expires": expires}, http.StatusCreated, &l)
	return l
}

// activate lets a box begin to run by a licence.
func activate(t *testing.T, e *ehrtest.EHR, l issued) {
	t.Helper()
	bearer := http.Header{"Authorization": {"Bearer " + l.Token}}
	e.Do(t, "POST", "/licenses/"+l.ID+"/activate", bearer, map[string]any{"fingerprint": "box"}, http.StatusOK, nil)
}

// licenceAt reads how the licence of a tenant stands at a time.
func licenceAt(t *testing.T, e *ehrtest.EHR, f *fleet, id string, at time.Time) *reconcile.LicenceStatus {
	t.Helper()
	request := f.request(t, id)
	request.At = at
	list, _, err := reconcile.Status(t.Context(), newClient(t, e.URL), request)
	if err != nil {
		t.Fatal(err)
	}
	return list[0].Licence
}

func warnings(l *reconcile.LicenceStatus) []string {
	if l == nil {
		return []string{"no licence"}
	}
	return l.Warnings
}

func TestStatusWarnsThirtyDaysBeforeALicenceEnds(t *testing.T) {
	e, f := ehrtest.Start(t), newFleet(t)
	end := time.Date(2030, 6, 1, 0, 0, 0, 0, time.UTC)
	f.declare(t, "prem", "health-centre", centre).Licence = &catalog.Licence{Expires: end}
	f.declare(t, "cloud", "health-centre", centre)
	e.Onboard(t, "prem", "health-centre", "main")
	e.Onboard(t, "cloud", "health-centre", "main")
	l := issue(t, e, "prem", end)
	for _, c := range []struct {
		at   time.Time
		want []string
	}{
		{end.AddDate(0, 0, -30).Add(-time.Second), []string{}},
		{end.AddDate(0, 0, -30), []string{"the licence ends on 2030-06-01"}},
		{end.Add(-time.Second), []string{"the licence ends on 2030-06-01"}},
		{end, []string{"the licence has ended on 2030-06-01"}},
	} {
		got := licenceAt(t, e, f, "prem", c.at)
		if diff := gocmp.Diff(c.want, warnings(got)); diff != "" {
			t.Errorf("at %s: -want +got:\n%s", c.at, diff)
		}
		if got != nil && (got.ID != l.ID || got.Expires != "2030-06-01" || got.OfflineUntil != "") {
			t.Errorf("licence %+v, want %s", got, l.ID)
		}
	}
	if got := licenceAt(t, e, f, "cloud", end); got != nil {
		t.Errorf("a tenant without a licence has %+v", got)
	}
}

func TestStatusWarnsOfAGraceOnceItsBoxIsSilent(t *testing.T) {
	e, f := ehrtest.Start(t), newFleet(t)
	end := time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC)
	tenant := f.declare(t, "prem", "health-centre", centre)
	tenant.Hosting, tenant.Licence = catalog.OnPrem, &catalog.Licence{Expires: end}
	e.Onboard(t, "prem", "health-centre", "main")
	e.Do(t, "PUT", "/tenants/prem", nil, map[string]any{"name": tenant.Name, "edition": "health-centre", "hosting": "on-prem"}, http.StatusOK, nil)
	activate(t, e, issue(t, e, "prem", end))
	heard := licenceAt(t, e, f, "prem", end.AddDate(-1, 0, 0))
	if heard == nil || heard.HeartbeatAt == "" || heard.OfflineUntil == "" {
		t.Fatalf("licence %+v, want a heartbeat and a grace", heard)
	}
	heartbeat := must(time.Parse(time.RFC3339Nano, heard.HeartbeatAt))(t)
	until := must(time.Parse(time.RFC3339Nano, heard.OfflineUntil))(t)
	for _, c := range []struct {
		at   time.Time
		want []string
	}{
		{heartbeat.Add(23 * time.Hour), []string{}},
		{heartbeat.Add(24 * time.Hour), []string{"the offline grace ends on " + heard.OfflineUntil}},
		{until, []string{"the offline grace has ended on " + heard.OfflineUntil}},
	} {
		if diff := gocmp.Diff(c.want, warnings(licenceAt(t, e, f, "prem", c.at))); diff != "" {
			t.Errorf("at %s: -want +got:\n%s", c.at, diff)
		}
	}
}

func TestStatusSpeaksOfTheLicenceThatADeploymentRunsBy(t *testing.T) {
	e, f := ehrtest.Start(t), newFleet(t)
	early, late := time.Date(2089, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC)
	tenant := f.declare(t, "prem", "health-centre", centre)
	tenant.Hosting, tenant.Licence = catalog.OnPrem, &catalog.Licence{Expires: late}
	e.Onboard(t, "prem", "health-centre", "main")
	e.Do(t, "PUT", "/tenants/prem", nil, map[string]any{"name": tenant.Name, "edition": "health-centre", "hosting": "on-prem"}, http.StatusOK, nil)
	first := issue(t, e, "prem", early)
	activate(t, e, first)
	issue(t, e, "prem", late) // its box has not taken it yet
	if got := licenceAt(t, e, f, "prem", now); got == nil || got.ID != first.ID || got.Expires != "2089-01-01" || got.State != "active" {
		t.Errorf("licence %+v, want %s", got, first.ID)
	}
}
