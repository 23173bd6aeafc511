package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/veonahealth/charter/reconcile/forge"
	"github.com/veonahealth/charter/reconcile/forge/forgetest"
)

// forges are the forges that scripts have started, by the addresses of their APIs.
type forges struct {
	t   testing.TB
	mu  sync.Mutex
	all map[string]*forgetest.Server
}

// command is "forge start [KIND]", which sets $FORGE and $FORGE_TOKEN; "forge
// comments", which prints how many there are and the newest; "forge status", the
// newest status; "forge pulls", all pull requests; and "forge down" and "forge up". Of
// pull request 5, "forge push", which commits what there is on branch side, "forge
// author ID", "forge review ID STATE", "forge dismiss ID", "forge merge" and "forge
// reopen" are what people do; "forge edit OLD NEW" edits the newest comment, and "forge
// write FILE" writes another text there.
func (f *forges) command(ts *testscript.TestScript, neg bool, args []string) {
	switch {
	case neg || len(args) == 0:
		ts.Fatalf("usage: forge start [KIND] | comments | status | pulls | down | up | push | author | review | dismiss | merge | reopen | edit | write")
	case args[0] == "start":
		kind := forge.GitHub
		if len(args) == 2 {
			kind = forge.Kind(args[1])
		}
		s := forgetest.New(f.t, kind)
		s.Job = kind != forge.GitLab // whose jobs comment with a token of the project's
		s.Change.Author, s.Clock = 9, time.Now().UTC().Truncate(time.Second).Add(-2*time.Hour)
		ts.Setenv("FORGE", s.API())
		ts.Setenv("FORGE_TOKEN", forgetest.Token)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.all[s.API()] = s
	default:
		f.mu.Lock()
		s := f.all[ts.Getenv("FORGE")]
		f.mu.Unlock()
		s.Hold(func() {
			if !reviewers(ts, s, args) {
				show(ts, s, args[0])
			}
		})
	}
}

// reviewers does what people do with pull request 5; false where it is something else.
func reviewers(ts *testscript.TestScript, s *forgetest.Server, args []string) bool {
	id := int64(0)
	if len(args) > 1 {
		id, _ = strconv.ParseInt(args[1], 10, 64) // 0 where it is no account
	}
	switch verb := args[0]; {
	case verb == "push":
		push(ts, s)
	case verb == "author" && id > 0:
		s.Change.Author = id
	case verb == "merge":
		s.Change.State = "closed"
	case verb == "reopen":
		s.Change.State = ""
	case verb == "review" && len(args) == 3 && id > 0:
		s.Change.Reviews = append(s.Change.Reviews, forgetest.Review{
			ID: int64(100 + len(s.Change.Reviews)), By: id, State: args[2], Commit: s.Change.Commit, At: s.Tick(),
		})
	case verb == "dismiss" && id > 0:
		for i := range s.Change.Reviews {
			if s.Change.Reviews[i].By == id {
				s.Change.Reviews[i].State = "DISMISSED"
			}
		}
	case verb == "write" && len(args) == 2:
		c := &s.Comments[len(s.Comments)-1]
		c.Body, c.At = ts.ReadFile(args[1]), s.Tick()
	case verb == "edit" && len(args) == 3:
		c := &s.Comments[len(s.Comments)-1]
		if n := strings.Count(c.Body, args[1]); n != 1 {
			ts.Fatalf("the comment has %q %d times", args[1], n)
		}
		c.Body, c.At = strings.Replace(c.Body, args[1], args[2], 1), s.Tick()
	default:
		return false
	}
	return true
}

// push commits the fleet as it is to branch side, pushes that, and writes event.json as
// a job gets it.
func push(ts *testscript.TestScript, s *forgetest.Server) {
	fleet := ts.MkAbs("fleet")
	for _, command := range [][]string{
		{"add", "-A"}, {"commit", "-q", "--allow-empty", "-m", "change"}, {"push", "-q", "-f", "origin", "HEAD:refs/heads/side", "HEAD:refs/pull/5/head"}, {"rev-parse", "HEAD"},
	} {
		ts.Check(ts.Exec("git", append([]string{"-C", fleet}, command...)...))
	}
	s.Change.Commit = strings.TrimSpace(ts.ReadFile("stdout"))
	event, err := json.Marshal(map[string]any{"number": 5, "pull_request": s.WireChange()})
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("event.json"), event, 0o644))
}

func show(ts *testscript.TestScript, s *forgetest.Server, what string) {
	switch what {
	case "comments":
		fmt.Fprintf(ts.Stdout(), "%d comments\n", len(s.Comments))
		if n := len(s.Comments); n > 0 {
			fmt.Fprintln(ts.Stdout(), s.Comments[n-1].Body)
		}
	case "status":
		if n := len(s.Statuses); n > 0 {
			set := s.Statuses[n-1]
			fmt.Fprintf(ts.Stdout(), "%s %s%s %s: %s\n", set["sha"], set["context"], set["name"], set["state"], set["description"])
		}
	case "pulls":
		fmt.Fprintf(ts.Stdout(), "%d pull requests\n", len(s.Pulls))
		for _, pull := range s.Pulls {
			fmt.Fprintf(ts.Stdout(), "%s\n%s\n", pull.Title, pull.Text)
		}
	default:
		s.Down = what == "down"
	}
}
