package daemon

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/reconcile"
	"github.com/veonahealth/charter/reconcile/ehr"
)

// Options say what to watch, and how.
type Options struct {
	Environment catalog.Environment
	Source      Source
	Evaluate    Evaluate
	EHR         Platform
	Mode        Mode
	// Govern gives the ledger and the policy, up to date; nil where none is founded.
	Govern func(ctx context.Context) (*reconcile.Governance, error)
	// Act does something about what a pass has found; nil to observe.
	Act Act
	// Plans lists what is open, for people to see; nil where no ledger is founded.
	Plans OpenPlans
	// Backoff is for tenants, and for the platform as a whole.
	Backoff Backoff
	// Skew is by how much the platform's clock and ours may differ; 0 is two
	// minutes.
	Skew time.Duration
	Now  func() time.Time
	Log  *slog.Logger
	// Tracer is told of what each pass consists of; nil for nobody.
	Tracer trace.Tracer
	// Due says when the next pass is due after an instant; nil where nobody knows.
	Due func(after time.Time) time.Time
	// Published is told of every View, by the goroutine that makes passes; nil for
	// nobody.
	Published func(*View)
}

const defaultSkew = 2 * time.Minute

// Daemon makes passes and publishes what they find. Pass is for one goroutine;
// View and Observe are for any.
type Daemon struct {
	o     Options
	clock clock
	view  atomic.Pointer[View]

	// What follows is known to the goroutine that makes passes alone.
	number   uint64
	newest   commitSeen
	force    *declared // nil until a commit loads
	problems string
	mark     *mark // nil until everything was read once
	unseen   map[catalog.TenantID]bool
	unread   bool // everything is to be read, as something may have been missed
	platform retry
	at       time.Time // that dates were judged by last
	tenants  map[string]*Tenant
	registry *Tenant
	found    struct {
		unmanaged []catalog.TenantID
		instance  string
	}
	governance *reconcile.Governance // of the pass that is under way; nil for none
	tip        string                // of the ledger when its receipts were last listed
	faults     faults
	contests   contests
	lastFull   time.Time
	lastGood   time.Time
	refused    string    // why nothing of a plan might be carried out, when that was said last
	sight      time.Time // when to look at what the pass before carried out; zero where it did nothing
	sights     int       // passes in a row that only looked at what the one before carried out
}

// New returns a daemon that has seen nothing yet.
func New(o Options) (*Daemon, error) {
	if o.Source == nil || o.Evaluate == nil || o.EHR == nil || o.Now == nil {
		return nil, errors.New("daemon: it needs a source, an evaluation, a platform and a clock")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Tracer == nil {
		o.Tracer = noop.NewTracerProvider().Tracer("")
	}
	if o.Skew <= 0 {
		o.Skew = defaultSkew
	}
	if o.Mode == "" {
		o.Mode = Observe
	}
	d := &Daemon{
		o: o, unseen: map[catalog.TenantID]bool{}, tenants: map[string]*Tenant{}, faults: faults{},
		contests: newContests(),
	}
	d.view.Store(&View{Environment: o.Environment.String(), Mode: o.Mode, EHR: o.EHR.URL()})
	return d, nil
}

// View returns what is known. It is never nil.
func (d *Daemon) View() *View { return d.view.Load() }

// Observe takes note of the platform's clock, and traces the request. It is to be
// given to ehr.Options as its Watch.
func (d *Daemon) Observe(ctx context.Context, x ehr.Exchange) {
	d.clock.see(x)
	d.traceRequest(ctx, x)
}

// Timers ask for the passes that the daemon's own state makes due: where a grant
// or hold begins or ends, where something is to be tried again, and where something
// was carried out, so that what came of it is shown.
func (d *Daemon) Timers() []Timer {
	return []Timer{
		instants{d.nextBoundary, Ask{Quick, "boundary"}},
		instants{d.nextRetry, Ask{Quick, "retry"}},
		instants{d.nextSight, Ask{Quick, carriedOut}},
	}
}

// carriedOut is why a pass is made that looks at what the one before did.
const carriedOut = "carried out"

// nextSight is when something was carried out that no pass has looked at since.
func (d *Daemon) nextSight(after time.Time) time.Time {
	if d.sight.After(after) {
		return d.sight
	}
	return time.Time{}
}

func (d *Daemon) nextBoundary(after time.Time) time.Time {
	if d.force == nil || d.faults.has(ClockSkew) {
		return time.Time{}
	}
	return d.force.next(after)
}

// nextRetry is when something is to be tried again. While the platform as a whole
// waits, no tenant is asked.
func (d *Daemon) nextRetry(after time.Time) time.Time {
	first := d.platform.At
	for _, t := range d.tenants {
		if d.platform.At.IsZero() && t.Tries > 0 && (first.IsZero() || t.RetryAt.Before(first)) {
			first = t.RetryAt
		}
	}
	if !first.IsZero() && !first.After(after) { // it was due, and its pass did not come to it
		return after.Add(time.Second)
	}
	return first
}

// clock compares the platform's clock with ours.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration // of ours, by the newest answer
	known bool
}

func (c *clock) see(x ehr.Exchange) {
	if x.Date.IsZero() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead, c.known = x.Date.Sub(x.At), true
}

// skew is by how much the platform's clock is ahead of ours; a header tells whole
// seconds.
func (c *clock) skew() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ahead.Truncate(time.Second)
}
