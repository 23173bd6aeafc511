package conform

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The roles whose tokens the checks ask with. SuperAdmin is always needed.
const (
	SuperAdmin = "super_admin"
	Onboarding = "onboarding"
	Support    = "support"
	Billing    = "billing"
	Nobody     = "nobody" // a token that is known and holds nothing
)

// Target is a server that is checked, with the default catalogue's editions and
// modules.
type Target struct {
	URL string // without a path
	// Tokens are bearer tokens by role. Checks of a role whose token is not given
	// are skipped.
	Tokens map[string]string
	Client *http.Client // nil for one with a time-out of its own
}

// timeout bounds a request of the default client.
const timeout = 30 * time.Second

// Result is what a check came to. It has passed if it has no fault.
type Result struct {
	Name    string   // the row and the sentence of the contract
	Skipped string   // why it was not made; "" where it was
	Faults  []string // what was not as the contract says
}

// check is one row of the contract, with the sentences below it.
type check struct {
	name    string
	feature string // that the server must offer; "" for what every server must
	run     func(*T, target)
}

// suite is all checks.
func suite() []check {
	return slices.Concat(conventions(), resources(), registry(), people(), licensing(), gateChecks(), trail())
}

// errNoEHR says that there is nothing to check.
var errNoEHR = errors.New("GET / is not answered as the contract says")

// Run checks a server and reports each check as it ends. It returns whether all
// that were made have passed. It is an error when there is no such server.
func Run(ctx context.Context, of Target, report func(Result)) (passed bool, err error) {
	at := target{base: strings.TrimRight(of.URL, "/"), tokens: of.Tokens, client: client(of.Client)}
	if of.Tokens[SuperAdmin] == "" {
		return false, fmt.Errorf("a token of role %s: missing", SuperAdmin)
	}
	features, err := at.features(ctx)
	if err != nil {
		return false, err
	}
	passed = true
	for _, c := range suite() {
		t := &T{ctx: ctx, name: c.name, report: func(r Result) {
			passed = passed && len(r.Faults) == 0
			report(r)
		}}
		t.do(func(t *T) {
			if c.feature != "" && !slices.Contains(features, c.feature) {
				t.Skipf("the server does not offer %s", c.feature)
			}
			c.run(t, at)
		})
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
	}
	return passed, nil
}

// client returns a copy of c that shows redirects as they are.
func client(c *http.Client) *http.Client {
	if c == nil {
		c = &http.Client{Timeout: timeout}
	}
	copied := *c
	copied.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &copied
}

// features asks a server what it offers.
func (at target) features(ctx context.Context) (features []string, err error) {
	t := &T{ctx: ctx, report: func(r Result) {
		if len(r.Faults) > 0 {
			err = fmt.Errorf("%w: %s", errNoEHR, strings.Join(r.Faults, "; "))
		}
	}}
	t.do(func(t *T) {
		var root struct{ Features []string }
		at.as(t, "", "GET", "/", nil).want(200).decode(t, &root)
		features = root.Features
	})
	return features, err
}
