package seal_test

import (
	"testing"

	"github.com/veonahealth/charter/plan/seal"
)

// A plan with ten approvals: what apply and verify pay for its signatures.
func BenchmarkOpenTenBundles(b *testing.B) {
	const approvers = 10
	var keys []seal.PublicKey
	var bundles [][]byte
	for range approvers {
		approver := newForger(b)
		keys = append(keys, approver.public)
		bundles = append(bundles, approver.bundle(b, golden(b, "statement.json")))
	}
	verifier := seal.NewVerifier(keys...)
	for b.Loop() {
		for _, bundle := range bundles {
			if _, err := verifier.Open(bundle); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/approvers, "µs/bundle")
}

// A hostile bundle makes a verifier try every key of the roster.
func BenchmarkOpenUnknownKeyAmongThousand(b *testing.B) {
	var keys []seal.PublicKey
	for range 1000 {
		keys = append(keys, newForger(b).public)
	}
	verifier := seal.NewVerifier(keys...)
	bundle := newForger(b).bundle(b, golden(b, "statement.json"))
	for b.Loop() {
		if _, err := verifier.Open(bundle); err == nil {
			b.Fatal("opened")
		}
	}
}
