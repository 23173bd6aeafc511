package seal_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"testing"

	"github.com/veonahealth/charter/plan/seal"
)

// This file signs and packs bundles by itself, from the specifications and not
// with the package's own code, so that tests can make what Sign never would.

const inToto = "application/vnd.in-toto+json"

// forger holds a private key and signs anything.
type forger struct {
	private crypto.Signer
	public  seal.PublicKey
}

func newForger(t testing.TB) forger {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return forger{private: key, public: parsed(t, key.Public())}
}

func newEdwardsForger(t testing.TB) forger {
	t.Helper()
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return forger{private: key, public: parsed(t, public)}
}

// sign signs a payload of a type as DSSE says.
func (f forger) sign(t testing.TB, payloadType string, payload []byte) []byte {
	t.Helper()
	message := fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload)
	if _, edwards := f.private.(ed25519.PrivateKey); edwards {
		return signed(t, f.private, message, crypto.Hash(0))
	}
	digest := sha256.Sum256(message)
	return signed(t, f.private, digest[:], crypto.SHA256)
}

func signed(t testing.TB, key crypto.Signer, data []byte, hash crypto.Hash) []byte {
	t.Helper()
	sig, err := key.Sign(rand.Reader, data, hash)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// bundle returns a bundle of a payload that is signed as it stands.
func (f forger) bundle(t testing.TB, payload []byte) []byte {
	t.Helper()
	return packed(t, f.public.Fingerprint().Hint(), payload, f.sign(t, inToto, payload))
}

// packed returns a bundle with any number of signatures.
func packed(t testing.TB, hint string, payload []byte, sigs ...[]byte) []byte {
	t.Helper()
	signatures := []any{}
	for _, sig := range sigs {
		signatures = append(signatures, map[string]any{"sig": sig})
	}
	return asJSON(t, map[string]any{
		"mediaType":            "application/vnd.dev.sigstore.bundle.v0.3+json",
		"verificationMaterial": map[string]any{"publicKey": map[string]any{"hint": hint}},
		"dsseEnvelope": map[string]any{
			"payload":     base64.StdEncoding.EncodeToString(payload),
			"payloadType": inToto,
			"signatures":  signatures,
		},
	})
}

func asJSON(t testing.TB, value any) []byte {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func parsed(t testing.TB, key crypto.PublicKey) seal.PublicKey {
	t.Helper()
	public, err := seal.ParsePublicKey(publicPEM(t, key))
	if err != nil {
		t.Fatal(err)
	}
	return public
}

func publicPEM(t testing.TB, key crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return asPEM("PUBLIC KEY", der)
}

func asPEM(header string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: header, Bytes: der})
}
