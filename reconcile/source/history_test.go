package source_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/veonahealth/charter/reconcile/source"
)

// graph makes a repository of n commits, each with up to three earlier ones as
// parents and a date of its own, which lies by up to a while.
func graph(t *testing.T, random *rand.Rand, n, lie int) (dir string, commits []string) {
	t.Helper()
	dir = repository(t, sample)
	tree := git(t, dir, "rev-parse", "HEAD^{tree}")
	for i := range n {
		args := []string{"commit-tree", "-m", fmt.Sprint(i), tree}
		for range min(i, random.IntN(4)) {
			args = append(args, "-p", commits[random.IntN(i)])
		}
		date := fmt.Sprintf("@%d +0000", 1_800_000_000+100*i+random.IntN(lie))
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a",
			"GIT_AUTHOR_DATE="+date, "GIT_COMMITTER_DATE="+date)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		commits = append(commits, strings.TrimSpace(string(out)))
	}
	return dir, commits
}

func TestAncestryIsWhatGitSays(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	dir, commits := graph(t, random, 40, 1)
	repo := open(t, dir)
	for range 60 {
		a, b := commits[random.IntN(len(commits))], commits[random.IntN(len(commits))]
		cmd := exec.Command("git", "merge-base", "--is-ancestor", a, b)
		cmd.Dir = dir
		want := cmd.Run() == nil
		if got, err := repo.IsAncestor(t.Context(), a, b); err != nil || got != want {
			t.Errorf("%s an ancestor of %s: %v, %v, want %v", a, b, got, err, want)
		}
		if got := between(t, repo, a, b); !slices.Equal(sorted(got), sorted(revList(t, dir, a, b))) {
			t.Errorf("%s..%s: %d commits, want %d", a, b, len(got), len(revList(t, dir, a, b)))
		}
	}
}

func TestBetweenLeavesNothingOutWhereDatesLie(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	dir, commits := graph(t, random, 40, 3000)
	repo := open(t, dir)
	for range 60 {
		a, b := commits[random.IntN(len(commits))], commits[random.IntN(len(commits))]
		got := between(t, repo, a, b)
		for _, c := range revList(t, dir, a, b) {
			if !slices.Contains(got, c) {
				t.Errorf("%s..%s leaves out %s", a, b, c)
			}
		}
	}
}

func between(t *testing.T, repo *source.Repository, a, b string) []string {
	t.Helper()
	list, err := repo.Between(t.Context(), a, b)
	if err != nil {
		t.Fatal(err)
	}
	var hashes []string
	for _, c := range list {
		hashes = append(hashes, c.Hash)
	}
	return hashes
}

func revList(t *testing.T, dir, a, b string) []string {
	return strings.Fields(git(t, dir, "rev-list", a+".."+b))
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

func TestAHistoryThatIsCutOffIsSaidToBe(t *testing.T) {
	dir := repository(t, sample)
	first := git(t, dir, "rev-parse", "HEAD")
	for i := range 3 {
		commit(t, dir, map[string]string{"fleet.cue": fmt.Sprint(i)})
	}
	head := git(t, dir, "rev-parse", "HEAD")
	repo, _ := clone(t, "file://"+dir, "--depth", "1")
	var shallow *source.ShallowError
	if _, err := repo.IsAncestor(t.Context(), first, head); !errors.As(err, &shallow) || !strings.Contains(err.Error(), "--unshallow") {
		t.Errorf("%v", err)
	}
	if _, err := repo.Between(t.Context(), first, head); !errors.As(err, &shallow) {
		t.Errorf("%v", err)
	}
}

func TestACommitWithASecondTreeIsRefused(t *testing.T) {
	dir := repository(t, sample)
	object := git(t, dir, "cat-file", "commit", "HEAD")
	tree, rest, _ := strings.Cut(object, "\n")
	for name, text := range map[string]string{
		"second tree": tree + "\n" + tree + "\n" + rest, "late parent": strings.Replace(object, "\n\n", "\nparent "+git(t, dir, "rev-parse", "HEAD")+"\n\n", 1),
		"no committer": tree + "\n\nx",
	} {
		write(t, dir, map[string]string{"../object": text + "\n"})
		hash := git(t, dir, "hash-object", "--literally", "-t", "commit", "-w", "../object")
		if c, err := open(t, dir).ReadCommit(hash); err == nil {
			t.Errorf("%s: read as %+v", name, c)
		}
	}
}
