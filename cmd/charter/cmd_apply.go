package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/veonahealth/charter/cmd/charter/internal/view"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/seal"
	"github.com/veonahealth/charter/reconcile"
)

type applyOptions struct {
	file  string // "" to plan, show and ask
	plan  planOptions
	given func(flag string) bool
	keys  trustFlags
	key   keyFlags
	// approveKey is a person's, who approves what they were shown and asked about.
	approveKey string
	output     outputFlag
}

func (a *app) newApply() *cobra.Command {
	var o applyOptions
	cmd := &cobra.Command{
		Use:   "apply [FILE|DIGEST]",
		Short: "Carry out a plan that was signed",
		Long: `Apply checks who signed the plan, and then writes each tenant's changes in one
conditional request. A tenant whose grant has moved since drops out by name; one
that fails stops no other. Applying a plan twice changes nothing and says so.
With --tenant it carries out the changes of that tenant alone; the rest of the
plan can be applied later.

What a plan shows as scheduled is not carried out by it: the first plan that is
made and applied after its day does so.

Without a file, on a terminal: plan, show, ask, sign with --key, and apply. Where a
ledger is founded --key signs the receipts, and --approve-key, a person's, is the
approval of whoever said yes.`,
		Example: `  charter apply plan.json --trusted-key reviewer.pub
  charter apply --key me.key`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.file = args[0]
				return a.apply(cmd.Context(), &o)
			}
			return a.applyAsking(cmd.Context(), &o)
		},
	}
	o.plan.bind(cmd)
	o.keys.bind(cmd)
	o.key.bind(cmd)
	o.output.bind(cmd, "text", "json")
	cmd.Flags().StringVar(&o.approveKey, "approve-key", "", "a person's private key `FILE`, to approve what apply asks about")
	o.given = func(flag string) bool { return cmd.Flags().Changed(flag) }
	return cmd
}

// apply carries out a saved plan.
func (a *app) apply(ctx context.Context, o *applyOptions) error {
	for _, flag := range []string{"approve-key", "at", "rev", "expires-in"} {
		if o.given(flag) {
			return fail(exitUsage, "--%s: it is for making a plan, and %s is made", flag, o.file)
		}
	}
	office, file, err := a.openFor(ctx, o.plan.repo, o.plan.root.root, o.file, &o.keys)
	if err != nil {
		return err
	}
	if office != nil {
		defer office.Close()
	}
	if office.governed() {
		if len(o.keys.files) > 0 {
			return notWithLedger()
		}
		return a.applyByPolicy(ctx, o, office, file)
	}
	if office != nil && office.unasked != nil {
		return unaskedLedger(office.unasked)
	}
	if len(o.keys.files) == 0 {
		return noTrust(o.file)
	}
	keys, err := o.keys.load()
	if err != nil {
		return err
	}
	return a.applyFile(ctx, o, file, keys)
}

func (a *app) applyFile(ctx context.Context, o *applyOptions, file *planFile, keys *trusted) error {
	if !file.plan.KnownMinor() {
		return fail(exitFailed, "%s is of format version %s, and this charter knows every field of %s only", file.path, file.plan.FormatVersion, plan.FormatVersion)
	}
	now := a.now()
	found, err := file.signatures(keys, now)
	if err != nil {
		return err
	}
	only, err := o.plan.scope.of(file.plan)
	if err != nil {
		return err
	}
	verdict := file.decide(found, only)
	if err := gravestOf(verdict.err, reconcile.CheckTime(file.plan, now), o.otherEnvironment(file.plan)); err != nil {
		return err
	}
	declared, err := o.plan.repo.declaredURL(ctx, a, file.plan.Source.Commit, file.plan.Environment)
	if err != nil {
		return err
	}
	client, err := o.plan.ehr.client(a, declared)
	if err != nil {
		return err
	}
	progress := a.newProgress()
	outcomes, err := reconcile.Apply(ctx, client, reconcile.ApplyRequest{
		Plan: file.plan, Digest: file.digest, Approvals: verdict.approvals, Only: only, Now: now, Progress: progress.step,
	})
	progress.end()
	if err != nil {
		return unapplied(err)
	}
	return a.showOutcomes(ctx, o, file, outcomes)
}

// otherEnvironment refuses a plan for another environment than the one that was
// named.
func (o *applyOptions) otherEnvironment(p *plan.Plan) error {
	if env := o.plan.scope.env; o.given("env") && env != p.Environment {
		return fail(exitTrust, "the plan is for environment %s, not %s", p.Environment, env)
	}
	return nil
}

// unapplied gives a fault before the first write its status.
func unapplied(err error) error {
	var instance *reconcile.InstanceError
	if errors.As(err, &instance) {
		return fail(exitTrust, "the platform says that it is instance %q, and the plan was made of %q; nothing was applied", instance.Answered, instance.Declared)
	}
	return unread(err)
}

// application is what an apply did, for programs.
type application struct {
	Codes     []exitCode          `json:"codes"` // every status that applies, the gravest first
	Outcomes  []reconcile.Outcome `json:"outcomes"`
	Plan      string              `json:"plan"`
	Scheduled int                 `json:"scheduled"` // entries that wait for their day
	Skipped   int                 `json:"skipped"`   // batches of tenants that were not named
}

func (a *app) showOutcomes(ctx context.Context, o *applyOptions, file *planFile, outcomes []reconcile.Outcome) error {
	codes := outcomeCodes(outcomes, ctx.Err() != nil)
	var err error
	if o.output.value == "json" {
		err = view.JSON(a.stdout, application{
			Codes: codes, Outcomes: outcomes, Plan: file.digest.String(),
			Scheduled: len(file.plan.Scheduled), Skipped: len(file.plan.Batches) - len(outcomes),
		})
	} else {
		err = view.Outcomes(a.stdout, a.style(a.outTerminal), file.plan, outcomes)
	}
	if err != nil {
		return err
	}
	return finish(worst(codes...))
}

// applyAsking plans, shows, asks, signs and applies.
func (a *app) applyAsking(ctx context.Context, o *applyOptions) error {
	if !a.inTerminal {
		return failHint(exitUsage, "charter plan --out FILE, charter sign FILE, charter apply FILE", "no plan: without a terminal, give the FILE of a signed one")
	}
	if _, err := o.key.read(); err != nil { // before the work, not after it
		return err
	}
	p, err := a.makePlan(ctx, &o.plan)
	if err != nil {
		return err
	}
	data, err := plan.Encode(p)
	if err != nil {
		return err
	}
	if err := a.showBeforeAsking(p, data, o.output.value); err != nil {
		return err
	}
	if p.Empty() {
		return finish(planCode(p, false))
	}
	if yes, err := a.ask(fmt.Sprintf("Apply this to %s? Only \"yes\" will do: ", p.Live.EHR)); err != nil || !yes {
		return errors.Join(fail(exitFailed, "nothing was applied"), err)
	}
	return a.applyAsked(ctx, o, &planFile{path: "the plan", data: data, plan: p, digest: plan.DigestOf(data)})
}

// applyAsked applies a plan that somebody has just said yes to: where a ledger is
// founded by its policy, else by the signature of whoever asked.
func (a *app) applyAsked(ctx context.Context, o *applyOptions, file *planFile) error {
	office, err := a.openOffice(ctx, o.plan.repo, file.plan.Environment, o.plan.root.root)
	if err != nil {
		return err
	}
	defer office.Close()
	switch {
	case office.unasked != nil:
		return unaskedLedger(office.unasked)
	case office.governed() && o.approveKey != "":
		approver, err := (&keyFlags{key: o.approveKey, passwordFile: o.key.passwordFile}).open(a)
		if err != nil {
			return err
		}
		if err := a.signWith(file, approver); err != nil {
			return err
		}
		return a.applyByPolicy(ctx, o, office, file)
	case office.governed():
		return a.applyByPolicy(ctx, o, office, file)
	}
	signer, err := o.key.open(a)
	if err != nil {
		return err
	}
	return a.applySigned(ctx, o, file, signer)
}

// unaskedLedger refuses to write where a ledger might be founded.
func unaskedLedger(err error) error {
	return failHint(exitFailed, "nothing was written; try again when it answers", "whether a ledger is founded could not be asked: %w", err)
}

// signWith puts an approval of a plan that was never saved beside it.
func (a *app) signWith(file *planFile, signer *seal.Signer) error {
	statement, err := (&approvalFlags{lasts: approvalLasts}).statement(file, a.now())
	if err != nil {
		return err
	}
	bundle, err := signer.Sign(statement)
	file.bundles = [][]byte{bundle}
	return err
}

// showBeforeAsking shows a plan to who is to decide: where the result is for a
// program, beside the result.
func (a *app) showBeforeAsking(p *plan.Plan, data []byte, format string) error {
	if format == "text" {
		return a.showPlan(p, data, "text")
	}
	view.PlanWarnings(a.stderr, a.style(a.errTerminal), p.Warnings)
	return view.Plan(a.stderr, a.style(a.errTerminal), p)
}

// applySigned signs a plan that was just shown, and applies it.
func (a *app) applySigned(ctx context.Context, o *applyOptions, file *planFile, signer *seal.Signer) error {
	if err := a.signWith(file, signer); err != nil {
		return err
	}
	keys, err := o.keys.load()
	if err != nil {
		return err
	}
	if len(o.keys.files) == 0 { // whoever applies by hand trusts themselves
		keys = trust(signer.PublicKey())
	}
	return a.applyFile(ctx, o, file, keys)
}

// ask puts a question to the person at the terminal.
func (a *app) ask(question string) (bool, error) {
	fmt.Fprint(a.stderr, question)
	answer, err := bufio.NewReader(a.stdin).ReadString('\n')
	return strings.TrimSpace(answer) == "yes", err
}

// progress tells how an apply goes on: on a terminal in place, elsewhere at most
// one line a second.
type progress struct {
	app   *app
	start time.Time
	last  time.Time
	shown bool
}

func (a *app) newProgress() *progress {
	now := a.now()
	return &progress{app: a, start: now, last: now}
}

func (p *progress) step(done, of int, _ reconcile.Outcome) {
	now := p.app.now()
	wait := time.Second
	if p.app.errTerminal {
		wait = 100 * time.Millisecond
	}
	if p.app.quiet || now.Sub(p.last) < wait {
		return
	}
	p.last, p.shown = now, true
	line := fmt.Sprintf("%d of %d batches, %s", done, of, now.Sub(p.start).Round(time.Second))
	if p.app.errTerminal {
		fmt.Fprintf(p.app.stderr, "\r\x1b[K%s", line)
		return
	}
	fmt.Fprintln(p.app.stderr, "charter: "+line)
}

func (p *progress) end() {
	if p.shown && p.app.errTerminal {
		fmt.Fprint(p.app.stderr, "\r\x1b[K")
	}
}
