package policy_test

import (
	"fmt"
	"testing"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/policy"
)

// What verify pays once the signatures hold: ten approvals of a plan of a
// thousand batches. BenchmarkOpenTenBundles of package seal is the rest.
func BenchmarkJudgeTenApprovalsOfThousandBatches(b *testing.B) {
	w := newWorld(b)
	w.in.Plan.Batches = nil
	for i := range 1000 {
		w.in.Plan.Batches = append(w.in.Plan.Batches, plan.Batch{
			Tenant: fmt.Sprintf("t-%d", i), Subject: plan.Entitlements, Digest: digest("batch", i), Changes: []plan.Change{row(plan.Grant, "main", "ward")},
		})
	}
	for i := range 10 {
		name := fmt.Sprintf("approver-%d", i)
		w.policy.People = append(w.policy.People, w.person(name, "support"))
		w.approve(name)
	}
	w.rule(func(r *catalog.Rule) { r.Approvals = 10 })
	roster, err := policy.NewRoster(&w.policy)
	if err != nil {
		b.Fatal(err)
	}
	w.in.Roster = roster
	for b.Loop() {
		if v := policy.Judge(w.in); !v.Units[0].Allowed() {
			b.Fatal(v.First())
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000, "µs/batch")
}
