// Package ehr speaks the EHR contract over HTTP, as its client. It is the only
// package of charter that talks to a platform.
//
// # What it promises
//
// What a method returns without an error is what the platform said, whole. A
// 503, an empty list that claims a total, a body that was cut off, a sign-in
// page with status 200, a redirect: each is an UnknownError and never an empty
// answer, because rows that were not read must not be taken for rows that are
// not there. A refusal that the platform worded itself is a *Problem.
//
// # Retries
//
// Reads are tried again after a fault of the network or the server, with growing
// pauses and jitter; writes too, as each carries an Idempotency-Key under which
// the platform answers a second time what it answered the first. When the
// platform asks for a pause (Retry-After), every request of the client waits,
// not only the one that was told. The token goes to the URL that the client was
// given and nowhere else: redirects are not followed.
package ehr

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// Options say where a platform is and how hard it may be asked.
type Options struct {
	URL   string // http or https, without user, query or fragment
	Token string // the bearer token, or "" for none
	// Parallelism is how many requests are under way at once; 0 is 10.
	Parallelism int
	// MaxRPS is the most requests a second, retries counted; 0 is no bound.
	MaxRPS float64
	// Timeout bounds one try of one request, its body included; for a stream, the
	// time between two parts of it. 0 is 30 seconds.
	Timeout time.Duration
	// Retries is how often a request is tried again; negative is never, 0 is 6.
	Retries int
	// Pause is the first wait before a retry, which doubles each time; 0 is 200 ms.
	Pause     time.Duration
	UserAgent string
	// Proxy chooses a proxy for a request, or is nil for none.
	Proxy func(*http.Request) (*url.URL, error)
	Log   *slog.Logger // of retries and pauses; nil discards
}

// Client asks one platform. It is safe for use by many goroutines.
type Client struct {
	base        *url.URL
	token       string
	userAgent   string
	parallelism int
	timeout     time.Duration
	http        *retryablehttp.Client
	stream      *http.Client // for bodies that are not held in memory; not retried
}

const (
	defaultParallelism = 10
	defaultTimeout     = 30 * time.Second
	defaultRetries     = 6
	defaultPause       = 200 * time.Millisecond
	longestPause       = 30 * time.Second
	longestRetryAfter  = 2 * time.Minute
)

// New returns a client. It asks nothing yet.
func New(o Options) (*Client, error) {
	base, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	withDefaults(&o)
	gate := newGate(o)
	rt := retryablehttp.NewClient()
	rt.HTTPClient = &http.Client{Transport: &buffered{next: gate, timeout: o.Timeout}, CheckRedirect: keepRedirect}
	rt.RetryMax = max(o.Retries, 0)
	rt.RetryWaitMin, rt.RetryWaitMax = o.Pause, longestPause
	rt.CheckRetry, rt.Backoff = checkRetry, backoff
	rt.ErrorHandler = retryablehttp.PassthroughErrorHandler
	rt.Logger = nil
	rt.RequestLogHook = func(_ retryablehttp.Logger, r *http.Request, try int) {
		if try > 0 {
			o.Log.Info("trying again", "method", r.Method, "path", r.URL.Path, "try", try+1)
		}
	}
	return &Client{
		base: base, token: o.Token, userAgent: o.UserAgent, parallelism: o.Parallelism, timeout: o.Timeout,
		http: rt, stream: &http.Client{Transport: gate, CheckRedirect: keepRedirect},
	}, nil
}

func withDefaults(o *Options) {
	if o.Parallelism == 0 {
		o.Parallelism = defaultParallelism
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Retries == 0 {
		o.Retries = defaultRetries
	}
	if o.Pause == 0 {
		o.Pause = defaultPause
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// parseURL refuses a URL that could carry a secret or hide where it leads.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("EHR URL: it cannot be read") // the text may hold a secret
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, errors.New("EHR URL: want http://HOST or https://HOST")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("EHR URL: it must not hold a user, a query or a fragment; give the token in a file")
	}
	u.Path = strings.TrimRight(u.Path, "/")
	return u, nil
}

// SameURL reports whether two texts name one platform.
func SameURL(a, b string) bool {
	x, err := parseURL(a)
	if err != nil {
		return false
	}
	y, err := parseURL(b)
	return err == nil && strings.EqualFold(x.Scheme, y.Scheme) && strings.EqualFold(x.Host, y.Host) && x.Path == y.Path
}

// keepRedirect gives the redirect itself as the answer.
func keepRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// URL returns the platform's URL.
func (c *Client) URL() string { return c.base.String() }

// Parallelism returns how many requests are to be under way at once.
func (c *Client) Parallelism() int { return c.parallelism }

func (c *Client) request(ctx context.Context, method, path string, body []byte) (*retryablehttp.Request, error) {
	r, err := retryablehttp.NewRequestWithContext(ctx, method, c.base.String()+path, body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", c.userAgent)
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	return r, nil
}
