package conform

import (
	"context"
	"fmt"
)

// T is one check while it is made. It is used like a testing.T.
type T struct {
	ctx     context.Context
	name    string
	report  func(Result)
	faults  []string
	skipped string
}

// stop ends a check from within.
type stop struct{}

// do makes a check and reports what it came to.
func (t *T) do(run func(*T)) {
	defer func() {
		if p := recover(); p != nil {
			if _, ours := p.(stop); !ours {
				t.Errorf("the check itself broke: %v", p)
			}
		}
		t.report(Result{Name: t.name, Skipped: t.skipped, Faults: t.faults})
	}()
	run(t)
}

// Run makes a check of a sentence below this one.
func (t *T) Run(name string, run func(*T)) {
	below := &T{ctx: t.ctx, name: t.name + ": " + name, report: t.report}
	below.do(run)
}

// Errorf notes a fault and goes on.
func (t *T) Errorf(format string, args ...any) {
	t.faults = append(t.faults, fmt.Sprintf(format, args...))
}

// Error notes a fault and goes on.
func (t *T) Error(args ...any) { t.faults = append(t.faults, fmt.Sprint(args...)) }

// Fatalf notes a fault and ends the check.
func (t *T) Fatalf(format string, args ...any) {
	t.Errorf(format, args...)
	panic(stop{})
}

// Fatal notes a fault and ends the check.
func (t *T) Fatal(args ...any) {
	t.Error(args...)
	panic(stop{})
}

// Skipf ends the check without a result.
func (t *T) Skipf(format string, args ...any) {
	t.skipped = fmt.Sprintf(format, args...)
	panic(stop{})
}
