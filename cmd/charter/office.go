package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile"
	"github.com/veonahealth/charter/reconcile/ledger"
	"github.com/veonahealth/charter/reconcile/source"
	"github.com/veonahealth/charter/schema"
)

// rootFlag names the receipt that founded the ledger.
type rootFlag struct{ root string }

func (f *rootFlag) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.root, "root", "", "the `ID` of the ledger's first receipt, as charter init --audit printed it")
}

// office is an opened fleet with its ledger: what commands need that judge, sign
// and write receipts.
type office struct {
	app         *app
	repo        *source.Repository
	fleet       repoFlags
	environment catalog.Environment
	*reconcile.Governance
	// unasked is set where the remote did not say whether it has a ledger.
	unasked error
}

// errNotFounded says that a command needs a ledger.
var errNotFounded = errors.New("no ledger is founded")

// errNoRoot says that a ledger is there which nobody was told how to verify.
var errNoRoot = errors.New("has a ledger, and its root was not given")

// openOffice opens the ledger of an environment; its Governance is nil where none
// is founded. The caller closes it.
func (a *app) openOffice(ctx context.Context, fleet repoFlags, env, root string) (*office, error) {
	repo, err := fleet.open(ctx)
	if err != nil {
		return nil, err
	}
	o, err := a.officeIn(ctx, repo, fleet, env, root)
	if err != nil {
		return nil, errors.Join(err, repo.Close())
	}
	return o, nil
}

// officeIn is openOffice in a repository that is open, and stays so.
func (a *app) officeIn(ctx context.Context, repo *source.Repository, fleet repoFlags, env, root string) (*office, error) {
	environment, err := catalog.ParseEnvironment(env)
	if err != nil {
		return nil, fail(exitUsage, "--env: %w", err)
	}
	o := &office{app: a, repo: repo, fleet: fleet, environment: environment}
	return o, o.govern(ctx, root)
}

// needOffice is openOffice for what cannot be done without a ledger.
func (a *app) needOffice(ctx context.Context, fleet repoFlags, env, root string) (*office, error) {
	o, err := a.openOffice(ctx, fleet, env, root)
	if err == nil && o.Governance == nil {
		err = failHint(exitFailed, "found one: charter init --audit --key KEY", "environment %s: %w", o.environment, errors.Join(errNotFounded, o.Close()))
	}
	return o, err
}

// Close gives up the repository.
func (o *office) Close() error { return o.repo.Close() }

func (o *office) govern(ctx context.Context, root string) error {
	founded, err := o.founded(ctx, root)
	var remote *source.RemoteError
	switch {
	case root == "" && (errors.As(err, &remote) || errors.Is(err, context.DeadlineExceeded)) && ctx.Err() == nil:
		o.unasked = err
		o.app.note("%s: whether a ledger is founded there could not be asked", err)
		return nil
	case err != nil:
		return err
	case founded && root == "":
		return failHint(exitTrust, "give --root ID or CHARTER_ROOT: charter init --audit printed it", "environment %s %w", o.environment, errNoRoot)
	case !founded && root != "":
		return fail(exitTrust, "environment %s has no ledger, here or on the remote, and its root was given: it is gone, or this is another fleet", o.environment)
	case !founded:
		return nil
	}
	id, err := ledger.ParseID(root)
	if err != nil {
		return fail(exitUsage, "--root: %w", err)
	}
	newest, err := o.repo.Resolve("HEAD")
	if err != nil {
		return fail(exitFailed, "%w", err)
	}
	o.Governance, err = reconcile.Govern(ctx, reconcile.GovernanceOptions{
		Newest: newest.Hash, Repo: o.repo, Environment: o.environment, Root: id, Evaluate: o.evaluate, Cache: o.app.ledgerCache(), Now: o.app.now,
	})
	return wayOn(err)
}

// wayOn says what to do about a ledger that is not whole.
func wayOn(err error) error {
	var exit *exitError
	var tampered *ledger.TamperError
	if errors.As(err, &exit) || !errors.As(err, &tampered) {
		return err
	}
	var other *ledger.RootError
	if errors.As(err, &other) {
		return failHint(exitTrust, "is the root of another environment or fleet, or the id of another receipt? ask whoever founded the ledger for its root, and do not take it from the repository", "%w", err)
	}
	return failHint(exitTrust, "the receipts before it verify: find out who pushed it, then charter audit restore takes the branch back to them", "%w", err)
}

// patience is for how long a remote is asked whether it has a ledger that nobody
// spoke of.
const patience = 15 * time.Second

func (o *office) founded(ctx context.Context, root string) (bool, error) {
	if root == "" {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	return ledger.Exists(ctx, o.repo, o.environment)
}

// ledgerCache is where verified receipts are kept; "" where there is nowhere.
func (a *app) ledgerCache() string {
	dir, err := a.cacheDir()
	executable, err2 := a.executable()
	if errors.Join(err, err2) != nil || a.anew {
		return ""
	}
	judge := sha256.Sum256([]byte(a.identity(executable))) // another version may judge otherwise
	return filepath.Join(dir, "charter", "ledger", hex.EncodeToString(judge[:8]))
}

func (o *office) evaluate(ctx context.Context, commit string) (*catalog.Desired, error) {
	l, err := o.fleet.evaluate(ctx, o.app, o.repo, commit)
	var missing *source.RevisionError
	if errors.As(err, &missing) {
		return nil, failHint(exitFailed, "git fetch brings it", "it is not in this clone")
	}
	if err != nil {
		return nil, err
	}
	return &l.fleet.Desired, nil
}

// plans are the open plans of the environment.
func (o *office) plans() *ledger.Plans {
	return &ledger.Plans{Repo: o.repo, Environment: o.environment, Author: o.app.author(o.fleet.repo), Now: o.app.now}
}

// find reads a plan: a file, or by its digest one that is open.
func (o *office) find(ctx context.Context, name string) (*planFile, error) {
	digest, is := planDigest(name)
	if !is {
		return readPlan(name)
	}
	published, err := o.plans().Read(ctx, digest)
	if errors.Is(err, ledger.ErrNoPlan) && o.governed() {
		if carried, found, err := o.Ledger.Carried(digest); err != nil || found {
			return o.carried(name, carried, err)
		}
	}
	if errors.Is(err, ledger.ErrNoPlan) {
		return nil, failHint(exitFailed, "charter plans lists the open ones", "no open plan is %s", digest)
	}
	if err != nil {
		return nil, err
	}
	return decodePlan(digest.String(), published.Plan)
}

// carried reads a plan that a receipt holds.
func (o *office) carried(name string, r *ledger.Receipt, err error) (*planFile, error) {
	if err != nil {
		return nil, err
	}
	data, err := o.Ledger.Plan(r)
	if err != nil {
		return nil, err
	}
	p, err := plan.Recorded(data)
	return &planFile{path: name, data: data, plan: p, digest: plan.DigestOf(data)}, err
}

// findAnywhere is find for whoever has not said of which environment the plan is:
// its file says so, and an open one is looked for in each.
func (o *office) findAnywhere(ctx context.Context, name string) (*planFile, error) {
	if _, is := planDigest(name); !is {
		file, err := readPlan(name)
		if err == nil {
			o.environment, err = catalog.ParseEnvironment(file.plan.Environment)
		}
		return file, err
	}
	if o.governed() {
		if file, err := o.find(ctx, name); err == nil {
			return file, nil
		}
	}
	open, err := ledger.Environments(ctx, o.repo)
	if err != nil {
		return nil, err
	}
	for _, o.environment = range open {
		file, err := o.find(ctx, name)
		if err == nil {
			return file, nil
		}
	}
	return nil, failHint(exitFailed, "charter plans lists the open ones", "no open plan is %s", name)
}

// lacks says what is missing before a plan may be applied.
func lacks(j *reconcile.Judgement) []string {
	if j.Refusal != nil {
		return []string{j.Refusal.Error()}
	}
	var list []string
	for i := range j.Units {
		if r := j.Units[i].Refusal; r != nil && !slices.Contains(list, r.Error()) {
			list = append(list, r.Error())
		}
	}
	return list
}

// planDigest reads a plan's digest as people give it.
func planDigest(name string) (plan.Digest, bool) {
	digest, err := plan.ParseDigest("sha256:" + strings.TrimPrefix(name, "sha256:"))
	return digest, err == nil
}

// published is an open plan that could be read.
type published struct {
	*planFile
	signed []reconcile.Bundle // by the names of their files
}

// published reads the open plans. What cannot be read is named and left out, as
// anybody who can push can put anything there.
func (o *office) published(ctx context.Context) ([]published, error) {
	list := []published{}
	for p, err := range o.plans().All(ctx) {
		if p == nil {
			return nil, err
		}
		var file *planFile
		if err == nil {
			file, err = decodePlan(p.Digest.String(), p.Plan)
		}
		if err != nil {
			o.app.note("open plan %s is left out: %s", p.Digest, err)
			continue
		}
		open := published{planFile: file}
		for _, name := range slices.Sorted(maps.Keys(p.Bundles)) {
			open.signed = append(open.signed, reconcile.Bundle{Name: name, Data: p.Bundles[name]})
		}
		list = append(list, open)
	}
	return list, nil
}

// bundles gathers the signatures of a plan: beside its file, and with the open
// plans, whose approvals may be of the same batches.
func (o *office) bundles(file *planFile, open []published) (list []reconcile.Bundle, others []*plan.Plan, err error) {
	for i, b := range file.bundles {
		list = append(list, reconcile.Bundle{Name: fmt.Sprintf("signature %d", i+1), Data: b})
	}
	if _, digest := planDigest(file.path); !digest && file.bundles == nil {
		names, err := bundleNames(file.path)
		if err != nil {
			return nil, nil, err
		}
		for _, name := range names {
			data, err := readFile(name, maxBundle)
			if err != nil {
				return nil, nil, fail(exitFailed, "signature: %w", err)
			}
			list = append(list, reconcile.Bundle{Name: filepath.Base(name), Data: data})
		}
	}
	for _, p := range open {
		if p.digest != file.digest {
			others = append(others, p.plan)
		}
		list = append(list, p.signed...)
	}
	slices.SortStableFunc(list, func(a, b reconcile.Bundle) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(list, func(a, b reconcile.Bundle) bool { return string(a.Data) == string(b.Data) }), others, nil
}

// judge judges a plan by what is known without asking the platform.
func (o *office) judge(ctx context.Context, file *planFile) (*reconcile.Judgement, error) {
	open, err := o.published(ctx)
	if err != nil {
		return nil, err
	}
	return o.judgeAmong(ctx, file, open)
}

// judgeAmong is judge with the open plans at hand.
func (o *office) judgeAmong(ctx context.Context, file *planFile, open []published) (*reconcile.Judgement, error) {
	bundles, others, err := o.bundles(file, open)
	if err != nil {
		return nil, err
	}
	return o.Judge(ctx, reconcile.Case{Plan: file.plan, Digest: file.digest, Bundles: bundles, Others: others})
}

// witnessed sets the platform's audit trail beside the ledger, on which a plan is
// about to be made: one that was rolled back would show what was done since as
// drift. It says how the platform was put back; "". Whoever may not read the trail
// plans without, and applies nothing.
func (o *office) witnessed(ctx context.Context, live reconcile.EHR) (restored string, err error) {
	testimony, err := o.Witness(ctx, live)
	var blind *reconcile.UnwitnessedError
	if errors.As(err, &blind) {
		o.app.note("whether the ledger is whole could not be asked of the platform: %s", blind.Err)
		return "", nil
	}
	return testimony.Restored, unread(err)
}

// inLedger is what a request to plan takes from the ledger, and refuses what has
// vanished since it was last applied.
func (o *office) inLedger(ctx context.Context, r *reconcile.PlanRequest) error {
	if err := o.Bind(ctx, r); err != nil {
		return err
	}
	last, err := o.LastApplied(ctx)
	if err != nil || last == nil {
		return err
	}
	problems, err := schema.Vanished(last.Desired, r.Desired, last.At)
	if err == nil && len(problems) > 0 {
		err = problems
	}
	return err
}

// unborne refuses a catalogue that leaves live rows without a module, by what was
// last applied, and by --base.
func (o *office) unborne(ctx context.Context, p *plan.Plan, l *loaded) error {
	bases := []*catalog.Catalog{l.before}
	if o.Governance != nil {
		last, err := o.LastApplied(ctx)
		if err != nil {
			return err
		}
		if last != nil {
			bases = append(bases, last.Desired.Catalog)
		}
	}
	for _, base := range bases {
		if base == nil {
			continue
		}
		if err := unborne(p, l.fleet.Catalog, base); err != nil {
			return err
		}
	}
	return nil
}
