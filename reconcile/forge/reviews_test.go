package forge_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/veonahealth/charter/reconcile/forge"
	"github.com/veonahealth/charter/reconcile/forge/forgetest"
)

// minute is so many minutes after the first push.
func minute(n int) time.Time {
	return time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Minute)
}

func newReviewed(t testing.TB, kind forge.Kind, reviews ...forgetest.Review) *server {
	s := newServer(t, kind)
	s.Change = forgetest.Change{Commit: head, Author: 9, Reviews: reviews, Versions: []time.Time{minute(-10), minute(0)}}
	for i := range s.Change.Reviews {
		s.Change.Reviews[i].ID = int64(i + 1)
	}
	return s
}

// reviews are what a client reads, in words: the account, and what is wrong.
func reviews(t testing.TB, s *server) []string {
	t.Helper()
	c, err := s.client(t).Reviews(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	list := []string{}
	for _, r := range c.Reviews {
		if r.ID == "" || r.At.IsZero() && r.Fault == "" {
			t.Errorf("review %+v", r)
		}
		list = append(list, strings.TrimSpace(strings.TrimPrefix(r.Account, string(s.kind)+":")+" "+r.Fault))
	}
	return list
}

func yes(by int64, at int) forgetest.Review {
	return forgetest.Review{By: by, State: "APPROVED", Commit: head, At: minute(at)}
}

func TestAReviewStandsOrSaysWhyNot(t *testing.T) {
	no := map[forge.Kind]string{forge.GitHub: "CHANGES_REQUESTED", forge.Gitea: "REQUEST_CHANGES"}
	comment := map[forge.Kind]string{forge.GitHub: "COMMENTED", forge.Gitea: "COMMENT"}
	for _, kind := range []forge.Kind{forge.GitHub, forge.Gitea} {
		in := func(state string, at int) forgetest.Review { r := yes(1, at); r.State = state; return r }
		older := yes(1, 1)
		older.Commit = base
		dismissed, stale := in("DISMISSED", 1), yes(1, 1)
		stale.Stale = true
		if kind == forge.Gitea {
			dismissed = yes(1, 1)
			dismissed.Dismissed = true
		}
		gone, undated := yes(0, 1), yes(1, 1)
		undated.At = time.Time{}
		for name, c := range map[string]struct {
			given []forgetest.Review
			want  []string
		}{
			"nobody":                  {nil, nil},
			"one":                     {[]forgetest.Review{yes(1, 1)}, []string{"1"}},
			"two":                     {[]forgetest.Review{yes(2, 1), yes(1, 2)}, []string{"1", "2"}},
			"dismissed":               {[]forgetest.Review{dismissed}, []string{"1 it was dismissed"}},
			"for another commit":      {[]forgetest.Review{older}, []string{"1 it was given for commit 222222222222, and the change is at 111111111111"}},
			"asks for changes after":  {[]forgetest.Review{yes(1, 1), in(no[kind], 2)}, []string{"1 it asks for changes"}},
			"asks for changes before": {[]forgetest.Review{in(no[kind], 1), yes(1, 2)}, []string{"1"}},
			"in another order":        {[]forgetest.Review{in(no[kind], 2), yes(1, 1)}, []string{"1 it asks for changes"}},
			"in the same second":      {[]forgetest.Review{yes(1, 1), in(no[kind], 1)}, []string{"1 it asks for changes"}},
			"comments after":          {[]forgetest.Review{yes(1, 1), in(comment[kind], 2), in("PENDING", 3)}, []string{"1"}},
			"only comments":           {[]forgetest.Review{in(comment[kind], 2)}, nil},
			"a state of tomorrow":     {[]forgetest.Review{yes(1, 1), in("RETRACTED", 2)}, []string{"1 it does not approve"}},
			"an account that is gone": {[]forgetest.Review{gone}, nil},
			"without a time":          {[]forgetest.Review{undated}, []string{"1 the forge does not say when it was given"}},
		} {
			s := newReviewed(t, kind, c.given...)
			if got := reviews(t, s); !slices.Equal(got, c.want) {
				t.Errorf("%s: %s: %q, want %q", kind, name, got, c.want)
			}
		}
		if kind == forge.Gitea {
			if got := reviews(t, newReviewed(t, kind, stale)); len(got) != 1 || !strings.Contains(got[0], "it was given for") {
				t.Errorf("a review that is stale: %q", got)
			}
		}
	}
}

// GitLab says who approves, and when: which commit that was of is told by the pushes.
func TestAnApprovalOfGitLabIsOfWhatWasPushedLast(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*forgetest.Change)
		want   string
	}{
		"after the last push":       {func(*forgetest.Change) {}, "1"},
		"before the last push":      {func(c *forgetest.Change) { c.Versions = append(c.Versions, minute(2)) }, "1 it was given before the change was pushed last, at 111111111111"},
		"in the instant of it":      {func(c *forgetest.Change) { c.Versions = append(c.Versions, minute(1)) }, "1 it was given before the change was pushed last, at 111111111111"},
		"of a GitLab without times": {func(c *forgetest.Change) { c.Undated = true }, "1 this GitLab does not say when it was given"},
		"with no push that is told": {func(c *forgetest.Change) { c.Versions = nil }, "1 the forge does not say when the change was pushed last"},
	} {
		s := newReviewed(t, forge.GitLab, yes(1, 1))
		c.change(&s.Change)
		if got := reviews(t, s); !slices.Equal(got, []string{c.want}) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestAllPagesOfReviewsAreRead(t *testing.T) {
	for _, kind := range []forge.Kind{forge.GitHub, forge.Gitea} {
		var given []forgetest.Review
		for i := range 7 {
			given = append(given, yes(int64(i%3+1), i))
		}
		given = append(given, forgetest.Review{By: 1, State: "DISMISSED", Commit: head, At: minute(20)})
		s := newReviewed(t, kind, given...)
		s.PerPage = 2
		if got := reviews(t, s); !slices.Equal(got, []string{"1 it was dismissed", "2", "3"}) {
			t.Errorf("%s: %q after %q", kind, got, s.Calls)
		}
	}
	s := newReviewed(t, forge.GitLab, yes(1, 1))
	s.PerPage = 1
	if got := reviews(t, s); !slices.Equal(got, []string{"1"}) || len(s.Calls) != 4 {
		t.Errorf("%q after %q", got, s.Calls)
	}
}

// A forge that goes on for ever is left.
func TestPagesOfReviewsAreBounded(t *testing.T) {
	for _, kind := range kinds {
		s := newReviewed(t, kind)
		s.Meet = func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "/reviews") && !strings.HasSuffix(r.URL.Path, "/versions") {
				return false
			}
			w.Header().Set("Link", fmt.Sprintf(`<%s%s?page=2>; rel="next"`, s.URL, r.URL.Path))
			forgetest.Answer(w, http.StatusOK, []any{map[string]any{"id": 1}})
			return true
		}
		if _, err := s.client(t).Reviews(t.Context()); err == nil || !strings.Contains(err.Error(), "more than 100 pages") {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestAChangeSaysWhatItIsAt(t *testing.T) {
	for _, kind := range kinds {
		s := newReviewed(t, kind)
		c, err := s.client(t).Reviews(t.Context())
		if err != nil || c.Head != head || c.Target != "main" || c.Author != string(kind)+":9" || !c.Open {
			t.Errorf("%s: %+v, %v", kind, c, err)
		}
		for _, state := range []string{"closed", "merged"} {
			s.Change.State = state
			if c, err = s.client(t).Reviews(t.Context()); err != nil || c.Open {
				t.Errorf("%s: %s: %+v, %v", kind, state, c, err)
			}
		}
	}
}

func TestAChangeThatIsNoneIsRefused(t *testing.T) {
	for _, kind := range kinds {
		for name, spoil := range map[string]func(*forgetest.Change){
			"no commit": func(c *forgetest.Change) { c.Commit = "" },
			"a branch":  func(c *forgetest.Change) { c.Commit = "main" },
			"another":   func(c *forgetest.Change) { c.Another = true },
		} {
			s := newReviewed(t, kind)
			spoil(&s.Change)
			if c, err := s.client(t).Reviews(t.Context()); err == nil {
				t.Errorf("%s: %s: %+v", kind, name, c)
			}
		}
		s := newReviewed(t, kind)
		o := s.options()
		o.Run.Change = 0
		c, err := forge.New(o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Reviews(t.Context()); err != forge.ErrNoChange {
			t.Errorf("%s: of no pull request: %v", kind, err)
		}
		if _, err := c.ReadComment(t.Context(), "<!-- x -->"); err != forge.ErrNoChange {
			t.Errorf("%s: the comment of none: %v", kind, err)
		}
	}
}

func TestTheCommentIsReadBackAsItIs(t *testing.T) {
	for _, kind := range kinds {
		s := newServer(t, kind)
		s.Add(3, "eve", false, marker+"forged") // hers, however it begins
		if found, err := s.client(t).ReadComment(t.Context(), strings.TrimSpace(marker)); found != nil || err != nil {
			t.Errorf("%s: %+v, %v", kind, found, err)
		}
		mustWrite(t, s, marker+"one")
		s.Comments[1].At = minute(3)
		found, err := s.client(t).ReadComment(t.Context(), strings.TrimSpace(marker))
		if err != nil || found == nil || found.Body != marker+"one" || !found.Changed.Equal(minute(3)) {
			t.Errorf("%s: %+v, %v", kind, found, err)
		}
	}
}
