package source_test

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/veonahealth/charter/reconcile/source"
)

// grownRepository has some files that a number of commits changed a little, so that
// git makes deltas of deltas.
func grownRepository(t testing.TB, commits int) string {
	t.Helper()
	text := func(i, version int) string {
		var b strings.Builder
		for line := range 60 {
			fmt.Fprintf(&b, "line %d of file %d, as it was in version %d\n", line, i, version*min(1, (line+version)%7))
		}
		return b.String()
	}
	many := map[string]string{"large.bin": strings.Repeat("0123456789abcdef\n", 20_000), "empty": ""}
	for i := range 40 {
		many[fmt.Sprintf("d%d/f%02d.cue", i%4, i)] = text(i, 0)
	}
	dir := repository(t, many)
	for version := 1; version < commits; version++ {
		commit(t, dir, map[string]string{
			fmt.Sprintf("d%d/f%02d.cue", version%4, version%40): text(version%40, version),
			"large.bin": strings.Repeat("0123456789abcdef\n", 20_000-version),
		})
	}
	return dir
}

// thePack is the path of a file of the only pack that a repository has.
func thePack(t testing.TB, dir, suffix string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, ".git/objects/pack/*"+suffix))
	if err != nil || len(found) != 1 {
		t.Fatalf("%v, %v", found, err)
	}
	return found[0]
}

// catFile is what git says that each object is: its kind and content by its name.
func catFile(t testing.TB, dir string) map[string]string {
	t.Helper()
	cmd := exec.Command("git", "cat-file", "--batch-all-objects", "--batch")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	objects := map[string]string{}
	for rest := string(out); rest != ""; {
		head, after, _ := strings.Cut(rest, "\n")
		var name, kind string
		var size int
		if _, err := fmt.Sscan(head, &name, &kind, &size); err != nil {
			t.Fatalf("%q: %v", head, err)
		}
		objects[name] = kind + " " + after[:size]
		rest = after[size+1:]
	}
	return objects
}

// readAll reads every commit of the history, and all its files, and holds them
// against git's words; it returns how many objects it compared, and the errors.
func readAll(t testing.TB, repo *source.Repository, head string, want map[string]string) (same int, errs []error) {
	t.Helper()
	for hash := head; hash != ""; {
		c, err := repo.ReadCommit(hash)
		if err != nil {
			return same, append(errs, err)
		}
		if got := "commit " + string(c.Object); got != want[hash] {
			t.Fatalf("commit %s is\n%s\nand git says\n%s", hash, got, want[hash])
		}
		same++
		files := repo.Files(source.Commit{Hash: c.Hash, Tree: c.Tree})
		err = fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			data, err := fs.ReadFile(files, path)
			if err != nil {
				return err
			}
			name := d.(*source.Entry).Hash()
			if got := "blob " + string(data); got != want[name] || info.Size() != int64(len(data)) {
				t.Fatalf("%s of %s differs from git's", path, hash)
			}
			same++
			return nil
		})
		if err != nil {
			errs = append(errs, err)
		}
		hash = strings.Join(c.Parents, "")
	}
	return same, errs
}

func TestPackedObjectsAreWhatGitSaysTheyAre(t *testing.T) {
	for name, repack := range map[string][][]string{
		"deltas by offset":      {{"repack", "-q", "-a", "-d", "-f", "--depth=40", "--window=40"}},
		"deltas by name":        {{"-c", "repack.useDeltaBaseOffset=false", "repack", "-q", "-a", "-d", "-f", "--depth=40", "--window=40"}},
		"one pack after other":  {{"repack", "-q", "-d"}, {"commit", "-q", "--allow-empty", "-m", "more"}, {"repack", "-q", "-d"}},
		"loose after a pack":    {{"repack", "-q", "-a", "-d"}, {"commit", "-q", "--allow-empty", "-m", "more"}},
		"as offsets over 2 GiB": {{"repack", "-q", "-a", "-d", "-f"}, {"index-pack", "--index-version=2,0x40", "PACK"}},
		"deltas of huge bases":  {{"repack", "-q", "-a", "-d", "-f", "--depth=4095", "--window=250"}},
		"nothing is compressed": {{"-c", "core.compression=0", "repack", "-q", "-a", "-d", "-F"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := grownRepository(t, 30)
			for _, args := range repack {
				if last := len(args) - 1; args[last] == "PACK" {
					args[last] = thePack(t, dir, ".pack")
					if err := os.Remove(thePack(t, dir, ".idx")); err != nil {
						t.Fatal(err)
					}
				}
				git(t, dir, args...)
			}
			want := catFile(t, dir)
			same, errs := readAll(t, open(t, dir), git(t, dir, "rev-parse", "HEAD"), want)
			if len(errs) > 0 || same < 30*43 {
				t.Errorf("%d are the same, %v", same, errs)
			}
		})
	}
}

func TestObjectsAreReadWhileGitPacksThem(t *testing.T) {
	dir := grownRepository(t, 12)
	want, head := catFile(t, dir), git(t, dir, "rev-parse", "HEAD")
	repo := open(t, dir)
	var readers sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		readers.Go(func() {
			for {
				if _, errs := readAll(t, repo, head, want); len(errs) > 0 {
					t.Error(errs)
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for _, args := range [][]string{{"repack", "-q", "-d"}, {"repack", "-q", "-a", "-d", "-f"}, {"repack", "-q", "-a", "-d", "-f", "--depth=1"}, {"gc", "-q", "--prune=now"}} {
		git(t, dir, args...)
	}
	close(done)
	readers.Wait()
}

// Whatever stands in a pack or its index, what is read is what its name says, or an
// error.
func TestADamagedPackIsAnErrorOrHarmless(t *testing.T) {
	dir := grownRepository(t, 8)
	git(t, dir, "repack", "-q", "-a", "-d", "-f", "--depth=40", "--window=40")
	want, head := catFile(t, dir), git(t, dir, "rev-parse", "HEAD")
	paths := []string{thePack(t, dir, ".idx"), thePack(t, dir, ".pack")}
	for _, path := range paths {
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	refused := 0
	for round := range 120 {
		path := paths[round%2]
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		data := append([]byte{}, whole...)
		switch round % 5 {
		case 0:
			data = data[:random.IntN(len(data))]
		default:
			for range 1 + round%40 {
				data[random.IntN(len(data))] = byte(random.Uint32())
			}
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		repo, err := source.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, errs := readAll(t, repo, head, want); len(errs) > 0 {
			refused++
		}
		if err := repo.Close(); err != nil {
			t.Error(err)
		}
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if refused == 0 {
		t.Error("no damage was noticed")
	}
}
