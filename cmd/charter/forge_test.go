package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// forges are the forges that scripts have started, by their addresses.
type forges struct {
	mu  sync.Mutex
	all map[string]*pullRequests
}

// pullRequests is GitHub's API as far as comments go, for one repository. What else
// the forges ask is held to in the tests of package forge.
type pullRequests struct {
	mu       sync.Mutex
	comments []map[string]any
}

// command is "forge start", which sets $FORGE, and "forge comments", which prints
// how many there are and the newest.
func (f *forges) command(ts *testscript.TestScript, neg bool, args []string) {
	switch {
	case neg || len(args) != 1:
		ts.Fatalf("usage: forge start | forge comments")
	case args[0] == "start":
		p := &pullRequests{}
		server := httptest.NewServer(p.handler())
		ts.Defer(server.Close)
		ts.Setenv("FORGE", server.URL)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.all[server.URL] = p
	default:
		f.mu.Lock()
		p := f.all[ts.Getenv("FORGE")]
		f.mu.Unlock()
		p.print(ts)
	}
}

func (p *pullRequests) print(ts *testscript.TestScript) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(ts.Stdout(), "%d comments\n", len(p.comments))
	if n := len(p.comments); n > 0 {
		fmt.Fprintln(ts.Stdout(), p.comments[n-1]["body"])
	}
}

func (p *pullRequests) handler() http.Handler {
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, status int, value any) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(value) // the client may have gone
	}
	const comments = "/repos/lakeside/fleet/issues/"
	mux.HandleFunc("GET /user", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusForbidden, map[string]any{"message": "Resource not accessible by integration"})
	})
	mux.HandleFunc("GET "+comments+"5/comments", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, slices.Concat([]map[string]any{}, p.comments))
	})
	mux.HandleFunc("POST "+comments+"5/comments", func(w http.ResponseWriter, r *http.Request) {
		c := map[string]any{"id": len(p.comments) + 1, "user": map[string]any{"type": "Bot"}}
		_ = json.NewDecoder(r.Body).Decode(&c) // what cannot be read has no text
		p.comments = append(p.comments, c)
		answer(w, http.StatusCreated, c)
	})
	mux.HandleFunc("PATCH "+comments+"comments/1", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewDecoder(r.Body).Decode(&p.comments[0])
		answer(w, http.StatusOK, p.comments[0])
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if r.Header.Get("Authorization") != "Bearer forge-token" {
			answer(w, http.StatusUnauthorized, map[string]any{"message": "Bad credentials"})
			return
		}
		mux.ServeHTTP(w, r)
	})
}
