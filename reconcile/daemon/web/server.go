package web

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/veonahealth/charter/reconcile/daemon"
)

//go:embed assets
var assets embed.FS

// Options say what to show, and to whom.
type Options struct {
	View    func() *daemon.View
	Access  Access
	Hook    *Hook // nil for no door
	Ask     func(daemon.Ask)
	Metrics *Metrics
	// Alive reports whether passes are still made; nil for always.
	Alive func() bool
	Now   func() time.Time
	Log   *slog.Logger
}

// Server shows a daemon.
type Server struct {
	o      Options
	events *events
	pages  *pages
}

// New returns a server; it listens nowhere yet.
func New(o Options) (*Server, error) {
	if o.Hook != nil {
		if err := o.Hook.Check(); err != nil {
			return nil, err
		}
	}
	p, err := newPages()
	if err != nil {
		return nil, err
	}
	return &Server{o: o, events: newEvents(), pages: p}, nil
}

// Published tells the browsers that look on of a new view.
func (s *Server) Published(v *daemon.View) { s.events.publish(v.Number) }

// Handler answers requests.
func (s *Server) Handler() (http.Handler, error) {
	files, err := fs.Sub(assets, "assets")
	if err != nil {
		return nil, err
	}
	guarded := http.NewServeMux()
	guarded.HandleFunc("GET /{$}", s.overview)
	guarded.HandleFunc("GET /tenants", s.tenants)
	guarded.HandleFunc("GET /tenants/{id}", s.tenant)
	guarded.HandleFunc("GET /calendar", s.calendar)
	guarded.HandleFunc("GET /ledger", s.ledger)
	guarded.HandleFunc("GET /holds", s.holds)
	guarded.HandleFunc("GET /status.json", s.status)
	guarded.Handle("GET /events", s.events)
	guarded.Handle("GET /assets/", http.StripPrefix("/assets/", http.FileServerFS(files)))

	open := http.NewServeMux()
	open.HandleFunc("GET /healthz", s.healthz)
	open.HandleFunc("GET /readyz", s.readyz)
	open.Handle("GET /metrics", s.o.Access.metrics(promhttp.HandlerFor(s.o.Metrics.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})))
	if s.o.Hook != nil {
		open.Handle("POST /hooks/git", s.o.Hook.handler(func() { s.o.Ask(daemon.Ask{Depth: daemon.Look, Why: "webhook"}) }, s.o.Metrics.knocked))
	}
	open.Handle("/", s.o.Access.pages(guarded))
	return hardened(open), nil
}

// policy lets a page load its own two files, and be changed by nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

func hardened(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

const (
	headerWithin = 5 * time.Second
	bodyWithin   = 20 * time.Second
	answerWithin = 30 * time.Second
	idleFor      = 2 * time.Minute
	endsWithin   = 5 * time.Second
	maxHeader    = 32 << 10
)

// Serve answers on a listener until the context ends.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	handler, err := s.Handler()
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: headerWithin, ReadTimeout: bodyWithin, WriteTimeout: answerWithin,
		IdleTimeout: idleFor, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(s.o.Log.Handler(), slog.LevelDebug),
	}
	ended := context.AfterFunc(ctx, func() {
		close(s.events.done)
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), endsWithin)
		defer cancel()
		if err := server.Shutdown(within); err != nil {
			s.o.Log.Warn("connections were cut", "error", err)
		}
	})
	defer ended()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the status pages: %w", err)
	}
	return nil
}

func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	if s.o.Alive != nil && !s.o.Alive() {
		http.Error(w, "no pass has ended for too long", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	if !s.o.View().Ready() {
		http.Error(w, "not everything was read yet", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

func (s *Server) status(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if err := json.NewEncoder(w).Encode(s.o.View()); err != nil {
		s.o.Log.Debug("status not sent", "error", err)
	}
}
