package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

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
	change   reviewed
}

// reviewed is pull request 5, which somebody has opened.
type reviewed struct {
	head   string
	author int
	merged bool
	// reviews are as GitHub gives them, the oldest first.
	reviews []map[string]any
	// clock is the forge's, which goes on by a minute with whatever happens.
	clock time.Time
}

// tick gives the time of what happens next.
func (p *pullRequests) tick() string {
	p.change.clock = p.change.clock.Add(time.Minute)
	return p.change.clock.Format(time.RFC3339)
}

// command is "forge start", which sets $FORGE; "forge comments", which prints how
// many there are and the newest; "forge status", the newest status; "forge pulls",
// all pull requests; and "forge down" and "forge up". Of pull request 5, "forge push",
// which commits what there is on branch side, "forge author ID", "forge review ID STATE" and "forge dismiss ID" are what
// people do; "forge edit OLD NEW" edits the newest comment, and "forge write FILE"
// writes another text there.
func (f *forges) command(ts *testscript.TestScript, neg bool, args []string) {
	switch {
	case neg || len(args) == 0:
		ts.Fatalf("usage: forge start | comments | status | pulls | down | up | push | author | review | dismiss | merge | edit")
	case args[0] == "start":
		p := &pullRequests{}
		p.change.author, p.change.clock = 9, time.Now().UTC().Truncate(time.Second).Add(-2*time.Hour)
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
		p.mu.Lock()
		defer p.mu.Unlock()
		if !p.people(ts, args) {
			p.do(ts, args[0])
		}
	}
}

// people does what people do with pull request 5; false where it is something else.
func (p *pullRequests) people(ts *testscript.TestScript, args []string) bool {
	id := 0
	if len(args) > 1 {
		id, _ = strconv.Atoi(args[1])
	}
	switch verb := args[0]; {
	case verb == "push":
		p.push(ts)
	case verb == "author" && id > 0:
		p.change.author = id
	case verb == "merge" || verb == "reopen":
		p.change.merged = verb == "merge"
	case verb == "review" && len(args) == 3 && id > 0:
		p.change.reviews = append(p.change.reviews, map[string]any{
			"id": 100 + len(p.change.reviews), "user": map[string]any{"id": id, "type": "User"}, "state": args[2],
			"commit_id": p.change.head, "submitted_at": p.tick(),
		})
	case verb == "dismiss" && id > 0:
		for _, r := range p.change.reviews {
			if r["user"].(map[string]any)["id"] == id {
				r["state"] = "DISMISSED"
			}
		}
	case verb == "write" && len(args) == 2 && len(p.comments) > 0:
		c := p.comments[len(p.comments)-1]
		c["body"], c["updated_at"] = ts.ReadFile(args[1]), p.tick()
	case verb == "edit" && len(args) == 3 && len(p.comments) > 0:
		c := p.comments[len(p.comments)-1]
		body, _ := c["body"].(string)
		if strings.Count(body, args[1]) != 1 {
			ts.Fatalf("the comment has %q %d times", args[1], strings.Count(body, args[1]))
		}
		c["body"], c["updated_at"] = strings.Replace(body, args[1], args[2], 1), p.tick()
	default:
		return false
	}
	return true
}

// push commits the fleet as it is to branch side, pushes that, and writes event.json as
// a job gets it.
func (p *pullRequests) push(ts *testscript.TestScript) {
	fleet := ts.MkAbs("fleet")
	for _, command := range [][]string{
		{"add", "-A"}, {"commit", "-q", "--allow-empty", "-m", "change"}, {"push", "-q", "-f", "origin", "HEAD:refs/heads/side", "HEAD:refs/pull/5/head"}, {"rev-parse", "HEAD"},
	} {
		ts.Check(ts.Exec("git", append([]string{"-C", fleet}, command...)...))
	}
	p.change.head = strings.TrimSpace(ts.ReadFile("stdout"))
	event, err := json.Marshal(map[string]any{"number": 5, "pull_request": p.change5()})
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("event.json"), event, 0o644))
}

// change5 is pull request 5 as GitHub gives it.
func (p *pullRequests) change5() map[string]any {
	state, fleet := "open", map[string]any{"full_name": "lakeside/fleet"}
	if p.change.merged {
		state = "closed"
	}
	return map[string]any{
		"number": 5, "state": state, "user": map[string]any{"id": p.change.author, "type": "User"},
		"head": map[string]any{"ref": "side", "sha": p.change.head, "repo": fleet}, "base": map[string]any{"ref": "main", "repo": fleet},
	}
}

func (p *pullRequests) do(ts *testscript.TestScript, what string) {
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
		c := map[string]any{"id": len(p.comments) + 1, "user": map[string]any{"type": "Bot"}, "updated_at": p.tick()}
		_ = json.NewDecoder(r.Body).Decode(&c) // what cannot be read has no text
		p.comments = append(p.comments, c)
		answer(w, http.StatusCreated, c)
	})
	mux.HandleFunc("PATCH "+comments+"comments/1", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewDecoder(r.Body).Decode(&p.comments[0])
		p.comments[0]["updated_at"] = p.tick()
		answer(w, http.StatusOK, p.comments[0])
	})
	mux.HandleFunc("POST /repos/lakeside/fleet/statuses/{commit}", func(w http.ResponseWriter, r *http.Request) {
		var s struct{ State, Context, Description string }
		_ = json.NewDecoder(r.Body).Decode(&s)
		p.statuses = append(p.statuses, fmt.Sprintf("%s %s %s: %s", r.PathValue("commit"), s.Context, s.State, s.Description))
		answer(w, http.StatusCreated, s)
	})
	mux.HandleFunc("GET /repos/lakeside/fleet/pulls/5", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, p.change5()) })
	mux.HandleFunc("GET /repos/lakeside/fleet/pulls/5/reviews", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, slices.Concat([]map[string]any{}, p.change.reviews))
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
