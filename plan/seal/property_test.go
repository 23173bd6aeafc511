package seal_test

import (
	"bytes"
	"slices"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan/seal"
)

// Every approval that has a statement is opened as it was given, by whoever
// trusts its key, and is written back as the same bytes.
func TestApprovalsComeBackAsTheyWereSigned(t *testing.T) {
	signer := goldenSigner(t)
	verifier := seal.NewVerifier(publicKey(t, "cosign.pub"), signer.PublicKey())
	rapid.Check(t, func(t *rapid.T) {
		subject, approval := drawSubject(t), drawApproval(t)
		statement := must(seal.Statement(subject, approval))(t)
		opened := must(verifier.Open(must(signer.Sign(statement))(t)))(t)
		want := &seal.Opened{Signer: signer.PublicKey().Fingerprint(), Subject: subject, Approval: approval, Statement: statement}
		if diff := cmp.Diff(want, opened, identifiers()); diff != "" {
			t.Fatalf("opened (-signed +opened):\n%s", diff)
		}
		if again := must(seal.Statement(opened.Subject, opened.Approval))(t); !bytes.Equal(again, statement) {
			t.Fatalf("written back as %s", again)
		}
	})
}

// However a bundle is damaged, it opens as what was signed or not at all.
func TestDamagedBundlesOpenAsWhatWasSignedOrNotAtAll(t *testing.T) {
	verifier := seal.NewVerifier(publicKey(t, "charter.pub"), publicKey(t, "cosign.pub"))
	bundle := golden(t, "charter.sigstore.json")
	want, err := verifier.Open(bundle)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		damaged := slices.Clone(bundle)
		for range rapid.IntRange(1, 3).Draw(t, "places") {
			place := rapid.IntRange(0, len(damaged)-1).Draw(t, "place")
			damaged[place] = rapid.SampledFrom([]byte(`{}[]",:\ 09AZaz+/-_=`)).Draw(t, "byte")
		}
		opened, err := verifier.Open(damaged)
		if err != nil {
			return
		}
		if diff := cmp.Diff(want, opened, identifiers()); diff != "" {
			t.Fatalf("opened (-signed +opened):\n%s", diff)
		}
	})
}

func drawSubject(t *rapid.T) seal.Subject {
	name := drawText(1, 64).Filter(func(text string) bool { return !bytes.ContainsAny([]byte(text), "\n\t") }).Draw(t, "name")
	return seal.Subject{Name: name, SHA256: drawSum(t)}
}

func drawApproval(t *rapid.T) seal.Approval {
	return seal.Approval{
		Decision:    rapid.SampledFrom([]seal.Decision{seal.Approve, seal.Reject}).Draw(t, "decision"),
		Environment: must(catalog.ParseEnvironment(drawID(t)))(t),
		Batches:     seal.Batches{Root: drawSum(t), Count: rapid.IntRange(0, 10_000_000).Draw(t, "count")},
		Tenants:     drawTenants(t),
		NotAfter:    time.Unix(rapid.Int64Range(0, 1<<37).Draw(t, "second"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanosecond")).UTC(),
		Plan:        drawText(0, 64).Draw(t, "plan"),
		Commit:      drawText(0, 64).Draw(t, "commit"),
		Policy:      drawText(0, 64).Draw(t, "policy"),
		Comment:     drawText(0, 200).Draw(t, "comment"),
	}
}

// drawTenants draws all tenants or a sorted list without duplicates.
func drawTenants(t *rapid.T) []catalog.TenantID {
	if rapid.Bool().Draw(t, "all tenants") {
		return nil
	}
	var tenants []catalog.TenantID
	for range rapid.IntRange(1, 5).Draw(t, "tenants") {
		tenants = append(tenants, must(catalog.ParseTenantID(drawID(t)))(t))
	}
	slices.SortFunc(tenants, catalog.TenantID.Compare)
	return slices.Compact(tenants)
}

func drawID(t *rapid.T) string {
	return rapid.StringMatching(`[a-z0-9]([a-z0-9-]{0,9}[a-z0-9])?`).Draw(t, "id")
}

func drawSum(t *rapid.T) [32]byte {
	return [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "sum"))
}

func drawText(shortest, longest int) *rapid.Generator[string] {
	letter := rapid.Rune().Filter(func(r rune) bool { return r == '\n' || r == '\t' || !unicode.IsControl(r) })
	return rapid.StringOfN(letter, shortest, -1, longest)
}

// must returns a value that has to come without an error.
func must[T any](value T, err error) func(rapid.TB) T {
	return func(t rapid.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}
