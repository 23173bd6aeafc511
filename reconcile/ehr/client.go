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
// the platform answers a second time what it answered the first. A stream is tried
// again until it begins: what was handed on cannot be taken back. When
// the platform asks for a pause (Retry-After), every request of the client waits,
// not only the one that was told. The token goes to the URL that the client was
// given and nowhere else: redirects are not followed.
package ehr

import (
	"cmp"
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
	// Parallelism is how many requests may be under way at once, a stream that is
	// being read among them; 0 is 10.
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
	// Watch is told of each try of each request, by many goroutines; nil for
	// nobody.
	Watch func(context.Context, Exchange)
}

// Client asks one platform. It is safe for use by many goroutines.
type Client struct {
	base        *url.URL
	token       string
	userAgent   string
	parallelism int
	whole       *retryablehttp.Client // for answers that are held in memory
	stream      *retryablehttp.Client // for streams; only their beginning is tried again
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
	if err := o.check(); err != nil {
		return nil, err
	}
	o.fill()
	pace := newPace(o.MaxRPS, o.Log)
	var transport http.RoundTripper = newTransport(&o)
	if o.Watch != nil {
		transport = &watched{transport, o.Watch, time.Now}
	}
	whole := &bounded{next: transport, timeout: o.Timeout}
	stream := &bounded{next: transport, timeout: o.Timeout, stream: true}
	return &Client{
		base: base, token: o.Token, userAgent: o.UserAgent, parallelism: o.Parallelism,
		whole:  newRetrying(&o, &paced{pace, whole}),
		stream: newRetrying(&o, &paced{pace, stream}),
	}, nil
}

// check refuses numbers that would mean nothing.
func (o *Options) check() error {
	switch {
	case o.Parallelism < 0:
		return fmt.Errorf("parallelism %d: want at least 1", o.Parallelism)
	case !(o.MaxRPS >= 0): // nor what is no number
		return fmt.Errorf("%g requests a second: want more than 0", o.MaxRPS)
	case o.Timeout < 0:
		return fmt.Errorf("timeout %s: want a time to come", o.Timeout)
	}
	return nil
}

// fill puts the defaults where nothing is said.
func (o *Options) fill() {
	o.Parallelism = cmp.Or(o.Parallelism, defaultParallelism)
	o.Timeout = cmp.Or(o.Timeout, defaultTimeout)
	o.Retries = cmp.Or(o.Retries, defaultRetries)
	o.Pause = cmp.Or(o.Pause, defaultPause)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// newRetrying returns what tries requests again.
func newRetrying(o *Options, transport http.RoundTripper) *retryablehttp.Client {
	rt := retryablehttp.NewClient()
	rt.HTTPClient = &http.Client{Transport: transport, CheckRedirect: keepRedirect}
	rt.RetryMax = o.Retries // negative is never
	rt.RetryWaitMin, rt.RetryWaitMax = o.Pause, longestPause
	rt.CheckRetry, rt.Backoff = checkRetry, backoff
	rt.ErrorHandler = retryablehttp.PassthroughErrorHandler
	rt.Logger = nil
	rt.RequestLogHook = func(_ retryablehttp.Logger, r *http.Request, try int) {
		if try > 0 {
			o.Log.Info("trying again", "method", r.Method, "path", r.URL.Path, "try", try+1)
		}
	}
	return rt
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
