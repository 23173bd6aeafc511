package box

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/veonahealth/charter/examples/ehr/internal/platform"
)

// maxAnswer is the longest answer that a box reads, in bytes.
const maxAnswer = 8 << 20

// refused says that the platform understood the box and said no.
type refused struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
}

func (r *refused) Error() string { return fmt.Sprintf("%d %s", r.Status, r.Code) }

// locks reports whether the no is about the box itself, and not about the moment.
func (r *refused) locks() bool {
	return r.Status == http.StatusUnauthorized || r.Status == http.StatusForbidden
}

// Beat activates the licence where that is still to be done, reports what the box
// enforces, and takes over what it is told. What it is told anew it reports at
// once.
func (b *Box) Beat(ctx context.Context) error {
	b.beating.Lock()
	defer b.beating.Unlock()
	err := b.beat(ctx)
	if no, ok := errors.AsType[*refused](err); ok && no.locks() {
		next := b.snapshot()
		next.Locked = no.Code
		return errors.Join(err, b.keep(next))
	}
	return err
}

func (b *Box) beat(ctx context.Context) error {
	next := b.snapshot()
	if !next.Activated {
		if err := b.activate(ctx, &next, next.Licence); err != nil {
			return err
		}
	}
	before := next.Grant
	for {
		told, err := b.report(ctx, &next)
		if err != nil {
			return err
		}
		if err := b.follow(ctx, &next, told); err != nil {
			return err
		}
		if err := b.keep(next); err != nil {
			return err
		}
		if before != nil && before.Revision == next.Grant.Revision {
			return nil
		}
		before = next.Grant
	}
}

// snapshot returns what the box knows, to be changed and kept.
func (b *Box) snapshot() state {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.state
}

// activate binds a licence to this box.
func (b *Box) activate(ctx context.Context, s *state, d Document) error {
	var active Document
	said := map[string]string{"fingerprint": b.Fingerprint}
	if err := b.post(ctx, d, "activate", said, &active); err != nil {
		return fmt.Errorf("activate licence %s: %w", d.ID, err)
	}
	if _, err := b.claims(active); err != nil {
		return fmt.Errorf("activate licence %s: %w", d.ID, err)
	}
	s.Licence, s.Activated = active, true
	return b.keep(*s)
}

// told is what a heartbeat is answered.
type told struct {
	Token      string               `json:"token"`
	Grant      grant                `json:"grant"`
	Directives []platform.Directive `json:"directives"`
}

func (b *Box) report(ctx context.Context, s *state) (t told, err error) {
	said := platform.Heartbeat{Fingerprint: b.Fingerprint}
	if s.Grant != nil {
		said.EnforcedRevision = &s.Grant.Revision
	}
	if err := b.post(ctx, s.Licence, "heartbeat", said, &t); err != nil {
		return t, fmt.Errorf("heartbeat of licence %s: %w", s.Licence.ID, err)
	}
	return t, nil
}

// follow takes over what the box was told.
func (b *Box) follow(ctx context.Context, s *state, t told) error {
	renewed := s.Licence
	renewed.Token = t.Token
	if _, err := b.claims(renewed); err != nil {
		return fmt.Errorf("heartbeat of licence %s: %w", s.Licence.ID, err)
	}
	s.Licence, s.Grant, s.GivenAt = renewed, &t.Grant, b.Now().UTC()
	s.Locked, s.Suspended = "", false
	for _, d := range t.Directives {
		switch d.Do {
		case "suspend":
			s.Suspended = true
		case "renew":
			if err := b.activate(ctx, s, Document{ID: d.Licence, Token: d.Token}); err != nil {
				return err
			}
		}
	}
	return nil
}

// post asks the platform with a licence's token.
func (b *Box) post(ctx context.Context, d Document, what string, said, into any) error {
	body, err := json.Marshal(said)
	if err != nil {
		return err
	}
	url := strings.TrimRight(b.EHR, "/") + "/licenses/" + d.ID + "/" + what
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+d.Token)
	r.Header.Set("Content-Type", "application/json")
	response, err := b.Client.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return refusedBy(response, text)
	}
	return json.Unmarshal(text, into)
}

// refusedBy tells the platform's own no from that of whatever else may answer in
// its place.
func refusedBy(response *http.Response, text jsontext.Value) error {
	no := &refused{Status: response.StatusCode}
	if response.Header.Get("Content-Type") == "application/problem+json" && json.Unmarshal(text, no) == nil && no.Code != "" {
		no.Status = response.StatusCode
		return no
	}
	return fmt.Errorf("status %d", response.StatusCode)
}
