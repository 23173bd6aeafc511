package ledger_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/ledger"
	"github.com/veonahealth/charter/reconcile/source"
)

func TestAReceiptIsReadBackByAnother(t *testing.T) {
	s := found(t)
	l, _ := s.open(t)
	d := draft("one", "kisumu", "jootrh")
	d.Files = map[string][]byte{"plan.json.0011223344556677.sigstore.json": []byte("{}\n")}
	d.Intent.Approvals = []ledger.Approval{{Bundle: "plan.json.0011223344556677.sigstore.json", By: ledger.By{ID: "amina"}}}
	r := carry(t, l, s.who.writer, d)

	other, _ := s.open(t)
	got, err := other.Find(r.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, got); diff != "" {
		t.Error(diff)
	}
	if got.Number != 1 || *got.Intent.Previous != s.root || got.Intent.Policy != firstPolicy {
		t.Errorf("%+v", got.Intent)
	}
	if file, err := other.Plan(got); err != nil || string(file) != "plan one\n" {
		t.Errorf("%q, %v", file, err)
	}
	if file, err := other.File(got, "plan.json.0011223344556677.sigstore.json"); err != nil || string(file) != "{}\n" {
		t.Errorf("%q, %v", file, err)
	}
	if _, err := other.File(got, "intent.json"); err == nil {
		t.Error("a file that the intent does not name was read")
	}
}

func TestGitItselfReadsTheBranch(t *testing.T) {
	s := found(t)
	l, dir := s.open(t)
	carry(t, l, s.who.writer, draft("one", "kisumu"))
	if out := git(t, s.bare, "fsck", "--strict", "--full"); strings.Contains(out, "error") {
		t.Error(out)
	}
	want := "receipts/000/000/intent.json\nreceipts/000/000/outcome.json\n" +
		"receipts/000/001/intent.json\nreceipts/000/001/outcome.json\nreceipts/000/001/plan.json"
	for _, at := range []string{s.bare, dir} {
		if got := git(t, at, "ls-tree", "-r", "--name-only", branch); got != want {
			t.Errorf("%s:\n%s", at, got)
		}
	}
	signers := filepath.Join(t.TempDir(), "allowed_signers")
	line := "ci@example.org " + s.who.public.AuthorizedKey() + "\n"
	if err := os.WriteFile(signers, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	got := git(t, s.bare, "-c", "gpg.ssh.allowedSignersFile="+signers, "log", "--show-signature", "--format=%G? %s", branch)
	if n := strings.Count(got, `Good "git" signature for ci@example.org`); n != 4 {
		t.Errorf("git finds %d good signatures, want 4:\n%s", n, got)
	}
}

func TestWithoutARemoteTheLocalBranchIsTheLedger(t *testing.T) {
	dir := t.TempDir()
	git(t, dir, "init", "-q", "-b", "main")
	git(t, dir, "commit", "-q", "--allow-empty", "-m", "first")
	who := applier(t)
	root, err := ledger.Found(t.Context(), options(at(t, dir), ledger.ID{}), who.writer, founding())
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(t.Context(), options(at(t, dir), root, who))
	if err != nil {
		t.Fatal(err)
	}
	carry(t, l, who.writer, draft("one", "kisumu"))
	if got := git(t, dir, "rev-list", "--count", branch); got != "4" {
		t.Errorf("%s commits, want 4", got)
	}
}

func TestALedgerIsFoundedOnce(t *testing.T) {
	s := found(t)
	for name, args := range map[string][]string{"a full clone": nil, "one that has not fetched it": {"--single-branch"}} {
		repo, _ := clone(t, s.bare, args...)
		_, err := ledger.Found(t.Context(), options(repo, ledger.ID{}), s.who.writer, founding())
		if !errors.Is(err, ledger.ErrFounded) {
			t.Errorf("%s: %v", name, err)
		}
		if there, err := ledger.Exists(t.Context(), repo, catalog.DefaultEnvironment); err != nil || !there {
			t.Errorf("%s: exists %v, %v", name, there, err)
		}
	}
	if got := git(t, s.bare, "rev-list", "--count", branch); got != "2" {
		t.Errorf("%s commits, want 2", got)
	}
	_, dir := s.open(t)
	git(t, s.bare, "update-ref", "-d", branch) // what this clone still has is to be restored
	if _, err := ledger.Found(t.Context(), options(at(t, dir), ledger.ID{}), s.who.writer, founding()); !errors.Is(err, ledger.ErrFounded) {
		t.Errorf("taken away on the remote: %v", err)
	}
}

func TestWhereThereIsNoLedgerNoneIsAssumed(t *testing.T) {
	repo, _ := clone(t, remote(t))
	if there, err := ledger.Exists(t.Context(), repo, catalog.DefaultEnvironment); err != nil || there {
		t.Errorf("exists %v, %v", there, err)
	}
	if _, err := ledger.Open(t.Context(), options(repo, ledger.ID{1}, applier(t))); !errors.Is(err, ledger.ErrNotFounded) {
		t.Errorf("%v", err)
	}
}

func TestWithTheRemoteDownNothingIsBegun(t *testing.T) {
	s := found(t)
	l, dir := s.open(t)
	git(t, dir, "remote", "set-url", "origin", filepath.Join(t.TempDir(), "gone"))
	tip := git(t, dir, "rev-parse", branch)
	var down *source.RemoteError
	if _, err := l.Intent(t.Context(), s.who.writer, draft("one", "kisumu")); !errors.As(err, &down) {
		t.Errorf("%v", err)
	}
	if _, err := ledger.Open(t.Context(), options(at(t, dir), s.root, s.who)); !errors.As(err, &down) {
		t.Errorf("%v", err)
	}
	if _, err := ledger.Found(t.Context(), options(at(t, dir), ledger.ID{}), s.who.writer, founding()); err == nil {
		t.Error("a second ledger was founded")
	}
	if got := git(t, dir, "rev-parse", branch); got != tip {
		t.Errorf("the branch moved to %s", got)
	}
}

func TestARemoteThatRefusesIsNoLostRace(t *testing.T) {
	s := found(t)
	l, dir := s.open(t)
	hook := filepath.Join(s.bare, "hooks", "pre-receive")
	if err := os.WriteFile(hook, []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	tip := git(t, dir, "rev-parse", branch)
	var rejected *source.RejectedError
	if _, err := l.Intent(t.Context(), s.who.writer, draft("one", "kisumu")); !errors.As(err, &rejected) {
		t.Errorf("%v", err)
	}
	if got := git(t, dir, "rev-parse", branch); got != tip {
		t.Errorf("the local branch moved to %s, and the remote has not", got)
	}
}

func TestBetweenIntentAndOutcomeNoOtherIntentIsTaken(t *testing.T) {
	s := found(t)
	a, _ := s.open(t)
	b, _ := s.open(t)
	one, two := draft("one", "kisumu"), draft("two", "jootrh")
	begun, err := a.Intent(t.Context(), s.who.writer, one)
	if err != nil {
		t.Fatal(err)
	}
	var open *ledger.OpenError
	if _, err := b.Intent(t.Context(), s.who.writer, two); !errors.As(err, &open) || open.Receipt.ID != begun.ID {
		t.Fatalf("%v", err)
	}
	var closed *ledger.ClosedError
	if err := b.Outcome(t.Context(), s.who.writer, s.root, all(one, ledger.Done)); !errors.As(err, &closed) {
		t.Errorf("the outcome of another receipt: %v", err)
	}
	if err := b.Outcome(t.Context(), s.who.writer, begun.ID, all(one, "unconfirmed")); err != nil {
		t.Fatal(err) // who resumes need not be who began
	}
	if err := a.Outcome(t.Context(), s.who.writer, begun.ID, all(one, ledger.Done)); !errors.As(err, &closed) {
		t.Errorf("a second outcome: %v", err)
	}
	carry(t, b, s.who.writer, two)
	if err := a.Refresh(t.Context()); err != nil || a.Len() != 3 {
		t.Errorf("%d receipts, %v", a.Len(), err)
	}
}

func TestAPlanThatNoLongerHoldsIsNotBegun(t *testing.T) {
	s := found(t)
	a, _ := s.open(t)
	b, _ := s.open(t)
	spent := draft("one", "kisumu")
	carry(t, a, s.who.writer, spent)
	stale := errors.New("spent")
	again := spent
	again.Holds = func(l *ledger.Ledger) error {
		if len(l.Spent(spent.Intent.Batches[0].Digest)) > 0 {
			return stale
		}
		return nil
	}
	if _, err := b.Intent(t.Context(), s.who.writer, again); !errors.Is(err, stale) {
		t.Errorf("%v", err)
	}
	if b.Len() != 2 {
		t.Errorf("%d receipts, want 2", b.Len())
	}
}

func TestALedgerAnswersWithoutBeingReadAgain(t *testing.T) {
	s := found(t)
	l, _ := s.open(t)
	one, two := draft("one", "kisumu", "jootrh"), draft("two", "kisumu")
	entry := batch("later", "kisumu")
	entry.At, entry.Path = &instant, ""
	two.Intent.Batches = append(two.Intent.Batches, entry)
	first := carry(t, l, s.who.writer, one)
	second, err := l.Intent(t.Context(), s.who.writer, two)
	if err != nil {
		t.Fatal(err)
	}
	result := all(two, "moved")
	result.Batches[1].State = ledger.Scheduled
	result.Audit = &ledger.AuditEntry{Seq: 12, Hash: "ab"}
	if err := l.Outcome(t.Context(), s.who.writer, second.ID, result); err != nil {
		t.Fatal(err)
	}
	check := func(name string, got, want any) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	check("spent", l.Spent(one.Intent.Batches[0].Digest), []int{1})
	check("not spent", l.Spent(two.Intent.Batches[0].Digest), []int{})
	check("scheduled", l.Scheduled(entry.Digest), []int{2})
	check("of a tenant", l.OfTenant("kisumu"), []int{1, 2})
	check("of an act", l.OfAct(ledger.Founding), []int{0})
	check("last seen", *l.LastSeen(), ledger.AuditEntry{Seq: 12, Hash: "ab"})
	carried, ok, err := l.Carried(plan.DigestOf(one.Plan))
	if err != nil || !ok || carried.ID != first.ID {
		t.Errorf("carried: %v, %v, %v", carried, ok, err)
	}
	if _, ok, err := l.Carried(plan.DigestOf([]byte("another"))); ok || err != nil {
		t.Errorf("carried: %v, %v", ok, err)
	}
	for subject, want := range map[plan.Subject]int{plan.Entitlements: 1, plan.Facility: 2} {
		if got, ok := l.LastApplied("kisumu", subject); !ok || got.Number != want || got.Commit != one.Intent.Commit || !got.At.Equal(instant) {
			t.Errorf("last applied of %s: %+v, %v, want %d", subject, got, ok, want)
		}
	}
	var newestFirst, oldestFirst []int
	for r, err := range l.Receipts() {
		if err != nil {
			t.Fatal(err)
		}
		newestFirst = append(newestFirst, r.Number)
	}
	for r, err := range l.History() {
		if err != nil {
			t.Fatal(err)
		}
		oldestFirst = append(oldestFirst, r.Number)
	}
	check("newest first", newestFirst, []int{2, 1, 0})
	check("oldest first", oldestFirst, []int{0, 1, 2})
	var unknown *ledger.UnknownError
	if _, err := l.Find(ledger.ID{7}); !errors.As(err, &unknown) {
		t.Errorf("%v", err)
	}
}

func TestThePolicyInForceFollowsThePolicysOwnBatch(t *testing.T) {
	s := found(t)
	l, _ := s.open(t)
	next := ledger.Pin{Commit: strings.Repeat("d", 40), Digest: plan.DigestOf([]byte("next"))}
	plain := draft("one", "kisumu")
	begun, err := l.Intent(t.Context(), s.who.writer, plain)
	if err != nil {
		t.Fatal(err)
	}
	result := all(plain, ledger.Done)
	result.Policy = &next
	if err := l.Outcome(t.Context(), s.who.writer, begun.ID, result); err == nil {
		t.Fatal("the policy was changed by a batch of entitlements")
	}
	if err := l.Outcome(t.Context(), s.who.writer, begun.ID, all(plain, ledger.Done)); err != nil {
		t.Fatal(err)
	}
	policy := draft("two")
	policy.Intent.Batches = []ledger.Batch{{Digest: plan.DigestOf([]byte("p")), Subject: ledger.PolicySubject}}
	if begun, err = l.Intent(t.Context(), s.who.writer, policy); err != nil {
		t.Fatal(err)
	}
	result = all(policy, ledger.Done)
	result.Policy = &next
	if err := l.Outcome(t.Context(), s.who.writer, begun.ID, result); err != nil {
		t.Fatal(err)
	}
	if l.Policy() != next {
		t.Errorf("%+v", l.Policy())
	}
	after := carry(t, l, s.who.writer, draft("three", "kisumu"))
	if after.Intent.Policy != next {
		t.Errorf("%+v", after.Intent.Policy)
	}
}

func TestAShallowCloneVerifiesTheWholeLedger(t *testing.T) {
	s := found(t)
	l, _ := s.open(t)
	for i := range 3 {
		carry(t, l, s.who.writer, draft(fmt.Sprint(i), "kisumu"))
	}
	repo, dir := clone(t, "file://"+s.bare, "--depth", "1", "--no-single-branch")
	git(t, dir, "branch", strings.TrimPrefix(branch, "refs/heads/"), "refs/remotes/origin/charter/default/audit")
	again, err := ledger.Open(t.Context(), options(repo, s.root, s.who))
	if err != nil || again.Len() != 4 {
		t.Fatalf("%v, %v", again, err)
	}
}

// What git has fetched need not come again, unless it left something on the
// server.
func TestAPartialCloneVerifiesTheWholeLedger(t *testing.T) {
	s := found(t)
	git(t, s.bare, "config", "uploadpack.allowFilter", "true")
	l, _ := s.open(t)
	carry(t, l, s.who.writer, draft("one", "kisumu"))
	repo, dir := clone(t, "file://"+s.bare, "--filter=tree:0", "--no-checkout")
	if out := git(t, dir, "rev-list", "--objects", "--missing=print", "--quiet", "--all"); out == "" {
		t.Fatal("the clone lacks nothing")
	}
	again, err := ledger.Open(t.Context(), options(repo, s.root, s.who))
	if err != nil || again.Len() != 2 {
		t.Fatalf("%v, %v", again, err)
	}
}
