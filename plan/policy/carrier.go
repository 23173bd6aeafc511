package policy

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan/seal"
)

// Holder is whose a key is that signed something: a person's, a machine's, or
// nobody's where it is one for recovery.
type Holder struct {
	Key      seal.Fingerprint
	Person   *catalog.Person
	Applier  *catalog.Applier
	Recovery bool
}

// ID is the person's or the machine's, or the word recovery.
func (h Holder) ID() string {
	switch {
	case h.Person != nil:
		return h.Person.ID
	case h.Applier != nil:
		return h.Applier.ID
	}
	return "recovery"
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
	return Holder{Key: key, Person: h.person, Applier: h.applier}, err
}

// Writer is Holder for what the ledger's commits are signed with, which a key for
// recovery may be too.
func (r *Roster) Writer(key seal.Fingerprint, at time.Time) (Holder, error) {
	if r.recovers(key) {
		return Holder{Key: key, Recovery: true}, nil
	}
	return r.Holder(key, at)
}

// Signed returns who signed a commit of the ledger, given the whole object: a
// person or a machine whose key was in force at the date that the commit bears, or
// at that of the commit before it where that is later: nobody goes on from a
// commit before it is there.
func (r *Roster) Signed(object []byte, after time.Time) (Holder, error) {
	keys := slices.Collect(maps.Values(r.recovery))
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
	h, err := r.Writer(signature.Signer, at)
	if err != nil {
		return Holder{}, fmt.Errorf("the commit's signature: %w", err)
	}
	return h, nil
}
