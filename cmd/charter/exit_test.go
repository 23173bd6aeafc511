package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile"
	"github.com/veonahealth/charter/schema"
)

func TestTheGravestStatusWins(t *testing.T) {
	order := []exitCode{130, 64, 7, 8, 9, 5, 4, 6, 1, 2, 0}
	for i, graver := range order {
		for _, lesser := range order[i:] {
			if got := worst(lesser, graver); got != graver {
				t.Errorf("worst(%d, %d) = %d", lesser, graver, got)
			}
		}
	}
}

func TestErrorsEndWithTheirStatus(t *testing.T) {
	for _, c := range []struct {
		err  error
		want exitCode
	}{
		{nil, exitDone},
		{errors.New("anything"), exitFailed},
		{fmt.Errorf("load: %w", schema.Problems{{}}), exitWrong},
		{fmt.Errorf("ask: %w", context.Canceled), exitInterrupted},
		{&reconcile.StaleError{}, exitStale},
		{&reconcile.InstanceError{}, exitTrust},
		{fmt.Errorf("show: %w", fail(exitBlocked, "no")), exitBlocked},
	} {
		if got := codeOf(c.err); got != c.want {
			t.Errorf("%v: %d, want %d", c.err, got, c.want)
		}
	}
}

func TestOutcomesEndWithTheirStatus(t *testing.T) {
	batch := func(s reconcile.State) reconcile.Outcome { return reconcile.Outcome{State: s} }
	unread := reconcile.Outcome{State: reconcile.NotTried, Unreadable: true}
	for _, c := range []struct {
		name        string
		outcomes    []reconcile.Outcome
		interrupted bool
		want        []exitCode
	}{
		{"nothing to do", nil, false, []exitCode{0}},
		{"all done", []reconcile.Outcome{batch(reconcile.Done), batch(reconcile.Already)}, false, []exitCode{0}},
		{"interrupted after the last one", []reconcile.Outcome{batch(reconcile.Done)}, true, []exitCode{0}},
		{"interrupted", []reconcile.Outcome{batch(reconcile.Done), batch(reconcile.NotTried)}, true, []exitCode{130, 6, 1}},
		{"one moved", []reconcile.Outcome{batch(reconcile.Done), batch(reconcile.Moved)}, false, []exitCode{6, 1}},
		{"all moved", []reconcile.Outcome{batch(reconcile.Moved), batch(reconcile.Moved)}, false, []exitCode{5, 1}},
		{"all refused", []reconcile.Outcome{batch(reconcile.Refused)}, false, []exitCode{1}},
		{"one refused", []reconcile.Outcome{batch(reconcile.Already), batch(reconcile.Refused)}, false, []exitCode{6, 1}},
		{"moved and refused", []reconcile.Outcome{batch(reconcile.Moved), batch(reconcile.Refused)}, false, []exitCode{5, 1}},
		{"nobody knows", []reconcile.Outcome{batch(reconcile.Unconfirmed)}, false, []exitCode{6, 1}},
		{"one unread", []reconcile.Outcome{batch(reconcile.Done), unread}, false, []exitCode{8, 6, 1}},
	} {
		if got := outcomeCodes(c.outcomes, c.interrupted); !slices.Equal(got, c.want) {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func TestAPlanNeverEndsAsBlocked(t *testing.T) {
	full := &plan.Plan{Batches: make([]plan.Batch, 1), Refusals: make([]plan.Refusal, 1)}
	unread := &plan.Plan{Batches: full.Batches, Unreadable: make([]plan.Unreadable, 1)}
	for _, c := range []struct {
		plan     *plan.Plan
		detailed bool
		want     exitCode
	}{
		{&plan.Plan{}, true, exitDone}, {full, false, exitDone}, {full, true, exitChanges},
		{unread, true, exitUnread}, {unread, false, exitUnread},
		{&plan.Plan{Scheduled: make([]plan.Entry, 1)}, true, exitDone},
	} {
		if got := planCode(c.plan, c.detailed); got != c.want {
			t.Errorf("%+v, %v: %d, want %d", c.plan.Summary, c.detailed, got, c.want)
		}
	}
}
