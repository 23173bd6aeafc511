package server

import (
	"context"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/internal/platform"
)

func (s *Server) licences(x *exchange) error {
	text, given, err := parameter(x.r.URL.RawQuery, "tenant")
	if err != nil {
		return err
	}
	var of catalog.TenantID
	if given {
		if of, err = catalog.ParseTenantID(text); err != nil {
			return problemf(string(platform.Invalid), "tenant: %s", err)
		}
	}
	return x.page(func(ctx context.Context, ask platform.PageRequest) (platform.Page, error) {
		return s.platform.Licences(ctx, of, ask)
	})
}

func (s *Server) issueLicence(x *exchange, w platform.Write, spec platform.LicenceSpec) (platform.Answer, error) {
	return s.platform.IssueLicence(x.ctx(), w, spec)
}

// box is what a box says of itself when it activates a licence, and what who moves
// a licence says of the box that is to have it.
type box struct {
	Fingerprint string `json:"fingerprint"`
}

func (s *Server) activate(x *exchange, w platform.Write, said box) (platform.Answer, error) {
	if err := x.checkBox(said.Fingerprint); err != nil {
		return platform.Answer{}, err
	}
	return s.platform.Activate(x.ctx(), w, x.r.PathValue("id"), said.Fingerprint)
}

func (s *Server) heartbeat(x *exchange, w platform.Write, said platform.Heartbeat) (platform.Answer, error) {
	if err := x.checkBox(said.Fingerprint); err != nil {
		return platform.Answer{}, err
	}
	return s.platform.Beat(x.ctx(), w, x.r.PathValue("id"), said)
}

// checkBox refuses another box than the one that the token is bound to, whatever
// the licence is bound to by now.
func (x *exchange) checkBox(fingerprint string) error {
	if x.boundTo != "" && x.boundTo != fingerprint {
		return problemf(string(platform.FingerprintMismatch), "the token is another box's")
	}
	return nil
}

func (s *Server) revokeLicence(x *exchange, w platform.Write, _ struct{}) (platform.Answer, error) {
	return s.platform.RevokeLicence(x.ctx(), w, x.r.PathValue("id"))
}

func (s *Server) rebindLicence(x *exchange, w platform.Write, said box) (platform.Answer, error) {
	return s.platform.RebindLicence(x.ctx(), w, x.r.PathValue("id"), said.Fingerprint)
}
