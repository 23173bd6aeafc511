package forge_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/veonahealth/charter/reconcile/forge"
)

func proposal() forge.Proposal {
	return forge.Proposal{Branch: "charter/adopt/mercy", Target: "main", Commit: head, Title: "Adopt what moved at mercy", Text: "main labs: removed"}
}

// newProposing is a server that has the branch which is proposed.
func newProposing(t testing.TB, kind forge.Kind) *server {
	s := newServer(t, kind)
	s.branches = map[string]string{"charter/adopt/mercy": head}
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
		if len(s.pulls) != 1 || s.pulls[0].title != proposal().Title || s.pulls[0].text != proposal().Text || s.pulls[0].target != "main" {
			t.Errorf("%s: %+v", kind, s.pulls)
		}
	}
}

func TestThePullRequestIsFoundOnAnyPage(t *testing.T) {
	for _, kind := range kinds {
		s := newProposing(t, kind)
		s.perPage = 2
		open(t, s)
		for range 5 { // of other people's, called the same
			s.pulls = append(s.pulls, pull{number: len(s.pulls) + 1, branch: "charter/adopt/mercy", target: "main", commit: strings.Repeat("a", 40), from: "lakeside/copy"})
		}
		if open(t, s).New || len(s.pulls) != 6 {
			t.Errorf("%s: a second pull request", kind)
		}
	}
}

// Whoever can copy the repository could otherwise keep the daemon's from appearing.
func TestAPullRequestOfAnotherRepositoryIsNotOurs(t *testing.T) {
	for _, kind := range kinds {
		s := newProposing(t, kind)
		s.pulls = []pull{{number: 1, branch: "charter/adopt/mercy", target: "main", commit: head, from: "lakeside/copy"}}
		if !open(t, s).New || len(s.pulls) != 2 {
			t.Errorf("%s: %+v", kind, s.pulls)
		}
	}
}

func TestAPullRequestThatPeopleClosedIsOpenedAgainOnceTheBranchMoves(t *testing.T) {
	for _, kind := range kinds {
		s := newProposing(t, kind)
		open(t, s)
		s.pulls[0].closed = true
		if open(t, s).New {
			t.Errorf("%s: opened against what people decided", kind)
		}
		s.pulls[0].commit = strings.Repeat("a", 40)
		if !open(t, s).New {
			t.Errorf("%s: the branch has moved, and nobody is asked", kind)
		}
	}
}

func TestAPullRequestWhoseAnswerWasLostIsNotOpenedAgain(t *testing.T) {
	for _, kind := range kinds {
		s := newProposing(t, kind)
		s.meet = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != "POST" {
				return false
			}
			s.openPull(discard{w.Header()}, r)
			say(w, http.StatusBadGateway, "upstream gone")
			return true
		}
		open(t, s)
		if len(s.pulls) != 1 || count(s.calls, "POST") != 1 {
			t.Errorf("%s: %+v after %q", kind, s.pulls, s.calls)
		}
	}
}

func TestSomebodyFasterIsMet(t *testing.T) {
	for _, kind := range kinds {
		s := newProposing(t, kind)
		s.meet = func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method == "POST" && len(s.pulls) == 0 {
				s.pulls = []pull{{number: 1, branch: "charter/adopt/mercy", target: "main", commit: head}}
			}
			return false
		}
		if o := open(t, s); o.New || o.URL == "" || len(s.pulls) != 1 {
			t.Errorf("%s: %+v, %+v", kind, o, s.pulls)
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
			if _, err := s.client(t).OpenPullRequest(t.Context(), p); err == nil || len(s.calls) > 0 {
				t.Errorf("%s: %s: %v after %q", kind, name, err, s.calls)
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
	s.meet = func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}
	o := s.options()
	o.Retries = -1
	c, err := forge.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.OpenPullRequest(t.Context(), proposal()); err == nil || len(s.calls) > 3 {
		t.Errorf("%v after %d calls", err, len(s.calls))
	}
}
