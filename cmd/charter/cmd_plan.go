package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/cmd/charter/internal/view"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/policy"
	"github.com/veonahealth/charter/reconcile"
	"github.com/veonahealth/charter/reconcile/ehr"
	"github.com/veonahealth/charter/reconcile/source"
	"github.com/veonahealth/charter/schema"
)

type planOptions struct {
	repo      repoFlags
	ehr       ehrFlags
	scope     scopeFlags
	output    outputFlag
	out       string
	expiresIn time.Duration
	detailed  bool
	against   againstFlags
	root      rootFlag
	frozen    frozenFlags
}

// defaultExpiry is for how long a plan may be applied.
const defaultExpiry = 24 * time.Hour

func (f *planOptions) bind(cmd *cobra.Command) {
	f.repo.bind(cmd)
	f.ehr.bind(cmd)
	f.scope.bind(cmd)
	f.root.bind(cmd)
	cmd.Flags().DurationVar(&f.expiresIn, "expires-in", defaultExpiry, "for how long the plan may be applied")
}

func (a *app) newPlan() *cobra.Command {
	var o planOptions
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what an apply would change: what is declared against what is live",
		Long: `Plan reads the declarations of a commit and the live state of the platform, and
shows every row that would come or go, with its reason and its place. It writes
nothing to the platform. --out saves the plan, to be signed and applied.

A fleet that declares a change for later (from, until) shows it as scheduled.
With --onto the plan is of what the branch would be once it is merged, and what
the other branch would change anyway is listed apart. What vanished since --base
(or since --onto) without a tombstone is a mistake: absence is never a command.
With --detailed-exitcode the exit status is 2 where there is something to change
now; what is scheduled does not count.

With --snapshot it asks no platform and needs no token: the live state is the one
that charter snapshot wrote, if an applier of the policy has signed it, or, where
no ledger is founded, a --trusted-key.`,
		Example: `  charter plan --ehr https://platform.example.org --token-file token
  charter plan --out plan.json
  charter plan -o html > plan.html
  charter plan --onto origin/main -o markdown
  charter plan --tenant kisumu --at 2027-03-01
  charter plan --snapshot ref --onto origin/main`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.plan(cmd.Context(), &o) },
	}
	o.bind(cmd)
	o.output.bind(cmd, "text", "json", "markdown", "html")
	cmd.Flags().StringVar(&o.out, "out", "", "save the plan as `FILE`")
	o.against.bind(cmd)
	o.frozen.bind(cmd)
	cmd.Flags().BoolVar(&o.detailed, "detailed-exitcode", false, "end with 2 where there are changes")
	return cmd
}

func (a *app) plan(ctx context.Context, o *planOptions) error {
	p, err := a.makePlan(ctx, o)
	if err != nil {
		return err
	}
	data, err := plan.Encode(p)
	if err != nil {
		return err
	}
	if o.out != "" {
		if err := writeFile(o.out, data, 0o644); err != nil {
			return fail(exitFailed, "save the plan: %w", err)
		}
	}
	if err := a.showPlan(p, data, o.output.value); err != nil {
		return err
	}
	if o.out != "" {
		a.note("saved as %s, %s", o.out, plan.DigestOf(data))
	}
	return finish(planCode(p, o.detailed))
}

// makePlan loads the declarations, asks the platform, and plans.
func (a *app) makePlan(ctx context.Context, o *planOptions) (*plan.Plan, error) {
	repo, err := o.repo.open(ctx)
	if err != nil {
		return nil, err
	}
	defer repo.Close()
	l, err := o.load(ctx, a, repo)
	if err != nil {
		return nil, err
	}
	return a.planOf(ctx, o, repo, l)
}

// load evaluates what is to be planned.
func (o *planOptions) load(ctx context.Context, a *app, repo *source.Repository) (*loaded, error) {
	at, err := parseAt(o.scope.at, a.now())
	if err != nil {
		return nil, err
	}
	if o.expiresIn <= 0 {
		return nil, fail(exitUsage, "--expires-in %s: want a time to come", o.expiresIn)
	}
	return o.against.load(ctx, a, &o.repo, repo, at)
}

// planOf plans what was evaluated.
func (a *app) planOf(ctx context.Context, o *planOptions, repo *source.Repository, l *loaded) (*plan.Plan, error) {
	request, err := o.request(a, l)
	if err != nil {
		return nil, err
	}
	live, err := o.platform(a, request.Environment)
	if err != nil {
		return nil, err
	}
	office, err := a.officeIn(ctx, repo, o.repo, request.Environment.Environment.String(), o.root.root)
	if err != nil {
		return nil, err
	}
	restored := ""
	if office.Governance != nil {
		if live != nil {
			if restored, err = office.witnessed(ctx, live); err != nil {
				return nil, err
			}
		}
		if err := office.inLedger(ctx, request); err != nil {
			return nil, err
		}
	}
	observed := plan.Observation{}
	if live == nil {
		if live, observed, err = o.thaw(ctx, office, request); err != nil {
			return nil, err
		}
	}
	p, found, err := reconcile.Plan(ctx, live, *request)
	if err != nil {
		return nil, unread(err)
	}
	if observed.Snapshot != "" {
		p.Live = observed
	}
	if err := office.unborne(ctx, p, l); err != nil {
		return nil, err
	}
	if office.Governance != nil {
		if err := office.Require(ctx, p, request.Desired); err != nil {
			return nil, err
		}
	}
	if restored != "" {
		p.Refuse(plan.Refusal{Code: plan.Code(policy.Restored), Text: restored})
	}
	if n := len(found.Unmanaged); n > 0 {
		a.note("%d tenants of the platform are not declared; charter leaves them alone", n)
	}
	return p, nil
}

// request says what to plan, but for what the ledger adds.
func (o *planOptions) request(a *app, l *loaded) (*reconcile.PlanRequest, error) {
	now := a.now()
	at, err := parseAt(o.scope.at, now)
	if err != nil {
		return nil, err
	}
	environment, err := o.scope.environment(l.fleet)
	if err != nil {
		return nil, err
	}
	tenants, err := o.scope.choose(l.fleet, environment.Environment)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, 16)
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return &reconcile.PlanRequest{
		Desired: &l.fleet.Desired, Tenants: tenants, Chosen: o.scope.chosen(), Environment: environment,
		Source: plan.Source{Commit: l.commit.Hash, Ref: l.commit.Ref, Repository: l.repository, Tree: l.commit.Tree},
		At:     at, Now: now, ExpiresIn: o.expiresIn, Nonce: hex.EncodeToString(nonce),
		Warnings: planWarnings(l.fleet.Warnings(at)), Target: l.desiredTarget(),
	}, nil
}

// platform is what to plan against; nil where that is a snapshot.
func (o *planOptions) platform(a *app, environment catalog.ControlPlane) (reconcile.EHR, error) {
	if o.frozen.snapshot != "" {
		return nil, nil
	}
	client, err := o.ehr.client(a, environment.EHR)
	if err != nil {
		return nil, err // and no client that is nil in an interface that is not
	}
	return client, nil
}

// thaw opens the snapshot to plan against, and says how old it is.
func (o *planOptions) thaw(ctx context.Context, office *office, request *reconcile.PlanRequest) (reconcile.EHR, plan.Observation, error) {
	taken, digest, err := o.frozen.open(ctx, office)
	if err != nil {
		return nil, plan.Observation{}, err
	}
	live, err := reconcile.Freeze(taken, request.Desired)
	if err != nil {
		return nil, plan.Observation{}, fail(exitFailed, "%w", err)
	}
	office.app.note("the live state is that of a snapshot, %s", old(taken.ObservedAt, request.Now))
	if outlived, err := office.outlived(taken.ObservedAt); err != nil {
		return nil, plan.Observation{}, err
	} else if outlived {
		text := "the snapshot is not newer than the newest receipt: what was applied since may be shown as drift"
		request.Warnings = append(request.Warnings, plan.Warning{Code: "snapshot-old", Text: text})
		office.app.note("%s", text)
	}
	return live, plan.Observation{EHR: request.Environment.EHR, ObservedAt: taken.ObservedAt, Snapshot: digest.String()}, nil
}

// unread gives a fault of reading the live state its status.
func unread(err error) error {
	var said *ehr.Problem
	if ehr.IsUnknown(err) || errors.As(err, &said) {
		return failHint(exitUnread, unreadHint(said), "the live state could not be read whole: %w", err)
	}
	return err
}

func unreadHint(said *ehr.Problem) string {
	switch {
	case said == nil:
		return "nothing was planned; is --ehr the platform's address, and does it answer?"
	case said.Status >= 500 || said.Status == 429:
		return "nothing was planned; try again when the platform answers"
	case said.Status == 401:
		return "give the platform's token with --token-file or CHARTER_TOKEN"
	}
	return ""
}

func planWarnings(warnings schema.Problems) []plan.Warning {
	list := make([]plan.Warning, len(warnings))
	for i, w := range warnings {
		list[i] = plan.Warning{Code: string(w.Code), File: w.Pos.File, Line: w.Pos.Line, Text: w.Message}
	}
	return list
}

// showPlan shows a plan in a format; data are the bytes of its file.
func (a *app) showPlan(p *plan.Plan, data []byte, format string) error {
	switch format {
	case "json":
		_, err := a.stdout.Write(data)
		return err
	case "markdown":
		return view.PlanMarkdown(a.stdout, p, plan.DigestOf(data), view.Beside{})
	case "html":
		return view.PlanHTML(a.stdout, p, plan.DigestOf(data))
	}
	if !a.quiet {
		view.PlanWarnings(a.stderr, a.style(a.errTerminal), p.Warnings)
	}
	return view.Plan(a.stdout, a.style(a.outTerminal), p)
}
