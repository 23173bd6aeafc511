package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

const (
	statementType    = "https://in-toto.io/Statement/v1"
	statementTypeV01 = "https://in-toto.io/Statement/v0.1"
)

// maxStatement is the largest statement, in bytes: in base64, and with what a
// bundle adds to it, it stays below MaxBundle.
const maxStatement = 750 << 10

// Subject is the one file that a statement is about.
type Subject struct {
	Name   string            // the file's name, for people: 1 to 1024 bytes on one line
	SHA256 [sha256.Size]byte // of the file's bytes: the file's identity
}

// statement is a statement of any predicateType, its predicate not yet read.
type statement struct {
	subject       Subject
	predicateType string
	predicate     *fields
}

// wireStatement has the fields of an in-toto Statement v1 sorted by key, so
// that encoding/json writes them so.
type wireStatement struct {
	Type          string        `json:"_type"`
	Predicate     any           `json:"predicate"`
	PredicateType string        `json:"predicateType"`
	Subject       []wireSubject `json:"subject"`
}

type wireSubject struct {
	Digest map[string]string `json:"digest"`
	Name   string            `json:"name"`
}

// writeStatement returns the one spelling of a statement: sorted keys, no
// spaces, one newline at the end, so that it is a text file as it is.
func writeStatement(subject Subject, predicateType string, predicate any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	digest := map[string]string{"sha256": hex.EncodeToString(subject.SHA256[:])}
	err := encoder.Encode(wireStatement{
		Type:          statementType,
		Predicate:     predicate,
		PredicateType: predicateType,
		Subject:       []wireSubject{{Digest: digest, Name: subject.Name}},
	})
	if err != nil {
		return nil, fmt.Errorf("write statement: %w", err)
	}
	return text.Bytes(), nil
}

// NewStatement returns the exact bytes of a statement of any predicateType, to be
// signed by Signer.Sign and opened by Verifier.OpenStatement. The predicate is
// what encoding/json makes an object of; its texts have to be UTF-8. The errors are
// those that OpenStatement would give.
func NewStatement(subject Subject, predicateType string, predicate any) ([]byte, error) {
	text, err := writeStatement(subject, predicateType, predicate)
	if err != nil {
		return nil, err
	}
	if _, err := readStatement(text); err != nil {
		return nil, err
	}
	return text, nil
}

// readStatement reads all of a statement but its predicate. Who spelled it is
// not asked: other tools may order keys and set spaces as they like.
func readStatement(payload []byte) (*statement, error) {
	if len(payload) > maxStatement {
		return nil, &MalformedError{What: "statement", Reason: fmt.Sprintf("%d bytes, want at most %d", len(payload), maxStatement)}
	}
	if err := checkJSON(payload); err != nil {
		return nil, err
	}
	var fault error
	top := newFields("", payload, &fault)
	if kind := top.name("_type"); kind != statementType {
		top.fail(&StatementTypeError{Type: kind})
	}
	s := &statement{
		subject:       readSubject(top),
		predicateType: top.name("predicateType"),
		predicate:     top.object("predicate"),
	}
	top.end()
	if fault != nil {
		return nil, fault
	}
	return s, nil
}

func readSubject(top *fields) Subject {
	subjects := top.list("subject")
	if len(subjects) != 1 {
		top.fail(&SubjectCountError{Count: len(subjects)})
		return Subject{}
	}
	one := newFields(item("subject", 0), subjects[0], top.fault)
	digest := one.object("digest")
	subject := Subject{Name: one.name("name"), SHA256: digest.digest("sha256", "")}
	digest.end()
	one.end()
	return subject
}
