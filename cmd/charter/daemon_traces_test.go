package main

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestTracesThatAreNotSentAreSaidOnceAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		complain := complaint(slog.New(slog.NewTextHandler(&log, nil)))
		for range 3 {
			complain.Handle(errors.New("down"))
			time.Sleep(20 * time.Second)
		}
		if got := strings.Count(log.String(), "traces not sent"); got != 1 {
			t.Errorf("said %d times within a minute", got)
		}
		time.Sleep(time.Hour)
		complain.Handle(errors.New("down"))
		if got := strings.Count(log.String(), "traces not sent"); got != 2 {
			t.Errorf("said %d times within an hour and a minute", got)
		}
	})
}
