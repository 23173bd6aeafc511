package forge_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/veonahealth/charter/reconcile/forge"
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
			set := s.statuses[len(s.statuses)-1]
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
		err := s.client(t).SetStatus(t.Context(), forge.Status{Commit: head, Name: "charter", State: forge.Success, Text: strings.Repeat("é", 3000), URL: s.url})
		if err != nil || !strings.HasSuffix(s.statuses[0]["description"], "é…") || s.statuses[0]["target_url"] != s.url {
			t.Errorf("%s: %v, %v", kind, err, s.statuses)
		}
	}
}

// A status that is set twice is the same status: unlike a comment it may be sent
// again where nobody knows whether it came.
func TestAStatusWhoseAnswerWasLostIsSetAgain(t *testing.T) {
	for _, kind := range kinds {
		s := newServer(t, kind)
		lost := 2
		s.meet = func(w http.ResponseWriter, _ *http.Request) bool {
			if lost == 0 {
				return false
			}
			lost--
			w.Header().Set("X-RateLimit-Remaining", "0")
			status := http.StatusBadGateway
			if lost == 1 {
				status = http.StatusForbidden // a limit
			}
			say(w, status, "wait")
			return true
		}
		err := s.client(t).SetStatus(t.Context(), forge.Status{Commit: head, Name: "charter", State: forge.Success})
		if err != nil || len(s.statuses) != 1 || len(s.calls) != 3 {
			t.Errorf("%s: %v, %v after %q", kind, err, s.statuses, s.calls)
		}
	}
}

func TestAStatusOfNoCommitIsRefused(t *testing.T) {
	for _, kind := range kinds {
		s := newServer(t, kind)
		for _, commit := range []string{"", "main", head + "/../../pulls"} {
			if err := s.client(t).SetStatus(t.Context(), forge.Status{Commit: commit, Name: "charter", State: forge.Success}); err == nil || len(s.calls) > 0 {
				t.Errorf("%s: %q: %v after %q", kind, commit, err, s.calls)
			}
		}
		var said *forge.StatusError
		err := s.client(t).SetStatus(t.Context(), forge.Status{Commit: strings.Repeat("f", 40), Name: "charter", State: forge.Success})
		if !errors.As(err, &said) || said.Status != http.StatusNotFound {
			t.Errorf("%s: a commit that is not there: %v", kind, err)
		}
	}
}
