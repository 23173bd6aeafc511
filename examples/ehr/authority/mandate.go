package authority

import (
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/policy"
)

// CorrectionType is the predicateType of the statement by which a machine puts its
// name to a batch that it carries out by a mandate. Its subject's SHA-256 is the
// batch's digest.
const CorrectionType = "https://veonahealth.com/charter/correction/v1"

// Correction is the predicate of a statement of CorrectionType.
type Correction struct {
	Environment catalog.Environment `json:"environment"`
}

// wireMandate is what stands in the field mandate of an authority.
type wireMandate struct {
	Bundles    []jsontext.Value `json:"bundles"`    // of the mandate, one a person
	Correction jsontext.Value   `json:"correction"` // the machine's bundle
}

// takeMandate reads the mandate of an authority, if it has one, and checks the
// signatures in it.
func (c *Claim) takeMandate(text jsontext.Value) error {
	if len(text) == 0 || string(text) == "null" {
		return nil
	}
	var wire wireMandate
	if err := json.Unmarshal(text, &wire); err != nil || len(wire.Bundles) > maxApprovals {
		return errors.New("not of the form bundles and correction")
	}
	if err := c.checkCorrection(wire.Correction); err != nil {
		return fmt.Errorf("correction: %w", err)
	}
	bundles := make([][]byte, len(wire.Bundles))
	for i, bundle := range wire.Bundles {
		bundles[i] = bundle
	}
	var err error
	c.mandate, err = policy.OpenMandate(c.checker.people, bundles...)
	return err
}

// checkCorrection refuses what is not a machine's word for this batch.
func (c *Claim) checkCorrection(bundle []byte) error {
	signed, err := c.checker.appliers.OpenStatement(bundle, CorrectionType)
	if err != nil {
		return err
	}
	var said Correction
	if err := json.Unmarshal(signed.Predicate, &said, json.RejectUnknownMembers(true)); err != nil {
		return errors.New("predicate: not of the form of its type")
	}
	if signed.Subject.SHA256 != c.batch || said.Environment != c.environment {
		return errors.New("it is of another batch")
	}
	return nil
}

// mandated returns nil where a mandate covers a write: as many people signed it as
// would have to approve the write, and the write does nothing but bring back rows
// as they were approved last.
func (c *Claim) mandated(w *Write) error {
	if c.base != w.Base.Line() {
		return errors.New("it is for the revision in force")
	}
	if w.Authorised == nil {
		return errors.New("it is for rows, and none were approved before")
	}
	if more := w.Granted.Minus(w.Authorised); len(more) > 0 {
		return fmt.Errorf("row %s %s: is not as it was approved", more[0].Facility, more[0].Module)
	}
	if kept := len(w.Revoked) - len(w.Revoked.Minus(w.Authorised)); kept > 0 {
		return fmt.Errorf("%d of the rows that go: are as they were approved", kept)
	}
	if !covers(&c.mandate.MandateTerms, c, w) {
		return errors.New("it is not for this")
	}
	people := map[string]bool{}
	for _, signer := range c.mandate.Signers {
		people[c.checker.persons[signer]] = true
	}
	if need := c.checker.need.of(w); len(people) < need {
		return fmt.Errorf("%d of %d people let this be done", len(people), need)
	}
	return nil
}

// covers reports whether a mandate is for a write of rows.
func covers(m *policy.MandateTerms, c *Claim, w *Write) bool {
	among := func(id catalog.TenantID) bool { return id.String() == w.Of }
	return m.Environment == c.environment && !c.now.After(m.NotAfter) &&
		(len(w.Granted) == 0 || slices.Contains(m.Kinds, plan.Grant)) &&
		(len(w.Revoked) == 0 || slices.Contains(m.Kinds, plan.Revoke)) &&
		(m.Tenants == nil || slices.ContainsFunc(m.Tenants, among))
}
