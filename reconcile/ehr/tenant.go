package ehr

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/veonahealth/charter/catalog"
)

// Tenant is a tenant as the platform has it.
type Tenant struct {
	ID     catalog.TenantID
	Status string
	Live   catalog.LiveTenant
}

type wireTenant struct {
	catalog.LiveTenant
	Status string `json:"status"`
}

func (w *wireTenant) parse() (Tenant, error) {
	id, err := catalog.ParseTenantID(w.ID)
	if err == nil && w.Status == "" {
		err = fmt.Errorf("tenant %s has no status", id)
	}
	return Tenant{ID: id, Status: w.Status, Live: w.LiveTenant}, err
}

// Tenant reads one tenant.
func (c *Client) Tenant(ctx context.Context, id catalog.TenantID) (Tenant, error) {
	path := "/tenants/" + id.String()
	var w wireTenant
	if _, err := c.get(ctx, path, &w); err != nil {
		return Tenant{}, err
	}
	t, err := w.parse()
	if err == nil && t.ID != id {
		err = fmt.Errorf("it answers with tenant %s", t.ID)
	}
	if err != nil {
		return Tenant{}, &UnknownError{"GET " + path, err}
	}
	return t, nil
}

// Tenants lists all tenants of the platform, in the order of its pages, and
// gives the listing's snapshot.
func (c *Client) Tenants(ctx context.Context, yield func(Tenant) error) (string, error) {
	return list(ctx, c, "/tenants", nil, func(raw jsontext.Value) error {
		var w wireTenant
		if err := decode(raw, &w); err != nil {
			return err
		}
		t, err := w.parse()
		if err != nil {
			return err
		}
		return yield(t)
	})
}

// Facilities lists the sites that the platform has for a tenant, sorted by id.
func (c *Client) Facilities(ctx context.Context, id catalog.TenantID) ([]catalog.LiveFacility, error) {
	facilities := map[string]catalog.LiveFacility{}
	_, err := list(ctx, c, "/tenants/"+id.String()+"/facilities", nil, func(raw jsontext.Value) error {
		var f catalog.LiveFacility
		if err := decode(raw, &f); err != nil {
			return err
		}
		_, err := catalog.ParseFacilityID(f.ID)
		return once(facilities, f.ID, f, err)
	})
	if err != nil {
		return nil, err
	}
	return append([]catalog.LiveFacility{}, slices.SortedFunc(maps.Values(facilities), func(a, b catalog.LiveFacility) int {
		return strings.Compare(a.ID, b.ID)
	})...), nil
}
