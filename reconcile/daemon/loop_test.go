package daemon

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// looped runs a loop for a while in a bubble of time, and gives the passes that it
// made: seconds after the beginning, depth and why.
func looped(t *testing.T, lasts, during time.Duration, timers []Timer, meanwhile func(*Loop)) []string {
	t.Helper()
	var made []string
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		busy := false
		l := &Loop{Timers: timers, Now: time.Now}
		l.Pass = func(ctx context.Context, ask Ask) {
			if busy {
				t.Error("two passes at once")
			}
			busy = true
			made = append(made, fmt.Sprintf("%d %s %s", int(time.Since(began).Seconds()), ask.Depth, ask.Why))
			time.Sleep(lasts)
			busy = false
		}
		ctx, stop := context.WithTimeout(t.Context(), during)
		defer stop()
		done := make(chan struct{})
		go func() { l.Run(ctx); close(done) }()
		if meanwhile != nil {
			meanwhile(l)
		}
		<-done
	})
	return made
}

func schedules(t *testing.T, lines ...string) []Timer {
	t.Helper()
	var timers []Timer
	for _, line := range lines {
		var depth, zone, cron string
		if _, err := fmt.Sscanf(line, "%s %s", &depth, &zone); err != nil {
			t.Fatal(err)
		}
		cron = line[len(depth)+len(zone)+2:]
		parsed, _ := ParseDepth(depth)
		timer, err := ParseSchedule(cron, zone, parsed)
		if err != nil {
			t.Fatal(err)
		}
		timers = append(timers, timer)
	}
	return timers
}

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("passes\n%q, want\n%q", got, want)
	}
}

func TestEachScheduleHasItsDepthAndTheDeeperOneCounts(t *testing.T) {
	got := looped(t, time.Second, 16*time.Minute, schedules(t, "quick UTC */5 * * * *", "full UTC */10 * * * *"), nil)
	same(t, got, "0 full start", "300 quick schedule", "600 full schedule", "900 quick schedule")
}

func TestAScheduleGoesByItsTimeZone(t *testing.T) {
	// A bubble begins at midnight UTC of 2000-01-01, which is 03:00 in Nairobi.
	got := looped(t, 0, 2*time.Hour, schedules(t, "full Africa/Nairobi 0 4 * * *"), nil)
	same(t, got, "0 full start", "3600 full schedule")
}

func TestWhatAsksDuringAPassIsAnsweredByJustOneMore(t *testing.T) {
	got := looped(t, 10*time.Second, time.Minute, nil, func(l *Loop) {
		time.Sleep(time.Second)
		for range 1000 {
			l.Ask(Ask{Look, "webhook"})
		}
		l.Ask(Ask{Quick, "signal"})
	})
	same(t, got, "0 full start", "10 quick signal, webhook")
}

func TestASlowPassIsFollowedByOneForAllTimesThatItMissed(t *testing.T) {
	got := looped(t, 150*time.Second, 299*time.Second, schedules(t, "quick UTC * * * * *"), nil)
	same(t, got, "0 full start", "150 quick schedule")
}

func TestAnIntervalIsLateByATenthAtMostAndNeverEarly(t *testing.T) {
	every, err := Every(time.Minute, "a seed", Ask{Look, "fetch"})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)
	late := map[time.Duration]bool{}
	for range 100 {
		next, _ := every.Next(at)
		over := next.Sub(next.Truncate(time.Minute))
		if !next.After(at) || over > 6*time.Second || next.Sub(at) > 66*time.Second {
			t.Fatalf("after %s comes %s", at, next)
		}
		late[over] = true
		at = next
	}
	if len(late) < 50 {
		t.Errorf("only %d lengths in 100: nothing is spread", len(late))
	}
}

func TestPausesGrowUpToABound(t *testing.T) {
	b := Backoff{First: time.Second, Longest: time.Minute}
	for tries, most := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 7: time.Minute, 1000: time.Minute} {
		for range 100 {
			if got := b.after(tries); got > most || got < most*4/5 {
				t.Fatalf("after %d tries: %s, want up to a fifth less than %s", tries, got, most)
			}
		}
	}
}

func TestWhatIsNoScheduleIsRefused(t *testing.T) {
	for _, c := range [][2]string{{"* * * *", "UTC"}, {"61 * * * *", "UTC"}, {"* * * * *", "Mars/Olympus"}, {"* * * * *", "Local"}, {"TZ=UTC * * * * *", "UTC"}} {
		if _, err := ParseSchedule(c[0], c[1], Quick); err == nil {
			t.Errorf("%q in %q: no error", c[0], c[1])
		}
	}
}
