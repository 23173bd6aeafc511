package main

import (
	"fmt"
	"sync"
	"testing"

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
// newest status; "forge pulls", all pull requests; and "forge down" and "forge up".
func (f *forges) command(ts *testscript.TestScript, neg bool, args []string) {
	switch {
	case neg || len(args) == 0 || len(args) > 2 || len(args) == 2 && args[0] != "start":
		ts.Fatalf("usage: forge start [KIND] | comments | status | pulls | down | up")
	case args[0] == "start":
		kind := forge.GitHub
		if len(args) == 2 {
			kind = forge.Kind(args[1])
		}
		s := forgetest.New(f.t, kind)
		s.Job = kind != forge.GitLab // whose jobs comment with a token of the project's
		ts.Setenv("FORGE", s.API())
		ts.Setenv("FORGE_TOKEN", forgetest.Token)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.all[s.API()] = s
	default:
		f.mu.Lock()
		s := f.all[ts.Getenv("FORGE")]
		f.mu.Unlock()
		s.Hold(func() { show(ts, s, args[0]) })
	}
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
