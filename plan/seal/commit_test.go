package seal_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/veonahealth/charter/plan/seal"
)

// workshop is a git repository and the homes of the real ssh-keygen, git and gpg
// in a folder of their own.
type workshop struct {
	dir string
	env []string
}

func newWorkshop(t testing.TB) *workshop {
	t.Helper()
	for _, tool := range []string{"git", "ssh-keygen"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("no %s here: nothing is tried against the real one", tool)
		}
	}
	dir := t.TempDir()
	home := filepath.Join(dir, "gnupg")
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	w := &workshop{dir: dir, env: append(os.Environ(),
		"HOME="+dir, "GNUPGHOME="+home, "GIT_CONFIG_NOSYSTEM=1", "SSH_AUTH_SOCK=",
		"GIT_AUTHOR_NAME=Otieno", "GIT_AUTHOR_EMAIL=otieno@example.org", "GIT_AUTHOR_DATE=2026-11-20T10:00:00Z",
		"GIT_COMMITTER_NAME=Wanjiru", "GIT_COMMITTER_EMAIL=wanjiru@example.org", "GIT_COMMITTER_DATE=2026-11-21T10:00:00Z")}
	w.run(t, "git", "init", "--quiet", "--initial-branch=main", ".")
	w.run(t, "git", "config", "gpg.ssh.allowedSignersFile", filepath.Join(dir, "allowed"))
	return w
}

// run runs a tool that has to succeed and returns what it prints.
func (w *workshop) run(t testing.TB, name string, args ...string) []byte {
	t.Helper()
	out, err := w.try(name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func (w *workshop) try(name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = w.dir, w.env
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	return append(out, errs.Bytes()...), err
}

func (w *workshop) write(t testing.TB, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (w *workshop) read(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(w.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// sshKey makes a key pair of a kind and returns its public line.
func (w *workshop) sshKey(t testing.TB, name string, kind ...string) string {
	t.Helper()
	w.run(t, "ssh-keygen", append([]string{"-q", "-N", "", "-C", name, "-f", name, "-t"}, kind...)...)
	return strings.TrimSpace(w.read(t, name+".pub"))
}

// pgpKey makes an OpenPGP key and returns it armored.
func (w *workshop) pgpKey(t testing.TB, name, kind string) []byte {
	t.Helper()
	if _, err := exec.LookPath("gpg"); err != nil {
		t.Skip("no gpg here: nothing is tried against the real one")
	}
	t.Cleanup(func() { w.try("gpgconf", "--kill", "all") })
	w.run(t, "gpg", "--batch", "--quiet", "--faked-system-time", "20260101T000000", "--passphrase", "", "--quick-generate-key", name, kind, "sign", "never")
	return w.run(t, "gpg", "--armor", "--export", name)
}

// commit makes a commit by the real git and returns the object.
func (w *workshop) commit(t testing.TB, args ...string) []byte {
	t.Helper()
	w.run(t, "git", append(args, "commit", "--quiet", "--allow-empty", "-m", "a change\n\nof something")...)
	return w.object(t, "HEAD")
}

func (w *workshop) object(t testing.TB, rev string) []byte {
	t.Helper()
	cmd := exec.Command("git", "cat-file", "commit", rev)
	cmd.Dir, cmd.Env = w.dir, w.env
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func signWithSSH(key string) []string {
	return []string{"-c", "gpg.format=ssh", "-c", "user.signingKey=" + key, "-c", "commit.gpgSign=true"}
}

func signWithPGP(name string) []string {
	return []string{"-c", "gpg.format=openpgp", "-c", "user.signingKey=" + name, "-c", "commit.gpgSign=true"}
}

func sshCommitKey(t testing.TB, line string) seal.CommitKey {
	t.Helper()
	key, err := seal.ParseSSHKey(line)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// signedObject puts a signature into a commit's header as git does.
func signedObject(payload []byte, signature string) []byte {
	head, message, _ := bytes.Cut(payload, []byte("\n\n"))
	header := "\ngpgsig " + strings.ReplaceAll(signature, "\n", "\n ")
	return bytes.Join([][]byte{head, []byte(header), []byte("\n\n"), message}, nil)
}

func TestGitAcceptsACommitThatCharterSigned(t *testing.T) {
	w := newWorkshop(t)
	signer := goldenSigner(t)
	w.write(t, "allowed", []byte("charter@example.org namespaces=\"git\" "+signer.PublicKey().AuthorizedKey()+"\n"))
	payload := w.commit(t)
	signature, err := signer.SignCommit(payload)
	if err != nil {
		t.Fatal(err)
	}
	object := signedObject(payload, signature)
	w.write(t, "object", object)
	id := strings.TrimSpace(string(w.run(t, "git", "hash-object", "-t", "commit", "-w", "object")))
	if out := string(w.run(t, "git", "verify-commit", "--raw", id)); !strings.Contains(out, "charter@example.org") {
		t.Errorf("git verify-commit says %q", out)
	}
	w.write(t, "signature", []byte(signature+"\n"))
	w.write(t, "payload", payload)
	w.run(t, "sh", "-c", "ssh-keygen -Y verify -f allowed -I charter@example.org -n git -s signature <payload")

	found, err := seal.VerifyCommit(object, publicKey(t, "cosign.pub"), signer.PublicKey())
	if err != nil || found != signer.PublicKey().Fingerprint() {
		t.Errorf("VerifyCommit = %v, %v", found, err)
	}
	if _, err := seal.VerifyCommit(object, publicKey(t, "cosign.pub")); !isError[*seal.UntrustedError](err) {
		t.Errorf("VerifyCommit by another key: %v", err)
	}
}

func isError[E error](err error) bool {
	_, is := errors.AsType[E](err)
	return is
}

func TestWhatGitSignsVerifies(t *testing.T) {
	w := newWorkshop(t)
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	kinds := map[string][]string{
		"ed25519": {"ed25519"}, "ecdsa": {"ecdsa", "-b", "256"}, "p521": {"ecdsa", "-b", "521"}, "rsa": {"rsa", "-b", "2048"},
	}
	for name, kind := range kinds {
		t.Run("ssh "+name, func(t *testing.T) {
			key := sshCommitKey(t, w.sshKey(t, name, kind...))
			got, err := seal.NewCommitVerifier(key).Verify(w.commit(t, signWithSSH(name)...))
			want := seal.CommitSignature{Signer: key.Fingerprint(), Committer: "wanjiru@example.org", At: at}
			if err != nil || got != want {
				t.Errorf("got %+v, %v, want %+v", got, err, want)
			}
		})
	}
	for name, kind := range map[string]string{"gpg-ed25519": "ed25519", "gpg-rsa": "rsa2048", "gpg-p256": "nistp256"} {
		t.Run(name, func(t *testing.T) {
			key, err := seal.ParseOpenPGPKey(w.pgpKey(t, name+"@example.org", kind))
			if err != nil {
				t.Fatal(err)
			}
			got, err := seal.NewCommitVerifier(key).Verify(w.commit(t, signWithPGP(name+"@example.org")...))
			if err != nil || got.Signer != key.Fingerprint() {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestAMergeOfASignedTagVerifies(t *testing.T) {
	w := newWorkshop(t)
	key := sshCommitKey(t, w.sshKey(t, "key", "ed25519"))
	w.commit(t)
	w.run(t, "git", "checkout", "--quiet", "-b", "side")
	w.commit(t)
	w.run(t, "git", append(signWithSSH("key"), "tag", "-s", "-m", "side", "v1")...)
	w.run(t, "git", "checkout", "--quiet", "main")
	w.run(t, "git", append(signWithSSH("key"), "-c", "i18n.commitEncoding=ISO-8859-1", "merge", "--quiet", "--no-ff", "-m", "K\xf6nig", "v1")...)
	object := w.object(t, "HEAD")
	for _, header := range []string{"\nmergetag ", "\nencoding ", "\ngpgsig "} {
		if !bytes.Contains(object, []byte(header)) {
			t.Fatalf("the merge has no header %q", header)
		}
	}
	if got, err := seal.NewCommitVerifier(key).Verify(object); err != nil || got.Signer != key.Fingerprint() {
		t.Errorf("got %+v, %v", got, err)
	}
}

// Every altered object is refused, and by the error that says what is wrong.
func TestACommitThatDoesNotHoldIsRefusedByName(t *testing.T) {
	w := newWorkshop(t)
	line := w.sshKey(t, "key", "ed25519")
	verifier := seal.NewCommitVerifier(sshCommitKey(t, line))
	good := w.commit(t, signWithSSH("key")...)
	unsigned := w.commit(t)
	w.sshKey(t, "ca", "ed25519")
	w.run(t, "ssh-keygen", "-q", "-s", "ca", "-I", "otieno", "-n", "otieno", "key.pub")
	certified := w.commit(t, signWithSSH("key-cert.pub")...)
	w.write(t, "payload", unsigned)
	w.run(t, "ssh-keygen", "-q", "-Y", "sign", "-n", "file", "-f", "key", "payload")
	replace := func(old, with string) []byte { return bytes.Replace(good, []byte(old), []byte(with), 1) }
	cases := map[string]struct {
		object []byte
		is     func(error) bool
	}{
		"unsigned":            {unsigned, isError[*seal.UnsignedError]},
		"message altered":     {replace("a change", "A change"), isError[*seal.CommitError]},
		"header inserted":     {replace("\ncommitter ", "\nreviewed yes\ncommitter "), isError[*seal.CommitError]},
		"committer altered":   {replace("wanjiru@", "w@"), isError[*seal.CommitError]},
		"two committers":      {replace("\ncommitter ", "\ncommitter A <a@b> 1 +0000\ncommitter "), isError[*seal.MalformedError]},
		"two signatures":      {replace("\ngpgsig ", "\ngpgsig x\ngpgsig "), isError[*seal.MalformedError]},
		"SSH certificate":     {certified, isError[*seal.CommitError]},
		"signature of a file": {signedObject(unsigned, strings.TrimSpace(w.read(t, "payload.sig"))), isError[*seal.CommitError]},
		"X.509":               {signedObject(unsigned, "-----BEGIN SIGNED MESSAGE-----\nAAAA\n-----END SIGNED MESSAGE-----"), isError[*seal.CommitError]},
		"of no kind":          {signedObject(unsigned, "trust me"), isError[*seal.CommitError]},
		"no committer":        {[]byte("tree 0\n\nx"), isError[*seal.MalformedError]},
		"empty":               {nil, isError[*seal.MalformedError]},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got, err := verifier.Verify(c.object); !c.is(err) {
				t.Errorf("got %+v, %v (%T)", got, err, err)
			}
		})
	}
	if _, err := verifier.Verify(good); err != nil {
		t.Errorf("the commit that was altered does not verify itself: %v", err)
	}
}

func TestAnSSHKeySignsWithinItsLifetime(t *testing.T) {
	w := newWorkshop(t)
	line := w.sshKey(t, "key", "ed25519")
	object := w.commit(t, signWithSSH("key")...) // at 2026-11-21T10:00:00Z
	for options, alive := range map[string]bool{
		``:                           true,
		`valid-before="20270101" `:   true,
		`valid-before="20261121" `:   false,
		`valid-after="20261122Z" `:   false,
		`valid-after="202611211000"`: true,
		`valid-before="20261121100000Z",valid-after="20200101",namespaces="file,git"`: false,
	} {
		t.Run(options, func(t *testing.T) {
			_, err := seal.NewCommitVerifier(sshCommitKey(t, options+" "+line)).Verify(object)
			if alive && err != nil || !alive && !isError[*seal.LifetimeError](err) {
				t.Errorf("alive %v, but %v", alive, err)
			}
		})
	}
}

func TestAKeyThatMayNotSignCommitsIsRefusedByName(t *testing.T) {
	w := newWorkshop(t)
	line := w.sshKey(t, "key", "ed25519")
	w.sshKey(t, "ca", "ed25519")
	w.run(t, "ssh-keygen", "-q", "-s", "ca", "-I", "otieno", "-n", "otieno", "key.pub")
	cases := map[string]struct {
		line string
		is   func(error) bool
	}{
		"certificate": {w.read(t, "key-cert.pub"), isError[*seal.UnsupportedKeyError]},
		"authority":   {"cert-authority " + line, isError[*seal.UnsupportedKeyError]},
		"short RSA":   {w.sshKey(t, "short", "rsa", "-b", "1024"), isError[*seal.UnsupportedKeyError]},
		"DSA":         {"ssh-dss AAAAB3NzaC1kc3MAAAADAQABAAAAAwEAAQAAAAMBAAEAAAADAQAB", func(err error) bool { return err != nil }},
		"option":      {`command="x" ` + line, isError[*seal.MalformedError]},
		"namespace":   {`namespaces="file" ` + line, isError[*seal.MalformedError]},
		"lifetime":    {`valid-before="tomorrow" ` + line, isError[*seal.MalformedError]},
		"two lines":   {line + "\n" + line, isError[*seal.MalformedError]},
		"private":     {w.read(t, "key"), isError[*seal.MalformedError]},
		"nothing":     {"", isError[*seal.MalformedError]},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := seal.ParseSSHKey(c.line); !c.is(err) {
				t.Errorf("got %v (%T)", err, err)
			}
		})
	}
}

// The same key in SSH's line and in a PEM file is one key.
func TestOneKeyHasOneFingerprintInEverySpelling(t *testing.T) {
	key := goldenSigner(t).PublicKey()
	if got := sshCommitKey(t, key.AuthorizedKey()).Fingerprint(); got != key.Fingerprint() {
		t.Errorf("SSH's line has %s, the PEM file %s", got, key.Fingerprint())
	}
}

// testdata holds a commit that gpg signed, for machines that have none.
func TestTheGoldenOpenPGPCommitVerifies(t *testing.T) {
	key, err := seal.ParseOpenPGPKey(golden(t, "pgp.asc"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := seal.NewCommitVerifier(key).Verify(golden(t, "pgp-commit")); err != nil || got.Signer != key.Fingerprint() {
		t.Errorf("got %+v, %v", got, err)
	}
}

// Whatever verifies is what one of the two keys signed: the payload of the seeds.
func FuzzVerifyCommit(f *testing.F) {
	signer := goldenSigner(f)
	pgp, err := seal.ParseOpenPGPKey(golden(f, "pgp.asc"))
	if err != nil {
		f.Fatal(err)
	}
	payload := []byte("tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nx\n")
	signature, err := signer.SignCommit(payload)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signedObject(payload, signature))
	f.Add(golden(f, "pgp-commit"))
	verifier := seal.NewCommitVerifier(signer.PublicKey().CommitKey(), pgp)
	f.Fuzz(func(t *testing.T, object []byte) {
		if _, err := verifier.Verify(object); err == nil && !bytes.HasPrefix(object, payload[:50]) {
			t.Errorf("verified what nobody signed: %q", object)
		}
	})
}

// A key that is read has one fingerprint, however it stands.
func FuzzParseKey(f *testing.F) {
	f.Add(string(golden(f, "charter.pub")))
	f.Add(string(golden(f, "pgp.asc")))
	f.Add(`valid-before="20270101" ` + goldenSigner(f).PublicKey().AuthorizedKey())
	f.Fuzz(func(t *testing.T, text string) {
		key, approves, err := seal.ParseKey(text)
		if err == nil && approves != nil && approves.Fingerprint() != key.Fingerprint() {
			t.Errorf("as an approver's %s, as a committer's %s", approves.Fingerprint(), key.Fingerprint())
		}
	})
}

// gpg's keys end as gpg says: each case is a commit and the error that names what
// is wrong with it.
func TestAnOpenPGPSignatureThatDoesNotHoldIsRefusedByName(t *testing.T) {
	w := newWorkshop(t)
	armored := w.pgpKey(t, "otieno@example.org", "ed25519")
	key, err := seal.ParseOpenPGPKey(armored)
	if err != nil {
		t.Fatal(err)
	}
	verifier := seal.NewCommitVerifier(key)
	good := w.commit(t, signWithPGP("otieno@example.org")...)
	w.pgpKey(t, "other@example.org", "ed25519")
	other := w.commit(t, signWithPGP("other@example.org")...)
	unsigned := w.commit(t)
	w.write(t, "payload", unsigned)
	twice := w.run(t, "gpg", "--batch", "--quiet", "--armor", "--detach-sign", "-u", "otieno@example.org", "-u", "other@example.org", "-o", "-", "payload")
	old := w.run(t, "gpg", "--batch", "--quiet", "--armor", "--detach-sign", "--faked-system-time", "20250101T000000!",
		"--ignore-time-conflict", "-u", "otieno@example.org", "-o", "-", "payload")
	weak := w.run(t, "gpg", "--batch", "--quiet", "--armor", "--detach-sign", "--digest-algo", "SHA1", "-u", "otieno@example.org", "-o", "-", "payload")
	sign := func(signature []byte) []byte { return signedObject(unsigned, strings.TrimSpace(string(signature))) }
	cases := map[string]struct {
		object []byte
		is     func(error) bool
	}{
		"message altered":         {bytes.Replace(good, []byte("a change"), []byte("A change"), 1), isError[*seal.CommitError]},
		"a key of others":         {other, isError[*seal.UntrustedError]},
		"two signatures":          {sign(twice), isError[*seal.CommitError]},
		"older than its key":      {sign(old), isError[*seal.LifetimeError]},
		"over SHA-1":              {sign(weak), isError[*seal.CommitError]},
		"armor of something else": {sign(armored), isError[*seal.CommitError]},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got, err := verifier.Verify(c.object); !c.is(err) {
				t.Errorf("got %+v, %v (%T)", got, err, err)
			}
		})
	}
	if _, err := verifier.Verify(good); err != nil {
		t.Errorf("the commit that was altered does not verify itself: %v", err)
	}
}

func TestAnOpenPGPKeyThatMayNotSignCommitsIsRefusedByName(t *testing.T) {
	w := newWorkshop(t)
	armored := w.pgpKey(t, "otieno@example.org", "ed25519")
	w.pgpKey(t, "weak@example.org", "rsa1024")
	secret := w.run(t, "gpg", "--batch", "--quiet", "--armor", "--export-secret-keys", "otieno@example.org")
	both := w.run(t, "gpg", "--armor", "--export")
	cases := map[string]struct {
		armored []byte
		is      func(error) bool
	}{
		"short RSA": {w.run(t, "gpg", "--armor", "--export", "weak@example.org"), isError[*seal.UnsupportedKeyError]},
		"private":   {secret, isError[*seal.MalformedError]},
		"two keys":  {both, isError[*seal.MalformedError]},
		"cut":       {armored[:len(armored)/2], isError[*seal.MalformedError]},
		"nothing":   {nil, isError[*seal.MalformedError]},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := seal.ParseOpenPGPKey(c.armored)
			if !c.is(err) {
				t.Errorf("got %v (%T)", err, err)
			}
			if err != nil && strings.Contains(err.Error(), "=\n") {
				t.Errorf("it repeats what it read: %v", err)
			}
		})
	}
}

// A key as a policy holds it says by itself what it is.
func TestParseKeyTellsTheKindsApart(t *testing.T) {
	w := newWorkshop(t)
	ssh, pgp := w.sshKey(t, "key", "ed25519"), string(w.pgpKey(t, "otieno@example.org", "ed25519"))
	for name, c := range map[string]struct {
		text     string
		approves bool
	}{"PEM": {string(golden(t, "charter.pub")), true}, "SSH": {ssh, false}, "OpenPGP": {pgp, false}} {
		t.Run(name, func(t *testing.T) {
			key, approves, err := seal.ParseKey("\n" + c.text + "\n")
			if err != nil || (approves != nil) != c.approves {
				t.Fatalf("approves %v, %v", approves, err)
			}
			names, err := seal.KeyNames(c.text)
			if want := []string{key.Fingerprint().String(), key.Name()}; err != nil || !slices.Equal(names, want) {
				t.Errorf("names %s, %v, want %s", names, err, want)
			}
			if name == "OpenPGP" != (len(key.Name()) == 40) {
				t.Errorf("name %s", key.Name())
			}
		})
	}
}
