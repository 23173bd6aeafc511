package platform

import (
	"context"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/veonahealth/charter/catalog"
)

// Provision is what is to be there after a tenant was provisioned.
type Provision struct {
	Edition    catalog.EditionKey `json:"edition"` // the tenant's own, said again so that a stale client is told
	Facilities []Facility         `json:"facilities"`
	Staff      []Account          `json:"staff"` // of these facilities, or of ones that are there
}

// Account is a member of staff.
type Account struct {
	Email    string             `json:"email"`    // names the account within its tenant, in any case
	Name     string             `json:"name"`     // for people
	Role     string             `json:"role"`     // one of the catalogue's staff roles
	Facility catalog.FacilityID `json:"facility"` // where they work
}

// ProvisionAnswer is what provisioning made and what it found and left alone, each
// sorted.
type ProvisionAnswer struct {
	Created  Names `json:"created"`  // was not there
	Existing Names `json:"existing"` // was there, and is as it was
}

// Names are facilities and accounts by what identifies them.
type Names struct {
	Facilities []catalog.FacilityID `json:"facilities"`
	Staff      []string             `json:"staff"` // e-mail addresses, spelled as asked for
}

func (n *Names) sort() {
	slices.SortFunc(n.Facilities, catalog.FacilityID.Compare)
	slices.Sort(n.Staff)
}

// Provision makes the facilities and accounts that are not there yet, and gives
// each new facility the modules of the edition: that moves the grant's revision.
// What is there is left alone, its rows too.
func (p *Platform) Provision(ctx context.Context, w Write, id catalog.TenantID, want Provision) (Answer, error) {
	if err := p.checkProvision(want); err != nil {
		return Answer{}, err
	}
	return p.write(ctx, w, func(tx Tx, m moment) (change, error) {
		t, err := openTenant(tx, id)
		if err != nil {
			return change{}, err
		}
		if err := p.approvedProvision(tx, m, w, id); err != nil {
			return change{}, err
		}
		if err := want.checkAgainst(t); err != nil {
			return change{}, err
		}
		made, err := want.carryOut(tx, m, id)
		if err != nil {
			return change{}, err
		}
		revision, err := project(tx, m, w, t, made.Created.Facilities)
		if err != nil {
			return change{}, err
		}
		if err := p.authoriseProvisioned(tx, id, made.Created.Facilities); err != nil {
			return change{}, err
		}
		t.Provisioned = true
		done, err := p.putTenant(tx, m, t, "tenant.provision", false)
		if err != nil {
			return change{}, err
		}
		done.revision = &revision
		done.answer.Body, err = json.Marshal(made)
		return done, err
	})
}

// checkProvision refuses what is wrong whatever the tenant holds.
func (p *Platform) checkProvision(want Provision) error {
	if err := checkID("edition", want.Edition); err != nil {
		return err
	}
	facilities := map[catalog.FacilityID]bool{}
	for _, f := range want.Facilities {
		if err := checkID("facilities: id", f.ID); err != nil {
			return err
		}
		if err := f.check(); err != nil {
			return err
		}
		if facilities[f.ID] {
			return refuse(Invalid, "facilities: %q stands twice", f.ID)
		}
		facilities[f.ID] = true
	}
	return p.checkStaff(want.Staff)
}

func (p *Platform) checkStaff(staff []Account) error {
	accounts := map[string]bool{}
	for _, a := range staff {
		if err := p.checkAccount(a); err != nil {
			return err
		}
		if accounts[a.key()] {
			return refuse(Invalid, "staff: %q stands twice", a.Email)
		}
		accounts[a.key()] = true
	}
	return nil
}

func (p *Platform) checkAccount(a Account) error {
	if err := checkEmail("staff: email", a.Email); err != nil {
		return err
	}
	if err := checkName("staff: name", a.Name); err != nil {
		return err
	}
	if err := checkName("staff: role", a.Role); err != nil {
		return err
	}
	roles := p.catalog.StaffRoles()
	if len(roles) > 0 && !slices.Contains(roles, a.Role) {
		return refuse(UnknownRole, "staff: role %q", a.Role)
	}
	return checkID("staff: facility", a.Facility)
}

// checkAgainst refuses what does not fit the tenant.
func (want *Provision) checkAgainst(t *tenantRecord) error {
	if want.Edition != t.Edition {
		return refuse(Invalid, "edition %q: the tenant's is %q", want.Edition, t.Edition)
	}
	if !t.Provisioned && len(want.Facilities) == 0 {
		return refuse(Invalid, "facilities: the tenant has none yet; want at least one")
	}
	return nil
}

// carryOut makes what is not there yet of the tenant's facilities and accounts.
func (want *Provision) carryOut(tx Tx, m moment, id catalog.TenantID) (made ProvisionAnswer, err error) {
	if err := made.makeFacilities(tx, m, id, want.Facilities); err != nil {
		return made, err
	}
	if err := made.makeAccounts(tx, m, id, want.Staff); err != nil {
		return made, err
	}
	made.Created.sort()
	made.Existing.sort()
	return made, nil
}

func (made *ProvisionAnswer) makeFacilities(tx Tx, m moment, id catalog.TenantID, facilities []Facility) error {
	for _, f := range facilities {
		new, err := putNew(tx, m, Facilities, below(id, f.ID.String()), f)
		if err != nil {
			return err
		}
		names := made.names(new)
		names.Facilities = append(names.Facilities, f.ID)
	}
	return nil
}

// makeAccounts needs the facilities to be there already.
func (made *ProvisionAnswer) makeAccounts(tx Tx, m moment, id catalog.TenantID, staff []Account) error {
	for _, a := range staff {
		facility, err := tx.Record(Facilities, below(id, a.Facility.String()))
		switch {
		case err != nil:
			return err
		case facility == nil:
			return refuse(UnknownFacility, "staff: %s: facility %q", a.Email, a.Facility)
		}
		new, err := putNew(tx, m, Accounts, below(id, a.key()), a)
		if err != nil {
			return err
		}
		names := made.names(new)
		names.Staff = append(names.Staff, a.Email)
	}
	return nil
}

func (made *ProvisionAnswer) names(new bool) *Names {
	if new {
		return &made.Created
	}
	return &made.Existing
}

// key identifies an account within its tenant: addresses that differ in case
// alone are one person's.
func (a *Account) key() string { return strings.ToLower(a.Email) }

// putNew stores a record that is not there yet, and reports whether it did.
func putNew(tx Tx, m moment, kind Kind, key string, value any) (bool, error) {
	held, err := tx.Record(kind, key)
	if err != nil || held != nil {
		return false, err
	}
	_, err = put(tx, m, kind, key, value)
	return true, err
}

// project gives new facilities the rows of the tenant's edition, and returns the
// grant's revision thereafter.
func project(tx Tx, m moment, w Write, t *tenantRecord, facilities []catalog.FacilityID) (int64, error) {
	grant, err := tx.Grant(t.ID)
	if err != nil {
		return 0, err
	}
	if len(facilities) == 0 {
		return grant.Stamp.Revision, nil
	}
	rows, err := grant.rows()
	if err != nil {
		return 0, err
	}
	e, err := edition(tx, t.Edition)
	if err != nil {
		return 0, err
	}
	for _, facility := range facilities {
		for _, module := range e.Modules {
			rows = append(rows, catalog.Row{Facility: facility, Module: module})
		}
	}
	next := newGrant(t.ID, grant.Stamp.Revision+1, catalog.NewRows(rows))
	return next.Stamp.Revision, next.put(tx, m, w)
}
