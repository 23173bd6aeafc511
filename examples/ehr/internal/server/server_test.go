package server

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/internal/platform"
	"github.com/veonahealth/charter/examples/ehr/internal/sqlite"
	"github.com/veonahealth/charter/schema"
)

// open returns a server on a database in memory, and its log.
func open(t *testing.T) (*Server, *bytes.Buffer) {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Memory)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	c, err := schema.LoadCatalog(catalog.DefaultFiles())
	if err != nil {
		t.Fatal(err)
	}
	p, err := platform.New(t.Context(), platform.Config{Store: store, Catalog: c, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := ReadTokens(strings.NewReader(`{"s3cret":{"actor":"a","roles":["super_admin"]}}`), c.Capabilities)
	if err != nil {
		t.Fatal(err)
	}
	logged := &bytes.Buffer{}
	log := slog.New(slog.NewTextHandler(logged, nil))
	return New(Config{Platform: p, Tokens: tokens, Log: log, Now: time.Now, Version: "1"}), logged
}

// ask sends a request and returns the answer, which must be a problem.
func ask(t *testing.T, s *Server, path string) (*httptest.ResponseRecorder, problem) {
	t.Helper()
	r := httptest.NewRequest("GET", path, nil)
	r.Header.Set("Authorization", "Bearer s3cret")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	var p problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("%s: %v", w.Body, err)
	}
	return w, p
}

func TestAPanicIsA500AndTheClientIsNotToldWhy(t *testing.T) {
	s, log := open(t)
	s.mux.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic("the inside of it") })
	w, p := ask(t, s, "/panic")
	if w.Code != 500 || p.Code != internal || strings.Contains(w.Body.String(), "inside") {
		t.Errorf("%d: %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "the inside of it") || strings.Contains(log.String(), "s3cret") {
		t.Errorf("log: %s", log)
	}
}

func TestMoreBulkStreamsThanMayRunAre503(t *testing.T) {
	s, _ := open(t)
	for range streams {
		s.bulk <- struct{}{}
	}
	w, p := ask(t, s, "/entitlements")
	if w.Code != 503 || p.Code != string(platform.Unavailable) || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d, Retry-After %q: %s", w.Code, w.Header().Get("Retry-After"), w.Body)
	}
	<-s.bulk
	at := httptest.NewServer(s)
	defer at.Close()
	for range 2 * streams { // each gives its place back
		r, err := http.NewRequest("GET", at.URL+"/entitlements", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer s3cret")
		answer, err := at.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if answer.Body.Close(); answer.StatusCode != 200 {
			t.Fatalf("status %d", answer.StatusCode)
		}
	}
}
