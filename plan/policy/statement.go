package policy

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/seal"
)

// The predicateTypes of the statements that people sign beside approvals.
const (
	MandateType    = "https://veonahealth.com/charter/mandate/v1"
	BreakGlassType = "https://veonahealth.com/charter/break-glass/v1"
)

// maxReason is the longest reason that a statement gives, in bytes.
const maxReason = 4096

// MandateTerms is the predicate of a statement of MandateType: what drift the
// daemon may correct by itself. No field may be left out of it; the statement's
// subject says nothing, it is the file that the mandate was written from.
type MandateTerms struct {
	Environment catalog.Environment `json:"environment"`
	Kinds       []plan.Action       `json:"kinds"`     // of changes
	NotAfter    time.Time           `json:"not_after"` // the last instant at which it counts
	PerDay      int64               `json:"per_day"`   // changes
	PerHour     int64               `json:"per_hour"`  // changes
	Reason      string              `json:"reason"`    // for people
	// Tenants are those whose drift is corrected; null, and not an empty list, is
	// every one.
	Tenants []catalog.TenantID `json:"tenants"`
}

// Mandate is a statement of some terms that people signed; the signatures hold.
type Mandate struct {
	MandateTerms
	Signers []seal.Fingerprint
}

// BreakGlassTerms is the predicate of a statement of BreakGlassType, whose subject
// is the file of the one plan that it is for.
type BreakGlassTerms struct {
	Environment catalog.Environment `json:"environment"`
	NotAfter    time.Time           `json:"not_after"` // the last instant at which it counts
	Reason      string              `json:"reason"`    // 1 to 4096 bytes: recorded, and shown until somebody has looked at it
}

// BreakGlass is a signed statement that passes a brake for one plan; its signature
// holds.
type BreakGlass struct {
	BreakGlassTerms
	Signer seal.Fingerprint
	Plan   plan.Digest // of the plan's file
}

// Statement returns the exact bytes to be signed for the terms, or an error for
// terms that would not be opened again. file is what they were written from.
func (t MandateTerms) Statement(file seal.Subject) ([]byte, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	return seal.NewStatement(file, MandateType, t)
}

func (t *MandateTerms) check() error {
	switch {
	case t.Environment.IsZero():
		return errors.New("mandate: environment is missing")
	case len(t.Kinds) == 0:
		return errors.New("mandate: kinds name no change")
	case t.NotAfter.IsZero():
		return errors.New("mandate: not_after is missing")
	case len(t.Reason) > maxReason || !utf8.ValidString(t.Reason):
		return fmt.Errorf("mandate: reason: want at most %d bytes of UTF-8", maxReason)
	case t.PerHour < 0 || t.PerDay < 0:
		return errors.New("mandate: per_hour and per_day count from 0")
	}
	return nil
}

// Statement returns the exact bytes to be signed for a plan's file, or an error
// for terms that would not be opened again.
func (t BreakGlassTerms) Statement(planFile seal.Subject) ([]byte, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	return seal.NewStatement(planFile, BreakGlassType, t)
}

func (t *BreakGlassTerms) check() error {
	switch {
	case t.Environment.IsZero():
		return errors.New("break-glass: environment is missing")
	case strings.TrimSpace(t.Reason) == "" || len(t.Reason) > maxReason || !utf8.ValidString(t.Reason):
		return fmt.Errorf("break-glass: reason: want 1 to %d bytes of UTF-8", maxReason)
	case t.NotAfter.IsZero():
		return errors.New("break-glass: not_after is missing")
	}
	return nil
}

// OpenMandate verifies the bundles of one mandate, one a signer: the terms that
// each signed have to be the same bytes.
func OpenMandate(v *seal.Verifier, bundles ...[]byte) (*Mandate, error) {
	var m Mandate
	var terms []byte
	for _, bundle := range bundles {
		signed, err := v.OpenStatement(bundle, MandateType)
		if err != nil {
			return nil, err
		}
		if terms != nil && !bytes.Equal(terms, signed.Predicate) {
			return nil, errors.New("mandate: its bundles are of different terms")
		}
		terms = signed.Predicate
		m.Signers = append(m.Signers, signed.Signer)
	}
	if terms == nil {
		return nil, errors.New("mandate: nobody signed it")
	}
	if err := strict(terms, &m.MandateTerms, "environment", "kinds", "not_after", "per_day", "per_hour", "reason", "tenants"); err != nil {
		return nil, fmt.Errorf("mandate: %w", err)
	}
	return &m, m.check()
}

// OpenBreakGlass verifies a bundle and reads the break-glass in it.
func OpenBreakGlass(v *seal.Verifier, bundle []byte) (*BreakGlass, error) {
	signed, err := v.OpenStatement(bundle, BreakGlassType)
	if err != nil {
		return nil, err
	}
	g := &BreakGlass{Signer: signed.Signer, Plan: signed.Subject.SHA256}
	if err := strict(signed.Predicate, &g.BreakGlassTerms, "environment", "not_after", "reason"); err != nil {
		return nil, fmt.Errorf("break-glass: %w", err)
	}
	return g, g.check()
}

// strict reads a predicate in which each member stands, once, and no other: what
// is left out must not widen what was signed.
func strict(predicate []byte, into any, members ...string) error {
	var given map[string]jsontext.Value
	if err := json.Unmarshal(predicate, &given); err != nil {
		return err
	}
	for _, name := range members {
		if _, there := given[name]; !there {
			return fmt.Errorf("%s is missing", name)
		}
	}
	return json.Unmarshal(predicate, into, json.RejectUnknownMembers(true))
}
