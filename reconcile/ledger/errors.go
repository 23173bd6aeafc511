package ledger

import (
	"errors"
	"fmt"
)

// ErrNotFounded says that an environment has no ledger, here or on the remote.
var ErrNotFounded = errors.New("the ledger is not founded")

// ErrFounded says that an environment has a ledger already.
var ErrFounded = errors.New("the ledger is founded already")

// ErrTurned says that another writer put another policy or catalogue in force before
// an intent was accepted: whether it may be begun has to be judged again.
var ErrTurned = errors.New("another policy or catalogue came into force meanwhile: try again")

// TamperError says that the ledger holds what its rules do not allow. What came
// before is verified.
type TamperError struct {
	Number int    // of the receipt
	Commit string // at which it was found
	Err    error
}

func (e *TamperError) Error() string {
	return fmt.Sprintf("ledger, receipt %d at commit %s: %v", e.Number, e.Commit, e.Err)
}

// Unwrap returns the cause.
func (e *TamperError) Unwrap() error { return e.Err }

// RootError says that the ledger begins with another receipt than the root that was
// given: it is another ledger, or the root is wrong.
type RootError struct{ Is, Trusted ID }

func (e *RootError) Error() string {
	return fmt.Sprintf("its root is %s, and the root that is trusted is %s", e.Is, e.Trusted)
}

// UnjudgedError says that something is not at hand by which a receipt is judged,
// such as the commit whose policy it names. Nothing speaks against the receipt.
type UnjudgedError struct {
	Number int
	Commit string // of the ledger
	Err    error
}

func (e *UnjudgedError) Error() string {
	return fmt.Sprintf("ledger, receipt %d at commit %s cannot be judged here: %v", e.Number, e.Commit, e.Err)
}

// Unwrap returns the cause.
func (e *UnjudgedError) Unwrap() error { return e.Err }

// RolledBackError says that receipts which were seen before are gone.
type RolledBackError struct {
	Seen string // the newest commit that was seen
	Now  string // the newest that the remote has; "" where it has none
	By   string // who remembers
}

func (e *RolledBackError) Error() string {
	return fmt.Sprintf("the ledger was rolled back: %s has seen commit %s, and the ledger ends at %s", e.By, e.Seen, orNothing(e.Now))
}

func orNothing(commit string) string {
	if commit == "" {
		return "nothing"
	}
	return commit
}

// ForkedError says that the ledger is not a continuation of what was seen of it.
type ForkedError struct{ Seen, Now, By string }

func (e *ForkedError) Error() string {
	return fmt.Sprintf("the ledger was rewritten: %s has seen commit %s, which commit %s does not descend from", e.By, e.Seen, e.Now)
}

// PartedError says that two copies of the ledger verify, and go two ways.
type PartedError struct{ One, Other string } // their newest commits

func (e *PartedError) Error() string {
	return fmt.Sprintf("two copies of the ledger verify and go two ways, to commit %s and to %s", e.One, e.Other)
}

// OpenError says that the newest receipt has no outcome yet: its work is under
// way, or was cut off.
type OpenError struct{ Receipt *Receipt }

func (e *OpenError) Error() string {
	i := e.Receipt.Intent
	return fmt.Sprintf("receipt %d, which %s began at %s, has no outcome yet", i.Number, i.By.ID, i.CreatedAt.Format("2006-01-02T15:04:05Z07:00"))
}

// ClosedError says that a receipt has an outcome already, or is not the newest.
type ClosedError struct{ Receipt ID }

func (e *ClosedError) Error() string { return fmt.Sprintf("receipt %s is closed", e.Receipt) }

// UnknownError says that the ledger has no such receipt. Where a platform names
// it as its newest, the ledger was rolled back.
type UnknownError struct{ Receipt ID }

func (e *UnknownError) Error() string { return fmt.Sprintf("the ledger has no receipt %s", e.Receipt) }
