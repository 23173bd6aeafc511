package daemon

import (
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/robfig/cron/v3"
)

// schedule asks for passes at the times of a cron expression.
type schedule struct {
	cron  cron.Schedule
	depth Depth
}

// ParseSchedule reads a cron expression of five fields, or one of cron's words
// such as @hourly, in a time zone (an IANA name; "" is UTC).
func ParseSchedule(expression, zone string, depth Depth) (Timer, error) {
	if zone == "" {
		zone = "UTC"
	}
	if _, err := time.LoadLocation(zone); err != nil || zone == "Local" {
		return nil, fmt.Errorf("schedule: there is no time zone %q", zone)
	}
	parsed, err := cron.ParseStandard("CRON_TZ=" + zone + " " + expression)
	if err != nil {
		return nil, fmt.Errorf("schedule %q: %w", expression, err)
	}
	return schedule{parsed, depth}, nil
}

// Next implements Timer.
func (s schedule) Next(after time.Time) (time.Time, Ask) {
	return s.cron.Next(after), Ask{s.depth, "schedule"}
}

// jitter is up to which part of an interval a tick is late.
const jitter = 10

// interval asks for passes again and again, each a little late, so that many
// daemons do not come to one server at one time.
type interval struct {
	every time.Duration
	seed  string
	ask   Ask
}

// Every asks for a pass at each multiple of a duration, late by up to a tenth of
// it: by how much depends on the seed and the instant, and on nothing else.
func Every(every time.Duration, seed string, ask Ask) (Timer, error) {
	if every < time.Second {
		return nil, errors.New("interval: want at least a second")
	}
	return interval{every, seed, ask}, nil
}

// Next implements Timer.
func (i interval) Next(after time.Time) (time.Time, Ask) {
	tick := after.Truncate(i.every)
	for {
		if at := tick.Add(i.late(tick)); at.After(after) {
			return at, i.ask
		}
		tick = tick.Add(i.every)
	}
}

func (i interval) late(tick time.Time) time.Duration {
	h := fnv.New64a()
	fmt.Fprint(h, i.seed, tick.UnixNano())
	return time.Duration(h.Sum64() % uint64(i.every/jitter+1))
}

// instants asks for a pass at times that the daemon's state names: the boundaries
// of grants and holds, the ends of pauses.
type instants struct {
	next func(after time.Time) time.Time
	ask  Ask
}

// Next implements Timer.
func (i instants) Next(after time.Time) (time.Time, Ask) { return i.next(after), i.ask }
