package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/veonahealth/charter/cmd/charter/internal/view"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile"
	"github.com/veonahealth/charter/reconcile/ledger"
	"github.com/veonahealth/charter/reconcile/source"
	"github.com/veonahealth/charter/schema"
)

type rollbackOptions struct {
	plan   planOptions
	output outputFlag
}

func (a *app) newRollback() *cobra.Command {
	var o rollbackOptions
	cmd := &cobra.Command{
		Use:   "rollback RECEIPT",
		Short: "Make the branch that takes a receipt back, and the plan of it",
		Long: `Rollback makes the branch charter/rollback/RECEIPT (its first 12 digits) on HEAD:
one commit, in which the files of each tenant that the receipt wrote are as they
were at the commit applied before; where the receipt wrote editions or
organisations, theirs too. The work tree is left alone. Then it shows the plan of
that branch, to be approved, applied and merged as any other; --out saves it.

Until the branch is merged, or deleted, a plan of a commit without it holds the
rows that the rollback changes, by name: nobody does again what is taken back.

It refuses where the files were edited since, which it would lose, and what it
cannot take back by absence it names: a tenant that the receipt made is closed
with a tombstone, by hand.`,
		Example: `  charter rollback $RECEIPT --root $ROOT --ehr $EHR --out rollback.json
  charter approve rollback.json --key ann.key`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.rollback(cmd.Context(), &o, args[0]) },
	}
	bindRepo(cmd, &o.plan.repo.repo)
	o.plan.repo.rev, o.plan.expiresIn = "HEAD", defaultExpiry
	o.plan.ehr.bind(cmd)
	bindEnv(cmd, &o.plan.scope.env)
	o.plan.root.bind(cmd)
	cmd.Flags().StringVar(&o.plan.out, "out", "", "save the plan as `FILE`")
	o.output.bind(cmd, "text", "json")
	return cmd
}

// rolledBack is what rollback did, for programs.
type rolledBack struct {
	*reconcile.Rollback
	Commit string     `json:"commit"` // that the branch names
	Plan   *plan.Plan `json:"plan"`   // null where no platform was given
}

func (a *app) rollback(ctx context.Context, o *rollbackOptions, receipt string) error {
	id, err := ledger.ParseID(receipt)
	if err != nil {
		return failHint(exitUsage, "charter log lists the receipts", "%w", err)
	}
	if source.IsURL(o.plan.repo.repo) {
		return fail(exitUsage, "--repo %s: a branch is made in a folder, not at a URL", o.plan.repo.repo)
	}
	if o.plan.out != "" && o.plan.ehr.url == "" {
		return fail(exitUsage, "--out saves the plan of the branch, which needs the platform: give --ehr")
	}
	back, err := a.makeRollback(ctx, o, id)
	if err != nil {
		return err
	}
	result := rolledBack{Rollback: back, Commit: back.Commit.Hash}
	if o.output.value != "json" {
		a.showRollback(back)
	}
	branch := strings.TrimPrefix(back.Branch, "refs/heads/")
	a.note("push it, and whoever fetches it holds its rows too: git push origin %s", branch)
	if o.plan.ehr.url == "" {
		a.note("the plan of it: charter plan --rev %s --out rollback.json --ehr URL", branch)
		return a.finishRollback(o, result)
	}
	o.plan.repo.rev = branch
	if result.Plan, err = a.makePlan(ctx, &o.plan); err != nil {
		return err
	}
	return a.finishRollback(o, result)
}

// finishRollback saves and shows the plan of the branch.
func (a *app) finishRollback(o *rollbackOptions, result rolledBack) error {
	var data []byte
	var err error
	if result.Plan != nil {
		if data, err = plan.Encode(result.Plan); err != nil {
			return err
		}
	}
	if o.plan.out != "" {
		if err := writeFile(o.plan.out, data, 0o644); err != nil {
			return fail(exitFailed, "save the plan: %w", err)
		}
		a.note("saved as %s, %s", o.plan.out, plan.DigestOf(data))
	}
	switch {
	case o.output.value == "json":
		err = view.JSON(a.stdout, result)
	case result.Plan != nil:
		err = a.showPlan(result.Plan, data, "text")
	}
	if err != nil || result.Plan == nil {
		return err
	}
	return finish(planCode(result.Plan, false))
}

// makeRollback writes the commit, checks that it is without mistakes, and gives
// it its branch.
func (a *app) makeRollback(ctx context.Context, o *rollbackOptions, id ledger.ID) (*reconcile.Rollback, error) {
	office, err := a.needOffice(ctx, o.plan.repo, o.plan.scope.env, o.plan.root.root)
	if err != nil {
		return nil, err
	}
	defer office.Close()
	head, err := o.plan.repo.evaluate(ctx, a, office.repo, "HEAD")
	if err != nil {
		return nil, err
	}
	back, err := office.Rollback(ctx, id, head.commit, a.author(o.plan.repo.repo))
	if err != nil {
		return nil, unrestored(back, err)
	}
	after, err := office.evaluate(ctx, back.Commit.Hash)
	if err == nil {
		var problems schema.Problems
		if problems, err = schema.Vanished(&head.fleet.Desired, after, a.now()); len(problems) > 0 {
			err = problems
		}
	}
	if err != nil {
		return nil, failHint(codeOf(err), "no branch was made; take it back by hand, with tombstones for what the receipt made", "receipt %d put back would be a mistake: %w", back.Number, err)
	}
	err = office.repo.SetRef(back.Branch, "", back.Commit.Hash)
	if errors.Is(err, source.ErrMoved) {
		return nil, failHint(exitFailed, "merge it, or delete it with git branch -D", "branch %s is there already", strings.TrimPrefix(back.Branch, "refs/heads/"))
	}
	return back, err
}

// unrestored says why nothing was put back, and what to do.
func unrestored(back *reconcile.Rollback, err error) error {
	var (
		unknown *ledger.UnknownError
		open    *ledger.OpenError
		edits   *reconcile.LaterEditsError
	)
	switch {
	case errors.As(err, &unknown):
		return failHint(exitFailed, "charter log lists the receipts", "%w", err)
	case errors.As(err, &open):
		return failHint(exitFailed, "apply its plan again, which finishes it", "%w", err)
	case errors.As(err, &edits):
		return failHint(exitFailed, "no branch was made; edit them by hand", "%w", err)
	case errors.Is(err, reconcile.ErrNothingToRestore) && len(back.Left) > 0:
		return fail(exitFailed, "receipt %d: %s", back.Number, strings.Join(back.Left, "; "))
	case errors.Is(err, reconcile.ErrNothingToRestore):
		return fail(exitFailed, "receipt %d: %w", back.Number, err)
	}
	return err
}

func (a *app) showRollback(back *reconcile.Rollback) {
	fmt.Fprintf(a.stdout, "%s, commit %.12s\n", strings.TrimPrefix(back.Branch, "refs/heads/"), back.Commit.Hash)
	for _, file := range back.Files {
		fmt.Fprintln(a.stdout, "  "+view.Clean(file))
	}
	for _, text := range back.Left {
		fmt.Fprintln(a.stdout, "! "+view.Clean(text))
	}
}
