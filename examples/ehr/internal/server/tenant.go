package server

import (
	"context"
	"net/http"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/internal/platform"
)

func (s *Server) tenants(x *exchange) error { return x.page(s.platform.Tenants) }

func (s *Server) tenant(x *exchange) error {
	id, err := x.tenantID()
	if err != nil {
		return err
	}
	body, err := s.platform.Tenant(x.ctx(), id)
	if err != nil {
		return err
	}
	x.send(http.StatusOK, "application/json", body)
	return nil
}

func (s *Server) createTenant(x *exchange, w platform.Write, t platform.TenantSpec) (platform.Answer, error) {
	return s.platform.CreateTenant(x.ctx(), w, t)
}

func (s *Server) replaceTenant(x *exchange, w platform.Write, t platform.TenantSpec) (platform.Answer, error) {
	id, err := x.tenantID()
	if err != nil {
		return platform.Answer{}, err
	}
	return s.platform.ReplaceTenant(x.ctx(), w, id, t)
}

func (s *Server) provision(x *exchange, w platform.Write, want platform.Provision) (platform.Answer, error) {
	id, err := x.tenantID()
	if err != nil {
		return platform.Answer{}, err
	}
	return s.platform.Provision(x.ctx(), w, id, want)
}

func (s *Server) ehrStatus(x *exchange) error {
	id, err := x.tenantID()
	if err != nil {
		return err
	}
	status, err := s.platform.EHRStatus(x.ctx(), id)
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, status)
}

func (s *Server) usage(x *exchange) error {
	id, err := x.tenantID()
	if err != nil {
		return err
	}
	usage, err := s.platform.Usage(x.ctx(), id)
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, usage)
}

func (s *Server) facilities(x *exchange) error {
	id, err := x.tenantID()
	if err != nil {
		return err
	}
	return x.page(func(ctx context.Context, ask platform.PageRequest) (platform.Page, error) {
		return s.platform.Facilities(ctx, id, ask)
	})
}

func (s *Server) replaceFacility(x *exchange, w platform.Write, f platform.Facility) (platform.Answer, error) {
	tenant, err := x.tenantID()
	if err != nil {
		return platform.Answer{}, err
	}
	id, err := pathID(x, "facility", catalog.ParseFacilityID)
	if err != nil {
		return platform.Answer{}, err
	}
	return s.platform.ReplaceFacility(x.ctx(), w, tenant, id, f)
}

func (s *Server) admins(x *exchange) error {
	id, err := x.tenantID()
	if err != nil {
		return err
	}
	return x.page(func(ctx context.Context, ask platform.PageRequest) (platform.Page, error) {
		return s.platform.Admins(ctx, id, ask)
	})
}

func (s *Server) invite(x *exchange, w platform.Write, said platform.AdminSpec) (platform.Answer, error) {
	id, err := x.tenantID()
	if err != nil {
		return platform.Answer{}, err
	}
	return s.platform.Invite(x.ctx(), w, id, said)
}

func (s *Server) withdraw(x *exchange, w platform.Write, _ struct{}) (platform.Answer, error) {
	id, err := x.tenantID()
	if err != nil {
		return platform.Answer{}, err
	}
	return s.platform.Withdraw(x.ctx(), w, id, x.r.PathValue("email"))
}

// billing is what billing says of a tenant.
type billing struct {
	Status platform.Status `json:"status"`
}

func (s *Server) setBilling(x *exchange, w platform.Write, said billing) (platform.Answer, error) {
	id, err := x.tenantID()
	if err != nil {
		return platform.Answer{}, err
	}
	return s.platform.SetBilling(x.ctx(), w, id, said.Status)
}
