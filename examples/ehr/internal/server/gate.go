package server

import (
	"context"
	"errors"
	"net/http"

	"github.com/veonahealth/charter/examples/ehr/internal/platform"
)

// gate stands for the clinical app. Its answers change with a grant, at once, and
// may not be kept.
func (s *Server) gate(x *exchange) error {
	x.w.Header().Set("Cache-Control", "no-store")
	passage, err := s.platform.Gate(x.ctx(), x.r.URL.EscapedPath())
	if refusal, ok := errors.AsType[*platform.Refusal](err); ok && refusal.Code == platform.TenantSuspended {
		shut := x.problem(err)
		shut.Status = http.StatusForbidden // 423 is for those who write rows
		return shut
	}
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, passage)
}

// look shows a page to people.
func (s *Server) look(x *exchange) error {
	if s.page == nil {
		return problemf(string(platform.NotFound), "nothing is at this path")
	}
	s.page.ServeHTTP(x.w, x.r)
	return nil
}

func (s *Server) audit(x *exchange) error {
	since, err := number(x.r.URL.RawQuery, "since", 0)
	if err != nil {
		return err
	}
	return x.page(func(ctx context.Context, ask platform.PageRequest) (platform.Page, error) {
		return s.platform.Audit(ctx, since, ask)
	})
}
