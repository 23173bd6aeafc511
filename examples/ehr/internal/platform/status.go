package platform

import (
	"cmp"
	"context"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/veonahealth/charter/catalog"
)

// EHRStatus is what is known of a tenant's deployment.
type EHRStatus struct {
	Reachable  bool             `json:"reachable"`   // it can be heard of
	App        string           `json:"app"`         // "up" or "down"
	Release    string           `json:"release"`     // of the clinical app
	Facilities []FacilityStatus `json:"facilities"`  // sorted by id
	Enforced   *Enforced        `json:"enforced"`    // null where the deployment never said
	Licence    *LicenceStatus   `json:"licence"`     // null where the tenant has none
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

// LicenceStatus is the licence that a deployment runs by.
type LicenceStatus struct {
	ID           string       `json:"id"`
	State        LicenceState `json:"state"`
	HeartbeatAt  *string      `json:"heartbeat_at"`  // null where it was never heard of
	OfflineUntil *string      `json:"offline_until"` // it runs so long without another heartbeat; null as above
}

// EHRStatus tells what is there and reachable of a tenant. A cloud tenant's app is
// this process, so it enforces the grant in force; an on-prem one is what its
// heartbeats said.
func (p *Platform) EHRStatus(ctx context.Context, id catalog.TenantID) (status EHRStatus, err error) {
	now := p.now().UTC()
	status = EHRStatus{App: "down", Release: p.release, ObservedAt: now.Format(timeForm)}
	err = p.store.View(ctx, func(v View) error {
		t, err := tenant(v, id)
		if err != nil {
			return err
		}
		if status.Facilities, err = facilityStatus(v, id); err != nil {
			return err
		}
		d, err := deploymentOf(v, id)
		if err != nil {
			return err
		}
		if status.Licence, err = p.licenceStatus(v, t, d); err != nil {
			return err
		}
		if t.Hosting == catalog.Cloud {
			return status.ofCloud(v, id)
		}
		locked, err := p.lockedAt(v, t, now)
		status.ofBox(d, now, locked)
		return err
	})
	return status, err
}

func (s *EHRStatus) ofCloud(v View, id catalog.TenantID) error {
	grant, err := v.Grant(id)
	if err != nil {
		return err
	}
	s.Reachable, s.App = true, "up"
	s.Enforced = &Enforced{Revision: grant.Stamp.Revision, At: grant.UpdatedAt}
	return nil
}

func (s *EHRStatus) ofBox(d deployment, now time.Time, locked bool) {
	s.Enforced = d.Enforced
	s.Reachable = !d.HeartbeatAt.IsZero() && now.Sub(d.HeartbeatAt) <= fresh
	if s.Reachable && !locked {
		s.App = "up"
	}
}

func (p *Platform) licenceStatus(v View, t *tenantRecord, d deployment) (*LicenceStatus, error) {
	if t.Licence == "" {
		return nil, nil
	}
	l, _, err := licenceOf(v, t.Licence)
	if err != nil {
		return nil, err
	}
	status := &LicenceStatus{ID: l.ID, State: l.state(t)}
	if !d.HeartbeatAt.IsZero() {
		at, until := d.HeartbeatAt.Format(timeForm), d.HeartbeatAt.Add(p.grace).Format(timeForm)
		status.HeartbeatAt, status.OfflineUntil = &at, &until
	}
	return status, nil
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
