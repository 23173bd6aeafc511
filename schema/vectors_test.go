package schema_test

import (
	"encoding/json"
	"os"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/schema"
)

// TestRowsFollowTheVectors holds the rows of declarations against those that
// other hands computed from the contract.
func TestRowsFollowTheVectors(t *testing.T) {
	var vectors struct {
		Catalog string `json:"catalog"`
		Cases   []struct {
			Tenant string       `json:"tenant"`
			At     time.Time    `json:"at"`
			CUE    string       `json:"cue"`
			Rows   catalog.Rows `json:"rows"`
		} `json:"cases"`
	}
	data, err := os.ReadFile("testdata/rows.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors.Cases) == 0 {
		t.Fatal("no cases")
	}
	for _, c := range vectors.Cases {
		fleet, err := schema.Load(t.Context(), fstest.MapFS{
			"catalog/catalog.cue":            {Data: []byte(vectors.Catalog)},
			"organisations/all.cue":          {Data: []byte("package fleet\norganisations: {\"org-0\": name: \"0\", \"org-1\": name: \"1\", \"org-2\": name: \"2\"}\n")},
			"tenants/" + c.Tenant + "/t.cue": {Data: []byte(c.CUE)},
		}, schema.Options{})
		if err != nil {
			t.Errorf("%s: %v", c.Tenant, err)
			continue
		}
		tenant, err := fleet.Tenants[0].Tenant()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.Rows, fleet.Catalog.Rows(tenant, c.At), cmp.AllowUnexported(catalog.FacilityID{}, catalog.EHRModule{})); diff != "" {
			t.Errorf("%s at %s (-want +got):\n%s", c.Tenant, c.At, diff)
		}
	}
}
