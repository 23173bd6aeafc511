package main_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// fleetOf is what a seeded platform holds, as far as it does not name times and
// ids that the platform draws.
func fleetOf(t *testing.T, at target) (fleet []string) {
	t.Helper()
	for _, path := range []string{"/clients", "/tenants"} {
		for _, item := range at.all(t, path+"?limit=1000").Items {
			fleet = append(fleet, string(item))
		}
	}
	grants, _ := at.bulk(t, "/entitlements")
	for _, g := range grants {
		fleet = append(fleet, g.Tenant+g.ETag)
		for _, below := range []string{"facilities", "tenant-admins"} {
			for _, item := range at.all(t, "/tenants/"+g.Tenant+"/"+below).Items {
				fleet = append(fleet, g.Tenant+string(item))
			}
		}
		fleet = append(fleet, string(at.root(t, "GET", "/tenants/"+g.Tenant+"/connect-entitlements", nil).want(200).body))
	}
	return fleet
}

func TestASeededFleetIsTheSameForTheSameN(t *testing.T) {
	db := filepath.Join(t.TempDir(), "ehr.db")
	at, stop := launch(t, db, "--seed-fleet", "120")
	first := fleetOf(t, at)
	seeded := len(at.trail(t))
	t.Run("it has every edition, both hostings and every status that a fleet has", func(t *testing.T) {
		seen := map[string]int{}
		for _, item := range at.all(t, "/tenants").Items {
			var tenant struct{ Edition, Hosting, Status string }
			if err := json.Unmarshal(item, &tenant); err != nil {
				t.Fatal(err)
			}
			seen[tenant.Edition]++
			seen[tenant.Hosting]++
			seen[tenant.Status]++
		}
		for _, word := range strings.Fields("health-centre hospital network public-health cloud on-prem created provisioned active suspended") {
			if seen[word] == 0 {
				t.Errorf("no tenant is %s: %v", word, seen)
			}
		}
		if seen["health-centre"] < seen["hospital"] || seen["hospital"] < seen["network"] {
			t.Errorf("editions %v", seen)
		}
		if licences := at.all(t, "/licenses").Total; licences == 0 || int(licences) > seen["on-prem"] {
			t.Errorf("%d licences, %d on-prem tenants", licences, seen["on-prem"])
		}
	})
	stop()
	t.Run("a restart leaves it alone", func(t *testing.T) {
		at, stop := launch(t, db, "--seed-fleet", "120")
		defer stop()
		if again := len(at.trail(t)); again != seeded {
			t.Errorf("%d audit entries, were %d", again, seeded)
		}
	})
	t.Run("another number is refused", func(t *testing.T) {
		if code, said := exitOf(t, "--db", db, "--seed-fleet", "121"); code != 1 || !strings.Contains(said, "written to before") {
			t.Errorf("exit %d: %s", code, said)
		}
	})
	t.Run("another platform has the same", func(t *testing.T) {
		if again := fleetOf(t, start(t, "--seed-fleet", "120")); fmt.Sprint(again) != fmt.Sprint(first) {
			t.Error("it differs")
		}
	})
}
