package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile"
	"github.com/veonahealth/charter/reconcile/forge"
	"github.com/veonahealth/charter/reconcile/source"
	"github.com/veonahealth/charter/schema/write"
)

// Proposer writes, for each tenant whose rows were changed by other hands, a
// branch that adopts the change as a declaration: charter/adopt/TENANT. People
// merge it, or put the platform back. Where it is given a forge, each branch has a
// pull request.
type Proposer struct {
	// Repository is the one that is followed.
	Repository func() *source.Repository
	Evaluate   Evaluate
	Author     source.Author
	Now        func() time.Time
	// Forge is where pull requests are opened; nil for none.
	Forge *forge.Client
	// Target is the branch that they are to be merged into.
	Target string
	Log    *slog.Logger

	// asked are the commits that branches were at when they had a pull request.
	asked map[string]string
}

// proposed is a branch that is there as it is to be.
type proposed struct{ branch, commit, message string }

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
	var there []proposed
	for _, tenant := range slices.Sorted(maps.Keys(drift)) {
		one, err := p.propose(ctx, d.Plan, tenant, drift[tenant])
		if err != nil {
			errs = append(errs, fmt.Errorf("adopt what moved at tenant %s: %w", tenant, err))
			continue
		}
		there = append(there, one)
	}
	if p.Forge != nil {
		p.open(ctx, there)
	}
	return nil, errors.Join(errs...)
}

// openTime is how long a forge may hold up a pass.
const openTime = time.Minute

// open opens the pull requests that are missing. A forge that is down is asked again
// in the next pass: the branches are there meanwhile.
func (p *Proposer) open(ctx context.Context, there []proposed) {
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	for _, one := range there {
		if p.asked[one.branch] == one.commit {
			continue
		}
		title, text, _ := strings.Cut(one.message, "\n")
		opened, err := p.Forge.OpenPullRequest(ctx, forge.Proposal{
			Branch: one.branch, Target: p.Target, Commit: one.commit, Title: title, Text: verbatim(text),
		})
		var said *forge.StatusError
		switch {
		case errors.As(err, &said) && said.Status == http.StatusUnprocessableEntity:
			p.Log.Warn("no pull request", "branch", one.branch, "error", err) // of this branch alone
			continue
		case err != nil:
			p.Log.Warn("no pull request yet", "branch", one.branch, "error", err)
			return
		case opened.New:
			p.Log.Info("pull request opened", "branch", one.branch, "url", opened.URL)
		}
		if p.asked == nil {
			p.asked = map[string]string{}
		}
		p.asked[one.branch] = one.commit
	}
}

// verbatim writes a text as a block of code: names in it are whatever people are
// called on the platform, and nothing to a forge.
func verbatim(text string) string {
	text = strings.NewReplacer("\r", " ", "\n", "\n    ").Replace(strings.TrimSpace(text))
	return "    " + text + "\n"
}

// propose writes the branch of one tenant, unless it is there as it would be.
func (p *Proposer) propose(ctx context.Context, made *plan.Plan, tenant string, changes []plan.Change) (proposed, error) {
	repo := p.Repository()
	one := proposed{branch: "charter/adopt/" + tenant, message: message(tenant, changes)}
	base, err := repo.Resolve(made.Source.Commit)
	if err != nil {
		return one, err
	}
	put, err := p.edit(ctx, repo.Files(base), tenant, changes)
	if err != nil {
		return one, err
	}
	ref := "refs/heads/" + one.branch
	old, remote, err := p.branch(ctx, repo, ref)
	if err != nil {
		return one, err
	}
	commit, err := repo.Write(source.Draft{
		Parent: base.Hash, Put: put, Author: p.Author, When: p.Now(), Message: one.message,
	})
	if err != nil {
		return one, err
	}
	if old != "" {
		there, err := repo.Resolve(old)
		if err == nil && there.Tree == commit.Tree {
			one.commit = old
			return one, nil // as it would be
		}
	}
	one.commit = commit.Hash
	if _, err := p.Evaluate(ctx, repo.Files(commit)); err != nil {
		return one, fmt.Errorf("declared as it is live, the fleet does not load: %w", err)
	}
	if remote {
		return one, repo.Push(ctx, source.Update{Name: ref, Old: old, New: commit.Hash})
	}
	return one, repo.SetRef(ref, old, commit.Hash)
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
