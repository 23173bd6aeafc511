package ledger

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/source"
)

// Trust judges who may sign the ledger's commits.
type Trust interface {
	// Signer returns who signed a commit object, as git stores it, if the policy
	// in force lets them sign a receipt of this act. The founding's policy is the
	// one that it pins. after is the date of the commit before: as a commit bears
	// the date that its signer chose, one that is older is taken for no older than
	// that, or a key that was revoked could go on in the past. An error means that
	// nobody did who may.
	Signer(ctx context.Context, in Pin, act Act, after time.Time, object []byte) (By, error)
	// Turned is asked of a receipt, the founding aside, that puts another policy or
	// catalogue in force: that it is signed does not say that people let it. l is the
	// ledger as it was before the receipt's outcome. An error means that they did not.
	Turned(ctx context.Context, l *Ledger, r *Receipt) error
}

const maxCommits = 2_000_000 // of one ledger

// chain verifies the commits of a ledger, one after the other.
type chain struct {
	repo  *source.Repository
	trust Trust
	index *index
	// last is the tree of the newest verified commit, when its date, newest its
	// receipt.
	last   *source.Files
	when   time.Time
	newest *Receipt
}

// advance verifies the commits from the index's tip, exclusive, to a newer one.
// Where it fails the index has come as far as all is well.
func (c *chain) advance(ctx context.Context, to string) error {
	line, err := c.line(ctx, to)
	if err != nil {
		return err
	}
	for _, commit := range line {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := c.take(ctx, commit); err != nil {
			return c.refuse(commit.Hash, err)
		}
	}
	return nil
}

// refuse says why a commit was not taken: by what is known of it, or because
// something is not known.
func (c *chain) refuse(commit string, err error) error {
	number := len(c.index.Commits) / hashLen / 2
	var unjudged *UnjudgedError
	switch {
	case errors.As(err, &unjudged):
		return &UnjudgedError{Number: number, Commit: commit, Err: unjudged.Err}
	case errors.Is(err, source.ErrAbsent), errors.Is(err, source.ErrUnreadable):
		return &UnjudgedError{Number: number, Commit: commit, Err: err}
	}
	return &TamperError{Number: number, Commit: commit, Err: err}
}

// errElsewhere says that a commit does not descend from the index's tip.
var errElsewhere = errors.New("it is not on the line of what was seen")

// line lists the commits after the index's tip, oldest first.
func (c *chain) line(ctx context.Context, to string) ([]*source.CommitData, error) {
	var list []*source.CommitData
	for hash := to; hash != c.index.Tip; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		commit, err := c.repo.ReadCommit(hash)
		if err != nil {
			return nil, &source.ShallowError{Commit: hash, Err: err}
		}
		if list = append(list, commit); len(list) > maxCommits {
			return nil, fmt.Errorf("the ledger has more than %d commits", maxCommits)
		}
		switch {
		case len(commit.Parents) > 1:
			return nil, &TamperError{Commit: hash, Err: errors.New("it is a merge")}
		case len(commit.Parents) == 1:
			hash = commit.Parents[0]
		case c.index.Tip != "":
			return nil, errElsewhere
		default:
			slices.Reverse(list)
			return list, nil
		}
	}
	slices.Reverse(list)
	return list, nil
}

// take verifies the next commit: an intent where none is open, else an outcome.
func (c *chain) take(ctx context.Context, commit *source.CommitData) error {
	files := c.repo.Files(source.Commit{Hash: commit.Hash, Tree: commit.Tree})
	var err error
	if c.index.Open {
		err = c.takeOutcome(ctx, commit, files)
	} else {
		err = c.takeIntent(ctx, commit, files)
	}
	if err != nil {
		return err
	}
	c.last, c.when = files, commit.When
	return nil
}

func (c *chain) takeIntent(ctx context.Context, commit *source.CommitData, files *source.Files) error {
	number := c.index.count()
	data, err := files.ReadAt(folder(number)+"/"+intentFile, maxFile)
	if err != nil {
		return err
	}
	i, err := DecodeIntent(data)
	if err != nil {
		return err
	}
	id := ID(sha256.Sum256(data))
	if err := c.follows(i, id); err != nil {
		return err
	}
	in := i.Policy // that of a founding is pinned by the root
	if err := c.signed(ctx, in, i.Act, i.By, commit, intentMessage(i, id)); err != nil {
		return err
	}
	want := []string{intentFile}
	for _, f := range i.Files {
		want = append(want, f.Name)
	}
	if err := c.adds(files, number, want); err != nil {
		return err
	}
	c.index.begin(id, i, commit)
	c.newest = &Receipt{Number: number, ID: id, Intent: i, IntentCommit: commit.Hash}
	return nil
}

// follows holds an intent against the receipts before it.
func (c *chain) follows(i *Intent, id ID) error {
	x := c.index
	number := x.count()
	switch {
	case i.Number != number || i.Environment != x.Environment:
		return fmt.Errorf("it is receipt %d of environment %.80q", i.Number, i.Environment)
	case number == 0 && id != x.Root:
		return &RootError{Is: id, Trusted: x.Root}
	case number == 0:
		return nil
	case *i.Previous != x.id(number-1) || *i.PreviousOutcome != x.Outcome:
		return errors.New("the receipt that it names as the one before is another")
	case i.Policy != x.Policy || i.Catalog != x.Catalog:
		return errors.New("the policy or catalogue that it names is not the one in force")
	}
	return nil
}

func (c *chain) takeOutcome(ctx context.Context, commit *source.CommitData, files *source.Files) error {
	r, err := c.newestReceipt()
	if err != nil {
		return err
	}
	data, err := files.ReadAt(folder(r.Number)+"/"+outcomeFile, maxFile)
	if err != nil {
		return err
	}
	o, err := DecodeOutcome(data)
	if err == nil {
		err = o.checkAgainst(r)
	}
	if err != nil {
		return err
	}
	digest := plan.DigestOf(data)
	if err := c.signed(ctx, r.Intent.Policy, r.Intent.Act, o.By, commit, outcomeMessage(r.Intent, r.ID, digest)); err != nil {
		return err
	}
	if err := c.adds(files, r.Number, []string{outcomeFile}); err != nil {
		return err
	}
	closed := *r
	closed.Outcome, closed.OutcomeCommit = o, commit.Hash
	if r.Number > 0 && (o.Policy != c.index.Policy || o.Catalog != c.index.Catalog) {
		before := *c
		before.last = files
		if err := c.trust.Turned(ctx, &Ledger{chain: before}, &closed); err != nil {
			return err
		}
	}
	c.index.finish(r.Intent, o, digest, commit)
	c.newest = &closed
	return nil
}

// newestReceipt returns the newest receipt, which is read again after the index
// came out of a cache.
func (c *chain) newestReceipt() (*Receipt, error) {
	if c.newest != nil {
		return c.newest, nil
	}
	r, err := readReceipt(c.index, c.tree(), c.index.count()-1)
	c.newest = r
	return r, err
}

// tree is that of the newest verified commit.
func (c *chain) tree() *source.Files {
	if c.last == nil {
		var commit source.Commit
		if tip, err := c.repo.ReadCommit(c.index.Tip); err == nil { // else the ledger is empty
			commit = source.Commit{Hash: tip.Hash, Tree: tip.Tree}
		}
		c.last = c.repo.Files(commit)
	}
	return c.last
}

// signed holds a commit's message and signature against what a receipt says.
func (c *chain) signed(ctx context.Context, in Pin, act Act, by By, commit *source.CommitData, message string) error {
	if commit.Message != message {
		return errors.New("its message does not name what it adds")
	}
	after, err := c.after()
	if err != nil {
		return err
	}
	signer, err := c.trust.Signer(ctx, in, act, after, commit.Object)
	if err != nil {
		return err
	}
	if signer != by {
		return fmt.Errorf("%s signed it, and it says that %s did", signer.ID, by.ID)
	}
	return nil
}

// after is the date of the newest verified commit, which is read again after the
// index came out of a cache; zero before the first.
func (c *chain) after() (time.Time, error) {
	if c.when.IsZero() && c.index.Tip != "" {
		tip, err := c.repo.ReadCommit(c.index.Tip)
		if err != nil {
			return time.Time{}, err
		}
		c.when = tip.When
	}
	return c.when, nil
}

// adds reports as an error that a commit does anything else than to add files
// to a receipt's folder.
func (c *chain) adds(files *source.Files, number int, names []string) error {
	var paths []string
	for _, name := range names {
		paths = append(paths, folder(number)+"/"+name)
	}
	var before *source.Files
	if c.index.Tip == "" {
		before = c.repo.Files(source.Commit{})
	} else {
		before = c.tree()
	}
	found := 0
	for path, err := range source.Changed(before, files) {
		if err != nil {
			return err
		}
		if !slices.Contains(paths, path) {
			return fmt.Errorf("it changes %.200q, which is not its own", path)
		}
		found++
	}
	if found != len(paths) {
		return fmt.Errorf("it adds %d files, and names %d", found, len(paths))
	}
	return nil
}

// folder is where a receipt lies.
func folder(number int) string { return fmt.Sprintf("receipts/%03d/%03d", number/1000, number%1000) }

// intentMessage is the message of an intent's commit, which bears its digest so
// that the signature is over it too.
func intentMessage(i *Intent, id ID) string {
	return fmt.Sprintf("charter %s: intent of receipt %d, %s\n\nReceipt: %s\n", i.Environment, i.Number, i.Act, id)
}

func outcomeMessage(i *Intent, id ID, outcome plan.Digest) string {
	return fmt.Sprintf("charter %s: outcome of receipt %d, %s\n\nReceipt: %s\nOutcome: %s\n", i.Environment, i.Number, i.Act, id, outcome)
}

// readReceipt reads a receipt out of a tree that is verified, and holds it once
// more against the index.
func readReceipt(x *index, files *source.Files, number int) (*Receipt, error) {
	fail := func(err error) (*Receipt, error) {
		return nil, &TamperError{Number: number, Commit: x.Tip, Err: err}
	}
	data, err := files.ReadAt(folder(number)+"/"+intentFile, maxFile)
	if err != nil {
		return fail(err)
	}
	r := &Receipt{Number: number, ID: x.id(number), IntentCommit: x.commit(2 * number), OutcomeCommit: x.commit(2*number + 1)}
	if ID(sha256.Sum256(data)) != r.ID {
		return fail(errors.New("its intent is not the one that was verified"))
	}
	if r.Intent, err = DecodeIntent(data); err != nil {
		return fail(err)
	}
	if r.OutcomeCommit == "" {
		return r, nil
	}
	if data, err = files.ReadAt(folder(number)+"/"+outcomeFile, maxFile); err != nil {
		return fail(err)
	}
	if r.Outcome, err = DecodeOutcome(data); err != nil {
		return fail(err)
	}
	if err := r.Outcome.checkAgainst(r); err != nil {
		return fail(err)
	}
	return r, nil
}
