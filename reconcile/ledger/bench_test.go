package ledger_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/ledger"
)

// cpu is the processor time that this process and those it has waited for have
// taken so far.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var total time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var r syscall.Rusage
		if err := syscall.Getrusage(who, &r); err != nil {
			b.Fatal(err)
		}
		total += time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	return total
}

// measured runs what is measured and reports the processor time of one turn.
func measured(b *testing.B, do func()) {
	b.Helper()
	var took time.Duration
	for b.Loop() {
		before := cpu(b)
		do()
		took += cpu(b) - before
	}
	b.ReportMetric(float64(took.Microseconds())/1000/float64(b.N), "CPU-ms/op")
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

// BenchmarkLedger shows what does not grow with the ledger, and what does: only
// a machine that has never seen it verifies all of it.
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
	b.Run("open-never-seen", func(b *testing.B) { measured(b, func() { open(cold) }) })
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
