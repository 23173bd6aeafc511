package forge_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/veonahealth/charter/reconcile/forge"
	"github.com/veonahealth/charter/reconcile/forge/forgetest"
)

func proposal() forge.Proposal {
	return forge.Proposal{Branch: "charter/adopt/mercy", Target: "main", Commit: head, Title: "Adopt what moved at mercy", Text: "main labs: removed"}
}

// newProposing is a server that has the branch which is proposed.
func newProposing(t testing.TB, kind forge.Kind) *server {
	s := newServer(t, kind)
	s.Branches = map[string]string{"charter/adopt/mercy": head}
	return s
}

func open(t testing.TB, s *server) forge.Opened {
	t.Helper()
	o, err := s.client(t).OpenPullRequest(t.Context(), proposal())
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestABranchHasOnePullRequest(t *testing.T) {
	for _, kind := range kinds {
		s := newProposing(t, kind)
		first, second := open(t, s), open(t, s)
		if !first.New || second.New || first.URL == "" || first.URL != second.URL {
			t.Errorf("%s: %+v, then %+v", kind, first, second)
		}
		if len(s.Pulls) != 1 || s.Pulls[0].Title != proposal().Title || s.Pulls[0].Text != proposal().Text || s.Pulls[0].Target != "main" {
			t.Errorf("%s: %+v", kind, s.Pulls)
		}
	}
}

func TestThePullRequestIsFoundOnAnyPage(t *testing.T) {
	for _, kind := range kinds {
		s := newProposing(t, kind)
		s.PerPage = 2
		open(t, s)
		for range 5 { // of other people's, called the same
			s.Pulls = append(s.Pulls, forgetest.Pull{Number: len(s.Pulls) + 1, Branch: "charter/adopt/mercy", Target: "main", Commit: strings.Repeat("a", 40), From: "lakeside/copy"})
		}
		if open(t, s).New || len(s.Pulls) != 6 {
			t.Errorf("%s: a second pull request", kind)
		}
	}
}

// Whoever can copy the repository could otherwise keep the daemon's from appearing.
func TestAPullRequestOfAnotherRepositoryIsNotOurs(t *testing.T) {
	for _, kind := range kinds {
		s := newProposing(t, kind)
		s.Pulls = []forgetest.Pull{{Number: 1, Branch: "charter/adopt/mercy", Target: "main", Commit: head, From: "lakeside/copy"}}
		if !open(t, s).New || len(s.Pulls) != 2 {
			t.Errorf("%s: %+v", kind, s.Pulls)
		}
	}
}

func TestAPullRequestThatPeopleClosedIsOpenedAgainOnceTheBranchMoves(t *testing.T) {
	for _, kind := range kinds {
		s := newProposing(t, kind)
		open(t, s)
		s.Pulls[0].Closed = true
		if open(t, s).New {
			t.Errorf("%s: opened against what people decided", kind)
		}
		s.Pulls[0].Commit = strings.Repeat("a", 40)
		if !open(t, s).New {
			t.Errorf("%s: the branch has moved, and nobody is asked", kind)
		}
	}
}

func TestAPullRequestWhoseAnswerWasLostIsNotOpenedAgain(t *testing.T) {
	for _, kind := range kinds {
		s := newProposing(t, kind)
		s.Meet = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != "POST" {
				return false
			}
			s.OpenPull(discard{w.Header()}, r)
			forgetest.Say(w, http.StatusBadGateway, "upstream gone")
			return true
		}
		open(t, s)
		if len(s.Pulls) != 1 || count(s.Calls, "POST") != 1 {
			t.Errorf("%s: %+v after %q", kind, s.Pulls, s.Calls)
		}
	}
}

func TestSomebodyFasterIsMet(t *testing.T) {
	for _, kind := range kinds {
		s := newProposing(t, kind)
		s.Meet = func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method == "POST" && len(s.Pulls) == 0 {
				s.Pulls = []forgetest.Pull{{Number: 1, Branch: "charter/adopt/mercy", Target: "main", Commit: head}}
			}
			return false
		}
		if o := open(t, s); o.New || o.URL == "" || len(s.Pulls) != 1 {
			t.Errorf("%s: %+v, %+v", kind, o, s.Pulls)
		}
	}
}

func TestAPullRequestThatCannotBeIsRefused(t *testing.T) {
	for _, kind := range kinds {
		s := newProposing(t, kind)
		for name, change := range map[string]func(*forge.Proposal){
			"no branch": func(p *forge.Proposal) { p.Branch = "" },
			"an option": func(p *forge.Proposal) { p.Branch = "-x" },
			"no target": func(p *forge.Proposal) { p.Target = "" },
			"no commit": func(p *forge.Proposal) { p.Commit = "main" },
		} {
			p := proposal()
			change(&p)
			if _, err := s.client(t).OpenPullRequest(t.Context(), p); err == nil || len(s.Calls) > 0 {
				t.Errorf("%s: %s: %v after %q", kind, name, err, s.Calls)
			}
		}
		p := proposal()
		p.Branch = "gone"
		var said *forge.StatusError
		if _, err := s.client(t).OpenPullRequest(t.Context(), p); !errors.As(err, &said) || said.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: a branch that is not there: %v", kind, err)
		}
	}
}

// Where a caller comes again by itself, a forge that is down is not waited for.
func TestAClientCanAskOnce(t *testing.T) {
	s := newProposing(t, forge.Gitea)
	s.Meet = func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}
	o := s.options()
	o.Retries = -1
	c, err := forge.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.OpenPullRequest(t.Context(), proposal()); err == nil || len(s.Calls) > 3 {
		t.Errorf("%v after %d calls", err, len(s.Calls))
	}
}
