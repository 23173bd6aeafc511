package daemon

import (
	"math/rand/v2"
	"time"
)

// Backoff says how long to wait after a try that did not work: twice as long each
// time, up to a bound, and a little less at random, so that not all come back at
// once.
type Backoff struct {
	First, Longest time.Duration // 0: 5 seconds, 10 minutes
}

const (
	firstPause   = 5 * time.Second
	longestPause = 10 * time.Minute
)

// after returns the pause after a number of tries in a row that did not work.
func (b Backoff) after(tries int) time.Duration {
	first, longest := b.First, b.Longest
	if first <= 0 {
		first = firstPause
	}
	if longest <= 0 {
		longest = longestPause
	}
	wait := longest
	if tries < 30 {
		wait = min(longest, first<<max(0, tries-1))
	}
	return wait - rand.N(wait/5+1)
}

// retry is how it stands with something that is tried again and again.
type retry struct {
	Tries int       // in a row that did not work
	At    time.Time // before which it is not tried again; zero where the last try worked
}

// failed notes a try that did not work.
func (r retry) failed(b Backoff, now time.Time) retry {
	return retry{r.Tries + 1, now.Add(b.after(r.Tries + 1))}
}

// waits reports whether it is not to be tried yet.
func (r retry) waits(now time.Time) bool { return now.Before(r.At) }
