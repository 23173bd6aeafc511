package seal

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// MalformedError says that bytes are not of the form they should have.
type MalformedError struct {
	What   string // "bundle", "statement", "public key", "key file" or "fingerprint"
	Reason string // for people
}

func (e *MalformedError) Error() string { return e.What + ": " + e.Reason }

// UnsupportedKeyError says that a key is of a kind that charter does not use.
type UnsupportedKeyError struct {
	Kind   string // such as "ECDSA P-384" or "rsa", or the quoted header of a PEM block
	Reason string // for people
}

func (e *UnsupportedKeyError) Error() string { return "key of kind " + e.Kind + ": " + e.Reason }

// KeylessError says that a bundle was not signed with a key but for an identity
// that a certificate authority vouches for. charter does not support that.
type KeylessError struct {
	Certificate bool // the bundle holds a certificate; otherwise it names no key at all
}

func (e *KeylessError) Error() string {
	if e.Certificate {
		return "keyless bundle: it holds a certificate, and only signatures by keys are supported"
	}
	return "keyless bundle: it names no public key, and only signatures by keys are supported"
}

// SignatureCountError says that a bundle does not hold exactly one signature.
type SignatureCountError struct{ Count int }

func (e *SignatureCountError) Error() string {
	return fmt.Sprintf("bundle with %d signatures, want 1: each approver has a bundle", e.Count)
}

// PayloadTypeError says that what a bundle's envelope holds is no in-toto
// statement.
type PayloadTypeError struct{ Type string }

func (e *PayloadTypeError) Error() string {
	return fmt.Sprintf("payload type %s, want %q", quoted(e.Type), payloadType)
}

// UnknownKeyError says that no trusted key made a signature, and that the bundle
// does not claim that one did.
type UnknownKeyError struct {
	Claimed    Fingerprint // the key that the bundle names, if it names one; anybody can name any
	Unverified []byte      // the payload, which anybody may have written: to be named in messages, never acted on
}

func (e *UnknownKeyError) Error() string {
	if e.Claimed == (Fingerprint{}) {
		return "signature by an unknown key"
	}
	return "signature by an unknown key that is named " + e.Claimed.Short()
}

// BadSignatureError says that a bundle names a trusted key, but neither that nor
// any other trusted key made its signature over its payload.
type BadSignatureError struct {
	Claimed    Fingerprint // the trusted key that the bundle names, which did not sign it
	Unverified []byte      // the payload, which anybody may have written: to be named in messages, never acted on
}

func (e *BadSignatureError) Error() string {
	return "signature does not hold: key " + e.Claimed.Short() + " did not make it"
}

// StatementTypeError says that a statement is not of the in-toto version that
// charter signs.
type StatementTypeError struct{ Type string }

func (e *StatementTypeError) Error() string {
	text := fmt.Sprintf("statement of type %s, want %q", quoted(e.Type), statementType)
	if e.Type == statementTypeV01 {
		text += ": cosign attest-blob keeps it with --statement, not with --predicate"
	}
	return text
}

// SubjectCountError says that a statement is not about exactly one file.
type SubjectCountError struct{ Count int }

func (e *SubjectCountError) Error() string {
	return fmt.Sprintf("statement with %d subjects, want 1", e.Count)
}

// PredicateTypeError says that a statement says something else than was asked
// for.
type PredicateTypeError struct {
	Type string // what it is
	Want string // what was asked for, such as ApprovalType
}

func (e *PredicateTypeError) Error() string {
	return fmt.Sprintf("predicate of type %s, want %q", quoted(e.Type), e.Want)
}

// Fault is what is wrong with a field of a statement.
type Fault string

// The faults.
const (
	Missing     Fault = "is missing"
	Unknown     Fault = "is unknown"
	Duplicate   Fault = "is given twice"
	WrongKind   Fault = "is of the wrong kind"
	OutOfBounds Fault = "is out of bounds"
)

// FieldError says that a field of a statement is not as it has to be.
type FieldError struct {
	Path  string // such as "predicate.tenants[2]" or "subject[0].digest.sha256"; "" is the whole
	Fault Fault
	Want  string // for people; "" where the fault says all
}

func (e *FieldError) Error() string {
	text := cmp.Or(e.Path, "statement") + " " + string(e.Fault)
	if e.Want != "" {
		text += ": want " + e.Want
	}
	return text
}

// shown is how much of a hostile text goes into an error, in bytes.
const shown = 120

// quoted returns text so that it can stand in an error and on a terminal.
func quoted(text string) string {
	if len(text) > shown {
		return strconv.Quote(text[:shown]) + "…"
	}
	return strconv.Quote(text)
}

// oneLine returns a library's error text, which may repeat hostile bytes, so
// that it can stand in an error and on a terminal.
func oneLine(text string) string {
	if len(text) > shown {
		text = strings.ToValidUTF8(text[:shown], "") + "…"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}
