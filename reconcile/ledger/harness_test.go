package ledger_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/seal"
	"github.com/veonahealth/charter/reconcile/ledger"
	"github.com/veonahealth/charter/reconcile/source"
)

var instant = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// applierKey is a key that stands for an applier in all tests: making one takes
// a while.
var applierKey = sync.OnceValues(func() (private, public []byte) { return makeKey() })

// strangerKey is one that no policy knows.
var strangerKey = sync.OnceValues(func() (private, public []byte) { return makeKey() })

func makeKey() (private, public []byte) {
	private, public, err := seal.GenerateKey([]byte("password"))
	if err != nil {
		panic(err)
	}
	return private, public
}

// keyring is a policy in which every key may carry out everything.
type keyring map[seal.Fingerprint]ring

type ring struct {
	id  string
	key seal.PublicKey
}

func (k keyring) Signer(_ context.Context, _ ledger.Pin, _ ledger.Act, _ time.Time, object []byte) (ledger.By, error) {
	var keys []seal.PublicKey
	for _, r := range k {
		keys = append(keys, r.key)
	}
	by, err := seal.VerifyCommit(object, keys...)
	if err != nil {
		return ledger.By{}, err
	}
	return ledger.By{Fingerprint: by.String(), ID: k[by].id}, nil
}

func (k keyring) Turned(context.Context, *ledger.Ledger, *ledger.Receipt) error { return nil }

// person is somebody with a key.
type person struct {
	writer ledger.Writer
	public seal.PublicKey
}

func somebody(t testing.TB, id string, keys func() (private, public []byte)) person {
	t.Helper()
	private, public := keys()
	key, err := seal.ParsePublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	signer := opened(t, private)
	return person{public: key, writer: ledger.Writer{
		By:     ledger.By{Fingerprint: key.Fingerprint().String(), ID: id},
		Author: source.Author{Name: id, Email: id + "@example.org"},
		Sign:   signer.SignCommit,
		Now:    func() time.Time { return instant },
	}}
}

var (
	signersMu sync.Mutex
	signers   = map[string]*seal.Signer{} // by their key files: opening one takes a while
)

func opened(t testing.TB, private []byte) *seal.Signer {
	t.Helper()
	signersMu.Lock()
	defer signersMu.Unlock()
	if s := signers[string(private)]; s != nil {
		return s
	}
	s, err := seal.OpenKey(private, []byte("password"))
	if err != nil {
		t.Fatal(err)
	}
	signers[string(private)] = s
	return s
}

func applier(t testing.TB) person { return somebody(t, "ci", applierKey) }

func trust(people ...person) keyring {
	k := keyring{}
	for _, p := range people {
		k[p.public.Fingerprint()] = ring{p.writer.By.ID, p.public}
	}
	return k
}

// git runs the real git in a folder.
func git(t testing.TB, dir string, args ...string) string {
	t.Helper()
	out, err := tryGit(dir, args...)
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func tryGit(dir string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.org")
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// site is a fleet's bare remote, and what founded its ledger.
type site struct {
	bare string
	root ledger.ID
	who  person
}

// remote makes a bare repository with one commit on main.
func remote(t testing.TB) string {
	t.Helper()
	bare := filepath.Join(t.TempDir(), "fleet.git")
	git(t, t.TempDir(), "init", "-q", "--bare", "-b", "main", bare)
	git(t, bare, "config", "gc.auto", "0")
	_, dir := clone(t, bare)
	git(t, dir, "commit", "-q", "--allow-empty", "-m", "first")
	git(t, dir, "push", "-q", "origin", "HEAD:main")
	return bare
}

// clone makes a clone by the real git, and opens it.
func clone(t testing.TB, bare string, args ...string) (*source.Repository, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "clone")
	git(t, t.TempDir(), append(append([]string{"clone", "-q"}, args...), bare, dir)...)
	return at(t, dir), dir
}

func at(t testing.TB, dir string) *source.Repository {
	t.Helper()
	repo, err := source.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := repo.Close(); err != nil {
			t.Error(err)
		}
	})
	return repo
}

const branch = "refs/heads/charter/default/audit"

func options(repo *source.Repository, root ledger.ID, people ...person) ledger.Options {
	return ledger.Options{Repo: repo, Environment: catalog.DefaultEnvironment, Root: root, Trust: trust(people...)}
}

var firstPolicy = ledger.Pin{Commit: strings.Repeat("a", 40), Digest: plan.DigestOf([]byte("policy"))}

func founding() ledger.Draft {
	return ledger.Draft{Intent: ledger.Intent{Reason: "a new fleet", Policy: firstPolicy, At: instant}}
}

// found makes a remote and founds a ledger on it.
func found(t testing.TB) site {
	t.Helper()
	s := site{bare: remote(t), who: applier(t)}
	repo, _ := clone(t, s.bare)
	root, err := ledger.Found(t.Context(), options(repo, ledger.ID{}), s.who.writer, founding())
	if err != nil {
		t.Fatal(err)
	}
	s.root = root
	return s
}

// open opens the ledger from a new clone.
func (s site) open(t testing.TB) (*ledger.Ledger, string) {
	t.Helper()
	repo, dir := clone(t, s.bare)
	l, err := ledger.Open(t.Context(), options(repo, s.root, s.who))
	if err != nil {
		t.Fatal(err)
	}
	return l, dir
}

// draft is an apply of some tenants' entitlements.
func draft(name string, tenants ...string) ledger.Draft {
	d := ledger.Draft{Plan: []byte("plan " + name + "\n"), Intent: ledger.Intent{Act: ledger.Apply, Commit: strings.Repeat("c", 40), At: instant}}
	for _, tenant := range tenants {
		d.Intent.Batches = append(d.Intent.Batches, batch(name, tenant))
	}
	return d
}

func batch(name, tenant string) ledger.Batch {
	return ledger.Batch{Digest: plan.DigestOf([]byte(name + tenant)), Path: "/tenants/" + tenant + "/entitlements", Subject: plan.Entitlements, Tenant: tenant}
}

// all are results in which every batch came to one state.
func all(d ledger.Draft, state ledger.State) ledger.Results {
	var r ledger.Results
	for _, b := range d.Intent.Batches {
		r.Batches = append(r.Batches, ledger.Result{Digest: b.Digest, State: state})
	}
	return r
}

// carry appends a whole receipt.
func carry(t testing.TB, l *ledger.Ledger, w ledger.Writer, d ledger.Draft) *ledger.Receipt {
	t.Helper()
	r, err := l.Intent(t.Context(), w, d)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Outcome(t.Context(), w, r.ID, all(d, ledger.Done)); err != nil {
		t.Fatal(err)
	}
	if r, err = l.Find(r.ID); err != nil {
		t.Fatal(err)
	}
	return r
}

// draftCommit is a commit of anything, signed.
func draftCommit(parent string, by person) source.Draft {
	return source.Draft{Parent: parent, Put: map[string][]byte{"readme": nil}, Author: by.writer.Author, When: instant, Message: "x", Sign: by.writer.Sign}
}

// plansOf are the open plans as a new clone sees them.
func plansOf(t *testing.T, bare string) *ledger.Plans {
	t.Helper()
	_, dir := clone(t, bare)
	return plansIn(t, dir)
}

func plansIn(t *testing.T, dir string) *ledger.Plans {
	t.Helper()
	return &ledger.Plans{
		Repo: at(t, dir), Environment: catalog.DefaultEnvironment, Author: source.Author{Name: "A", Email: "a@example.org"},
		Now: func() time.Time { return instant },
	}
}
