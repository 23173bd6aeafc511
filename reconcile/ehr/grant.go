package ehr

import (
	"context"
	"errors"
	"fmt"

	"github.com/veonahealth/charter/catalog"
)

// wireGrant is a grant as the platform writes it.
type wireGrant struct {
	Tenant   string    `json:"tenant"`
	Revision *int64    `json:"revision"`
	ETag     string    `json:"etag"` // in a list only
	Rows     *wireRows `json:"rows"`
	// Authority is whatever the newest write carried.
	Authority *struct {
		Batch   string `json:"batch"`
		Receipt string `json:"receipt"`
	} `json:"authority"`
	UpdatedBy string `json:"updated_by"`
}

func (w *wireGrant) parse(etag string) (catalog.Grant, error) {
	id, err := catalog.ParseTenantID(w.Tenant)
	if err != nil {
		return catalog.Grant{}, err
	}
	if w.Revision == nil || w.Rows == nil {
		return catalog.Grant{}, errors.New("a grant lacks its revision or rows")
	}
	g := catalog.Grant{Tenant: id, Stamp: catalog.Stamp{Revision: *w.Revision, ETag: etag}}
	if !g.Stamp.Valid() {
		return catalog.Grant{}, fmt.Errorf("revision %d and ETag %.40q are not those of a grant", *w.Revision, etag)
	}
	if w.Authority != nil {
		g.Batch, g.Receipt = w.Authority.Batch, w.Authority.Receipt
	}
	g.By = w.UpdatedBy
	g.Rows, err = parseRows(*w.Rows)
	return g, err
}

func parseRows(wire wireRows) (catalog.Rows, error) {
	rows := make([]catalog.Row, len(wire))
	for i, w := range wire {
		facility, err := catalog.ParseFacilityID(w.Facility)
		if err != nil {
			return nil, err
		}
		module, err := catalog.ParseEHRModule(w.Module)
		if err != nil {
			return nil, err
		}
		rows[i] = catalog.Row{Facility: facility, Module: module}
	}
	return catalog.NewRows(rows), nil
}

// of is parse for the grant of a tenant that is known.
func (w *wireGrant) of(id catalog.TenantID, etag string) (catalog.Grant, error) {
	g, err := w.parse(etag)
	if err == nil && g.Tenant != id {
		err = fmt.Errorf("it answers with the grant of tenant %s", g.Tenant)
	}
	return g, err
}

// Grant reads a tenant's grant.
func (c *Client) Grant(ctx context.Context, id catalog.TenantID) (catalog.Grant, error) {
	path := "/tenants/" + id.String() + "/entitlements"
	var w wireGrant
	header, err := c.get(ctx, path, &w)
	if err != nil {
		return catalog.Grant{}, err
	}
	g, err := w.of(id, header.Get("ETag"))
	if err != nil {
		return catalog.Grant{}, &UnknownError{"GET " + path, err}
	}
	return g, nil
}
