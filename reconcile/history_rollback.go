package reconcile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/ledger"
	"github.com/veonahealth/charter/reconcile/source"
)

// rollbackBranches is where the branches lie that take receipts back.
const rollbackBranches = "refs/heads/charter/rollback/"

// maxRestored is the largest file that is put back, in bytes.
const maxRestored = 4 << 20

// Rollback is a commit that puts files back as they were applied before a
// receipt. No reference names it yet.
type Rollback struct {
	Branch  string        `json:"branch"` // the reference that is to name it
	Commit  source.Commit `json:"-"`
	Files   []string      `json:"files"` // that are put back, sorted
	Head    string        `json:"head"`  // the commit that it stands on
	Left    []string      `json:"left"`  // what the receipt did and no file can take back, in sentences
	Number  int           `json:"number"`
	Receipt string        `json:"receipt"`
	Tenants []string      `json:"tenants"` // whose files are put back
}

// LaterEditsError says that files were edited since a receipt, so that to put them
// back would lose those edits.
type LaterEditsError struct {
	Number int
	Paths  []string
}

func (e *LaterEditsError) Error() string {
	return fmt.Sprintf("since receipt %d other edits were made in %s, and to put back what stood there would lose them", e.Number, strings.Join(e.Paths, ", "))
}

// ErrNothingToRestore says that a receipt came of no change of the files that it
// could be taken back by.
var ErrNothingToRestore = errors.New("no file changed between it and what was applied before: what it did came of drift, or of the clock, and there is nothing to put back")

// Rollback writes the commit that takes a receipt back, on top of head: the files
// of each tenant that the receipt wrote, and, where it wrote editions or
// organisations, theirs too, are as at the commit that was applied before. It
// moves nothing: whoever checks it first gives it its branch.
func (g *Governance) Rollback(ctx context.Context, id ledger.ID, head source.Commit, author source.Author) (*Rollback, error) {
	r, err := g.Ledger.Find(id)
	if err != nil {
		return nil, err
	}
	switch {
	case r.Outcome == nil:
		return nil, &ledger.OpenError{Receipt: r}
	case r.Intent.Act != ledger.Apply:
		return nil, fmt.Errorf("receipt %d is a %s, and carried out no plan", r.Number, r.Intent.Act)
	}
	is, err := g.o.Repo.IsAncestor(ctx, r.Intent.Commit, head.Hash)
	if err != nil {
		return nil, err
	}
	if !is {
		return nil, fmt.Errorf("commit %.12s does not descend from %.12s, which receipt %d carried out", head.Hash, r.Intent.Commit, r.Number)
	}
	u := undoing{Governance: g, receipt: r, folders: map[string]map[string]bool{}, tenants: map[string]bool{}}
	if err := u.gather(ctx); err != nil {
		return nil, err
	}
	files, err := u.restored(head)
	if err != nil {
		return nil, err
	}
	back := &Rollback{
		Branch: rollbackBranches + id.String()[:12], Files: slices.Sorted(maps.Keys(files)), Head: head.Hash, Left: append([]string{}, u.left...),
		Number: r.Number, Receipt: id.String(), Tenants: append([]string{}, slices.Sorted(maps.Keys(u.tenants))...),
	}
	if len(files) == 0 {
		return back, ErrNothingToRestore
	}
	back.Commit, err = g.o.Repo.Write(source.Draft{
		Parent: head.Hash, Put: files, Author: author, When: g.o.Now(),
		Message: fmt.Sprintf("Roll back receipt %d\n\nPuts back what was applied before it.\n\nReceipt: %s\n", r.Number, id),
	})
	return back, err
}

// undoing finds what takes a receipt back.
type undoing struct {
	*Governance
	receipt *ledger.Receipt
	// folders are those to put back, by the commit that was applied before.
	folders map[string]map[string]bool
	tenants map[string]bool
	left    []string
}

// gather finds the folders that say what the receipt wrote, and when they were
// last applied before it.
func (u *undoing) gather(ctx context.Context) error {
	past, err := u.Ledger.Before(ctx, u.receipt.Number)
	if err != nil {
		return asTrust(err)
	}
	before := map[string]ledger.Applied{} // of the tenants: what was applied newest of the subjects that were written
	policy := false
	for i, b := range u.receipt.Intent.Batches {
		if s := u.receipt.Outcome.Batches[i].State; b.At != nil || s != ledger.Done && s != ledger.Already {
			continue
		}
		applied, found := past.LastApplied(b.Tenant, b.Subject)
		switch {
		case b.Subject == plan.Policy:
			policy = true
		case b.Subject.OfTenant():
			if was, known := before[b.Tenant]; !known || found && applied.Number > was.Number {
				before[b.Tenant] = applied
			}
		case !found:
			u.left = append(u.left, fmt.Sprintf("%s %s was not applied before, and cannot be put back", b.Subject, b.Tenant))
		case b.Subject == plan.Organisation:
			u.add(applied.Commit, "organisations")
		default:
			u.add(applied.Commit, "catalog")
		}
	}
	if policy {
		u.left = append(u.left, "the policy is not put back: change it with a plan of its own")
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if err := u.tenant(ctx, name, before[name]); err != nil {
			return err
		}
	}
	return nil
}

func (u *undoing) add(commit, folder string) {
	if u.folders[commit] == nil {
		u.folders[commit] = map[string]bool{}
	}
	u.folders[commit][folder] = true
}

// tenant adds the folder of a tenant, and the one that it was in before.
func (u *undoing) tenant(ctx context.Context, name string, applied ledger.Applied) error {
	var was *catalog.Declaration
	if applied.Commit != "" {
		desired, err := u.declared(ctx, applied.Commit)
		if err != nil {
			return err
		}
		was = desired.Tenant(tenantOf(name))
	}
	if was == nil {
		u.left = append(u.left, fmt.Sprintf("tenant %s was not applied before, and absence takes nothing away: close it, with closed: {reason, on} in its file", name))
		return nil
	}
	u.tenants[name] = true
	u.add(applied.Commit, was.Dir)
	desired, err := u.declared(ctx, u.receipt.Intent.Commit)
	if err != nil {
		return err
	}
	if is := desired.Tenant(was.ID); is != nil {
		u.add(applied.Commit, is.Dir)
	}
	return nil
}

// restored gives the files that the receipt's commit changed in the folders, as
// they were before; nil for one that was not there. Where they were changed again
// since it gives a LaterEditsError.
func (u *undoing) restored(head source.Commit) (map[string][]byte, error) {
	of, err := u.files(u.receipt.Intent.Commit)
	if err != nil {
		return nil, err
	}
	now := u.o.Repo.Files(head)
	put := map[string][]byte{}
	var lost []string
	for _, commit := range slices.Sorted(maps.Keys(u.folders)) {
		before, err := u.files(commit)
		if err != nil {
			return nil, err
		}
		for path, err := range source.Changed(before, of) {
			if err != nil {
				return nil, err
			}
			if !within(path, u.folders[commit]) {
				continue
			}
			was, is, at, err := threeOf(path, before, of, now)
			switch {
			case err != nil:
				return nil, err
			case sameFile(was, at): // it was put back already
			case !sameFile(is, at):
				lost = append(lost, path)
			default:
				put[path] = was
			}
		}
	}
	if len(lost) > 0 {
		slices.Sort(lost)
		return nil, &LaterEditsError{u.receipt.Number, lost}
	}
	return put, nil
}

func (u *undoing) files(commit string) (*source.Files, error) {
	c, err := u.o.Repo.ReadCommit(commit)
	if err != nil {
		return nil, err
	}
	return u.o.Repo.Files(source.Commit{Hash: c.Hash, Tree: c.Tree}), nil
}

func within(path string, folders map[string]bool) bool {
	for folder := range folders {
		if strings.HasPrefix(path, folder+"/") {
			return true
		}
	}
	return false
}

// threeOf reads a file of three trees; nil is one that is not there.
func threeOf(path string, trees ...*source.Files) (was, is, at []byte, err error) {
	var texts [3][]byte
	for i, tree := range trees {
		texts[i], err = tree.ReadAt(path, maxRestored)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, nil, nil, err
		}
	}
	return texts[0], texts[1], texts[2], nil
}

// sameFile compares files, of which nil is none.
func sameFile(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

// Rollbacks are the holds by which the rows of rollbacks that a commit does not
// hold yet are kept as they are: until such a branch is merged, or deleted, nobody
// does again what it takes back. Only branches of this clone, and those that git
// fetched from origin, are known.
func (g *Governance) Rollbacks(ctx context.Context, commit string, at time.Time) ([]catalog.Hold, error) {
	var holds []catalog.Hold
	seen := map[string]bool{}
	for _, prefix := range []string{rollbackBranches, "refs/remotes/origin/charter/rollback/"} {
		refs, err := g.o.Repo.Refs(prefix)
		if err != nil {
			return nil, err
		}
		for _, name := range slices.Sorted(maps.Keys(refs)) {
			if seen[refs[name]] {
				continue
			}
			seen[refs[name]] = true
			list, err := g.rolledBack(ctx, strings.TrimPrefix(name, prefix), refs[name], commit, at)
			var shallow *source.ShallowError
			switch {
			case ctx.Err() != nil:
				return nil, ctx.Err()
			case errors.As(err, &shallow):
				return nil, err
			case err == nil: // what does not load is no rollback: those are checked before they have their branch
				holds = append(holds, list...)
			}
		}
	}
	return holds, nil
}

// rolledBack gives the holds of one rollback, none where the commit holds it.
func (g *Governance) rolledBack(ctx context.Context, name, tip, commit string, at time.Time) ([]catalog.Hold, error) {
	merged, err := g.o.Repo.IsAncestor(ctx, tip, commit)
	if err != nil || merged {
		return nil, err
	}
	c, err := g.rollbackCommit(name, tip)
	if err != nil || c == nil {
		return nil, err
	}
	base, err := g.declared(ctx, c.Parents[0])
	if err != nil {
		return nil, err
	}
	back, err := g.declared(ctx, tip)
	if err != nil {
		return nil, err
	}
	diff, err := plan.Compare(plan.Sides{Base: base, Head: back, Environment: g.o.Environment, At: at})
	if err != nil {
		return nil, err
	}
	return holdsOf(diff, name, c), nil
}

// maxOnTop is how many commits people may have added to a rollback's own.
const maxOnTop = 100

// rollbackCommit finds on a branch the commit that a rollback made, by the receipt
// that its message names: it must be one of the ledger's, and the branch's name
// must be of it. nil is a branch that is none.
func (g *Governance) rollbackCommit(name, tip string) (*source.CommitData, error) {
	for range maxOnTop {
		c, err := g.o.Repo.ReadCommit(tip)
		if err != nil {
			return nil, &source.ShallowError{Commit: tip, Err: err}
		}
		if len(c.Parents) == 0 {
			return nil, nil
		}
		_, trailer, _ := strings.Cut(c.Message, "\nReceipt: ")
		id, err := ledger.ParseID(strings.TrimSpace(trailer))
		if err == nil && strings.HasPrefix(id.String(), name) {
			_, err = g.Ledger.Find(id)
			var unknown *ledger.UnknownError
			if errors.As(err, &unknown) {
				return nil, nil
			}
			return c, err
		}
		tip = c.Parents[0]
	}
	return nil, nil
}

// forever is when the hold of a rollback would end if it was never merged.
var forever = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// holdsOf names the rows that differ, one hold a facility.
func holdsOf(diff *plan.Comparison, name string, c *source.CommitData) []catalog.Hold {
	var holds []catalog.Hold
	at := map[[2]string]int{}
	for _, d := range diff.Differences {
		module, err := catalog.ParseModuleKey(d.Module)
		facility, err2 := catalog.ParseFacilityID(d.Facility)
		if err != nil || err2 != nil || d.From != nil {
			continue
		}
		key := [2]string{d.Tenant, d.Facility}
		if _, known := at[key]; !known {
			at[key] = len(holds)
			holds = append(holds, catalog.Hold{
				Key: "rollback/" + name, Tenant: tenantOf(d.Tenant), Facility: facility, Owner: c.Author.Name, Until: forever,
				Reason: firstLine(c.Message) + ": until branch charter/rollback/" + name + " is merged, or deleted",
			})
		}
		h := &holds[at[key]]
		h.Modules = append(h.Modules, module)
	}
	return holds
}
