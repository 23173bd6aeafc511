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

var errNoRows = errors.New("a grant lacks its rows")

func (w *wireGrant) parse(etag string) (catalog.Grant, error) {
	g, err := w.head(etag)
	if err != nil {
		return catalog.Grant{}, err
	}
	if w.Rows == nil {
		return catalog.Grant{}, errNoRows
	}
	g.Rows = catalog.NewRows(*w.Rows)
	return g, nil
}

// head is a grant but for its rows.
func (w *wireGrant) head(etag string) (catalog.Grant, error) {
	id, err := catalog.ParseTenantID(w.Tenant)
	if err != nil {
		return catalog.Grant{}, err
	}
	if w.Revision == nil {
		return catalog.Grant{}, errors.New("a grant lacks its revision")
	}
	g := catalog.Grant{Tenant: id, Stamp: catalog.Stamp{Revision: *w.Revision, ETag: etag}}
	if !g.Stamp.Valid() {
		return catalog.Grant{}, fmt.Errorf("revision %d and ETag %.40q are not those of a grant", *w.Revision, etag)
	}
	if w.Authority != nil {
		g.Batch, g.Receipt = w.Authority.Batch, w.Authority.Receipt
	}
	g.By = w.UpdatedBy
	return g, nil
}

// whose refuses the grant of another tenant than the one that was asked for.
func whose(g catalog.Grant, id catalog.TenantID) error {
	if g.Tenant != id {
		return fmt.Errorf("it answers with the grant of tenant %s", g.Tenant)
	}
	return nil
}

// Grant reads a tenant's grant.
func (c *Client) Grant(ctx context.Context, id catalog.TenantID) (catalog.Grant, error) {
	path := "/tenants/" + id.String() + "/entitlements"
	var w wireGrant
	header, err := c.get(ctx, path, &w)
	if err != nil {
		return catalog.Grant{}, err
	}
	g, err := w.parse(header.Get("ETag"))
	if err == nil {
		err = whose(g, id)
	}
	if err != nil {
		return catalog.Grant{}, &UnknownError{"GET " + path, err}
	}
	return g, nil
}
