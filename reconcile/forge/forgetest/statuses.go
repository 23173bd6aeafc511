package forgetest

import (
	"net/http"
	"slices"
	"strings"

	"github.com/veonahealth/charter/reconcile/forge"
)

// statuses plays the part of a commit's statuses; false where nobody asks for them.
func (s *Server) statuses(w http.ResponseWriter, r *http.Request, path string) bool {
	root, within := "/repos/lakeside/fleet", "/commits/"
	if s.kind == forge.GitLab {
		root, within = "/projects/42", "/repository/commits/"
	}
	set, isSet := strings.CutPrefix(path, root+"/statuses/")
	listed, isList := strings.CutPrefix(path, root+within)
	listed, isWhole := strings.CutSuffix(listed, "/statuses")
	switch {
	case r.Method == "POST" && isSet:
		s.setStatus(w, r, set)
	case r.Method == "GET" && isList && isWhole:
		s.listStatuses(w, r, listed)
	default:
		return false
	}
	return true
}

func (s *Server) setStatus(w http.ResponseWriter, r *http.Request, commit string) {
	states, name, most := []string{"error", "failure", "pending", "success"}, "context", 140
	switch s.kind {
	case forge.Gitea:
		most = 1 << 20
	case forge.GitLab:
		states, name, most = []string{"pending", "running", "success", "failed", "canceled", "skipped"}, "name", 255
	}
	b, ok := s.fields(w, r, []string{"state", name}, "description", "target_url")
	switch {
	case !ok:
	case !slices.Contains(states, b["state"]) || len([]rune(b["description"])) > most:
		s.t.Errorf("status %v", b)
		Say(w, http.StatusUnprocessableEntity, "Validation Failed")
	case s.Commits != nil && !slices.Contains(s.Commits, commit):
		Say(w, http.StatusNotFound, "404 Commit Not Found")
	default:
		b["sha"] = commit
		s.Statuses = append(s.Statuses, b)
		Answer(w, http.StatusCreated, s.wireStatus(b))
	}
}

// listStatuses gives the statuses of a commit, the newest first.
func (s *Server) listStatuses(w http.ResponseWriter, r *http.Request, commit string) {
	list := []any{}
	for _, b := range slices.Backward(s.Statuses) {
		if b["sha"] == commit {
			list = append(list, s.wireStatus(b))
		}
	}
	s.page(w, r, list)
}

// wireStatus says a status as the forge does: Gitea and GitLab call its state so.
func (s *Server) wireStatus(b map[string]string) map[string]any {
	wire := map[string]any{"description": b["description"], "target_url": b["target_url"]}
	if s.kind == forge.GitHub {
		wire["state"], wire["context"] = b["state"], b["context"]
		return wire
	}
	wire["status"] = b["state"]
	if s.kind == forge.GitLab {
		wire["name"], wire["sha"] = b["name"], b["sha"]
	} else {
		wire["context"] = b["context"]
	}
	return wire
}
