package forge_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/veonahealth/charter/reconcile/forge"
)

const token = "s3cr3t-forge-token"

// comment is one that lies on the server.
type comment struct {
	id     int64
	by     int64 // the author's number; that of the token is 7
	robot  bool
	body   string
	login  string
	system bool
	at     time.Time // when it was written last
}

// server plays the part of a forge's API that is needed, to the letter: what is not
// as its documentation has it is refused, and fails the test.
type server struct {
	t        testing.TB
	kind     forge.Kind
	job      bool // the token is a job's, which may not ask whose it is
	perPage  int
	mu       sync.Mutex
	comments []comment
	statuses []map[string]string
	pulls    []pull
	branches map[string]string // the commits that branches are at
	change   change
	next     int64
	calls    []string
	meet     func(w http.ResponseWriter, r *http.Request) bool // answers in the server's place
	url      string
}

func newServer(t testing.TB, kind forge.Kind) *server {
	t.Helper()
	s := &server{t: t, kind: kind, perPage: 100, next: 100}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	s.url = h.URL
	return s
}

// api is where each forge has its API.
func (s *server) api() string {
	return s.url + map[forge.Kind]string{forge.GitHub: "", forge.Gitea: "/api/v1", forge.GitLab: "/api/v4"}[s.kind]
}

func (s *server) client(t testing.TB) *forge.Client {
	t.Helper()
	c, err := forge.New(s.options())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (s *server) options() forge.Options {
	project := "lakeside/fleet"
	if s.kind == forge.GitLab {
		project = "42"
	}
	return forge.Options{
		Run: forge.Run{Kind: s.kind, API: s.api(), Project: project, Change: 5}, Token: token,
		Pause: time.Millisecond, Now: func() time.Time { return time.Unix(1_000_000, 0) },
	}
}

// add puts a comment there that somebody wrote.
func (s *server) add(by int64, login string, robot bool, body string) int64 {
	s.next++
	s.comments = append(s.comments, comment{id: s.next, by: by, robot: robot, body: body, login: login})
	return s.next
}

func (s *server) bodies() []string {
	var list []string
	for _, c := range s.comments {
		list = append(list, c.body)
	}
	return list
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, r.Method+" "+r.URL.RequestURI())
	if s.meet != nil && s.meet(w, r) {
		return
	}
	if why := s.wrong(r); why != "" {
		s.t.Errorf("%s %s: %s", r.Method, r.URL, why)
		say(w, http.StatusBadRequest, why)
		return
	}
	path := strings.TrimPrefix(r.URL.Path, strings.TrimPrefix(s.api(), s.url))
	list := "/repos/lakeside/fleet/issues/5/comments"
	one := "/repos/lakeside/fleet/issues/comments/"
	replace := "PATCH"
	if s.kind == forge.GitLab {
		list = "/projects/42/merge_requests/5/notes"
		one, replace = list+"/", "PUT"
	}
	switch id, of := strings.CutPrefix(path, one); {
	case s.setStatus(w, r, path) || s.pullRequests(w, r, path) || s.reviewed(w, r, path):
	case r.Method == "GET" && path == "/user":
		s.user(w)
	case r.Method == "GET" && path == list:
		s.list(w, r)
	case r.Method == "POST" && path == list:
		s.post(w, r)
	case r.Method == replace && of:
		s.replace(w, r, id)
	default:
		say(w, http.StatusNotFound, "Not Found")
	}
}

// wrong holds a request against what the forges ask of each.
func (s *server) wrong(r *http.Request) string {
	auth := map[forge.Kind][2]string{
		forge.GitHub: {"Authorization", "Bearer " + token}, forge.Gitea: {"Authorization", "token " + token}, forge.GitLab: {"Private-Token", token},
	}[s.kind]
	switch {
	case r.Header.Get(auth[0]) != auth[1]:
		return "not signed in as this forge asks"
	case r.Header.Get("User-Agent") == "":
		return "no User-Agent"
	case s.kind == forge.GitHub && (r.Header.Get("Accept") != "application/vnd.github+json" || r.Header.Get("X-GitHub-Api-Version") != "2022-11-28"):
		return "no Accept, or no version of the API"
	case r.Method != "GET" && !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json"):
		return "a body of another type"
	}
	known := []string{"per_page", "page", "sort"}
	if s.kind == forge.Gitea {
		known = nil
	}
	if strings.HasSuffix(r.URL.Path, "/pulls") || strings.HasSuffix(r.URL.Path, "/merge_requests") {
		known = pullParameters[s.kind]
	}
	if s.kind == forge.Gitea && strings.HasSuffix(r.URL.Path, "/reviews") {
		known = []string{"limit", "page"}
	}
	for name, values := range r.URL.Query() {
		if !slices.Contains(known, name) || len(values) != 1 {
			return "unknown parameter " + name
		}
	}
	if n, _ := strconv.Atoi(r.URL.Query().Get("per_page")); n > 100 {
		return "a page of more than 100"
	}
	return ""
}

func say(w http.ResponseWriter, status int, message string) {
	answer(w, status, map[string]string{"message": message})
}

func answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // the client may have gone
}

func (s *server) user(w http.ResponseWriter) {
	if s.job {
		say(w, http.StatusForbidden, "Resource not accessible by integration")
		return
	}
	answer(w, http.StatusOK, map[string]any{"id": 7, "login": "charter", "username": "charter"})
}

func (s *server) wire(c comment) map[string]any {
	by := map[string]any{"id": c.by, "login": c.login, "type": "User"}
	if c.robot {
		by["type"] = "Bot"
	}
	w := map[string]any{"id": c.id, "body": c.body, "updated_at": c.at}
	if s.kind == forge.GitLab {
		w["author"], w["system"] = map[string]any{"id": c.by, "username": c.login}, c.system
		return w
	}
	w["user"], w["html_url"] = by, fmt.Sprintf("%s/lakeside/fleet/pull/5#issuecomment-%d", s.url, c.id)
	return w
}

func (s *server) list(w http.ResponseWriter, r *http.Request) {
	list := []any{}
	for _, c := range s.comments {
		list = append(list, s.wire(c))
	}
	if s.kind == forge.Gitea { // which gives all at once
		answer(w, http.StatusOK, list)
		return
	}
	s.page(w, r, list)
}

// page answers with one page of a list, and where the next one is.
func (s *server) page(w http.ResponseWriter, r *http.Request, list []any) {
	page, _ := strconv.Atoi(r.URL.Query().Get("page"))
	page = max(page, 1)
	from := min((page-1)*s.perPage, len(list))
	to := min(from+s.perPage, len(list))
	if to < len(list) {
		query := r.URL.Query()
		query.Set("page", strconv.Itoa(page+1))
		next := url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path, RawQuery: query.Encode()}
		w.Header().Set("Link", fmt.Sprintf(`<%s>; rel="next", <%s>; rel="last"`, &next, &next))
	}
	answer(w, http.StatusOK, list[from:to])
}

// body reads a comment's text, which GitHub takes up to 65,536 characters of.
func (s *server) body(w http.ResponseWriter, r *http.Request) (string, bool) {
	var b map[string]string
	if err := json.NewDecoder(r.Body).Decode(&b); err != nil || len(b) != 1 || b["body"] == "" || s.kind == forge.GitHub && len([]rune(b["body"])) > 65_536 {
		say(w, http.StatusUnprocessableEntity, "Validation Failed")
		return "", false
	}
	return b["body"], true
}

func (s *server) post(w http.ResponseWriter, r *http.Request) {
	body, ok := s.body(w, r)
	if !ok {
		return
	}
	by, robot, login := int64(7), false, "charter"
	if s.job {
		by, robot, login = 41, true, map[forge.Kind]string{forge.GitHub: "github-actions[bot]", forge.Gitea: "gitea-actions"}[s.kind]
	}
	s.add(by, login, robot, body)
	answer(w, http.StatusCreated, s.wire(s.comments[len(s.comments)-1]))
}

func (s *server) replace(w http.ResponseWriter, r *http.Request, id string) {
	at := slices.IndexFunc(s.comments, func(c comment) bool { return strconv.FormatInt(c.id, 10) == id })
	if at < 0 {
		say(w, http.StatusNotFound, "Not Found")
		return
	}
	if body, ok := s.body(w, r); ok {
		s.comments[at].body = body
		answer(w, http.StatusOK, s.wire(s.comments[at]))
	}
}
