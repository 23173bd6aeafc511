package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/veonahealth/charter/cmd/charter/internal/view"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile"
	"github.com/veonahealth/charter/reconcile/daemon"
)

type driftOptions struct {
	repo   repoFlags
	ehr    ehrFlags
	scope  scopeFlags
	root   rootFlag
	output outputFlag

	founded bool // whether there is a ledger to compare with
}

func (a *app) newDrift() *cobra.Command {
	var o driftOptions
	cmd := &cobra.Command{
		Use:   "drift",
		Short: "Show where live has moved since it was last applied",
		Long: `Drift compares the live state with what was last applied, as the receipts of the
ledger say it (--root), and tells drift, where the platform was changed by other
hands, from conflict, where the declarations have moved too. What is declared and
not applied yet is counted as pending. It writes nothing.

It ends with 3 where live has drifted. Where no ledger is founded nothing was
applied that could be proved: then every difference from the declarations is
pending.`,
		Example: `  charter drift --root $(cat root)
  charter drift --tenant kisumu -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.drift(cmd.Context(), &o) },
	}
	o.repo.bind(cmd)
	o.ehr.bind(cmd)
	o.scope.bind(cmd)
	o.root.bind(cmd)
	o.output.bind(cmd, "text", "json")
	return cmd
}

// drifted is what drift shows, for programs.
type drifted struct {
	Applied    *plan.Applied     `json:"applied"` // what was last applied; null where no ledger is founded, or nothing was
	Codes      []exitCode        `json:"codes"`
	Commit     string            `json:"commit"` // of the declarations
	Differs    []plan.Batch      `json:"differs"`
	Held       []plan.Held       `json:"held"`
	Summary    map[string]int    `json:"summary"` // changes by class
	Unmanaged  int               `json:"unmanaged"`
	Unreadable []plan.Unreadable `json:"unreadable"`
}

func (a *app) drift(ctx context.Context, o *driftOptions) error {
	request, found, p, err := a.compare(ctx, o)
	if err != nil {
		return err
	}
	result := drifted{
		Applied: p.Base, Commit: request.Source.Commit, Differs: p.Batches, Held: p.Held, Unmanaged: len(found.Unmanaged), Unreadable: p.Unreadable,
		Summary: map[string]int{string(plan.Conflict): 0, string(plan.Drift): 0, string(plan.Pending): 0},
	}
	for i := range p.Batches {
		for _, c := range p.Batches[i].Changes {
			result.Summary[string(c.Class)]++
		}
	}
	result.Codes = result.codes()
	if o.output.value == "json" {
		err = view.JSON(a.stdout, result)
	} else {
		err = a.showDrift(&result, o.founded)
	}
	if err != nil {
		return err
	}
	return finish(worst(result.Codes...))
}

// codes gives every status that the comparison calls for.
func (d *drifted) codes() []exitCode {
	codes := []exitCode{exitDone}
	if d.Summary[string(plan.Drift)]+d.Summary[string(plan.Conflict)] > 0 {
		codes = append(codes, exitDrift)
	}
	if len(d.Unreadable) > 0 {
		codes = append(codes, exitUnread)
	}
	return sorted(codes)
}

// compare reads the live state beside the declarations and what was applied.
func (a *app) compare(ctx context.Context, o *driftOptions) (*reconcile.PlanRequest, reconcile.Observation, *plan.Plan, error) {
	none := reconcile.Observation{}
	office, err := a.openOffice(ctx, o.repo, o.scope.env, o.root.root)
	if err != nil {
		return nil, none, nil, err
	}
	defer office.Close()
	request, err := a.driftRequest(ctx, o, office)
	if err != nil {
		return nil, none, nil, err
	}
	client, err := o.ehr.client(a, request.Environment.EHR)
	if err != nil {
		return nil, none, nil, err
	}
	if office.Governance != nil {
		restored, err := office.witnessed(ctx, client)
		if err != nil {
			return nil, none, nil, err
		}
		if restored != "" {
			a.note("the platform was put back: %s", restored)
		}
	}
	p, found, err := reconcile.Plan(ctx, client, *request)
	if err != nil {
		return nil, none, nil, unread(err)
	}
	o.founded = office.Governance != nil
	return request, found, p, nil
}

// driftRequest asks for a plan of what is declared, beside what was applied.
func (a *app) driftRequest(ctx context.Context, o *driftOptions, office *office) (*reconcile.PlanRequest, error) {
	now := a.now()
	at, err := parseAt(o.scope.at, now)
	if err != nil {
		return nil, err
	}
	l, err := o.repo.evaluate(ctx, a, office.repo, o.repo.rev)
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
	request := &reconcile.PlanRequest{
		Desired: &l.fleet.Desired, Tenants: tenants, Chosen: o.scope.chosen(), Environment: environment,
		Source: plan.Source{Commit: l.commit.Hash, Ref: l.commit.Ref, Repository: l.repository, Tree: l.commit.Tree},
		At:     at, Now: now, ExpiresIn: defaultExpiry, Nonce: "drift",
	}
	if office.Governance != nil {
		err = office.inLedger(ctx, request)
	}
	return request, err
}

// showDrift tells the comparison in lines that end with a count.
func (a *app) showDrift(d *drifted, founded bool) error {
	for i := range d.Differs {
		for _, c := range d.Differs[i].Changes {
			if founded && c.Class == plan.Pending {
				continue // it waits to be applied, and is only counted
			}
			fmt.Fprintf(a.stdout, "%-8s %s %s %s (%s)\n", c.Class, c.Action.Symbol(), d.Differs[i].Tenant, view.Clean(daemon.Named(&c)), view.Clean(c.Reason.Text))
		}
	}
	for _, u := range d.Unreadable {
		fmt.Fprintf(a.stdout, "%-8s %s: %s\n", "unread", u.Tenant, view.Clean(u.Text))
	}
	if !founded {
		a.note("no ledger is founded: nothing was applied that could be proved, and every difference is pending")
	}
	_, err := fmt.Fprintf(a.stdout, "Drift: %d drifted, %d in conflict, %d pending.\n",
		d.Summary[string(plan.Drift)], d.Summary[string(plan.Conflict)], d.Summary[string(plan.Pending)])
	return err
}
