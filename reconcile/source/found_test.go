package source_test

import (
	"errors"
	"testing"
	"time"

	"github.com/veonahealth/charter/reconcile/source"
)

var ann = source.Author{Name: "Ann", Email: "ann@example.org"}

func TestFoundMakesARepositoryThatGitIsContentWith(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a/b.cue": "b\n", "c.cue": "c\n", "other": "not ours\n"})
	hash, err := source.Found(dir, []string{"a/b.cue", "c.cue"}, "Lay out\n", ann, time.Unix(1_800_000_000, 0).UTC())
	if err != nil {
		t.Fatal(err)
	}
	if got := git(t, dir, "rev-parse", "main"); got != hash {
		t.Errorf("main is %s, want %s", got, hash)
	}
	git(t, dir, "fsck", "--strict")
	if got := git(t, dir, "log", "--format=%an <%ae> %s"); got != "Ann <ann@example.org> Lay out" {
		t.Errorf("log: %s", got)
	}
	if got := git(t, dir, "status", "--porcelain"); got != "?? other" {
		t.Errorf("status: %q", got)
	}
}

func TestFoundKnowsNoAuthorWhereGitDoesNot(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", "")
	dir := t.TempDir()
	write(t, dir, map[string]string{"c.cue": "c\n"})
	if _, err := source.Found(dir, []string{"c.cue"}, "Lay out\n", source.Author{}, time.Now()); !errors.Is(err, source.ErrNoAuthor) {
		t.Errorf("error %v", err)
	}
}

func TestFoundCommitsNothingBesideAHistory(t *testing.T) {
	dir := repository(t, sample)
	head := git(t, dir, "rev-parse", "HEAD")
	write(t, dir, map[string]string{"new.cue": "n\n"})
	if _, err := source.Found(dir, []string{"new.cue"}, "Lay out\n", ann, time.Now()); !errors.Is(err, source.ErrHistory) {
		t.Errorf("error %v", err)
	}
	if got := git(t, dir, "rev-parse", "HEAD"); got != head {
		t.Errorf("HEAD moved to %s", got)
	}
}
