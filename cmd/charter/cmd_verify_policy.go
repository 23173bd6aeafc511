package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/veonahealth/charter/cmd/charter/internal/view"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/policy"
	"github.com/veonahealth/charter/reconcile"
	"github.com/veonahealth/charter/reconcile/source"
)

// openFor reads a plan and opens the ledger of its environment. A plan's file may
// lie where no fleet is: then there is no office, and no ledger to judge by.
func (a *app) openFor(ctx context.Context, fleet repoFlags, root, name string, keys *trustFlags) (*office, *planFile, error) {
	var file *planFile
	env := "default"
	_, digest := planDigest(name)
	if !digest {
		var err error
		if file, err = readPlan(name); err != nil {
			return nil, nil, err
		}
		env = file.plan.Environment
	}
	office, err := a.openOffice(ctx, fleet, env, root)
	switch {
	case err != nil && errors.Is(err, source.ErrNotRepository) && !digest && root == "":
		return nil, file, onLedger(file)
	case errors.Is(err, errNoRoot) && len(keys.files) > 0:
		return nil, nil, notWithLedger()
	case err != nil:
		return nil, nil, err
	case !digest && !office.governed():
		return office, file, onLedger(file)
	case !digest:
		return office, file, nil
	}
	environment := office.environment
	file, err = office.findAnywhere(ctx, name)
	if err == nil && office.environment != environment {
		other := office.environment.String()
		return a.reopen(ctx, office, fleet, other, root, file)
	}
	return office, file, err
}

// onLedger refuses a plan that was made on a ledger where none is found: whoever
// judges it by keys that are given would go past the policy.
func onLedger(file *planFile) error {
	if file.plan.Base == nil {
		return nil
	}
	return failHint(exitTrust, "name the fleet and its ledger: -C DIR --root ID",
		"%s was made on a ledger (receipt %.16s…), and none is found here", file.path, file.plan.Base.Receipt)
}

// reopen opens the ledger of another environment than was thought.
func (a *app) reopen(ctx context.Context, o *office, fleet repoFlags, env, root string, file *planFile) (*office, *planFile, error) {
	if err := o.Close(); err != nil {
		return nil, nil, err
	}
	office, err := a.openOffice(ctx, fleet, env, root)
	return office, file, err
}

// governed reports whether a ledger is founded.
func (o *office) governed() bool { return o != nil && o.Governance != nil }

// notWithLedger refuses --trusted-key where a policy says whose signatures count.
func notWithLedger() error {
	return failHint(exitUsage, "leave it out; charter can PERSON CAPABILITY tells what the policy says of somebody", "--trusted-key: a ledger is founded, and its policy says whose signatures count")
}

// policyVerification is what verify found where a policy judges, for programs.
type policyVerification struct {
	Plan    string        `json:"plan"`
	Units   []policy.Unit `json:"units"`
	Enough  bool          `json:"enough"`
	Holds   bool          `json:"holds"`
	Codes   []exitCode    `json:"codes"`
	Reasons []string      `json:"reasons"`
}

func (a *app) verifyByPolicy(ctx context.Context, o *verifyOptions, office *office, file *planFile) error {
	var used *reconcile.ReplayedError
	if err := office.Replayed(file.plan, file.digest); errors.As(err, &used) && o.output.value == "json" {
		err = view.JSON(a.stdout, policyVerification{Plan: file.digest.String(), Units: []policy.Unit{}, Codes: []exitCode{exitTrust}, Reasons: reasons(used)})
		return errors.Join(err, finish(exitTrust))
	} else if err != nil {
		return err
	}
	j, err := office.judge(ctx, file)
	if err != nil {
		return err
	}
	stale := reconcile.CheckTime(file.plan, a.now())
	var refused error
	if first := j.First(); first != nil {
		refused = &reconcile.RefusedError{Refusal: first}
	}
	all := gravestOf(refused, stale)
	if o.output.value == "json" {
		err = view.JSON(a.stdout, policyVerification{
			Plan: file.digest.String(), Units: j.Units, Enough: refused == nil, Holds: stale == nil, Codes: codesOf(all), Reasons: append(lacks(j), reasons(stale)...),
		})
	} else {
		err = a.showPolicyVerification(file, j, stale)
	}
	if err != nil {
		return err
	}
	return finish(codeOf(all))
}

func (a *app) showPolicyVerification(file *planFile, j *reconcile.Judgement, stale error) error {
	fmt.Fprintf(a.stdout, "plan %s\n", file.digest)
	said := map[string]bool{}
	for i := range j.Units {
		for _, n := range j.Units[i].Notes {
			who := n.Person
			if who == "" {
				who = n.Name
			}
			if line := fmt.Sprintf("%s: %s", who, n.Text); !said[line] {
				said[line] = true
				fmt.Fprintln(a.stdout, view.Clean(line))
				if words := j.Comment(n.Name); words != "" {
					fmt.Fprintln(a.stdout, view.Clean("  "+words))
				}
			}
		}
	}
	for _, b := range j.Glass {
		fmt.Fprintln(a.stdout, view.Clean(b.String()))
	}
	missing := lacks(j)
	for _, text := range missing {
		fmt.Fprintln(a.stderr, "charter: "+view.Clean(text))
	}
	if len(missing) == 0 {
		fmt.Fprintln(a.stdout, "the approvals are enough to apply it")
	}
	if stale != nil {
		a.explain(stale)
		return nil
	}
	_, err := fmt.Fprintf(a.stdout, "it holds until %s\n", file.plan.ExpiresAt.Format(time.RFC3339))
	return err
}

// approvedBatches counts the batches of a plan that may be applied.
func approvedBatches(p *plan.Plan, j *reconcile.Judgement) int {
	n := 0
	for i := range p.Batches {
		if j.Units[i].Allowed() {
			n++
		}
	}
	return n
}
