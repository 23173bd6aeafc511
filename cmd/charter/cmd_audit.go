package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/cmd/charter/internal/view"
	"github.com/veonahealth/charter/reconcile"
	"github.com/veonahealth/charter/reconcile/ledger"
)

// foundOptions found the ledger of an environment.
type foundOptions struct {
	dir, rev, env, reason string
	again                 bool
	ehr                   ehrFlags
	key                   keyFlags
}

// found begins the ledger with the policy of a commit, and prints its root.
func (a *app) found(ctx context.Context, o *foundOptions) error {
	fleet := repoFlags{repo: o.dir, rev: o.rev}
	environment, err := catalog.ParseEnvironment(o.env)
	if err != nil {
		return fail(exitUsage, "--env: %w", err)
	}
	signer, err := o.key.open(a)
	if err != nil {
		return err
	}
	repo, err := fleet.open(ctx)
	if err != nil {
		return err
	}
	defer repo.Close()
	l, err := fleet.evaluate(ctx, a, repo, o.rev)
	if err != nil {
		return err
	}
	plane, err := (&scopeFlags{env: o.env}).environment(l.fleet) // or it would be founded for good
	if err != nil {
		return err
	}
	founding := reconcile.Founding{
		Repo: repo, Environment: environment, Desired: &l.fleet.Desired, Commit: l.commit.Hash, Tree: l.commit.Tree,
		Signer: signer, Author: a.author(o.dir), Reason: o.reason, Now: a.now,
	}
	if o.again {
		if founding.Again, err = o.ehr.client(a, plane.EHR); err != nil {
			return err
		}
	}
	root, err := reconcile.Found(ctx, founding)
	if errors.Is(err, ledger.ErrFounded) {
		return failHint(exitFailed, "its root is what that founding printed; --again is for a ledger of which no copy is left", "environment %s: %w", environment, err)
	}
	var untrusted *reconcile.TrustError
	if errors.As(err, &untrusted) {
		return failHint(exitTrust, "give --key of an applier, or of a person who holds policy.write; or put its public key into policy/people.cue, and commit that", "%w", err)
	}
	if err != nil {
		return unread(err)
	}
	fmt.Fprintln(a.stdout, root)
	a.note("the ledger of environment %s is founded on the policy of commit %.12s; give this root to everybody who verifies: --root, or CHARTER_ROOT", environment, l.commit.Hash)
	return nil
}

type auditOptions struct {
	repo   repoFlags
	env    string
	root   rootFlag
	ehr    ehrFlags
	output outputFlag
}

func (o *auditOptions) bind(cmd *cobra.Command) {
	bindRepo(cmd, &o.repo.repo)
	o.repo.rev = "HEAD"
	bindEnv(cmd, &o.env)
	o.root.bind(cmd)
}

func (a *app) newAudit() *cobra.Command {
	cmd := &cobra.Command{Use: "audit", Short: "Prove the audit trail whole, or put it back"}
	cmd.AddCommand(a.newAuditVerify(), a.newAuditRestore())
	return cmd
}

func (a *app) newAuditVerify() *cobra.Command {
	var o auditOptions
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check every receipt, signature and approval from the root on",
		Long: `Audit verify reads the ledger from its root and checks each receipt: the chain, the
signatures of its commits, and that the approvals it names were enough by the
policy of its day. What a key had signed that was revoked since then is named, for
people to look at. With --ehr it also asks whether every live row is one that a
receipt put there; one that other hands wrote is named.`,
		Example: "  charter audit verify --root $ROOT\n  charter audit verify --ehr https://platform.example.org --token-file token",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.auditVerify(cmd.Context(), &o) },
	}
	o.bind(cmd)
	o.ehr.bind(cmd)
	o.output.bind(cmd, "text", "json")
	return cmd
}

func (a *app) newAuditRestore() *cobra.Command {
	var o auditOptions
	cmd := &cobra.Command{
		Use:   "restore [FROM]",
		Short: "Push back the longest copy of the ledger that verifies",
		Long: `Audit restore looks for the longest copy of the ledger that verifies from the root
on, in this clone, on the remote and in FROM (a folder or URL), and puts it back
where receipts were lost, or were added that do not hold: altered, signed by who may
not, or with a policy that nobody approved. Where two copies verify and go two ways,
FROM says which is the one, and may be this clone's own folder. What is given up
that verifies is named.`,
		Example: "  charter audit restore ../other-clone --root $ROOT",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			from := ""
			if len(args) == 1 {
				from = args[0]
			}
			return a.auditRestore(cmd.Context(), &o, from)
		},
	}
	o.bind(cmd)
	return cmd
}

func (a *app) auditRestore(ctx context.Context, o *auditOptions, from string) error {
	environment, err := catalog.ParseEnvironment(o.env)
	if err != nil {
		return fail(exitUsage, "--env: %w", err)
	}
	root, err := ledger.ParseID(o.root.root)
	if err != nil {
		return fail(exitUsage, "--root: %w", err)
	}
	repo, err := o.repo.open(ctx)
	if err != nil {
		return err
	}
	defer repo.Close()
	office := &office{app: a, repo: repo, fleet: o.repo, environment: environment}
	did, err := reconcile.Restore(ctx, reconcile.GovernanceOptions{
		Repo: repo, Environment: environment, Root: root, Evaluate: office.evaluate, Cache: a.ledgerCache(), Now: a.now,
	}, from)
	var unjudged *ledger.UnjudgedError
	if errors.As(err, &unjudged) {
		return failHint(exitFailed, "git fetch --all or --unshallow brings what is missing, and another clone has what is damaged here", "nothing was moved: %w", err)
	}
	var parted *ledger.PartedError
	if errors.As(err, &parted) {
		return failHint(exitTrust, "the platform's audit trail names the receipts that wrote (charter plan tells of one that is missing); charter audit restore FROM takes the copy of FROM, which may be this clone's own folder", "nothing was moved: %w", err)
	}
	if err != nil {
		return err
	}
	if did.Refused != nil {
		a.note("%s", did.Refused)
	}
	if did.Was == did.Now {
		fmt.Fprintf(a.stdout, "nothing was lost: the ledger has %d receipts and ends at %.12s\n", did.Receipts, did.Now)
		return nil
	}
	fmt.Fprintf(a.stdout, "the ledger was at %.12s, and is put back to %.12s with %d receipts\n", orNone(did.Was), did.Now, did.Receipts)
	for _, id := range did.Given {
		a.note("receipt %s stood in another copy, and does not on the branch now: somebody had gone on after the loss", id)
	}
	return nil
}

func orNone(text string) string {
	if text == "" {
		return "nothing"
	}
	return text
}

func (a *app) auditVerify(ctx context.Context, o *auditOptions) error {
	anew := *a
	anew.anew = true
	office, err := anew.needOffice(ctx, o.repo, o.env, o.root.root)
	if err != nil {
		return err
	}
	defer office.Close()
	report, err := office.Audit(ctx)
	if err != nil {
		return err
	}
	if o.ehr.url != "" {
		client, err := o.ehr.client(a, "")
		if err != nil {
			return err
		}
		if report.Live, err = office.AuditLive(ctx, client); err != nil {
			return unread(err)
		}
	}
	if err := a.showAudit(o, report); err != nil {
		return err
	}
	if len(report.Faults) > 0 {
		return finish(exitTrust)
	}
	return nil
}

func (a *app) showAudit(o *auditOptions, report *reconcile.AuditReport) error {
	if o.output.value == "json" {
		return view.JSON(a.stdout, report)
	}
	for _, f := range report.Faults {
		fmt.Fprintf(a.stdout, "!  receipt %d: %s\n", f.Number, view.Clean(f.Text))
	}
	for _, d := range report.Doubts {
		fmt.Fprintf(a.stdout, "?  receipt %d: %s\n", d.Number, view.Clean(d.Text))
	}
	if report.Live != nil {
		for _, f := range report.Live.Strangers {
			fmt.Fprintf(a.stdout, "!  %s: %s\n", view.Clean(strings.TrimSpace(f.Tenant+" "+f.Facility+" "+f.EHRModule)), view.Clean(f.Text))
		}
		fmt.Fprintf(a.stdout, "%s of %s: %s\n", view.Counted(report.Live.Rows, "live row", "live rows"), view.Counted(report.Live.Tenants, "tenant", "tenants"), strangers(len(report.Live.Strangers)))
	}
	_, err := fmt.Fprintf(a.stdout, "%s from root %s: %s\n", view.Counted(report.Receipts, "receipt", "receipts"), report.Root, verdictOf(report))
	return err
}

func strangers(n int) string {
	if n == 0 {
		return "each is as its newest receipt says"
	}
	return view.Counted(n, "difference", "differences") + " by other hands"
}

func verdictOf(r *reconcile.AuditReport) string {
	if len(r.Faults) > 0 {
		return "not whole"
	}
	return "every signature and approval holds"
}

type signedActOptions struct {
	auditOptions
	key    keyFlags
	reason string
}

func (o *signedActOptions) bindAct(cmd *cobra.Command) {
	o.bind(cmd)
	o.key.bind(cmd)
	cmd.Flags().StringVar(&o.reason, "reason", "", "`WHY`, to be kept in the receipt")
}

func (o *signedActOptions) check() error {
	if o.reason == "" {
		return fail(exitUsage, "no reason: give --reason WHY, it is kept in the receipt")
	}
	return nil
}

func (a *app) newRecover() *cobra.Command {
	var o signedActOptions
	cmd := &cobra.Command{
		Use:   "recover",
		Short: "Say, signed, that a restored platform may be written to again",
		Long: `Recover is the way on after a platform was put back from a backup: its audit trail
no longer holds what the newest receipt saw, and nothing is written. Recover
writes a receipt that takes the platform as it is now; approvals on what was
before are void, and the next plan is what brings the platform back.`,
		Example: `  charter recover --reason "restored from Sunday's backup, INC-7" --key ops.key --ehr $EHR`,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.recover(cmd.Context(), &o) },
	}
	o.bindAct(cmd)
	o.ehr.bind(cmd)
	return cmd
}

func (a *app) recover(ctx context.Context, o *signedActOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	client, err := o.ehr.client(a, "")
	if err != nil {
		return err
	}
	return a.act(ctx, o, func(office *office, by reconcile.Signatory) (ledger.ID, error) {
		return office.Recover(ctx, client, by, o.reason)
	})
}

func (a *app) newSeal() *cobra.Command {
	var o signedActOptions
	cmd := &cobra.Command{
		Use:   "seal COMMIT",
		Short: "Take the commits up to one as they are, signed",
		Long: `Seal is the way on past a commit that cannot pass: where the policy asks that
people sign every commit, those up to the sealed one are taken as they are. It is
signed by somebody who holds policy.write, and says too that they have looked at
what came before: broken glass is shown in status until somebody else has.`,
		Example: `  charter seal 1f2e3d --reason "merge by the old bot, reviewed by hand" --key ann.key`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return a.act(cmd.Context(), &o, func(office *office, by reconcile.Signatory) (ledger.ID, error) {
				id, err := office.Seal(cmd.Context(), args[0], by, o.reason)
				if err == nil {
					a.note("the commits up to %s are taken as they are, whoever signed them, and every glass that somebody else broke is looked at", args[0])
				}
				return id, err
			})
		},
	}
	o.bindAct(cmd)
	return cmd
}

// act writes a receipt that is no apply.
func (a *app) act(ctx context.Context, o *signedActOptions, do func(*office, reconcile.Signatory) (ledger.ID, error)) error {
	office, err := a.needOffice(ctx, o.repo, o.env, o.root.root)
	if err != nil {
		return err
	}
	defer office.Close()
	signer, err := o.key.open(a)
	if err != nil {
		return err
	}
	id, err := do(office, reconcile.Signatory{Signer: signer, Author: a.author(o.repo.repo)})
	if err != nil {
		return err
	}
	fmt.Fprintln(a.stdout, id)
	return nil
}
