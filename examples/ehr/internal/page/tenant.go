package page

import (
	"context"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/internal/platform"
)

// decode reads the items of a page.
func decode[T any](items []jsontext.Value) (read []T, err error) {
	for _, item := range items {
		var one T
		if err := json.Unmarshal(item, &one); err != nil {
			return nil, err
		}
		read = append(read, one)
	}
	return read, nil
}

// tenantView is everything about one tenant.
type tenantView struct {
	Tenant      platform.Tenant
	Status      platform.EHRStatus
	Revision    int64
	UpdatedAt   string
	UpdatedBy   string
	Modules     []*catalog.Module
	Sites       []site
	Instruments []platform.Instrument
	Licences    []platform.Licence // shown without their tokens
	Admins      []platform.Admin
}

// site is a facility and what it holds.
type site struct {
	platform.Facility
	Cells []cell // as many as there are modules, in their order
}

// cell is a module at a site.
type cell struct {
	Name string
	Held bool
}

func (h *Handler) tenant(r *http.Request) (string, any, error) {
	id, err := catalog.ParseTenantID(r.PathValue("id"))
	if err != nil {
		return "", nil, &platform.Refusal{Code: platform.NotFound, Detail: err.Error()}
	}
	var v tenantView
	for _, read := range []func(context.Context, catalog.TenantID, *tenantView) error{
		h.readTenant, h.readSites, h.readRest,
	} {
		if err := read(r.Context(), id, &v); err != nil {
			return "", nil, err
		}
	}
	return v.Tenant.Name, v, nil
}

func (h *Handler) readTenant(ctx context.Context, id catalog.TenantID, v *tenantView) (err error) {
	body, err := h.platform.Tenant(ctx, id)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, &v.Tenant); err != nil {
		return err
	}
	v.Status, err = h.platform.EHRStatus(ctx, id)
	return err
}

// most is how many facilities, licences or administrators are shown of a tenant.
const most = 1000

func (h *Handler) readSites(ctx context.Context, id catalog.TenantID, v *tenantView) error {
	grant, err := h.platform.Grant(ctx, id)
	if err != nil {
		return err
	}
	v.Revision, v.UpdatedAt, v.UpdatedBy = grant.Stamp.Revision, grant.UpdatedAt, grant.UpdatedBy
	for _, module := range h.catalogue.Modules() {
		v.Modules = append(v.Modules, module)
	}
	page, err := h.platform.Facilities(ctx, id, platform.PageRequest{Limit: most})
	if err != nil {
		return err
	}
	facilities, err := decode[platform.Facility](page.Items)
	for _, f := range facilities {
		s := site{Facility: f}
		for _, module := range v.Modules {
			s.Cells = append(s.Cells, cell{module.Name, grant.Holds(catalog.Row{Facility: f.ID, Module: module.EHR})})
		}
		v.Sites = append(v.Sites, s)
	}
	return err
}

func (h *Handler) readRest(ctx context.Context, id catalog.TenantID, v *tenantView) error {
	connect, err := h.platform.Connect(ctx, id)
	if err != nil {
		return err
	}
	v.Instruments = connect.Instruments
	licences, err := h.platform.Licences(ctx, id, platform.PageRequest{Limit: most})
	if err != nil {
		return err
	}
	if v.Licences, err = decode[platform.Licence](licences.Items); err != nil {
		return err
	}
	admins, err := h.platform.Admins(ctx, id, platform.PageRequest{Limit: most})
	if err != nil {
		return err
	}
	v.Admins, err = decode[platform.Admin](admins.Items)
	return err
}
