package seal

import (
	"fmt"
	"time"
)

// UnsignedError says that a commit bears no signature.
type UnsignedError struct{ Committer string } // whom the commit names, an e-mail address; anybody can name anybody

func (e *UnsignedError) Error() string {
	return "commit is not signed; it names committer " + quoted(e.Committer)
}

// UntrustedError says that a commit is signed by a key that is not trusted.
type UntrustedError struct {
	Key string // as ssh-keygen -l or gpg shows it; unverified: anybody can name any
}

func (e *UntrustedError) Error() string { return "signed by " + e.Key + ", which is no key of ours" }

// LifetimeError says that a commit is signed by a key of ours that was not in
// force at the time that the commit gives itself.
type LifetimeError struct {
	Key    string // as ssh-keygen -l or gpg shows it
	At     time.Time
	Reason string // for people
}

func (e *LifetimeError) Error() string {
	return fmt.Sprintf("signed by %s at %s: %s", e.Key, e.At.Format(time.RFC3339), e.Reason)
}

// CommitError says that a commit's signature does not hold, or is of a kind that
// charter does not verify.
type CommitError struct{ Reason string } // for people

func (e *CommitError) Error() string { return "commit " + e.Reason }
