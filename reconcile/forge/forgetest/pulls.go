package forgetest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/veonahealth/charter/reconcile/forge"
)

// Pull is a pull request that lies on the server.
type Pull struct {
	Number         int
	Branch, Target string
	Commit         string
	From           string // another repository; "" for its own
	Closed         bool
	Title, Text    string
}

// pullParameters are what each forge lets one ask of its pull requests.
var pullParameters = map[forge.Kind][]string{
	forge.GitHub: {"head", "base", "state", "sort", "direction", "per_page", "page"},
	forge.Gitea:  {"state", "sort", "limit", "page"},
	forge.GitLab: {"source_branch", "target_branch", "state", "order_by", "sort", "per_page", "page"},
}

// pullRequests plays the part of a repository's; false where nobody asks for them.
func (s *Server) pullRequests(w http.ResponseWriter, r *http.Request, path string) bool {
	list := "/repos/lakeside/fleet/pulls"
	if s.kind == forge.GitLab {
		list = "/projects/42/merge_requests"
	}
	switch {
	case path != list:
		return false
	case r.Method == "GET":
		s.listPulls(w, r)
	case r.Method == "POST":
		s.OpenPull(w, r)
	default:
		Say(w, http.StatusMethodNotAllowed, "no")
	}
	return true
}

func (s *Server) listPulls(w http.ResponseWriter, r *http.Request) {
	ask := r.URL.Query()
	found := []any{}
	for i := len(s.Pulls) - 1; i >= 0; i-- { // the newest first
		p := &s.Pulls[i]
		owner := "lakeside"
		if p.From != "" {
			owner, _, _ = strings.Cut(p.From, "/")
		}
		for name, is := range map[string]string{"head": owner + ":" + p.Branch, "base": p.Target, "source_branch": p.Branch, "target_branch": p.Target} {
			if ask.Get(name) != "" && ask.Get(name) != is {
				p = nil
				break
			}
		}
		if p != nil && (ask.Get("state") == "all" || !p.Closed) {
			found = append(found, s.wirePull(*p))
		}
	}
	s.page(w, r, found)
}

func (s *Server) wirePull(p Pull) map[string]any {
	state := "open"
	if p.Closed {
		state = "closed"
	}
	if s.kind == forge.GitLab {
		project := 42
		if p.From != "" {
			project = 43
		}
		if !p.Closed {
			state = "opened"
		}
		return map[string]any{
			"iid": p.Number, "state": state, "source_branch": p.Branch, "target_branch": p.Target, "sha": p.Commit,
			"source_project_id": project, "target_project_id": 42, "web_url": fmt.Sprintf("%s/lakeside/fleet/-/merge_requests/%d", s.URL, p.Number),
		}
	}
	from := map[string]any{"full_name": "lakeside/fleet"}
	if p.From != "" {
		from["full_name"] = p.From
	}
	return map[string]any{
		"number": p.Number, "state": state, "html_url": fmt.Sprintf("%s/lakeside/fleet/pull/%d", s.URL, p.Number),
		"head": map[string]any{"ref": p.Branch, "sha": p.Commit, "repo": from},
		"base": map[string]any{"ref": p.Target, "repo": map[string]any{"full_name": "lakeside/fleet"}},
	}
}

// OpenPull takes a new pull request.
func (s *Server) OpenPull(w http.ResponseWriter, r *http.Request) {
	names := []string{"head", "base", "title", "body"}
	if s.kind == forge.GitLab {
		names = []string{"source_branch", "target_branch", "title", "description"}
	}
	b, ok := s.fields(w, r, names)
	if !ok {
		return
	}
	p := Pull{Number: len(s.Pulls) + 1, Branch: b[names[0]], Target: b[names[1]], Commit: s.Branches[b[names[0]]], Title: b[names[2]], Text: b[names[3]]}
	taken := slices.ContainsFunc(s.Pulls, func(o Pull) bool {
		return !o.Closed && o.From == "" && o.Branch == p.Branch && o.Target == p.Target
	})
	switch {
	case p.Commit == "" && s.Branches != nil:
		Say(w, http.StatusUnprocessableEntity, "Validation Failed") // head: invalid
	case taken && s.kind == forge.GitHub:
		Answer(w, http.StatusUnprocessableEntity, map[string]any{"message": "Validation Failed", "errors": []any{map[string]any{"message": "A pull request already exists for lakeside:" + p.Branch + "."}}})
	case taken && s.kind == forge.GitLab:
		Answer(w, http.StatusConflict, map[string]any{"message": []string{"Another open merge request already exists for this source branch: !1"}})
	case taken:
		Say(w, http.StatusConflict, "pull request already exists for these targets")
	default:
		s.Pulls = append(s.Pulls, p)
		Answer(w, http.StatusCreated, s.wirePull(p))
	}
}
