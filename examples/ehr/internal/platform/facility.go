package platform

import (
	"context"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
)

// Facility is a site of a tenant.
type Facility struct {
	ID        catalog.FacilityID `json:"id"`         // never changes; unique within its tenant
	Name      string             `json:"name"`       // for people
	Beds      int64              `json:"beds"`       // how many there are
	Users     int64              `json:"users"`      // how many may sign in
	StorageGB int64              `json:"storage_gb"` // gigabytes
}

// check refuses a facility that is wrong by itself.
func (f *Facility) check() error {
	if err := checkName("name", f.Name); err != nil {
		return err
	}
	if err := checkCount("beds", f.Beds); err != nil {
		return err
	}
	if err := checkCount("users", f.Users); err != nil {
		return err
	}
	return checkCount("storage_gb", f.StorageGB)
}

// Facilities returns a page of a tenant's facilities, by id.
func (p *Platform) Facilities(ctx context.Context, id catalog.TenantID, ask PageRequest) (page Page, err error) {
	err = p.store.View(ctx, func(v View) error {
		if _, err := tenant(v, id); err != nil {
			return err
		}
		page, err = p.page(v, records(Facilities, below(id, "")), ask)
		return err
	})
	return page, err
}

// ReplaceFacility corrects the name or the sizes of a facility that is there.
// Only provisioning makes one.
func (p *Platform) ReplaceFacility(ctx context.Context, w Write, owner catalog.TenantID, id catalog.FacilityID, f Facility) (Answer, error) {
	if err := checkSame("id", f.ID, id); err != nil {
		return Answer{}, err
	}
	if err := f.check(); err != nil {
		return Answer{}, err
	}
	f.ID = id
	return p.write(ctx, w, func(tx Tx, m moment) (change, error) {
		if _, err := tenant(tx, owner); err != nil {
			return change{}, err
		}
		held, err := tx.Record(Facilities, below(owner, id.String()))
		switch {
		case err != nil:
			return change{}, err
		case held == nil:
			return change{}, refuse(NotFound, "facility %q of tenant %q", id, owner)
		}
		if err := p.approvedOn(tx, m, w, plan.Facility, owner.String(), jsontext.Value(held)); err != nil {
			return change{}, err
		}
		body, err := put(tx, m, Facilities, below(owner, id.String()), f)
		return change{event: "facility.upsert", subject: owner.String(), answer: Answer{Body: body}}, err
	})
}
