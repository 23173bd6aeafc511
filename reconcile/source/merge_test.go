package source_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/veonahealth/charter/reconcile/source"
)

// branches makes a repository with two branches that grew apart.
func branches(t *testing.T, main, side map[string]string) (dir string, repo *source.Repository, target, branch source.Commit) {
	t.Helper()
	dir = repository(t, map[string]string{
		"a/one": "1\n", "a/two": "2\n", "b/c/three": "3\n", "gone": "0\n", "top": "t\n", "a-b": "x\n",
	})
	git(t, dir, "checkout", "-q", "-b", "side")
	change(t, dir, side)
	git(t, dir, "checkout", "-q", "main")
	change(t, dir, main)
	repo = open(t, dir)
	var err, err2 error
	target, err = repo.Resolve("main")
	branch, err2 = repo.Resolve("side")
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	return dir, repo, target, branch
}

// change commits files; one without content is deleted.
func change(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		if content == "" {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
			delete(files, name)
		}
	}
	commit(t, dir, files)
}

func TestOntoIsWhatGitMerges(t *testing.T) {
	for name, c := range map[string]struct{ main, side map[string]string }{
		"one side":           {nil, map[string]string{"a/one": "1x\n", "d/e/new": "n\n"}},
		"the other side":     {map[string]string{"top": "tt\n"}, nil},
		"both, in one dir":   {map[string]string{"a/one": "1x\n"}, map[string]string{"a/two": "2x\n", "a/new": "n\n"}},
		"both, the same":     {map[string]string{"top": "same\n"}, map[string]string{"top": "same\n"}},
		"both add":           {map[string]string{"n/x": "x\n"}, map[string]string{"n/y": "y\n"}},
		"removed":            {map[string]string{"a/one": "1x\n"}, map[string]string{"gone": "", "b/c/three": ""}},
		"a dir of two sides": {map[string]string{"a/one": "", "a/two": ""}, map[string]string{"top": "t2\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir, repo, target, branch := branches(t, c.main, c.side)
			merged, err := repo.Onto(t.Context(), target, branch)
			if err != nil {
				t.Fatal(err)
			}
			if want := git(t, dir, "merge-tree", "--write-tree", "main", "side"); merged.Tree() != want {
				t.Errorf("tree %s, and git's is %s", merged.Tree(), want)
			}
			var paths []string
			if err := fs.WalkDir(merged, ".", func(path string, d fs.DirEntry, err error) error {
				if err == nil && !d.IsDir() {
					paths = append(paths, path)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
			if err := fstest.TestFS(merged, paths...); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOntoRefusesWhatBothSidesChanged(t *testing.T) {
	_, repo, target, branch := branches(t,
		map[string]string{"a/one": "main\n", "top": "main\n", "gone": ""},
		map[string]string{"a/one": "side\n", "top": "side\n", "gone": "kept\n"})
	_, err := repo.Onto(t.Context(), target, branch)
	var conflict *source.ConflictError
	if !errors.As(err, &conflict) {
		t.Fatal(err)
	}
	slices.Sort(conflict.Paths)
	if !slices.Equal(conflict.Paths, []string{"a/one", "gone", "top"}) {
		t.Error(conflict.Paths)
	}
}

func TestOntoSaysWhatAShallowCloneLacks(t *testing.T) {
	dir, _, _, _ := branches(t, map[string]string{"top": "m\n"}, map[string]string{"a/one": "s\n"})
	shallow := filepath.Join(t.TempDir(), "clone")
	git(t, dir, "clone", "-q", "--depth=1", "--no-single-branch", "file://"+dir, shallow)
	repo := open(t, shallow)
	target, err := repo.Resolve("origin/main")
	if err != nil {
		t.Fatal(err)
	}
	branch, err := repo.Resolve("origin/side")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = repo.Onto(t.Context(), target, branch); err == nil || !strings.Contains(err.Error(), "too shallow") {
		t.Errorf("error %v", err)
	}
}
