package notice

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/daemon"
)

var start = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// receiver takes notices, and says each incident as "status id".
type receiver struct {
	url string

	mu     sync.Mutex
	bodies []string
	status int
}

func receive(t testing.TB) *receiver {
	t.Helper()
	r := &receiver{status: http.StatusOK}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.status == http.StatusOK {
			r.bodies = append(r.bodies, string(body))
		}
		w.WriteHeader(r.status)
	}))
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

func (r *receiver) answers(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

// got gives what came since it was last asked.
func (r *receiver) got(t testing.TB) []string {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []string
	for _, body := range r.bodies {
		var n Notice
		if err := json.Unmarshal([]byte(body), &n); err != nil || n.Kind != "charter.notice" {
			t.Fatalf("%v: %s", err, body)
		}
		for _, i := range n.Incidents {
			list = append(list, string(i.Status)+" "+i.ID)
		}
	}
	r.bodies = nil
	return list
}

// sender tells a receiver, at a time that a test sets.
func sender(r *receiver, file string, now *time.Time) *Sender {
	return New(Options{
		Targets: []Target{{URL: r.url, Shape: JSON, Name: "on-call"}}, File: file, Now: func() time.Time { return *now },
		Log: slog.New(slog.DiscardHandler), Patience: time.Minute,
	})
}

// view is one of tenants that stand in some way: "drift ward" is of one row.
func view(faults []daemon.Fault, tenants map[string]string) *daemon.View {
	v := &daemon.View{Environment: "default", LastFull: start, Faults: faults}
	for id, text := range tenants {
		standing, module, _ := strings.Cut(text, " ")
		x := &daemon.Tenant{ID: id, Standing: daemon.Standing(standing), Since: start}
		if module != "" {
			x.Batches = []plan.Batch{{Changes: []plan.Change{{Action: plan.Revoke, Class: plan.Drift, Kind: plan.KindRow, Facility: "main", Module: module}}}}
		}
		v.Tenants = append(v.Tenants, x)
	}
	return v
}

func expect(t testing.TB, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("told %q, want %q", got, want)
	}
}

func TestAnIncidentIsToldOnceThenWhenItChangesThenWhenItIsOver(t *testing.T) {
	r, now := receive(t), start
	s := sender(r, "", &now)
	tell := func(v *daemon.View) []string { s.tell(context.Background(), v); return r.got(t) }
	expect(t, tell(view(nil, map[string]string{"aga": "in-step"})))
	expect(t, tell(view(nil, map[string]string{"aga": "drift ward"})), "opened default/aga/drift")
	expect(t, tell(view(nil, map[string]string{"aga": "drift ward"})))
	expect(t, tell(view(nil, map[string]string{"aga": "drift theatre"})), "changed default/aga/drift")
	expect(t, tell(view(nil, map[string]string{"aga": "in-step"})), "closed default/aga/drift")
	expect(t, tell(view(nil, map[string]string{"aga": "in-step"})))
}

func TestAllThatAPassBringsIsOneMessageByTenant(t *testing.T) {
	r, now := receive(t), start
	s := sender(r, "", &now)
	s.tell(t.Context(), view(nil, map[string]string{"chuka": "drift ward", "aga": "drift ward", "bomet": "conflict"}))
	if n := len(r.bodies); n != 1 {
		t.Errorf("%d messages", n)
	}
	expect(t, r.got(t), "opened default/aga/drift", "opened default/bomet/conflict", "opened default/chuka/drift")
}

func TestWhatMayPassByItselfIsToldWhenItHasLasted(t *testing.T) {
	r, now := receive(t), start
	s := sender(r, "", &now)
	down := view([]daemon.Fault{{Code: daemon.PlatformDown, Text: "no answer", Since: start}}, map[string]string{"aga": "unreadable"})
	s.tell(t.Context(), down)
	expect(t, r.got(t))
	now = start.Add(time.Minute)
	s.tell(t.Context(), down)
	expect(t, r.got(t), "opened default/ehr-down", "opened default/aga/unreadable")
}

func TestARestoredPlatformIsOneIncidentAndNotOneATenant(t *testing.T) {
	r, now := receive(t), start
	s := sender(r, "", &now)
	s.tell(t.Context(), view([]daemon.Fault{{Code: daemon.Restored, Text: "gone", Since: start}}, map[string]string{"aga": "drift ward", "bomet": "drift ward"}))
	expect(t, r.got(t), "opened default/restored")
}

func TestWhatWasNotDeliveredIsToldAgainAndNothingTwice(t *testing.T) {
	r, now := receive(t), start
	s := sender(r, "", &now)
	r.answers(http.StatusBadGateway)
	s.tell(t.Context(), view(nil, map[string]string{"aga": "drift ward"}))
	expect(t, r.got(t))
	r.answers(http.StatusOK)
	s.tell(t.Context(), view(nil, map[string]string{"aga": "drift ward"}))
	expect(t, r.got(t), "opened default/aga/drift")
}

func TestADaemonThatStartsAnewDoesNotRepeatWhatItTold(t *testing.T) {
	r, now := receive(t), start
	file := filepath.Join(t.TempDir(), "notices.json")
	sender(r, file, &now).tell(t.Context(), view(nil, map[string]string{"aga": "drift ward"}))
	expect(t, r.got(t), "opened default/aga/drift")
	again := sender(r, file, &now)
	again.tell(t.Context(), view(nil, map[string]string{"aga": "drift ward"}))
	expect(t, r.got(t))
	unread := view(nil, nil)
	unread.LastFull = time.Time{} // nothing was read yet: that is not that all is well
	again.tell(t.Context(), unread)
	expect(t, r.got(t))
	again.tell(t.Context(), view(nil, nil))
	expect(t, r.got(t), "closed default/aga/drift")
}

func TestATextCannotMentionLinkOrBreakOut(t *testing.T) {
	s := New(Options{Log: slog.New(slog.DiscardHandler)})
	evil := daemon.Incident{Tenant: "aga", Kind: "drift", Text: "<!channel> <https://evil.example.org|here>\n[closed] aga: & all \u202e" + strings.Repeat("x", 10_000)}
	text := s.text("default", []News{{Opened, evil}})
	if strings.ContainsAny(text, "<>\u202e") || strings.Count(text, "\n") != 1 || len(text) > 1000 {
		t.Errorf("%q", text)
	}
}

func TestAFailureDoesNotTellTheAddress(t *testing.T) {
	var log strings.Builder
	s := New(Options{
		Targets: []Target{{URL: "http://127.0.0.1:1/T000/secret", Shape: Slack, Name: "on-call"}},
		Now:     func() time.Time { return start }, Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	s.tell(t.Context(), view(nil, map[string]string{"aga": "drift ward"}))
	if !strings.Contains(log.String(), "on-call") || strings.Contains(log.String(), "secret") {
		t.Errorf("log: %s", log.String())
	}
}
