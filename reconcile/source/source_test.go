package source_test

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/veonahealth/charter/reconcile/source"
)

// git runs the real git in a folder.
func git(t testing.TB, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.org")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// write writes files, by path.
func write(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// repository makes one with a commit of files on main.
func repository(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	git(t, dir, "init", "-q", "-b", "main")
	commit(t, dir, files)
	return dir
}

func commit(t testing.TB, dir string, files map[string]string) string {
	t.Helper()
	write(t, dir, files)
	git(t, dir, "add", "-A")
	git(t, dir, "commit", "-q", "--allow-empty", "-m", "change")
	return git(t, dir, "rev-parse", "HEAD")
}

func open(t testing.TB, dir string) *source.Repository {
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

func files(t testing.TB, repo *source.Repository, revision string) *source.Files {
	t.Helper()
	c, err := repo.Resolve(revision)
	if err != nil {
		t.Fatal(err)
	}
	return repo.Files(c)
}

var sample = map[string]string{
	"fleet.cue":                  "package fleet\n",
	"tenants/a/tenant.cue":       "a\n",
	"tenants/b/tenant.cue":       "b\n",
	"tenants/b.c/tenant.cue":     "git orders this name before tenants/b\n",
	"organisations/lakeside.cue": "org\n",
}

func TestFilesAreAFileSystem(t *testing.T) {
	repo := open(t, repository(t, sample))
	var names []string
	for name := range sample {
		names = append(names, name)
	}
	if err := fstest.TestFS(files(t, repo, "HEAD"), names...); err != nil {
		t.Error(err)
	}
}

func TestReadsTheCommitAndNotTheWorkTree(t *testing.T) {
	dir := repository(t, sample)
	write(t, dir, map[string]string{"fleet.cue": "edited", "new.cue": "untracked"})
	got, err := fs.ReadFile(files(t, open(t, dir), "HEAD"), "fleet.cue")
	if err != nil || string(got) != sample["fleet.cue"] {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := fs.Stat(files(t, open(t, dir), "HEAD"), "new.cue"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an untracked file: %v", err)
	}
}

func TestEveryKindOfRepositoryReadsTheSame(t *testing.T) {
	dir := repository(t, sample)
	commit(t, dir, map[string]string{"fleet.cue": "second\n"})
	head := git(t, dir, "rev-parse", "HEAD")
	for name, make := range map[string]func(t *testing.T) string{
		"packed": func(t *testing.T) string {
			clone := filepath.Join(t.TempDir(), "clone")
			git(t, dir, "clone", "-q", dir, clone)
			git(t, clone, "gc", "-q")
			return clone
		},
		"bare": func(t *testing.T) string {
			clone := filepath.Join(t.TempDir(), "clone.git")
			git(t, dir, "clone", "-q", "--bare", dir, clone)
			return clone
		},
		"shallow": func(t *testing.T) string {
			clone := filepath.Join(t.TempDir(), "clone")
			git(t, dir, "clone", "-q", "--depth", "1", "file://"+dir, clone)
			return clone
		},
		"linked work tree": func(t *testing.T) string {
			linked := filepath.Join(t.TempDir(), "linked")
			git(t, dir, "worktree", "add", "-q", "--detach", linked)
			return linked
		},
		"sharing objects": func(t *testing.T) string {
			clone := filepath.Join(t.TempDir(), "clone")
			git(t, dir, "clone", "-q", "--shared", dir, clone)
			return clone
		},
		"a folder inside": func(*testing.T) string { return filepath.Join(dir, "tenants", "a") },
	} {
		t.Run(name, func(t *testing.T) {
			repo := open(t, make(t))
			c, err := repo.Resolve("HEAD")
			if err != nil || c.Hash != head {
				t.Fatalf("HEAD is %s, %v, want %s", c.Hash, err, head)
			}
			got, err := fs.ReadFile(repo.Files(c), "fleet.cue")
			if err != nil || string(got) != "second\n" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestWhatCannotBeReadIsSaidByName(t *testing.T) {
	sha256 := t.TempDir()
	git(t, sha256, "init", "-q", "--object-format=sha256")
	for _, c := range []struct{ name, dir, want string }{
		{"no repository", t.TempDir(), "not a git repository"},
		{"no folder", filepath.Join(t.TempDir(), "none"), "no such file"},
		{"SHA-256", sha256, "SHA-256 object format"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := source.Open(c.dir); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestResolve(t *testing.T) {
	dir := repository(t, sample)
	first := git(t, dir, "rev-parse", "HEAD")
	second := commit(t, dir, map[string]string{"fleet.cue": "second\n"})
	git(t, dir, "tag", "-a", "-m", "release", "v1", first)
	git(t, dir, "branch", "old", first)
	repo := open(t, dir)
	for _, c := range []struct{ revision, hash, ref string }{
		{"HEAD", second, "refs/heads/main"},
		{"main", second, "refs/heads/main"},
		{"refs/heads/old", first, "refs/heads/old"},
		{"old", first, "refs/heads/old"},
		{"v1", first, "refs/tags/v1"},
		{"HEAD~1", first, ""},
		{first, first, ""},
		{first[:10], first, ""},
	} {
		got, err := repo.Resolve(c.revision)
		want := source.Commit{Hash: c.hash, Tree: git(t, dir, "rev-parse", c.hash+"^{tree}"), Ref: c.ref}
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", c.revision, got, err, want)
		}
	}
	for _, revision := range []string{"none", strings.Repeat("0", 40), "", "HEAD~5", "../x", "HEAD:fleet.cue"} {
		var wrong *source.RevisionError
		if _, err := repo.Resolve(revision); !errors.As(err, &wrong) {
			t.Errorf("%q: %v, want a RevisionError", revision, err)
		}
	}
}

func TestARepositoryWithoutACommitSaysSo(t *testing.T) {
	dir := t.TempDir()
	git(t, dir, "init", "-q")
	repo, err := source.Open(dir)
	if err == nil {
		_, err = repo.Resolve("HEAD")
	}
	if err == nil || !strings.Contains(err.Error(), "has no commit yet") {
		t.Errorf("error %v", err)
	}
}

func TestLinksAndSubmodulesShowAndDoNotOpen(t *testing.T) {
	dir := repository(t, sample)
	if err := os.Symlink("../../etc/passwd", filepath.Join(dir, "link.cue")); err != nil {
		t.Fatal(err)
	}
	other := repository(t, sample)
	git(t, dir, "-c", "protocol.file.allow=always", "submodule", "add", "-q", other, "sub")
	git(t, dir, "add", "-A")
	git(t, dir, "commit", "-q", "-m", "links")
	tree := files(t, open(t, dir), "HEAD")
	entries, err := fs.ReadDir(tree, ".")
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]fs.FileMode{}
	for _, e := range entries {
		types[e.Name()] = e.Type()
	}
	if types["link.cue"] != fs.ModeSymlink || types["sub"] != fs.ModeIrregular {
		t.Errorf("types %v", types)
	}
	for _, name := range []string{"link.cue", "sub", "sub/fleet.cue", "link.cue/x"} {
		if _, err := tree.Open(name); err == nil {
			t.Errorf("%s opens", name)
		}
	}
}

func TestHashesAreGits(t *testing.T) {
	dir := repository(t, sample)
	entries, err := fs.ReadDir(files(t, open(t, dir), "HEAD"), "tenants")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if got, want := e.(*source.Entry).Hash(), git(t, dir, "rev-parse", "HEAD:tenants/"+e.Name()); got != want {
			t.Errorf("%s: %s, want %s", e.Name(), got, want)
		}
	}
}

func TestChangedAgreesWithGit(t *testing.T) {
	dir := repository(t, sample)
	commits := []string{git(t, dir, "rev-parse", "HEAD")}
	for _, change := range []func(){
		func() { write(t, dir, map[string]string{"tenants/a/tenant.cue": "changed\n"}) },
		func() { write(t, dir, map[string]string{"tenants/c/tenant.cue": "new\n", "tenants/c/x/y": "new\n"}) },
		func() { git(t, dir, "rm", "-q", "-r", "tenants/b") },
		func() { git(t, dir, "mv", "tenants/b.c", "tenants/d") },
		func() {
			git(t, dir, "rm", "-q", "-r", "tenants/c")
			write(t, dir, map[string]string{"tenants/c": "a file\n"})
		},
		func() { git(t, dir, "update-index", "--chmod=+x", "fleet.cue") },
	} {
		change()
		commits = append(commits, commit(t, dir, nil))
	}
	repo := open(t, dir)
	for i, from := range commits {
		for _, to := range commits[i:] {
			var got []string
			for path, err := range changedBetween(t, repo, from, to) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, path)
			}
			slices.Sort(got)
			want := strings.Fields(git(t, dir, "diff-tree", "-r", "--no-renames", "--name-only", from, to))
			slices.Sort(want)
			if diff := cmp.Diff(fmt.Sprint(want), fmt.Sprint(got)); diff != "" {
				t.Errorf("%.8s..%.8s -want +got:\n%s", from, to, diff)
			}
		}
	}
}

func TestChangedStopsWhenItsReaderDoes(t *testing.T) {
	dir := repository(t, sample)
	first := git(t, dir, "rev-parse", "HEAD")
	second := commit(t, dir, map[string]string{"tenants/a/tenant.cue": "1", "tenants/b/tenant.cue": "2", "x/y/z": "3"})
	repo := open(t, dir)
	seen := 0
	for range changedBetween(t, repo, first, second) {
		seen++
		break
	}
	if seen != 1 {
		t.Errorf("%d paths after the first", seen)
	}
}

func TestManyGoroutinesReadTheSameBytes(t *testing.T) {
	many := map[string]string{}
	for i := range 200 {
		many[fmt.Sprintf("tenants/t-%03d/tenant.cue", i)] = strings.Repeat(fmt.Sprintf("tenant %d\n", i), 50)
	}
	dir := repository(t, many)
	git(t, dir, "gc", "-q")
	tree := files(t, open(t, dir), "HEAD")
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for name, want := range many {
				if got, err := fs.ReadFile(tree, name); err != nil || string(got) != want {
					t.Errorf("%s: %d bytes, %v", name, len(got), err)
					return
				}
			}
		})
	}
	wait.Wait()
}

func TestAMissingObjectIsNamed(t *testing.T) {
	dir := repository(t, sample)
	blob := git(t, dir, "rev-parse", "HEAD:tenants/a/tenant.cue")
	if err := os.Remove(filepath.Join(dir, ".git", "objects", blob[:2], blob[2:])); err != nil {
		t.Fatal(err)
	}
	_, err := fs.ReadFile(files(t, open(t, dir), "HEAD"), "tenants/a/tenant.cue")
	if err == nil || !strings.Contains(err.Error(), blob) {
		t.Errorf("error %v, want it to name %s", err, blob)
	}
}

func TestAMalformedTreeIsRefused(t *testing.T) {
	dir := repository(t, sample)
	for _, entry := range []string{"100644 ../escape", "100644 a/b", "100644 .", "100644"} {
		raw := entry + "\x00" + strings.Repeat("\x01", 20)
		cmd := exec.Command("git", "hash-object", "-t", "tree", "-w", "--literally", "--stdin")
		cmd.Dir = dir
		cmd.Stdin = strings.NewReader(raw)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		repo := open(t, dir)
		tree := repo.Files(source.Commit{Tree: strings.TrimSpace(string(out))})
		if _, err := tree.ReadDir("."); err == nil || !strings.Contains(err.Error(), "malformed") {
			t.Errorf("%q: %v, want malformed", entry, err)
		}
	}
}

func TestRemoteShowsNoSecret(t *testing.T) {
	for url, want := range map[string]string{
		"https://user:secret@example.org/fleet.git?token=x": "https://example.org/fleet.git",
		"git@example.org:fleet.git":                         "git@example.org:fleet.git",
		"/srv/fleet.git":                                    "/srv/fleet.git",
	} {
		dir := repository(t, sample)
		git(t, dir, "remote", "add", "origin", url)
		if got := open(t, dir).Remote(); got != want {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
	if got := open(t, repository(t, sample)).Remote(); got != "" {
		t.Errorf("without a remote: %q", got)
	}
}

func TestCloneReadsARemoteAndLeavesNothing(t *testing.T) {
	dir := repository(t, sample)
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	repo, err := source.Clone(t.Context(), "file://"+dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fs.Stat(files(t, repo, "HEAD"), "tenants/a/tenant.cue"); err != nil {
		t.Error(err)
	}
	if err := repo.Close(); err != nil {
		t.Error(err)
	}
	if _, err := source.Clone(t.Context(), "file:///nowhere/at/all?token=secret"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("a remote that is not there: %v", err)
	}
	left, err := os.ReadDir(temp)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestIsURL(t *testing.T) {
	for name, want := range map[string]bool{
		"https://example.org/x": true, "git@example.org:x.git": true, "file:///x": true,
		".": false, "/srv/x": false, "a/b@c:d": false, `C:\fleet`: false, "fleet": false,
	} {
		if got := source.IsURL(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func changedBetween(t testing.TB, repo *source.Repository, from, to string) iter.Seq2[string, error] {
	t.Helper()
	return source.Changed(files(t, repo, from), files(t, repo, to))
}

func TestOneFileIsReadByItsPathAlone(t *testing.T) {
	dir := repository(t, sample)
	if err := os.Symlink("fleet.cue", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	commit(t, dir, nil)
	all := files(t, open(t, dir), "HEAD")
	for name, want := range sample {
		if got, err := all.ReadAt(name, 100); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"tenants", "none", "fleet.cue/none", "tenants/none/tenant.cue", "link", "", ".", "../fleet.cue", "/fleet.cue"} {
		if got, err := all.ReadAt(name, 100); err == nil {
			t.Errorf("%q: %q", name, got)
		}
	}
	if _, err := all.ReadAt("none", 100); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if got, err := all.ReadAt("fleet.cue", 3); err == nil {
		t.Errorf("more than was asked for: %q", got)
	}
}
