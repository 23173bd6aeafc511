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

func TestReceiptsThatARestoreGivesUpAreNamed(t *testing.T) {
	s, o, _ := seen(t, "")
	git(t, s.bare, "update-ref", branch, branch+"~4")
	l, _ := s.open(t)
	given := carry(t, l, s.who.writer, draft("meanwhile", "kisumu"))
	done, err := ledger.Restore(t.Context(), o, "")
	if err != nil || len(done.Given) != 1 || done.Given[0] != given.ID {
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

func TestOpenPlansAreSharedWithTheirBundles(t *testing.T) {
	bare := remote(t)
	here, there := plansOf(t, bare), plansOf(t, bare)
	ctx := t.Context()
	digest, err := here.Publish(ctx, []byte("plan one\n"), map[string][]byte{"plan.json.aa.sigstore.json": []byte("a")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := there.Publish(ctx, []byte("plan one\n"), nil); err != nil {
		t.Fatal(err)
	}
	if err := there.Add(ctx, digest, "plan.json.bb.sigstore.json", []byte("b")); err != nil {
		t.Fatal(err)
	}
	got, err := here.Read(ctx, digest)
	if err != nil || string(got.Plan) != "plan one\n" || fmt.Sprint(got.Bundles) != fmt.Sprint(map[string][]byte{"plan.json.aa.sigstore.json": []byte("a"), "plan.json.bb.sigstore.json": []byte("b")}) {
		t.Fatalf("%+v, %v", got, err)
	}
	if list, err := here.List(ctx); err != nil || len(list) != 1 || list[0] != digest {
		t.Errorf("%v, %v", list, err)
	}
	git(t, bare, "fsck", "--strict")
	for range 2 {
		if err := here.Delete(ctx, digest); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := there.Read(ctx, digest); !errors.Is(err, ledger.ErrNoPlan) {
		t.Errorf("%v", err)
	}
	if err := there.Add(ctx, digest, "plan.json.cc.sigstore.json", nil); !errors.Is(err, ledger.ErrNoPlan) {
		t.Errorf("%v", err)
	}
}

func TestBundlesThatComeAtOnceAreAllKept(t *testing.T) {
	const each = 5
	bare := remote(t)
	digest, err := plansOf(t, bare).Publish(t.Context(), []byte("plan\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("reviewers", func(t *testing.T) {
		for who := range 3 {
			p := plansOf(t, bare)
			t.Run(fmt.Sprint(who), func(t *testing.T) {
				t.Parallel()
				for n := range each {
					if err := p.Add(t.Context(), digest, fmt.Sprintf("plan.json.%d-%d.sigstore.json", who, n), []byte("x")); err != nil {
						t.Error(err)
					}
				}
			})
		}
	})
	if got, err := plansOf(t, bare).Read(t.Context(), digest); err != nil || len(got.Bundles) != 3*each {
		t.Errorf("%d bundles, %v", len(got.Bundles), err)
	}
}

func TestAPlanThatIsNotTheOneOfItsDigestIsRefused(t *testing.T) {
	bare := remote(t)
	p := plansOf(t, bare)
	digest, err := p.Publish(t.Context(), []byte("plan one\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	other, err := p.Publish(t.Context(), []byte("plan two\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	git(t, bare, "update-ref", "refs/charter/default/plans/"+digest.Hex(), "refs/charter/default/plans/"+other.Hex())
	if got, err := p.Read(t.Context(), digest); err == nil {
		t.Errorf("%+v", got)
	}
	if err := p.Add(t.Context(), other, "../../config", nil); err == nil {
		t.Error("a file was put that is no bundle")
	}
}

func TestWithoutARemoteOpenPlansAreLocal(t *testing.T) {
	dir := t.TempDir()
	git(t, dir, "init", "-q")
	p := plansIn(t, dir)
	digest, err := p.Publish(t.Context(), []byte("plan one\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	git(t, dir, "pack-refs", "--all")
	if list, err := p.List(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	if err := p.Delete(t.Context(), digest); err != nil {
		t.Fatal(err)
	}
	if list, err := p.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
}
