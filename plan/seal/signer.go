package seal

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
)

// The headers under which an encrypted private key stands. cosign wrote the
// second one before its version 2.
const (
	sigstoreKeyHeader = "ENCRYPTED SIGSTORE PRIVATE KEY"
	cosignKeyHeader   = "ENCRYPTED COSIGN PRIVATE KEY"
)

// ErrNoPassword says that a key was to be generated under an empty password,
// which would be a private key in the clear under a header that denies it.
var ErrNoPassword = errors.New("key without a password")

// ErrWrongPassword says that the password does not open the key file. A file
// whose ciphertext was damaged looks the same: the cipher cannot tell them apart.
var ErrWrongPassword = errors.New("wrong password, or a damaged key file")

// GenerateKey makes a new ECDSA P-256 key and returns it as two PEM files: the
// private one, encrypted under password in the form that cosign reads, and the
// public one. An empty password is ErrNoPassword.
func GenerateKey(password []byte) (private, public []byte, err error) {
	if len(password) == 0 {
		return nil, nil, ErrNoPassword
	}
	private, public, err = cryptoutils.GeneratePEMEncodedECDSAKeyPair(elliptic.P256(), cryptoutils.StaticPasswordFunc(password))
	if err != nil {
		return nil, nil, fmt.Errorf("generate key: %w", err)
	}
	return private, public, nil
}

// Signer signs statements with one private key. Many goroutines may use it.
type Signer struct {
	key     PublicKey
	signer  *signature.ECDSASigner
	private *ecdsa.PrivateKey // the same key, for signatures in SSH's format
}

// OpenKey decrypts a private key that GenerateKey or cosign wrote. An empty
// password is tried like any other, as cosign lets people choose it. It returns
// ErrWrongPassword, an UnsupportedKeyError for a key of another kind or one that
// is not encrypted, or a MalformedError. A hostile file can ask for no more than
// 128 MiB and a second or so of scrypt.
func OpenKey(data, password []byte) (*Signer, error) {
	der, err := decryptKey(data, password)
	if err != nil {
		return nil, err
	}
	defer clear(der)
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		// The parser's own words could repeat a part of what it read.
		return nil, &MalformedError{What: "key file", Reason: "what it encrypts is not a PKCS #8 private key"}
	}
	return newSigner(key)
}

func newSigner(private crypto.PrivateKey) (*Signer, error) {
	ours, ok := private.(*ecdsa.PrivateKey)
	if !ok {
		return nil, &UnsupportedKeyError{Kind: kindOf(private), Reason: "charter signs with ECDSA P-256"}
	}
	key, err := newPublicKey(ours.Public())
	if err != nil {
		return nil, err
	}
	signer, err := signature.LoadECDSASigner(ours, crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("load private key: %w", err)
	}
	return &Signer{key: key, signer: signer, private: ours}, nil
}

// PublicKey returns the public half of the key.
func (s *Signer) PublicKey() PublicKey { return s.key }

// Sign returns a bundle in which this key signs exactly the bytes of statement,
// as one line. The statement may be of any predicateType; what a Verifier would
// refuse before it looks at the predicate is refused here, with the same errors.
func (s *Signer) Sign(statement []byte) ([]byte, error) {
	if _, err := readStatement(statement); err != nil {
		return nil, err
	}
	sig, err := s.signer.SignMessage(bytes.NewReader(dsse.PAE(payloadType, statement)))
	if err != nil {
		return nil, fmt.Errorf("sign with key %s: %w", s.key.fingerprint.Short(), err)
	}
	return writeBundle(&envelope{payload: statement, sig: sig, hint: s.key.fingerprint.Hint()})
}

// decryptKey returns the DER bytes that a key file holds.
func decryptKey(data, password []byte) ([]byte, error) {
	block, err := onePEM("key file", data)
	if err != nil {
		return nil, err
	}
	if block.Type != sigstoreKeyHeader && block.Type != cosignKeyHeader {
		return nil, &UnsupportedKeyError{
			Kind:   quoted(block.Type),
			Reason: fmt.Sprintf("a private key is encrypted, under %q; cosign import-key-pair makes one of it", sigstoreKeyHeader),
		}
	}
	if err := checkBox(block.Bytes); err != nil {
		return nil, err
	}
	der, err := encrypted.Decrypt(block.Bytes, password)
	if err != nil {
		return nil, ErrWrongPassword // checkBox has ruled out every other cause
	}
	return der, nil
}

// box is the JSON inside the PEM block of a private key.
type box struct {
	KDF struct {
		Name   string `json:"name"`
		Params struct {
			N int `json:"N"`
			R int `json:"r"`
			P int `json:"p"`
		} `json:"params"`
		Salt []byte `json:"salt"`
	} `json:"kdf"`
	Cipher struct {
		Name  string `json:"name"`
		Nonce []byte `json:"nonce"`
	} `json:"cipher"`
	Ciphertext []byte `json:"ciphertext"`
}

// checkBox refuses what the cipher would refuse for another reason than the
// password, and what would cost too much to try: scrypt takes 1 KiB times N.
func checkBox(data []byte) error {
	refuse := func(format string, args ...any) error {
		return &MalformedError{What: "key file", Reason: fmt.Sprintf(format, args...)}
	}
	var b box
	if err := json.Unmarshal(data, &b); err != nil {
		return refuse("no JSON object with kdf, cipher and ciphertext in its PEM block")
	}
	params := b.KDF.Params
	switch {
	case b.KDF.Name != "scrypt":
		return refuse("kdf %s, want scrypt", quoted(b.KDF.Name))
	case !slices.Contains([]int{1 << 15, 1 << 16, 1 << 17}, params.N), params.R != 8, params.P != 1:
		return refuse("scrypt with N=%d r=%d p=%d, want N=32768, 65536 or 131072, r=8 p=1", params.N, params.R, params.P)
	case b.Cipher.Name != "nacl/secretbox":
		return refuse("cipher %s, want nacl/secretbox", quoted(b.Cipher.Name))
	case len(b.Cipher.Nonce) != 24:
		return refuse("a nonce of %d bytes, want 24", len(b.Cipher.Nonce))
	}
	return nil
}
