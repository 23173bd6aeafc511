package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/policy"
	"github.com/veonahealth/charter/plan/seal"
)

// mandateKind marks a file as the terms of a mandate.
const mandateKind = "charter.mandate"

const maxMandate = 1 << 20

// mandateTerms are what people write and sign: what drift the daemon may correct by
// itself.
type mandateTerms struct {
	Kind string `json:"kind"`
	policy.MandateTerms
	data []byte
}

// readMandate reads the terms of a mandate; nil where a file is something else.
func readMandate(file string) (*mandateTerms, error) {
	data, err := readFile(file, maxMandate)
	var head struct{ Kind string }
	if err != nil || json.Unmarshal(data, &head) != nil || head.Kind != mandateKind {
		return nil, nil // whoever reads it as a plan says what is wrong with it
	}
	terms := &mandateTerms{data: data}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(terms); err != nil {
		return nil, fail(exitFailed, "%s: %w", file, err)
	}
	if decoder.More() {
		return nil, fail(exitFailed, "%s: more than one document", file)
	}
	return terms, nil
}

// signMandate puts a signature on the terms of a mandate, beside their file.
func (a *app) signMandate(o *signOptions, terms *mandateTerms, err error) error {
	if err != nil {
		return err
	}
	subject := seal.Subject{Name: filepath.Base(o.file), SHA256: plan.DigestOf(terms.data)}
	statement, err := terms.Statement(subject)
	if err != nil {
		return fail(exitFailed, "%s: %w", o.file, err)
	}
	signer, err := o.key.open(a)
	if err != nil {
		return err
	}
	bundle, err := signer.Sign(statement)
	if err != nil {
		return err
	}
	name := signer.PublicKey().Fingerprint().BundleName(o.file)
	if _, err := os.Lstat(name); err == nil {
		a.note("it replaces the signature that you had put beside it before")
	} else if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := writeFile(name, bundle, 0o644); err != nil {
		return fail(exitFailed, "save the signature: %w", err)
	}
	_, err = fmt.Fprintln(a.stdout, name)
	return err
}
