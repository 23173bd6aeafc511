package seal_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/veonahealth/charter/plan/seal"
)

func TestAStatementOfAnotherTypeIsOpenedByItsType(t *testing.T) {
	signer := goldenSigner(t)
	const mandate = "https://veonahealth.com/charter/mandate/v1"
	bundle, err := signer.Sign(bytes.Replace(golden(t, "statement.json"), []byte(seal.ApprovalType), []byte(mandate), 1))
	if err != nil {
		t.Fatal(err)
	}
	trusting := seal.NewVerifier(signer.PublicKey())
	opened, err := trusting.OpenStatement(bundle, mandate)
	if err != nil {
		t.Fatal(err)
	}
	if opened.Signer != signer.PublicKey().Fingerprint() || opened.Subject != goldenSubject(t) || !bytes.Contains(golden(t, "statement.json"), opened.Predicate) {
		t.Errorf("opened %+v", opened)
	}
	var other *seal.PredicateTypeError
	if _, err := trusting.OpenStatement(bundle, seal.ApprovalType); !errors.As(err, &other) {
		t.Errorf("as an approval: %v", err)
	}
	var unknown *seal.UnknownKeyError
	if _, err := seal.NewVerifier().OpenStatement(bundle, mandate); !errors.As(err, &unknown) {
		t.Errorf("with no trusted key: %v", err)
	}
	if _, err := trusting.OpenStatement([]byte("{}"), mandate); err == nil {
		t.Error("nothing is opened")
	}
}
