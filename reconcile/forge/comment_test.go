package forge_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/veonahealth/charter/reconcile/forge"
	"github.com/veonahealth/charter/reconcile/forge/forgetest"
)

var kinds = []forge.Kind{forge.GitHub, forge.Gitea, forge.GitLab}

const marker = "<!-- charter plan default -->\n"

func write(t *testing.T, s *server, body string) (forge.Posted, error) {
	t.Helper()
	return s.client(t).Comment(t.Context(), body)
}

func mustWrite(t *testing.T, s *server, body string) forge.Posted {
	t.Helper()
	posted, err := write(t, s, body)
	if err != nil {
		t.Fatal(err)
	}
	return posted
}

func count(calls []string, method string) int {
	return len(slices.DeleteFunc(slices.Clone(calls), func(c string) bool { return !strings.HasPrefix(c, method+" ") }))
}

func TestAPullRequestHasOneComment(t *testing.T) {
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			s := newServer(t, kind)
			s.Add(3, "ann", false, "looks good")
			first := mustWrite(t, s, marker+"one")
			second := mustWrite(t, s, marker+"two")
			mustWrite(t, s, marker+"two") // nothing to replace
			other := mustWrite(t, s, "<!-- charter plan staging -->\nthree")
			if !first.Created || second.Created || !other.Created {
				t.Errorf("created: %v %v %v", first.Created, second.Created, other.Created)
			}
			want := []string{"looks good", marker + "two", "<!-- charter plan staging -->\nthree"}
			if got := s.Bodies(); !slices.Equal(got, want) {
				t.Errorf("comments %q", got)
			}
			if n := count(s.Calls, "PATCH") + count(s.Calls, "PUT"); n != 1 {
				t.Errorf("%d replacements, want 1", n)
			}
			if kind != forge.GitLab && !strings.HasSuffix(second.URL, "#issuecomment-102") {
				t.Errorf("address %q", second.URL)
			}
		})
	}
}

func TestTheCommentIsFoundOnAnyPage(t *testing.T) {
	for _, kind := range kinds {
		s := newServer(t, kind)
		s.PerPage = 3
		for range 10 {
			s.Add(3, "ann", false, "chatter")
		}
		mustWrite(t, s, marker+"one")
		if mustWrite(t, s, marker+"two").Created {
			t.Errorf("%s: a second comment", kind)
		}
	}
}

func TestWhatOthersWroteWithTheMarkerIsNotTouched(t *testing.T) {
	for _, kind := range kinds {
		s := newServer(t, kind)
		s.Add(3, "eve", false, marker+"nothing to see")
		s.Add(7, "charter", false, "quoted:\n"+marker)
		if !mustWrite(t, s, marker+"one").Created || s.Comments[0].Body != marker+"nothing to see" {
			t.Errorf("%s: %q", kind, s.Bodies())
		}
	}
}

func TestAJobsTokenKnowsItsOwnRobot(t *testing.T) {
	for _, kind := range kinds[:2] {
		s := newServer(t, kind)
		s.Job = true
		s.Add(3, "eve", false, marker+"nothing to see")
		mustWrite(t, s, marker+"one")
		if mustWrite(t, s, marker+"two").Created {
			t.Errorf("%s: %q", kind, s.Bodies())
		}
	}
}

func TestALimitIsWaitedForAndNothingIsWrittenTwice(t *testing.T) {
	for name, limit := range map[string]func(http.Header){
		"secondary": func(h http.Header) { h.Set("Retry-After", "0") },
		"primary":   func(h http.Header) { h.Set("X-RateLimit-Remaining", "0"); h.Set("X-RateLimit-Reset", "1000000") },
	} {
		s := newServer(t, forge.GitHub)
		met := 0
		s.Meet = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != "POST" || met == 2 {
				return false
			}
			met++
			limit(w.Header())
			forgetest.Say(w, http.StatusForbidden, "You have exceeded a secondary rate limit")
			return true
		}
		mustWrite(t, s, marker+"one")
		if met != 2 || len(s.Comments) != 1 {
			t.Errorf("%s: %d refusals, %q", name, met, s.Bodies())
		}
	}
}

func TestALimitThatIsLongIsSaidAndNotWaitedFor(t *testing.T) {
	for name, header := range map[string][2]string{"a pause": {"Retry-After", "3600"}, "a reset": {"X-RateLimit-Reset", strconv.Itoa(1_000_000 + 3600)}} {
		s := newServer(t, forge.GitHub)
		s.Meet = func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set(header[0], header[1])
			forgetest.Say(w, http.StatusTooManyRequests, "slow down")
			return true
		}
		_, err := write(t, s, marker+"one")
		var said *forge.StatusError
		if !errors.As(err, &said) || said.Status != http.StatusTooManyRequests || len(s.Calls) != 1 {
			t.Errorf("%s: %v after %d calls", name, err, len(s.Calls))
		}
		if name == "a pause" && !strings.Contains(err.Error(), "slow down, and asks to wait 1h0m0s") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestACommentWhoseAnswerWasLostIsNotWrittenAgain(t *testing.T) {
	for _, kind := range kinds {
		s := newServer(t, kind)
		s.Meet = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != "POST" {
				return false
			}
			s.Post(discard{w.Header()}, r)
			forgetest.Say(w, http.StatusBadGateway, "upstream gone")
			return true
		}
		mustWrite(t, s, marker+"one")
		if len(s.Comments) != 1 || count(s.Calls, "POST") != 1 {
			t.Errorf("%s: %q after %q", kind, s.Bodies(), s.Calls)
		}
	}
}

// discard takes an answer that is lost.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

func TestACommentThatWasDeletedMeanwhileIsWrittenAnew(t *testing.T) {
	for _, kind := range kinds {
		s := newServer(t, kind)
		mustWrite(t, s, marker+"one")
		s.Meet = func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method == "PATCH" || r.Method == "PUT" {
				s.Comments = nil
			}
			return false
		}
		if !mustWrite(t, s, marker+"two").Created || !slices.Equal(s.Bodies(), []string{marker + "two"}) {
			t.Errorf("%s: %q", kind, s.Bodies())
		}
	}
}

func TestFaultsOfTheServerAreTriedAgainButNotForEver(t *testing.T) {
	s := newServer(t, forge.Gitea)
	down := 2
	s.Meet = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != "GET" || down == 0 {
			return false
		}
		down--
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}
	mustWrite(t, s, marker+"one")
	down = 1000
	if _, err := write(t, s, marker+"two"); err == nil || len(s.Calls) > 40 {
		t.Errorf("%v after %d calls", err, len(s.Calls))
	}
}

func TestARefusalIsSaidOnceWithoutTheToken(t *testing.T) {
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusFound} {
		s := newServer(t, forge.GitHub)
		s.Meet = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != "POST" {
				return false
			}
			w.Header().Set("Location", s.URL+"/elsewhere")
			forgetest.Say(w, status, "no "+strings.Repeat("x", 1000))
			return true
		}
		var log bytes.Buffer
		o := s.options()
		o.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		c, err := forge.New(o)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Comment(t.Context(), marker+"one")
		var said *forge.StatusError
		if !errors.As(err, &said) || said.Status != status || count(s.Calls, "POST") != 1 || len(err.Error()) > 400 {
			t.Errorf("%d: %v after %q", status, err, s.Calls)
		}
		if strings.Contains(err.Error()+log.String(), forgetest.Token) {
			t.Errorf("%d: the token is told", status)
		}
	}
}

func TestTheTokenGoesToNoOtherHost(t *testing.T) {
	other := newServer(t, forge.GitHub)
	s := newServer(t, forge.GitHub)
	s.Meet = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/issues/") {
			w.Header().Set("Link", `<`+other.URL+`/repos/lakeside/fleet/issues/5/comments?page=2>; rel="next"`)
			forgetest.Answer(w, http.StatusOK, []any{})
			return true
		}
		return false
	}
	if _, err := write(t, s, marker+"one"); err == nil || !strings.Contains(err.Error(), "another host") || len(other.Calls) > 0 {
		t.Errorf("%v; the other host was asked %q", err, other.Calls)
	}
}

func TestWhatCouldNotBeFoundAgainIsNotWritten(t *testing.T) {
	s := newServer(t, forge.GitHub)
	for _, body := range []string{"", "no marker", "<!-- open\n", marker + strings.Repeat("x", 70_000)} {
		if _, err := write(t, s, body); err == nil || len(s.Calls) > 0 {
			t.Errorf("%.20q: %v after %q", body, err, s.Calls)
		}
	}
}

func TestAnInterruptEndsIt(t *testing.T) {
	s := newServer(t, forge.GitHub)
	ctx, cancel := context.WithCancel(t.Context())
	s.Meet = func(w http.ResponseWriter, _ *http.Request) bool {
		cancel()
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}
	if _, err := s.client(t).Comment(ctx, marker+"one"); !errors.Is(err, context.Canceled) || len(s.Calls) != 1 {
		t.Errorf("%v after %d calls", err, len(s.Calls))
	}
}

func TestAClientNeedsAnAddressATokenAndARepository(t *testing.T) {
	for name, change := range map[string]func(*forge.Options){
		"no repository":  func(o *forge.Options) { o.Run.Project = "" },
		"another's path": func(o *forge.Options) { o.Run.Project = "lakeside/../other" },
		"a group more":   func(o *forge.Options) { o.Run.Project = "lakeside/sub/fleet" },
		"no token":       func(o *forge.Options) { o.Token = "" },
		"a split token":  func(o *forge.Options) { o.Token = "a\r\nb" },
		"no address":     func(o *forge.Options) { o.Run.API = "" },
		"a user":         func(o *forge.Options) { o.Run.API = "https://user:word@forge.example.org" },
		"another scheme": func(o *forge.Options) { o.Run.API = "file:///etc" },
		"another forge":  func(o *forge.Options) { o.Run.Kind = "sourcehut" },
	} {
		o := newServer(t, forge.GitHub).options()
		change(&o)
		if _, err := forge.New(o); err == nil || strings.Contains(err.Error(), "word") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestARunOfNoPullRequestHasNoComment(t *testing.T) {
	s := newServer(t, forge.GitHub)
	o := s.options()
	o.Run.Change = 0
	c, err := forge.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Comment(t.Context(), marker+"one"); !errors.Is(err, forge.ErrNoChange) || len(s.Calls) > 0 {
		t.Errorf("%v after %q", err, s.Calls)
	}
}
