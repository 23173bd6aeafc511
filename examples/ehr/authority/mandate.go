package authority

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/seal"
)

// MandateType is the predicateType of the statement by which people let machines
// correct drift.
const MandateType = "https://veonahealth.com/charter/mandate/v1"

// CorrectionType is the predicateType of the statement by which a machine puts its
// name to a batch that it carries out by a mandate. Its subject's SHA-256 is the
// batch's digest.
const CorrectionType = "https://veonahealth.com/charter/correction/v1"

// Mandate is the predicate of a statement of MandateType: what drift machines may
// correct by themselves. How many changes an hour and a day is for who carries
// them out to keep.
type Mandate struct {
	Environment catalog.Environment `json:"environment"`
	Kinds       []plan.Action       `json:"kinds"` // Grant, Revoke or both
	PerDay      int64               `json:"per_day"`
	PerHour     int64               `json:"per_hour"`
	Tenants     *catalog.Selector   `json:"tenants"` // null for every one
	Until       time.Time           `json:"until"`   // the last instant at which it counts
}

// Correction is the predicate of a statement of CorrectionType.
type Correction struct {
	Environment catalog.Environment `json:"environment"`
}

// wireMandate is what stands in the field mandate of an authority.
type wireMandate struct {
	Bundles    []jsontext.Value `json:"bundles"`    // of the mandate, one a person
	Correction jsontext.Value   `json:"correction"` // the machine's bundle
}

// mandated is a mandate that a person signed.
type mandated struct {
	signer seal.Fingerprint
	terms  Mandate
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
	var machine Correction
	corrected, err := open(c.checker.appliers, wire.Correction, CorrectionType, &machine)
	if err != nil {
		return fmt.Errorf("correction: %w", err)
	}
	if corrected.Subject.SHA256 != c.batch || machine.Environment != c.environment {
		return errors.New("correction: it is of another batch")
	}
	for i, bundle := range wire.Bundles {
		m := mandated{}
		signed, err := open(c.checker.people, bundle, MandateType, &m.terms)
		if err != nil {
			return fmt.Errorf("bundle %d: %w", i, err)
		}
		m.signer = signed.Signer
		c.mandates = append(c.mandates, m)
	}
	return nil
}

// open verifies a bundle and reads its predicate strictly.
func open(v *seal.Verifier, bundle []byte, predicateType string, into any) (*seal.AnyStatement, error) {
	signed, err := v.OpenStatement(bundle, predicateType)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(signed.Predicate, into, json.RejectUnknownMembers(true)); err != nil {
		return nil, errors.New("predicate: not of the form of its type")
	}
	return signed, nil
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
	var people []seal.Fingerprint
	for _, m := range c.mandates {
		if m.terms.covers(c, w) && !slices.Contains(people, m.signer) {
			people = append(people, m.signer)
		}
	}
	if need := c.checker.need.of(w); len(people) < need {
		return fmt.Errorf("%d of %d people let this be done", len(people), need)
	}
	return nil
}

// covers reports whether a mandate is for a write of rows.
func (m *Mandate) covers(c *Claim, w *Write) bool {
	return m.Environment == c.environment && !c.now.After(m.Until) &&
		(len(w.Granted) == 0 || slices.Contains(m.Kinds, plan.Grant)) &&
		(len(w.Revoked) == 0 || slices.Contains(m.Kinds, plan.Revoke)) &&
		(m.Tenants == nil || w.Matches != nil && w.Matches(*m.Tenants))
}
