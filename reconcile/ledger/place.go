package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/reconcile/source"
)

// Branch returns the full name of an environment's audit branch.
func Branch(environment catalog.Environment) string {
	return "refs/heads/charter/" + environment.String() + "/audit"
}

// tracking is the copy of the audit branch that git fetch keeps.
func tracking(environment catalog.Environment) string {
	return "refs/remotes/origin/charter/" + environment.String() + "/audit"
}

// place is where references are shared: the remote origin, or the repository
// itself where it has none.
type place struct {
	repo   *source.Repository
	remote bool
}

func newPlace(repo *source.Repository) (place, error) {
	remote, err := repo.HasRemote()
	return place{repo, remote}, err
}

// fetch brings what a reference names; "" where there is none. known are commits
// whose whole history is here.
func (p place) fetch(ctx context.Context, name string, known ...string) (string, error) {
	if !p.remote {
		return p.repo.Ref(name)
	}
	found, err := p.repo.Fetch(ctx, known, name)
	return found[name], err
}

// errLost says that somebody else moved a reference first.
var errLost = errors.New("another writer came first")

// move moves a reference, or gives errLost. After another error it is where it
// was, as far as can be known.
func (p place) move(ctx context.Context, u source.Update) error {
	if !p.remote {
		err := p.repo.SetRef(u.Name, u.Old, u.New)
		if errors.Is(err, source.ErrMoved) {
			return fmt.Errorf("%w: %w", errLost, err)
		}
		return err
	}
	err := p.repo.Push(ctx, u)
	if err == nil {
		return nil
	}
	// The answer may be lost, or the remote may have refused because another
	// came first: where the reference is now tells.
	refs, asked := p.repo.RemoteRefs(ctx)
	switch {
	case asked != nil:
		return errors.Join(err, asked)
	case refs[u.Name] == u.New:
		return nil
	case refs[u.Name] != u.Old:
		return fmt.Errorf("%w: %w", errLost, err)
	}
	return err
}
