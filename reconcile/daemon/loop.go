package daemon

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"
)

// Depth is how much a pass does. A deeper one does all that the others do.
type Depth int

// The depths of a pass.
const (
	None  Depth = iota
	Look        // fetch, and look closer where there is a new commit
	Quick       // ask the platform what has changed
	Full        // read everything
)

// String names the depth for logs, metrics and pages.
func (d Depth) String() string {
	switch d {
	case Look:
		return "look"
	case Quick:
		return "quick"
	case Full:
		return "full"
	}
	return "none"
}

// ParseDepth reads the name of a pass that can be asked for: quick or full.
func ParseDepth(text string) (Depth, bool) {
	for _, d := range []Depth{Look, Quick, Full} {
		if d.String() == text {
			return d, true
		}
	}
	return None, false
}

// Ask is a wish for a pass, with why.
type Ask struct {
	Depth Depth
	Why   string // for logs and pages: "schedule", "webhook", "signal"
}

// and joins two wishes into one that grants both.
func (a Ask) and(b Ask) Ask {
	whys := append(strings.Split(a.Why, ", "), strings.Split(b.Why, ", ")...)
	slices.Sort(whys)
	whys = slices.DeleteFunc(slices.Compact(whys), func(why string) bool { return why == "" })
	return Ask{max(a.Depth, b.Depth), strings.Join(whys, ", ")}
}

// Timer says when the next pass is due by the clock.
type Timer interface {
	// Next returns the first instant after one at which it asks for a pass, and for
	// which; a zero time is never.
	Next(after time.Time) (time.Time, Ask)
}

// Loop makes passes, one at a time, whenever something asks for one.
type Loop struct {
	// Timers are asked again after each pass: what they say may depend on it.
	Timers []Timer
	// Pass makes one. It is never called by two goroutines at once.
	Pass func(context.Context, Ask)
	Now  func() time.Time

	once  sync.Once
	bell  chan struct{}
	mu    sync.Mutex
	asked Ask
	began time.Time // when the pass that is under way began; zero where none is
}

// Ask asks for a pass as soon as the one that is under way has ended. However
// many ask meanwhile, one more answers them all. It never waits.
func (l *Loop) Ask(ask Ask) {
	l.mu.Lock()
	l.asked = l.asked.and(ask)
	l.mu.Unlock()
	select {
	case l.ring() <- struct{}{}:
	default: // it rings already
	}
}

func (l *Loop) ring() chan struct{} {
	l.once.Do(func() { l.bell = make(chan struct{}, 1) })
	return l.bell
}

// Run makes passes until the context ends, the first one at once. The pass that
// is under way then is told so by the same context, and Run returns after it.
func (l *Loop) Run(ctx context.Context) {
	l.Ask(Ask{Full, "start"})
	since := l.Now()
	for {
		ask, waited := l.wait(ctx, since)
		if ctx.Err() != nil {
			return
		}
		since = waited
		l.note(since, ask)
		if ask.Depth != None {
			l.Pass(ctx, ask)
			l.note(since, Ask{})
		}
	}
}

// note writes down where the loop is, for others to read.
func (l *Loop) note(since time.Time, ask Ask) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.began = time.Time{}
	if ask.Depth != None {
		l.began = since
	}
}

// Busy is for how long the pass that is under way has taken; 0 where none is.
func (l *Loop) Busy() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.began.IsZero() {
		return 0
	}
	return l.Now().Sub(l.began)
}

// wait returns with the next wish. What was due by the clock since an instant, in
// a pass or in sleep of the machine, is due now, once.
func (l *Loop) wait(ctx context.Context, since time.Time) (Ask, time.Time) {
	next := l.next(since)
	timer := time.NewTimer(pause(next, l.Now()))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-l.ring():
	case <-timer.C:
	}
	now := l.Now()
	ask := l.take()
	for _, t := range l.Timers {
		if at, due := t.Next(since); !at.IsZero() && !at.After(now) {
			ask = ask.and(due)
		}
	}
	return ask, now
}

// longestSleep bounds how long the loop sleeps by a clock that may be moved.
const longestSleep = time.Minute

// pause is how long to sleep until an instant.
func pause(next, now time.Time) time.Duration {
	if next.IsZero() {
		return longestSleep
	}
	return min(longestSleep, max(0, next.Sub(now)))
}

// next is the first instant after one at which a timer asks; zero for never.
func (l *Loop) next(since time.Time) time.Time {
	var first time.Time
	for _, t := range l.Timers {
		at, _ := t.Next(since)
		if !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// Due is when the next pass is due by the clock after an instant; zero for never.
func (l *Loop) Due(after time.Time) time.Time { return l.next(after) }

func (l *Loop) take() Ask {
	l.mu.Lock()
	defer l.mu.Unlock()
	ask := l.asked
	l.asked = Ask{}
	return ask
}
