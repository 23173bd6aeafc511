package authority

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/policy"
	"github.com/veonahealth/charter/plan/seal"
)

// The bounds of an authority. Its size is the caller's to bound.
const (
	maxApprovals = 64
	maxProof     = 64 // nodes: a tree of 2^64 leaves
)

// afterTime is how long a scheduled entry may be carried out from its time on.
const afterTime = 14 * 24 * time.Hour

// errMissing says that a write bears no authority.
var errMissing = errors.New("authority: missing")

// Claim is an authority that was read: its signatures are checked, and what they
// are for is not yet. The nil Claim covers nothing.
type Claim struct {
	checker     *Checker
	environment catalog.Environment
	batch       plan.Digest
	base        string    // the line that says what the batch stands on
	at          time.Time // of a scheduled entry; else the zero time
	now         time.Time
	approvals   []approval
	mandate     *policy.Mandate // with a machine's word for this batch; nil for none
	objections  []string        // why the others do not count
	fault       error           // why it is no authority at all; nil where it is one
}

// approval is one that holds, for the batch that the claim names.
type approval struct {
	person string      // by a key or an account: two of one person's are the same
	plan   plan.Digest // of the file that the signer looked at
	terms  seal.Approval
	tree   seal.Batches
}

// wireAuthority is an authority as plan.md has it. What a later minor version adds
// is passed over.
type wireAuthority struct {
	Approvals   []wireApproval      `json:"approvals"`
	Base        string              `json:"base"`
	Batch       plan.Digest         `json:"batch"`
	Environment catalog.Environment `json:"environment"`
	Mandate     jsontext.Value      `json:"mandate"`
}

type wireApproval struct {
	Bundle jsontext.Value `json:"bundle"`
	Count  int64          `json:"count"`
	Index  int64          `json:"index"`
	Proof  [][]byte       `json:"proof"`
}

// Read reads an authority and checks the signatures in it. It always returns a
// Claim: one that cannot be read covers nothing, and says so when it is asked.
func (c *Checker) Read(authority []byte, now time.Time) *Claim {
	claim := &Claim{checker: c, now: now}
	if len(authority) == 0 || string(authority) == "null" {
		claim.fault = errMissing
		return claim
	}
	var wire wireAuthority
	if err := json.Unmarshal(authority, &wire); err != nil {
		claim.fault = errors.New("authority: not of the form that plans name")
		return claim
	}
	if only := c.environment; !only.IsZero() && wire.Environment != only {
		claim.fault = fmt.Errorf("environment %s: this is %s", wire.Environment, only)
		return claim
	}
	if len(wire.Approvals) > maxApprovals {
		claim.fault = fmt.Errorf("authority: %d approvals, want at most %d", len(wire.Approvals), maxApprovals)
		return claim
	}
	claim.environment, claim.batch, claim.base = wire.Environment, wire.Batch, wire.Base
	claim.at = scheduledAt(wire.Base)
	for i := range wire.Approvals {
		if err := claim.take(&wire.Approvals[i]); err != nil {
			claim.objections = append(claim.objections, fmt.Sprintf("approval %d: %s", i, err))
		}
	}
	if err := claim.takeMandate(wire.Mandate); err != nil {
		claim.objections = append(claim.objections, "mandate: "+err.Error())
	}
	return claim
}

// scheduledAt returns the time of an "at" line in its one spelling, or the zero
// time.
func scheduledAt(line string) time.Time {
	text, is := strings.CutPrefix(line, "at ")
	at, err := time.Parse(time.RFC3339, text)
	if !is || err != nil || at.UTC().Format(time.RFC3339Nano) != text {
		return time.Time{}
	}
	return at
}

// take adds an approval if its signature and its proof hold.
func (c *Claim) take(wire *wireApproval) error {
	opened, err := c.checker.signers.Open(wire.Bundle)
	if err != nil {
		return err
	}
	person, err := c.checker.person(opened)
	if err != nil {
		return err
	}
	if opened.Approval.Decision != seal.Approve {
		return fmt.Errorf("key %s decided %s", opened.Signer.Short(), opened.Approval.Decision)
	}
	tree := opened.Approval.Batches
	if int64(tree.Count) != wire.Count {
		return fmt.Errorf("it is for %s, not for %d", tree, wire.Count)
	}
	if len(wire.Proof) > maxProof {
		return fmt.Errorf("proof of %d nodes, want at most %d", len(wire.Proof), maxProof)
	}
	proof := make([]plan.Digest, len(wire.Proof))
	for i, node := range wire.Proof {
		if len(node) != len(plan.Digest{}) {
			return fmt.Errorf("proof: node %d is of %d bytes, want %d", i, len(node), len(plan.Digest{}))
		}
		proof[i] = plan.Digest(node)
	}
	if err := plan.CheckProof(proof, wire.Count, tree.Root, wire.Index, c.batch); err != nil {
		return fmt.Errorf("the batch is not leaf %d of %s", wire.Index, tree)
	}
	c.approvals = append(c.approvals, approval{person, opened.Subject.SHA256, opened.Approval, tree})
	return nil
}
