package seal_test

import (
	"crypto/sha256"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/veonahealth/charter/plan/seal"
)

// cosignVariable names the cosign that these tests run, at version 3.1.3 as for
// the files in testdata.
const cosignVariable = "CHARTER_COSIGN"

// peer is the real cosign, in a directory with a plan in it.
type peer struct {
	binary, dir string
	subject     seal.Subject
	statement   []byte
}

func newPeer(t *testing.T) *peer {
	t.Helper()
	binary := os.Getenv(cosignVariable)
	if binary == "" {
		t.Skipf("%s is not set: nothing is tried against the real cosign. Set it to the path of cosign 3.1.3", cosignVariable)
	}
	p := &peer{binary: binary, dir: t.TempDir()}
	plan := golden(t, "plan.json")
	p.subject = seal.Subject{Name: "plan.json", SHA256: sha256.Sum256(plan)}
	statement, err := seal.Statement(p.subject, goldenApproval(t))
	if err != nil {
		t.Fatal(err)
	}
	p.statement = statement
	p.write(t, "plan.json", plan)
	p.write(t, "other.json", append(plan, '\n'))
	p.write(t, "statement.json", statement)
	p.must(t, "signing-config", "create", "--out", "sc.json")
	p.must(t, "trusted-root", "create", "--out", "tr.json")
	return p
}

func (p *peer) write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (p *peer) read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (p *peer) run(t *testing.T, args ...string) (output string, err error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), p.binary, args...)
	command.Dir = p.dir
	command.Env = append(os.Environ(), "HOME="+p.dir, "COSIGN_PASSWORD="+goldenPassword)
	combined, err := command.CombinedOutput()
	return string(combined), err
}

func (p *peer) must(t *testing.T, args ...string) {
	t.Helper()
	if output, err := p.run(t, args...); err != nil {
		t.Fatalf("cosign %s: %v\n%s", strings.Join(args, " "), err, output)
	}
}

// attest lets cosign sign the statement.
func (p *peer) attest(t *testing.T, keyFile string) (bundle []byte) {
	t.Helper()
	p.must(t, "attest-blob", "--yes", "--key", keyFile, "--statement", "statement.json",
		"--signing-config", "sc.json", "--trusted-root", "tr.json", "--bundle", "cosign.sigstore.json", "plan.json")
	return p.read(t, "cosign.sigstore.json")
}

// verify asks cosign whether a bundle is one of the key over the file.
func (p *peer) verify(t *testing.T, public, bundle []byte, predicateType, file string) (output string, err error) {
	t.Helper()
	p.write(t, "approver.pub", public)
	p.write(t, "bundle.json", bundle)
	return p.run(t, "verify-blob-attestation", "--key", "approver.pub", "--bundle", "bundle.json",
		"--type", predicateType, "--insecure-ignore-tlog", file)
}

func TestCosignVerifiesOurBundle(t *testing.T) {
	p := newPeer(t)
	private, public, err := seal.GenerateKey([]byte(goldenPassword))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := seal.OpenKey(private, []byte(goldenPassword))
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := signer.Sign(p.statement)
	if err != nil {
		t.Fatal(err)
	}
	if output, err := p.verify(t, public, bundle, seal.ApprovalType, "plan.json"); err != nil {
		t.Errorf("refused: %v\n%s", err, output)
	}
	for _, wrong := range []struct {
		name, predicateType, file, says string
		public                          []byte
	}{
		{"another plan file", seal.ApprovalType, "other.json", "provided artifact digests do not match digests in statement", public},
		{"another predicate type", "https://veonahealth.com/charter/mandate/v1", "plan.json", "predicate type", public},
		{"another key", seal.ApprovalType, "plan.json", "failed to verify signature", golden(t, "cosign.pub")},
	} {
		output, err := p.verify(t, wrong.public, bundle, wrong.predicateType, wrong.file)
		if err == nil || !strings.Contains(output, wrong.says) {
			t.Errorf("%s: error %v, want one that says %q\n%s", wrong.name, err, wrong.says, output)
		}
	}
}

func TestCosignVerifiesPureEd25519(t *testing.T) {
	p := newPeer(t)
	signer := newEdwardsForger(t)
	output, err := p.verify(t, publicPEM(t, signer.private.Public()), signer.bundle(t, p.statement), seal.ApprovalType, "plan.json")
	if err != nil {
		t.Errorf("refused: %v\n%s", err, output)
	}
}

func TestWeOpenWhatCosignSigns(t *testing.T) {
	p := newPeer(t)
	p.must(t, "generate-key-pair", "--output-key-prefix", "grace")
	signer, err := seal.OpenKey(p.read(t, "grace.key"), []byte(goldenPassword))
	if err != nil {
		t.Fatal(err)
	}
	opened, err := seal.NewVerifier(signer.PublicKey()).Open(p.attest(t, "grace.key"))
	if err != nil {
		t.Fatal(err)
	}
	if string(opened.Statement) != string(p.statement) {
		t.Errorf("cosign signed %s", opened.Statement)
	}
	if opened.Subject != p.subject {
		t.Errorf("subject %v, want %v", opened.Subject, p.subject)
	}
}

func TestCosignSignsWithOurKeyFile(t *testing.T) {
	p := newPeer(t)
	private, public, err := seal.GenerateKey([]byte(goldenPassword))
	if err != nil {
		t.Fatal(err)
	}
	key, err := seal.ParsePublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	p.write(t, "charter.key", private)
	if _, err := seal.NewVerifier(key).Open(p.attest(t, "charter.key")); err != nil {
		t.Error(err)
	}
}

func TestWeOpenAKeyThatCosignImported(t *testing.T) {
	p := newPeer(t)
	key := newForger(t)
	der, err := x509.MarshalPKCS8PrivateKey(key.private)
	if err != nil {
		t.Fatal(err)
	}
	p.write(t, "plain.pem", asPEM("PRIVATE KEY", der))
	p.must(t, "import-key-pair", "--key", "plain.pem", "--output-key-prefix", "imported")
	signer, err := seal.OpenKey(p.read(t, "imported.key"), []byte(goldenPassword))
	if err != nil {
		t.Fatal(err)
	}
	if signer.PublicKey().Fingerprint() != key.public.Fingerprint() {
		t.Error("another key")
	}
}
