package seal_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan/seal"
)

// The files of testdata/README.md. Its password is no secret: the keys are made
// for these tests.
const goldenPassword = "wards and keys"

// goldenApproval is what testdata/statement.json says.
func goldenApproval(t testing.TB) seal.Approval {
	t.Helper()
	return seal.Approval{
		Decision:    seal.Approve,
		Environment: catalog.DefaultEnvironment,
		Batches:     seal.Batches{Root: digest(t, "d5b8fcc940a467b99967ca065abd98ee365197cc7817abca46223625951328d1"), Count: 3},
		Tenants:     []catalog.TenantID{tenant(t, "kisumu"), tenant(t, "mercy")},
		NotAfter:    time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC),
		Plan:        fmt.Sprintf("sha256:%x", goldenSubject(t).SHA256),
		Commit:      "3f6c1d0b8a7e5f4d3c2b1a09f8e7d6c5b4a39281",
		Policy:      "sha256:823412d1eacb67956220e532959f0104603057c88704863ca38e7cd188fda812",
		Comment:     "pilot <OPS-114> & ward 3",
	}
}

func goldenSubject(t testing.TB) seal.Subject {
	t.Helper()
	return seal.Subject{Name: "plan.json", SHA256: sha256.Sum256(golden(t, "plan.json"))}
}

func TestStatementHasTheGoldenBytes(t *testing.T) {
	text, err := seal.Statement(goldenSubject(t), goldenApproval(t))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(golden(t, "statement.json")), string(text)); diff != "" {
		t.Errorf("statement (-golden +got):\n%s", diff)
	}
}

// Only the signature itself differs from one signing to the next.
func TestBundleHasTheGoldenForm(t *testing.T) {
	signature := regexp.MustCompile(`"sig":"[^"]*"`)
	bundle, err := goldenSigner(t).Sign(golden(t, "statement.json"))
	if err != nil {
		t.Fatal(err)
	}
	want := signature.ReplaceAllString(string(golden(t, "charter.sigstore.json")), `"sig":""`)
	if diff := cmp.Diff(want, signature.ReplaceAllString(string(bundle), `"sig":""`)); diff != "" {
		t.Errorf("bundle (-golden +got):\n%s", diff)
	}
}

func TestBundlesOfCharterAndOfCosignOpen(t *testing.T) {
	for _, signer := range []string{"charter", "cosign"} {
		t.Run(signer, func(t *testing.T) {
			key := publicKey(t, signer+".pub")
			opened, err := seal.NewVerifier(publicKey(t, "charter.pub"), publicKey(t, "cosign.pub")).Open(golden(t, signer+".sigstore.json"))
			if err != nil {
				t.Fatal(err)
			}
			want := &seal.Opened{
				Signer:    key.Fingerprint(),
				Subject:   goldenSubject(t),
				Approval:  goldenApproval(t),
				Statement: golden(t, "statement.json"),
			}
			if diff := cmp.Diff(want, opened, identifiers()); diff != "" {
				t.Errorf("opened (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOtherBundlesOfCosignAreRefusedByName(t *testing.T) {
	for _, test := range []struct{ file, want string }{
		{"cosign-certificate.sigstore.json", "keyless bundle: it holds a certificate, and only signatures by keys are supported"},
		{"cosign-sign-blob.sigstore.json", "bundle: no DSSE envelope; cosign attest-blob makes one, sign-blob does not"},
		{"cosign-predicate.sigstore.json", "statement signed by key " + publicKey(t, "cosign.pub").Fingerprint().Short() +
			`: statement of type "https://in-toto.io/Statement/v0.1", want "https://in-toto.io/Statement/v1": cosign attest-blob keeps it with --statement, not with --predicate`},
	} {
		t.Run(test.file, func(t *testing.T) {
			_, err := seal.NewVerifier(publicKey(t, "cosign.pub")).Open(golden(t, test.file))
			wantError(t, err, test.want)
		})
	}
}

func TestKeyFilesOfCharterAndOfCosignOpen(t *testing.T) {
	for _, test := range []struct{ private, public string }{
		{"charter.key", "charter.pub"},
		{"cosign.key", "cosign.pub"},
		{"cosign-old-header.key", "cosign.pub"},
		{"cosign-no-password.key", "cosign-no-password.pub"},
	} {
		t.Run(test.private, func(t *testing.T) {
			password := goldenPassword
			if test.private == "cosign-no-password.key" {
				password = ""
			}
			signer, err := seal.OpenKey(golden(t, test.private), []byte(password))
			if err != nil {
				t.Fatal(err)
			}
			if got, want := signer.PublicKey().Fingerprint(), publicKey(t, test.public).Fingerprint(); got != want {
				t.Errorf("fingerprint %s, want %s", got, want)
			}
		})
	}
}

// golden returns a file of testdata.
func golden(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func publicKey(t testing.TB, name string) seal.PublicKey {
	t.Helper()
	key, err := seal.ParsePublicKey(golden(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func digest(t testing.TB, text string) [sha256.Size]byte {
	t.Helper()
	sum, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return [sha256.Size]byte(sum)
}

func tenant(t testing.TB, text string) catalog.TenantID {
	t.Helper()
	id, err := catalog.ParseTenantID(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// identifiers lets cmp compare what only parsing makes.
func identifiers() cmp.Option {
	return cmpopts.EquateComparable(catalog.TenantID{}, catalog.Environment{})
}

// wantError compares the whole text.
func wantError(t testing.TB, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %q", want)
	}
	if err.Error() != want {
		t.Errorf("error\n got %s\nwant %s", err, want)
	}
}
