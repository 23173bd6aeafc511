package seal

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

// Verifier opens bundles that one of its trusted keys has signed. Many
// goroutines may use it.
type Verifier struct {
	keys []PublicKey
}

// NewVerifier returns a Verifier that trusts these keys. A key that is given
// twice is one key; with none, no bundle opens.
func NewVerifier(trusted ...PublicKey) *Verifier {
	return &Verifier{keys: slices.Clone(trusted)}
}

// Opened is an approval whose signature holds. Whether it counts is another
// question, which Approval.Objections and the policy answer.
//
// The same approval in another spelling of the bundle gives an equal Opened, so
// approvals are told apart by it and never by the bytes of their bundles.
type Opened struct {
	Signer    Fingerprint // of the trusted key that signed, whatever the bundle says of it
	Subject   Subject     // the file that the approver looked at
	Approval  Approval
	Statement []byte // the exact bytes that were signed
}

// Open verifies a bundle and reads the approval in it. Its errors can be told
// apart by type; what was not signed by a trusted key comes out nowhere but in
// the field Unverified of UnknownKeyError and BadSignatureError.
func (v *Verifier) Open(bundle []byte) (*Opened, error) {
	e, err := readBundle(bundle)
	if err != nil {
		return nil, err
	}
	signer, err := v.signer(e)
	if err != nil {
		return nil, err
	}
	subject, approval, err := readApprovalStatement(e.payload)
	if err != nil {
		return nil, fmt.Errorf("statement signed by key %s: %w", signer.Short(), err)
	}
	return &Opened{Signer: signer, Subject: subject, Approval: approval, Statement: e.payload}, nil
}

// signer returns which trusted key signed. The hint only says which to try
// first: it is outside of the signature, and anybody may have changed it.
func (v *Verifier) signer(e *envelope) (Fingerprint, error) {
	message := dsse.PAE(payloadType, e.payload)
	digest := sha256.Sum256(message)
	claimed := fromHint(e.hint)
	named := slices.IndexFunc(v.keys, func(k PublicKey) bool { return k.fingerprint == claimed })
	if named >= 0 && v.keys[named].verifies(message, digest[:], e.sig) {
		return claimed, nil
	}
	for _, key := range v.keys {
		if key.verifies(message, digest[:], e.sig) {
			return key.fingerprint, nil
		}
	}
	if named >= 0 {
		return Fingerprint{}, &BadSignatureError{Claimed: claimed, Unverified: e.payload}
	}
	return Fingerprint{}, &UnknownKeyError{Claimed: claimed, Unverified: e.payload}
}
