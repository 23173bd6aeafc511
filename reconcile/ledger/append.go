package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/source"
)

const (
	maxTries = 200 // of one append against other writers
	maxPause = 50 * time.Millisecond
)

// Writer signs receipts.
type Writer struct {
	By     By
	Author source.Author // of the commits
	// Sign returns the signature of a commit object without one.
	Sign func(payload []byte) (string, error)
	Now  func() time.Time
}

// Draft is a receipt to be begun.
type Draft struct {
	// Intent says what is about to be done. The ledger itself fills in the fields
	// By, Catalog, Environment, Files, FormatVersion, Kind, Number, Plan, Policy (but
	// of a founding, where Policy and Catalog are what it pins), Previous,
	// PreviousOutcome, and CreatedAt where it is zero.
	Intent Intent
	Plan   []byte            // the plan file; nil where there is none
	Files  map[string][]byte // bundles and statements by their names
	// Holds is asked at each try, with the ledger as it is then, whether this may
	// still be done; its error ends the try. nil is yes.
	Holds func(*Ledger) error
}

// Results are what is known when the work is over.
type Results struct {
	Audit   *AuditEntry
	Batches []Result // one for each of the intent's, in its order
	InStep  int
	Skipped []Skip
	// Policy and Catalog are what is in force from now on; nil where they stay.
	Policy, Catalog *Pin
}

// Found begins the ledger of an environment with the policy and catalogue of a
// draft, and returns its root. It gives ErrFounded where there is one already,
// here or on the remote, and a source.RemoteError where the remote does not
// answer.
func Found(ctx context.Context, o Options, w Writer, d Draft) (ID, error) {
	p, err := newPlace(o.Repo)
	if err != nil {
		return ID{}, err
	}
	if there, err := Exists(ctx, o.Repo, o.Environment); err != nil || there {
		return ID{}, errors.Join(err, foundedIf(there))
	}
	x := newIndex(o.Environment.String(), ID{})
	d.Intent.Act = Founding
	begun, err := begin(o.Repo, x, w, d)
	if err != nil {
		return ID{}, err
	}
	ended, err := finish(o.Repo, begun.commit, w, begun.receipt, Results{})
	if err != nil {
		return ID{}, err
	}
	if err := p.move(ctx, source.Update{Name: Branch(o.Environment), New: ended}); errors.Is(err, errLost) {
		return ID{}, ErrFounded
	} else if err != nil {
		return ID{}, err
	}
	if p.remote {
		err = o.Repo.SetRef(Branch(o.Environment), "", ended)
	}
	return begun.receipt.ID, err
}

func foundedIf(there bool) error {
	if there {
		return ErrFounded
	}
	return nil
}

// Intent begins a receipt. When it returns one, the remote has accepted it, and
// the platform may be written to. Otherwise nothing may be: OpenError, ErrTurned, an error
// of Draft.Holds, a source.RemoteError or RejectedError, or one of Open's.
func (l *Ledger) Intent(ctx context.Context, w Writer, d Draft) (*Receipt, error) {
	var begun *begun
	policy, catalogue := l.Policy(), l.Catalog() // by which it was judged that this may be done
	err := l.append(ctx, func() (string, error) {
		if r, err := l.Unfinished(); err != nil || r != nil {
			return "", errors.Join(err, openIf(r))
		}
		if l.Policy() != policy || l.Catalog() != catalogue {
			return "", ErrTurned
		}
		if d.Holds != nil {
			if err := d.Holds(l); err != nil {
				return "", err
			}
		}
		var err error
		if begun, err = begin(l.options.Repo, l.chain.index, w, d); err != nil {
			return "", err
		}
		return begun.commit, nil
	})
	if err != nil {
		return nil, err
	}
	return l.Find(begun.receipt.ID)
}

func openIf(r *Receipt) error {
	if r == nil {
		return nil
	}
	return &OpenError{r}
}

// Outcome ends the newest receipt. It gives a ClosedError where that is another
// one, or somebody else has ended it.
func (l *Ledger) Outcome(ctx context.Context, w Writer, id ID, done Results) error {
	return l.append(ctx, func() (string, error) {
		r, err := l.Unfinished()
		if err != nil {
			return "", err
		}
		if r == nil || r.ID != id {
			return "", &ClosedError{id}
		}
		return finish(l.options.Repo, l.Tip(), w, r, done)
	})
}

// append adds the commit that make makes on top of what is known, and again on
// what is there where another writer came first. The push compares, so that
// nothing has to be asked before it; but that something may not be done is said
// only of the ledger as it is.
func (l *Ledger) append(ctx context.Context, make func() (string, error)) error {
	fresh := false
	for range maxTries {
		before := l.Tip()
		commit, err := make()
		if err == nil {
			err = l.place.move(ctx, source.Update{Name: Branch(l.options.Environment), Old: before, New: commit})
			if err == nil {
				return l.accepted(ctx, commit)
			}
			if !errors.Is(err, errLost) {
				return err
			}
			if err := pause(ctx); err != nil {
				return err
			}
		} else if fresh {
			return err
		}
		if err := l.Refresh(ctx); err != nil {
			return err
		}
		fresh = true
	}
	return fmt.Errorf("%w, %d times", errLost, maxTries)
}

// accepted takes in the commit that has just been accepted, through the same
// door as all others.
func (l *Ledger) accepted(ctx context.Context, commit string) error {
	if err := l.advance(ctx, commit); err != nil {
		return err
	}
	if !l.chain.index.Open { // an outcome follows an intent, and is kept with it
		l.dropped = l.chain.index.save(l.options.Cache)
	}
	return l.follow(ctx, commit)
}

// pause lets writers who came at the same time come apart.
func pause(ctx context.Context) error {
	timer := time.NewTimer(rand.N(maxPause))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// begun is an intent that is written, and on no branch yet.
type begun struct {
	receipt *Receipt
	commit  string
}

// begin writes the commit of an intent on top of an index's tip.
func begin(repo *source.Repository, x *index, w Writer, d Draft) (*begun, error) {
	i, files := fill(x, w, d)
	err := i.check()
	for name, content := range d.Files {
		if err == nil && len(content) > maxBundle {
			err = fmt.Errorf("file %.80q has more than %d bytes", name, maxBundle)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("receipt %d: %w", i.Number, err)
	}
	data, err := encode(i)
	if err != nil {
		return nil, err
	}
	r := &Receipt{Number: i.Number, ID: ID(plan.DigestOf(data)), Intent: i}
	put := map[string][]byte{folder(i.Number) + "/" + intentFile: data}
	for name, content := range files {
		put[folder(i.Number)+"/"+name] = content
	}
	commit, err := repo.Write(source.Draft{
		Parent: x.Tip, Put: put, Author: w.Author, When: i.CreatedAt, Message: intentMessage(i, r.ID), Sign: w.Sign,
	})
	return &begun{r, commit.Hash}, err
}

// fill completes an intent with what the ledger knows, and gathers its files.
func fill(x *index, w Writer, d Draft) (*Intent, map[string][]byte) {
	i := d.Intent
	i.By = w.By
	if i.CreatedAt.IsZero() {
		i.CreatedAt = w.Now().UTC().Truncate(time.Second)
	}
	i.Environment, i.FormatVersion, i.Kind, i.Number = x.Environment, FormatVersion, intentKind, x.count()
	i.Plan, i.Previous, i.PreviousOutcome = nil, nil, nil
	if i.Number > 0 {
		before, outcome := x.id(i.Number-1), x.Outcome
		i.Previous, i.PreviousOutcome = &before, &outcome
		i.Policy, i.Catalog = x.Policy, x.Catalog
	}
	files := maps.Clone(d.Files)
	if files == nil {
		files = map[string][]byte{}
	}
	if d.Plan != nil {
		digest := plan.DigestOf(d.Plan)
		i.Plan, files[planFile] = &digest, d.Plan
	}
	i.Files = []File{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		i.Files = append(i.Files, File{Name: name, Digest: plan.DigestOf(files[name])})
	}
	i.At = i.At.UTC()
	i.Approvals, i.Batches = append([]Approval{}, i.Approvals...), append([]Batch{}, i.Batches...)
	return &i, files
}

// finish writes the commit of an outcome on top of a commit.
func finish(repo *source.Repository, tip string, w Writer, r *Receipt, done Results) (string, error) {
	o := &Outcome{
		Audit: done.Audit, Batches: append([]Result{}, done.Batches...), By: w.By, Catalog: r.Intent.Catalog,
		Environment: r.Intent.Environment, FinishedAt: w.Now().UTC().Truncate(time.Second), FormatVersion: FormatVersion,
		InStep: done.InStep, Kind: outcomeKind, Number: r.Number, Policy: r.Intent.Policy, Receipt: r.ID,
		Skipped: append([]Skip{}, done.Skipped...),
	}
	if done.Policy != nil {
		o.Policy = *done.Policy
	}
	if done.Catalog != nil {
		o.Catalog = *done.Catalog
	}
	slices.SortFunc(o.Skipped, func(a, b Skip) int {
		return strings.Compare(a.Tenant+"\x00"+string(a.Subject), b.Tenant+"\x00"+string(b.Subject))
	})
	if err := o.checkAgainst(r); err != nil {
		return "", fmt.Errorf("outcome of receipt %d: %w", r.Number, err)
	}
	data, err := encode(o)
	if err != nil {
		return "", err
	}
	commit, err := repo.Write(source.Draft{
		Parent: tip, Put: map[string][]byte{folder(r.Number) + "/" + outcomeFile: data}, Author: w.Author, When: o.FinishedAt,
		Message: outcomeMessage(r.Intent, r.ID, plan.DigestOf(data)), Sign: w.Sign,
	})
	return commit.Hash, err
}
