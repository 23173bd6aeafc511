// Package fault makes a server misbehave on order, so that a client's bad days can
// be rehearsed: it answers late, refuses, breaks off, keeps an answer to itself after
// the work is done, or lets another hand move a revision between a client's read and
// its write.
//
// The order is a JSON file:
//
//	{"seed": 7, "rules": [
//	  {"method": "PUT", "path": "/tenants/*/entitlements", "share": 0.1, "lose": true},
//	  {"path": "/entitlements", "times": 1, "cut": 4096},
//	  {"path": "/tenants*", "status": 503, "retry_after": 2},
//	  {"delay": "250ms"}
//	]}
//
// For each request the first rule that matches it, and whose share falls on it,
// is carried out, and no other. The same seed and the same sequence of requests give
// the same faults.
package fault

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path"
	"strconv"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
)

// The bounds of an order.
const (
	maxFile  = 1 << 20
	maxRules = 1000
	maxDelay = time.Hour
)

// Order is what goes wrong.
type Order struct {
	Seed  uint64 `json:"seed"` // of the chances
	Rules []Rule `json:"rules"`
}

// Rule is one thing that goes wrong. It has exactly one of status, cut, lose and
// move, or none where it only delays.
type Rule struct {
	Method string `json:"method"` // "" for any
	// Path is a pattern of path.Match for the request's path, or "" for any.
	Path  string   `json:"path"`
	Share *float64 `json:"share"` // of the requests that match, from 0 to 1; null: all
	Times int      `json:"times"` // after so many faults the rule ends; 0: never

	Delay      duration `json:"delay"`       // before anything else
	Status     int      `json:"status"`      // answered instead; nothing is done
	RetryAfter int      `json:"retry_after"` // seconds, with status
	Cut        *int64   `json:"cut"`         // bytes of the answer's body, then the connection breaks
	Lose       bool     `json:"lose"`        // the request is carried out, and the connection breaks
	Move       bool     `json:"move"`        // another hand writes what the path names first
}

// duration is a time span as Go spells it, such as "1.5s".
type duration time.Duration

func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = duration(parsed)
	return err
}

// Read reads an order, and refuses one that could not be carried out.
func Read(file io.Reader) (*Order, error) {
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxFile:
		return nil, fmt.Errorf("faults: larger than %d bytes", maxFile)
	}
	o := &Order{}
	if err := json.Unmarshal(text, o, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("faults: %w", err)
	}
	if len(o.Rules) > maxRules {
		return nil, fmt.Errorf("faults: %d rules: want at most %d", len(o.Rules), maxRules)
	}
	for i := range o.Rules {
		if err := o.Rules[i].check(); err != nil {
			return nil, fmt.Errorf("faults: rule %d: %w", i+1, err)
		}
	}
	return o, nil
}

func (r *Rule) check() error {
	kinds := 0
	for _, is := range []bool{r.Status != 0, r.Cut != nil, r.Lose, r.Move} {
		if is {
			kinds++
		}
	}
	switch _, err := path.Match(r.Path, ""); {
	case err != nil:
		return fmt.Errorf("path %q: not a pattern", r.Path)
	case kinds > 1:
		return fmt.Errorf("want one of status, cut, lose and move")
	case kinds == 0 && r.Delay == 0:
		return fmt.Errorf("says nothing that goes wrong")
	case r.Share != nil && !(*r.Share >= 0 && *r.Share <= 1):
		return fmt.Errorf("share %g: want 0 to 1", *r.Share)
	case r.Status != 0 && (r.Status < 400 || r.Status > 599):
		return fmt.Errorf("status %d: want 400 to 599", r.Status)
	case r.Delay < 0 || time.Duration(r.Delay) > maxDelay:
		return fmt.Errorf("delay %s: want at most %s", time.Duration(r.Delay), maxDelay)
	case r.Times < 0 || r.RetryAfter < 0 || r.Cut != nil && *r.Cut < 0:
		return fmt.Errorf("a number below none")
	}
	return nil
}

// Handler carries out an order before another handler. Its methods may be called
// concurrently.
type Handler struct {
	// Next answers what nothing is wrong with.
	Next http.Handler
	// Refuse answers a request with a status in the server's own words.
	Refuse func(w http.ResponseWriter, r *http.Request, status int)
	// Move lets another hand write what a request's path names, where that has a
	// revision.
	Move func(r *http.Request) error

	mu    sync.Mutex
	order *Order
	left  []int // of each rule: how often it still applies; below 0 without end
	dice  *rand.Rand
}

// Set makes an order the one that is carried out from now on; nil is none.
func (h *Handler) Set(o *Order) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.order = o; o == nil {
		return
	}
	h.dice = rand.New(rand.NewPCG(o.Seed, 0))
	h.left = nil
	for _, rule := range o.Rules {
		left := -1
		if rule.Times > 0 {
			left = rule.Times
		}
		h.left = append(h.left, left)
	}
}

// meet returns the rule that a request meets with, or nil.
func (h *Handler) meet(r *http.Request) *Rule {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.order == nil {
		return nil
	}
	for i := range h.order.Rules {
		rule := &h.order.Rules[i]
		if h.left[i] == 0 || !rule.matches(r) || rule.Share != nil && h.dice.Float64() >= *rule.Share {
			continue
		}
		h.left[i]--
		return rule
	}
	return nil
}

func (r *Rule) matches(request *http.Request) bool {
	if r.Method != "" && r.Method != request.Method {
		return false
	}
	matched, err := path.Match(r.Path, request.URL.Path)
	return r.Path == "" || err == nil && matched
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rule := h.meet(r)
	if rule == nil {
		h.Next.ServeHTTP(w, r)
		return
	}
	wait(r.Context(), time.Duration(rule.Delay))
	switch {
	case rule.Status != 0:
		if rule.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(rule.RetryAfter))
		}
		h.Refuse(w, r, rule.Status)
	case rule.Lose:
		h.Next.ServeHTTP(nowhere{}, r)
		panic(http.ErrAbortHandler)
	case rule.Cut != nil:
		h.Next.ServeHTTP(&cutting{ResponseWriter: w, left: *rule.Cut}, r)
	default:
		h.move(rule, r)
		h.Next.ServeHTTP(w, r)
	}
}

// move lets the other hand write. Where it cannot, the request goes on as if it had
// not tried.
func (h *Handler) move(rule *Rule, r *http.Request) {
	if rule.Move {
		_ = h.Move(r)
	}
}

func wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// nowhere is where an answer goes that nobody gets.
type nowhere http.Header

func (n nowhere) Header() http.Header            { return http.Header(n) }
func (nowhere) Write(body []byte) (int, error)   { return len(body), nil }
func (nowhere) WriteHeader(int)                  {}
func (nowhere) SetWriteDeadline(time.Time) error { return nil }

// cutting lets so many bytes of a body through and breaks the connection.
type cutting struct {
	http.ResponseWriter
	left int64
}

func (c *cutting) Write(body []byte) (int, error) {
	if int64(len(body)) <= c.left {
		c.left -= int64(len(body))
		return c.ResponseWriter.Write(body)
	}
	c.ResponseWriter.Write(body[:c.left])
	http.NewResponseController(c.ResponseWriter).Flush()
	panic(http.ErrAbortHandler)
}

// Unwrap lets the server set deadlines on the connection.
func (c *cutting) Unwrap() http.ResponseWriter { return c.ResponseWriter }
