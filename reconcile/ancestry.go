package reconcile

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/policy"
	"github.com/veonahealth/charter/reconcile/ledger"
	"github.com/veonahealth/charter/reconcile/source"
)

// Ancestry refuses, with a TrustError, a commit that does not descend from what
// was last applied, or, where the policy asks that people sign their commits, one
// that others came by. History may only grow.
func (g *Governance) Ancestry(ctx context.Context, commit string) error {
	if err := g.descends(ctx, commit, g.Ledger.Len()); err != nil {
		return err
	}
	return g.peoplesCommits(ctx, commit)
}

// descends refuses, with a TrustError, a commit that does not descend from what was
// applied last before a receipt.
func (g *Governance) descends(ctx context.Context, commit string, before int) error {
	last, err := g.newestCommit(before)
	if err != nil || last == "" {
		return err
	}
	is, err := g.o.Repo.IsAncestor(ctx, last, commit)
	switch {
	case err != nil || is:
		return err
	case !g.has(last):
		return distrust("commit %s does not descend from %s, which was applied last and is not in this clone: git fetch brings it; where nobody has it, charter seal %.12[1]s --reason, signed by a person who holds policy.write, goes on without it", commit, last)
	}
	return distrust("commit %s does not descend from %s, which was applied last: the history was rewritten, or the plan is of another branch; rebase onto %[2]s", commit, last)
}

// peoplesCommits checks, where the policy says so, that a person signed every
// commit since what was last applied, or sealed.
func (g *Governance) peoplesCommits(ctx context.Context, commit string) error {
	roster, err := g.Roster(ctx)
	if err != nil || roster.Policy().Commits != catalog.CommitsPeople {
		return err
	}
	from, err := g.checkedFrom(ctx, commit, g.Ledger.Len())
	if err != nil {
		return err
	}
	commits, err := g.o.Repo.Between(ctx, from, commit)
	if err != nil {
		return err
	}
	for _, c := range commits {
		if _, err := roster.Commit(c.Object, g.o.Now()); err != nil {
			return distrust("commit %s (%s): the policy asks that a person of it signs every commit: %w; the way on is charter seal %.12[1]s --reason, signed", c.Hash, firstLine(c.Message), err)
		}
	}
	return nil
}

// checkedFrom is the newest commit up to which commits are taken as they are: what
// was last applied before a receipt, what a seal names since, or what the ledger was
// founded at.
func (g *Governance) checkedFrom(ctx context.Context, commit string, before int) (string, error) {
	for number := before - 1; number >= 0; number-- {
		act := g.Ledger.Act(number)
		if act == ledger.Recover {
			continue
		}
		r, err := g.Ledger.At(number)
		if err != nil {
			return "", err
		}
		if r.Intent.Commit == "" || act == ledger.Apply && !g.carriedOut(r) {
			continue
		}
		if is, err := g.o.Repo.IsAncestor(ctx, r.Intent.Commit, commit); err != nil || is {
			return r.Intent.Commit, err
		}
	}
	return "", distrust("commit %s descends from nothing that the ledger knows", commit)
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return fmt.Sprintf("%.72s", line)
}

var coAuthor = regexp.MustCompile(`(?mi)^co-authored-by:[^<]*<([^>]+)>`)

// writers lists, for each subject of a plan that is judged at a time, as a receipt of
// a number, who wrote the commits that touched its files since it was last applied.
func (g *Governance) writers(ctx context.Context, in *policy.Input, number int) (func(string, plan.Subject) []policy.Writer, error) {
	commit := in.Plan.Source.Commit
	from, err := g.checkedFrom(ctx, commit, number)
	if err != nil {
		return nil, err
	}
	commits, err := g.o.Repo.Between(ctx, from, commit)
	if err != nil {
		return nil, err
	}
	type touched struct {
		files   []string
		writers []policy.Writer
	}
	var all []touched
	for _, c := range commits {
		files, err := g.touched(c)
		if err != nil {
			return nil, err
		}
		all = append(all, touched{files, writersOf(c, in.Roster, in.Now)})
	}
	return func(of string, subject plan.Subject) []policy.Writer {
		var list []policy.Writer
		for _, t := range all {
			if slices.ContainsFunc(t.files, func(file string) bool { return concerns(file, of, subject, in.Desired) }) {
				list = append(list, t.writers...)
			}
		}
		return list
	}, nil
}

// touched are the files that a commit changes against any of its parents.
func (g *Governance) touched(c *source.CommitData) ([]string, error) {
	after := g.o.Repo.Files(source.Commit{Hash: c.Hash, Tree: c.Tree})
	parents := c.Parents
	if len(parents) == 0 {
		return nil, errors.New("a commit without a parent stands between what was applied and the plan")
	}
	var files []string
	for _, parent := range parents {
		before, err := g.o.Repo.ReadCommit(parent)
		if err != nil {
			return nil, err
		}
		for file, err := range source.Changed(g.o.Repo.Files(source.Commit{Hash: before.Hash, Tree: before.Tree}), after) {
			if err != nil {
				return nil, err
			}
			files = append(files, file)
		}
	}
	return files, nil
}

// writersOf are all who stand in a commit as having written it.
func writersOf(c *source.CommitData, roster *policy.Roster, now time.Time) []policy.Writer {
	signer := ""
	if person, err := roster.Commit(c.Object, now); err == nil {
		signer = person.ID
	}
	list := []policy.Writer{{Email: c.Author.Email, Person: signer}, {Email: c.Committer.Email, Person: signer}}
	if signer != "" && c.Author.Email != c.Committer.Email {
		list[0].Person = "" // who committed signed, for another author
	}
	for _, match := range coAuthor.FindAllStringSubmatch(c.Message, -1) {
		list = append(list, policy.Writer{Email: match[1]})
	}
	return list
}

// concerns reports whether a file may say something of a subject: shared files
// above a tenant do of every tenant below them.
func concerns(file, of string, subject plan.Subject, desired *catalog.Desired) bool {
	top, _, _ := strings.Cut(file, "/")
	switch subject {
	case plan.Policy:
		return top == "policy" || file == "environments.cue"
	case plan.Catalog, plan.Edition:
		return top == "catalog"
	case plan.Organisation:
		return top == "organisations"
	}
	switch top {
	case "catalog", "holds":
		return true
	case "tenants":
		id, err := catalog.ParseTenantID(of)
		if err != nil {
			return true
		}
		d := desired.Tenant(id)
		return d == nil || strings.HasPrefix(file, d.Dir+"/") || strings.HasPrefix(d.Dir+"/", path.Dir(file)+"/")
	}
	return !strings.Contains(file, "/") && strings.HasSuffix(file, ".cue")
}
