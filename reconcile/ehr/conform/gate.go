package conform

import (
	"fmt"
	"time"
)

// gateChecks are the checks of the clinical app's gate.
func gateChecks() []check {
	return []check{
		{"gate", "", checkGate},
		{"usage: requests per facility and module over the last 30 days", "usage", checkUsage},
	}
}

// checkUsage holds the optional feature usage: what the gate lets through is
// counted, and what it does not is not.
func checkUsage(t *T, at target) {
	id := at.provisioned(t, "t", "health-centre", "main", "annex")
	path := "/tenants/" + id + "/usage"
	for _, route := range []string{"/main/labs", "/main/labs/a", "/annex/labs", "/main/theatre", "/main/chart", "/main/labs"} {
		at.gate(t, id+route)
	}
	var said struct {
		Tenant      string
		From, Until time.Time
		Items       []struct {
			Facility, Module string
			Requests         int64
		}
	}
	at.root(t, "GET", path, nil).want(200).decode(t, &said)
	got := fmt.Sprint(said.Items)
	if want := "[{annex lab 1} {main chart 1} {main lab 3}]"; got != want || said.Tenant != id {
		t.Errorf("tenant %s, items %s, want %s", said.Tenant, got, want)
	}
	if days := said.Until.Sub(said.From) / (24 * time.Hour); days < 28 || days > 30 {
		t.Errorf("from %s until %s: want 30 days", said.From, said.Until)
	}
	at.as(t, "", "GET", path, nil).refused(401, "unauthenticated")
	at.root(t, "GET", "/tenants/nothing/usage", nil).refused(404, "not-found")
	t.Run("asks for entitlements.read", func(t *T) {
		at.as(t, Nobody, "GET", path, nil).refused(403, "capability-missing")
	})
}

func checkGate(t *T, at target) {
	id := at.provisioned(t, "t", "health-centre", "main", "annex")
	t.Run("a module's route gates its path and whole segments below it", func(t *T) {
		for path, want := range map[string]int{
			"/main/labs": 200, "/main/labs/": 200, "/main/labs/a/b": 200, "/annex/labs": 200,
			"/main/labsx": 403, "/main/lab": 403, "/main": 403, "/main/": 403, "/main/theatre": 403,
		} {
			if got := at.gate(t, id+path); got != want {
				t.Errorf("%s: %d, want %d", path, got, want)
			}
		}
	})
	t.Run("any method is 200 where the facility holds the module, else 403", func(t *T) {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"} {
			at.as(t, "", method, "/ehr/"+id+"/main/labs", nil).want(200)
			at.as(t, "", method, "/ehr/"+id+"/main/theatre", nil).want(403)
		}
	})
	t.Run("what no route gates is denied, and so is what there is not", func(t *T) {
		for _, path := range []string{id + "/main/nothing", id + "/nowhere/labs", "nobody-knows/main/labs", id + "/main//labs", id + "/main/labs/%2e%2e/theatre"} {
			at.as(t, "", "GET", "/ehr/"+path, nil).refused(403, "module-not-entitled")
		}
	})
	t.Run("when PUT answers 200, the gate already answers by the new rows", func(t *T) {
		for i := range 10 {
			rows, want := []row{{"main", "theatre"}}, 200
			if i%2 == 1 {
				rows, want = []row{{"annex", "theatre"}}, 403
			}
			at.replace(t, id, at.grant(t, id).ETag, rows...).want(200)
			if got := at.gate(t, id+"/main/theatre"); got != want {
				t.Fatalf("write %d: gate answers %d, want %d", i, got, want)
			}
		}
	})
}
