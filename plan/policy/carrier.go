package policy

import (
	"fmt"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan/seal"
)

// Holder is whose a key is that signed something: a person's or a machine's.
type Holder struct {
	Key     seal.Fingerprint
	Person  *catalog.Person
	Applier *catalog.Applier
}

// ID is the person's or the machine's.
func (h Holder) ID() string {
	if h.Person != nil {
		return h.Person.ID
	}
	return h.Applier.ID
}

// May reports whether the holder is a machine with a duty.
func (h Holder) May(duty catalog.Duty) bool {
	if h.Applier == nil {
		return false
	}
	for _, may := range h.Applier.May {
		if may == duty {
			return true
		}
	}
	return false
}

// Holder returns whose a key is that is in force at a time; its error says in
// words why it is nobody's.
func (r *Roster) Holder(key seal.Fingerprint, at time.Time) (Holder, error) {
	h, err := r.alive(key, at)
	return Holder{key, h.person, h.applier}, err
}

// Signed returns who signed a commit of the ledger, given the whole object: a
// person or a machine whose key was in force at the date that the commit bears, or
// at that of the commit before it where that is later: nobody goes on from a
// commit before it is there.
func (r *Roster) Signed(object []byte, after time.Time) (Holder, error) {
	keys := make([]seal.CommitKey, 0, len(r.holders))
	for _, h := range r.holders {
		keys = append(keys, h.key)
	}
	signature, err := seal.NewCommitVerifier(keys...).Verify(object)
	if err != nil {
		return Holder{}, err
	}
	at := signature.At
	if at.Before(after) {
		at = after
	}
	h, err := r.Holder(signature.Signer, at)
	if err != nil {
		return Holder{}, fmt.Errorf("the commit's signature: %w", err)
	}
	return h, nil
}
