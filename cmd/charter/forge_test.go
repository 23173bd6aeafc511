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

// pullRequests is GitHub's API as far as charter goes, for one repository. What else
// the forges ask is held to in the tests of package forge.
type pullRequests struct {
	mu       sync.Mutex
	down     bool
	comments []map[string]any
	statuses []string
	pulls    []map[string]any
}

// command is "forge start", which sets $FORGE; "forge comments", which prints how
// many there are and the newest; "forge status", the newest status; "forge pulls",
// all pull requests; and "forge down" and "forge up".
func (f *forges) command(ts *testscript.TestScript, neg bool, args []string) {
	switch {
	case neg || len(args) != 1:
		ts.Fatalf("usage: forge start | comments | status | pulls | down | up")
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
		p.do(ts, args[0])
	}
}

func (p *pullRequests) do(ts *testscript.TestScript, what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch what {
	case "comments":
		p.print(ts)
	case "status":
		if len(p.statuses) > 0 {
			fmt.Fprintln(ts.Stdout(), p.statuses[len(p.statuses)-1])
		}
	case "pulls":
		fmt.Fprintf(ts.Stdout(), "%d pull requests\n", len(p.pulls))
		for _, pull := range p.pulls {
			fmt.Fprintf(ts.Stdout(), "%s\n%s\n", pull["title"], pull["body"])
		}
	default:
		p.down = what == "down"
	}
}

func (p *pullRequests) print(ts *testscript.TestScript) {
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
	mux.HandleFunc("POST /repos/lakeside/fleet/statuses/{commit}", func(w http.ResponseWriter, r *http.Request) {
		var s struct{ State, Context, Description string }
		_ = json.NewDecoder(r.Body).Decode(&s)
		p.statuses = append(p.statuses, fmt.Sprintf("%s %s %s: %s", r.PathValue("commit"), s.Context, s.State, s.Description))
		answer(w, http.StatusCreated, s)
	})
	mux.HandleFunc("GET /repos/lakeside/fleet/pulls", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, slices.Concat([]map[string]any{}, p.pulls))
	})
	mux.HandleFunc("POST /repos/lakeside/fleet/pulls", func(w http.ResponseWriter, r *http.Request) {
		var asked map[string]any
		_ = json.NewDecoder(r.Body).Decode(&asked)
		fleet := map[string]any{"full_name": "lakeside/fleet"}
		pull := map[string]any{
			"html_url": "https://forge.example.org/lakeside/fleet/pull/9", "state": "open", "title": asked["title"], "body": asked["body"],
			"head": map[string]any{"ref": asked["head"], "repo": fleet}, "base": map[string]any{"ref": asked["base"], "repo": fleet},
		}
		p.pulls = append(p.pulls, pull)
		answer(w, http.StatusCreated, pull)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.down {
			answer(w, http.StatusServiceUnavailable, map[string]any{"message": "down for maintenance"})
			return
		}
		if r.Header.Get("Authorization") != "Bearer forge-token" {
			answer(w, http.StatusUnauthorized, map[string]any{"message": "Bad credentials"})
			return
		}
		mux.ServeHTTP(w, r)
	})
}
