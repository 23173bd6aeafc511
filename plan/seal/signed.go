package seal

import (
	"encoding/json"
	"fmt"
)

// AnyStatement is a statement of any predicateType, whose signature holds. Its predicate
// is not judged: only that it is one JSON object in which no key stands twice.
type AnyStatement struct {
	Signer    Fingerprint // of the trusted key that signed
	Subject   Subject     // the file that it is about
	Predicate []byte      // as it was signed
}

// OpenStatement verifies a bundle whose statement is of a predicateType, such as a
// mandate. It returns the errors that Open does.
func (v *Verifier) OpenStatement(bundle []byte, predicateType string) (*AnyStatement, error) {
	e, err := readBundle(bundle)
	if err != nil {
		return nil, err
	}
	signer, err := v.signer(e)
	if err != nil {
		return nil, err
	}
	s, err := readStatement(e.payload)
	if err == nil && s.predicateType != predicateType {
		err = &PredicateTypeError{Type: s.predicateType, Want: predicateType}
	}
	if err != nil {
		return nil, fmt.Errorf("statement signed by key %s: %w", signer.Short(), err)
	}
	var whole struct {
		Predicate json.RawMessage `json:"predicate"`
	}
	if err := json.Unmarshal(e.payload, &whole); err != nil {
		return nil, fmt.Errorf("statement signed by key %s: %w", signer.Short(), err)
	}
	return &AnyStatement{Signer: signer, Subject: s.subject, Predicate: whole.Predicate}, nil
}
