package ehr_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/veonahealth/charter/reconcile/ehr"
)

// cutAt promises a body of a length and ends before it.
func cutAt(length int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", fmt.Sprint(length))
		w.Write([]byte(body))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

// cutChunks ends a body of unknown length before its last chunk.
func cutChunks(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write([]byte(body))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

// slowBody sends the header and a first part, and nothing more.
func slowBody(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Write([]byte(`{"tenant":`))
	w.(http.Flusher).Flush()
	untilGone(r)
}

// zipped answers with a compressed body.
func zipped(mediaType string, write func(io.Writer)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			http.Error(w, "want gzip", http.StatusNotAcceptable)
			return
		}
		w.Header().Set("Content-Type", mediaType)
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("ETag", etag)
		z := gzip.NewWriter(w)
		write(z)
		z.Close()
	}
}

func TestAFaultOfTheNetworkOrTheServerIsTriedAgain(t *testing.T) {
	good := gives(grantOf7, "ETag", etag)
	for name, fault := range map[string]http.HandlerFunc{
		"a connection that closes before the answer": drops,
		"no answer in time":                          hangs,
		"a body that does not end in time":           slowBody,
		"a body shorter than its length":             cutAt(200, `{"tenant":"mercy"`),
		"a whole value in a body shorter than said":  cutAt(len(grantOf7)+1, grantOf7),
		"chunks without the last":                    cutChunks(grantOf7),
		"a compressed body that is cut":              zipped("application/json", func(w io.Writer) { w.Write([]byte(grantOf7)); panic(http.ErrAbortHandler) }),
		"500":                                        says(500, "text/plain", "oops"),
		"502":                                        says(502, "text/html", "<h1>Bad Gateway</h1>"),
		"503 without Retry-After":                    says(503, "text/plain", "busy"),
		"503 with one in no known form":              refuses(503, "unavailable", "Retry-After", "soon"),
		"504":                                        says(504, "text/html", ""),
		"429 with a date that is past":               refuses(429, "rate-limited", "Retry-After", "Fri, 31 Dec 1999 23:59:59 GMT"),
		"429 with no wait":                           refuses(429, "rate-limited", "Retry-After", "0"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			platform := play(t, fault, good)
			g, err := ask(t, platform.afar(t, func(o *ehr.Options) { o.Timeout, o.Retries = 500*time.Millisecond, 10 }))
			if err != nil || g.Stamp.Revision != 7 {
				t.Fatalf("%+v, %v", g, err)
			}
			if n := len(platform.requests()); n < 2 {
				t.Errorf("%d requests, want a second", n)
			}
		})
	}
}

// timeoutFor is short where an error is to say that no answer came in time, and
// longer than a busy machine may take for all others.
func timeoutFor(says string) time.Duration {
	if strings.HasPrefix(says, "no answer") {
		return 50 * time.Millisecond
	}
	return time.Minute
}

func TestAFaultThatLastsIsUnknownAfterTheLastTry(t *testing.T) {
	for name, c := range map[string]struct {
		fault http.HandlerFunc
		says  string
	}{
		"dropped":       {drops, "EOF"},
		"never":         {hangs, "no answer within 50ms"},
		"slow body":     {slowBody, "no answer within 50ms"},
		"cut":           {cutAt(200, `{`), "broke off"},
		"cut in chunks": {cutChunks(grantOf7), "broke off"},
		"503":           {refuses(503, "unavailable"), "503 unavailable: because"},
		"503 as a page": {says(503, "text/html", "<h1>Back soon</h1>"), "503 with text/html"},
		"429":           {refuses(429, "rate-limited"), "429 rate-limited"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			platform := play(t, c.fault)
			_, err := ask(t, platform.client(t, func(o *ehr.Options) { o.Timeout, o.Retries = timeoutFor(c.says), 2 }))
			mustBeUnknown(t, err, c.says)
			if n := len(platform.requests()); n > 3 {
				t.Errorf("%d requests, want at most 3", n)
			}
		})
	}
}

func TestNegativeRetriesAreNone(t *testing.T) {
	platform := play(t, says(500, "text/plain", ""))
	_, err := ask(t, platform.client(t, func(o *ehr.Options) { o.Retries = -1 }))
	mustBeUnknown(t, err, "500")
	if n := len(platform.requests()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func TestRetryAfterThatIsTooLongIsRefusedAtOnceByName(t *testing.T) {
	for name, after := range map[string]string{
		"seconds":                        "121",
		"seconds beyond all counting":    "99999999999999999999",
		"a date":                         time.Now().Add(time.Hour).UTC().Format(http.TimeFormat),
		"a date beyond the end of times": "Fri, 31 Dec 9999 23:59:59 GMT",
	} {
		for _, status := range []int{429, 503} {
			t.Run(fmt.Sprint(name, " with ", status), func(t *testing.T) {
				platform := play(t, refuses(status, "rate-limited", "Retry-After", after))
				_, err := ask(t, platform.client(t))
				mustBeUnknown(t, err, "which is longer than 2m0s")
				if n := len(platform.requests()); n != 1 {
					t.Errorf("%d requests, want 1", n)
				}
			})
		}
	}
}

func TestRetryAfterOfAnotherStatusMeansNothing(t *testing.T) {
	platform := play(t, says(500, "text/plain", "", "Retry-After", "3600"), gives(grantOf7, "ETag", etag))
	if _, err := ask(t, platform.client(t)); err != nil {
		t.Error(err)
	}
}

// TestAStormOf429IsOutlived has a platform that takes two requests and then asks
// everybody to wait, again and again.
func TestAStormOf429IsOutlived(t *testing.T) {
	var served atomic.Int64
	platform := play(t, func(w http.ResponseWriter, r *http.Request) {
		if served.Add(1)%3 == 0 {
			refuses(429, "rate-limited", "Retry-After", "0")(w, r)
			return
		}
		gives(grantOf7, "ETag", etag)(w, r)
	})
	client := platform.client(t, func(o *ehr.Options) { o.Retries = 20 })
	failed := make(chan error)
	const callers = 40
	for range callers {
		go func() { _, err := ask(t, client); failed <- err }()
	}
	for range callers {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}

func TestAnInterruptEndsAWaitAtOnce(t *testing.T) {
	for name, c := range map[string]http.HandlerFunc{
		"for an answer":               hangs,
		"for the platform's own time": refuses(429, "rate-limited", "Retry-After", "100"),
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			asked := make(chan struct{}, 10)
			platform := play(t, func(w http.ResponseWriter, r *http.Request) { asked <- struct{}{}; c(w, r) })
			go func() { <-asked; cancel() }()
			_, err := platform.client(t).Grant(ctx, tenantID(t, "mercy"))
			if !errors.Is(err, context.Canceled) || ehr.IsUnknown(err) {
				t.Errorf("error %v, want the interrupt", err)
			}
		})
	}
}

func TestACompressedBodyIsRead(t *testing.T) {
	platform := play(t, zipped("application/json", func(w io.Writer) { io.WriteString(w, grantOf7) }))
	if g, err := ask(t, platform.afar(t)); err != nil || len(g.Rows) != 1 {
		t.Errorf("%+v, %v", g, err)
	}
}

// TestCompressionIsAskedForFromAfarAlone has the platform on this machine, too.
func TestCompressionIsAskedForFromAfarAlone(t *testing.T) {
	platform := play(t, gives(grantOf7, "ETag", etag))
	port := platform.url[strings.LastIndexByte(platform.url, ':'):]
	for _, c := range []struct {
		client *ehr.Client
		want   string
	}{{platform.afar(t), "gzip"}, {platform.client(t), ""}, {newClient(t, "http://localhost"+port), ""}} {
		if _, err := ask(t, c.client); err != nil {
			t.Fatal(err)
		}
		seen := platform.requests()
		if got := seen[len(seen)-1].Header.Get("Accept-Encoding"); got != c.want {
			t.Errorf("%s: %q, want %q", c.client.URL(), got, c.want)
		}
	}
}

func TestABodyLargerThanAllBoundsIsNotReadAndNotAskedForAgain(t *testing.T) {
	platform := play(t, blanks("application/json", 65))
	_, err := ask(t, platform.afar(t))
	mustBeUnknown(t, err, "larger than 67108864 bytes")
	if n := len(platform.requests()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func TestHeadersWithoutEndAreRefused(t *testing.T) {
	platform := play(t, gives(grantOf7, "ETag", etag, "X-Long", strings.Repeat("x", 100<<10)))
	_, err := ask(t, platform.client(t, func(o *ehr.Options) { o.Retries = -1 }))
	mustBeUnknown(t, err, "header")
}

func TestNoMoreRequestsAreUnderWayThanAllowed(t *testing.T) {
	const allowed, callers = 3, 30
	var now, most atomic.Int64
	full := make(chan struct{})
	open := sync.OnceFunc(func() { close(full) })
	platform := play(t, func(w http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		if n == allowed {
			time.AfterFunc(50*time.Millisecond, open) // so that more would come
		}
		<-full
		gives(grantOf7, "ETag", etag)(w, r)
	})
	client := platform.client(t, func(o *ehr.Options) { o.Parallelism = allowed })
	failed := make(chan error)
	for range callers {
		go func() { _, err := ask(t, client); failed <- err }()
	}
	for range callers {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	if most.Load() != allowed {
		t.Errorf("%d requests at once, want %d", most.Load(), allowed)
	}
}

func TestOptionsThatMeanNothingAreRefused(t *testing.T) {
	for name, change := range map[string]func(*ehr.Options){
		"no URL":                  func(o *ehr.Options) { o.URL = "" },
		"a URL without a scheme":  func(o *ehr.Options) { o.URL = "platform.example.org" },
		"another scheme":          func(o *ehr.Options) { o.URL = "ftp://platform.example.org" },
		"no host":                 func(o *ehr.Options) { o.URL = "https:///x" },
		"a user":                  func(o *ehr.Options) { o.URL = "https://me:" + token + "@platform.example.org" },
		"a query":                 func(o *ehr.Options) { o.URL = "https://platform.example.org/?token=" + token },
		"a fragment":              func(o *ehr.Options) { o.URL = "https://platform.example.org/#" + token },
		"what is no URL":          func(o *ehr.Options) { o.URL = "https://" + token + "\x7f" },
		"no parallelism":          func(o *ehr.Options) { o.Parallelism = -1 },
		"fewer than no requests":  func(o *ehr.Options) { o.MaxRPS = -1 },
		"a timeout that has been": func(o *ehr.Options) { o.Timeout = -1 },
	} {
		t.Run(name, func(t *testing.T) {
			o := ehr.Options{URL: "https://platform.example.org"}
			change(&o)
			_, err := ehr.New(o)
			if err == nil {
				t.Fatal("accepted")
			}
			if strings.Contains(err.Error(), token) {
				t.Errorf("the error tells a secret: %s", err)
			}
		})
	}
}

func TestURLsOfOnePlatformAreTheSame(t *testing.T) {
	const one = "https://platform.example.org/api"
	for other, same := range map[string]bool{
		one: true, one + "/": true, "HTTPS://Platform.Example.ORG/api": true,
		"http://platform.example.org/api": false, "https://platform.example.org": false, "https://platform.example.org/API": false,
		"https://platform.example.org.evil.org/api": false, "https://platform.example.org:8443/api": false, "": false, one + "?x": false,
	} {
		if ehr.SameURL(one, other) != same {
			t.Errorf("%q: want %v", other, same)
		}
	}
}

// TestAPathOfThePlatformIsKept asks a platform that does not stand at the root.
func TestAPathOfThePlatformIsKept(t *testing.T) {
	platform := play(t, gives(grantOf7, "ETag", etag))
	client := newClient(t, platform.url+"/control/plane/")
	if _, err := ask(t, client); err != nil {
		t.Fatal(err)
	}
	if got := platform.requests()[0].URL.Path; got != "/control/plane/tenants/mercy/entitlements" {
		t.Errorf("path %s", got)
	}
	if got := client.URL(); got != platform.url+"/control/plane" {
		t.Errorf("URL %s", got)
	}
}
