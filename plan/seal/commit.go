package seal

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// MaxCommit is the largest commit object that is looked at, in bytes.
const MaxCommit = 4 << 20

// gitNamespace is what git asks SSH to sign for, so that a signature of a file,
// or one that logged somebody in, is none of a commit.
const gitNamespace = "git"

// The headers under which git keeps a commit's signature: of repositories that
// name objects by SHA-1, and by SHA-256. Neither is a part of what is signed.
const (
	signatureHeader    = "gpgsig"
	signature256Header = "gpgsig-sha256"
)

// SignCommit returns the SSH signature by which this key signs a commit: payload
// is the commit object without one, and the answer, without a newline at its
// end, goes into the commit's gpgsig header. git verify-commit accepts it where
// gpg.ssh.allowedSignersFile holds a line with PublicKey.AuthorizedKey.
func (s *Signer) SignCommit(payload []byte) (string, error) {
	key, err := ssh.NewSignerFromSigner(s.private)
	if err != nil {
		return "", fmt.Errorf("sign commit with key %s: %w", s.key.fingerprint.Short(), err)
	}
	sig, err := sshsig.SignWithRand(bytes.NewReader(payload), rand.Reader, key, sshsig.HashSHA512, gitNamespace)
	if err != nil {
		return "", fmt.Errorf("sign commit with key %s: %w", s.key.fingerprint.Short(), err)
	}
	return strings.TrimRight(string(sshsig.Armor(sig)), "\n"), nil
}

// VerifyCommit returns which of some keys signed a commit, as its gpgsig header
// says: object is the whole commit object, as git cat-file commit prints it. Its
// errors are those of CommitVerifier.Verify.
func VerifyCommit(object []byte, trusted ...PublicKey) (Fingerprint, error) {
	keys := make([]CommitKey, 0, len(trusted))
	for _, key := range trusted {
		keys = append(keys, key.CommitKey())
	}
	found, err := NewCommitVerifier(keys...).Verify(object)
	return found.Signer, err
}

// CommitSignature is a commit's signature that holds.
type CommitSignature struct {
	Signer    Fingerprint // of the key, CommitKey.Fingerprint; for OpenPGP, of the key that people were given, not of a subkey
	Committer string      // the committer's e-mail address: the signer's own word, as all that a commit says
	At        time.Time   // the committer's date: the signer's own word too
}

// CommitVerifier verifies commits against some keys. Many goroutines may use it.
type CommitVerifier struct {
	ssh map[string]CommitKey // by the key's wire form
	pgp pgpRing
}

// NewCommitVerifier returns a verifier that trusts these keys; with none, no
// commit verifies.
func NewCommitVerifier(keys ...CommitKey) *CommitVerifier {
	v := &CommitVerifier{ssh: map[string]CommitKey{}}
	for _, key := range keys {
		if key.entity != nil {
			v.pgp = append(v.pgp, key)
		} else if key.ssh != nil {
			v.ssh[string(key.ssh.Marshal())] = key
		}
	}
	return v
}

// Verify returns who signed a commit, given the whole object: merges and commits
// with headers of any kind are verified over the very bytes. The errors:
// UnsignedError, UntrustedError (its key is none of ours), LifetimeError (it was
// not in force at the commit's own date), CommitError for a signature that does
// not hold or is of a kind that is not supported, and MalformedError.
func (v *CommitVerifier) Verify(object []byte) (CommitSignature, error) {
	c, err := readCommit(object)
	if err != nil {
		return CommitSignature{}, err
	}
	signer, err := v.signer(c)
	if err != nil {
		return CommitSignature{}, err
	}
	return CommitSignature{Signer: signer, Committer: c.committer, At: c.at}, nil
}

func (v *CommitVerifier) signer(c *commit) (Fingerprint, error) {
	switch head, _, _ := strings.Cut(c.signature, "\n"); head {
	case "-----BEGIN SSH SIGNATURE-----":
		return v.verifySSH(c)
	case "-----BEGIN PGP SIGNATURE-----", "-----BEGIN PGP MESSAGE-----":
		return v.pgp.verify(c)
	case "-----BEGIN SIGNED MESSAGE-----":
		return Fingerprint{}, &CommitError{Reason: "signed with a certificate (X.509, as gitsign does); only SSH and OpenPGP keys are supported"}
	default:
		return Fingerprint{}, &CommitError{Reason: "a signature that begins " + quoted(head) + ", which is of no kind that is known"}
	}
}

func (v *CommitVerifier) verifySSH(c *commit) (Fingerprint, error) {
	sig, err := sshsig.Unarmor([]byte(c.signature))
	if err != nil {
		return Fingerprint{}, &CommitError{Reason: "SSH signature: " + oneLine(err.Error())}
	}
	if _, certified := sig.PublicKey.(*ssh.Certificate); certified {
		return Fingerprint{}, &CommitError{Reason: "signed with an SSH certificate; only plain SSH keys are supported"}
	}
	key, known := v.ssh[string(sig.PublicKey.Marshal())]
	if !known {
		return Fingerprint{}, &UntrustedError{Key: ssh.FingerprintSHA256(sig.PublicKey)}
	}
	if err := sshsig.Verify(bytes.NewReader(c.payload), sig, key.ssh, sig.HashAlgorithm, gitNamespace); err != nil {
		return Fingerprint{}, &CommitError{Reason: "SSH signature by " + key.name + ": " + oneLine(err.Error())}
	}
	return key.fingerprint, key.alive(c.at)
}

// commit is a commit object taken apart.
type commit struct {
	payload   []byte // what is signed: the object without its signature's header
	signature string // armored, ended by a newline
	committer string // the e-mail address
	at        time.Time
}

// readCommit takes a commit object apart. Bytes that are signed stay as they
// are, whatever headers and encodings they hold.
func readCommit(object []byte) (*commit, error) {
	if len(object) > MaxCommit {
		return nil, malformedCommit("%d bytes, want at most %d", len(object), MaxCommit)
	}
	c := &commit{payload: make([]byte, 0, len(object))}
	signatures, committers := 0, 0
	for rest, keep := object, true; len(rest) > 0; {
		line, next := cutLine(rest)
		if string(line) == "\n" { // what follows is the message, and no header
			c.payload = append(c.payload, rest...)
			break
		}
		name, value, _ := strings.Cut(string(line), " ")
		switch {
		case name == "": // a line that goes on with the header before it
			if !keep {
				c.signature += value
			}
		case name == signatureHeader || name == signature256Header:
			keep, signatures = false, signatures+1
			c.signature = value
		default:
			keep = true
		}
		if name == "committer" {
			committers++
			if err := c.readCommitter(value); err != nil {
				return nil, err
			}
		}
		if keep {
			c.payload = append(c.payload, line...)
		}
		rest = next
	}
	if committers != 1 || signatures > 1 {
		return nil, malformedCommit("%d committers and %d signatures, want one of each", committers, signatures)
	}
	if signatures == 0 {
		return nil, &UnsignedError{Committer: c.committer}
	}
	return c, nil
}

// readCommitter reads "NAME <ADDRESS> SECONDS ZONE".
func (c *commit) readCommitter(value string) error {
	open, shut := strings.LastIndexByte(value, '<'), strings.LastIndexByte(value, '>')
	if open < 0 || shut < open {
		return malformedCommit("a committer without an address")
	}
	c.committer = value[open+1 : shut]
	seconds, _, _ := strings.Cut(strings.TrimSpace(value[shut+1:]), " ")
	at, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || at < 0 || at > maxUnix {
		return malformedCommit("a committer without a time")
	}
	c.at = time.Unix(at, 0).UTC()
	return nil
}

// maxUnix is the last second that RFC 3339 can write.
const maxUnix = 253402300799

// cutLine cuts the first line off, with its newline.
func cutLine(text []byte) (line, rest []byte) {
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		return text[:i+1], text[i+1:]
	}
	return text, nil
}

func malformedCommit(format string, args ...any) error {
	return &MalformedError{What: "commit", Reason: fmt.Sprintf(format, args...)}
}
