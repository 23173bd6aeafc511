package seal_test

import (
	"bytes"
	"crypto/elliptic"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/veonahealth/charter/plan/seal"
)

func TestOpenRefusesBundles(t *testing.T) {
	trusted, other := newForger(t), newForger(t)
	statement := golden(t, "statement.json")
	good := string(trusted.bundle(t, statement))
	sig := trusted.sign(t, inToto, statement)
	short := trusted.public.Fingerprint().Short()
	with := func(old, replacement string) []byte {
		t.Helper()
		if !strings.Contains(good, old) {
			t.Fatalf("no %s in the bundle", old)
		}
		return []byte(strings.Replace(good, old, replacement, 1))
	}
	for _, test := range []struct {
		name   string
		bundle []byte
		want   string
	}{
		{"nothing", nil, "bundle: syntax error (line 1:1): unexpected token "},
		{"no JSON", []byte("approved!"), "bundle: syntax error (line 1:1): invalid value approved"},
		{"an unknown field", with(`{`, `{"colour":1,`), `bundle: (line 1:2): unknown field "colour"`},
		{"an unknown field that moves the cursor", []byte("{\"\u009b2J\":1}"), `bundle: (line 1:2): unknown field "�2J"`},
		{"an unknown field without end", []byte(`{"` + strings.Repeat("x", 1000) + `":1}`),
			`bundle: (line 1:2): unknown field "` + strings.Repeat("x", 120-len(`(line 1:2): unknown field "`)) + "…"},
		{"a field twice", []byte(`{"mediaType":"a","mediaType":"b"}`), `bundle: (line 1:18): duplicate field "mediaType"`},
		{"bytes beside it", []byte("{}{}"), "bundle: syntax error (line 1:3): unexpected token {"},
		{"too many bytes", bytes.Repeat([]byte(" "), seal.MaxBundle+1), "bundle: 1048577 bytes, want at most 1048576"},
		{"another version", with("v0.3", "v0.2"),
			`bundle: media type "application/vnd.dev.sigstore.bundle.v0.2+json", want "application/vnd.dev.sigstore.bundle.v0.3+json"`},
		{"a certificate", with(`"publicKey":{"hint":"`+trusted.public.Fingerprint().Hint()+`"}`, `"certificate":{"rawBytes":"AA=="}`),
			"keyless bundle: it holds a certificate, and only signatures by keys are supported"},
		{"no key", with(`"publicKey":{"hint":"`+trusted.public.Fingerprint().Hint()+`"}`, ``),
			"keyless bundle: it names no public key, and only signatures by keys are supported"},
		{"no signature", packed(t, "", statement), "bundle with 0 signatures, want 1: each approver has a bundle"},
		{"two signatures", packed(t, "", statement, sig, sig), "bundle with 2 signatures, want 1: each approver has a bundle"},
		{"another payload type", with("vnd.in-toto", "vnd.cyclonedx"),
			`payload type "application/vnd.cyclonedx+json", want "application/vnd.in-toto+json"`},
		{"an unknown key", other.bundle(t, statement),
			"signature by an unknown key that is named " + other.public.Fingerprint().Short()},
		{"an unknown key without a hint", packed(t, "", statement, other.sign(t, inToto, statement)),
			"signature by an unknown key"},
		{"a hint that is no fingerprint", packed(t, "grace", statement, other.sign(t, inToto, statement)),
			"signature by an unknown key"},
		{"a trusted name on another's signature", packed(t, trusted.public.Fingerprint().Hint(), statement, other.sign(t, inToto, statement)),
			"signature does not hold: key " + short + " did not make it"},
		{"a changed payload", packed(t, trusted.public.Fingerprint().Hint(), bytes.Replace(statement, []byte("kisumu"), []byte("siaya"), 1), sig),
			"signature does not hold: key " + short + " did not make it"},
		{"a signature over the payload alone", packed(t, trusted.public.Fingerprint().Hint(), statement, trusted.sign(t, "", statement)),
			"signature does not hold: key " + short + " did not make it"},
		{"an empty signature", packed(t, trusted.public.Fingerprint().Hint(), statement, nil),
			"signature does not hold: key " + short + " did not make it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			opened, err := seal.NewVerifier(trusted.public).Open(test.bundle)
			wantError(t, err, test.want)
			if opened != nil {
				t.Errorf("opened %+v beside the error", opened)
			}
		})
	}
}

func TestRefusalsAreToldApartByType(t *testing.T) {
	trusted, other := newForger(t), newForger(t)
	statement := golden(t, "statement.json")
	claimed := trusted.public.Fingerprint()
	for _, test := range []struct {
		bundle []byte
		want   error
	}{
		{[]byte("{}"), &seal.MalformedError{What: "bundle", Reason: `media type "", want "application/vnd.dev.sigstore.bundle.v0.3+json"`}},
		{golden(t, "cosign-certificate.sigstore.json"), &seal.KeylessError{Certificate: true}},
		{packed(t, "", statement), &seal.SignatureCountError{Count: 0}},
		{other.bundle(t, statement), &seal.UnknownKeyError{Claimed: other.public.Fingerprint(), Unverified: statement}},
		{packed(t, claimed.Hint(), statement, []byte("no")), &seal.BadSignatureError{Claimed: claimed, Unverified: statement}},
		{trusted.bundle(t, []byte(`{"_type":"x"}`)), &seal.StatementTypeError{Type: "x"}},
		{trusted.bundle(t, []byte(`{"_type":"https://in-toto.io/Statement/v1","subject":[]}`)), &seal.SubjectCountError{Count: 0}},
		{trusted.bundle(t, bytes.Replace(statement, []byte("approval/v1"), []byte("mandate/v1"), 1)),
			&seal.PredicateTypeError{Type: "https://veonahealth.com/charter/mandate/v1", Want: seal.ApprovalType}},
		{trusted.bundle(t, bytes.Replace(statement, []byte(`"tenants"`), []byte(`"tenant"`), 1)),
			&seal.FieldError{Path: "predicate.tenants", Fault: seal.Missing}},
	} {
		_, err := seal.NewVerifier(trusted.public).Open(test.bundle)
		if diff := cmp.Diff(test.want, innermost(err)); diff != "" {
			t.Errorf("error (-want +got):\n%s", diff)
		}
	}
}

func innermost(err error) error {
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return err
}

func TestVerifierWithoutKeysOpensNothing(t *testing.T) {
	_, err := seal.NewVerifier().Open(newForger(t).bundle(t, golden(t, "statement.json")))
	if _, unknown := errors.AsType[*seal.UnknownKeyError](err); !unknown {
		t.Errorf("error %v, want an UnknownKeyError", err)
	}
}

func TestPureEd25519Opens(t *testing.T) {
	signer := newEdwardsForger(t)
	opened, err := seal.NewVerifier(newForger(t).public, signer.public).Open(signer.bundle(t, golden(t, "statement.json")))
	if err != nil {
		t.Fatal(err)
	}
	if opened.Signer != signer.public.Fingerprint() {
		t.Errorf("signer %s, want %s", opened.Signer, signer.public.Fingerprint())
	}
}

// Whatever the hint says and however many keys are tried, the signer is the key
// that signed.
func TestHintDoesNotDecideTheSigner(t *testing.T) {
	signer, other := newForger(t), newForger(t)
	statement := golden(t, "statement.json")
	sig := signer.sign(t, inToto, statement)
	verifier := seal.NewVerifier(other.public, signer.public, other.public, signer.public)
	for _, hint := range []string{"", "grace", other.public.Fingerprint().Hint(), signer.public.Fingerprint().Hint(), signer.public.Fingerprint().String()} {
		opened, err := verifier.Open(packed(t, hint, statement, sig))
		if err != nil {
			t.Fatalf("hint %q: %v", hint, err)
		}
		if opened.Signer != signer.public.Fingerprint() {
			t.Errorf("hint %q: signer %s, want %s", hint, opened.Signer.Short(), signer.public.Fingerprint().Short())
		}
	}
}

// An approval that is spelled in another way is the same approval.
func TestOtherSpellingsOfABundleOpenToTheSame(t *testing.T) {
	verifier := seal.NewVerifier(publicKey(t, "charter.pub"))
	bundle := golden(t, "charter.sigstore.json")
	want, err := verifier.Open(bundle)
	if err != nil {
		t.Fatal(err)
	}
	for name, respell := range map[string]func(map[string]any){
		"base64url without padding": func(envelope map[string]any) {
			envelope["payload"] = base64.RawURLEncoding.EncodeToString(want.Statement)
		},
		"the other form of the signature": func(envelope map[string]any) {
			signature := envelope["signatures"].([]any)[0].(map[string]any)
			signature["sig"] = mirrored(t, signature["sig"].(string))
		},
		"a signature of two numbers": func(envelope map[string]any) {
			signature := envelope["signatures"].([]any)[0].(map[string]any)
			signature["sig"] = numbers(t, signature["sig"].(string))
		},
		"a key id": func(envelope map[string]any) {
			envelope["signatures"].([]any)[0].(map[string]any)["keyid"] = "another"
		},
	} {
		t.Run(name, func(t *testing.T) {
			var loose map[string]any
			if err := json.Unmarshal(bundle, &loose); err != nil {
				t.Fatal(err)
			}
			respell(loose["dsseEnvelope"].(map[string]any))
			opened, err := verifier.Open(asJSON(t, loose))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, opened, identifiers()); diff != "" {
				t.Errorf("opened (-first spelling +other):\n%s", diff)
			}
		})
	}
}

type ecdsaSignature struct{ R, S *big.Int }

func parseSignature(t *testing.T, sig string) ecdsaSignature {
	t.Helper()
	der, err := base64.StdEncoding.DecodeString(sig)
	if err != nil {
		t.Fatal(err)
	}
	var parsed ecdsaSignature
	if _, err := asn1.Unmarshal(der, &parsed); err != nil {
		t.Fatal(err)
	}
	return parsed
}

// mirrored returns the second signature that holds wherever the first does.
func mirrored(t *testing.T, sig string) []byte {
	t.Helper()
	parsed := parseSignature(t, sig)
	parsed.S.Sub(elliptic.P256().Params().N, parsed.S)
	der, err := asn1.Marshal(parsed)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// numbers returns a signature in the form of IEEE P1363.
func numbers(t *testing.T, sig string) []byte {
	t.Helper()
	parsed := parseSignature(t, sig)
	return append(parsed.R.FillBytes(make([]byte, 32)), parsed.S.FillBytes(make([]byte, 32))...)
}
