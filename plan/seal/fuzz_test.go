package seal_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/pem"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/veonahealth/charter/plan/seal"
)

// Nobody but the keys' holders can sign, so whatever opens must be one of the
// statements that they signed.
func FuzzOpen(f *testing.F) {
	for _, name := range []string{
		"charter.sigstore.json", "cosign.sigstore.json", "cosign-predicate.sigstore.json",
		"cosign-certificate.sigstore.json", "cosign-sign-blob.sigstore.json",
	} {
		f.Add(golden(f, name))
	}
	verifier := seal.NewVerifier(publicKey(f, "charter.pub"), publicKey(f, "cosign.pub"))
	statement := golden(f, "statement.json")
	f.Fuzz(func(t *testing.T, bundle []byte) {
		opened, err := verifier.Open(bundle)
		if err == nil && !bytes.Equal(opened.Statement, statement) {
			t.Errorf("opened a statement that nobody signed: %q", opened.Statement)
		}
		if again, errAgain := verifier.Open(bundle); (err == nil) != (errAgain == nil) || !cmp.Equal(opened, again, identifiers()) {
			t.Errorf("opened once as %+v (%v), once as %+v (%v)", opened, err, again, errAgain)
		}
	})
}

// A statement that its signer wrote in any way opens to an approval that has a
// spelling of its own, and that one means the same.
func FuzzStatement(f *testing.F) {
	statement := golden(f, "statement.json")
	f.Add(statement)
	f.Add(bytes.Replace(statement, []byte(`["kisumu","mercy"]`), []byte("null"), 1))
	signer := newForger(f)
	verifier := seal.NewVerifier(signer.public)
	f.Fuzz(func(t *testing.T, payload []byte) {
		opened, err := verifier.Open(signer.bundle(t, payload))
		if err != nil {
			return
		}
		own, err := seal.Statement(opened.Subject, opened.Approval)
		if err != nil {
			t.Fatalf("opened, but %v", err)
		}
		again, err := verifier.Open(signer.bundle(t, own))
		if err != nil {
			t.Fatalf("written, but %v", err)
		}
		again.Statement = opened.Statement
		if diff := cmp.Diff(opened, again, identifiers()); diff != "" {
			t.Errorf("opened (-first +written anew):\n%s", diff)
		}
	})
}

// A key that parses has one DER spelling, the one in the file.
func FuzzParsePublicKey(f *testing.F) {
	f.Add(golden(f, "charter.pub"))
	f.Add(golden(f, "charter.key"))
	f.Add(publicPEM(f, edwardsKey(f).Public()))
	f.Add(publicPEM(f, rsaKey(f).Public()))
	f.Fuzz(func(t *testing.T, data []byte) {
		key, err := seal.ParsePublicKey(data)
		if err != nil {
			return
		}
		block, _ := pem.Decode(data)
		if block == nil || key.Fingerprint() != sha256.Sum256(block.Bytes) {
			t.Errorf("fingerprint %s is not that of the file's DER", key.Fingerprint())
		}
	})
}

// A key file opens, or is refused by one of the types that callers know.
func FuzzOpenKey(f *testing.F) {
	for _, name := range []string{"charter.key", "cosign-old-header.key", "charter.pub"} {
		f.Add(golden(f, name), []byte(goldenPassword))
	}
	f.Fuzz(func(t *testing.T, file, password []byte) {
		signer, err := seal.OpenKey(file, password)
		_, malformed := errors.AsType[*seal.MalformedError](err)
		_, kind := errors.AsType[*seal.UnsupportedKeyError](err)
		if (signer == nil) != (malformed || kind || errors.Is(err, seal.ErrWrongPassword)) {
			t.Errorf("signer %v, error %v", signer, err)
		}
	})
}
