package forge

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// dialect is how a forge's API differs from another's.
type dialect struct {
	comments string // path of the comments of the pull request
	query    string // of the first page
	me       string // path of whoever the token is of
	changed  string // path of the pull request itself
	page     string // query of the first page of what hangs on it
	one      func(id int64) string
	replace  string // the method that changes a comment
	most     int    // characters of a comment, and of a pull request's text
	sign     func(http.Header, string)
	// robot recognises the author that a job's own token writes as.
	robot func(*author) bool

	status func(Status) map[string]string
	// statuses is the path of a commit's statuses.
	statuses func(commit string) string
	words    int    // characters of a status
	pulls    string // path of the pull requests
	// from is the query for the pull requests of a branch. Gitea has none, and gives
	// all of them.
	from     func(branch, target string) url.Values
	proposal func(Proposal) map[string]string
	// taken are the statuses by which a forge says that a branch has a pull request.
	taken []int
}

func github(project string, change int) dialect {
	d := hub(project, change)
	d.query, d.page = "?per_page=100", "?per_page=100"
	d.most, d.words = 65_536, 140
	d.sign = func(h http.Header, token string) {
		h.Set("Authorization", "Bearer "+token)
		h.Set("Accept", "application/vnd.github+json")
		h.Set("X-GitHub-Api-Version", "2022-11-28")
	}
	d.robot = func(a *author) bool { return a.Type == "Bot" }
	owner, _, _ := strings.Cut(project, "/")
	d.from = func(branch, target string) url.Values {
		return url.Values{"head": {owner + ":" + branch}, "base": {target}, "state": {"all"}, "per_page": {"100"}}
	}
	d.taken = []int{http.StatusUnprocessableEntity}
	return d
}

func gitea(project string, change int) dialect {
	d := hub(project, change)
	d.most, d.words, d.page = 1_000_000, 255, "?limit=50"
	d.sign = func(h http.Header, token string) {
		h.Set("Authorization", "token "+token)
		h.Set("Accept", "application/json")
	}
	d.robot = func(a *author) bool { return a.Login == "gitea-actions" || a.Login == "forgejo-actions" }
	d.from = func(string, string) url.Values {
		return url.Values{"state": {"all"}, "sort": {"recentupdate"}, "limit": {"50"}}
	}
	d.taken = []int{http.StatusConflict}
	return d
}

// hub is what GitHub and Gitea have in common: a pull request's comments are those
// of the issue of its number.
func hub(project string, change int) dialect {
	repo := "/repos/" + project
	issues := repo + "/issues/"
	return dialect{
		comments: issues + strconv.Itoa(change) + "/comments", me: "/user", replace: http.MethodPatch,
		one:      func(id int64) string { return issues + "comments/" + strconv.FormatInt(id, 10) },
		statuses: func(commit string) string { return repo + "/statuses/" + commit },
		status: func(s Status) map[string]string {
			return map[string]string{"state": string(s.State), "context": s.Name, "description": s.Text, "target_url": s.URL}
		},
		pulls: repo + "/pulls", changed: repo + "/pulls/" + strconv.Itoa(change),
		proposal: func(p Proposal) map[string]string {
			return map[string]string{"head": p.Branch, "base": p.Target, "title": p.Title, "body": p.Text}
		},
	}
}

func gitlab(project string, change int) dialect {
	root := "/projects/" + url.PathEscape(project)
	merges := root + "/merge_requests"
	one := merges + "/" + strconv.Itoa(change)
	notes := one + "/notes"
	return dialect{
		comments: notes, query: "?per_page=100&sort=asc", me: "/user", replace: http.MethodPut, most: 1_000_000, words: 255,
		one: func(id int64) string { return notes + "/" + strconv.FormatInt(id, 10) },
		sign: func(h http.Header, token string) {
			h.Set("PRIVATE-TOKEN", token)
			h.Set("Accept", "application/json")
		},
		robot:    func(*author) bool { return false }, // the token of a GitLab job may not comment
		statuses: func(commit string) string { return root + "/statuses/" + commit },
		status: func(s Status) map[string]string {
			state := "failed" // for both ways of not having passed
			if s.State == Success {
				state = "success"
			}
			return map[string]string{"state": state, "name": s.Name, "description": s.Text, "target_url": s.URL}
		},
		pulls: merges, changed: one, page: "?per_page=100",
		from: func(branch, target string) url.Values {
			return url.Values{"source_branch": {branch}, "target_branch": {target}, "state": {"all"}, "per_page": {"100"}}
		},
		proposal: func(p Proposal) map[string]string {
			return map[string]string{"source_branch": p.Branch, "target_branch": p.Target, "title": p.Title, "description": p.Text}
		},
		taken: []int{http.StatusConflict},
	}
}
