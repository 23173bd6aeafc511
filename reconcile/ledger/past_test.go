package ledger_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/ledger"
)

// told is what a ledger, or a past of it, says was last applied.
type told interface {
	LastApplied(tenant string, subject plan.Subject) (ledger.Applied, bool)
	LastApply() (ledger.Applied, bool)
}

func telling(of told) string {
	text := ""
	for _, tenant := range []string{"a", "b", "c"} {
		last, found := of.LastApplied(tenant, plan.Entitlements)
		text += fmt.Sprint(tenant, last.Number, found, " ")
	}
	last, found := of.LastApply()
	return text + fmt.Sprint(last.Number, found)
}

func TestThePastIsWhatTheLedgerSaidThen(t *testing.T) {
	s := found(t)
	l, _ := s.open(t)
	w := s.who.writer
	var said []string // by the number of the receipt that comes next
	var at []time.Time
	keep := func() { said, at = append(said, telling(l)), append(at, w.Now()) }
	said, at = append(said, telling(l)), append(at, time.Time{})
	keep()
	for n := 1; n < 12; n++ {
		now := instant.Add(time.Duration(n) * time.Hour)
		w.Now = func() time.Time { return now }
		d := draft(fmt.Sprint(n), string("abc"[n%3]))
		if n%4 != 0 {
			d.Intent.Only = []string{string("abc"[n%3])}
		}
		r, err := l.Intent(t.Context(), w, d)
		if err != nil {
			t.Fatal(err)
		}
		state := ledger.Done
		if n%5 == 0 {
			state = "refused"
		}
		if err := l.Outcome(t.Context(), w, r.ID, all(d, state)); err != nil {
			t.Fatal(err)
		}
		keep()
	}
	for n := range said {
		p, err := l.Before(t.Context(), n)
		if err != nil || telling(p) != said[n] {
			t.Errorf("before receipt %d: %v, %v, and then it was %s", n, p, err, said[n])
		}
		if p, err = l.AsOf(t.Context(), at[n]); err != nil || telling(p) != said[n] {
			t.Errorf("as of %s: %v, and then it was %s", at[n], err, said[n])
		}
		if p, err = l.AsOf(t.Context(), at[n].Add(-time.Second)); n > 0 && (err != nil || telling(p) != said[n-1]) {
			t.Errorf("just before %s: %v, and then it was %s", at[n], err, said[n-1])
		}
	}
	if p, err := l.Before(t.Context(), 4); err != nil || !slices.Contains(p.Apart(), "a") {
		t.Errorf("%v, %v", p, err)
	}
}

// Reading what was done, and what was last applied at a time, in the middle and at
// the end.
func BenchmarkPast(b *testing.B) {
	for _, receipts := range []int{1000, 10_000} {
		s, o := grown(b, receipts)
		o.Cache = b.TempDir()
		l, err := ledger.Open(b.Context(), o)
		if err != nil {
			b.Fatal(s, err)
		}
		name := func(what string) string { return fmt.Sprintf("%s/receipts=%d", what, receipts) }
		b.Run(name("all-receipts"), func(b *testing.B) {
			b.ReportAllocs()
			measured(b, func() {
				for _, err := range l.Receipts() {
					if err != nil {
						b.Fatal(err)
					}
				}
			})
		})
		b.Run(name("before-the-newest"), func(b *testing.B) {
			measured(b, func() {
				if _, err := l.Before(b.Context(), receipts-1); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}
