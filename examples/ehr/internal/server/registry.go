package server

import (
	"net/http"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/internal/platform"
	"github.com/veonahealth/charter/reconcile/ehr/conform"
)

// root tells what this server is.
func (s *Server) root(x *exchange) error {
	return x.json(http.StatusOK, struct {
		Name            string   `json:"name"`
		Version         string   `json:"version"`
		ContractVersion string   `json:"contract_version"`
		Instance        string   `json:"instance"`
		Features        []string `json:"features"`
		LicenceKey      string   `json:"licence_key"` // opens licence tokens
	}{
		"charter reference EHR", s.version, ContractVersion, s.platform.Instance(),
		s.features(), s.platform.LicenceKey().PEM(),
	})
}

// features are what is offered of what the contract leaves open.
func (s *Server) features() []string {
	offered := []string{"bulk-entitlements", "usage"}
	if s.platform.Verified() {
		offered = append(offered, "verified-authority")
	}
	return offered
}

// health says that the server is up, which means that its database answers.
func (s *Server) health(x *exchange) error {
	if err := s.platform.Check(x.ctx()); err != nil {
		s.log.Error("health", "err", err)
		return problemf(string(platform.Unavailable), "the database does not answer")
	}
	return x.json(http.StatusOK, struct {
		Status string `json:"status"`
	}{"up"})
}

// openAPI answers the contract.
func (s *Server) openAPI(x *exchange) error {
	x.send(http.StatusOK, "application/json", conform.OpenAPI())
	return nil
}

func (s *Server) editions(x *exchange) error { return x.page(s.platform.Editions) }

func (s *Server) edition(x *exchange) error {
	key, err := pathID(x, "id", catalog.ParseEditionKey)
	if err != nil {
		return err
	}
	body, etag, err := s.platform.Edition(x.ctx(), key)
	if err != nil {
		return err
	}
	return x.tagged(etag, body)
}

func (s *Server) createEdition(x *exchange, w platform.Write, e platform.EditionSpec) (platform.Answer, error) {
	return s.platform.CreateEdition(x.ctx(), w, e)
}

func (s *Server) replaceEdition(x *exchange, w platform.Write, e platform.EditionSpec) (platform.Answer, error) {
	key, err := pathID(x, "id", catalog.ParseEditionKey)
	if err != nil {
		return platform.Answer{}, err
	}
	return s.platform.ReplaceEdition(x.ctx(), w, key, condition(x.r.Header), e)
}

func (s *Server) organisations(x *exchange) error { return x.page(s.platform.Organisations) }

func (s *Server) createOrganisation(x *exchange, w platform.Write, o platform.Organisation) (platform.Answer, error) {
	return s.platform.CreateOrganisation(x.ctx(), w, o)
}

func (s *Server) replaceOrganisation(x *exchange, w platform.Write, o platform.Organisation) (platform.Answer, error) {
	id, err := pathID(x, "id", catalog.ParseOrganisationID)
	if err != nil {
		return platform.Answer{}, err
	}
	return s.platform.ReplaceOrganisation(x.ctx(), w, id, o)
}
