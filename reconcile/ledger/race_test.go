package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan/seal"
	"github.com/veonahealth/charter/reconcile/ledger"
	"github.com/veonahealth/charter/reconcile/source"
)

// TestMain lets the test program be run as another process that writes receipts.
func TestMain(m *testing.M) {
	if os.Getenv("LEDGER_WRITER") == "" {
		os.Exit(m.Run())
	}
	if err := write(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// writer starts a process that appends receipts from a clone of its own.
func (s site) writer(t *testing.T, name string, times int, crash bool) *exec.Cmd {
	t.Helper()
	_, dir := clone(t, s.bare)
	private, _ := applierKey()
	key := filepath.Join(t.TempDir(), "ci.key")
	if err := os.WriteFile(key, private, 0o600); err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "LEDGER_WRITER="+name, "LEDGER_DIR="+dir, "LEDGER_KEY="+key, "LEDGER_ROOT="+s.root.String(),
		"LEDGER_TIMES="+strconv.Itoa(times), "LEDGER_CRASH="+strconv.FormatBool(crash))
	cmd.Stderr = os.Stderr
	return cmd
}

// write is what such a process does.
func write(ctx context.Context) error {
	private, err := os.ReadFile(os.Getenv("LEDGER_KEY"))
	if err != nil {
		return err
	}
	signer, err := seal.OpenKey(private, []byte("password"))
	if err != nil {
		return err
	}
	repo, err := source.Open(os.Getenv("LEDGER_DIR"))
	if err != nil {
		return err
	}
	root, err := ledger.ParseID(os.Getenv("LEDGER_ROOT"))
	if err != nil {
		return err
	}
	w := ledger.Writer{
		By:     ledger.By{Fingerprint: signer.PublicKey().Fingerprint().String(), ID: "ci"},
		Author: source.Author{Name: "ci", Email: "ci@example.org"}, Sign: signer.SignCommit, Now: func() time.Time { return instant },
	}
	l, err := ledger.Open(ctx, ledger.Options{
		Repo: repo, Environment: catalog.DefaultEnvironment, Root: root,
		Trust: keyring{signer.PublicKey().Fingerprint(): ring{"ci", signer.PublicKey()}},
	})
	if err != nil {
		return err
	}
	times, err := strconv.Atoi(os.Getenv("LEDGER_TIMES"))
	if err != nil {
		return err
	}
	fmt.Println("ready")
	for n := 0; n < times; {
		d := draft(fmt.Sprintf("%s %d", os.Getenv("LEDGER_WRITER"), n), "kisumu")
		done, err := writeOne(ctx, l, w, d)
		if err != nil {
			return err
		}
		if done {
			n++
		}
	}
	return nil
}

// writeOne appends one receipt; false where another writer is at it.
func writeOne(ctx context.Context, l *ledger.Ledger, w ledger.Writer, d ledger.Draft) (bool, error) {
	r, err := l.Intent(ctx, w, d)
	var open *ledger.OpenError
	if errors.As(err, &open) {
		time.Sleep(rand.N(20 * time.Millisecond))
		return false, nil
	} else if err != nil {
		return false, err
	}
	if os.Getenv("LEDGER_CRASH") == "true" {
		return false, syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	return true, l.Outcome(ctx, w, r.ID, all(d, ledger.Done))
}

func TestTwoProcessesLoseNoReceiptToEachOther(t *testing.T) {
	each := 50
	if testing.Short() {
		each = 5
	}
	s := found(t)
	one, two := s.writer(t, "one", each, false), s.writer(t, "two", each, false)
	for _, cmd := range []*exec.Cmd{one, two} {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
	}
	for _, cmd := range []*exec.Cmd{one, two} {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	l, _ := s.open(t)
	plans := map[string]bool{}
	for r, err := range l.History() {
		if err != nil {
			t.Fatal(err)
		}
		if r.Intent.Plan != nil {
			plans[r.Intent.Plan.Hex()] = true
		}
	}
	if l.Len() != 1+2*each || len(plans) != 2*each {
		t.Errorf("%d receipts of %d plans, want %d of %d", l.Len(), len(plans), 1+2*each, 2*each)
	}
	if out := git(t, s.bare, "fsck", "--strict"); strings.Contains(out, "error") {
		t.Error(out)
	}
}

func TestAKilledWritersReceiptIsFoundOpenAndCanBeEnded(t *testing.T) {
	s := found(t)
	if err := s.writer(t, "one", 1, true).Run(); err == nil {
		t.Fatal("it was not killed")
	}
	l, _ := s.open(t)
	r, err := l.Unfinished()
	if err != nil || r == nil || r.Outcome != nil {
		t.Fatalf("%+v, %v", r, err)
	}
	d := draft("one 0", "kisumu")
	carried, ok, err := l.Carried(*r.Intent.Plan)
	if err != nil || !ok || carried.ID != r.ID {
		t.Errorf("%v, %v", ok, err)
	}
	if err := l.Outcome(t.Context(), s.who.writer, r.ID, all(d, ledger.Done)); err != nil {
		t.Fatal(err)
	}
	carry(t, l, s.who.writer, draft("two", "kisumu"))
}

func TestAWriterKilledAtAnyTimeLeavesALedgerThatGoesOn(t *testing.T) {
	rounds := 8
	if testing.Short() {
		rounds = 2
	}
	s := found(t)
	l, _ := s.open(t)
	for round := range rounds {
		cmd := s.writer(t, strconv.Itoa(round), 1000, false)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(out, make([]byte, len("ready\n"))); err != nil {
			t.Fatal(err)
		}
		time.Sleep(rand.N(300 * time.Millisecond))
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		s.goesOn(t, l)
	}
}

// goesOn ends what is open and appends a receipt. What the killed one sent may
// still arrive while it does so.
func (s site) goesOn(t *testing.T, l *ledger.Ledger) {
	t.Helper()
	d := draft(fmt.Sprint("after ", l.Len()), "kisumu")
	for {
		r, err := l.Intent(t.Context(), s.who.writer, d)
		var open *ledger.OpenError
		if errors.As(err, &open) {
			r, err = open.Receipt, nil
		}
		if err != nil {
			t.Fatal(err)
		}
		var results ledger.Results
		for _, b := range r.Intent.Batches {
			results.Batches = append(results.Batches, ledger.Result{Digest: b.Digest, State: "unconfirmed"})
		}
		err = l.Outcome(t.Context(), s.who.writer, r.ID, results)
		if closed := new(ledger.ClosedError); err != nil && !errors.As(err, &closed) {
			t.Fatal(err)
		}
		if open == nil {
			return
		}
	}
}
