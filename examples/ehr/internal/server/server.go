package server

import (
	"log/slog"
	"net/http"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/veonahealth/charter/examples/ehr/internal/platform"
)

// ContractVersion is the version of the EHR contract that is spoken here.
const ContractVersion = "1"

// Server is an http.Handler that speaks the EHR contract.
type Server struct {
	platform *platform.Platform
	tokens   atomic.Pointer[Tokens]
	page     http.Handler  // for people who look; nil for none
	pace     *rate.Limiter // nil where requests are not counted
	log      *slog.Logger
	now      func() time.Time
	version  string
	mux      *http.ServeMux
	bulk     chan struct{} // has room for each bulk stream that may run
	gzips    sync.Pool     // of *gzip.Writer: a new one costs more than most answers
}

// Config is what a Server is made of.
type Config struct {
	Platform *platform.Platform // which judges
	Tokens   Tokens             // who may ask, until SetTokens says otherwise
	Page     http.Handler       // serves /ui/, to who may read all that it shows; nil for none
	// Rate is how many requests a second are answered, those of the clinical app
	// and GET /healthz aside; 0 is no bound.
	Rate    int
	Log     *slog.Logger     // gets what a client is not told: the causes of 5xx
	Now     func() time.Time // what the header Date says
	Version string           // of this program
}

// pages is where the pages for people stand.
const pages = "/ui/"

// streams is how many bulk streams run at once. Each holds on to one state of the
// database as long as its reader is slow.
const streams = 4

// New returns the server.
func New(c Config) *Server {
	s := &Server{
		platform: c.Platform, page: c.Page, log: c.Log, now: c.Now, version: c.Version,
		mux: http.NewServeMux(), bulk: make(chan struct{}, streams),
		gzips: sync.Pool{New: newGzip},
	}
	s.SetTokens(c.Tokens)
	if c.Rate > 0 {
		s.pace = rate.NewLimiter(rate.Limit(c.Rate), c.Rate)
	}
	for pattern, methods := range s.resources() {
		s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, methods) })
	}
	return s
}

// SetTokens makes others ask from now on.
func (s *Server) SetTokens(t Tokens) { s.tokens.Store(&t) }

// endpoint is what one method of one resource does.
type endpoint struct {
	capability string // "" asks for no token
	do         func(*exchange) error
}

// methods are the endpoints of a resource, by method. GET serves HEAD too.
type methods map[string]endpoint

// resources is the contract's table.
func (s *Server) resources() map[string]methods {
	return map[string]methods{
		"/{$}":                    {"GET": {"", s.root}},
		"/healthz":                {"GET": {"", s.health}},
		"/openapi.json":           {"GET": {"", s.openAPI}},
		"/editions":               {"GET": {"registry.read", s.editions}},
		"/editions/{id}":          {"GET": {"registry.read", s.edition}},
		"/registry/editions":      {"POST": {"registry.write", write(s.createEdition)}},
		"/registry/editions/{id}": {"PUT": {"registry.write", write(s.replaceEdition)}},
		"/clients": {
			"GET":  {"clients.read", s.organisations},
			"POST": {"clients.write", write(s.createOrganisation)},
		},
		"/clients/{id}": {"PUT": {"clients.write", write(s.replaceOrganisation)}},
		"/tenants": {
			"GET":  {"clients.read", s.tenants},
			"POST": {"clients.write", write(s.createTenant)},
		},
		"/tenants/{id}": {
			"GET": {"clients.read", s.tenant},
			"PUT": {"clients.write", write(s.replaceTenant)},
		},
		"/tenants/{id}/provision":             {"POST": {"onboarding.run", write(s.provision)}},
		"/tenants/{id}/ehr-status":            {"GET": {"clients.read", s.ehrStatus}},
		"/tenants/{id}/usage":                 {"GET": {"entitlements.read", s.usage}},
		"/tenants/{id}/facilities":            {"GET": {"clients.read", s.facilities}},
		"/tenants/{id}/facilities/{facility}": {"PUT": {"onboarding.run", write(s.replaceFacility)}},
		"/tenants/{id}/entitlements": {
			"GET": {"entitlements.read", s.grant},
			"PUT": {"entitlements.write", write(s.replaceGrant)},
		},
		"/tenants/{id}/connect-entitlements": {
			"GET": {"entitlements.read", s.connect},
			"PUT": {"entitlements.write", write(s.replaceConnect)},
		},
		"/tenants/{id}/tenant-admins": {
			"GET":  {"tenant_admins.manage", s.admins},
			"POST": {"tenant_admins.manage", write(s.invite)},
		},
		"/tenants/{id}/tenant-admins/{email}": {"DELETE": {"tenant_admins.manage", bare(s.withdraw)}},
		"/entitlements":                       {"GET": {"entitlements.read", s.grants}},
		"/licenses": {
			"GET":  {"license.read", s.licences},
			"POST": {"license.issue", write(s.issueLicence)},
		},
		"/licenses/{id}/activate":    {"POST": {byLicence, write(s.activate)}},
		"/licenses/{id}/heartbeat":   {"POST": {byLicence, write(s.heartbeat)}},
		"/licenses/{id}/revoke":      {"POST": {"license.revoke", bare(s.revokeLicence)}},
		"/licenses/{id}/rebind":      {"POST": {"license.revoke", bare(s.rebindLicence)}},
		"/subscriptions/{id}/status": {"POST": {"billing.write", write(s.setBilling)}},
		"/audit":                     {"GET": {"audit.read", s.audit}},
		pages:                        {"GET": {byPassword, s.look}},
		"/":                          {}, // every other path
	}
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	defer s.recover(w, r)
	switch {
	case strings.HasPrefix(r.URL.Path, "/ehr/"):
		// The mux would redirect the paths that are meant to fool a gate.
		s.serve(w, r, methods{r.Method: {"", s.gate}})
	case r.URL.Path != path.Clean(r.URL.Path) && r.URL.Path != pages:
		s.serve(w, r, methods{})
	default:
		s.mux.ServeHTTP(w, r)
	}
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, m methods) {
	x := &exchange{Server: s, w: w, r: r}
	if err := x.run(m); err != nil {
		x.fail(err)
	}
}

// Refuse answers a request with a status of 4xx or 5xx, as if something had gone
// wrong.
func (s *Server) Refuse(w http.ResponseWriter, r *http.Request, status int) {
	w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat))
	code := internal
	switch status {
	case http.StatusTooManyRequests:
		code = rateLimited
	case http.StatusServiceUnavailable:
		code = string(platform.Unavailable)
	}
	refused := problemf(code, "on order")
	refused.Status = status
	(&exchange{Server: s, w: w, r: r}).fail(refused)
}

// recover turns a panic into an answer. The panic that net/http uses to break a
// connection goes on.
func (s *Server) recover(w http.ResponseWriter, r *http.Request) {
	switch p := recover(); p {
	case nil:
	case http.ErrAbortHandler:
		panic(p)
	default:
		x := &exchange{Server: s, w: w, r: r}
		x.fail(panicked{p})
	}
}
