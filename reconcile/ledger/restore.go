package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/veonahealth/charter/reconcile/source"
)

// Restored says what Restore did.
type Restored struct {
	Was string // the commit at which the branch was; "" where it was gone
	Now string // the commit at which it is; Was where nothing had to be done
	// Receipts is the number of receipts that the branch has now.
	Receipts int
	// Refused is why the branch as it was goes no further than it verifies; nil where
	// all of it does.
	Refused error
	// Given lists the receipts that verified in another copy and are not on the branch
	// now: somebody had gone on after a rollback.
	Given []ID
}

// Restore puts back the longest copy of the ledger that verifies: of this clone,
// of another repository where from, a folder or URL, is not "", and of what is
// on the branch now. It gives ErrNotFounded where no copy verifies at all, and a
// source.RejectedError where the remote does not let its branch be moved so. Where
// a copy could not be judged it gives an UnjudgedError, and where two that verify go
// two ways, and from does not say which is the one, a PartedError: it moves nothing
// for what is not known.
func Restore(ctx context.Context, o Options, from string) (Restored, error) {
	p, err := newPlace(o.Repo)
	if err != nil {
		return Restored{}, err
	}
	name := Branch(o.Environment)
	was, err := p.fetch(ctx, name)
	if err != nil {
		return Restored{}, err
	}
	own, named, err := o.copies(ctx, from)
	if err != nil {
		return Restored{}, err
	}
	now, refused, err := o.verified(ctx, was)
	if err != nil {
		return Restored{}, err
	}
	seen := map[string]*index{was: now} // copies are often the same
	all := []*index{now}
	add := func(tip string) (*index, error) {
		if seen[tip] == nil {
			x, _, err := o.verified(ctx, tip)
			if err != nil {
				return nil, err
			}
			seen[tip], all = x, append(all, x)
		}
		return seen[tip], nil
	}
	for _, tip := range own {
		if _, err := add(tip); err != nil {
			return Restored{}, err
		}
	}
	best := newIndex(o.Environment.String(), o.Root)
	for _, tip := range named {
		x, err := add(tip)
		if err != nil {
			return Restored{}, err
		}
		if len(x.Commits) > len(best.Commits) {
			best = x
		}
	}
	chosen := best.Tip != ""
	for _, x := range all {
		if x.extends(best) {
			best = x
		}
	}
	if best.Tip == "" {
		return Restored{}, fmt.Errorf("%w in any copy", ErrNotFounded)
	}
	done := Restored{Was: was, Now: best.Tip, Receipts: best.count(), Refused: refused}
	for _, x := range all {
		if best.extends(x) || x.Tip == best.Tip {
			continue
		}
		if !chosen {
			return Restored{}, &PartedError{One: best.Tip, Other: x.Tip}
		}
		for _, id := range x.beyond(best) {
			if !slices.Contains(done.Given, id) {
				done.Given = append(done.Given, id)
			}
		}
	}
	if best.Tip != was {
		if err := p.move(ctx, source.Update{Name: name, Old: was, New: best.Tip}); err != nil {
			return Restored{}, err
		}
	}
	return done, errors.Join(o.remember(best.Tip), best.save(o.Cache))
}

// extends reports whether an index goes on from another one.
func (x *index) extends(other *index) bool {
	return len(x.Commits) > len(other.Commits) && bytes.Equal(x.Commits[:len(other.Commits)], other.Commits)
}

// copies are the newest commits of the copies that are at hand, and of those that
// are named.
func (o *Options) copies(ctx context.Context, from string) (own, named []string, err error) {
	names := []string{Branch(o.Environment), tracking(o.Environment)}
	for _, name := range names {
		tip, err := o.Repo.Ref(name)
		if err != nil {
			return nil, nil, err
		}
		own = append(own, tip)
	}
	if from == "" {
		return own, nil, nil
	}
	found, err := o.Repo.FetchFrom(ctx, from, nil, names...)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		named = append(named, found[name])
	}
	return own, named, nil
}

// verified verifies a copy from the root on, as far as all is well, and says why no
// further. What was cached is not believed: it may be what has to be restored.
func (o *Options) verified(ctx context.Context, tip string) (x *index, refused, err error) {
	c := chain{repo: o.Repo, trust: o.Trust, index: newIndex(o.Environment.String(), o.Root)}
	if tip == "" {
		return c.index, nil, nil
	}
	err = c.advance(ctx, tip)
	var tampered *TamperError
	var shallow *source.ShallowError
	if ctx.Err() == nil && (errors.As(err, &tampered) || errors.As(err, &shallow)) {
		return c.index, err, nil
	}
	return c.index, nil, err
}

// beyond lists the receipts of an index that another one has not.
func (x *index) beyond(other *index) []ID {
	var list []ID
	for n := range x.count() {
		if _, ok := other.find(x.id(n)); !ok {
			list = append(list, x.id(n))
		}
	}
	return list
}

// remember puts the local branch where the ledger is now.
func (o *Options) remember(tip string) error {
	here, err := o.Repo.Ref(Branch(o.Environment))
	if err != nil {
		return err
	}
	return o.Repo.SetRef(Branch(o.Environment), here, tip)
}
