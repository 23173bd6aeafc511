package licence_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"testing"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/internal/licence"
)

func key(t testing.TB, seed byte) *licence.Key {
	t.Helper()
	k, err := licence.NewKey(bytes.Repeat([]byte{seed}, licence.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func claims(t testing.TB) licence.Claims {
	t.Helper()
	tenant, err := catalog.ParseTenantID("kisumu")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	return licence.Claims{Expires: at.AddDate(1, 0, 0), Fingerprint: "box", Instance: "ehr-1", IssuedAt: at,
		Licence: "kisumu.0123456789ab", NotBefore: at, OfflineUntil: &at, Tenant: tenant, Terms: "00"}
}

// TestATokenIsCheckedByWhatThePackageCommentSays reads a token with the standard
// library alone, as another program would.
func TestATokenIsCheckedByWhatThePackageCommentSays(t *testing.T) {
	k := key(t, 1)
	token, err := k.Mint(claims(t))
	if err != nil {
		t.Fatal(err)
	}
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	var e struct {
		Payload, PayloadType string
		Signatures           []struct{ KeyID, Sig string }
	}
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatal(err)
	}
	payload, err := base64.StdEncoding.DecodeString(e.Payload)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := base64.StdEncoding.DecodeString(e.Signatures[0].Sig)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(k.Public().PEM()))
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	signed := fmt.Sprintf("DSSEv1 %d %s %d %s", len(e.PayloadType), e.PayloadType, len(payload), payload)
	if !ed25519.Verify(public.(ed25519.PublicKey), []byte(signed), sig) {
		t.Error("the signature does not verify")
	}
	const want = `{"expires":"2028-01-01T00:00:00Z","fingerprint":"box","instance":"ehr-1","issued_at":"2027-01-01T00:00:00Z",` +
		`"licence":"kisumu.0123456789ab","not_before":"2027-01-01T00:00:00Z","offline_until":"2027-01-01T00:00:00Z","tenant":"kisumu","terms":"00"}`
	if string(payload) != want {
		t.Errorf("payload %s", payload)
	}
}

func TestOnlyItsKeyOpensAToken(t *testing.T) {
	token, err := key(t, 1).Mint(claims(t))
	if err != nil {
		t.Fatal(err)
	}
	read, err := licence.ParsePublicKey(key(t, 1).Public().PEM())
	if err != nil {
		t.Fatal(err)
	}
	if c, err := read.Open(token); err != nil || c.Licence != claims(t).Licence {
		t.Errorf("claims %+v: %v", c, err)
	}
	if _, err := key(t, 2).Public().Open(token); err != licence.ErrInvalid {
		t.Errorf("another key: %v", err)
	}
	envelope, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	for i := range envelope {
		changed := bytes.Clone(envelope)
		changed[i] ^= 1
		c, err := read.Open(base64.RawURLEncoding.EncodeToString(changed))
		// The key's id is a hint that nothing is decided by.
		if hint := bytes.Index(envelope, []byte(`"keyid"`)); err == nil && (i < hint || c.Licence != claims(t).Licence) {
			t.Errorf("byte %d changed: %+v", i, c)
		}
	}
	for _, text := range []string{"", "hello", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"} {
		if _, err := licence.ParsePublicKey(text); err == nil {
			t.Errorf("%q is taken for a key", text)
		}
	}
}

// FuzzOpen looks for a text that opens and is not what the key made of its claims.
func FuzzOpen(f *testing.F) {
	k := key(f, 1)
	token, err := k.Mint(claims(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(token)
	f.Add(base64.RawURLEncoding.EncodeToString([]byte(`{"payload":"e30=","payloadType":"x","signatures":[]}`)))
	f.Fuzz(func(t *testing.T, text string) {
		c, err := k.Public().Open(text)
		if err != nil {
			return
		}
		again, err := k.Mint(c)
		if err != nil {
			t.Fatal(err)
		}
		if opened, err := k.Public().Open(again); err != nil || opened.Licence != c.Licence {
			t.Errorf("%+v: %v", opened, err)
		}
	})
}
