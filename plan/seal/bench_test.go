package seal_test

import (
	"strings"
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
	for b.Loop() {
		verifier := seal.NewVerifier(keys...) // which remembers what it opened
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
	bundle := newForger(b).bundle(b, golden(b, "statement.json"))
	for b.Loop() {
		verifier := seal.NewVerifier(keys...)
		if _, err := verifier.Open(bundle); err == nil {
			b.Fatal("opened")
		}
	}
}

// What a range of signed commits costs, beside git log --format=%G? on the same
// range, which starts a process of ssh-keygen for each commit.
func BenchmarkVerifyCommits(b *testing.B) {
	const commits = 1000
	w := newWorkshop(b)
	line := w.sshKey(b, "key", "ed25519")
	w.write(b, "allowed", []byte("wanjiru@example.org namespaces=\"git\" "+line+"\n"))
	object := w.commit(b, signWithSSH("key")...)
	verifier := seal.NewCommitVerifier(sshCommitKey(b, line))
	b.Run("charter", func(b *testing.B) {
		for b.Loop() {
			for range commits {
				if _, err := verifier.Verify(object); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/commits, "µs/commit")
	})
	b.Run("git", func(b *testing.B) {
		const few = 20 // of the same: a thousand would take minutes
		for range few - 1 {
			w.commit(b, signWithSSH("key")...)
		}
		for b.Loop() {
			if out := w.run(b, "git", "log", "--format=%G?"); strings.Count(string(out), "G") != few {
				b.Fatalf("git log says %q", out)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/few, "µs/commit")
	})
}
