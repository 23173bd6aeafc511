package forge_test

import (
	"net/http"
	"strconv"
	"time"

	"github.com/veonahealth/charter/reconcile/forge"
)

// change is pull request 5 of the server, and who reviewed it.
type change struct {
	commit   string
	author   int64
	state    string // "" for open
	reviews  []review
	versions []time.Time // of a merge request: when it was pushed to, the newest last
	// undated is a GitLab of before approvals had a time.
	undated bool
	another bool // it answers with another pull request
}

// review is one that lies on the server; of GitLab, that somebody approves.
type review struct {
	id        int64
	by        int64 // 0: the account is gone
	state     string
	commit    string
	at        time.Time
	stale     bool
	dismissed bool
}

// reviewed plays the part of a pull request's reviews; false where nobody asks for
// them.
func (s *server) reviewed(w http.ResponseWriter, r *http.Request, path string) bool {
	one := "/repos/lakeside/fleet/pulls/5"
	if s.kind == forge.GitLab {
		one = "/projects/42/merge_requests/5"
	}
	switch {
	case r.Method != "GET":
		return false
	case path == one:
		answer(w, http.StatusOK, s.wireChange())
	case path == one+"/reviews" && s.kind != forge.GitLab:
		s.listReviews(w, r)
	case path == one+"/approvals" && s.kind == forge.GitLab:
		answer(w, http.StatusOK, s.wireApprovals())
	case path == one+"/versions" && s.kind == forge.GitLab:
		s.page(w, r, s.wireVersions())
	default:
		return false
	}
	return true
}

func (s *server) wireChange() map[string]any {
	p := pull{number: 5, branch: "side", target: "main", commit: s.change.commit}
	if s.change.another {
		p.number = 6
	}
	wire := s.wirePull(p)
	by := map[string]any{"id": s.change.author, "login": "eve", "username": "eve"}
	if s.kind == forge.GitLab {
		wire["author"] = by
	} else {
		wire["user"] = by
	}
	if s.change.state != "" {
		wire["state"] = s.change.state
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
func (s *server) listReviews(w http.ResponseWriter, r *http.Request) {
	list := []any{}
	for _, v := range s.change.reviews {
		wire := map[string]any{"id": v.id, "user": account(v.by), "state": v.state, "commit_id": v.commit, "submitted_at": v.at, "body": "ok"}
		if v.state == "PENDING" {
			wire["submitted_at"] = nil
		}
		if s.kind == forge.Gitea {
			wire["stale"], wire["dismissed"], wire["official"] = v.stale, v.dismissed, true
		}
		list = append(list, wire)
	}
	if s.kind != forge.Gitea {
		s.page(w, r, list)
		return
	}
	page, _ := strconv.Atoi(r.URL.Query().Get("page"))
	from := min((max(page, 1)-1)*s.perPage, len(list))
	answer(w, http.StatusOK, list[from:min(from+s.perPage, len(list))])
}

func (s *server) wireApprovals() map[string]any {
	list := []any{}
	for _, v := range s.change.reviews {
		wire := map[string]any{"user": map[string]any{"id": v.by, "username": "u"}}
		if !s.change.undated {
			wire["approved_at"] = v.at
		}
		list = append(list, wire)
	}
	return map[string]any{"iid": 5, "approved": len(list) > 0, "approved_by": list}
}

func (s *server) wireVersions() []any {
	list := []any{}
	for i := len(s.change.versions) - 1; i >= 0; i-- {
		commit := base
		if i == len(s.change.versions)-1 {
			commit = s.change.commit
		}
		list = append(list, map[string]any{"id": 100 + i, "head_commit_sha": commit, "created_at": s.change.versions[i], "state": "collected"})
	}
	return list
}
