package seal

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

// Verifier opens bundles that one of its trusted keys has signed. Many
// goroutines may use it.
type Verifier struct {
	keys []PublicKey

	mu     sync.Mutex
	opened map[[sha256.Size]byte]opening // by the SHA-256 of the bundle: it may be looked at beside many plans
}

// opening is what became of a bundle.
type opening struct {
	opened Opened
	err    error
}

// What a Verifier remembers, as a daemon has one for long: so many bundles, of so
// many bytes at most.
const (
	maxOpened    = 1000
	maxOpenedLen = 16 << 10
)

// NewVerifier returns a Verifier that trusts these keys. A key that is given
// twice is one key; with none, no bundle opens.
func NewVerifier(trusted ...PublicKey) *Verifier {
	return &Verifier{keys: slices.Clone(trusted), opened: map[[sha256.Size]byte]opening{}}
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
	digest := sha256.Sum256(bundle)
	v.mu.Lock()
	known, found := v.opened[digest]
	v.mu.Unlock()
	if !found {
		known.opened, known.err = v.open(bundle)
		v.mu.Lock()
		if len(v.opened) < maxOpened && len(bundle) <= maxOpenedLen {
			v.opened[digest] = known
		}
		v.mu.Unlock()
	}
	if known.err != nil {
		return nil, known.err
	}
	return &known.opened, nil
}

func (v *Verifier) open(bundle []byte) (opened Opened, err error) {
	e, err := readBundle(bundle)
	if err != nil {
		return opened, err
	}
	if opened.Signer, err = v.signer(e); err != nil {
		return opened, err
	}
	opened.Statement = e.payload
	if opened.Subject, opened.Approval, err = readApprovalStatement(e.payload); err != nil {
		err = fmt.Errorf("statement signed by key %s: %w", opened.Signer.Short(), err)
	}
	return opened, err
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
