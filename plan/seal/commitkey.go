package seal

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/sigstore/sigstore/pkg/signature"
	"golang.org/x/crypto/ssh"
)

// dsa is how SSH calls the keys that are too short in every size.
const dsa = "ssh-dss"

// minRSA is the fewest bits that an RSA key has which may sign commits.
const minRSA = 2048

// CommitKey is a key that may sign commits: an SSH key, an OpenPGP key, or one
// that signs approvals too. Parsing makes one; the zero CommitKey signs nothing.
type CommitKey struct {
	fingerprint   Fingerprint
	name          string
	ssh           ssh.PublicKey   // nil for OpenPGP
	after, before time.Time       // an SSH key's lifetime; zero where it has no such end
	entity        *openpgp.Entity // nil for SSH
}

// Fingerprint returns the key's one identity, in whichever spelling it was
// given: an SSH key and a PEM file with the same key in it have the same.
func (k CommitKey) Fingerprint() Fingerprint { return k.fingerprint }

// Name returns the key as people know it: what ssh-keygen -l shows (SHA256:…) or
// an OpenPGP fingerprint, 40 hexadecimal digits in capitals.
func (k CommitKey) Name() string { return k.name }

// CommitKey returns the key as one that may sign commits, in SSH's format.
func (k PublicKey) CommitKey() CommitKey {
	key := k.ssh()
	return CommitKey{fingerprint: k.fingerprint, name: ssh.FingerprintSHA256(key), ssh: key}
}

// AuthorizedKey returns the key in the line that SSH and git know it by, such as
// "ecdsa-sha2-nistp256 AAAA…", without a newline.
func (k PublicKey) AuthorizedKey() string {
	return strings.TrimRight(string(ssh.MarshalAuthorizedKey(k.ssh())), "\n")
}

func (k PublicKey) ssh() ssh.PublicKey {
	public, err := k.verifier.(signature.PublicKeyProvider).PublicKey()
	if err != nil {
		panic(err) // newPublicKey made the verifier of a key
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		panic(err) // SSH knows both kinds that checkKind lets pass
	}
	return key
}

// ParseSSHKey returns the key of one line as in authorized_keys or in a .pub
// file. Of options there may be those that bound its lifetime: valid-after="…"
// and valid-before="…" (YYYYMMDD[HHMM[SS]] with or without Z, in UTC), and
// namespaces that hold "git". Certificates and their authorities are refused by
// name, as are DSA and RSA of less than 2048 bits (UnsupportedKeyError); anything
// that is no such line is a MalformedError.
func ParseSSHKey(line string) (CommitKey, error) {
	text := strings.TrimSpace(line)
	if len(text) > maxPEM || strings.ContainsAny(text, "\r\n") {
		return CommitKey{}, malformedSSH("want one line of at most %d bytes", maxPEM)
	}
	public, _, options, _, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil {
		return CommitKey{}, malformedSSH("no line of an SSH public key, such as ssh-ed25519 AAAA…")
	}
	fingerprint, err := sshFingerprint(public)
	if err != nil {
		return CommitKey{}, err
	}
	key := CommitKey{fingerprint: fingerprint, name: ssh.FingerprintSHA256(public), ssh: public}
	for _, option := range options {
		if err := key.option(option); err != nil {
			return CommitKey{}, err
		}
	}
	return key, nil
}

// option takes one option of an SSH key's line in.
func (k *CommitKey) option(option string) (err error) {
	name, value, _ := strings.Cut(option, "=")
	value = strings.Trim(value, `"`)
	switch strings.ToLower(name) {
	case "valid-after":
		k.after, err = parseLifetime(value)
	case "valid-before", "expiry-time":
		k.before, err = parseLifetime(value)
	case "namespaces":
		if !strings.Contains(","+value+",", ","+gitNamespace+",") {
			err = malformedSSH("its namespaces do not hold %q", gitNamespace)
		}
	case "cert-authority":
		err = &UnsupportedKeyError{Kind: "SSH certificate authority", Reason: "only plain SSH keys are supported"}
	default:
		err = malformedSSH("option %s, want valid-after, valid-before or namespaces", quoted(name))
	}
	return err
}

// parseLifetime reads SSH's spelling of a time. Where SSH would take the zone of
// the machine, UTC is taken: the same policy means the same everywhere.
func parseLifetime(text string) (time.Time, error) {
	digits := strings.TrimSuffix(text, "Z")
	for _, layout := range []string{"20060102", "200601021504", "20060102150405"} {
		if at, err := time.Parse(layout, digits); err == nil {
			return at, nil
		}
	}
	return time.Time{}, malformedSSH("time %s, want YYYYMMDD[HHMM[SS]][Z]", quoted(text))
}

// alive returns a LifetimeError for a time outside of an SSH key's lifetime.
func (k *CommitKey) alive(at time.Time) error {
	switch {
	case !k.after.IsZero() && at.Before(k.after):
		return &LifetimeError{Key: k.name, At: at, Reason: "the key is valid from " + k.after.Format(time.RFC3339)}
	case !k.before.IsZero() && !at.Before(k.before):
		return &LifetimeError{Key: k.name, At: at, Reason: "the key was valid until " + k.before.Format(time.RFC3339)}
	}
	return nil
}

// sshFingerprint judges the kind of an SSH key and returns its identity. A
// security key's is of its wire form: the same point under another application
// is another key.
func sshFingerprint(key ssh.PublicKey) (Fingerprint, error) {
	if _, certified := key.(*ssh.Certificate); certified {
		return Fingerprint{}, &UnsupportedKeyError{Kind: key.Type(), Reason: "SSH certificates are not supported, only plain SSH keys"}
	}
	if strings.HasPrefix(key.Type(), "sk-") {
		return sha256.Sum256(key.Marshal()), nil
	}
	outer, ok := key.(ssh.CryptoPublicKey)
	if !ok || key.Type() == dsa {
		return Fingerprint{}, &UnsupportedKeyError{Kind: key.Type(), Reason: "use Ed25519, ECDSA or RSA"}
	}
	public := outer.CryptoPublicKey()
	if rsaKey, is := public.(*rsa.PublicKey); is && rsaKey.N.BitLen() < minRSA {
		return Fingerprint{}, weakRSA(rsaKey.N.BitLen())
	}
	return pkixFingerprint(public)
}

func pkixFingerprint(key crypto.PublicKey) (Fingerprint, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return Fingerprint{}, fmt.Errorf("write public key as PKIX: %w", err)
	}
	return sha256.Sum256(der), nil
}

// ParseKey reads a key as a policy holds it: PEM, an armored OpenPGP key, or an
// SSH line. approves is the key as one that signs approvals; nil for a key that
// signs commits alone. The errors are those of ParsePublicKey, ParseOpenPGPKey
// and ParseSSHKey.
func ParseKey(text string) (commits CommitKey, approves *PublicKey, err error) {
	switch trimmed := strings.TrimSpace(text); {
	case strings.HasPrefix(trimmed, "-----BEGIN PGP "):
		commits, err = ParseOpenPGPKey([]byte(trimmed))
		return commits, nil, err
	case strings.HasPrefix(trimmed, "-----BEGIN "):
		key, err := ParsePublicKey([]byte(trimmed))
		if err != nil {
			return CommitKey{}, nil, err
		}
		return key.CommitKey(), &key, nil
	}
	commits, err = ParseSSHKey(text)
	return commits, nil, err
}

// KeyNames returns what a key that ParseKey reads is called: first its fingerprint,
// which two spellings of one key share, then its Name.
func KeyNames(text string) ([]string, error) {
	key, _, err := ParseKey(text)
	if err != nil {
		return nil, err
	}
	return []string{key.fingerprint.String(), key.name}, nil
}

func weakRSA(bits int) error {
	return &UnsupportedKeyError{Kind: fmt.Sprintf("RSA of %d bits", bits), Reason: fmt.Sprintf("want %d or more", minRSA)}
}

func malformedSSH(format string, args ...any) error {
	return &MalformedError{What: "SSH key", Reason: fmt.Sprintf(format, args...)}
}
