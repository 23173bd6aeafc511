// Package box plays the on-prem side of a licence: a small machine in a hospital
// that activates its licence, beats, and answers the routes of the clinical app by
// the grant that it was last given, also while no network is there.
//
// The box never decides how long it may run. Its token says so, which it checks
// with the platform's public key: between not_before and expires, and until
// offline_until without a heartbeat. Then every route answers 403 until a heartbeat
// succeeds. A platform that refuses the box by name (revoked, expired, another
// box's) locks it at once.
//
// While the box is offline the clock still runs: a row of the licence whose time
// begins or ends after the last grant was given is taken up or dropped then. What
// lies before that is the grant's to say.
//
// All it knows is in one file, replaced whole, so that a box that loses its power
// comes up as it was.
package box

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/internal/licence"
	"github.com/veonahealth/charter/examples/ehr/internal/platform"
)

// Config is what a Box is made of.
type Config struct {
	EHR         string            // the platform's URL
	Fingerprint string            // names this hardware
	Key         licence.PublicKey // opens the platform's tokens
	Routes      platform.Routes   // of the clinical app
	State       string            // the file that it keeps
	Client      *http.Client
	Now         func() time.Time
	Log         *slog.Logger
}

// Box is one box. Its methods may be called concurrently.
type Box struct {
	Config

	beating sync.Mutex // held by the one heartbeat that is under way
	mu      sync.RWMutex
	state   state
}

// Document is a licence as the platform answers it, as far as a box needs it.
type Document struct {
	ID    string `json:"id"`
	Token string `json:"token"`
	licence.Terms
}

// state is what a box knows.
type state struct {
	Licence   Document  `json:"licence"`
	Activated bool      `json:"activated"`
	Grant     *grant    `json:"grant"`    // null until it was given one
	GivenAt   time.Time `json:"given_at"` // when it was given the grant, by the box's clock
	Suspended bool      `json:"suspended"`
	Locked    string    `json:"locked"` // the code by which the platform refused the box, or ""
}

// grant is what a box enforces.
type grant struct {
	Revision int64         `json:"revision"`
	Rows     []catalog.Row `json:"rows"`
}

// New returns the box that its file remembers. A licence that was issued after the
// one that it remembers, and any where it remembers none, is activated with the
// next heartbeat.
func New(c Config, carried Document) (*Box, error) {
	b := &Box{Config: c}
	found, err := b.load()
	if err != nil {
		return nil, err
	}
	fresh, err := b.claims(carried)
	if !found {
		b.state.Licence = carried
		return b, err
	}
	held, heldErr := b.claims(b.state.Licence)
	if err == nil && fresh.IssuedAt.After(held.IssuedAt) && carried.ID != b.state.Licence.ID {
		b.state.Licence, b.state.Activated, b.state.Locked = carried, false, ""
		return b, nil
	}
	return b, heldErr
}

// claims returns what a licence's token says, if the platform gave it for these
// terms.
func (b *Box) claims(d Document) (licence.Claims, error) {
	c, err := b.Key.Open(d.Token)
	if err != nil {
		return c, err
	}
	terms, err := d.Digest()
	if err != nil {
		return c, err
	}
	if c.Licence != d.ID || c.Terms != terms || c.Fingerprint != "" && c.Fingerprint != b.Fingerprint {
		return c, licence.ErrInvalid
	}
	return c, nil
}

// Run beats every so often until ctx ends.
func (b *Box) Run(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		if err := b.Beat(ctx); err != nil && ctx.Err() == nil {
			b.Log.Warn("heartbeat", "err", err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// Gate answers a route of the clinical app: the passage, and the code of the
// refusal or "".
func (b *Box) Gate(escaped string) (platform.Passage, platform.Code) {
	passage, gated := b.Routes.Passage(escaped)
	b.mu.RLock()
	defer b.mu.RUnlock()
	now := b.Now()
	c, err := b.claims(b.state.Licence)
	switch {
	case !gated || err != nil || passage.Tenant != c.Tenant || !b.state.holds(passage, now):
		return passage, platform.ModuleNotEntitled
	case b.state.lockedAt(c, now):
		return passage, platform.TenantLocked
	case b.state.Suspended:
		return passage, platform.TenantSuspended
	}
	return passage, ""
}

// lockedAt reports whether the box may not run at a time.
func (s *state) lockedAt(c licence.Claims, now time.Time) bool {
	return s.Locked != "" || now.Before(c.NotBefore) || !now.Before(c.Expires) ||
		c.OfflineUntil == nil || now.After(*c.OfflineUntil)
}

// holds reports whether a row is in force: by the grant, and by what the licence
// lets begin or end since that was given.
func (s *state) holds(p platform.Passage, now time.Time) bool {
	if s.Grant == nil {
		return false
	}
	held := slices.Contains(s.Grant.Rows, catalog.Row{Facility: p.Facility, Module: p.Module})
	since := func(t *time.Time) bool { return t != nil && t.After(s.GivenAt) && !t.After(now) }
	for _, m := range s.Licence.Modules {
		if m.Facility != p.Facility || m.Module != p.Module {
			continue
		}
		switch {
		case since(m.Until):
			held = false
		case since(m.From):
			held = true
		}
	}
	return held
}

// ServeHTTP implements http.Handler: the clinical app, and what the box knows of
// itself at /healthz.
func (b *Box) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", b.Now().UTC().Format(http.TimeFormat))
	w.Header().Set("Cache-Control", "no-store")
	if r.URL.Path == "/healthz" {
		answer(w, http.StatusOK, "application/json", b.health())
		return
	}
	passage, refused := b.Gate(r.URL.EscapedPath())
	if refused != "" {
		answer(w, http.StatusForbidden, "application/problem+json", refusal{
			Type: "https://veonahealth.com/charter/problems/" + string(refused), Title: "The route is shut",
			Status: http.StatusForbidden, Detail: "by this box", Code: refused,
		})
		return
	}
	answer(w, http.StatusOK, "application/json", passage)
}

// refusal is a problem document (RFC 9457).
type refusal struct {
	Type   string        `json:"type"`
	Title  string        `json:"title"`
	Status int           `json:"status"`
	Detail string        `json:"detail"`
	Code   platform.Code `json:"code"`
}

// Health is what a box says of itself.
type Health struct {
	Status       string     `json:"status"` // "up": it answers
	Licence      string     `json:"licence"`
	Enforced     *int64     `json:"enforced_revision"` // null until it was given a grant
	OfflineUntil *time.Time `json:"offline_until"`     // null until it was activated
	Locked       bool       `json:"locked"`
}

func (b *Box) health() Health {
	b.mu.RLock()
	defer b.mu.RUnlock()
	h := Health{Status: "up", Licence: b.state.Licence.ID, Locked: true}
	if b.state.Grant != nil {
		h.Enforced = &b.state.Grant.Revision
	}
	if c, err := b.claims(b.state.Licence); err == nil {
		h.OfflineUntil, h.Locked = c.OfflineUntil, b.state.lockedAt(c, b.Now())
	}
	return h
}

func answer(w http.ResponseWriter, status int, mediaType string, value any) {
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(status)
	json.MarshalWrite(w, value) // an error here is the client's going away
}
