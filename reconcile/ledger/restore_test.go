package ledger_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/veonahealth/charter/reconcile/ledger"
)

func TestTheLongestVerifiedCopyIsPushedBack(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, s site){
		"rolled back": func(t *testing.T, s site) { git(t, s.bare, "update-ref", branch, branch+"~2") },
		"taken away":  func(t *testing.T, s site) { git(t, s.bare, "update-ref", "-d", branch) },
		"tampered with": func(t *testing.T, s site) {
			git(t, s.bare, "update-ref", branch, branch+"~1")
			s.forge(t, s.who, "nothing", map[string][]byte{"readme": nil})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, o, dir := seen(t, t.TempDir())
			whole := git(t, dir, "rev-parse", branch)
			spoil(t, s)
			// A clone that has seen none of it, and is told where a whole copy is.
			repo, _ := clone(t, s.bare)
			other := options(repo, s.root, s.who)
			done, err := ledger.Restore(t.Context(), other, dir)
			if err != nil {
				t.Fatal(err)
			}
			if got := git(t, s.bare, "rev-parse", branch); got != whole || done.Now != whole || done.Receipts != 3 || len(done.Given) != 0 {
				t.Errorf("the branch is at %s, want %s: %+v", got, whole, done)
			}
			for _, o := range []ledger.Options{o, other} {
				if l, err := ledger.Open(t.Context(), o); err != nil || l.Len() != 3 {
					t.Errorf("%v", err)
				}
			}
		})
	}
}

func TestAClonesOwnCopyIsPushedBack(t *testing.T) {
	s, o, dir := seen(t, "")
	whole := git(t, dir, "rev-parse", branch)
	git(t, s.bare, "update-ref", "-d", branch)
	if done, err := ledger.Restore(t.Context(), o, ""); err != nil || done.Was != "" || done.Now != whole {
		t.Fatalf("%+v, %v", done, err)
	}
	if got := git(t, s.bare, "rev-parse", branch); got != whole {
		t.Errorf("the branch is at %s, want %s", got, whole)
	}
	if done, err := ledger.Restore(t.Context(), o, ""); err != nil || done.Was != done.Now {
		t.Errorf("a second time: %+v, %v", done, err)
	}
}

func TestOfTwoCopiesThatPartTheNamedOneIsTaken(t *testing.T) {
	s, o, dir := seen(t, "")
	whole := git(t, dir, "rev-parse", branch)
	git(t, s.bare, "update-ref", branch, branch+"~4")
	l, _ := s.open(t)
	var given []ledger.ID
	for n := range 3 { // longer than the other one
		given = append(given, carry(t, l, s.who.writer, draft(fmt.Sprint("meanwhile ", n), "kisumu")).ID)
	}
	there := git(t, s.bare, "rev-parse", branch)
	var parted *ledger.PartedError
	if done, err := ledger.Restore(t.Context(), o, ""); !errors.As(err, &parted) {
		t.Fatalf("%+v, %v", done, err)
	}
	if here, now := git(t, dir, "rev-parse", branch), git(t, s.bare, "rev-parse", branch); here != whole || now != there {
		t.Errorf("a copy was moved: %s, %s", here, now)
	}
	done, err := ledger.Restore(t.Context(), o, dir)
	if err != nil || fmt.Sprint(done.Given) != fmt.Sprint(given) || done.Now != whole || git(t, s.bare, "rev-parse", branch) != whole {
		t.Errorf("%+v, %v", done, err)
	}
}

func TestACopyThatDoesNotVerifyIsNotPushed(t *testing.T) {
	s, o, dir := seen(t, "")
	forged := at(t, dir)
	tip := git(t, dir, "rev-parse", branch)
	c, err := forged.Write(draftCommit(tip, somebody(t, "ci", strangerKey)))
	if err != nil {
		t.Fatal(err)
	}
	git(t, dir, "update-ref", branch, c.Hash)
	git(t, s.bare, "update-ref", branch, branch+"~2")
	done, err := ledger.Restore(t.Context(), o, "")
	if err != nil || done.Now != tip {
		t.Errorf("%+v, %v: want what verifies, up to %s", done, err, tip)
	}
	o.Root = ledger.ID{9}
	if _, err := ledger.Restore(t.Context(), o, ""); !errors.Is(err, ledger.ErrNotFounded) {
		t.Errorf("of another root: %v", err)
	}
}
