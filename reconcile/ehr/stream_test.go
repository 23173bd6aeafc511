package ehr_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/reconcile/ehr"
)

// line is a grant of the stream.
func line(tenant string) string {
	return fmt.Sprintf(`{"tenant":%q,"revision":7,"rows":[{"facility":"main","module":"lab"}],"authority":null,"etag":"\"7-abc\""}`, tenant)
}

func lastLine(total int) string { return fmt.Sprintf(`{"end":true,"total":%d,"snapshot":"s1"}`, total) }

// streamed reads all grants of a platform.
func streamed(t testing.TB, client *ehr.Client) (tenants []string, snapshot string, err error) {
	t.Helper()
	snapshot, err = client.Grants(t.Context(), func(g catalog.Grant) error {
		tenants = append(tenants, g.Tenant.String())
		return nil
	})
	return tenants, snapshot, err
}

// lines answers with lines, each sent on its own, and then does what ends it.
func lines(end func(http.ResponseWriter, *http.Request), all ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		for _, l := range all {
			io.WriteString(w, l)
			w.(http.Flusher).Flush()
		}
		end(w, r)
	}
}

func TestAStreamIsReadToItsLastLine(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   []string
	}{
		"three grants":             {streams(line("a"), line("b"), line("c"), lastLine(3)), []string{"a", "b", "c"}},
		"no grant":                 {streams(lastLine(0)), nil},
		"blank lines after":        {streams(line("a"), lastLine(1), "", "  "), []string{"a"}},
		"no line end at the end":   {says(200, "application/x-ndjson", line("a")+"\n"+lastLine(1)), []string{"a"}},
		"line ends of another kin": {says(200, "application/x-ndjson; charset=utf-8", line("a")+"\r\n"+lastLine(1)+"\r\n"), []string{"a"}},
		"compressed":               {zipped("application/x-ndjson", func(w io.Writer) { io.WriteString(w, line("a")+"\n"+lastLine(1)+"\n") }), []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			tenants, snapshot, err := streamed(t, play(t, c.answer).afar(t))
			if err != nil || snapshot != "s1" {
				t.Fatalf("snapshot %q, %v", snapshot, err)
			}
			if diff := cmp.Diff(c.want, tenants); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestALineOfAStreamIsAWholeGrant(t *testing.T) {
	var got catalog.Grant
	_, err := play(t, streams(line("mercy"), lastLine(1))).client(t).Grants(t.Context(), func(g catalog.Grant) error { got = g; return nil })
	want := catalog.Grant{Tenant: tenantID(t, "mercy"), Stamp: catalog.Stamp{Revision: 7, ETag: etag}, Rows: rowsOf(t, "main lab")}
	if diff := cmp.Diff(want, got, allUnexported); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestAStreamThatIsNotWholeIsUnknown(t *testing.T) {
	cut := line("b")[:30]
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		says   string
	}{
		"nothing":                       {says(200, "application/x-ndjson", ""), "without its last line"},
		"no last line":                  {streams(line("a"), line("b")), "after 2 grants, without its last line"},
		"one too few":                   {streams(line("a"), lastLine(2)), "streams 1 grants and says that there are 2"},
		"one too many":                  {streams(line("a"), line("b"), lastLine(1)), "streams 2 grants and says that there are 1"},
		"out of order":                  {streams(line("b"), line("a"), lastLine(2)), "tenant a comes after b"},
		"a tenant twice":                {streams(line("a"), line("a"), lastLine(2)), "tenant a comes after a"},
		"garbage after the end":         {streams(line("a"), lastLine(1), "x"), "goes on after its last line"},
		"a grant after the end":         {streams(lastLine(0), line("a")), "goes on after its last line"},
		"a second end":                  {streams(line("a"), lastLine(1), lastLine(1)), "goes on after its last line"},
		"an end without a total":        {streams(`{"end":true,"snapshot":"s1"}`), "lacks its total or snapshot"},
		"an end without a snapshot":     {streams(`{"end":true,"total":0}`), "lacks its total or snapshot"},
		"an end that is none":           {streams(line("a"), `{"end":false,"total":1,"snapshot":"s1"}`), "line 2: tenant id"},
		"a blank line":                  {streams(line("a"), "", lastLine(1)), "line 2"},
		"a line that is no JSON":        {streams(line("a"), "oops", lastLine(1)), "line 2"},
		"a line with a key twice":       {streams(`{"tenant":"a","tenant":"b","revision":7,"rows":[],"etag":"\"7\""}`, lastLine(1)), "duplicate"},
		"two values on a line":          {streams(line("a")+line("b"), lastLine(2)), "line 1"},
		"a grant without an ETag":       {streams(`{"tenant":"a","revision":7,"rows":[]}`, lastLine(1)), "ETag"},
		"a grant without rows":          {streams(`{"tenant":"a","revision":7,"etag":"\"7\""}`, lastLine(1)), "lacks its rows"},
		"cut in the middle of a line":   {lines(drops, line("a")+"\n", cut), "broke off after 1 grants"},
		"cut between two lines":         {lines(drops, line("a")+"\n"), "broke off after 1 grants"},
		"cut before the last line":      {lines(drops, line("a")+"\n", line("b")+"\n"), "broke off after 2 grants"},
		"cut after the last line":       {lines(drops, line("a")+"\n", lastLine(1)+"\n"), "broke off after 1 grants"},
		"ended in the middle of a line": {says(200, "application/x-ndjson", line("a")+"\n"+cut), "line 2"},
		"compressed, and cut": {zipped("application/x-ndjson", func(w io.Writer) {
			for i := range 20_000 { // so many that some are sent
				io.WriteString(w, line(fmt.Sprintf("t%07d", i))+"\n")
			}
			panic(http.ErrAbortHandler)
		}), "broke off"},
		"a list in its place":            {gives(pageOf(0, "s1", "")), "not with a stream"},
		"a sign-in page":                 {says(200, "text/html", signIn), "text/html"},
		"lines by another name":          {says(200, "application/json", line("a")+"\n"+lastLine(1)), "cannot be read"},
		"nothing that ever begins":       {hangs, "no answer within"},
		"nothing more after the first":   {lines(hangs, line("a")+"\n"), "no answer within"},
		"nothing more after half a line": {lines(hangs, line("a")+"\n", cut), "no answer within"},
		"a redirect":                     {says(307, "", "", "Location", "/elsewhere"), "redirects (307)"},
		"a page that says 503, and stalls": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(503)
			w.(http.Flusher).Flush()
			hangs(w, r)
		}, "no answer within"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := streamed(t, play(t, c.answer).afar(t, func(o *ehr.Options) { o.Timeout, o.Retries = timeoutFor(c.says), -1 }))
			mustBeUnknown(t, err, c.says)
		})
	}
}

func TestAStreamIsTriedAgainUntilItBegins(t *testing.T) {
	whole := streams(line("a"), lastLine(1))
	platform := play(t, drops, refuses(503, "unavailable"), refuses(429, "rate-limited", "Retry-After", "0"), whole)
	if tenants, _, err := streamed(t, platform.client(t)); err != nil || len(tenants) != 1 {
		t.Errorf("%q, %v", tenants, err)
	}
	platform = play(t, lines(drops, line("a")+"\n"), whole)
	tenants, _, err := streamed(t, platform.client(t))
	mustBeUnknown(t, err, "broke off")
	if len(tenants) != 1 || len(platform.requests()) != 1 {
		t.Errorf("%q yielded by %d requests: what was yielded cannot be taken back", tenants, len(platform.requests()))
	}
}

func TestAStreamThatIsRefusedIsThePlatformsWord(t *testing.T) {
	_, _, err := streamed(t, play(t, refuses(403, "capability-missing")).client(t))
	var said *ehr.Problem
	if !errors.As(err, &said) || said.Code != "capability-missing" {
		t.Errorf("error %v", err)
	}
}

// TestTheTimeOfWhoeverReadsAStreamIsTheirOwn has a reader that is slower than a
// part of the stream may be, and a stream that as a whole takes longer too.
func TestTheTimeOfWhoeverReadsAStreamIsTheirOwn(t *testing.T) {
	const limit = 400 * time.Millisecond
	next := make(chan struct{})
	platform := play(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		for _, tenant := range []string{"a", "b", "c"} {
			io.WriteString(w, line(tenant)+"\n")
			w.(http.Flusher).Flush()
			<-next
		}
		io.WriteString(w, lastLine(3)+"\n")
	})
	count := 0
	_, err := platform.client(t, func(o *ehr.Options) { o.Timeout = limit }).Grants(t.Context(), func(catalog.Grant) error {
		count++
		time.Sleep(limit + limit/2)
		next <- struct{}{}
		return nil
	})
	if err != nil || count != 3 {
		t.Errorf("%d grants, %v", count, err)
	}
}

func TestWhoeverReadsAStreamMayEndIt(t *testing.T) {
	enough := errors.New("enough")
	platform := play(t, streams(line("a"), line("b"), lastLine(2)))
	count := 0
	_, err := platform.client(t).Grants(t.Context(), func(catalog.Grant) error { count++; return enough })
	if err != enough || count != 1 {
		t.Errorf("%d grants, error %v", count, err)
	}
}

func TestAnInterruptEndsAStream(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := play(t, lines(hangs, line("a")+"\n")).client(t).Grants(ctx, func(catalog.Grant) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) || ehr.IsUnknown(err) {
		t.Errorf("error %v, want the interrupt", err)
	}
}

func TestALineOfMegabytesIsRead(t *testing.T) {
	rows := strings.Repeat(`{"facility":"main","module":"lab"},`, 1<<16)
	platform := play(t, streams(`{"tenant":"a","revision":7,"etag":"\"7\"","rows":[`+strings.TrimSuffix(rows, ",")+`]}`, lastLine(1)))
	if tenants, _, err := streamed(t, platform.client(t)); err != nil || len(tenants) != 1 {
		t.Errorf("%q, %v", tenants, err)
	}
}

// blanks answers compressed megabytes of nothing.
func blanks(mediaType string, megabytes int) http.HandlerFunc {
	return zipped(mediaType, func(w io.Writer) {
		for range megabytes {
			io.WriteString(w, strings.Repeat(" ", 1<<20))
		}
	})
}

func TestALineWithoutEndIsRefused(t *testing.T) {
	_, _, err := streamed(t, play(t, blanks("application/x-ndjson", 17)).afar(t))
	mustBeUnknown(t, err, "too long")
}

func TestWhatComesInAStreamsPlaceIsBoundedLikeAnyAnswer(t *testing.T) {
	_, _, err := streamed(t, play(t, blanks("text/html", 65)).afar(t))
	mustBeUnknown(t, err, "larger than")
}
