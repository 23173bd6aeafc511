package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/cmd/charter/internal/view"
	"github.com/veonahealth/charter/plan/policy"
	"github.com/veonahealth/charter/plan/seal"
	"github.com/veonahealth/charter/reconcile"
)

type approveOptions struct {
	repo     repoFlags
	plan     string
	decision seal.Decision
	key      keyFlags
	approval approvalFlags
	root     rootFlag
	glass    bool // break a brake's glass, instead of approving
	review   reviewFlags
}

func (a *app) newApprove() *cobra.Command {
	cmd, o := a.newDecision("approve", "Approve a plan, and publish that", seal.Approve, `Approve signs exactly what a plan says, as sign does, and pushes the plan and the
signature to where others find them (charter plans). The approval is of the plan's
batches: it counts for them in any other plan too, until one is done. A plan that
is open already is named by its digest. Where the ledger's root is given, it says at
once if the approval does not count.

With --break-glass it signs something else: that for this plan, and until
--not-after, a brake may be passed that the policy's break_glass names (a threshold,
a window, a missing approval), for the reason that --comment gives. It is recorded
with the receipt.

With --review, in a job at the forge, an applier of the policy that may "notary"
signs in the name of those who approved pull request N there: each person of the
policy by the account that it names, who approved the commit that the pull request is
at, after the comment of charter ci showed the plan of it. The comment has to be as
charter ci wrote it, and a plan that is made anew has to come to the same batches.
What has been dismissed since is taken back. It is 4 where no review is recorded, and
7 where the comment was edited.`, `  charter approve plan.json --key ann.key
  charter approve 9f4ffeaf… --key ann.key --comment "OPS-114, agreed with the ward"
  charter approve plan.json --break-glass --comment "INC-7: stolen account" --not-after 2h --key ann.key
  charter approve --review 5 --key notary.key`)
	cmd.Use = "approve FILE|DIGEST|--review N"
	cmd.Args = cobra.MaximumNArgs(1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch reviews := o.review.change != 0; {
		case reviews && len(args) > 0:
			return fail(exitUsage, "--review names the plan by itself: it is the one that the comment shows")
		case reviews:
			return a.review(cmd.Context(), o)
		case len(args) == 0:
			return fail(exitUsage, "no plan: name its FILE or DIGEST, or give --review N")
		}
		o.plan = args[0]
		return a.decide(cmd.Context(), o)
	}
	o.review.bind(cmd)
	cmd.Flags().BoolVar(&o.glass, "break-glass", false, "let this one plan pass a brake, as far as the policy lets you")
	return cmd
}

func (a *app) newReject() *cobra.Command {
	cmd, _ := a.newDecision("reject", "Say no to a plan, and publish that", seal.Reject, `Reject signs and pushes a no. Where its signer could have approved, nothing that it
is about is applied until they approve it after all.`, `  charter reject plan.json --key ann.key --comment "the ward moves in March"`)
	return cmd
}

func (a *app) newDecision(verb, short string, decision seal.Decision, long, example string) (*cobra.Command, *approveOptions) {
	o := &approveOptions{decision: decision}
	cmd := &cobra.Command{
		Use: verb + " FILE|DIGEST", Short: short, Long: long, Example: example,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.plan = args[0]
			return a.decide(cmd.Context(), o)
		},
	}
	bindRepo(cmd, &o.repo.repo)
	o.key.bind(cmd)
	o.approval.bind(cmd)
	o.root.bind(cmd)
	return cmd, o
}

// of names what the statement is of, for the name of its bundle: one person may
// approve a plan and break a glass for it.
func (o *approveOptions) of(file string) string {
	if o.glass {
		return file + ".break-glass"
	}
	return file
}

// statement writes what is to be signed.
func (o *approveOptions) statement(file *planFile, now time.Time) ([]byte, error) {
	if !o.glass {
		o.approval.decision = o.decision
		return o.approval.statement(file, now)
	}
	environment, err := catalog.ParseEnvironment(file.plan.Environment)
	switch {
	case err != nil:
		return nil, fail(exitFailed, "%s: %w", file.path, err)
	case o.approval.comment == "":
		return nil, fail(exitUsage, "no reason: give --comment WORDS, they are recorded")
	case len(o.approval.tenants) > 0:
		return nil, fail(exitUsage, "--tenant: a glass is broken for the plan as a whole")
	case o.approval.lasts <= 0:
		return nil, fail(exitUsage, "--not-after %s: want a time to come", o.approval.lasts)
	}
	lasts := o.approval.lasts
	if lasts == approvalLasts {
		lasts = defaultExpiry // no plan can be applied for longer
	}
	terms := policy.BreakGlassTerms{Environment: environment, Reason: o.approval.comment, NotAfter: now.Add(lasts).UTC().Truncate(time.Second)}
	return terms.Statement(seal.Subject{Name: filepath.Base(file.path), SHA256: file.digest})
}

func (a *app) decide(ctx context.Context, o *approveOptions) error {
	repo, err := o.repo.open(ctx)
	if err != nil {
		return err
	}
	defer repo.Close()
	office := &office{app: a, repo: repo, fleet: o.repo}
	file, err := office.findAnywhere(ctx, o.plan)
	if err != nil {
		return err
	}
	now := a.now()
	statement, err := o.statement(file, now)
	if err != nil {
		return err
	}
	a.doubts(file, now)
	signer, err := o.key.open(a)
	if err != nil {
		return err
	}
	bundle, err := signer.Sign(statement)
	if err != nil {
		return err
	}
	name := signer.PublicKey().Fingerprint().BundleName(o.of("plan.json"))
	if _, err := office.plans().Publish(ctx, file.data, map[string][]byte{name: bundle}); err != nil {
		return err
	}
	if _, is := planDigest(o.plan); !is {
		beside := signer.PublicKey().Fingerprint().BundleName(o.of(file.path))
		if err := writeFile(beside, bundle, 0o644); err != nil {
			return fail(exitFailed, "save the signature: %w", err)
		}
		fmt.Fprintln(a.stdout, beside)
	}
	fmt.Fprintln(a.stdout, file.digest)
	if n := len(file.plan.Scheduled); n > 0 && o.decision == seal.Approve {
		a.note("it also approves %s, for when its day has come", view.Counted(n, "scheduled change", "scheduled changes"))
	}
	if o.root.root != "" {
		a.discount(ctx, o, office, file, reconcile.Bundle{Name: name, Data: bundle}, signer)
	}
	return nil
}

// discount warns of a decision that does not count as the policy is now. It is
// recorded all the same: the policy in force when the plan is applied judges it.
func (a *app) discount(ctx context.Context, o *approveOptions, office *office, file *planFile, bundle reconcile.Bundle, signer *seal.Signer) {
	err := office.govern(ctx, o.root.root)
	if err != nil {
		a.note("it is published, and whether it counts is not known: %s", err)
		return
	}
	var used *reconcile.ReplayedError
	if err := office.Replayed(file.plan, file.digest); errors.As(err, &used) {
		a.note("it is published, and decides nothing: %s", used)
		return
	}
	var reasons, changes []string
	if key := signer.PublicKey().Fingerprint(); o.glass {
		var why string
		if why, err = office.DiscountGlass(ctx, key); why != "" {
			reasons = []string{why}
		}
	} else {
		reasons, changes, err = office.Discount(ctx, file.plan, file.digest, bundle, key)
	}
	of := ""
	if len(changes) > 0 {
		of = " for " + view.Some(changes)
	}
	switch {
	case err != nil:
		a.note("it is published, and whether it counts is not known: %s", err)
	case len(reasons) > 0:
		a.note("it is published, and does not count%s (%s)", of, strings.Join(reasons, "; "))
	}
}
