package ehrtest

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"slices"
	"sync"
	"testing"
)

// Proxy stands between a client and an EHR, notes what is asked, and misbehaves
// where a rule says so.
type Proxy struct {
	URL string

	pass http.Handler

	mu    sync.Mutex
	to    *url.URL
	rules []*Rule
	seen  []Request
}

// Request is a request that came.
type Request struct {
	Method, Path string
	Header       http.Header
}

// Rule says which requests meet with a fault.
type Rule struct {
	Method string // "" for any
	Path   string // a pattern of path.Match; "" for any
	Times  int    // after how many requests the rule ends; 0 for never
	Fault  Fault
}

// Fault answers a request in the EHR's place, which pass reaches.
type Fault func(w http.ResponseWriter, r *http.Request, pass http.Handler)

// NewProxy starts a proxy before an EHR. It ends with the test.
func NewProxy(t testing.TB, to string) *Proxy {
	t.Helper()
	p := &Proxy{}
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	p.pass = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			p.mu.Lock()
			defer p.mu.Unlock()
			r.SetURL(p.to)
		},
		Transport: transport,
		// What the EHR does not answer, the proxy does not answer either.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	p.To(t, to)
	server := httptest.NewServer(p)
	t.Cleanup(func() { server.Close(); transport.CloseIdleConnections() })
	p.URL = server.URL
	return p
}

// To leads the requests that come from now on to another EHR.
func (p *Proxy) To(t testing.TB, to string) {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.to = u
}

// Add adds a rule. Where several match, the first that was added is taken.
func (p *Proxy) Add(r Rule) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = append(p.rules, &r)
}

// Reset ends all rules and forgets what was asked.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules, p.seen = nil, nil
}

// Seen returns the requests of a method and a pattern of path.Match; "" stands
// for any.
func (p *Proxy) Seen(method, pattern string) []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.seen), func(r Request) bool { return !matches(r, method, pattern) })
}

func matches(r Request, method, pattern string) bool {
	if method != "" && method != r.Method {
		return false
	}
	matched, err := path.Match(pattern, r.Path)
	return pattern == "" || err == nil && matched
}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if fault := p.meet(r); fault != nil {
		fault(w, r, p.pass)
		return
	}
	p.pass.ServeHTTP(w, r)
}

// meet notes a request and returns the fault that it meets with, or nil.
func (p *Proxy) meet(r *http.Request) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	request := Request{r.Method, r.URL.Path, r.Header.Clone()}
	p.seen = append(p.seen, request)
	i := slices.IndexFunc(p.rules, func(rule *Rule) bool { return matches(request, rule.Method, rule.Path) })
	if i < 0 {
		return nil
	}
	rule := p.rules[i]
	if rule.Times--; rule.Times == 0 {
		p.rules = slices.Delete(p.rules, i, i+1)
	}
	return rule.Fault
}

// Drop closes the connection without passing the request on.
func Drop(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }

// DropAnswer passes the request on, and closes the connection instead of
// answering.
func DropAnswer(_ http.ResponseWriter, r *http.Request, pass http.Handler) {
	pass.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

// Answer answers in the EHR's place.
func Answer(status int, mediaType, body string) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", mediaType)
		w.WriteHeader(status)
		w.Write([]byte(body))
	}
}

// Problem refuses in the EHR's words.
func Problem(status int, code string) Fault {
	return Answer(status, "application/problem+json", `{"code":"`+code+`","detail":"by the proxy"}`)
}

// Before does something before the request is passed on.
func Before(do func()) Fault {
	return func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		do()
		pass.ServeHTTP(w, r)
	}
}

// Rewrite changes the body of the EHR's answer.
func Rewrite(change func([]byte) []byte) Fault {
	return func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		answer := record(r, pass)
		copyHeader(w, answer)
		w.WriteHeader(answer.Code)
		w.Write(change(answer.Body.Bytes()))
	}
}

// Cut ends the connection after some bytes of the EHR's answer.
func Cut(after int) Fault {
	return func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		answer := record(r, pass)
		copyHeader(w, answer)
		w.WriteHeader(answer.Code)
		w.Write(bytes.Clone(answer.Body.Bytes()[:min(after, answer.Body.Len())]))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

// record gets the EHR's whole answer, without compression.
func record(r *http.Request, pass http.Handler) *httptest.ResponseRecorder {
	r.Header.Del("Accept-Encoding")
	answer := httptest.NewRecorder()
	pass.ServeHTTP(answer, r)
	return answer
}

func copyHeader(w http.ResponseWriter, answer *httptest.ResponseRecorder) {
	for name, values := range answer.Header() {
		if name != "Content-Length" {
			w.Header()[name] = values
		}
	}
}
