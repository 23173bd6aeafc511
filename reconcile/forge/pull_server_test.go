package forge_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/veonahealth/charter/reconcile/forge"
)

// pull is a pull request that lies on the server.
type pull struct {
	number         int
	branch, target string
	commit         string
	from           string // another repository; "" for its own
	closed         bool
	title, text    string
}

// pullParameters are what each forge lets one ask of its pull requests.
var pullParameters = map[forge.Kind][]string{
	forge.GitHub: {"head", "base", "state", "sort", "direction", "per_page", "page"},
	forge.Gitea:  {"state", "sort", "limit", "page"},
	forge.GitLab: {"source_branch", "target_branch", "state", "order_by", "sort", "per_page", "page"},
}

// fields reads a body of texts that has these, and no others.
func (s *server) fields(w http.ResponseWriter, r *http.Request, required []string, optional ...string) (map[string]string, bool) {
	var b map[string]string
	if err := json.NewDecoder(r.Body).Decode(&b); err != nil {
		s.t.Errorf("%s %s: %v", r.Method, r.URL, err)
		say(w, http.StatusUnprocessableEntity, "Problems parsing JSON")
		return nil, false
	}
	wrong := slices.ContainsFunc(required, func(name string) bool { return b[name] == "" })
	for name := range b {
		wrong = wrong || !slices.Contains(required, name) && !slices.Contains(optional, name)
	}
	if wrong {
		s.t.Errorf("%s %s: %v", r.Method, r.URL, b)
		say(w, http.StatusUnprocessableEntity, "Validation Failed")
		return nil, false
	}
	return b, true
}

// setStatus plays the part of a commit's statuses; false where nobody asks for them.
func (s *server) setStatus(w http.ResponseWriter, r *http.Request, path string) bool {
	root, states, name, most := "/repos/lakeside/fleet", []string{"error", "failure", "pending", "success"}, "context", 140
	switch s.kind {
	case forge.Gitea:
		most = 1 << 20
	case forge.GitLab:
		root, states, name, most = "/projects/42", []string{"pending", "running", "success", "failed", "canceled", "skipped"}, "name", 255
	}
	commit, of := strings.CutPrefix(path, root+"/statuses/")
	if !of || r.Method != "POST" {
		return false
	}
	b, ok := s.fields(w, r, []string{"state", name}, "description", "target_url")
	switch {
	case !ok:
	case !slices.Contains(states, b["state"]) || len([]rune(b["description"])) > most:
		s.t.Errorf("status %v", b)
		say(w, http.StatusUnprocessableEntity, "Validation Failed")
	case commit != head:
		say(w, http.StatusNotFound, "404 Commit Not Found")
	default:
		s.statuses = append(s.statuses, b)
		answer(w, http.StatusCreated, map[string]any{"id": len(s.statuses), "status": b["state"], "state": b["state"]})
	}
	return true
}

// pullRequests plays the part of a repository's; false where nobody asks for them.
func (s *server) pullRequests(w http.ResponseWriter, r *http.Request, path string) bool {
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
		s.openPull(w, r)
	default:
		say(w, http.StatusMethodNotAllowed, "no")
	}
	return true
}

func (s *server) listPulls(w http.ResponseWriter, r *http.Request) {
	ask := r.URL.Query()
	found := []any{}
	for i := len(s.pulls) - 1; i >= 0; i-- { // the newest first
		p := &s.pulls[i]
		owner := "lakeside"
		if p.from != "" {
			owner, _, _ = strings.Cut(p.from, "/")
		}
		for name, is := range map[string]string{"head": owner + ":" + p.branch, "base": p.target, "source_branch": p.branch, "target_branch": p.target} {
			if ask.Get(name) != "" && ask.Get(name) != is {
				p = nil
				break
			}
		}
		if p != nil && (ask.Get("state") == "all" || !p.closed) {
			found = append(found, s.wirePull(*p))
		}
	}
	s.page(w, r, found)
}

func (s *server) wirePull(p pull) map[string]any {
	state := "open"
	if p.closed {
		state = "closed"
	}
	if s.kind == forge.GitLab {
		project := 42
		if p.from != "" {
			project = 43
		}
		if !p.closed {
			state = "opened"
		}
		return map[string]any{
			"iid": p.number, "state": state, "source_branch": p.branch, "target_branch": p.target, "sha": p.commit,
			"source_project_id": project, "target_project_id": 42, "web_url": fmt.Sprintf("%s/lakeside/fleet/-/merge_requests/%d", s.url, p.number),
		}
	}
	from := map[string]any{"full_name": "lakeside/fleet"}
	if p.from != "" {
		from["full_name"] = p.from
	}
	return map[string]any{
		"number": p.number, "state": state, "html_url": fmt.Sprintf("%s/lakeside/fleet/pull/%d", s.url, p.number),
		"head": map[string]any{"ref": p.branch, "sha": p.commit, "repo": from},
		"base": map[string]any{"ref": p.target, "repo": map[string]any{"full_name": "lakeside/fleet"}},
	}
}

func (s *server) openPull(w http.ResponseWriter, r *http.Request) {
	names := []string{"head", "base", "title", "body"}
	if s.kind == forge.GitLab {
		names = []string{"source_branch", "target_branch", "title", "description"}
	}
	b, ok := s.fields(w, r, names)
	if !ok {
		return
	}
	p := pull{number: len(s.pulls) + 1, branch: b[names[0]], target: b[names[1]], commit: s.branches[b[names[0]]], title: b[names[2]], text: b[names[3]]}
	taken := slices.ContainsFunc(s.pulls, func(o pull) bool {
		return !o.closed && o.from == "" && o.branch == p.branch && o.target == p.target
	})
	switch {
	case p.commit == "":
		say(w, http.StatusUnprocessableEntity, "Validation Failed") // head: invalid
	case taken && s.kind == forge.GitHub:
		answer(w, http.StatusUnprocessableEntity, map[string]any{"message": "Validation Failed", "errors": []any{map[string]any{"message": "A pull request already exists for lakeside:" + p.branch + "."}}})
	case taken && s.kind == forge.GitLab:
		answer(w, http.StatusConflict, map[string]any{"message": []string{"Another open merge request already exists for this source branch: !1"}})
	case taken:
		say(w, http.StatusConflict, "pull request already exists for these targets")
	default:
		s.pulls = append(s.pulls, p)
		answer(w, http.StatusCreated, s.wirePull(p))
	}
}
