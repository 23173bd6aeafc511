package reconcile

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestWritesOutlastAnInterruptForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, interrupt := context.WithCancel(t.Context())
		write, end := outlast(ctx)
		defer end()
		interrupt()
		time.Sleep(grace - time.Millisecond)
		if write.Err() != nil {
			t.Error("it ended with the interrupt")
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if write.Err() == nil {
			t.Errorf("it goes on after %s", grace)
		}
	})
}

func TestWritesThatAreOverEndAtOnce(t *testing.T) {
	for name, interrupted := range map[string]bool{"uninterrupted": false, "interrupted": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, interrupt := context.WithCancel(t.Context())
				defer interrupt()
				write, end := outlast(ctx)
				if interrupted {
					interrupt()
					synctest.Wait()
				}
				end()
				if write.Err() == nil {
					t.Error("it goes on")
				}
			})
		})
	}
}
