package ledger_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/ledger"
	"github.com/veonahealth/charter/reconcile/source"
)

// forge puts a commit on the remote's audit branch by git alone, and signs it as
// whoever the caller likes.
func (s site) forge(t *testing.T, by person, message string, put map[string][]byte) string {
	t.Helper()
	repo := at(t, s.bare)
	tip := git(t, s.bare, "rev-parse", branch)
	c, err := repo.Write(source.Draft{Parent: tip, Put: put, Author: by.writer.Author, When: instant, Message: message, Sign: by.writer.Sign})
	if err != nil {
		t.Fatal(err)
	}
	git(t, s.bare, "update-ref", branch, c.Hash)
	return c.Hash
}

// receipt is what a well-behaved writer would put for the next receipt, so that
// a test can spoil it.
func (s site) receipt(t *testing.T, by person, d ledger.Draft) (message string, put map[string][]byte) {
	t.Helper()
	scratch := filepath.Join(t.TempDir(), "scratch.git")
	git(t, t.TempDir(), "clone", "-q", "--bare", s.bare, scratch)
	git(t, scratch, "remote", "remove", "origin")
	l, err := ledger.Open(t.Context(), options(at(t, scratch), s.root, s.who, by))
	if err != nil {
		t.Fatal(err)
	}
	r, err := l.Intent(t.Context(), by.writer, d)
	if err != nil {
		t.Fatal(err)
	}
	put = map[string][]byte{}
	for path := range strings.Lines(git(t, scratch, "diff-tree", "-r", "--name-only", "--no-commit-id", r.IntentCommit) + "\n") {
		path = strings.TrimSpace(path)
		out, err := exec.Command("git", "-C", scratch, "show", r.IntentCommit+":"+path).Output()
		if err != nil {
			t.Fatal(err)
		}
		put[path] = out
	}
	return git(t, scratch, "log", "-1", "--format=%B", r.IntentCommit), put
}

// refused opens the ledger from a new clone, and wants it told at which receipt
// it was tampered with.
func (s site) refused(t *testing.T, number int) {
	t.Helper()
	repo, _ := clone(t, s.bare)
	_, err := ledger.Open(t.Context(), options(repo, s.root, s.who))
	var tampered *ledger.TamperError
	if !errors.As(err, &tampered) || tampered.Number != number {
		t.Errorf("%v, want a TamperError at receipt %d", err, number)
	}
}

func TestAHonestCommitPassesTheForgersWay(t *testing.T) {
	s := found(t) // or the tests below could pass because a forger's commits are always refused
	message, put := s.receipt(t, s.who, draft("one", "kisumu"))
	s.forge(t, s.who, message, put)
	if l, _ := s.open(t); l.Len() != 2 {
		t.Errorf("%d receipts, want 2", l.Len())
	}
}

func TestAForgedCommitIsRefused(t *testing.T) {
	intent := "receipts/000/001/intent.json"
	change := func(old, new string) func(put map[string][]byte) {
		return func(put map[string][]byte) {
			put[intent] = bytes.Replace(put[intent], []byte(old), []byte(new), 1)
		}
	}
	for name, spoil := range map[string]func(put map[string][]byte){
		"an intent edited after it was named": change(`"tenant": "kisumu"`, `"tenant": "jootrh"`),
		"another previous receipt": func(put map[string][]byte) {
			put[intent] = regexp.MustCompile(`"previous": "[^"]*"`).ReplaceAll(put[intent], []byte(`"previous": "`+ledger.ID{7}.String()+`"`))
		},
		"another outcome of the receipt before": func(put map[string][]byte) {
			put[intent] = regexp.MustCompile(`"previous_outcome": "[^"]*"`).ReplaceAll(put[intent], []byte(`"previous_outcome": "`+plan.Digest{7}.String()+`"`))
		},
		"an older receipt edited in the place of its own": func(put map[string][]byte) {
			delete(put, "receipts/000/001/plan.json")
			put["receipts/000/000/outcome.json"] = []byte("{}\n")
		},
		"a file too many":               func(put map[string][]byte) { put["receipts/000/001/extra"] = []byte{} },
		"a file outside of the receipt": func(put map[string][]byte) { put["readme"] = []byte{} },
		"an older receipt edited": func(put map[string][]byte) {
			put["receipts/000/000/outcome.json"] = []byte("{}\n")
		},
		"a plan that is not there": func(put map[string][]byte) { delete(put, "receipts/000/001/plan.json") },
		"another environment":      change(`"environment": "default"`, `"environment": "staging"`),
		"a number left out":        change(`"number": 1`, `"number": 2`),
		"a duplicate key":          change(`"number": 1,`, `"number": 1, "number": 1,`),
		"spelled otherwise":        change(`"number": 1,`, `"number":  1,`),
		"another policy":           change(firstPolicy.Commit, strings.Repeat("b", 40)),
		"no intent":                func(put map[string][]byte) { delete(put, intent) },
	} {
		t.Run(name, func(t *testing.T) {
			s := found(t)
			message, put := s.receipt(t, s.who, draft("one", "kisumu"))
			spoil(put)
			if data, ok := put[intent]; ok && name != "an intent edited after it was named" {
				message = naming(message, data)
			}
			s.forge(t, s.who, message, put)
			s.refused(t, 1)
		})
	}
}

// naming is the message that fits another intent, as far as it is one.
func naming(message string, data []byte) string {
	head, _, _ := strings.Cut(message, "Receipt: ")
	if i, err := ledger.DecodeIntent(data); err == nil {
		head = fmt.Sprintf("charter %s: intent of receipt %d, %s\n\n", i.Environment, i.Number, i.Act)
	}
	return head + "Receipt: " + ledger.ID(plan.DigestOf(data)).String()
}

func TestAPlanThatWasSwappedIsNotGivenOut(t *testing.T) {
	s := found(t)
	message, put := s.receipt(t, s.who, draft("one", "kisumu"))
	put["receipts/000/001/plan.json"] = []byte("another plan\n")
	s.forge(t, s.who, message, put)
	l, _ := s.open(t) // a plan is large, and is looked at when it is asked for
	r, err := l.At(1)
	if err != nil {
		t.Fatal(err)
	}
	var tampered *ledger.TamperError
	if data, err := l.Plan(r); !errors.As(err, &tampered) {
		t.Errorf("%q, %v", data, err)
	}
}

func TestACommitThatNobodyTrustedSignedIsRefused(t *testing.T) {
	stranger := somebody(t, "ci", strangerKey)
	unsigned := applier(t)
	unsigned.writer.Sign = nil
	claims := applier(t)
	claims.writer.By.ID = "another"
	for name, by := range map[string]person{"a stranger": stranger, "nobody": unsigned, "who says they are another": claims} {
		t.Run(name, func(t *testing.T) {
			s := found(t)
			forger := by
			forger.writer.By.ID = by.writer.By.ID
			message, put := s.receipt(t, s.who, draft("one", "kisumu"))
			if name == "who says they are another" {
				path := "receipts/000/001/intent.json"
				put[path] = bytes.Replace(put[path], []byte(`"id": "ci"`), []byte(`"id": "another"`), 1)
				message = naming(message, put[path])
			}
			s.forge(t, forger, message, put)
			s.refused(t, 1)
		})
	}
}

func TestAnotherRootIsRefused(t *testing.T) {
	s := found(t)
	s.root = ledger.ID{1}
	s.refused(t, 0)
}

func TestAMergeIsRefused(t *testing.T) {
	s := found(t)
	tip := git(t, s.bare, "rev-parse", branch)
	merge := git(t, s.bare, "commit-tree", "-p", tip, "-p", "main", "-m", "merge", tip+"^{tree}")
	git(t, s.bare, "update-ref", branch, merge)
	repo, _ := clone(t, s.bare)
	if _, err := ledger.Open(t.Context(), options(repo, s.root, s.who)); err == nil || !strings.Contains(err.Error(), "it is a merge") {
		t.Errorf("%v", err)
	}
}

// seen makes a ledger of three receipts, opened in a clone that remembers it.
func seen(t *testing.T, cache string) (site, ledger.Options, string) {
	t.Helper()
	s := found(t)
	repo, dir := clone(t, s.bare)
	o := options(repo, s.root, s.who)
	o.Cache = cache
	l, err := ledger.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		carry(t, l, s.who.writer, draft(fmt.Sprint(i), "kisumu"))
	}
	return s, o, dir
}

func TestARemoteThatWasRolledBackIsNoticed(t *testing.T) {
	for name, forget := range map[string]func(t *testing.T, o *ledger.Options, dir string){
		"by the clone": func(_ *testing.T, o *ledger.Options, _ string) { o.Cache = "" },
		"by the cache of the machine": func(t *testing.T, o *ledger.Options, dir string) {
			git(t, dir, "update-ref", "-d", branch)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, o, dir := seen(t, t.TempDir())
			git(t, s.bare, "update-ref", branch, branch+"~2")
			forget(t, &o, dir)
			var back *ledger.RolledBackError
			if _, err := ledger.Open(t.Context(), o); !errors.As(err, &back) {
				t.Errorf("%v", err)
			}
			git(t, s.bare, "update-ref", "-d", branch)
			if _, err := ledger.Open(t.Context(), o); !errors.As(err, &back) || back.Now != "" {
				t.Errorf("taken away: %v", err)
			}
		})
	}
}

func TestARewrittenBranchIsNoticed(t *testing.T) {
	for name, forget := range map[string]bool{"by the clone": false, "by the cache of the machine": true} {
		t.Run(name, func(t *testing.T) {
			s, o, dir := seen(t, t.TempDir())
			git(t, s.bare, "update-ref", branch, branch+"~2")
			l, _ := s.open(t) // who has not seen it carries on, and forks it
			carry(t, l, s.who.writer, draft("other", "kisumu"))
			carry(t, l, s.who.writer, draft("another", "kisumu"))
			if forget {
				git(t, dir, "update-ref", "-d", branch)
			} else {
				o.Cache = ""
			}
			var forked *ledger.ForkedError
			if _, err := ledger.Open(t.Context(), o); !errors.As(err, &forked) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestACacheThatIsDamagedCostsTimeOnly(t *testing.T) {
	cache := t.TempDir()
	_, o, _ := seen(t, cache)
	files, err := filepath.Glob(filepath.Join(cache, "ledger-*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	spent := batch("0", "kisumu").Digest
	if !bytes.Contains(whole, spent[:]) {
		t.Fatal("the batch is not in the cache")
	}
	for name, data := range map[string][]byte{
		"empty": nil, "cut short": whole[:len(whole)/2], "garbage": bytes.Repeat([]byte("x"), 1000),
		"a batch forgotten": bytes.Replace(whole, spent[:], make([]byte, len(spent)), 1),
	} {
		if err := os.WriteFile(files[0], data, 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := ledger.Open(t.Context(), o)
		if err != nil || l.Len() != 3 || len(l.Spent(spent)) != 1 {
			t.Fatalf("%s: %v", name, err)
		}
		o.Trust = trust() // it was made anew, and nothing has to be verified again
		if _, err := ledger.Open(t.Context(), o); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		o.Trust = trust(applier(t))
	}
	o.Cache = files[0] // a file, and no folder
	if l, err := ledger.Open(t.Context(), o); err != nil || l.Dropped() == nil {
		t.Errorf("%v", err)
	}
}

func TestWhatWasCachedIsWhatIsRead(t *testing.T) {
	_, o, _ := seen(t, t.TempDir())
	cached, err := ledger.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	o.Cache = ""
	fresh, err := ledger.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []*ledger.Ledger{cached, fresh} {
		last, ok := l.LastApplied("kisumu", plan.Entitlements)
		if !ok || last.Number != 2 || l.Len() != 3 || len(l.OfTenant("kisumu")) != 2 {
			t.Errorf("%+v, %v", last, ok)
		}
	}
	o.Trust = trust() // what was verified once is not verified again: nobody signed anything since
	o.Cache = t.TempDir()
	if _, err := ledger.Open(t.Context(), o); err == nil {
		t.Error("without a cache it was not verified")
	}
}
