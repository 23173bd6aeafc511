package ehr

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// recorder is a platform without a network, as only then time can be simulated.
type recorder struct {
	answer func(n int) *http.Response // to the nth request, from 0

	mu   sync.Mutex
	came []time.Duration // since the start
	from time.Time
}

func (r *recorder) RoundTrip(*http.Request) (*http.Response, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.came = append(r.came, time.Since(r.from))
	if r.answer != nil {
		return r.answer(len(r.came) - 1), nil
	}
	return answerOf(http.StatusOK, ""), nil
}

func answerOf(status int, retryAfter string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"Retry-After": {retryAfter}}, Body: http.NoBody}
}

// burst sends n requests at once through a pace and waits for all.
func burst(t *testing.T, p *paced, n int) {
	t.Helper()
	var group sync.WaitGroup
	for range n {
		group.Go(func() {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://platform.example.org", nil)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := p.RoundTrip(r); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

func newRecorder(maxRPS float64, answer func(int) *http.Response) (*recorder, *paced) {
	platform := &recorder{answer: answer, from: time.Now()}
	return platform, &paced{newPace(maxRPS, slog.New(slog.DiscardHandler)), platform}
}

func TestNoMoreRequestsASecondAreSentThanAllowed(t *testing.T) {
	for _, maxRPS := range []float64{0.5, 4, 50} {
		t.Run(fmt.Sprint(maxRPS), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const n = 20
				platform, p := newRecorder(maxRPS, nil)
				burst(t, p, n)
				slices.Sort(platform.came)
				least := time.Duration(float64(time.Second) / maxRPS)
				for i := 1; i < n; i++ {
					if gap := platform.came[i] - platform.came[i-1]; gap < least-time.Microsecond {
						t.Errorf("request %d came %s after the one before, want %s", i, gap, least)
					}
				}
			})
		})
	}
}

func TestWithoutABoundNothingWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		platform, p := newRecorder(0, nil)
		burst(t, p, 50)
		if last := slices.Max(platform.came); last != 0 {
			t.Errorf("one came after %s", last)
		}
	})
}

// TestWhenThePlatformAsksToWaitEverybodyWaits also holds it for those who wait
// for the limiter's leave when the platform speaks.
func TestWhenThePlatformAsksToWaitEverybodyWaits(t *testing.T) {
	inAMinute := time.Minute
	for name, c := range map[string]struct {
		status int
		after  func() string
		maxRPS float64
	}{
		"429, in seconds":         {429, func() string { return "60" }, 0},
		"503, in seconds":         {503, func() string { return "60" }, 0},
		"429, by a date":          {429, func() string { return time.Now().Add(inAMinute).UTC().Format(http.TimeFormat) }, 0},
		"those behind a limit do": {429, func() string { return "60" }, 10},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				platform, p := newRecorder(c.maxRPS, func(n int) *http.Response {
					if n == 0 {
						return answerOf(c.status, c.after())
					}
					return answerOf(http.StatusOK, "")
				})
				burst(t, p, 1)
				burst(t, p, 30)
				checkPause(t, platform.came, inAMinute)
			})
		})
	}
}

// TestWhoeverIsInTheLimitersQueueWaitsToo sends all at once: the first answer
// comes when the others already queue.
func TestWhoeverIsInTheLimitersQueueWaitsToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		platform, p := newRecorder(10, func(n int) *http.Response {
			if n == 0 {
				return answerOf(http.StatusTooManyRequests, "60")
			}
			return answerOf(http.StatusOK, "")
		})
		burst(t, p, 30)
		checkPause(t, platform.came, time.Minute)
	})
}

func checkPause(t *testing.T, came []time.Duration, pause time.Duration) {
	t.Helper()
	slices.Sort(came)
	for _, at := range came[1:] {
		if at < pause-time.Second { // a date has no parts of a second
			t.Errorf("a request came after %s, want none before %s", at, pause)
		}
	}
	if came[1] == came[len(came)-1] {
		t.Error("all came at one instant when the wait was over")
	}
}

func TestAShorterWaitDoesNotEndALongerOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p := newRecorder(0, nil)
		p.pause(time.Minute)
		p.pause(time.Second)
		if left := p.left(); left != time.Minute {
			t.Errorf("%s left, want a minute", left)
		}
	})
}

func TestWhatThePlatformMayNotAskForHoldsNobodyBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		platform, p := newRecorder(0, func(int) *http.Response { return answerOf(http.StatusTooManyRequests, "121") })
		burst(t, p, 1)
		burst(t, p, 1)
		if last := slices.Max(platform.came); last != 0 {
			t.Errorf("the second came after %s", last)
		}
	})
}

func TestAnInterruptEndsAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p := newRecorder(0, nil)
		p.pause(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.wait(ctx); err != context.DeadlineExceeded {
			t.Errorf("error %v", err)
		}
	})
}

// TestWaitingForAPauseDoesNotCountAsATry has a pause that is longer than the
// time that one try may take.
func TestWaitingForAPauseDoesNotCountAsATry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		platform, _ := newRecorder(0, func(n int) *http.Response {
			if n == 0 {
				return answerOf(http.StatusServiceUnavailable, "100")
			}
			return answerOf(http.StatusOK, "")
		})
		o := Options{Timeout: 30 * time.Second, Retries: 1, Pause: time.Millisecond}
		o.fill()
		client := newRetrying(&o, &paced{newPace(0, o.Log), &bounded{next: platform, timeout: o.Timeout}})
		base, err := parseURL("http://platform.example.org")
		if err != nil {
			t.Fatal(err)
		}
		c := Client{base: base, whole: client}
		r, err := c.request(t.Context(), http.MethodGet, "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := c.whole.Do(r)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Errorf("%+v, %v", answer, err)
		}
	})
}

func TestEachPauseBeforeARetryIsLongerAndNoTwoAreTheSame(t *testing.T) {
	const first, longest = 200 * time.Millisecond, 30 * time.Second
	seen := map[time.Duration]bool{}
	for try := range 200 {
		wait := backoff(first, longest, try, nil)
		full := min(longest, first<<min(try, 20))
		if wait < full/2 || wait > full {
			t.Errorf("try %d: %s, want %s to %s", try, wait, full/2, full)
		}
		seen[wait] = true
	}
	if len(seen) < 100 {
		t.Errorf("%d waits of 200 differ", len(seen))
	}
}
