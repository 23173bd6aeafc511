package seal

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"

	"filippo.io/edwards25519"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"
)

// maxPEM is the largest key file that is looked at, in bytes. charter's own are
// under 1 KiB; an RSA key must still be read far enough to be refused by name.
const maxPEM = 16 << 10

const publicKeyHeader = "PUBLIC KEY"

// PublicKey is a key that may be trusted: ECDSA P-256, or Ed25519 in its pure
// form. ParsePublicKey makes one, a Signer has one; the zero PublicKey is none.
type PublicKey struct {
	fingerprint Fingerprint
	verifier    signature.Verifier
}

// ParsePublicKey returns the public key of a PEM file such as cosign and
// GenerateKey write. It returns a MalformedError for anything but one PEM block
// with one key in it, and an UnsupportedKeyError, with the reason, for a key of
// another kind.
func ParsePublicKey(data []byte) (PublicKey, error) {
	block, err := onePEM("public key", data)
	if err != nil {
		return PublicKey{}, err
	}
	if block.Type != publicKeyHeader {
		return PublicKey{}, &UnsupportedKeyError{Kind: quoted(block.Type), Reason: fmt.Sprintf("a public key is under %q", publicKeyHeader)}
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return PublicKey{}, &MalformedError{What: "public key", Reason: "not PKIX in its PEM block, or of an unknown kind"}
	}
	return newPublicKey(key)
}

// newPublicKey judges the kind of a key. The fingerprint is that of the key
// written anew, so that no second spelling of it could have another.
func newPublicKey(key crypto.PublicKey) (PublicKey, error) {
	if err := checkKind(key); err != nil {
		return PublicKey{}, err
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return PublicKey{}, fmt.Errorf("write public key as PKIX: %w", err)
	}
	verifier, err := signature.LoadVerifier(key, crypto.SHA256)
	if err != nil {
		return PublicKey{}, fmt.Errorf("load public key: %w", err)
	}
	return PublicKey{fingerprint: sha256.Sum256(der), verifier: verifier}, nil
}

// Fingerprint returns the key's identity.
func (k PublicKey) Fingerprint() Fingerprint { return k.fingerprint }

// verifies reports whether this key made sig over message. digest is the
// SHA-256 of message: a roster of many keys hashes a large statement once, and
// Ed25519, which must hash for itself, passes it over.
func (k PublicKey) verifies(message, digest, sig []byte) bool {
	return k.verifier.VerifySignature(bytes.NewReader(sig), bytes.NewReader(message), options.WithDigest(digest)) == nil
}

// checkKind returns an UnsupportedKeyError for a key that charter does not use.
func checkKind(key crypto.PublicKey) error {
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		return checkCurve(key.Curve)
	case ed25519.PublicKey:
		return checkEdwards(key)
	}
	return &UnsupportedKeyError{Kind: kindOf(key), Reason: "charter uses ECDSA P-256"}
}

// kindOf names the kind of a key that the standard library has parsed by its
// package there: "rsa", "ed25519", "ecdh".
func kindOf(key any) string {
	kind, _, _ := strings.Cut(strings.TrimPrefix(fmt.Sprintf("%T", key), "*"), ".")
	return kind
}

func checkCurve(curve elliptic.Curve) error {
	if curve == elliptic.P256() {
		return nil
	}
	return &UnsupportedKeyError{
		Kind:   "ECDSA " + curve.Params().Name,
		Reason: "cosign signs with a longer hash on this curve than it verifies with; charter uses ECDSA P-256",
	}
}

// checkEdwards refuses the Ed25519 keys that are nobody's: for a point of small
// order anyone can write signatures without a private key.
func checkEdwards(key ed25519.PublicKey) error {
	point, err := new(edwards25519.Point).SetBytes(key)
	if err != nil {
		return &UnsupportedKeyError{Kind: kindOf(key), Reason: "it is no point of the curve"}
	}
	if point.MultByCofactor(point).Equal(edwards25519.NewIdentityPoint()) == 1 {
		return &UnsupportedKeyError{Kind: kindOf(key), Reason: "it is a point of small order, for which anyone can sign"}
	}
	return nil
}

// onePEM returns the one PEM block that data is. What pem.Decode would pass
// over (text around the block, a broken block before it, headers) is refused:
// a person who reads the file must see the same key that charter does.
func onePEM(what string, data []byte) (*pem.Block, error) {
	refuse := func(reason string) (*pem.Block, error) {
		return nil, &MalformedError{What: what, Reason: reason}
	}
	if len(data) > maxPEM {
		return refuse(fmt.Sprintf("%d bytes, want at most %d", len(data), maxPEM))
	}
	const begin = "-----BEGIN "
	text := bytes.TrimSpace(data)
	block, rest := pem.Decode(text)
	switch {
	case block == nil:
		return refuse("no PEM block")
	case bytes.Count(text, []byte(begin)) > 1:
		return refuse("more than one PEM block")
	case !bytes.HasPrefix(text, []byte(begin)), len(rest) > 0:
		return refuse("text beside the PEM block")
	case len(block.Headers) > 0:
		return refuse("a PEM block with headers")
	}
	return block, nil
}
