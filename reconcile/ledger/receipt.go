package ledger

import (
	"encoding/hex"
	"fmt"
	"time"

	"github.com/veonahealth/charter/plan"
)

// ID names a receipt: the SHA-256 of its intent.json, written as 64 hexadecimal
// digits. The zero ID is none.
type ID [32]byte

// ParseID reads what String wrote.
func ParseID(text string) (ID, error) {
	sum, err := hex.DecodeString(text)
	if err != nil || len(sum) != len(ID{}) || hex.EncodeToString(sum) != text {
		return ID{}, fmt.Errorf("receipt %.80q: want 64 hexadecimal digits", text)
	}
	return ID(sum), nil
}

// String returns the digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText returns String.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText parses text.
func (id *ID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseID(string(text))
	return err
}

// Act is what a receipt is of.
type Act string

// The acts.
const (
	Founding Act = "founding" // begins the ledger, and pins the first policy
	Apply    Act = "apply"    // carries out a plan
	Recover  Act = "recover"  // goes on after the platform was restored; approvals on bases before it are void
	Seal     Act = "seal"     // starts the range of commits to be checked anew at its commit
	Policy   Act = "policy"   // pins a policy that the recovery keys signed
)

// State is what became of a batch. Those of an apply are reconcile's own words.
type State string

// The states that something is decided by. Others are refused and moved, what
// was not tried and what is unconfirmed.
const (
	Done      State = "done"
	Already   State = "already"
	Scheduled State = "scheduled"
)

func (s State) settled() bool { return s == Done || s == Already }

// known are all the states that a receipt may hold, in the order in which the
// index numbers them.
func known() []State {
	return []State{Done, Already, Scheduled, "moved", "refused", "unconfirmed", "not-tried"}
}

// By is who signed.
type By struct {
	Fingerprint string `json:"fingerprint"` // of the key, 64 hexadecimal digits
	ID          string `json:"id"`          // of the applier or person, as the policy names them
}

// Pin is a policy or catalogue by the commit it stands in and its digest there.
type Pin struct {
	Commit string      `json:"commit"`
	Digest plan.Digest `json:"digest"`
}

// AuditEntry is an entry of the platform's own audit trail.
type AuditEntry struct {
	Hash string `json:"hash"`
	Seq  int64  `json:"seq"`
}

// Batch is a batch, or a scheduled entry, that an intent is of.
type Batch struct {
	At      *time.Time   `json:"at"` // of a scheduled entry; nil for what is written now
	Digest  plan.Digest  `json:"digest"`
	Path    string       `json:"path"` // of the request; "" for a scheduled entry
	Subject plan.Subject `json:"subject"`
	Tenant  string       `json:"tenant"`
}

// Approval is a bundle that a receipt holds, and who signed it.
type Approval struct {
	Bundle string `json:"bundle"` // the name of its file
	By     By     `json:"by"`
}

// File is a file that lies beside an intent.
type File struct {
	Digest plan.Digest `json:"digest"`
	Name   string      `json:"name"`
}

// Intent is what is about to be done. Its fields stand in the order in which
// they are written.
type Intent struct {
	Act       Act         `json:"act"`
	Approvals []Approval  `json:"approvals"`
	At        time.Time   `json:"at"`    // the time that dates were judged by
	Audit     *AuditEntry `json:"audit"` // the platform's newest that was seen; nil where it could not be read
	// Batches are those that will be tried, then the entries that are scheduled,
	// in the plan's order.
	Batches         []Batch      `json:"batches"`
	By              By           `json:"by"`
	Catalog         Pin          `json:"catalog"` // in force before
	Commit          string       `json:"commit"`  // of the declarations; "" where none is concerned
	CreatedAt       time.Time    `json:"created_at"`
	Environment     string       `json:"environment"`
	Files           []File       `json:"files"` // that lie beside it, sorted by name
	FormatVersion   string       `json:"format_version"`
	Instance        string       `json:"instance"` // the platform's stable id
	Kind            string       `json:"kind"`
	Number          int          `json:"number"`
	Only            []string     `json:"only"`             // the tenants that it is carried out for; null for all
	Plan            *plan.Digest `json:"plan"`             // of plan.json; null where there is none
	Policy          Pin          `json:"policy"`           // in force before; of a founding, that which it pins
	Previous        *ID          `json:"previous"`         // the receipt before; null for the root
	PreviousOutcome *plan.Digest `json:"previous_outcome"` // the SHA-256 of its outcome.json; null for the root
	Reason          string       `json:"reason"`
	Tree            string       `json:"tree"` // of Commit
}

// Result is what became of one batch of an intent.
type Result struct {
	Digest   plan.Digest `json:"digest"`
	Revision int64       `json:"revision"` // that it led to, or that was found; 0 where unknown
	State    State       `json:"state"`
	Text     string      `json:"text"` // why, where it is not done
}

// Skip is a tenant's subject that the receipt says nothing of: what was held,
// unreadable, refused, or not approved.
type Skip struct {
	Reason  string       `json:"reason"`
	Subject plan.Subject `json:"subject"` // "" for all subjects of the tenant
	Tenant  string       `json:"tenant"`
}

// Outcome is what was done.
type Outcome struct {
	Audit         *AuditEntry `json:"audit"`
	Batches       []Result    `json:"batches"` // one for each of the intent's, in its order
	By            By          `json:"by"`
	Catalog       Pin         `json:"catalog"` // in force after
	Environment   string      `json:"environment"`
	FinishedAt    time.Time   `json:"finished_at"`
	FormatVersion string      `json:"format_version"`
	InStep        int         `json:"in_step"` // declared tenants' subjects that had no batch and were as declared
	Kind          string      `json:"kind"`
	Number        int         `json:"number"`
	Policy        Pin         `json:"policy"` // in force after
	Receipt       ID          `json:"receipt"`
	Skipped       []Skip      `json:"skipped"`
}

// Receipt is one receipt of the ledger, verified.
type Receipt struct {
	Number        int
	ID            ID
	Intent        *Intent
	Outcome       *Outcome // nil while it is open
	IntentCommit  string
	OutcomeCommit string // "" while it is open
}

// Result returns what became of a batch; false where it is not of this receipt,
// or nobody has said yet.
func (r *Receipt) Result(batch plan.Digest) (Result, bool) {
	if r.Outcome == nil {
		return Result{}, false
	}
	for _, result := range r.Outcome.Batches {
		if result.Digest == batch {
			return result, true
		}
	}
	return Result{}, false
}
