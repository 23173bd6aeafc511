// Package forgetest plays the part of a forge's API in tests, as far as charter goes,
// for one repository: lakeside/fleet, on GitLab also project 42, with pull request 5,
// and one of a fork, 6, which nobody has commented on.
// It is strict: what is not as the forge's documentation has it is refused, and fails
// the test.
package forgetest

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

// The tokens that a forge takes; a request with another is answered 401.
const (
	Token       = "s3cr3t-forge-token"
	ReaderToken = "s3cr3t-reader-token" // of a job that may not write: of a fork
)

// Comment is one that lies on the server.
type Comment struct {
	ID    int64
	By    int64 // the author's number; that of the token is 7
	Robot bool
	Body  string
	Login string
	// System is GitLab's word for what it writes itself.
	System bool
	At     time.Time // when it was written last
}

// Server is a forge. Its fields are set before it is asked anything, or within Hold.
type Server struct {
	URL      string
	Job      bool // the token is a job's, which may not ask whose it is
	Down     bool
	PerPage  int
	Comments []Comment
	Statuses []map[string]string // as they were sent, and the commit as "sha"; the newest last
	Change   Change
	Clock    time.Time                                         // goes on by a minute with each comment; zero for a forge without one
	Pulls    []Pull                                            // the newest last
	Branches map[string]string                                 // the commits that branches are at; nil for any
	Commits  []string                                          // those that may have a status; nil for any
	Calls    []string                                          // METHOD PATH?QUERY
	Meet     func(w http.ResponseWriter, r *http.Request) bool // answers in the server's place

	t    testing.TB
	kind forge.Kind
	mu   sync.Mutex
	next int64
}

// New starts a forge, which ends with the test.
func New(t testing.TB, kind forge.Kind) *Server {
	t.Helper()
	s := &Server{t: t, kind: kind, PerPage: 100, next: 100}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	s.URL = h.URL
	return s
}

// API is where the forge has its API.
func (s *Server) API() string {
	return s.URL + map[forge.Kind]string{forge.GitHub: "", forge.Gitea: "/api/v1", forge.GitLab: "/api/v4"}[s.kind]
}

// Hold looks at the server, or changes it, while nothing is answered.
func (s *Server) Hold(look func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	look()
}

// Add puts a comment there that somebody wrote.
func (s *Server) Add(by int64, login string, robot bool, body string) int64 {
	s.next++
	s.Comments = append(s.Comments, Comment{ID: s.next, By: by, Robot: robot, Body: body, Login: login, At: s.Tick()})
	return s.next
}

// Tick gives the time of what happens next; zero for a forge without a clock.
func (s *Server) Tick() time.Time {
	if !s.Clock.IsZero() {
		s.Clock = s.Clock.Add(time.Minute)
	}
	return s.Clock
}

// Bodies are the texts of the comments.
func (s *Server) Bodies() []string {
	var list []string
	for _, c := range s.Comments {
		list = append(list, c.Body)
	}
	return list
}

// ServeHTTP answers as the forge would.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Calls = append(s.Calls, r.Method+" "+r.URL.RequestURI())
	if s.Meet != nil && s.Meet(w, r) {
		return
	}
	if why := s.wrong(r); why != "" {
		s.t.Errorf("%s %s: %s", r.Method, r.URL, why)
		Say(w, http.StatusBadRequest, why)
		return
	}
	switch {
	case s.Down:
		Say(w, http.StatusServiceUnavailable, "down for maintenance")
		return
	case s.signedInWith(r) == ReaderToken && r.Method != "GET":
		Say(w, http.StatusForbidden, "Resource not accessible by integration")
		return
	case s.signedInWith(r) != Token && s.signedInWith(r) != ReaderToken:
		Say(w, http.StatusUnauthorized, "Bad credentials")
		return
	}
	path := strings.TrimPrefix(r.URL.Path, strings.TrimPrefix(s.API(), s.URL))
	list := "/repos/lakeside/fleet/issues/5/comments"
	one := "/repos/lakeside/fleet/issues/comments/"
	replace := "PATCH"
	if s.kind == forge.GitLab {
		list = "/projects/42/merge_requests/5/notes"
		one, replace = list+"/", "PUT"
	}
	switch id, of := strings.CutPrefix(path, one); {
	case s.statuses(w, r, path) || s.pullRequests(w, r, path) || s.reviewed(w, r, path):
	case r.Method == "GET" && path == "/user":
		s.user(w)
	case r.Method == "GET" && path == list:
		s.list(w, r)
	case r.Method == "GET" && path == strings.Replace(list, "/5/", "/6/", 1):
		s.page(w, r, []any{})
	case r.Method == "POST" && path == list:
		s.Post(w, r)
	case r.Method == replace && of:
		s.replace(w, r, id)
	default:
		Say(w, http.StatusNotFound, "Not Found")
	}
}

// wrong holds a request against what the forges ask of each.
func (s *Server) wrong(r *http.Request) string {
	switch {
	case s.signedInWith(r) == "":
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

// signedInWith is the token of a request, or "" where it is not where this forge looks
// for it.
func (s *Server) signedInWith(r *http.Request) string {
	form := map[forge.Kind][2]string{forge.GitHub: {"Authorization", "Bearer "}, forge.Gitea: {"Authorization", "token "}, forge.GitLab: {"Private-Token", ""}}[s.kind]
	token, found := strings.CutPrefix(r.Header.Get(form[0]), form[1])
	if !found {
		return ""
	}
	return token
}

// Say answers with a status and a message, as all of the forges do.
func Say(w http.ResponseWriter, status int, message string) {
	Answer(w, status, map[string]string{"message": message})
}

// Answer answers with a status and a value.
func Answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // the client may have gone
}

func (s *Server) user(w http.ResponseWriter) {
	if s.Job {
		Say(w, http.StatusForbidden, "Resource not accessible by integration")
		return
	}
	Answer(w, http.StatusOK, map[string]any{"id": 7, "login": "charter", "username": "charter"})
}

func (s *Server) wire(c Comment) map[string]any {
	by := map[string]any{"id": c.By, "login": c.Login, "type": "User"}
	if c.Robot {
		by["type"] = "Bot"
	}
	w := map[string]any{"id": c.ID, "body": c.Body, "updated_at": c.At}
	if s.kind == forge.GitLab {
		w["author"], w["system"] = map[string]any{"id": c.By, "username": c.Login}, c.System
		return w
	}
	w["user"], w["html_url"] = by, fmt.Sprintf("%s/lakeside/fleet/pull/5#issuecomment-%d", s.URL, c.ID)
	return w
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	list := []any{}
	for _, c := range s.Comments {
		list = append(list, s.wire(c))
	}
	if s.kind == forge.Gitea { // which gives all at once
		Answer(w, http.StatusOK, list)
		return
	}
	s.page(w, r, list)
}

// page answers with one page of a list, and where the next one is.
func (s *Server) page(w http.ResponseWriter, r *http.Request, list []any) {
	page, _ := strconv.Atoi(r.URL.Query().Get("page"))
	page = max(page, 1)
	from := min((page-1)*s.PerPage, len(list))
	to := min(from+s.PerPage, len(list))
	if to < len(list) {
		query := r.URL.Query()
		query.Set("page", strconv.Itoa(page+1))
		next := url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path, RawQuery: query.Encode()}
		w.Header().Set("Link", fmt.Sprintf(`<%s>; rel="next", <%s>; rel="last"`, &next, &next))
	}
	Answer(w, http.StatusOK, list[from:to])
}

// body reads a comment's text, which GitHub takes up to 65,536 characters of.
func (s *Server) body(w http.ResponseWriter, r *http.Request) (string, bool) {
	var b map[string]string
	if err := json.NewDecoder(r.Body).Decode(&b); err != nil || len(b) != 1 || b["body"] == "" || s.kind == forge.GitHub && len([]rune(b["body"])) > 65_536 {
		Say(w, http.StatusUnprocessableEntity, "Validation Failed")
		return "", false
	}
	return b["body"], true
}

// Post takes a new comment.
func (s *Server) Post(w http.ResponseWriter, r *http.Request) {
	body, ok := s.body(w, r)
	if !ok {
		return
	}
	by, robot, login := int64(7), false, "charter"
	if s.Job {
		by, robot, login = 41, true, map[forge.Kind]string{forge.GitHub: "github-actions[bot]", forge.Gitea: "gitea-actions"}[s.kind]
	}
	s.Add(by, login, robot, body)
	Answer(w, http.StatusCreated, s.wire(s.Comments[len(s.Comments)-1]))
}

func (s *Server) replace(w http.ResponseWriter, r *http.Request, id string) {
	at := slices.IndexFunc(s.Comments, func(c Comment) bool { return strconv.FormatInt(c.ID, 10) == id })
	if at < 0 {
		Say(w, http.StatusNotFound, "Not Found")
		return
	}
	if body, ok := s.body(w, r); ok {
		s.Comments[at].Body, s.Comments[at].At = body, s.Tick()
		Answer(w, http.StatusOK, s.wire(s.Comments[at]))
	}
}

// fields reads a body of texts that has these, and no others.
func (s *Server) fields(w http.ResponseWriter, r *http.Request, required []string, optional ...string) (map[string]string, bool) {
	var b map[string]string
	if err := json.NewDecoder(r.Body).Decode(&b); err != nil {
		s.t.Errorf("%s %s: %v", r.Method, r.URL, err)
		Say(w, http.StatusUnprocessableEntity, "Problems parsing JSON")
		return nil, false
	}
	wrong := slices.ContainsFunc(required, func(name string) bool { return b[name] == "" })
	for name := range b {
		wrong = wrong || !slices.Contains(required, name) && !slices.Contains(optional, name)
	}
	if wrong {
		s.t.Errorf("%s %s: %v", r.Method, r.URL, b)
		Say(w, http.StatusUnprocessableEntity, "Validation Failed")
		return nil, false
	}
	return b, true
}
