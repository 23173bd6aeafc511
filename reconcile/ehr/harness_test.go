package ehr_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/reconcile/ehr"
)

// token is what must never be seen but by the platform.
const token = "s3cret-token"

// script is a platform that answers the requests it gets, in turn; the last
// answer again and again.
type script struct {
	url string

	mu      sync.Mutex
	answers []http.HandlerFunc
	seen    []*http.Request
}

// play starts a platform.
func play(t testing.TB, answers ...http.HandlerFunc) *script {
	t.Helper()
	s := &script{answers: answers}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// ServeHTTP implements http.Handler.
func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.seen = append(s.seen, r.Clone(context.WithoutCancel(r.Context())))
	answer := s.answers[0]
	if len(s.answers) > 1 {
		s.answers = s.answers[1:]
	}
	s.mu.Unlock()
	answer(w, r)
}

// requests returns what came so far.
func (s *script) requests() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

// client asks the platform and does not wait long between tries.
func (s *script) client(t testing.TB, change ...func(*ehr.Options)) *ehr.Client {
	t.Helper()
	return newClient(t, s.url, change...)
}

// afar asks the platform as one on another machine: through a proxy, which the
// platform itself plays.
func (s *script) afar(t testing.TB, change ...func(*ehr.Options)) *ehr.Client {
	t.Helper()
	proxy, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	through := func(o *ehr.Options) { o.Proxy = http.ProxyURL(proxy) }
	return newClient(t, "http://ehr.example.org", append(change, through)...)
}

func newClient(t testing.TB, url string, change ...func(*ehr.Options)) *ehr.Client {
	t.Helper()
	o := ehr.Options{URL: url, Token: token, Retries: 3, Pause: time.Millisecond, UserAgent: "charter/test"}
	for _, c := range change {
		c(&o)
	}
	client, err := ehr.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// says answers with a status and a body.
func says(status int, mediaType, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		w.Write([]byte(body))
	}
}

// gives answers 200 with JSON.
func gives(body string, header ...string) http.HandlerFunc {
	return says(http.StatusOK, "application/json", body, header...)
}

// streams answers 200 with lines.
func streams(lines ...string) http.HandlerFunc {
	return says(http.StatusOK, "application/x-ndjson", strings.Join(lines, "\n")+"\n")
}

// refuses answers with a problem.
func refuses(status int, code string, header ...string) http.HandlerFunc {
	return says(status, "application/problem+json", fmt.Sprintf(`{"code":%q,"detail":"because","title":"No"}`, code), header...)
}

// drops closes the connection.
func drops(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// hangs never answers.
func hangs(_ http.ResponseWriter, r *http.Request) { untilGone(r) }

// untilGone returns when the client has gone, which a server does not notice
// before it has read the request's body.
func untilGone(r *http.Request) {
	io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

const (
	self     = `{"name":"EHR","version":"1","instance":"platform-1","features":["bulk-entitlements"]}`
	etag     = `"7-abc"`
	grantOf7 = `{"tenant":"mercy","revision":7,"modules":["lab"],"rows":[{"facility":"main","module":"lab"}],"authority":null}`
)

// allUnexported compares identifiers by their text.
var allUnexported = cmp.Exporter(func(reflect.Type) bool { return true })

func tenantID(t testing.TB, text string) catalog.TenantID {
	t.Helper()
	id, err := catalog.ParseTenantID(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// rowsOf makes rows of "facility module".
func rowsOf(t testing.TB, texts ...string) catalog.Rows {
	t.Helper()
	rows := []catalog.Row{}
	for _, text := range texts {
		facility, module, _ := strings.Cut(text, " ")
		f, err := catalog.ParseFacilityID(facility)
		m, err2 := catalog.ParseEHRModule(module)
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, catalog.Row{Facility: f, Module: m})
	}
	return catalog.NewRows(rows)
}

func mustBeUnknown(t testing.TB, err error, says string) {
	t.Helper()
	if !ehr.IsUnknown(err) {
		t.Fatalf("error %v, want an unknown answer", err)
	}
	if !strings.Contains(err.Error(), says) {
		t.Errorf("error %q, want it to say %q", err, says)
	}
	if len(err.Error()) > 2000 {
		t.Errorf("an error of %d bytes", len(err.Error()))
	}
}

// ask asks for the grant of tenant mercy.
func ask(t testing.TB, c *ehr.Client) (catalog.Grant, error) {
	t.Helper()
	return c.Grant(t.Context(), tenantID(t, "mercy"))
}
