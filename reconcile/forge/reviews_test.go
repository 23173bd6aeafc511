package forge_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/veonahealth/charter/reconcile/forge"
)

// minute is so many minutes after the first push.
func minute(n int) time.Time {
	return time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Minute)
}

func newReviewed(t testing.TB, kind forge.Kind, reviews ...review) *server {
	s := newServer(t, kind)
	s.change = change{commit: head, author: 9, reviews: reviews, versions: []time.Time{minute(-10), minute(0)}}
	for i := range s.change.reviews {
		s.change.reviews[i].id = int64(i + 1)
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

func yes(by int64, at int) review {
	return review{by: by, state: "APPROVED", commit: head, at: minute(at)}
}

func TestAReviewStandsOrSaysWhyNot(t *testing.T) {
	no := map[forge.Kind]string{forge.GitHub: "CHANGES_REQUESTED", forge.Gitea: "REQUEST_CHANGES"}
	comment := map[forge.Kind]string{forge.GitHub: "COMMENTED", forge.Gitea: "COMMENT"}
	for _, kind := range []forge.Kind{forge.GitHub, forge.Gitea} {
		in := func(state string, at int) review { r := yes(1, at); r.state = state; return r }
		older := yes(1, 1)
		older.commit = base
		dismissed, stale := in("DISMISSED", 1), yes(1, 1)
		stale.stale = true
		if kind == forge.Gitea {
			dismissed = yes(1, 1)
			dismissed.dismissed = true
		}
		gone, undated := yes(0, 1), yes(1, 1)
		undated.at = time.Time{}
		for name, c := range map[string]struct {
			given []review
			want  []string
		}{
			"nobody":                  {nil, nil},
			"one":                     {[]review{yes(1, 1)}, []string{"1"}},
			"two":                     {[]review{yes(2, 1), yes(1, 2)}, []string{"1", "2"}},
			"dismissed":               {[]review{dismissed}, []string{"1 it was dismissed"}},
			"for another commit":      {[]review{older}, []string{"1 it was given for commit 222222222222, and the change is at 111111111111"}},
			"asks for changes after":  {[]review{yes(1, 1), in(no[kind], 2)}, []string{"1 it asks for changes"}},
			"asks for changes before": {[]review{in(no[kind], 1), yes(1, 2)}, []string{"1"}},
			"in another order":        {[]review{in(no[kind], 2), yes(1, 1)}, []string{"1 it asks for changes"}},
			"in the same second":      {[]review{yes(1, 1), in(no[kind], 1)}, []string{"1 it asks for changes"}},
			"comments after":          {[]review{yes(1, 1), in(comment[kind], 2), in("PENDING", 3)}, []string{"1"}},
			"only comments":           {[]review{in(comment[kind], 2)}, nil},
			"a state of tomorrow":     {[]review{yes(1, 1), in("RETRACTED", 2)}, []string{"1 it does not approve"}},
			"an account that is gone": {[]review{gone}, nil},
			"without a time":          {[]review{undated}, []string{"1 the forge does not say when it was given"}},
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
		change func(*change)
		want   string
	}{
		"after the last push":       {func(*change) {}, "1"},
		"before the last push":      {func(c *change) { c.versions = append(c.versions, minute(2)) }, "1 it was given before the change was pushed last, at 111111111111"},
		"in the instant of it":      {func(c *change) { c.versions = append(c.versions, minute(1)) }, "1 it was given before the change was pushed last, at 111111111111"},
		"of a GitLab without times": {func(c *change) { c.undated = true }, "1 this GitLab does not say when it was given"},
		"with no push that is told": {func(c *change) { c.versions = nil }, "1 the forge does not say when the change was pushed last"},
	} {
		s := newReviewed(t, forge.GitLab, yes(1, 1))
		c.change(&s.change)
		if got := reviews(t, s); !slices.Equal(got, []string{c.want}) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestAllPagesOfReviewsAreRead(t *testing.T) {
	for _, kind := range []forge.Kind{forge.GitHub, forge.Gitea} {
		var given []review
		for i := range 7 {
			given = append(given, yes(int64(i%3+1), i))
		}
		given = append(given, review{by: 1, state: "DISMISSED", commit: head, at: minute(20)})
		s := newReviewed(t, kind, given...)
		s.perPage = 2
		if got := reviews(t, s); !slices.Equal(got, []string{"1 it was dismissed", "2", "3"}) {
			t.Errorf("%s: %q after %q", kind, got, s.calls)
		}
	}
	s := newReviewed(t, forge.GitLab, yes(1, 1))
	s.perPage = 1
	if got := reviews(t, s); !slices.Equal(got, []string{"1"}) || len(s.calls) != 4 {
		t.Errorf("%q after %q", got, s.calls)
	}
}

// A forge that goes on for ever is left.
func TestPagesOfReviewsAreBounded(t *testing.T) {
	for _, kind := range kinds {
		s := newReviewed(t, kind)
		s.meet = func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "/reviews") && !strings.HasSuffix(r.URL.Path, "/versions") {
				return false
			}
			w.Header().Set("Link", fmt.Sprintf(`<%s%s?page=2>; rel="next"`, s.url, r.URL.Path))
			answer(w, http.StatusOK, []any{map[string]any{"id": 1}})
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
			s.change.state = state
			if c, err = s.client(t).Reviews(t.Context()); err != nil || c.Open {
				t.Errorf("%s: %s: %+v, %v", kind, state, c, err)
			}
		}
	}
}

func TestAChangeThatIsNoneIsRefused(t *testing.T) {
	for _, kind := range kinds {
		for name, spoil := range map[string]func(*change){
			"no commit": func(c *change) { c.commit = "" },
			"a branch":  func(c *change) { c.commit = "main" },
			"another":   func(c *change) { c.another = true },
		} {
			s := newReviewed(t, kind)
			spoil(&s.change)
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
		s.add(3, "eve", false, marker+"forged") // hers, however it begins
		if found, err := s.client(t).ReadComment(t.Context(), strings.TrimSpace(marker)); found != nil || err != nil {
			t.Errorf("%s: %+v, %v", kind, found, err)
		}
		mustWrite(t, s, marker+"one")
		s.comments[1].at = minute(3)
		found, err := s.client(t).ReadComment(t.Context(), strings.TrimSpace(marker))
		if err != nil || found == nil || found.Body != marker+"one" || !found.Changed.Equal(minute(3)) {
			t.Errorf("%s: %+v, %v", kind, found, err)
		}
	}
}
