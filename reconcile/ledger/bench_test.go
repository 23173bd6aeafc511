package ledger_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/ledger"
)

// spent is the processor time that this process has taken so far, and that of
// those it has waited for: git on the other side of a push or fetch.
type spent struct{ own, others time.Duration }

func cpu(b *testing.B) spent {
	b.Helper()
	of := func(who int) time.Duration {
		var r syscall.Rusage
		if err := syscall.Getrusage(who, &r); err != nil {
			b.Fatal(err)
		}
		return time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	return spent{of(syscall.RUSAGE_SELF), of(syscall.RUSAGE_CHILDREN)}
}

// measured runs what is measured and reports the processor time of one turn, and
// beside it what the remote's git took.
func measured(b *testing.B, do func()) {
	b.Helper()
	measuredWith(b, func() struct{} { return struct{}{} }, func(struct{}) { do() })
}

// measuredWith is measured where every turn needs something that is not measured.
func measuredWith[T any](b *testing.B, prepare func() T, do func(T)) {
	b.Helper()
	var own, others time.Duration
	for b.Loop() {
		with := prepare()
		before := cpu(b)
		do(with)
		after := cpu(b)
		own, others = own+after.own-before.own, others+after.others-before.others
	}
	turn := func(took time.Duration) float64 { return float64(took.Microseconds()) / 1000 / float64(b.N) }
	b.ReportMetric(turn(own), "CPU-ms/op")
	b.ReportMetric(turn(others), "git-CPU-ms/op")
	b.ReportMetric(0, "ns/op") // wall time says nothing on a shared machine
}

// grown makes a packed remote whose ledger has a number of receipts, of three
// tenants each, and gives a clone of it.
func grown(b *testing.B, receipts int) (site, ledger.Options) {
	b.Helper()
	s := found(b)
	bare := at(b, s.bare)
	l, err := ledger.Open(b.Context(), options(bare, s.root, s.who))
	if err != nil {
		b.Fatal(err)
	}
	for n := 1; n < receipts; n++ {
		carry(b, l, s.who.writer, draft(fmt.Sprint(n), tenant(n), tenant(n+1), tenant(n+2)))
		if n%500 == 0 {
			git(b, s.bare, "gc", "-q", "--prune=now")
		}
	}
	git(b, s.bare, "gc", "-q", "--prune=now")
	repo, _ := clone(b, "file://"+s.bare)
	return s, options(repo, s.root, s.who)
}

func tenant(n int) string { return fmt.Sprintf("t-%03d", n%500) }

// BenchmarkLedger shows what does not grow with the ledger, and what does. Only a
// machine that has never seen it verifies all of it. What grows of an append is
// the remote's: for each push git there walks the tree that the branch had.
func BenchmarkLedger(b *testing.B) {
	for _, receipts := range []int{1000, 10_000} {
		b.Run(fmt.Sprintf("receipts=%d", receipts), func(b *testing.B) { benchmarkLedger(b, receipts) })
	}
}

func benchmarkLedger(b *testing.B, receipts int) {
	s, cold := grown(b, receipts)
	warm := cold
	warm.Cache = b.TempDir()
	open := func(o ledger.Options) *ledger.Ledger {
		l, err := ledger.Open(b.Context(), o)
		if err != nil || l.Len() < receipts {
			b.Fatal(err)
		}
		return l
	}
	l := open(warm)
	// never is a machine that has a new clone, with the branch or without.
	never := func(b *testing.B, args ...string) {
		measuredWith(b, func() ledger.Options {
			repo, _ := clone(b, "file://"+s.bare, args...)
			return options(repo, s.root, s.who)
		}, func(o ledger.Options) { open(o) })
	}
	b.Run("open-never-seen", func(b *testing.B) { never(b) })
	b.Run("open-never-fetched", func(b *testing.B) { never(b, "--single-branch") })
	b.Run("open-seen", func(b *testing.B) { measured(b, func() { open(warm) }) })
	b.Run("open-and-last-applied", func(b *testing.B) { measured(b, func() { lastApplied(b, open(warm)) }) })
	b.Run("open-and-newest-of-a-tenant", func(b *testing.B) { measured(b, func() { ofTenant(b, open(warm)) }) })
	n := 0
	b.Run("append", func(b *testing.B) {
		measured(b, func() {
			n++
			carry(b, l, s.who.writer, draft(fmt.Sprint("more ", n), "t-001"))
		})
	})
}

func lastApplied(b *testing.B, l *ledger.Ledger) {
	for n := range 500 {
		if last, ok := l.LastApplied(tenant(n), plan.Entitlements); !ok || last.Number == 0 {
			b.Fatal(last, ok)
		}
	}
}

func ofTenant(b *testing.B, l *ledger.Ledger) {
	numbers := l.OfTenant("t-007")
	if len(numbers) == 0 {
		b.Fatal("none")
	}
	if _, err := l.At(numbers[len(numbers)-1]); err != nil {
		b.Fatal(err)
	}
}
