package catalog

import (
	"errors"
	"fmt"
	"time"

	"github.com/robfig/cron/v3"
)

// Schedule reads the window's cron in its time zone: the times at which it opens.
// It refuses one that never comes.
func (w *Window) Schedule() (cron.Schedule, error) {
	zone, err := time.LoadLocation(w.Timezone)
	if err != nil {
		return nil, fmt.Errorf("time zone %.40q: unknown", w.Timezone)
	}
	schedule, err := cron.ParseStandard(w.Cron)
	if err != nil {
		return nil, err
	}
	fields, ok := schedule.(*cron.SpecSchedule)
	if !ok {
		return nil, errors.New("want five fields")
	}
	fields.Location = zone
	// Any four years hold every day there is, the 29th of February too.
	if fields.Next(time.Date(2001, 1, 1, 0, 0, 0, 0, zone)).IsZero() {
		return nil, errors.New("there is no such day")
	}
	return fields, nil
}

// OpenAt reports whether the window is open at a time: from when its cron names,
// for its duration.
func (w *Window) OpenAt(t time.Time) (bool, error) {
	schedule, err := w.Schedule()
	if err != nil {
		return false, err
	}
	opened := schedule.Next(t.Add(-w.Duration))
	return !opened.IsZero() && !opened.After(t), nil
}
