package platform

import (
	"cmp"
	"context"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
)

// TenantSpec is what a client says about a tenant.
type TenantSpec struct {
	ID           catalog.TenantID       `json:"id"`           // never changes
	Name         string                 `json:"name"`         // for people
	Organisation catalog.OrganisationID `json:"organisation"` // never changes
	Edition      catalog.EditionKey     `json:"edition"`      // what new facilities get; changing it changes no row
	Hosting      catalog.Hosting        `json:"hosting"`      // "" in a request leaves it to the platform
}

// Status is what the server says about a tenant.
type Status string

// The statuses of a tenant.
const (
	Created     Status = "created"     // it has no facilities yet
	Provisioned Status = "provisioned" // it has, and billing has said nothing
	Active      Status = "active"      // billing has said so
	Suspended   Status = "suspended"   // by billing: its clinical routes are shut, its rows kept
	Locked      Status = "locked"      // by its licence: its clinical routes are shut
)

// Tenant is a tenant as it is answered.
type Tenant struct {
	TenantSpec
	Status Status `json:"status"` // the server's word; no client sets it
}

// tenantRecord is a tenant as it is stored: what its status follows from, and not
// the status, so that lifting a suspension brings back the one before.
type tenantRecord struct {
	TenantSpec
	Provisioned bool   `json:"provisioned"` // it has facilities
	Billing     Status `json:"billing"`     // Active or Suspended; "" until billing has spoken
	// Licence is the id of the licence that the deployment runs by, "" where it
	// needs none; NextLicence that of one which it is to activate, or "".
	Licence     string `json:"licence,omitzero"`
	NextLicence string `json:"next_licence,omitzero"`
}

func (r *tenantRecord) status(locked bool) Status {
	switch {
	case r.Billing == Suspended:
		return Suspended
	case locked:
		return Locked
	case !r.Provisioned:
		return Created
	case r.Billing == Active:
		return Active
	}
	return Provisioned
}

func (p *Platform) tenantAnswer(v View, r *tenantRecord) (jsontext.Value, error) {
	locked, err := p.lockedAt(v, r, p.now())
	if err != nil {
		return nil, err
	}
	return json.Marshal(Tenant{TenantSpec: r.TenantSpec, Status: r.status(locked)})
}

// putTenant stores a tenant and returns the change that this is.
func (p *Platform) putTenant(tx Tx, m moment, r *tenantRecord, event string, created bool) (change, error) {
	if _, err := put(tx, m, Tenants, r.ID.String(), r); err != nil {
		return change{}, err
	}
	body, err := p.tenantAnswer(tx, r)
	return change{event: event, subject: r.ID.String(), answer: Answer{Created: created, Body: body}}, err
}

// tenant returns the record of a tenant, or a Refusal with NotFound.
func tenant(v View, id catalog.TenantID) (*tenantRecord, error) {
	var r tenantRecord
	found, err := get(v, Tenants, id.String(), &r)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, refuse(NotFound, "tenant %q", id)
	}
	return &r, nil
}

// openTenant returns the record of a tenant whose rows may be written.
func openTenant(tx Tx, id catalog.TenantID) (*tenantRecord, error) {
	t, err := tenant(tx, id)
	if err == nil && t.Billing == Suspended {
		return nil, refuse(TenantSuspended, "tenant %q: its rows are kept as they are", id)
	}
	return t, err
}

// Tenants returns a page of the tenants, by id.
func (p *Platform) Tenants(ctx context.Context, ask PageRequest) (Page, error) {
	list := records(Tenants, "")
	list.show = func(v View, stored Record) (jsontext.Value, error) {
		var r tenantRecord
		if err := json.Unmarshal(stored.Body, &r); err != nil {
			return nil, err
		}
		return p.tenantAnswer(v, &r)
	}
	return p.list(ctx, list, ask)
}

// Tenant returns one tenant's body.
func (p *Platform) Tenant(ctx context.Context, id catalog.TenantID) (body jsontext.Value, err error) {
	err = p.store.View(ctx, func(v View) error {
		t, err := tenant(v, id)
		if err != nil {
			return err
		}
		body, err = p.tenantAnswer(v, t)
		return err
	})
	return body, err
}

// CreateTenant adds a tenant of an organisation, with an empty grant of revision
// 0: there is something to condition the first write on.
func (p *Platform) CreateTenant(ctx context.Context, w Write, spec TenantSpec) (Answer, error) {
	if err := checkID("id", spec.ID); err != nil {
		return Answer{}, err
	}
	if err := spec.check(); err != nil {
		return Answer{}, err
	}
	return p.write(ctx, w, func(tx Tx, m moment) (change, error) {
		held, err := tx.Record(Tenants, spec.ID.String())
		switch {
		case err != nil:
			return change{}, err
		case held != nil:
			return change{}, refuse(Exists, "tenant %q", spec.ID)
		}
		if err := p.approvedOn(tx, m, w, plan.Tenant, spec.ID.String(), nil); err != nil {
			return change{}, err
		}
		if err := spec.checkReferences(tx); err != nil {
			return change{}, err
		}
		grant := newGrant(spec.ID, 0, nil)
		if err := grant.put(tx, m, Write{Actor: w.Actor}); err != nil {
			return change{}, err
		}
		return p.putTenant(tx, m, &tenantRecord{TenantSpec: spec}, "tenant.upsert", true)
	})
}

// ReplaceTenant corrects the name, edition or hosting of the tenant id; a hosting
// that is left out stays. It changes no row.
func (p *Platform) ReplaceTenant(ctx context.Context, w Write, id catalog.TenantID, spec TenantSpec) (Answer, error) {
	if err := checkSame("id", spec.ID, id); err != nil {
		return Answer{}, err
	}
	spec.ID = id
	return p.write(ctx, w, func(tx Tx, m moment) (change, error) {
		held, err := tenant(tx, id)
		if err != nil {
			return change{}, err
		}
		if err := p.approvedOn(tx, m, w, plan.Tenant, id.String(), held.TenantSpec); err != nil {
			return change{}, err
		}
		if err := checkSame("organisation", spec.Organisation, held.Organisation); err != nil {
			return change{}, err
		}
		spec.Organisation = held.Organisation
		spec.Hosting = cmp.Or(spec.Hosting, held.Hosting)
		if err := spec.check(); err != nil {
			return change{}, err
		}
		if err := spec.checkReferences(tx); err != nil {
			return change{}, err
		}
		held.TenantSpec = spec
		return p.putTenant(tx, m, held, "tenant.upsert", false)
	})
}

// check refuses a spec that is wrong whatever the platform holds, and fills in
// its default.
func (s *TenantSpec) check() (err error) {
	if err := checkName("name", s.Name); err != nil {
		return err
	}
	if err := checkID("organisation", s.Organisation); err != nil {
		return err
	}
	if err := checkID("edition", s.Edition); err != nil {
		return err
	}
	s.Hosting, err = checkHosting(s.Hosting)
	return err
}

func (s *TenantSpec) checkReferences(tx Tx) error {
	organisation, err := tx.Record(Organisations, s.Organisation.String())
	switch {
	case err != nil:
		return err
	case organisation == nil:
		return refuse(UnknownOrganisation, "organisation %q", s.Organisation)
	}
	_, err = edition(tx, s.Edition)
	return err
}

// SetBilling records what billing says of a tenant: Active or Suspended. A
// suspension shuts the clinical routes and keeps the rows.
func (p *Platform) SetBilling(ctx context.Context, w Write, id catalog.TenantID, status Status) (Answer, error) {
	if status != Active && status != Suspended {
		return Answer{}, refuse(Invalid, "status %.80q: want %q or %q", status, Active, Suspended)
	}
	return p.write(ctx, w, func(tx Tx, m moment) (change, error) {
		held, err := tenant(tx, id)
		if err != nil {
			return change{}, err
		}
		held.Billing = status
		return p.putTenant(tx, m, held, "subscription.status", false)
	})
}
