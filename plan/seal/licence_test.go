package seal

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

// licenceKeys are a platform's keys, the same in every run.
func licenceKeys(t testing.TB) (ed25519.PrivateKey, PublicKey) {
	t.Helper()
	private := ed25519.NewKeyFromSeed([]byte(strings.Repeat("k", ed25519.SeedSize)))
	public, err := newPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return private, public
}

// licenceToken signs claims as a platform does.
func licenceToken(t testing.TB, kind, claims string) string {
	t.Helper()
	private, _ := licenceKeys(t)
	text, err := json.Marshal(map[string]any{
		"payload": []byte(claims), "payloadType": kind,
		"signatures": []map[string]any{{"keyid": "x", "sig": ed25519.Sign(private, dsse.PAE(kind, []byte(claims)))}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

const licenceClaims = `{"expires":"2099-01-01T00:00:00Z","licence":"rural.1","tenant":"rural","terms":"9b7b1c"}`

func TestALicenceIsOpenedOnlyWithItsKeyAndInItsForm(t *testing.T) {
	_, key := licenceKeys(t)
	good := licenceToken(t, licenceType, licenceClaims)
	if l, err := OpenLicence(good, key); err != nil || l.Tenant != "rural" || l.Licence != "rural.1" || l.OfflineUntil != nil {
		t.Fatalf("%+v, %v", l, err)
	}
	for name, token := range map[string]string{
		"nothing":               "",
		"no base64url":          good + "=",
		"too long":              good + strings.Repeat("A", MaxLicence),
		"another type":          licenceToken(t, payloadType, licenceClaims),
		"a key that twice says": licenceToken(t, licenceType, `{"tenant":"a",`+licenceClaims[1:]),
		"no tenant":             licenceToken(t, licenceType, `{"expires":"2099-01-01T00:00:00Z","licence":"rural.1"}`),
		"no JSON":               licenceToken(t, licenceType, `rural`),
	} {
		var malformed *MalformedError
		if _, err := OpenLicence(token, key); !errors.As(err, &malformed) {
			t.Errorf("%s: %v, want a MalformedError", name, err)
		}
	}
	text, err := base64.RawURLEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(string(text), base64.StdEncoding.EncodeToString([]byte(licenceClaims))[:20], base64.StdEncoding.EncodeToString([]byte(`{"expires":"2199`))[:20], 1)
	var bad *LicenceSignatureError
	if _, err := OpenLicence(base64.RawURLEncoding.EncodeToString([]byte(other)), key); !errors.As(err, &bad) {
		t.Errorf("other claims: %v, want a LicenceSignatureError", err)
	}
}

func FuzzOpenLicence(f *testing.F) {
	_, key := licenceKeys(f)
	good := licenceToken(f, licenceType, licenceClaims)
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Fuzz(func(t *testing.T, token string) {
		l, err := OpenLicence(token, key)
		if err == nil && (l.Tenant != "rural" || l.Licence != "rural.1") {
			t.Errorf("claims that nobody signed: %+v", l)
		}
	})
}
