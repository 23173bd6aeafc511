package forge

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// Options say which forge is asked, and with whose rights.
type Options struct {
	Run       Run
	Token     string // required
	UserAgent string
	// Proxy chooses a proxy for a request, or is nil for none.
	Proxy func(*http.Request) (*url.URL, error)
	// Retries is how often something is tried again; 0 is 4 times, -1 never.
	Retries int
	// Pause is the first wait before a retry, which doubles each time; 0 is 500 ms.
	Pause time.Duration
	// Now is asked how long it is until a limit ends; required.
	Now func() time.Time
	Log *slog.Logger // of retries; nil discards
}

const (
	timeout        = 30 * time.Second
	defaultRetries = 4
	defaultPause   = 500 * time.Millisecond
	longestPause   = time.Minute
	maxAnswer      = 32 << 20 // bytes; a page is a hundred comments of 64 KiB
	maxPages       = 100
)

// Client writes to one repository, and to the one pull request that its run is of.
type Client struct {
	base    *url.URL
	token   string
	agent   string
	project string
	change  int
	kind    Kind
	dialect dialect
	http    *retryablehttp.Client
}

// New returns a client for a run's repository. It asks nothing yet.
func New(o Options) (*Client, error) {
	base, err := url.Parse(o.Run.API)
	switch {
	case !slices.Contains([]Kind{GitHub, Gitea, GitLab}, o.Run.Kind):
		return nil, fmt.Errorf("forge %.20q is not known", o.Run.Kind)
	case err != nil || base.Scheme != "https" && base.Scheme != "http" || base.Host == "" || base.User != nil || base.RawQuery != "":
		return nil, errors.New("the forge's API has no address that could be asked")
	case !o.Run.Kind.names(o.Run.Project):
		return nil, fmt.Errorf("the repository %.80q is not named as %s names them", o.Run.Project, o.Run.Kind)
	case o.Token == "" || strings.ContainsFunc(o.Token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, errors.New("the forge's token is empty, or holds a character that no token has")
	}
	c := &Client{base: base, token: o.Token, agent: cmp.Or(o.UserAgent, "charter"), project: o.Run.Project, change: o.Run.Change, kind: o.Run.Kind, http: newRetrying(&o)}
	switch o.Run.Kind {
	case GitHub:
		c.dialect = github(o.Run.Project, o.Run.Change)
	case Gitea:
		c.dialect = gitea(o.Run.Project, o.Run.Change)
	case GitLab:
		c.dialect = gitlab(o.Run.Project, o.Run.Change)
	}
	return c, nil
}

func newRetrying(o *Options) *retryablehttp.Client {
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	transport := &http.Transport{Proxy: o.Proxy, TLSHandshakeTimeout: timeout, MaxIdleConnsPerHost: 2}
	rt := retryablehttp.NewClient()
	rt.HTTPClient = &http.Client{
		Timeout: timeout, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	l := limits{o.Now}
	rt.RetryMax, rt.RetryWaitMin, rt.RetryWaitMax = max(0, cmp.Or(o.Retries, defaultRetries)), cmp.Or(o.Pause, defaultPause), longestPause
	rt.CheckRetry, rt.Backoff = l.again, l.wait
	rt.ErrorHandler = retryablehttp.PassthroughErrorHandler
	rt.Logger = nil
	rt.RequestLogHook = func(_ retryablehttp.Logger, r *http.Request, try int) {
		if try > 0 {
			log.Info("asking the forge again", "method", r.Method, "path", r.URL.Path, "try", try+1)
		}
	}
	return rt
}

// StatusError is a forge's refusal.
type StatusError struct {
	Request string // method and path
	Status  int
	Text    string        // the forge's own words, at a length that can be shown; may be ""
	Wait    time.Duration // how long it asks to wait; 0 where it does not
}

func (e *StatusError) Error() string {
	text := fmt.Sprintf("%s: the forge answers %d", e.Request, e.Status)
	if e.Text != "" {
		text += " " + e.Text
	}
	if e.Wait > 0 {
		text += fmt.Sprintf(", and asks to wait %s", e.Wait)
	}
	return text
}

func hasStatus(err error, statuses ...int) bool {
	var said *StatusError
	if !errors.As(err, &said) {
		return false
	}
	for _, status := range statuses {
		if said.Status == status {
			return true
		}
	}
	return false
}

// once marks the context of a request that is not to be tried again.
type once struct{}

// singly marks a request that makes something new: it may have been carried out
// although its answer was lost.
func singly(ctx context.Context) context.Context { return context.WithValue(ctx, once{}, true) }

// call sends a request and decodes the answer, if it has the wanted status. It
// returns the address of the next page, or "".
func (c *Client) call(ctx context.Context, method, address string, body any, want int, value any) (next string, err error) {
	var text []byte
	if body != nil {
		if text, err = json.Marshal(body); err != nil {
			return "", err
		}
	}
	r, err := retryablehttp.NewRequestWithContext(ctx, method, address, text)
	if err != nil {
		return "", err
	}
	request := method + " " + r.URL.Path
	c.dialect.sign(r.Header, c.token)
	r.Header.Set("User-Agent", c.agent)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return "", fmt.Errorf("%s: %w", request, bare(err))
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("%s: %w", request, bare(err))
	case answer.StatusCode != want:
		return "", refusal(request, answer, data)
	case len(data) > maxAnswer:
		return "", fmt.Errorf("%s: the answer is larger than %d bytes", request, maxAnswer)
	}
	if err := json.Unmarshal(data, value); err != nil {
		return "", fmt.Errorf("%s: the answer cannot be read", request)
	}
	return c.nextPage(answer.Header.Values("Link"))
}

// bare takes the request out of a fault of the network; it is said already.
func bare(err error) error {
	var fault *url.Error
	if errors.As(err, &fault) {
		return fault.Err
	}
	return err
}

func refusal(request string, answer *http.Response, data []byte) error {
	var said struct {
		Message json.RawMessage `json:"message"` // GitLab gives lists and objects too
	}
	_ = json.Unmarshal(data, &said) // a page of a proxy says nothing more
	text := strings.Trim(string(bytes.TrimSpace(said.Message)), `"`)
	const most = 200
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return &StatusError{Request: request, Status: answer.StatusCode, Text: text, Wait: asked(answer)}
}

// nextPage finds the address of the next page among Link headers. One on another
// host is an error: the token does not go there.
func (c *Client) nextPage(links []string) (string, error) {
	for _, link := range strings.Split(strings.Join(links, ","), ",") {
		target, rel, _ := strings.Cut(link, ";")
		if !strings.Contains(rel, `rel="next"`) {
			continue
		}
		next, err := url.Parse(strings.Trim(strings.TrimSpace(target), "<>"))
		if err != nil || next.Scheme != c.base.Scheme || next.Host != c.base.Host {
			return "", errors.New("the next page lies on another host")
		}
		return next.String(), nil
	}
	return "", nil
}

// limits judge answers by when they allow another try.
type limits struct{ now func() time.Time }

// again tells whether a request is to be tried again. A limit is said before
// anything is done, and so is met again whatever the request; after other faults one
// that makes something new may have been carried out.
func (l limits) again(ctx context.Context, answer *http.Response, err error) (bool, error) {
	single := ctx.Value(once{}) != nil
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case err != nil:
		return !single, nil
	case limited(answer):
		return l.until(answer) <= longestPause, nil
	}
	return answer.StatusCode >= 500 && !single, nil
}

// limited reports whether a forge says that it is asked too often.
func limited(answer *http.Response) bool {
	return answer.StatusCode == http.StatusTooManyRequests ||
		answer.StatusCode == http.StatusForbidden && (answer.Header.Get("Retry-After") != "" || answer.Header.Get("X-RateLimit-Remaining") == "0")
}

// wait gives the pause before the next try.
func (l limits) wait(least, most time.Duration, try int, answer *http.Response) time.Duration {
	if answer != nil && limited(answer) {
		return max(l.until(answer), least)
	}
	return min(least<<try, most)
}

// until gives how long it is until a limit ends; 0 where the forge does not say.
func (l limits) until(answer *http.Response) time.Duration {
	if pause := asked(answer); pause > 0 {
		return pause
	}
	reset, err := strconv.ParseInt(answer.Header.Get("X-RateLimit-Reset"), 10, 64)
	if err != nil {
		return 0
	}
	return max(0, time.Unix(reset, 0).Sub(l.now()))
}

// asked gives the pause that an answer asks for in seconds; 0 for none.
func asked(answer *http.Response) time.Duration {
	seconds, err := strconv.ParseInt(answer.Header.Get("Retry-After"), 10, 32)
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
