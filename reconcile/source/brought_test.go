package source_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/veonahealth/charter/reconcile/source"
)

// edited makes a repository in which a file is edited at random, a commit an
// edit, with a branch that is merged in between.
func edited(t *testing.T, random *rand.Rand, edits int) (dir string, lines int) {
	t.Helper()
	dir = repository(t, sample)
	text := []string{}
	next := 0
	step := func(at int) {
		for range 1 + random.IntN(3) {
			next++
			text = slices.Insert(text, min(at, len(text)), fmt.Sprint("line ", next))
		}
		if len(text) > 4 && random.IntN(2) == 0 {
			text = slices.Delete(text, at%len(text), at%len(text)+1)
		}
		file := filepath.Join(dir, "tenants", "edited.cue")
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(strings.Join(text, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		git(t, dir, "add", "-A")
		git(t, dir, "commit", "-q", "--allow-empty", "-m", fmt.Sprint("edit ", next))
	}
	for range edits {
		step(random.IntN(1 + len(text)))
		git(t, dir, "commit", "-q", "--allow-empty", "-m", "nothing of it")
	}
	git(t, dir, "checkout", "-q", "-b", "side")
	step(0)
	git(t, dir, "checkout", "-q", "-")
	git(t, dir, "commit", "-q", "--allow-empty", "-m", "meanwhile")
	git(t, dir, "merge", "-q", "--no-edit", "side")
	return dir, len(text)
}

func TestWhoBroughtALineIsWhomGitBlames(t *testing.T) {
	dir, lines := edited(t, rand.New(rand.NewPCG(5, 6)), 12)
	repo := open(t, dir)
	head := git(t, dir, "rev-parse", "HEAD")
	for line := 1; line <= lines; line++ {
		blamed, _, _ := strings.Cut(git(t, dir, "blame", "--porcelain", "-L", fmt.Sprintf("%d,%[1]d", line), "tenants/edited.cue"), " ")
		c, err := repo.Brought(t.Context(), head, "tenants/edited.cue", line, 1000)
		if err != nil || c.Hash != blamed {
			t.Errorf("line %d: %v, %v, and git blames %s", line, c, err, blamed)
		}
	}
}

func TestALineThatIsFarBackIsSaidToBe(t *testing.T) {
	dir, _ := edited(t, rand.New(rand.NewPCG(7, 8)), 4)
	for range 5 {
		git(t, dir, "commit", "-q", "--allow-empty", "-m", "more")
	}
	var far *source.FarError
	if c, err := open(t, dir).Brought(t.Context(), git(t, dir, "rev-parse", "HEAD"), "tenants/edited.cue", 1, 5); !errors.As(err, &far) {
		t.Errorf("%v, %v", c, err)
	}
}

func TestACommitTakesFilesAwayAndLeavesNoEmptyDirectory(t *testing.T) {
	dir, _ := edited(t, rand.New(rand.NewPCG(9, 10)), 2)
	repo := open(t, dir)
	c, err := repo.Write(source.Draft{
		Parent: git(t, dir, "rev-parse", "HEAD"), Message: "less", When: time.Unix(1_800_000_000, 0),
		Put: map[string][]byte{"tenants/edited.cue": nil, "tenants/never/there.cue": nil, "new/empty.cue": {}},
	})
	if err != nil {
		t.Fatal(err)
	}
	files := git(t, dir, "ls-tree", "-r", "-t", "--name-only", c.Hash)
	if strings.Contains(files, "edited.cue") || strings.Contains(files, "never") || !strings.Contains(files, "new/empty.cue") {
		t.Errorf("it holds\n%s", files)
	}
	before := git(t, dir, "ls-tree", "-r", "--name-only", "HEAD")
	if got := len(strings.Fields(git(t, dir, "ls-tree", "-r", "--name-only", c.Hash))); got != len(strings.Fields(before)) {
		t.Errorf("%d files, of\n%s", got, before)
	}
	git(t, dir, "fsck", "--strict", c.Hash)
}
