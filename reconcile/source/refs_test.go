package source_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/veonahealth/charter/reconcile/source"
)

const branch = "refs/heads/charter/default/audit"

// draft is a commit of one file that nobody signs.
func draft(parent, path, content string) source.Draft {
	return source.Draft{
		Parent: parent, Put: map[string][]byte{path: []byte(content)}, Message: "change",
		Author: source.Author{Name: "A", Email: "a@example.org"}, When: time.Unix(1_800_000_000, 0),
	}
}

// put writes a commit.
func put(t testing.TB, repo *source.Repository, d source.Draft) string {
	t.Helper()
	c, err := repo.Write(d)
	if err != nil {
		t.Fatal(err)
	}
	return c.Hash
}

func TestACommitIsOneThatGitAccepts(t *testing.T) {
	dir := repository(t, sample)
	git(t, dir, "update-index", "--chmod=+x", "fleet.cue")
	git(t, dir, "commit", "-q", "-m", "a program")
	repo := open(t, dir)
	first := put(t, repo, draft("", "receipts/000/000/intent.json", "{}\n"))
	second := put(t, repo, draft(first, "receipts/000/000/outcome.json", "{}\n"))
	onMain := put(t, repo, source.Draft{
		Parent: git(t, dir, "rev-parse", "HEAD"), Put: map[string][]byte{"tenants.txt": []byte("after tenants/"), "tenants/b/tenant.cue": []byte("b2\n")},
		Author: source.Author{Name: "A <\nB>", Email: "a@\x00example.org"}, When: time.Unix(1_800_000_000, 0), Message: "three\n\nwith a body\n\n",
		Sign: func(payload []byte) (string, error) {
			if !bytes.HasPrefix(payload, []byte("tree ")) {
				t.Errorf("signed %q", payload)
			}
			return "-----BEGIN SSH SIGNATURE-----\nabc\n-----END SSH SIGNATURE-----\n", nil
		},
	})
	if err := errors.Join(repo.SetRef(branch, "", second), repo.SetRef("refs/heads/other", "", onMain)); err != nil {
		t.Fatal(err)
	}
	if out := git(t, dir, "fsck", "--strict", "--full"); strings.Contains(out, "error") {
		t.Error(out)
	}
	if got := git(t, dir, "ls-tree", "-r", "--name-only", branch); got != "receipts/000/000/intent.json\nreceipts/000/000/outcome.json" {
		t.Error(got)
	}
	if got := git(t, dir, "diff", "--summary", "main", "other"); got != "create mode 100644 tenants.txt" {
		t.Error("another change than what was put: ", got)
	}
	read, err := repo.ReadCommit(onMain)
	if err != nil {
		t.Fatal(err)
	}
	if got := git(t, dir, "cat-file", "commit", onMain); strings.TrimSpace(string(read.Object)) != got || !read.Signed || read.Author.Name != "A B" || read.Message != "three\n\nwith a body\n" {
		t.Errorf("%+v\n%s", read, got)
	}
}

func TestAReferenceIsReadAndMovedWhereverGitKeepsIt(t *testing.T) {
	dir := repository(t, sample)
	repo := open(t, dir)
	one := git(t, dir, "rev-parse", "HEAD")
	two := commit(t, dir, map[string]string{"fleet.cue": "2"})
	want := func(hash string) {
		t.Helper()
		if got, err := repo.Ref(branch); err != nil || got != hash {
			t.Errorf("%q, %v, want %q", got, err, hash)
		}
	}
	move := func(from, to string) {
		t.Helper()
		if err := repo.SetRef(branch, from, to); err != nil {
			t.Error(err)
		}
		want(to)
	}
	want("")
	move("", one)
	git(t, dir, "pack-refs", "--all")
	want(one)
	move(one, two)
	if got := git(t, dir, "rev-parse", branch); got != two {
		t.Errorf("git reads %s", got)
	}
	if refs, err := repo.Refs("refs/heads/charter/"); err != nil || len(refs) != 1 || refs[branch] != two {
		t.Errorf("%v, %v", refs, err)
	}
	move(two, "") // and the packed one does not come to light
	if refs := git(t, dir, "for-each-ref", "--format=%(refname)"); refs != "refs/heads/main" {
		t.Error(refs)
	}
	git(t, dir, "fsck", "--strict")
}

func TestAReferenceThatIsElsewhereIsNotMoved(t *testing.T) {
	dir := repository(t, sample)
	repo := open(t, dir)
	one := git(t, dir, "rev-parse", "HEAD")
	two := commit(t, dir, map[string]string{"fleet.cue": "2"})
	for name, step := range map[string][2]string{"taken for new": {"", two}, "taken for older": {two, ""}} {
		git(t, dir, "update-ref", branch, one)
		if err := repo.SetRef(branch, step[0], step[1]); !errors.Is(err, source.ErrMoved) {
			t.Errorf("%s: %v", name, err)
		}
		if got := git(t, dir, "rev-parse", branch); got != one {
			t.Errorf("%s: it moved to %s", name, got)
		}
	}
}

func TestADamagedReferenceIsNeverTakenForNone(t *testing.T) {
	for name, content := range map[string]string{"empty": "", "symbolic": "ref: refs/heads/main\n", "short": "abc\n"} {
		dir := repository(t, sample)
		path := filepath.Join(dir, ".git", filepath.FromSlash(branch))
		write(t, filepath.Dir(path), map[string]string{filepath.Base(path): content})
		repo := open(t, dir)
		if hash, err := repo.Ref(branch); err == nil {
			t.Errorf("%s: %q", name, hash)
		}
		if err := repo.SetRef(branch, "", git(t, dir, "rev-parse", "HEAD")); err == nil {
			t.Errorf("%s: it was written over", name)
		}
	}
}

func TestReferenceNamesThatLeadElsewhereAreRefused(t *testing.T) {
	dir := repository(t, sample)
	repo := open(t, dir)
	head := git(t, dir, "rev-parse", "HEAD")
	for _, name := range []string{"HEAD", "config", "refs/../config", "refs/heads/a..b", "refs/heads//a", "refs/heads/.a", "refs/heads/a.lock", "refs/heads/a b", "refs/heads/a\nb", "refs/heads/"} {
		if err := repo.SetRef(name, "", head); err == nil {
			t.Errorf("%q was written", name)
		}
	}
}

func TestABranchNamedLikeOurFolderIsNoReferenceOfOurs(t *testing.T) {
	dir := repository(t, sample)
	git(t, dir, "branch", "charter")
	repo := open(t, dir)
	if hash, err := repo.Ref(branch); err != nil || hash != "" {
		t.Errorf("%q, %v", hash, err)
	}
	if err := repo.SetRef(branch, "", git(t, dir, "rev-parse", "HEAD")); err == nil {
		t.Error("a reference was written below another")
	}
}

// TestFoldersThatVanishAreMadeAgain packs the references and takes empty folders
// away, as git does, while a reference is written below them.
func TestFoldersThatVanishAreMadeAgain(t *testing.T) {
	dir := repository(t, sample)
	head := git(t, dir, "rev-parse", "HEAD")
	stop := make(chan struct{})
	var sweeper sync.WaitGroup
	sweeper.Go(func() {
		heads := filepath.Join(dir, ".git", "refs", "heads", "charter")
		for {
			select {
			case <-stop:
				return
			default:
				_, _ = os.Remove(filepath.Join(heads, "default")), os.Remove(heads)
			}
		}
	})
	repo := open(t, dir)
	for range 60 {
		if err := errors.Join(repo.SetRef(branch, "", head), repo.SetRef(branch, head, "")); err != nil {
			t.Error(err)
			break
		}
	}
	close(stop)
	sweeper.Wait()
}

// TestNoMoveIsLostBetweenUsAndGit lets goroutines and the real git append to one
// reference at once, while others read it. Every success must be in the history
// in the end, and nobody may ever see the reference gone.
func TestNoMoveIsLostBetweenUsAndGit(t *testing.T) {
	const each = 15
	dir := repository(t, sample)
	if err := open(t, dir).SetRef(branch, "", put(t, open(t, dir), draft("", "n", "0"))); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var readers, writers sync.WaitGroup
	readers.Go(func() {
		repo := open(t, dir)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if hash, err := repo.Ref(branch); err != nil || hash == "" {
				t.Errorf("a reader saw %q, %v", hash, err)
			}
		}
	})
	for i := range 3 {
		writers.Go(func() { appendOurs(t, dir, i, each) })
	}
	writers.Go(func() { appendWithGit(t, dir, each) })
	writers.Go(func() { git(t, dir, "pack-refs", "--all") })
	writers.Wait()
	close(stop)
	readers.Wait()
	if got := git(t, dir, "rev-list", "--count", branch); got != strconv.Itoa(1+4*each) {
		t.Errorf("%s commits, want %d", got, 1+4*each)
	}
}

func appendOurs(t *testing.T, dir string, who, times int) {
	repo := open(t, dir)
	for done := 0; done < times; {
		tip, err := repo.Ref(branch)
		if err != nil {
			t.Error(err)
			return
		}
		c, err := repo.Write(draft(tip, fmt.Sprintf("%d/%d", who, done), "x"))
		if err != nil {
			t.Error(err)
			return
		}
		switch err := repo.SetRef(branch, tip, c.Hash); {
		case err == nil:
			done++
		case !errors.Is(err, source.ErrMoved):
			t.Error(err)
			return
		}
	}
}

// appendWithGit tries until it has moved the reference often enough: git gives
// up at once where a lock is held.
func appendWithGit(t *testing.T, dir string, times int) {
	for done := 0; done < times; {
		tip := git(t, dir, "rev-parse", branch)
		next := git(t, dir, "commit-tree", "-p", tip, "-m", "git", tip+"^{tree}")
		cmd := exec.Command("git", "update-ref", branch, next, tip)
		cmd.Dir = dir
		if cmd.Run() == nil {
			done++
		}
	}
}

func TestALockThatIsLeftBehindIsNamed(t *testing.T) {
	dir := repository(t, sample)
	path := filepath.Join(dir, ".git", filepath.FromSlash(branch)) + ".lock"
	write(t, filepath.Dir(path), map[string]string{filepath.Base(path): ""})
	err := open(t, dir).SetRef(branch, "", git(t, dir, "rev-parse", "HEAD"))
	if err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error("a lock of another process was taken away")
	}
}

func TestObjectsAreFoundAfterGitHasPackedThem(t *testing.T) {
	dir := repository(t, sample)
	git(t, dir, "gc", "-q", "--prune=now")
	repo := open(t, dir)
	first := put(t, repo, draft(git(t, dir, "rev-parse", "HEAD"), "n", "1"))
	if err := repo.SetRef(branch, "", first); err != nil {
		t.Fatal(err)
	}
	git(t, dir, "gc", "-q", "--prune=now")
	if _, err := repo.ReadCommit(first); err != nil {
		t.Error(err)
	}
	git(t, dir, "commit", "-q", "--allow-empty", "-m", "second")
	git(t, dir, "gc", "-q", "--prune=now")
	if c, err := repo.Resolve("HEAD"); err != nil || c.Hash != git(t, dir, "rev-parse", "HEAD") {
		t.Error(c, err)
	}
}
