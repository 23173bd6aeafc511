package ehr_test

import (
	"bytes"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/veonahealth/charter/reconcile/ehr"
)

// call is one method of the client.
type call func(testing.TB, *ehr.Client) error

// calls are all methods that ask the platform.
func calls() map[string]call {
	return map[string]call{
		"platform": func(t testing.TB, c *ehr.Client) error { _, err := c.Platform(t.Context()); return err },
		"tenants":  func(t testing.TB, c *ehr.Client) error { _, _, err := listed(t, c); return err },
		"tenant": func(t testing.TB, c *ehr.Client) error {
			_, err := c.Tenant(t.Context(), tenantID(t, "mercy"))
			return err
		},
		"facilities": func(t testing.TB, c *ehr.Client) error {
			_, err := c.Facilities(t.Context(), tenantID(t, "mercy"))
			return err
		},
		"deployment": func(t testing.TB, c *ehr.Client) error {
			_, err := c.Deployment(t.Context(), tenantID(t, "mercy"))
			return err
		},
		"grant":  func(t testing.TB, c *ehr.Client) error { _, err := ask(t, c); return err },
		"grants": func(t testing.TB, c *ehr.Client) error { _, _, err := streamed(t, c); return err },
		"put":    func(t testing.TB, c *ehr.Client) error { _, err := put(t, c); return err },
	}
}

func TestEveryRequestBearsTheTokenAndSaysWhoAsks(t *testing.T) {
	for name, do := range calls() {
		t.Run(name, func(t *testing.T) {
			platform := play(t, gives(`{}`))
			do(t, platform.afar(t)) // what it makes of the answer is tested elsewhere
			r := platform.requests()[0]
			if r.Header.Get("Authorization") != "Bearer "+token || r.Header.Get("User-Agent") != "charter/test" {
				t.Errorf("header %q", r.Header)
			}
			if r.Header.Get("Accept-Encoding") != "gzip" || r.Header.Get("Accept") == "" {
				t.Errorf("header %q", r.Header)
			}
		})
	}
}

func TestWithoutATokenNoneIsSent(t *testing.T) {
	platform := play(t, gives(self))
	if _, err := platform.client(t, func(o *ehr.Options) { o.Token = "" }).Platform(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, sent := platform.requests()[0].Header["Authorization"]; sent {
		t.Errorf("Authorization %q", got)
	}
}

// TestARedirectLeadsNowhere holds that the host that a platform points to gets
// no request at all, and so no token.
func TestARedirectLeadsNowhere(t *testing.T) {
	for name, do := range calls() {
		for _, status := range []int{301, 302, 303, 307, 308} {
			t.Run(name, func(t *testing.T) {
				other := play(t, gives(self))
				platform := play(t, says(status, "text/html", "", "Location", other.url+"/tenants"))
				mustBeUnknown(t, do(t, platform.client(t)), "redirects")
				if n := len(other.requests()); n > 0 {
					t.Errorf("the other host was asked %d times", n)
				}
				if n := len(platform.requests()); n != 1 {
					t.Errorf("the platform was asked %d times", n)
				}
			})
		}
	}
}

// TestNoErrorAndNoLogLineTellsTheToken meets each call with each kind of fault,
// from a platform that repeats all it is told.
func TestNoErrorAndNoLogLineTellsTheToken(t *testing.T) {
	faults := map[string]http.HandlerFunc{
		"dropped":    drops,
		"late":       hangs,
		"cut":        cutAt(999, `{"items":[`),
		"busy":       refuses(503, "unavailable", "Retry-After", "0"),
		"refused":    refuses(401, "unauthenticated"),
		"page":       says(200, "text/html", signIn),
		"redirected": says(307, "", "", "Location", "http://other.example.org/"),
		"malformed":  gives("{"),
	}
	for name, do := range calls() {
		for fault, answer := range faults {
			t.Run(name+", "+fault, func(t *testing.T) {
				t.Parallel()
				var lines bytes.Buffer
				platform := play(t, answer)
				err := do(t, platform.client(t, func(o *ehr.Options) {
					o.Timeout, o.Retries = 50*time.Millisecond, 1
					o.Log = slog.New(slog.NewJSONHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug}))
				}))
				if err == nil {
					t.Fatal("no error")
				}
				if all := err.Error() + lines.String(); strings.Contains(all, token) || strings.Contains(strings.ToLower(all), "bearer") {
					t.Errorf("it tells: %s", all)
				}
				if fault == "busy" && (!strings.Contains(lines.String(), "trying again") || !strings.Contains(lines.String(), `"path":"/`)) {
					t.Errorf("the log says nothing of the second try: %s", &lines)
				}
			})
		}
	}
}

// secure is a platform behind TLS, which counts what it is asked.
func secure(t *testing.T) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	var dialled, asked atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		gives(self)(w, r)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Listener = counting{server.Listener, &dialled}
	server.StartTLS()
	t.Cleanup(func() {
		server.Close()
		if n := asked.Load(); n > 0 {
			t.Errorf("it was asked %d times", n)
		}
	})
	return server, &dialled
}

func TestACertificateThatDoesNotVerifyIsNotTriedAgain(t *testing.T) {
	server, dialled := secure(t)
	_, err := newClient(t, server.URL).Platform(t.Context())
	mustBeUnknown(t, err, "certificate")
	if n := dialled.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

func TestAnotherProtocolIsNotTriedAgain(t *testing.T) {
	platform := httptest.NewUnstartedServer(gives(self))
	var dialled atomic.Int64
	platform.Listener = counting{platform.Listener, &dialled}
	platform.Config.ErrorLog = log.New(io.Discard, "", 0)
	platform.Start()
	defer platform.Close()
	_, err := newClient(t, strings.Replace(platform.URL, "http:", "https:", 1)).Platform(t.Context())
	mustBeUnknown(t, err, "HTTP response to HTTPS client")
	if n := dialled.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

func TestNobodyThereIsUnknownAndTriedAgain(t *testing.T) {
	server := httptest.NewServer(gives(self))
	server.Close()
	var lines bytes.Buffer
	_, err := newClient(t, server.URL, func(o *ehr.Options) { o.Log = slog.New(slog.NewTextHandler(&lines, nil)) }).Platform(t.Context())
	mustBeUnknown(t, err, "connection refused")
	if n := strings.Count(lines.String(), "trying again"); n != 3 {
		t.Errorf("tried again %d times, want 3", n)
	}
}

// TestAProxyIsAsked sends a request by a proxy and to a host that is not there.
func TestAProxyIsAsked(t *testing.T) {
	proxy := play(t, gives(self))
	at, err := url.Parse(proxy.url)
	if err != nil {
		t.Fatal(err)
	}
	client := newClient(t, "http://platform.invalid", func(o *ehr.Options) {
		o.Proxy = func(*http.Request) (*url.URL, error) { return at, nil }
	})
	if _, err := client.Platform(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := proxy.requests()[0].Host; got != "platform.invalid" {
		t.Errorf("host %q", got)
	}
}

// counting counts the connections that a listener takes.
type counting struct {
	net.Listener
	taken *atomic.Int64
}

// Accept implements net.Listener.
func (c counting) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.taken.Add(1)
	}
	return conn, err
}
