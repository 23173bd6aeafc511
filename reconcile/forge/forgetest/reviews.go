package forgetest

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/veonahealth/charter/reconcile/forge"
)

// Change is pull request 5, and who reviewed it.
type Change struct {
	Commit   string
	Author   int64
	State    string // "" for open
	Reviews  []Review
	Versions []time.Time // of a merge request: when it was pushed to, the newest last
	// Undated is a GitLab of before approvals had a time.
	Undated bool
	Another bool // it answers with another pull request
}

// Review is one that lies on the server; of GitLab, that somebody approves.
type Review struct {
	ID        int64
	By        int64 // 0: the account is gone
	State     string
	Commit    string
	At        time.Time
	Stale     bool
	Dismissed bool
}

// reviewed plays the part of a pull request's reviews; false where nobody asks for
// them.
func (s *Server) reviewed(w http.ResponseWriter, r *http.Request, path string) bool {
	one := "/repos/lakeside/fleet/pulls/5"
	if s.kind == forge.GitLab {
		one = "/projects/42/merge_requests/5"
	}
	switch {
	case r.Method != "GET":
		return false
	case path == one:
		Answer(w, http.StatusOK, s.WireChange())
	case path == one+"/reviews" && s.kind != forge.GitLab:
		s.listReviews(w, r)
	case path == one+"/approvals" && s.kind == forge.GitLab:
		Answer(w, http.StatusOK, s.wireApprovals())
	case path == one+"/versions" && s.kind == forge.GitLab:
		s.page(w, r, s.wireVersions())
	default:
		return false
	}
	return true
}

// WireChange is pull request 5 as the forge gives it.
func (s *Server) WireChange() map[string]any {
	p := Pull{Number: 5, Branch: "side", Target: "main", Commit: s.Change.Commit}
	if s.Change.Another {
		p.Number = 6
	}
	wire := s.wirePull(p)
	by := map[string]any{"id": s.Change.Author, "login": "eve", "username": "eve"}
	if s.kind == forge.GitLab {
		wire["author"] = by
	} else {
		wire["user"] = by
	}
	if s.Change.State != "" {
		wire["state"] = s.Change.State
	}
	return wire
}

func account(id int64) any {
	if id == 0 {
		return nil
	}
	return map[string]any{"id": id, "login": "u" + strconv.FormatInt(id, 10), "type": "User"}
}

// listReviews gives pages, which Gitea does not link to one another.
func (s *Server) listReviews(w http.ResponseWriter, r *http.Request) {
	list := []any{}
	for _, v := range s.Change.Reviews {
		wire := map[string]any{"id": v.ID, "user": account(v.By), "state": v.State, "commit_id": v.Commit, "submitted_at": v.At, "body": "ok"}
		if v.State == "PENDING" {
			wire["submitted_at"] = nil
		}
		if s.kind == forge.Gitea {
			wire["stale"], wire["dismissed"], wire["official"] = v.Stale, v.Dismissed, true
		}
		list = append(list, wire)
	}
	if s.kind != forge.Gitea {
		s.page(w, r, list)
		return
	}
	page, _ := strconv.Atoi(r.URL.Query().Get("page"))
	from := min((max(page, 1)-1)*s.PerPage, len(list))
	Answer(w, http.StatusOK, list[from:min(from+s.PerPage, len(list))])
}

func (s *Server) wireApprovals() map[string]any {
	list := []any{}
	for _, v := range s.Change.Reviews {
		wire := map[string]any{"user": map[string]any{"id": v.By, "username": "u"}}
		if !s.Change.Undated {
			wire["approved_at"] = v.At
		}
		list = append(list, wire)
	}
	return map[string]any{"iid": 5, "approved": len(list) > 0, "approved_by": list}
}

func (s *Server) wireVersions() []any {
	list := []any{}
	for i := len(s.Change.Versions) - 1; i >= 0; i-- {
		commit := strings.Repeat("2", 40)
		if i == len(s.Change.Versions)-1 {
			commit = s.Change.Commit
		}
		list = append(list, map[string]any{"id": 100 + i, "head_commit_sha": commit, "created_at": s.Change.Versions[i], "state": "collected"})
	}
	return list
}
