package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/spf13/cobra"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/source"
	"github.com/veonahealth/charter/schema"
)

// againstFlags name other commits that what is declared is held against.
type againstFlags struct{ base, onto string }

func (f *againstFlags) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.base, "base", "", "refuse what was declared at this `REVISION` and is gone without a tombstone")
	cmd.Flags().StringVar(&f.onto, "onto", "", "plan what the commit would be once it is merged into this `REVISION`")
}

// load evaluates a commit, merged where the flags say so, and refuses what has
// vanished.
func (f *againstFlags) load(ctx context.Context, a *app, repo *repoFlags, opened *source.Repository, at time.Time) (l *loaded, err error) {
	if f.onto != "" {
		l, err = f.merged(ctx, a, repo, opened, at)
	} else {
		l, err = repo.evaluate(ctx, a, opened, repo.rev)
	}
	if err != nil || f.base == "" {
		return l, err
	}
	base, err := repo.evaluate(ctx, a, opened, f.base)
	if err != nil {
		return nil, fmt.Errorf("--base %s: %w", f.base, err)
	}
	l.before = base.fleet.Catalog
	return l, vanished(base.fleet, l.fleet, at)
}

// merged evaluates what the commit would be once it is merged.
func (f *againstFlags) merged(ctx context.Context, a *app, repo *repoFlags, opened *source.Repository, at time.Time) (*loaded, error) {
	target, err := repo.evaluate(ctx, a, opened, f.onto)
	if err != nil {
		return nil, fmt.Errorf("--onto %s: %w", f.onto, err)
	}
	commit, err := opened.Resolve(repo.rev)
	if err != nil {
		return nil, fail(exitFailed, "%w", err)
	}
	files, err := opened.Onto(ctx, target.commit, commit)
	var conflict *source.ConflictError
	if errors.As(err, &conflict) {
		return nil, failHint(exitFailed, "rebase onto "+f.onto+", and plan again", "%w", err)
	}
	if err != nil {
		return nil, fail(exitFailed, "%w", err)
	}
	fleet, err := a.evaluate(ctx, files, repo.repo)
	if err != nil {
		return nil, err
	}
	commit.Tree = files.Tree()
	l := &loaded{fleet: fleet, commit: commit, repository: opened.Remote(), target: target.fleet}
	return l, vanished(target.fleet, fleet, at)
}

// vanished refuses what one state declares and a later one does not.
func vanished(base, head *schema.Fleet, at time.Time) error {
	problems, err := schema.Vanished(&base.Desired, &head.Desired, at)
	if err == nil && len(problems) > 0 {
		err = problems
	}
	return err
}

// unborne refuses a catalogue that no longer has a module of an earlier one of
// which rows are live: nobody could say any more what such a row means.
func unborne(p *plan.Plan, head, base *catalog.Catalog) error {
	rows := map[catalog.TenantID]catalog.Rows{}
	for _, h := range p.Held {
		tenant, err := catalog.ParseTenantID(h.Tenant)
		facility, err2 := catalog.ParseFacilityID(h.Facility)
		module, err3 := catalog.ParseEHRModule(h.EHRModule)
		if h.Reason == plan.UnknownModule && errors.Join(err, err2, err3) == nil {
			rows[tenant] = append(rows[tenant], catalog.Row{Facility: facility, Module: module})
		}
	}
	if problems := schema.Unborne(head.Unborne(base, maps.All(rows))); len(problems) > 0 {
		return problems
	}
	return nil
}

// desiredTarget is what the branch declares that the commit is merged into; nil
// for none.
func (l *loaded) desiredTarget() *catalog.Desired {
	if l.target == nil {
		return nil
	}
	return &l.target.Desired
}
