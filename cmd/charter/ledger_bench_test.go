package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/ledger"
)

// grow appends receipts until the ledger has so many: of 500 tenants, three in each,
// and twenty of the siege's own, of which all that it did is asked.
func (s *siege) grow(receipts int) {
	s.t.Helper()
	s.declare(`grants: theatre: reason: "bought"`)
	s.commit("theatre")
	own := s.decoded(s.plan("theatre"))
	s.git("fleet", "remote", "remove", "origin") // the branch is pushed as a whole
	s.git("fleet", "config", "gc.auto", "0")
	o, err := s.app().openOffice(context.Background(), repoFlags{repo: s.path("fleet"), rev: "HEAD"}, "default", s.env["CHARTER_ROOT"])
	check(s.t, err)
	defer o.Close()
	ci := s.keys["ci"]
	w := ledger.Writer{By: ledger.By{Fingerprint: ci.PublicKey().Fingerprint().String(), ID: "ci"}, Sign: ci.SignCommit, Now: s.clock}
	for n := o.Ledger.Len(); n < receipts; n++ {
		d := ledger.Draft{Plan: fmt.Appendf(nil, "plan %d\n", n), Intent: ledger.Intent{
			Act: ledger.Apply, At: s.now, Commit: own.Source.Commit, Tree: own.Source.Tree, Instance: own.Instance, Only: []string{},
		}}
		for i := range 3 {
			tenant := fmt.Sprintf("t-%03d", (n+i)%500)
			d.Intent.Only = append(d.Intent.Only, tenant)
			d.Intent.Batches = append(d.Intent.Batches, ledger.Batch{Digest: plan.DigestOf(fmt.Append(nil, n, tenant)), Subject: plan.Entitlements, Tenant: tenant})
		}
		if n%(receipts/20) == 0 {
			own.Nonce = fmt.Sprint(n)
			d.Plan, err = plan.Encode(own)
			check(s.t, err)
			b := own.Batches[0]
			d.Intent.Only, d.Intent.Batches = []string{b.Tenant}, []ledger.Batch{{Digest: b.Digest, Subject: b.Subject, Tenant: b.Tenant}}
		}
		var done ledger.Results
		for _, b := range d.Intent.Batches {
			done.Batches = append(done.Batches, ledger.Result{Digest: b.Digest, State: ledger.Done})
		}
		r, err := o.Ledger.Intent(context.Background(), w, d)
		check(s.t, err)
		check(s.t, o.Ledger.Outcome(context.Background(), w, r.ID, done))
		if n%500 == 0 {
			s.git("fleet", "gc", "-q", "--prune=now")
		}
	}
	s.git("fleet", "gc", "-q", "--prune=now")
	s.git("fleet", "remote", "add", "origin", s.path("origin.git"))
	s.git("fleet", "push", "-q", "origin", "main", auditBranch)
}

// BenchmarkWhy is the whole process, on a machine that has read the ledger before:
// of a row that the newest receipt of its tenant wrote, and of one that its first
// did. "version" is what the program takes to do nothing.
func BenchmarkWhy(b *testing.B) {
	binary, err := builder(b.TempDir(), "../charter")()
	if err != nil {
		b.Fatal(err)
	}
	for _, receipts := range []int{1000, 10_000} {
		s := newGround(b).siege(b)
		s.declare(`grants: ward: reason: "bought"`)
		s.ship("ward")
		s.grow(receipts - 1)
		s.declare(`grants: scribe: reason: "a pilot"`)
		s.ship("scribe")
		charter := func(b *testing.B, args ...string) usage {
			cmd := exec.Command(binary, args...)
			cmd.Env = append(os.Environ(), "HOME="+s.path("home"), "CHARTER_ROOT="+s.env["CHARTER_ROOT"])
			return measured(b, cmd)
		}
		charter(b, "why", "lakeside-clinic", "ward", "-C", s.path("fleet")) // reads the ledger, and keeps it
		for _, c := range []struct {
			name string
			args []string
		}{
			{"newest", []string{"why", "lakeside-clinic", "scribe", "-C", s.path("fleet")}},
			{"first", []string{"why", "lakeside-clinic", "labs", "-C", s.path("fleet")}},
			{"version", []string{"version"}},
		} {
			b.Run(fmt.Sprintf("receipts=%d/%s", receipts, c.name), func(b *testing.B) {
				var took usage
				for b.Loop() {
					took = add(took, charter(b, c.args...))
				}
				b.ReportMetric(float64(took.cpu.Microseconds())/1000/float64(b.N), "CPU-ms/op")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
