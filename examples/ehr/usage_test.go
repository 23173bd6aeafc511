package main_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"
)

// used tells how often a facility's module was used.
func (at target) used(t *testing.T, tenant, facility, module string) (requests int64) {
	t.Helper()
	var said struct {
		Items []struct {
			Facility, Module string
			Requests         int64
		}
	}
	at.as(t, "support", "GET", "/tenants/"+tenant+"/usage", nil).want(200).decode(t, &said)
	for _, item := range said.Items {
		if item.Facility == facility && item.Module == module {
			requests += item.Requests
		}
	}
	return requests
}

func TestUsesAreCountedExactlyAndOutliveAStop(t *testing.T) {
	db := filepath.Join(t.TempDir(), "ehr.db")
	at, stop := launch(t, db)
	id := at.provisioned(t, "t", "hospital", "main")
	const runners, each = 16, 50
	var group sync.WaitGroup
	for range runners {
		group.Go(func() {
			for i := range each {
				at.gate(t, id+"/main/labs")
				if i%10 == 0 {
					at.as(t, "support", "GET", "/tenants/"+id+"/usage", nil).want(200)
				}
			}
		})
	}
	group.Wait()
	if got := at.used(t, id, "main", "lab"); got != runners*each {
		t.Errorf("%d requests, want %d", got, runners*each)
	}
	at.gate(t, id+"/main/labs")
	before := len(at.trail(t))
	stop()
	at = startOn(t, db)
	if got := at.used(t, id, "main", "lab"); got != runners*each+1 {
		t.Errorf("after a stop %d requests, want %d", got, runners*each+1)
	}
	if after := len(at.trail(t)); after != before {
		t.Errorf("uses are in the audit trail: %d entries, %d before", after, before)
	}
}

func TestTwoTokensInOneRequestAreNone(t *testing.T) {
	at := start(t)
	at.root(t, "GET", "/clients", nil).with("Authorization", "Bearer "+at.tokens["nobody"]).refused(401, "unauthenticated")
	for _, spelled := range []string{"", "Bearer", "Bearer ", "Bearer  %s", "Basic %s", "%s", "Bearer %s,%[1]s", "Bearer %s x"} {
		text := spelled
		if len(spelled) > 7 || spelled == "%s" {
			text = fmt.Sprintf(spelled, at.tokens["super_admin"])
		}
		at.as(t, "", "GET", "/clients", nil).with("Authorization", text).refused(401, "unauthenticated")
	}
	at.as(t, "", "GET", "/clients", nil).with("Authorization", "bearer "+at.tokens["super_admin"]).want(200)
}
