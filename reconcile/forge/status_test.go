package forge_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/veonahealth/charter/reconcile/forge"
	"github.com/veonahealth/charter/reconcile/forge/forgetest"
)

func TestAStatusIsSetInTheForgesOwnWords(t *testing.T) {
	for _, kind := range kinds {
		s := newServer(t, kind)
		for state, want := range map[forge.State]string{forge.Success: "success", forge.Failure: "failure", forge.Error: "error"} {
			if kind == forge.GitLab && want != "success" {
				want = "failed"
			}
			err := s.client(t).SetStatus(t.Context(), forge.Status{Commit: head, Name: "charter/default", State: state, Text: "No changes."})
			if err != nil {
				t.Fatal(err)
			}
			set := s.Statuses[len(s.Statuses)-1]
			if set["state"] != want || set["context"]+set["name"] != "charter/default" || set["description"] != "No changes." {
				t.Errorf("%s: %v, want %s", kind, set, want)
			}
			if _, there := set["target_url"]; there {
				t.Errorf("%s: an address that nobody gave", kind)
			}
		}
	}
}

func TestAStatusIsCutToWhatTheForgeTakes(t *testing.T) {
	for _, kind := range kinds {
		s := newServer(t, kind)
		err := s.client(t).SetStatus(t.Context(), forge.Status{Commit: head, Name: "charter", State: forge.Success, Text: strings.Repeat("é", 3000), URL: s.URL})
		if err != nil || !strings.HasSuffix(s.Statuses[0]["description"], "é…") || s.Statuses[0]["target_url"] != s.URL {
			t.Errorf("%s: %v, %v", kind, err, s.Statuses)
		}
	}
}

// A status that is set twice is the same status: unlike a comment it may be sent
// again where nobody knows whether it came.
func TestAStatusWhoseAnswerWasLostIsSetAgain(t *testing.T) {
	for _, kind := range kinds {
		s := newServer(t, kind)
		lost := 2
		s.Meet = func(w http.ResponseWriter, _ *http.Request) bool {
			if lost == 0 {
				return false
			}
			lost--
			w.Header().Set("X-RateLimit-Remaining", "0")
			status := http.StatusBadGateway
			if lost == 1 {
				status = http.StatusForbidden // a limit
			}
			forgetest.Say(w, status, "wait")
			return true
		}
		err := s.client(t).SetStatus(t.Context(), forge.Status{Commit: head, Name: "charter", State: forge.Success})
		if err != nil || len(s.Statuses) != 1 || len(s.Calls) != 3 {
			t.Errorf("%s: %v, %v after %q", kind, err, s.Statuses, s.Calls)
		}
	}
}

func TestAStatusOfNoCommitIsRefused(t *testing.T) {
	for _, kind := range kinds {
		s := newServer(t, kind)
		for _, commit := range []string{"", "main", head + "/../../pulls"} {
			if err := s.client(t).SetStatus(t.Context(), forge.Status{Commit: commit, Name: "charter", State: forge.Success}); err == nil || len(s.Calls) > 0 {
				t.Errorf("%s: %q: %v after %q", kind, commit, err, s.Calls)
			}
		}
		var said *forge.StatusError
		err := s.client(t).SetStatus(t.Context(), forge.Status{Commit: strings.Repeat("f", 40), Name: "charter", State: forge.Success})
		if !errors.As(err, &said) || said.Status != http.StatusNotFound {
			t.Errorf("%s: a commit that is not there: %v", kind, err)
		}
	}
}
