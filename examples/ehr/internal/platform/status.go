package platform

import (
	"cmp"
	"context"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/veonahealth/charter/catalog"
)

// EHRStatus is what is known of a tenant's deployment.
type EHRStatus struct {
	Reachable  bool             `json:"reachable"`   // it can be heard of
	App        string           `json:"app"`         // "up" or "down"
	Release    string           `json:"release"`     // of the clinical app
	Facilities []FacilityStatus `json:"facilities"`  // sorted by id
	Enforced   *Enforced        `json:"enforced"`    // null where the deployment never said
	Licence    jsontext.Value   `json:"licence"`     // null where the tenant has none
	ObservedAt string           `json:"observed_at"` // when this was found out
}

// FacilityStatus is one facility as the deployment has it.
type FacilityStatus struct {
	ID     catalog.FacilityID `json:"id"`
	Exists bool               `json:"exists"` // the deployment has it
	Staff  int64              `json:"staff"`  // how many accounts belong to it
}

// Enforced is the grant that a deployment answers by.
type Enforced struct {
	Revision int64  `json:"revision"` // of the grant
	At       string `json:"at"`       // since when
}

// EHRStatus tells what is there and reachable of a tenant. A cloud tenant's app is this
// process, so it enforces the grant in force; an on-prem one has not been heard
// of before its first heartbeat.
func (p *Platform) EHRStatus(ctx context.Context, id catalog.TenantID) (status EHRStatus, err error) {
	status = EHRStatus{App: "down", Release: p.release, ObservedAt: p.now().UTC().Format(timeForm)}
	err = p.store.View(ctx, func(v View) error {
		t, err := tenant(v, id)
		if err != nil {
			return err
		}
		if status.Facilities, err = facilityStatus(v, id); err != nil {
			return err
		}
		if t.Hosting != catalog.Cloud {
			return nil
		}
		grant, err := v.Grant(id)
		if err != nil {
			return err
		}
		status.Reachable, status.App = true, "up"
		status.Enforced = &Enforced{Revision: grant.Stamp.Revision, At: grant.UpdatedAt}
		return nil
	})
	return status, err
}

func facilityStatus(v View, id catalog.TenantID) ([]FacilityStatus, error) {
	head, err := v.Head()
	if err != nil {
		return nil, err
	}
	of := Range{Kind: Accounts, Prefix: below(id, ""), At: head.Seq}
	staff := map[catalog.FacilityID]int64{}
	for record, err := range v.Records(of) {
		var a Account
		if err := cmp.Or(err, json.Unmarshal(record.Body, &a)); err != nil {
			return nil, err
		}
		staff[a.Facility]++
	}
	of.Kind = Facilities
	found := []FacilityStatus{}
	for record, err := range v.Records(of) {
		var f Facility
		if err := cmp.Or(err, json.Unmarshal(record.Body, &f)); err != nil {
			return nil, err
		}
		found = append(found, FacilityStatus{ID: f.ID, Exists: true, Staff: staff[f.ID]})
	}
	return found, nil
}
