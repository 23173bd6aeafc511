package seal_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"

	"github.com/veonahealth/charter/plan/seal"
)

func TestFingerprintHasItsSpellings(t *testing.T) {
	fingerprint := publicKey(t, "cosign.pub").Fingerprint()
	const text = "21e29dd66e9bb361199d75f910355e7dda8146a06b54f653a63b3c7d3debad64"
	for _, test := range []struct{ got, want string }{
		{fingerprint.String(), text},
		{fingerprint.Short(), text[:16]},
		{fingerprint.Hint(), "IeKd1m6bs2EZnXX5EDVefdqBRqBrVPZTpjs8fT3rrWQ="},
		{fingerprint.BundleName("plan.json"), "plan.json.21e29dd66e9bb361.sigstore.json"},
		{string(asJSON(t, fingerprint)), `"` + text + `"`},
	} {
		if test.got != test.want {
			t.Errorf("%s, want %s", test.got, test.want)
		}
	}
	var back seal.Fingerprint
	if err := json.Unmarshal(asJSON(t, fingerprint), &back); err != nil || back != fingerprint {
		t.Errorf("read back %s, error %v", back, err)
	}
}

func TestParseFingerprintTakesOneSpelling(t *testing.T) {
	text := publicKey(t, "cosign.pub").Fingerprint().String()
	for _, wrong := range []string{"", text[:63], text + "0", strings.ToUpper(text), "sha256:" + text[7:], "g" + text[1:]} {
		_, err := seal.ParseFingerprint(wrong)
		wantError(t, err, fmt.Sprintf("fingerprint: %q is not 64 lower-case hexadecimal digits", wrong))
	}
}

func TestParsePublicKeyRefuses(t *testing.T) {
	good := string(golden(t, "cosign.pub"))
	of := func(key crypto.PublicKey) string { return string(publicPEM(t, key)) }
	for _, test := range []struct{ name, text, want string }{
		{"nothing", "", "public key: no PEM block"},
		{"no PEM", "ssh-ed25519 AAAA", "public key: no PEM block"},
		{"too many bytes", strings.Repeat(" ", 16<<10) + good, "public key: 16562 bytes, want at most 16384"},
		{"two keys", good + good, "public key: more than one PEM block"},
		{"a broken key before it", strings.Replace(good, "MFkw", "????", 1) + good, "public key: more than one PEM block"},
		{"text before it", "Grace's key\n" + good, "public key: text beside the PEM block"},
		{"text after it", good + "Grace's key\n", "public key: text beside the PEM block"},
		{"a header", strings.Replace(good, "KEY-----\n", "KEY-----\nName: Grace\n\n", 1), "public key: a PEM block with headers"},
		{"a private key", string(golden(t, "cosign.key")),
			`key of kind "ENCRYPTED SIGSTORE PRIVATE KEY": a public key is under "PUBLIC KEY"`},
		{"no key in it", string(asPEM("PUBLIC KEY", []byte("grace"))), "public key: not PKIX in its PEM block, or of an unknown kind"},
		{"P-384", of(ecdsaKey(t, elliptic.P384()).Public()),
			"key of kind ECDSA P-384: cosign signs with a longer hash on this curve than it verifies with; charter uses ECDSA P-256"},
		{"P-521", of(ecdsaKey(t, elliptic.P521()).Public()),
			"key of kind ECDSA P-521: cosign signs with a longer hash on this curve than it verifies with; charter uses ECDSA P-256"},
		{"RSA", of(rsaKey(t).Public()), "key of kind rsa: charter uses ECDSA P-256"},
		{"X25519", of(x25519Key(t).Public()), "key of kind ecdh: charter uses ECDSA P-256"},
		{"Ed25519 off the curve", of(ed25519.PublicKey(append([]byte{2}, make([]byte, 31)...))),
			"key of kind ed25519: it is no point of the curve"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := seal.ParsePublicKey([]byte(test.text))
			wantError(t, err, test.want)
		})
	}
}

// For these a signature of nothing holds over many messages.
func TestParsePublicKeyRefusesPointsOfSmallOrder(t *testing.T) {
	for _, order := range []struct {
		order int
		point string
	}{
		{1, "0100000000000000000000000000000000000000000000000000000000000000"},
		{2, "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"},
		{4, "0000000000000000000000000000000000000000000000000000000000000000"},
		{8, "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"},
		{8, "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"},
	} {
		point := digest(t, order.point)
		_, err := seal.ParsePublicKey(publicPEM(t, ed25519.PublicKey(point[:])))
		wantError(t, err, "key of kind ed25519: it is a point of small order, for which anyone can sign")
	}
}

// A key that is wrapped in other line ends or blank lines is the same key.
func TestParsePublicKeyPassesOverWhiteSpace(t *testing.T) {
	good := golden(t, "cosign.pub")
	key, err := seal.ParsePublicKey([]byte("\n\n" + strings.ReplaceAll(string(good), "\n", "\r\n") + "  \n"))
	if err != nil {
		t.Fatal(err)
	}
	if key.Fingerprint() != publicKey(t, "cosign.pub").Fingerprint() {
		t.Error("another fingerprint")
	}
}

func TestGenerateKeyWantsAPassword(t *testing.T) {
	if _, _, err := seal.GenerateKey(nil); !errors.Is(err, seal.ErrNoPassword) {
		t.Errorf("error %v, want ErrNoPassword", err)
	}
}

func TestGenerateKeyMakesAnotherKeyEachTime(t *testing.T) {
	_, first, err := seal.GenerateKey([]byte("a"))
	if err != nil {
		t.Fatal(err)
	}
	_, second, err := seal.GenerateKey([]byte("a"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(first, second) {
		t.Error("the same key twice")
	}
}

func TestOpenKeyTellsAWrongPasswordFromAWrongFile(t *testing.T) {
	for _, test := range []struct{ file, password string }{
		{"charter.key", ""},
		{"charter.key", goldenPassword + " "},
		{"cosign-no-password.key", goldenPassword},
	} {
		if _, err := seal.OpenKey(golden(t, test.file), []byte(test.password)); !errors.Is(err, seal.ErrWrongPassword) {
			t.Errorf("%s with password %q: error %v, want ErrWrongPassword", test.file, test.password, err)
		}
	}
}

func TestOpenKeyRefusesKindsThatDoNotSign(t *testing.T) {
	for _, test := range []struct {
		name string
		key  crypto.PrivateKey
		want string
	}{
		{"P-384", ecdsaKey(t, elliptic.P384()), "key of kind ECDSA P-384: cosign signs with a longer hash on this curve than it verifies with; charter uses ECDSA P-256"},
		{"RSA", rsaKey(t), "key of kind rsa: charter signs with ECDSA P-256"},
		{"X25519", x25519Key(t), "key of kind ecdh: charter signs with ECDSA P-256"},
		{"Ed25519", edwardsKey(t), "key of kind ed25519: charter signs with ECDSA P-256"},
	} {
		t.Run(test.name, func(t *testing.T) {
			der, err := x509.MarshalPKCS8PrivateKey(test.key)
			if err != nil {
				t.Fatal(err)
			}
			_, err = seal.OpenKey(encryptedPEM(t, der), []byte("a"))
			wantError(t, err, test.want)
			if _, kind := errors.AsType[*seal.UnsupportedKeyError](err); !kind {
				t.Errorf("error of type %T", err)
			}
		})
	}
}

func TestOpenKeyRefusesFiles(t *testing.T) {
	box := boxOf(t, golden(t, "charter.key"))
	file := func(old, replacement string) []byte {
		t.Helper()
		if !strings.Contains(box, old) {
			t.Fatalf("no %s in the key file", old)
		}
		return asPEM("ENCRYPTED SIGSTORE PRIVATE KEY", []byte(strings.Replace(box, old, replacement, 1)))
	}
	for _, test := range []struct {
		name string
		file []byte
		want string
	}{
		{"nothing", nil, "key file: no PEM block"},
		{"a public key", golden(t, "charter.pub"), `key of kind "PUBLIC KEY": a private key is encrypted, under "ENCRYPTED SIGSTORE PRIVATE KEY"; cosign import-key-pair makes one of it`},
		{"a key in the clear", asPEM("PRIVATE KEY", []byte("x")),
			`key of kind "PRIVATE KEY": a private key is encrypted, under "ENCRYPTED SIGSTORE PRIVATE KEY"; cosign import-key-pair makes one of it`},
		{"no JSON", file("{", ""), "key file: no JSON object with kdf, cipher and ciphertext in its PEM block"},
		{"another kdf", file("scrypt", "argon2"), `key file: kdf "argon2", want scrypt`},
		{"an endless scrypt", file("65536", "1073741824"), "key file: scrypt with N=1073741824 r=8 p=1, want N=32768, 65536 or 131072, r=8 p=1"},
		{"a cheap scrypt", file("65536", "2"), "key file: scrypt with N=2 r=8 p=1, want N=32768, 65536 or 131072, r=8 p=1"},
		{"a wide scrypt", file(`"r":8`, `"r":1048576`), "key file: scrypt with N=65536 r=1048576 p=1, want N=32768, 65536 or 131072, r=8 p=1"},
		{"a scrypt of many turns", file(`"p":1`, `"p":1000000`), "key file: scrypt with N=65536 r=8 p=1000000, want N=32768, 65536 or 131072, r=8 p=1"},
		{"another cipher", file("nacl/secretbox", "rot13"), `key file: cipher "rot13", want nacl/secretbox`},
		{"a short nonce", file(`"nonce":"`, `"nonce":"AAAA","x":"`), "key file: a nonce of 3 bytes, want 24"},
		{"something else in it", encryptedPEM(t, []byte("grace")), "key file: what it encrypts is not a PKCS #8 private key"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := seal.OpenKey(test.file, []byte("a"))
			wantError(t, err, test.want)
		})
	}
}

// A key that slips into a log by its value shows nothing of its secret.
func TestSignerDoesNotPrintItsSecret(t *testing.T) {
	key := ecdsaKey(t, elliptic.P256())
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := seal.OpenKey(encryptedPEM(t, der), []byte("a"))
	if err != nil {
		t.Fatal(err)
	}
	secret, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%d"} {
		text := strings.NewReplacer(" ", "", ",", "").Replace(fmt.Sprintf(verb, signer))
		if strings.Contains(text, fmt.Sprintf("%x", secret)) || strings.Contains(text, new(big.Int).SetBytes(secret).String()) {
			t.Errorf("%s prints the secret: %s", verb, text)
		}
	}
}

// boxOf returns the JSON inside a key file.
func boxOf(t testing.TB, file []byte) string {
	t.Helper()
	block, _ := pem.Decode(file)
	if block == nil {
		t.Fatal("no PEM block")
	}
	return string(block.Bytes)
}

// encryptedPEM returns a key file of any bytes under the password "a".
func encryptedPEM(t testing.TB, der []byte) []byte {
	t.Helper()
	box, err := encrypted.EncryptWithCustomKDFParameters(der, []byte("a"), encrypted.Legacy)
	if err != nil {
		t.Fatal(err)
	}
	return asPEM("ENCRYPTED SIGSTORE PRIVATE KEY", box)
}

func ecdsaKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func rsaKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func edwardsKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func x25519Key(t testing.TB) *ecdh.PrivateKey {
	t.Helper()
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
