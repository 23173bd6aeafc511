package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gowebpki/jcs"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

// MaxLicence is the longest licence token that is opened, in bytes.
const MaxLicence = 64 << 10

const licenceType = "application/vnd.veonahealth.ehr-licence+json"

// Licence is what the signed token of a deployment says.
type Licence struct {
	Expires      time.Time  `json:"expires"`
	Fingerprint  string     `json:"fingerprint"` // of the box that it is bound to; "" until activation
	Instance     string     `json:"instance"`    // of the platform that gave it
	IssuedAt     time.Time  `json:"issued_at"`
	Licence      string     `json:"licence"` // its id
	NotBefore    time.Time  `json:"not_before"`
	OfflineUntil *time.Time `json:"offline_until"` // without a heartbeat the box may run so long; nil until activation
	Tenant       string     `json:"tenant"`
	Terms        string     `json:"terms"` // the digest of what stands beside the token; see Covers
}

// OpenLicence returns what a licence token says, if the key signed it. It judges no
// date. A token is the base64url form, without padding, of a DSSE envelope with one
// signature. It returns a MalformedError for what is none, and a
// LicenceSignatureError where the key did not sign it.
func OpenLicence(token string, key PublicKey) (Licence, error) {
	payload, sig, err := readLicence(token)
	if err != nil {
		return Licence{}, err
	}
	message := dsse.PAE(licenceType, payload)
	digest := sha256.Sum256(message)
	if !key.verifies(message, digest[:], sig) {
		return Licence{}, &LicenceSignatureError{Key: key.fingerprint}
	}
	if err := checkJSON(payload); err != nil {
		return Licence{}, malformedLicence("its claims are no JSON")
	}
	var l Licence
	if err := json.Unmarshal(payload, &l); err != nil || l.Licence == "" || l.Tenant == "" || l.Expires.IsZero() {
		return Licence{}, malformedLicence("its claims lack the licence, the tenant or the end")
	}
	return l, nil
}

// LicenceSignatureError says that a key did not sign a licence token.
type LicenceSignatureError struct{ Key Fingerprint }

func (e *LicenceSignatureError) Error() string {
	return fmt.Sprintf("licence token: not signed by key %s, or changed since", e.Key.Short())
}

func malformedLicence(reason string) error {
	return &MalformedError{What: "licence token", Reason: reason}
}

// readLicence takes a token apart. Nothing of it is verified.
func readLicence(token string) (payload, sig []byte, err error) {
	if len(token) > MaxLicence {
		return nil, nil, malformedLicence(fmt.Sprintf("%d bytes, want at most %d", len(token), MaxLicence))
	}
	text, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || checkJSON(text) != nil {
		return nil, nil, malformedLicence("not an envelope in base64url")
	}
	var e struct {
		Payload     []byte `json:"payload"`
		PayloadType string `json:"payloadType"`
		Signatures  []struct {
			Sig []byte `json:"sig"`
		} `json:"signatures"`
	}
	switch err := json.NewDecoder(bytes.NewReader(text)).Decode(&e); {
	case err != nil:
		return nil, nil, malformedLicence("not an envelope in base64url")
	case e.PayloadType != licenceType:
		return nil, nil, malformedLicence(fmt.Sprintf("it holds %s, want %q", quoted(e.PayloadType), licenceType))
	case len(e.Signatures) != 1:
		return nil, nil, malformedLicence(fmt.Sprintf("%d signatures, want 1", len(e.Signatures)))
	}
	return e.Payload, e.Signatures[0].Sig, nil
}

// Covers reports whether limits and modules, in JSON as they stand beside the
// token, are those that it was signed for.
func (l *Licence) Covers(limits, modules json.RawMessage) (bool, error) {
	text, err := json.Marshal(map[string]json.RawMessage{"limits": limits, "modules": modules})
	if err != nil {
		return false, fmt.Errorf("digest of a licence's terms: %w", err)
	}
	canonical, err := jcs.Transform(text)
	if err != nil {
		return false, fmt.Errorf("digest of a licence's terms: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:]) == l.Terms, nil
}
