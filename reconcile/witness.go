package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/veonahealth/charter/plan/seal"
	"github.com/veonahealth/charter/reconcile/ehr"
	"github.com/veonahealth/charter/reconcile/ledger"
)

// Testimony is what the platform and the ledger say of each other: each is the
// other's witness, so that neither can be put back unnoticed.
type Testimony struct {
	Head *ledger.AuditEntry // the platform's newest audit entry; nil where it has none
	// Restored says how the platform was put back behind what a receipt saw; "".
	Restored string
}

// UnwitnessedError says that the platform does not let its audit trail be read,
// so that nobody could tell whether the ledger is whole.
type UnwitnessedError struct{ Err error }

func (e *UnwitnessedError) Error() string {
	return fmt.Sprintf("the platform's audit trail could not be read (capability audit.read), and where a ledger is founded nothing is written without it: %v", e.Err)
}

// Unwrap returns the cause.
func (e *UnwitnessedError) Unwrap() error { return e.Err }

// Witness sets the platform's audit trail beside the ledger. It gives a
// TrustError where the platform names a receipt that the ledger does not have.
func (g *Governance) Witness(ctx context.Context, e EHR) (Testimony, error) {
	seen := g.Ledger.LastSeen()
	var t Testimony
	since := int64(0)
	if seen != nil {
		found, err := holds(ctx, e, seen)
		if err != nil {
			return t, unwitnessed(err)
		}
		if !found {
			t.Restored = fmt.Sprintf("its audit trail no longer holds entry %d, which the newest receipt saw: it was restored from a backup, or forked", seen.Seq)
			return t, nil
		}
		since, t.Head = seen.Seq, seen
	}
	newest := ""
	err := e.Audit(ctx, since, func(entry ehr.Entry) error {
		t.Head = &ledger.AuditEntry{Hash: entry.Hash, Seq: entry.Seq}
		newest = cmp.Or(named(entry), newest)
		return nil
	})
	if err == nil && newest == "" && seen != nil {
		newest, err = g.namedBefore(ctx, e, seen)
	}
	if err != nil {
		return t, unwitnessed(err)
	}
	return t, g.knows(ctx, newest)
}

// named is the receipt that an entry names; "" for none.
func named(entry ehr.Entry) string {
	if entry.Authority == nil {
		return ""
	}
	return entry.Authority.Receipt
}

// namedBefore is the receipt that the platform named last up to an entry; "" for
// none. That the ledger has all up to the entry is the word of whoever signed that it
// was seen, who may have cut the ledger short before. So it is looked back, ever
// further, to the newest receipt that is named, or to where people have said that what
// there was is of the past.
func (g *Governance) namedBefore(ctx context.Context, e EHR, seen *ledger.AuditEntry) (newest string, err error) {
	if g.vouched == *seen {
		return "", nil
	}
	past, err := g.past(ctx)
	if err != nil {
		return "", err
	}
	past = min(past, seen.Seq) // of a platform that was put back since
	const steps, most = 4, 60  // binary digits: 16 times as far each time
	for far := 0; newest == ""; far += steps {
		since := past
		if far < most {
			since = max(past, seen.Seq-1<<far)
		}
		err := e.Audit(ctx, since, func(entry ehr.Entry) error {
			if entry.Seq > seen.Seq {
				return errEnough
			}
			newest = cmp.Or(named(entry), newest)
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			return "", err
		}
		if since == past {
			break
		}
	}
	if newest == "" {
		g.vouched = *seen
	}
	return newest, nil
}

// past is the audit entry up to which the platform may name receipts that the ledger
// does not have: the one that it was founded at, or at which a person has recovered
// it. A machine's word is none: its key lies where charter runs.
func (g *Governance) past(ctx context.Context) (int64, error) {
	for _, number := range slices.Backward(append([]int{0}, g.Ledger.OfAct(ledger.Recover)...)) {
		r, err := g.Ledger.At(number)
		if err != nil {
			return 0, asTrust(err)
		}
		if r.Intent.Audit == nil {
			continue
		}
		roster, err := g.roster(ctx, r.Intent.Policy)
		if err != nil {
			return 0, err
		}
		key, err := seal.ParseFingerprint(r.Intent.By.Fingerprint)
		if err != nil {
			return 0, err
		}
		if by, err := roster.Holder(key, r.Intent.CreatedAt); number == 0 || err == nil && by.Person != nil {
			return r.Intent.Audit.Seq, nil
		}
	}
	return 0, nil
}

// knows refuses a receipt that the platform names and the ledger does not have. It
// may have been begun since the ledger was read, and so the ledger is read again.
func (g *Governance) knows(ctx context.Context, receipt string) error {
	if receipt == "" {
		return nil
	}
	id, err := ledger.ParseID(receipt)
	if err == nil {
		_, err = g.Ledger.Find(id)
	}
	var unknown *ledger.UnknownError
	if errors.As(err, &unknown) {
		if err := g.Ledger.Refresh(ctx); err != nil {
			return asTrust(err)
		}
		_, err = g.Ledger.Find(id)
	}
	if err != nil && !errors.As(err, &unknown) {
		return distrust("the platform's newest receipt: %w", err)
	}
	if err != nil {
		return distrust("the ledger was rolled back: the platform's audit trail names receipt %s, and the ledger does not have it; put it back with charter audit restore FROM", receipt)
	}
	return nil
}

// errEnough ends a reading of which the rest does not matter.
var errEnough = errors.New("enough")

// holds reports whether the audit trail has an entry as it was seen.
func holds(ctx context.Context, e EHR, seen *ledger.AuditEntry) (found bool, err error) {
	if seen.Seq == 0 {
		return true, nil // it was empty, and may have begun since
	}
	err = e.Audit(ctx, seen.Seq-1, func(entry ehr.Entry) error {
		found = entry.Seq == seen.Seq && entry.Hash == seen.Hash
		return errEnough
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return found, err
}

func unwitnessed(err error) error {
	if ehr.IsForbidden(err) || ehr.IsNotFound(err) {
		return &UnwitnessedError{err}
	}
	return err
}
