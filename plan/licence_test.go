package plan_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
)

// licensed is what the one licence of a plan allows, as "facility module".
func licensed(t *testing.T, p *plan.Plan) []string {
	t.Helper()
	for _, b := range p.Batches {
		if b.Subject != plan.Licence {
			continue
		}
		var body struct{ Modules []catalog.LicensedModule }
		if err := json.Unmarshal(b.Request.Body, &body); err != nil {
			t.Fatal(err)
		}
		list := []string{}
		for _, m := range body.Modules {
			list = append(list, m.Facility+" "+m.Module)
		}
		return list
	}
	return nil
}

func TestALicenceAllowsWhatIsKeptAsItIsLive(t *testing.T) {
	onPrem := tenant()
	onPrem.Licence = &catalog.Licence{Expires: day("2028-01-01")}
	hold := catalog.Hold{
		Key: "OPS-1", Tenant: onPrem.ID, Facility: facility("b"), Modules: []catalog.ModuleKey{module("labs"), module("ward")}, Until: day("2027-02-01"),
	}
	l := live("a lab, a register, b register, b telehealth, b ward, c lab")
	l.Licences = []catalog.LiveLicence{}
	p := build(onPrem, l, hold)
	want := []string{"a lab", "a register", "b register", "b telehealth", "b ward", "c lab"}
	if diff := cmp.Diff(want, licensed(t, p)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	hold.Until = day("2027-01-01") // it has ended
	want = []string{"a lab", "a register", "b lab", "b register", "b telehealth", "c lab"}
	if diff := cmp.Diff(want, licensed(t, build(onPrem, l, hold))); diff != "" {
		t.Errorf("without the hold: -want +got:\n%s", diff)
	}
}
