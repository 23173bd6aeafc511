package seal

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
)

// Fingerprint is the SHA-256 of a public key in PKIX DER form. It is the key's
// only identity: people are counted by it, and it is never taken from a bundle,
// always from the trusted key that verified it. The zero Fingerprint is no key.
type Fingerprint [sha256.Size]byte

// ParseFingerprint returns the fingerprint that String wrote, or a
// MalformedError.
func ParseFingerprint(text string) (Fingerprint, error) {
	sum, ok := parseHex(text)
	if !ok {
		return Fingerprint{}, &MalformedError{What: "fingerprint", Reason: fmt.Sprintf("%s is not 64 lower-case hexadecimal digits", quoted(text))}
	}
	return Fingerprint(sum), nil
}

// String returns the fingerprint as 64 lower-case hexadecimal digits.
func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// Short returns the first 16 digits of String. It names files and is shown to
// people; nothing is decided by it, as two keys can be made to share it.
func (f Fingerprint) Short() string { return f.String()[:16] }

// Hint returns the fingerprint in the spelling in which a bundle names its key.
func (f Fingerprint) Hint() string { return base64.StdEncoding.EncodeToString(f[:]) }

// BundleSuffix ends the name of every file that is a bundle.
const BundleSuffix = ".sigstore.json"

// BundleName returns the name of the bundle in which this key signs planFile:
// it lies beside the plan, one for each signer.
func (f Fingerprint) BundleName(planFile string) string {
	return planFile + "." + f.Short() + BundleSuffix
}

// MarshalText returns what String returns.
func (f Fingerprint) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText does what ParseFingerprint does.
func (f *Fingerprint) UnmarshalText(text []byte) error {
	parsed, err := ParseFingerprint(string(text))
	*f = parsed
	return err
}

// fromHint returns the fingerprint that a bundle's hint spells, or the zero
// Fingerprint: a hint may be anything.
func fromHint(hint string) Fingerprint {
	sum, err := base64.StdEncoding.DecodeString(hint)
	if err != nil || len(sum) != sha256.Size {
		return Fingerprint{}
	}
	return Fingerprint(sum)
}

// parseHex reads a SHA-256 in its one spelling.
func parseHex(text string) (sum [sha256.Size]byte, ok bool) {
	if len(text) != hex.EncodedLen(sha256.Size) {
		return sum, false
	}
	if _, err := hex.Decode(sum[:], []byte(text)); err != nil {
		return sum, false
	}
	return sum, hex.EncodeToString(sum[:]) == text
}
