package platform_test

import (
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/internal/platform"
	"github.com/veonahealth/charter/examples/ehr/internal/sqlite"
)

// TestADeploymentIsLockedByItsLicenceAndTheClock moves the clock past each of the
// ends that a licence has.
func TestADeploymentIsLockedByItsLicenceAndTheClock(t *testing.T) {
	begin := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	c := &clock{now: begin}
	p, stop := open(t, sqlite.Memory, c.read)
	defer stop()
	id, w := tenantOf(t, p, catalog.OnPrem), platform.Write{Actor: "a"}
	status := func() platform.Status {
		t.Helper()
		body, err := p.Tenant(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		var held platform.Tenant
		if err := json.Unmarshal(body, &held); err != nil {
			t.Fatal(err)
		}
		return held.Status
	}
	notBefore, expires := begin.Add(time.Hour), begin.AddDate(0, 1, 0)
	answer, err := p.IssueLicence(t.Context(), w, platform.LicenceSpec{Tenant: id, NotBefore: &notBefore, Expires: &expires})
	if err != nil {
		t.Fatal(err)
	}
	var l platform.Licence
	if err := json.Unmarshal(answer.Body, &l); err != nil {
		t.Fatal(err)
	}
	activate := func() platform.Code {
		_, err := p.Activate(t.Context(), w, l.ID, "box")
		return code(err)
	}
	if got := activate(); got != platform.LicenceNotBegun {
		t.Errorf("before its begin: %s", got)
	}
	c.now = notBefore
	if got := activate(); got != "" {
		t.Fatalf("at its begin: %s", got)
	}
	c.now = notBefore.Add(platform.Grace)
	if got := status(); got != platform.Created {
		t.Errorf("at the end of its grace: %s", got)
	}
	c.now = c.now.Add(time.Second)
	if got := status(); got != platform.Locked {
		t.Errorf("after its grace: %s", got)
	}
	if _, err := p.Beat(t.Context(), w, l.ID, platform.Heartbeat{Fingerprint: "box"}); err != nil {
		t.Errorf("a heartbeat after its grace: %v", err)
	}
	if got := status(); got != platform.Created {
		t.Errorf("after a heartbeat: %s", got)
	}
	c.now = expires
	if got := status(); got != platform.Locked {
		t.Errorf("at its end: %s", got)
	}
	_, err = p.Beat(t.Context(), w, l.ID, platform.Heartbeat{Fingerprint: "box"})
	if code(err) != platform.LicenceExpired || activate() != platform.LicenceExpired {
		t.Errorf("a heartbeat after its end: %v", err)
	}
}
