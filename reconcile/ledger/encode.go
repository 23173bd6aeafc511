package ledger

import (
	"bytes"
	v1 "encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json"

	"github.com/veonahealth/charter/plan"
)

// FormatVersion is the version of the files that this package writes.
const FormatVersion = "1.0"

// The kinds mark the files.
const (
	intentKind  = "charter.intent"
	outcomeKind = "charter.outcome"
)

const (
	intentFile  = "intent.json"
	outcomeFile = "outcome.json"
	planFile    = "plan.json"

	maxFile   = 256 << 20 // bytes of an intent or outcome
	maxBundle = 4 << 20   // bytes of what else lies beside them, but the plan
	maxFiles  = 1000      // that lie beside an intent
	maxReason = 10_000    // bytes of a reason
)

// commitForm is that of git's hashes.
var commitForm = regexp.MustCompile("^[0-9a-f]{40}$")

// encode writes a file of a receipt: one JSON object with sorted keys and one
// newline at the end.
func encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := v1.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode receipt: %w", err)
	}
	return buf.Bytes(), nil
}

// decode reads a file of a receipt. Duplicate keys, another kind or another
// major version are refused; a file of this very version must be spelled as
// charter spells it, so that it cannot say two things.
func decode[T any](data []byte, kind string) (*T, error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("it is larger than %d bytes", maxFile)
	}
	var head struct {
		Kind          string `json:"kind"`
		FormatVersion string `json:"format_version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, err
	}
	if head.Kind != kind {
		return nil, fmt.Errorf("its kind is %.40q, want %q", head.Kind, kind)
	}
	if major, _, ok := strings.Cut(head.FormatVersion, "."); !ok || major != "1" {
		return nil, fmt.Errorf("format version %.20q is not known, want 1.x", head.FormatVersion)
	}
	v := new(T)
	if err := json.Unmarshal(data, v); err != nil {
		return nil, err
	}
	if head.FormatVersion != FormatVersion {
		return v, nil
	}
	again, err := encode(v)
	if err == nil && !bytes.Equal(again, data) {
		err = errors.New("it is not spelled as charter spells it")
	}
	return v, err
}

// DecodeIntent reads an intent.json.
func DecodeIntent(data []byte) (*Intent, error) {
	i, err := decode[Intent](data, intentKind)
	if err == nil {
		err = i.check()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", intentFile, err)
	}
	return i, nil
}

// DecodeOutcome reads an outcome.json.
func DecodeOutcome(data []byte) (*Outcome, error) {
	o, err := decode[Outcome](data, outcomeKind)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", outcomeFile, err)
	}
	return o, nil
}

// check holds an intent against what it says of itself.
func (i *Intent) check() error {
	names := map[string]plan.Digest{}
	for _, f := range i.Files {
		if path.Base(f.Name) != f.Name || strings.HasPrefix(f.Name, ".") || strings.ContainsFunc(f.Name, unicode.IsControl) || f.Name == intentFile || f.Name == outcomeFile {
			return fmt.Errorf("file name %.80q", f.Name)
		}
		if _, twice := names[f.Name]; twice {
			return fmt.Errorf("file %.80q stands twice", f.Name)
		}
		names[f.Name] = f.Digest
	}
	if digest, has := names[planFile]; has != (i.Plan != nil) || has && digest != *i.Plan {
		return errors.New("its plan is not the file beside it")
	}
	for _, a := range i.Approvals {
		if _, has := names[a.Bundle]; !has {
			return fmt.Errorf("bundle %.80q is not beside it", a.Bundle)
		}
	}
	if i.Act == Apply && i.Commit == "" {
		return errors.New("it carries out what no commit declares")
	}
	if i.Commit != "" && !commitForm.MatchString(i.Commit) {
		return fmt.Errorf("its commit %.80q is none", i.Commit)
	}
	if len(i.Files) > maxFiles || len(i.Reason) > maxReason {
		return fmt.Errorf("more than %d files, or a reason of more than %d bytes", maxFiles, maxReason)
	}
	if (i.Act == Founding) != (i.Number == 0) || (i.Previous == nil) != (i.Number == 0) || (i.PreviousOutcome == nil) != (i.Number == 0) {
		return errors.New("receipt 0, and no other, founds the ledger and has none before it")
	}
	return nil
}

// checkAgainst holds an outcome against the intent that it is of.
func (o *Outcome) checkAgainst(r *Receipt) error {
	i := r.Intent
	if o.Receipt != r.ID || o.Number != i.Number || o.Environment != i.Environment {
		return errors.New("it is the outcome of another receipt")
	}
	if len(o.Batches) != len(i.Batches) {
		return fmt.Errorf("it has %d batches, and the intent %d", len(o.Batches), len(i.Batches))
	}
	brings := map[plan.Subject]bool{}
	for n, result := range o.Batches {
		b := i.Batches[n]
		if result.Digest != b.Digest || (result.State == Scheduled) != (b.At != nil) || stateNumber(result.State) < 0 {
			return fmt.Errorf("batch %d is not the intent's, or its state %.40q is none", n, result.State)
		}
		brings[b.Subject] = brings[b.Subject] || result.State.settled()
	}
	free := i.Act == Policy || i.Act == Founding
	if o.Policy != i.Policy && !free && !brings[PolicySubject] {
		return errors.New("it changes the policy, and no batch of it does")
	}
	if o.Catalog != i.Catalog && !free && !brings[CatalogSubject] {
		return errors.New("it changes the catalogue, and no batch of it does")
	}
	return nil
}

// The subjects that write nothing to a platform, and change what is in force.
const (
	PolicySubject  plan.Subject = "policy"
	CatalogSubject plan.Subject = "catalog"
)
