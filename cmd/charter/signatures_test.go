package main

import (
	"strings"
	"testing"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/seal"
)

// Where no ledger is founded nobody is a notary: a key that is trusted decides for
// whoever has it, and for no account.
func TestAReviewIsNobodysWhereNoPolicyIs(t *testing.T) {
	private, public, err := seal.GenerateKey([]byte("p"))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := seal.OpenKey(private, []byte("p"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := seal.ParsePublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	file := &planFile{plan: &plan.Plan{Environment: "default"}, digest: plan.DigestOf(nil)}
	approval := seal.Approval{Decision: seal.Approve, Environment: catalog.DefaultEnvironment, Batches: seal.Batches{Root: file.plan.BatchesRoot}, NotAfter: now.Add(time.Hour)}
	for _, review := range []*seal.Review{nil, {Account: "github:1", Change: 5, Head: strings.Repeat("a", 40), ID: "1", At: now}} {
		approval.Review = review
		statement, err := seal.Statement(seal.Subject{Name: "plan.json", SHA256: file.digest}, approval)
		if err != nil {
			t.Fatal(err)
		}
		bundle, err := signer.Sign(statement)
		if err != nil {
			t.Fatal(err)
		}
		s := signature{bundle: bundle}
		file.judge(&s, trust(key), now)
		if s.Counts != (review == nil) {
			t.Errorf("with review %v: counts %v, %s", review, s.Counts, s.Why)
		}
	}
}
