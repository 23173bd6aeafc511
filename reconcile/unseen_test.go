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

// edit changes an edition on the platform, as somebody else than charter would.
func edit(t *testing.T, e *ehrtest.EHR, key string, change func(edition map[string]any)) {
	t.Helper()
	edition := map[string]any{}
	header := e.Do(t, "GET", "/editions/"+key, nil, nil, http.StatusOK, &edition)
	for _, field := range []string{"revision", "authority", "etag", "updated_at", "updated_by"} {
		delete(edition, field)
	}
	change(edition)
	e.Do(t, "PUT", "/registry/editions/"+key, http.Header{"If-Match": {header.Get("ETag")}}, edition, http.StatusOK, nil)
}

// TestFacilitiesAreNotMadeWithOtherRowsThanWereShown has the edition lose a module
// after people have seen the rows that come with a new site.
func TestFacilitiesAreNotMadeWithOtherRowsThanWereShown(t *testing.T) {
	e, f := ehrtest.Start(t), newFleet(t)
	e.Onboard(t, "kisumu", "hospital", "f0")
	f.declare(t, "kisumu", "hospital", []string{"f0", "f1"})
	client := newClient(t, e.URL)
	p := f.plan(t, client)
	edit(t, e, "hospital", func(edition map[string]any) {
		edition["modules"] = slices.DeleteFunc(edition["modules"].([]any), func(m any) bool { return m == "register" })
	})
	outcomes := apply(t, client, p)
	if o := outcomes[0]; o.State != reconcile.Moved || !strings.Contains(o.Text, "edition") {
		t.Errorf("%+v", o)
	}
	var sites struct{ Total int }
	e.Do(t, "GET", "/tenants/kisumu/facilities", nil, nil, http.StatusOK, &sites)
	if sites.Total != 1 {
		t.Errorf("%d sites, want the one that was there", sites.Total)
	}
}

// TestAnEditionIsNotChangedInWhatWasNotShown leaves a change out of a plan file.
func TestAnEditionIsNotChangedInWhatWasNotShown(t *testing.T) {
	e, f := ehrtest.Start(t), newFleet(t)
	f.declare(t, "kisumu", "hospital", []string{"f0"})
	e.Onboard(t, "kisumu", "hospital", "f0")
	edit(t, e, "hospital", func(edition map[string]any) {
		edition["name"] = "Old"
		edition["modules"] = slices.DeleteFunc(edition["modules"].([]any), func(m any) bool { return m == "register" })
	})
	client := newClient(t, e.URL)
	p := f.plan(t, client)
	b := &p.Batches[0]
	if b.Subject != plan.Edition || len(b.Changes) != 2 {
		t.Fatalf("%+v", b)
	}
	whole := b.Changes
	b.Changes = whole[:1]
	p.Summary.Change--
	if o := apply(t, client, p)[0]; o.State != reconcile.Moved {
		t.Errorf("%+v", o)
	}
	b.Changes = whole
	p.Summary.Change++
	if o := apply(t, client, p)[0]; o.State != reconcile.Done {
		t.Errorf("as it was shown: %+v", o)
	}
}
