package ledger

import (
	"maps"
	"testing"

	"pgregory.net/rapid"

	"github.com/veonahealth/charter/plan"
)

// model says the same as applied, in the plain way: by name for everything.
type model map[key]int

func (m model) take(number int, i *Intent, o *Outcome) {
	left := map[key]bool{}
	for n, r := range o.Batches {
		if b := i.Batches[n]; b.At == nil && r.State != Done && r.State != Already {
			left[key{b.Tenant, b.Subject}] = true
		}
	}
	for _, s := range o.Skipped {
		left[key{s.Tenant, s.Subject}] = true
	}
	for k := range maps.Keys(m) {
		among := i.Only == nil
		for _, tenant := range i.Only {
			among = among || tenant == k.Tenant && k.Subject.OfTenant()
		}
		if whole := k.Subject.OfTenant() && left[key{k.Tenant, ""}]; among && !left[k] && !whole && i.Act == Apply {
			m[k] = number
		}
	}
}

func TestLastAppliedIsTheNewestReceiptThatSettledIt(t *testing.T) {
	tenants := []string{"a", "b", "c"}
	subjects := []plan.Subject{plan.Edition, plan.Entitlements, plan.Facility, PolicySubject}
	rapid.Check(t, func(t *rapid.T) {
		ours, plain := newApplied(), model{}
		for _, tenant := range tenants {
			for _, s := range subjects {
				plain[key{tenant, s}] = never
			}
		}
		for number := range rapid.IntRange(1, 8).Draw(t, "receipts") {
			i, o := receiptOf(t, tenants, subjects)
			ours.take(number, i, o)
			plain.take(number, i, o)
		}
		for k, want := range plain {
			if got := ours.of(k); got != want {
				t.Fatalf("%v: receipt %d, want %d", k, got, want)
			}
		}
	})
}

// receiptOf draws a receipt. An apply of some tenants has batches of no others.
func receiptOf(t *rapid.T, tenants []string, subjects []plan.Subject) (*Intent, *Outcome) {
	i, o := &Intent{Act: rapid.SampledFrom([]Act{Apply, Apply, Apply, Recover}).Draw(t, "act")}, &Outcome{}
	if rapid.Bool().Draw(t, "scoped") {
		i.Only = rapid.SliceOfNDistinct(rapid.SampledFrom(tenants), 1, 2, rapid.ID).Draw(t, "only")
		tenants, subjects = i.Only, []plan.Subject{plan.Entitlements, plan.Facility}
	}
	for range rapid.IntRange(0, 3).Draw(t, "batches") {
		b := Batch{Tenant: rapid.SampledFrom(tenants).Draw(t, "tenant"), Subject: rapid.SampledFrom(subjects).Draw(t, "subject")}
		i.Batches = append(i.Batches, b)
		o.Batches = append(o.Batches, Result{State: rapid.SampledFrom([]State{Done, Already, "moved", "refused"}).Draw(t, "state")})
	}
	for range rapid.IntRange(0, 2).Draw(t, "skips") {
		o.Skipped = append(o.Skipped, Skip{
			Tenant:  rapid.SampledFrom(tenants).Draw(t, "skipped tenant"),
			Subject: rapid.SampledFrom(append([]plan.Subject{""}, subjects...)).Draw(t, "skipped subject"),
		})
	}
	return i, o
}
