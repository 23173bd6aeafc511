package catalog

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Organisation is a customer.
type Organisation struct {
	ID     OrganisationID `json:"id"`
	Name   string         `json:"name"`
	Closed *Tombstone     `json:"closed,omitempty"`
	Pos    Position       `json:"pos"`
}

// ControlPlane is an environment as it is declared: one control plane at one
// URL.
type ControlPlane struct {
	Environment Environment `json:"environment"`
	EHR         string      `json:"ehr,omitempty"`      // its URL, or "" where it is not declared
	Instance    string      `json:"instance,omitempty"` // the platform's stable id, or "" where it is not declared
	Pos         Position    `json:"pos"`
}

// Hold keeps rows as they are live, whatever is declared, until a time.
type Hold struct {
	Key      string      `json:"key"`
	Tenant   TenantID    `json:"tenant"`
	Facility FacilityID  `json:"facility,omitzero"` // zero: all of them
	Modules  []ModuleKey `json:"modules,omitempty"` // none: all of them
	Owner    string      `json:"owner"`
	Reason   string      `json:"reason"`
	Until    time.Time   `json:"until"`
	Pos      Position    `json:"pos"`
}

// Covers reports whether the hold keeps the row of a module at a facility.
func (h *Hold) Covers(facility FacilityID, module ModuleKey) bool {
	return (h.Facility.IsZero() || h.Facility == facility) &&
		(len(h.Modules) == 0 || slices.Contains(h.Modules, module))
}

// Selector chooses tenants: all that is given must match.
type Selector struct {
	Edition      EditionKey     `json:"edition,omitzero"`
	Organisation OrganisationID `json:"organisation,omitzero"`
	Hosting      Hosting        `json:"hosting,omitempty"`
	IDs          []TenantID     `json:"ids,omitempty"`
}

// Test is an assertion on what facilities hold.
type Test struct {
	Name     string      `json:"name"`
	Tenants  Selector    `json:"tenants"`
	Facility FacilityID  `json:"facility,omitzero"` // zero: every facility
	At       time.Time   `json:"at,omitzero"`       // zero: now
	Has      []ModuleKey `json:"has,omitempty"`
	HasNot   []ModuleKey `json:"hasnt,omitempty"`
	Pos      Position    `json:"pos"`
}

// Desired is everything that a commit declares.
type Desired struct {
	Catalog       *Catalog
	Policy        string // the digest of the policy's files and environments.cue, as a plan's "policy"
	PolicyData    Policy // what those files declare
	Organisations []Organisation
	Environments  []ControlPlane // empty where there is only DefaultEnvironment
	Holds         []Hold
	Tests         []Test
	Tenants       []Declaration
}

// Environment returns the declared environment of a name. Where none is
// declared there is one, DefaultEnvironment.
func (d *Desired) Environment(name Environment) (ControlPlane, bool) {
	if len(d.Environments) == 0 {
		return ControlPlane{Environment: name}, name == DefaultEnvironment
	}
	i := slices.IndexFunc(d.Environments, func(c ControlPlane) bool { return c.Environment == name })
	if i < 0 {
		return ControlPlane{}, false
	}
	return d.Environments[i], true
}

// Tenant returns the declaration of a tenant, or nil.
func (d *Desired) Tenant(id TenantID) *Declaration {
	i, found := slices.BinarySearchFunc(d.Tenants, id, func(t Declaration, id TenantID) int {
		return t.ID.Compare(id)
	})
	if !found {
		return nil
	}
	return &d.Tenants[i]
}

// Declaration is a tenant's declaration in the form in which a whole fleet of
// them is held: encoded, with only what is needed to choose among them at hand.
type Declaration struct {
	ID           TenantID
	Organisation OrganisationID
	Environment  Environment
	Dir          string // the tenant's folder
	encoded      []byte
}

// Declare encodes a tenant.
func Declare(t *Tenant, dir string) (Declaration, error) {
	encoded, err := json.Marshal(t)
	if err != nil {
		return Declaration{}, fmt.Errorf("encode tenant %s: %w", t.ID, err)
	}
	return Declaration{t.ID, t.Organisation, t.Environment, dir, encoded}, nil
}

// Declared puts a declaration together again from the parts of one that was
// kept.
func Declared(id TenantID, organisation OrganisationID, environment Environment, dir string, encoded []byte) Declaration {
	return Declaration{id, organisation, environment, dir, encoded}
}

// Encoded returns the encoded tenant, to be kept.
func (d *Declaration) Encoded() []byte { return d.encoded }

// Tenant decodes the declaration. Each call gives a value of its own.
func (d *Declaration) Tenant() (*Tenant, error) {
	t := &Tenant{}
	if err := json.Unmarshal(d.encoded, t); err != nil {
		return nil, fmt.Errorf("decode tenant %s: %w", d.ID, err)
	}
	return t, nil
}
