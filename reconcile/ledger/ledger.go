package ledger

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/source"
)

// Options say which ledger is meant.
type Options struct {
	Repo        *source.Repository
	Environment catalog.Environment
	Root        ID    // of the founding receipt, known beforehand
	Trust       Trust // whose signatures count
	// Cache is a folder in which to keep what was verified; "" for none.
	Cache string
}

// Ledger is the receipts of an environment, verified. It is for one goroutine at
// a time.
type Ledger struct {
	options Options
	place   place
	chain   chain
	dropped error // why the index was not kept; it costs time only
}

// Exists reports whether an environment has a ledger, here or on the remote,
// without looking into it. Where the remote does not answer it gives a
// source.RemoteError.
func Exists(ctx context.Context, repo *source.Repository, environment catalog.Environment) (bool, error) {
	here, err := repo.Ref(Branch(environment))
	if err != nil || here != "" {
		return here != "", err
	}
	p, err := newPlace(repo)
	if err != nil || !p.remote {
		return false, err
	}
	refs, err := repo.RemoteRefs(ctx)
	return refs[Branch(environment)] != "", err
}

// Open brings and verifies what the ledger holds. See the package's page for its
// errors.
func Open(ctx context.Context, o Options) (*Ledger, error) {
	p, err := newPlace(o.Repo)
	if err != nil {
		return nil, err
	}
	x := loadIndex(o.Cache, o.Environment.String(), o.Root)
	l := &Ledger{options: o, place: p, chain: chain{repo: o.Repo, trust: o.Trust, index: x}}
	if err := l.Refresh(ctx); err != nil {
		return nil, err
	}
	return l, nil
}

// Refresh brings and verifies what has come since.
func (l *Ledger) Refresh(ctx context.Context) error {
	name := Branch(l.options.Environment)
	here, err := l.options.Repo.Ref(name)
	if err != nil {
		return err
	}
	tracked, err := l.options.Repo.Ref(tracking(l.options.Environment))
	if err != nil {
		return err
	}
	tip, err := l.place.fetch(ctx, name, l.known(here, tracked)...)
	if err != nil {
		return err
	}
	before := l.chain.index.Tip
	switch err := l.continues(ctx, here, tip); {
	case err != nil:
		return err
	case tip == "":
		return ErrNotFounded
	}
	if err := l.advance(ctx, tip); err != nil {
		return err
	}
	if tip != before {
		l.dropped = l.chain.index.save(l.options.Cache)
	}
	return l.follow(ctx, tip)
}

// Dropped says why what was verified could not be kept for the next time, or is
// nil. Nothing is wrong with the ledger.
func (l *Ledger) Dropped() error { return l.dropped }

// known are commits that the remote need not send again: as this clone follows
// the ledger, as git fetched it, and as this machine verified it.
func (l *Ledger) known(here, tracked string) []string {
	var known []string
	for _, hash := range []string{here, tracked, l.chain.index.Tip} {
		if _, err := l.options.Repo.ReadCommit(hash); err == nil {
			known = append(known, hash)
		}
	}
	return known
}

// advance verifies up to a commit; where a part of the history is missing, which
// a shallow or partial clone leaves out, it is fetched whole.
func (l *Ledger) advance(ctx context.Context, tip string) error {
	err := l.chain.advance(ctx, tip)
	if errors.Is(err, source.ErrAbsent) && l.place.remote {
		if _, err := l.place.fetch(ctx, Branch(l.options.Environment)); err != nil {
			return err
		}
		err = l.chain.advance(ctx, tip)
	}
	if errors.Is(err, errElsewhere) {
		return &ForkedError{Seen: l.chain.index.Tip, Now: tip, By: "this machine's cache"}
	}
	return err
}

// continues compares where the ledger is with where it was seen by this clone,
// and by this machine.
func (l *Ledger) continues(ctx context.Context, here, tip string) error {
	if err := l.descends(ctx, here, tip, "this clone"); err != nil {
		return err
	}
	return l.descends(ctx, l.chain.index.Tip, tip, "this machine's cache")
}

func (l *Ledger) descends(ctx context.Context, seen, tip, by string) error {
	switch {
	case seen == "" || seen == tip:
		return nil
	case tip == "":
		return &RolledBackError{Seen: seen, By: by}
	}
	on, err := l.options.Repo.IsAncestor(ctx, seen, tip)
	var shallow *source.ShallowError
	if on || errors.As(err, &shallow) { // what is missing is fetched and looked at when it is verified
		return nil
	} else if err != nil {
		return err
	}
	if back, err := l.options.Repo.IsAncestor(ctx, tip, seen); err == nil && back {
		return &RolledBackError{Seen: seen, Now: tip, By: by}
	}
	return &ForkedError{Seen: seen, Now: tip, By: by}
}

// follow lets the local branch, by which this clone remembers, keep up with what
// was verified.
func (l *Ledger) follow(ctx context.Context, tip string) error {
	name := Branch(l.options.Environment)
	for {
		here, err := l.options.Repo.Ref(name)
		if err != nil || here == tip {
			return err
		}
		if err := l.descends(ctx, here, tip, "this clone"); err != nil {
			if back := new(RolledBackError); errors.As(err, &back) {
				return nil // another process is further already
			}
			return err
		}
		if err := l.options.Repo.SetRef(name, here, tip); !errors.Is(err, source.ErrMoved) {
			return err
		}
	}
}

// Root is the id of the receipt that founded the ledger.
func (l *Ledger) Root() ID { return l.options.Root }

// Len is the number of receipts, the founding included.
func (l *Ledger) Len() int { return l.chain.index.count() }

// Tip is the newest commit of the branch.
func (l *Ledger) Tip() string { return l.chain.index.Tip }

// Policy and Catalog are what is in force after the newest outcome.
func (l *Ledger) Policy() Pin { return l.chain.index.Policy }

// Catalog is the catalogue in force; see Policy.
func (l *Ledger) Catalog() Pin { return l.chain.index.Catalog }

// LastSeen is the newest entry of the platform's audit trail that a receipt
// saw; nil where none saw any. A platform that holds it no more was restored.
func (l *Ledger) LastSeen() *AuditEntry { return l.chain.index.Seen }

// Newest returns the newest receipt, which may be open.
func (l *Ledger) Newest() (*Receipt, error) { return l.At(l.Len() - 1) }

// At returns the receipt of a number.
func (l *Ledger) At(number int) (*Receipt, error) {
	if number < 0 || number >= l.Len() {
		return nil, fmt.Errorf("the ledger has %d receipts, and none of number %d", l.Len(), number)
	}
	return readReceipt(l.chain.index, l.chain.tree(), number)
}

// Find returns a receipt by its id, or an UnknownError.
func (l *Ledger) Find(id ID) (*Receipt, error) {
	number, ok := l.chain.index.find(id)
	if !ok {
		return nil, &UnknownError{id}
	}
	return l.At(number)
}

// Carried returns the newest receipt that carried out a plan; false where none
// did.
func (l *Ledger) Carried(of plan.Digest) (*Receipt, bool, error) {
	number, ok := lastAt(l.chain.index.Plans, of)
	if !ok || of == (plan.Digest{}) {
		return nil, false, nil
	}
	r, err := l.At(number)
	return r, err == nil, err
}

// Dated returns the latest date that a commit bears of the receipts from one number to
// another, which is left out. Each is its signer's word.
func (l *Ledger) Dated(from, to int) time.Time {
	dates := l.chain.index.Dates[2*from : min(2*to, len(l.chain.index.Dates))]
	if len(dates) == 0 {
		return time.Time{}
	}
	return time.Unix(slices.Max(dates), 0).UTC()
}

// Receipts yields all receipts, newest first. After an error it yields nothing
// more.
func (l *Ledger) Receipts() iter.Seq2[*Receipt, error] {
	return l.each(func(n int) int { return l.Len() - 1 - n })
}

// History yields all receipts, oldest first. After an error it yields nothing
// more.
func (l *Ledger) History() iter.Seq2[*Receipt, error] {
	return l.each(func(n int) int { return n })
}

func (l *Ledger) each(number func(int) int) iter.Seq2[*Receipt, error] {
	return func(yield func(*Receipt, error) bool) {
		for n := range l.Len() {
			r, err := l.At(number(n))
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// OfTenant returns the numbers of the closed receipts that had a batch of a
// tenant, or of an edition or organisation of that key, oldest first.
func (l *Ledger) OfTenant(tenant string) []int { return l.chain.index.ofTenant(tenant) }

// Named returns what the closed receipts had batches of: tenants, and the keys of
// editions and organisations.
func (l *Ledger) Named() []string { return slices.Clone(l.chain.index.Names) }

// Act is what the receipt of a number does.
func (l *Ledger) Act(number int) Act { return l.chain.index.Acts[number] }

// OfAct returns the numbers of the receipts of an act, oldest first.
func (l *Ledger) OfAct(act Act) []int {
	var numbers []int
	for n, a := range l.chain.index.Acts {
		if a == act {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// Spent returns the numbers of the receipts in which a batch was done, oldest
// first. Where there is one, approvals of it count no more.
func (l *Ledger) Spent(batch plan.Digest) []int { return l.chain.index.inState(batch, Done) }

// Settled returns the numbers of the receipts in which a batch was done, or was as
// planned already.
func (l *Ledger) Settled(batch plan.Digest) []int {
	return append(l.chain.index.inState(batch, Done), l.chain.index.inState(batch, Already)...)
}

// Scheduled returns the numbers of the receipts that scheduled an entry, oldest
// first.
func (l *Ledger) Scheduled(entry plan.Digest) []int {
	return l.chain.index.inState(entry, Scheduled)
}

// Applied is what was last applied of a tenant's subject.
type Applied struct {
	Number  int
	Receipt ID
	Commit  string    // of the declarations
	At      time.Time // by which their dates were judged
}

// LastApplied returns the newest receipt in which a tenant's subject was written,
// was as planned already, or was declared and in step; false where none was. The
// commit of that receipt may declare the tenant not at all: then that is what was
// applied. tenant is the key of an edition or organisation, or "", where the
// subject is of no tenant.
func (l *Ledger) LastApplied(tenant string, subject plan.Subject) (Applied, bool) {
	return l.applied(l.chain.index.Applied.of(key{tenant, subject}))
}

// LastApply returns the newest receipt that applied everything that it did not
// name as left out; false where none did.
func (l *Ledger) LastApply() (Applied, bool) { return l.applied(l.chain.index.Applied.All) }

func (l *Ledger) applied(number int) (Applied, bool) {
	if number == never {
		return Applied{}, false
	}
	x := l.chain.index
	return Applied{Number: number, Receipt: x.id(number), Commit: commitAt(x.Declared, number), At: x.at(number)}, true
}

// Unfinished returns the newest receipt if it has no outcome yet, else nil.
func (l *Ledger) Unfinished() (*Receipt, error) {
	if !l.chain.index.Open {
		return nil, nil
	}
	return l.Newest()
}

// File returns a file that lies beside a receipt's intent, such as its plan or a
// bundle, if it is the one that the intent names.
func (l *Ledger) File(r *Receipt, name string) ([]byte, error) {
	for _, f := range r.Intent.Files {
		if f.Name != name {
			continue
		}
		data, err := l.chain.tree().ReadAt(folder(r.Number)+"/"+name, plan.MaxSize)
		if err == nil && plan.DigestOf(data) != f.Digest {
			err = errors.New("it is not the file that the intent names")
		}
		if err != nil {
			return nil, &TamperError{Number: r.Number, Commit: r.IntentCommit, Err: fmt.Errorf("%s: %w", name, err)}
		}
		return data, nil
	}
	return nil, fmt.Errorf("receipt %d has no file %.80q", r.Number, name)
}

// Plan returns the plan file of a receipt, nil where it has none.
func (l *Ledger) Plan(r *Receipt) ([]byte, error) {
	if r.Intent.Plan == nil {
		return nil, nil
	}
	return l.File(r, planFile)
}
