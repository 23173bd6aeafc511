package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/seal"
	"github.com/veonahealth/charter/reconcile"
	"github.com/veonahealth/charter/reconcile/daemon"
	"github.com/veonahealth/charter/reconcile/ehr"
	"github.com/veonahealth/charter/reconcile/ledger"
	"github.com/veonahealth/charter/reconcile/source"
	"github.com/veonahealth/charter/schema"
)

// overseer keeps a ledger open for as long as a daemon runs.
type overseer struct {
	app         *app
	repo        func() *source.Repository // which may be opened anew
	fleet       string                    // where it is, for the evaluations that are kept
	environment catalog.Environment
	root        ledger.ID

	of   *source.Repository
	open *reconcile.Governance
}

// govern gives the ledger, with what has come to it since.
func (o *overseer) govern(ctx context.Context) (*reconcile.Governance, error) {
	repo := o.repo()
	if o.open != nil && o.of == repo {
		return o.open, o.open.Ledger.Refresh(ctx)
	}
	g, err := reconcile.Govern(ctx, reconcile.GovernanceOptions{
		Repo: repo, Environment: o.environment, Root: o.root, Cache: o.app.ledgerCache(), Now: o.app.now,
		Evaluate: func(ctx context.Context, commit string) (*catalog.Desired, error) {
			c, err := repo.Resolve(commit)
			if err != nil {
				return nil, err
			}
			fleet, err := o.app.evaluate(ctx, repo.Files(c), o.fleet)
			if err != nil {
				return nil, err
			}
			return &fleet.Desired, nil
		},
	})
	if err != nil {
		return nil, err
	}
	o.open, o.of = g, repo
	return g, nil
}

// carrier carries out what is approved of the plans that a daemon makes.
type carrier struct {
	overseer *overseer
	ehr      reconcile.EHR
	signer   *seal.Signer
	mandate  [][]byte // the bundles of the mandate to correct drift; nil for none
	acted    func(outcome string)
	// refused is what was refused last, so that the same is not asked again and
	// again while nobody has approved anything.
	refused string
	// published are the digests of the open plans that were read last.
	published map[*plan.Plan]plan.Digest
}

// act implements daemon.Act.
func (c *carrier) act(ctx context.Context, d daemon.Deed) ([]reconcile.Outcome, error) {
	if d.Begun != nil && d.Begun.Intent.By.Fingerprint != c.signer.PublicKey().Fingerprint().String() {
		return nil, nil // whoever began it may be at it still; in a while it is ended by what the platform shows
	}
	order := reconcile.Order{File: d.File, Plan: d.Plan, Only: d.Only, Mandate: c.mandate, Signer: c.signer}
	published, err := c.approvals(ctx, &order)
	if err != nil {
		return nil, err
	}
	if order.File == nil {
		if order.File, err = plan.Encode(d.Plan); err != nil {
			return nil, err
		}
	}
	asked := fmt.Sprint(d.Plan.BatchesRoot, d.Plan.Policy, published)
	if asked == c.refused && !d.Anew && d.Begun == nil {
		return nil, nil
	}
	carried, err := d.Governance.Carry(ctx, c.ehr, order)
	var no *reconcile.RefusedError
	if errors.As(err, &no) {
		c.refused = asked
	}
	if carried == nil {
		return nil, err
	}
	for _, o := range carried.Outcomes {
		c.acted(string(o.State))
	}
	return carried.Outcomes, errors.Join(err, c.sweep(ctx, d.Governance, order.Others))
}

// sweep takes away the open plans of which everything has been done.
func (c *carrier) sweep(ctx context.Context, g *reconcile.Governance, open []*plan.Plan) error {
	plans := c.plans()
	for _, p := range open {
		spent := len(p.Scheduled) == 0
		for i := range p.Batches {
			spent = spent && len(g.Ledger.Spent(p.Batches[i].Digest)) > 0
		}
		if !spent {
			continue
		}
		if err := plans.Delete(ctx, c.published[p]); err != nil {
			return err
		}
	}
	return nil
}

func (c *carrier) plans() *ledger.Plans {
	return &ledger.Plans{Repo: c.overseer.repo(), Environment: c.overseer.environment, Now: c.overseer.app.now}
}

// approvals gathers the open plans with their bundles, and names all of them.
func (c *carrier) approvals(ctx context.Context, order *reconcile.Order) (names []string, err error) {
	c.published = map[*plan.Plan]plan.Digest{}
	for open, err := range c.plans().All(ctx) {
		var remote *source.RemoteError
		if open == nil || errors.As(err, &remote) {
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			continue // anybody who can push can put anything there
		}
		other, err := plan.Decode(open.Plan)
		if err != nil {
			continue
		}
		order.Others = append(order.Others, other)
		c.published[other] = open.Digest
		for name, data := range open.Bundles {
			order.Bundles = append(order.Bundles, reconcile.Bundle{Name: name, Data: data})
			names = append(names, open.Digest.String()+plan.DigestOf(data).String())
		}
	}
	return names, nil
}

// govern makes the daemon one that goes by a ledger, and, where its mode is to
// correct, one that carries out what is approved.
func (a *app) govern(w *watch, c *schema.Daemon, p *parts, client *ehr.Client, acted func(string)) (*overseer, daemon.Act, error) {
	if c.Root == "" {
		return nil, nil, nil
	}
	root, err := ledger.ParseID(c.Root)
	if err != nil {
		return nil, nil, err
	}
	o := &overseer{app: a, repo: w.branch.Repository, fleet: c.Repository, environment: p.environment, root: root}
	switch daemon.Mode(c.Mode) {
	case daemon.Observe:
		return o, nil, nil
	case daemon.Propose:
		proposer := &daemon.Proposer{
			Repository: o.repo, Evaluate: w.evaluate, Author: source.Author{Name: "charter daemon", Email: "daemon@charter.invalid"}, Now: a.now,
			Forge: p.forge, Target: c.Branch, Log: w.log,
		}
		return o, proposer.Act, nil
	}
	if c.KeyFile == "" || c.PasswordFile == "" {
		return nil, nil, errors.New("mode correct needs key_file and password_file: receipts are signed")
	}
	signer, err := (&keyFlags{c.KeyFile, c.PasswordFile}).open(a)
	if err != nil {
		return nil, nil, err
	}
	carrier := &carrier{overseer: o, ehr: client, signer: signer, acted: acted}
	for _, file := range c.Mandate {
		bundle, err := readFile(file, maxBundle)
		if err != nil {
			return nil, nil, fmt.Errorf("mandate: %w", err)
		}
		carrier.mandate = append(carrier.mandate, bundle)
	}
	return o, carrier.act, nil
}

// openPlans implements daemon.OpenPlans.
func (o *overseer) openPlans(ctx context.Context) ([]daemon.OpenPlan, error) {
	office := &office{app: o.app, repo: o.repo(), fleet: repoFlags{repo: o.fleet}, environment: o.environment, Governance: o.open}
	if o.open == nil {
		return nil, nil
	}
	published, err := office.published(ctx)
	if err != nil {
		return nil, err
	}
	list := []daemon.OpenPlan{}
	for _, one := range published {
		file := one.planFile
		open := daemon.OpenPlan{
			Digest: file.digest, Commit: file.plan.Source.Commit, CreatedAt: file.plan.CreatedAt, ExpiresAt: file.plan.ExpiresAt, Summary: file.plan.Summary,
			Lacks: []string{},
		}
		if j, err := office.judgeAmong(ctx, file, published); err != nil {
			open.Lacks = append(open.Lacks, err.Error())
		} else {
			open.Lacks = append(open.Lacks, lacks(j)...)
		}
		list = append(list, open)
	}
	return list, nil
}
