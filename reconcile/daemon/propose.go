package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile"
	"github.com/veonahealth/charter/reconcile/source"
	"github.com/veonahealth/charter/schema/write"
)

// Proposer writes, for each tenant whose rows were changed by other hands, a
// branch that adopts the change as a declaration: charter/adopt/TENANT. People
// merge it, or put the platform back.
type Proposer struct {
	// Repository is the one that is followed.
	Repository func() *source.Repository
	Evaluate   Evaluate
	Author     source.Author
	Now        func() time.Time
}

// Act proposes what a plan has of drift. It carries nothing out; its error names
// the tenants that it could not write a branch for.
func (p *Proposer) Act(ctx context.Context, d Deed) ([]reconcile.Outcome, error) {
	if d.Begun != nil {
		return nil, nil // somebody else's to end
	}
	drift := map[string][]plan.Change{}
	for i := range d.Plan.Batches {
		b := &d.Plan.Batches[i]
		if b.Subject == plan.Entitlements && b.Class() == plan.Drift {
			drift[b.Tenant] = b.Changes
		}
	}
	var errs []error
	for _, tenant := range slices.Sorted(maps.Keys(drift)) {
		if err := p.propose(ctx, d.Plan, tenant, drift[tenant]); err != nil {
			errs = append(errs, fmt.Errorf("adopt what moved at tenant %s: %w", tenant, err))
		}
	}
	return nil, errors.Join(errs...)
}

// propose writes the branch of one tenant, unless it is there as it would be.
func (p *Proposer) propose(ctx context.Context, made *plan.Plan, tenant string, changes []plan.Change) error {
	repo := p.Repository()
	base, err := repo.Resolve(made.Source.Commit)
	if err != nil {
		return err
	}
	put, err := p.edit(ctx, repo.Files(base), tenant, changes)
	if err != nil {
		return err
	}
	branch := "refs/heads/charter/adopt/" + tenant
	old, remote, err := p.branch(ctx, repo, branch)
	if err != nil {
		return err
	}
	commit, err := repo.Write(source.Draft{
		Parent: base.Hash, Put: put, Author: p.Author, When: p.Now(), Message: message(tenant, changes),
	})
	if err != nil {
		return err
	}
	if old != "" {
		there, err := repo.Resolve(old)
		if err == nil && there.Tree == commit.Tree {
			return nil // as it would be
		}
	}
	if _, err := p.Evaluate(ctx, repo.Files(commit)); err != nil {
		return fmt.Errorf("declared as it is live, the fleet does not load: %w", err)
	}
	if remote {
		return repo.Push(ctx, source.Update{Name: branch, Old: old, New: commit.Hash})
	}
	return repo.SetRef(branch, old, commit.Hash)
}

// branch finds where a branch stands, at the remote where there is one.
func (p *Proposer) branch(ctx context.Context, repo *source.Repository, name string) (at string, remote bool, err error) {
	if remote, err = repo.HasRemote(); err != nil {
		return "", false, err
	}
	if !remote {
		at, err = repo.Ref(name)
		return at, false, err
	}
	found, err := repo.Fetch(ctx, nil, name)
	return found[name], true, err
}

func message(tenant string, changes []plan.Change) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Adopt what moved at %s\n\n", tenant)
	for i := range changes {
		fmt.Fprintf(&b, "%s: %s\n", Named(&changes[i]), whose(&changes[i]))
	}
	b.WriteString("\nMerged, it stays as it is live. Otherwise delete this branch, and put the platform back.\n")
	return b.String()
}

// whose says in words who moved a row: "removed by ann@example.org".
func whose(c *plan.Change) string {
	text, _, _ := strings.Cut(c.Reason.Text, ";")
	return strings.TrimPrefix(text, "drift: ")
}

// edit gives the tenant's files as they declare its rows as they are live.
func (p *Proposer) edit(ctx context.Context, files fs.FS, tenant string, changes []plan.Change) (map[string][]byte, error) {
	fleet, err := p.Evaluate(ctx, files)
	if err != nil {
		return nil, err
	}
	id, err := catalog.ParseTenantID(tenant)
	if err != nil {
		return nil, err
	}
	declared := fleet.Tenant(id)
	if declared == nil {
		return nil, errors.New("it is not declared")
	}
	names, err := fs.Glob(files, path.Join(declared.Dir, "*.cue"))
	if err != nil {
		return nil, err
	}
	put := map[string][]byte{}
	for i := range changes {
		if err := adopt(files, names, put, &changes[i], p.Now()); err != nil {
			return nil, fmt.Errorf("%s: %w", Named(&changes[i]), err)
		}
	}
	return put, nil
}

// adopt declares one row as it is live, in the first of the tenant's files in which
// that can be written.
func adopt(files fs.FS, names []string, put map[string][]byte, c *plan.Change, now time.Time) error {
	err := errors.New("the tenant has no file")
	for _, name := range names {
		text, edited := put[name]
		if !edited {
			if text, err = fs.ReadFile(files, name); err != nil {
				return err
			}
		}
		if text, err = adoptIn(text, c, now); err == nil {
			put[name] = text
			return nil
		}
	}
	return err
}

// adoptIn takes back the facility's word against the row as it is live, or gives
// one for it.
func adoptIn(text []byte, c *plan.Change, now time.Time) ([]byte, error) {
	says, against := write.Revocations, write.Grants
	if c.Action.Withdraws() { // it is live, and to be kept
		says, against = write.Grants, write.Revocations
	}
	level := write.Level{Facility: c.Facility}
	if without, err := write.Remove(text, level, against, c.Module); err == nil {
		return without, nil
	}
	return write.Add(text, level, says, c.Module, write.Statement{
		Reason: whose(c) + " on the platform, as found " + now.UTC().Format(time.DateOnly),
	})
}
