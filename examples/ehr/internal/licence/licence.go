// Package licence makes and opens the signed tokens that let a deployment run. A
// token is checked with the platform's public key alone, so a box without a
// network can check its own.
//
// # The bytes
//
// A token is the base64url form, without padding, of a DSSE envelope: the JSON
// object
//
//	{"payload":"…","payloadType":"application/vnd.veonahealth.ehr-licence+json","signatures":[{"keyid":"…","sig":"…"}]}
//
// with payload and sig in base64 with padding and keyid the SHA-256, in hex, of the
// public key in PKIX DER form. There is one signature, pure Ed25519 over
//
//	DSSEv1 SP len(payloadType) SP payloadType SP len(payload) SP payload
//
// with the lengths in decimal. The payload is the JSON of Claims.
//
// What a licence allows (its terms: limits and modules) stands beside the token
// and not in it, so that the token fits into a header whatever the tenant's size:
// the claims bear the SHA-256, in hex, of the RFC 8785 form of
// {"limits":…,"modules":…}, as the licence's body has them.
package licence

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/gowebpki/jcs"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"github.com/veonahealth/charter/catalog"
)

// payloadType is what the payload of a token's envelope is.
const payloadType = "application/vnd.veonahealth.ehr-licence+json"

// MaxToken is the longest text that is opened as a token, in bytes.
const MaxToken = 4096

// ErrInvalid says that a text is no token of the key. It does not say why, as
// whoever brought it need not know.
var ErrInvalid = errors.New("not a token of this platform")

// Claims is what a token says.
type Claims struct {
	Expires      time.Time        `json:"expires"`       // from then on the deployment may not run
	Fingerprint  string           `json:"fingerprint"`   // of the box that it is bound to; "" until activation
	Instance     string           `json:"instance"`      // of the platform that gave it
	IssuedAt     time.Time        `json:"issued_at"`     // when the licence was issued
	Licence      string           `json:"licence"`       // its id
	NotBefore    time.Time        `json:"not_before"`    // before then the deployment may not run
	OfflineUntil *time.Time       `json:"offline_until"` // without a heartbeat it may run so long; null until activation
	Tenant       catalog.TenantID `json:"tenant"`
	Terms        string           `json:"terms"` // digest of the licence's Terms
}

// Module is a row that a licence allows within a span of time.
type Module struct {
	Facility catalog.FacilityID `json:"facility"`
	Module   catalog.EHRModule  `json:"module"`
	From     *time.Time         `json:"from"`  // included; null: from the beginning
	Until    *time.Time         `json:"until"` // not included; null: to the end
}

// Terms is what a licence allows.
type Terms struct {
	Limits  jsontext.Value `json:"limits"`
	Modules []Module       `json:"modules"`
}

// Digest identifies the terms.
func (t Terms) Digest() (string, error) {
	text, err := json.Marshal(t)
	if err != nil {
		return "", fmt.Errorf("digest of a licence's terms: %w", err)
	}
	canonical, err := jcs.Transform(text)
	if err != nil {
		return "", fmt.Errorf("digest of a licence's terms: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:]), nil
}

// Key signs tokens. It is a secret.
type Key struct {
	private ed25519.PrivateKey
	public  PublicKey
}

// SeedSize is how many random bytes a Key is made of.
const SeedSize = ed25519.SeedSize

// NewKey returns the key of a seed.
func NewKey(seed []byte) (*Key, error) {
	if len(seed) != SeedSize {
		return nil, fmt.Errorf("licence key: %d bytes, want %d", len(seed), SeedSize)
	}
	private := ed25519.NewKeyFromSeed(seed)
	return &Key{private: private, public: PublicKey{private.Public().(ed25519.PublicKey)}}, nil
}

// Public returns the key that opens what this one signed.
func (k *Key) Public() PublicKey { return k.public }

// PublicKey opens tokens.
type PublicKey struct{ key ed25519.PublicKey }

// PEM returns the key as PKIX in PEM, which is what ParsePublicKey reads.
func (k PublicKey) PEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: k.der()}))
}

func (k PublicKey) der() []byte {
	der, err := x509.MarshalPKIXPublicKey(k.key)
	if err != nil {
		panic(err) // an Ed25519 key always has this form
	}
	return der
}

// id is how a token names the key that signed it.
func (k PublicKey) id() string {
	sum := sha256.Sum256(k.der())
	return hex.EncodeToString(sum[:])
}

// ParsePublicKey reads a key in the form of PEM.
func ParsePublicKey(text string) (PublicKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "PUBLIC KEY" {
		return PublicKey{}, errors.New("licence key: not a PUBLIC KEY in PEM")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return PublicKey{}, fmt.Errorf("licence key: %w", err)
	}
	key, ok := parsed.(ed25519.PublicKey)
	if !ok {
		return PublicKey{}, errors.New("licence key: not an Ed25519 key")
	}
	return PublicKey{key}, nil
}

// envelope is a DSSE envelope. Its fields stand in the order of their names.
type envelope struct {
	Payload     []byte      `json:"payload"`
	PayloadType string      `json:"payloadType"`
	Signatures  []signature `json:"signatures"`
}

type signature struct {
	KeyID string `json:"keyid"`
	Sig   []byte `json:"sig"`
}

// Mint returns the token of some claims. The same claims give the same token.
func (k *Key) Mint(c Claims) (string, error) {
	payload, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("mint licence token: %w", err)
	}
	signed := ed25519.Sign(k.private, dsse.PAE(payloadType, payload))
	text, err := json.Marshal(envelope{payload, payloadType, []signature{{k.public.id(), signed}}})
	if err != nil {
		return "", fmt.Errorf("mint licence token: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(text), nil
}

// Open returns what a token says, if the key signed it and ErrInvalid if not. It
// judges no date: a token that has expired still says whose it is.
func (k PublicKey) Open(token string) (c Claims, err error) {
	if len(token) > MaxToken {
		return Claims{}, ErrInvalid
	}
	text, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil {
		return Claims{}, ErrInvalid
	}
	var e envelope
	if err := json.Unmarshal(text, &e, json.RejectUnknownMembers(true)); err != nil {
		return Claims{}, ErrInvalid
	}
	if e.PayloadType != payloadType || len(e.Signatures) != 1 ||
		!ed25519.Verify(k.key, dsse.PAE(payloadType, e.Payload), e.Signatures[0].Sig) {
		return Claims{}, ErrInvalid
	}
	if err := json.Unmarshal(e.Payload, &c, json.RejectUnknownMembers(true)); err != nil {
		return Claims{}, ErrInvalid
	}
	return c, nil
}
