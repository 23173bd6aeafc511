package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile"
	"github.com/veonahealth/charter/schema"
)

// exitCode is a status that the program ends with.
type exitCode int

// The statuses, as the documentation gives them.
const (
	exitDone        exitCode = 0
	exitFailed      exitCode = 1
	exitChanges     exitCode = 2
	exitDrift       exitCode = 3
	exitBlocked     exitCode = 4
	exitStale       exitCode = 5
	exitPartly      exitCode = 6
	exitTrust       exitCode = 7
	exitUnread      exitCode = 8
	exitWrong       exitCode = 9
	exitUsage       exitCode = 64
	exitInterrupted exitCode = 130
)

// gravest orders the statuses: where several apply, the first counts.
var gravest = []exitCode{
	exitInterrupted, exitUsage, exitTrust, exitUnread, exitWrong,
	exitStale, exitBlocked, exitPartly, exitFailed, exitDrift, exitChanges, exitDone,
}

// worst returns the gravest of some statuses.
func worst(codes ...exitCode) exitCode {
	for _, code := range gravest {
		if slices.Contains(codes, code) {
			return code
		}
	}
	return exitDone
}

// exitError ends a command with a status. Its error is nil where everything has
// been said already.
type exitError struct {
	code exitCode
	also []exitCode // every status that applies, where there are several
	hint string     // what to do about it, or ""
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.code)
	}
	return e.err.Error()
}

// Unwrap returns what went wrong.
func (e *exitError) Unwrap() error { return e.err }

// fail ends a command with a status and a reason.
func fail(code exitCode, format string, args ...any) error {
	return &exitError{code: code, err: fmt.Errorf(format, args...)}
}

// failHint is fail with a hint of what to do.
func failHint(code exitCode, hint, format string, args ...any) error {
	return &exitError{code: code, hint: hint, err: fmt.Errorf(format, args...)}
}

// finish ends a command that has shown its result with a status.
func finish(code exitCode) error {
	if code == exitDone {
		return nil
	}
	return &exitError{code: code}
}

// gravestOf returns the error among some with the gravest status, which knows of
// the others'; nil where all are.
func gravestOf(errs ...error) error {
	var codes []exitCode
	for _, err := range errs {
		if err != nil {
			codes = append(codes, codeOf(err))
		}
	}
	for _, err := range errs {
		if err != nil && codeOf(err) == worst(codes...) {
			e := &exitError{code: codeOf(err), also: codes, err: err}
			var exit *exitError
			if errors.As(err, &exit) {
				e.hint = exit.hint
			}
			return e
		}
	}
	return nil
}

// codesOf gives every status that an error calls for, the gravest first.
func codesOf(err error) []exitCode {
	var exit *exitError
	if !errors.As(err, &exit) || len(exit.also) == 0 {
		return []exitCode{codeOf(err)}
	}
	return sorted(exit.also)
}

// sorted orders statuses, each once, the gravest first.
func sorted(codes []exitCode) []exitCode {
	return slices.DeleteFunc(slices.Clone(gravest), func(c exitCode) bool { return !slices.Contains(codes, c) })
}

// codeOf gives the status that an error ends the program with.
func codeOf(err error) exitCode {
	var (
		exit     *exitError
		problems schema.Problems
		stale    *reconcile.StaleError
		instance *reconcile.InstanceError
		trust    *reconcile.TrustError
		replayed *reconcile.ReplayedError
		refused  *reconcile.RefusedError
		blind    *reconcile.UnwitnessedError
		restored *reconcile.RestoredError
	)
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &exit):
		return exit.code
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &problems):
		return exitWrong
	case errors.As(err, &stale):
		return exitStale
	case errors.As(err, &instance), errors.As(err, &trust), errors.As(err, &replayed):
		return exitTrust
	case errors.As(err, &refused):
		return exitCode(refused.Refusal.Exit)
	case errors.As(err, &blind), errors.As(err, &restored):
		return exitUnread
	}
	return exitFailed
}

// outcomeCodes gives every status that the outcomes of an apply call for.
func outcomeCodes(outcomes []reconcile.Outcome, interrupted bool) []exitCode {
	count := map[reconcile.State]int{}
	unread := false
	for _, o := range outcomes {
		count[o.State]++
		unread = unread || o.Unreadable
	}
	done := count[reconcile.Done] + count[reconcile.Already]
	var codes []exitCode
	add := func(code exitCode, applies bool) {
		if applies {
			codes = append(codes, code)
		}
	}
	rest := len(outcomes) - done
	add(exitInterrupted, interrupted && rest > 0)
	add(exitUnread, unread)
	add(exitStale, count[reconcile.Moved] > 0 && done == 0)
	add(exitPartly, rest > 0 && (done > 0 || count[reconcile.Unconfirmed] > 0))
	add(exitFailed, rest > 0)
	add(exitDone, rest == 0)
	return codes
}

// planCode is the status of a plan that was shown.
func planCode(p *plan.Plan, detailed bool) exitCode {
	code := exitDone
	if detailed && !p.Empty() {
		code = exitChanges
	}
	if len(p.Unreadable) > 0 {
		code = worst(code, exitUnread)
	}
	return code
}
