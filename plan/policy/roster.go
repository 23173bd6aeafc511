package policy

import (
	"fmt"
	"slices"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan/seal"
)

// Roster is a policy whose keys have been read. Many goroutines may use it.
type Roster struct {
	policy   *catalog.Policy
	holders  map[seal.Fingerprint]holder
	recovery map[seal.Fingerprint]seal.CommitKey // the keys that are kept offline
	verifier *seal.Verifier
	commits  *seal.CommitVerifier
}

// holder is whose a key is: a person or an applier.
type holder struct {
	person  *catalog.Person
	applier *catalog.Applier
	key     seal.CommitKey
}

func (h holder) String() string {
	if h.person != nil {
		return "person " + h.person.ID
	}
	return "applier " + h.applier.ID
}

// NewRoster reads the keys of a policy. Its error says which key cannot be read,
// or which two hold one; a policy that the schema let pass has neither.
func NewRoster(p *catalog.Policy) (*Roster, error) {
	r := &Roster{policy: p, holders: map[seal.Fingerprint]holder{}, recovery: map[seal.Fingerprint]seal.CommitKey{}}
	var ring ring
	for i := range p.People {
		h := holder{person: &p.People[i]}
		if err := r.read(&ring, h, slices.Concat(h.person.Keys, h.person.SSH)); err != nil {
			return nil, err
		}
	}
	for i := range p.Appliers {
		h := holder{applier: &p.Appliers[i]}
		if err := r.read(&ring, h, h.applier.Keys); err != nil {
			return nil, err
		}
	}
	if err := r.readRecovery(&ring); err != nil {
		return nil, err
	}
	r.verifier, r.commits = seal.NewVerifier(ring.approves...), seal.NewCommitVerifier(ring.commits...)
	return r, nil
}

// ring are the keys of a roster, by what they sign.
type ring struct {
	approves []seal.PublicKey
	commits  []seal.CommitKey // of people alone
}

// read reads the keys of one holder.
func (r *Roster) read(ring *ring, h holder, keys []catalog.PolicyKey) error {
	for i := range keys {
		commits, approves, err := seal.ParseKey(keys[i].Text)
		if err != nil {
			return fmt.Errorf("key of %s: %w", h, err)
		}
		h.key = commits
		if other, held := r.holders[commits.Fingerprint()]; held && other.String() != h.String() {
			return fmt.Errorf("key %s: it is of %s and of %s", commits.Fingerprint().Short(), other, h)
		}
		r.holders[commits.Fingerprint()] = h
		if h.person != nil {
			ring.commits = append(ring.commits, commits)
		}
		if approves != nil {
			ring.approves = append(ring.approves, *approves)
		}
	}
	return nil
}

// readRecovery reads the keys for recovery. One that somebody holds otherwise
// would make of one signature two.
func (r *Roster) readRecovery(ring *ring) error {
	if r.policy.Recovery == nil {
		return nil
	}
	for i := range r.policy.Recovery.Keys {
		commits, key, err := seal.ParseKey(r.policy.Recovery.Keys[i].Text)
		if err != nil {
			return fmt.Errorf("recovery key %d: %w", i, err)
		}
		if key == nil {
			return fmt.Errorf("recovery key %d: it signs commits alone", i)
		}
		if h, held := r.holders[key.Fingerprint()]; held {
			return fmt.Errorf("recovery key %d: it is of %s", i, h)
		}
		if _, twice := r.recovery[key.Fingerprint()]; twice {
			return fmt.Errorf("recovery key %d: it is given twice", i)
		}
		r.recovery[key.Fingerprint()] = commits
		ring.approves = append(ring.approves, *key)
	}
	return nil
}

// Policy returns the policy that the roster is of.
func (r *Roster) Policy() *catalog.Policy { return r.policy }

// Verifier opens bundles that anybody of the roster has signed, machines and
// those who have left with them: whether it counts is judged afterwards, so that
// it can be said by name why it does not.
func (r *Roster) Verifier() *seal.Verifier { return r.verifier }

// Person returns whose a key is that is in force at a time; its error says in
// words why the key is nobody's.
func (r *Roster) Person(key seal.Fingerprint, at time.Time) (*catalog.Person, error) {
	h, err := r.alive(key, at)
	if err != nil {
		return nil, err
	}
	if h.person == nil {
		return nil, fmt.Errorf("key %s: it is of %s, and a machine never approves", key.Short(), h)
	}
	return h.person, nil
}

// Account returns whose an account at a forge is, such as github:1234; its error
// says in words why it is nobody's at a time.
func (r *Roster) Account(name string, at time.Time) (*catalog.Person, error) {
	for i := range r.policy.People {
		person := &r.policy.People[i]
		switch {
		case !slices.Contains(person.Forge, name):
		case person.LeftAt(at):
			return nil, fmt.Errorf("account %.40q: person %s left on %s", name, person.ID, catalog.FormatTime(person.Leaves))
		default:
			return person, nil
		}
	}
	return nil, fmt.Errorf("account %.40q: it is nobody's in the policy", name)
}

// Applier returns the machine that a key is of, in force at a time and for a
// duty; its error says in words why there is none.
func (r *Roster) Applier(key seal.Fingerprint, duty catalog.Duty, at time.Time) (*catalog.Applier, error) {
	h, err := r.alive(key, at)
	if err != nil {
		return nil, err
	}
	if h.applier == nil {
		return nil, fmt.Errorf("key %s: it is of %s, who is no applier", key.Short(), h)
	}
	if slices.Contains(h.applier.May, duty) {
		return h.applier, nil
	}
	return nil, fmt.Errorf("key %s: %s may not %s", key.Short(), h, duty)
}

// recovers reports whether a key is one for recovery.
func (r *Roster) recovers(key seal.Fingerprint) bool {
	_, is := r.recovery[key]
	return is
}

// RevokedError says that a key was taken out of service: what it signs is nobody's
// word any more, or a thief's.
type RevokedError struct {
	Key   seal.Fingerprint
	Of    string // the person or applier
	Since string // a time, or the id of a receipt
}

func (e *RevokedError) Error() string {
	return fmt.Sprintf("key %s: it is of %s and was revoked since %s", e.Key.Short(), e.Of, e.Since)
}

func (r *Roster) alive(key seal.Fingerprint, at time.Time) (holder, error) {
	h, known := r.holders[key]
	if !known {
		return h, fmt.Errorf("key %s: the policy does not know it", key.Short())
	}
	if h.person != nil && h.person.LeftAt(at) {
		return h, fmt.Errorf("key %s: %s left on %s", key.Short(), h, catalog.FormatTime(h.person.Leaves))
	}
	if revoked := r.policy.Revocation(h.person, at, h.key.Fingerprint().String(), h.key.Name()); revoked != nil {
		return h, &RevokedError{Key: key, Of: h.String(), Since: revoked.Since}
	}
	return h, nil
}

// revoked are the keys that a holder's may be among.
func (r *Roster) revoked(h holder) []catalog.RevokedKey {
	if h.person == nil {
		return r.policy.Revoked
	}
	return slices.Concat(r.policy.Revoked, h.person.Revoked)
}

// Lost returns since when a key of the roster is not believed: a time, or else the
// id of the last receipt that is. It is false for a key that is in service, or
// that the policy does not know any more.
func (r *Roster) Lost(key seal.Fingerprint) (since time.Time, receipt string, lost bool) {
	h, known := r.holders[key]
	if !known {
		return time.Time{}, "", false
	}
	for _, revoked := range r.revoked(h) {
		if !revoked.Of(h.key.Fingerprint().String(), h.key.Name()) {
			continue
		}
		if since, dated := revoked.SinceTime(); dated {
			return since, "", true
		}
		return time.Time{}, revoked.Since, true
	}
	return time.Time{}, "", false
}

// Commit returns who signed a commit, given the whole object, by a key that is
// in force at the time of judging. That is the verifier's clock and not the
// commit's date, which its signer chose: who has left, or lost a key, signs
// nothing that is yet to be applied, however it is dated.
func (r *Roster) Commit(object []byte, at time.Time) (*catalog.Person, error) {
	signature, err := r.commits.Verify(object)
	if err != nil {
		return nil, err
	}
	return r.Person(signature.Signer, at)
}
