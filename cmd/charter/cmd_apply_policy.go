package main

import (
	"context"
	"errors"

	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile"
)

// applyByPolicy carries out a plan where a ledger is founded: the policy that was
// applied last judges it, and receipts tell what was done.
func (a *app) applyByPolicy(ctx context.Context, o *applyOptions, office *office, file *planFile) error {
	if !file.plan.KnownMinor() {
		return fail(exitFailed, "%s is of format version %s, and this charter knows every field of %s only", file.path, file.plan.FormatVersion, plan.FormatVersion)
	}
	if err := o.otherEnvironment(file.plan); err != nil {
		return err
	}
	only, err := o.plan.scope.of(file.plan)
	if err != nil {
		return err
	}
	signer, err := o.key.open(a)
	if err != nil {
		return err
	}
	l, err := o.plan.repo.evaluate(ctx, a, office.repo, file.plan.Source.Commit)
	if err != nil {
		return err
	}
	declared, err := (&scopeFlags{env: file.plan.Environment}).environment(l.fleet)
	if err != nil {
		return err
	}
	client, err := o.plan.ehr.client(a, declared.EHR)
	if err != nil {
		return err
	}
	open, err := office.published(ctx)
	if err != nil {
		return err
	}
	bundles, others, err := office.bundles(file, open)
	if err != nil {
		return err
	}
	progress := a.newProgress()
	carried, err := office.Carry(ctx, client, reconcile.Order{
		Plan: file.plan, File: file.data, Bundles: bundles, Others: others, Only: only,
		Signer: signer, Author: a.author(o.plan.repo.repo), Progress: progress.step,
	})
	progress.end()
	if carried == nil {
		return unapplied(err)
	}
	a.note("receipt %s", carried.Receipt)
	if allDone(carried.Outcomes) && only == nil {
		err = errors.Join(err, office.plans().Delete(ctx, file.digest))
	}
	if err != nil {
		err = fail(codeOf(err), "the outcome could not be recorded; apply the same plan again: %w", err)
	}
	return gravestOf(err, a.showOutcomes(ctx, o, file, carried.Outcomes), unapproved(file.plan, carried.Judgement))
}

func allDone(outcomes []reconcile.Outcome) bool {
	for _, o := range outcomes {
		if o.State != reconcile.Done && o.State != reconcile.Already {
			return false
		}
	}
	return true
}

// unapproved says what of a plan was left because approvals are missing.
func unapproved(p *plan.Plan, j *reconcile.Judgement) error {
	if approvedBatches(p, j) == len(p.Batches) {
		return nil
	}
	return &reconcile.RefusedError{Refusal: j.First()}
}
