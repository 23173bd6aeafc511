package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/veonahealth/charter/cmd/charter/internal/view"
	"github.com/veonahealth/charter/plan/seal"
)

type approveOptions struct {
	repo     repoFlags
	plan     string
	decision seal.Decision
	key      keyFlags
	approval approvalFlags
}

func (a *app) newApprove() *cobra.Command {
	return a.newDecision("approve", "Approve a plan, and publish that", seal.Approve, `Approve signs exactly what a plan says, as sign does, and pushes the plan and the
signature to where others find them (charter plans). The approval is of the plan's
batches: it counts for them in any other plan too, until one is done. A plan that
is open already is named by its digest.`, `  charter approve plan.json --key ann.key
  charter approve 9f4ffeaf… --key ann.key --comment "OPS-114, agreed with the ward"`)
}

func (a *app) newReject() *cobra.Command {
	return a.newDecision("reject", "Say no to a plan, and publish that", seal.Reject, `Reject signs and pushes a no. Where its signer could have approved, nothing that it
is about is applied until they approve it after all.`, `  charter reject plan.json --key ann.key --comment "the ward moves in March"`)
}

func (a *app) newDecision(verb, short string, decision seal.Decision, long, example string) *cobra.Command {
	o := approveOptions{decision: decision}
	cmd := &cobra.Command{
		Use: verb + " FILE|DIGEST", Short: short, Long: long, Example: example,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.plan = args[0]
			return a.decide(cmd.Context(), &o)
		},
	}
	bindRepo(cmd, &o.repo.repo)
	o.key.bind(cmd)
	o.approval.bind(cmd)
	return cmd
}

func (a *app) decide(ctx context.Context, o *approveOptions) error {
	repo, err := o.repo.open(ctx)
	if err != nil {
		return failHint(exitFailed, "name the fleet's folder with -C", "%w", err)
	}
	defer repo.Close()
	office := &office{app: a, repo: repo, fleet: o.repo}
	file, err := office.findAnywhere(ctx, o.plan)
	if err != nil {
		return err
	}
	o.approval.decision = o.decision
	now := a.now()
	statement, err := o.approval.statement(file, now)
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
	name := signer.PublicKey().Fingerprint().BundleName("plan.json")
	if _, err := office.plans().Publish(ctx, file.data, map[string][]byte{name: bundle}); err != nil {
		return err
	}
	if _, is := planDigest(o.plan); !is {
		beside := signer.PublicKey().Fingerprint().BundleName(file.path)
		if err := writeFile(beside, bundle, 0o644); err != nil {
			return fail(exitFailed, "save the signature: %w", err)
		}
		fmt.Fprintln(a.stdout, beside)
	}
	fmt.Fprintln(a.stdout, file.digest)
	if n := len(file.plan.Scheduled); n > 0 && o.decision == seal.Approve {
		a.note("it also approves %s, for when its day has come", view.Counted(n, "scheduled change", "scheduled changes"))
	}
	return nil
}
