package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/cmd/charter/internal/view"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/policy"
	"github.com/veonahealth/charter/plan/seal"
	"github.com/veonahealth/charter/reconcile"
	"github.com/veonahealth/charter/reconcile/forge"
	"github.com/veonahealth/charter/reconcile/ledger"
)

// reviewFlags say which pull request's reviews a notary takes for approvals, and what
// it plans against.
type reviewFlags struct {
	change    int
	tokenFile string
	plan      planOptions
}

func (f *reviewFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.IntVar(&f.change, "review", 0, "record the approving reviews of pull request `N`, as a notary")
	bindForgeToken(cmd, &f.tokenFile)
	f.plan.ehr.bind(cmd)
	bindEnv(cmd, &f.plan.scope.env)
	flags.StringVar(&f.plan.frozen.snapshot, "snapshot", "", "with --review, plan against a snapshot and not a platform: a `FILE`, or ref for the published one")
}

// notary is one run of charter approve --review.
type notary struct {
	app    *app
	o      *approveOptions
	run    forge.Run
	office *office
	client *forge.Client
	signer *seal.Signer
	roster *policy.Roster

	change *forge.Change
	shown  *forge.Found // the comment of charter ci
	file   *planFile    // whose plan it shows
	// bundles are the decisions about the plan that are published, by their names.
	bundles map[string][]byte
	// beside is what the comment says beside the plan.
	beside view.Beside
	now    time.Time
}

// review records the approving reviews of a pull request.
func (a *app) review(ctx context.Context, o *approveOptions) error {
	switch {
	case o.review.change < 0:
		return fail(exitUsage, "--review %d: want the number of a pull request", o.review.change)
	case o.glass:
		return fail(exitUsage, "--break-glass: a person breaks a glass, by key; no review does")
	case o.approval.comment != "":
		return fail(exitUsage, "--comment: the words are the reviewers', and stand with their reviews")
	}
	run, err := a.forgeRun()
	if err != nil {
		return err
	}
	if run.Kind == "" {
		return failHint(exitUsage, "it is for a job of GitHub, Gitea, Forgejo or GitLab, by whose variables it knows the forge", "--review: no pipeline is recognised here")
	}
	run.Change = o.review.change
	n := &notary{app: a, o: o, run: run, now: a.now()}
	if n.office, err = a.needOffice(ctx, o.repo, o.review.plan.scope.env, o.root.root); err != nil {
		return err
	}
	defer n.office.Close()
	if err := n.sworn(ctx); err != nil {
		return err
	}
	if err := n.look(ctx); err != nil {
		return err
	}
	if err := n.again(ctx); err != nil {
		return err
	}
	return n.record(ctx)
}

// sworn opens the notary's key, and refuses one that is none.
func (n *notary) sworn(ctx context.Context) (err error) {
	if n.roster, err = n.office.Roster(ctx); err != nil {
		return err
	}
	if n.signer, err = n.o.key.open(n.app); err != nil {
		return err
	}
	if _, err := n.roster.Applier(n.signer.PublicKey().Fingerprint(), catalog.MayNotary, n.now); err != nil {
		return failHint(exitTrust, `the policy names one: appliers: ID: may: ["notary"]`, "%w", err)
	}
	n.client, err = n.app.forge(n.run, n.o.review.tokenFile)
	if err != nil {
		return fail(exitFailed, "%w", err)
	}
	return nil
}

// look reads the pull request and what its comment shows, and holds the one against
// the other.
func (n *notary) look(ctx context.Context) error {
	if err := n.read(ctx); err != nil {
		return err
	}
	if !n.change.Open {
		return fail(exitBlocked, "pull request %d is not open: what is merged or closed is not reviewed any more", n.run.Change)
	}
	const again = "let charter ci run again, and review what it shows then"
	if n.shown == nil {
		return failHint(exitBlocked, "let charter ci run, with the same token of the forge", "pull request %d has no comment by charter ci", n.run.Change)
	}
	digest, is := shownDigest(n.shown.Body)
	if !is {
		return failHint(exitBlocked, again, "the comment on pull request %d shows no plan that is published", n.run.Change)
	}
	if err := n.open(ctx, digest); err != nil {
		return err
	}
	if n.file.plan.Source.Commit != n.change.Head {
		return failHint(exitBlocked, again, "the comment on pull request %d is about commit %.12s, and somebody has pushed since: it is at %.12s",
			n.run.Change, n.file.plan.Source.Commit, n.change.Head)
	}
	return nil
}

// read asks the forge.
func (n *notary) read(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, forgeTime)
	defer cancel()
	if n.change, err = n.client.Reviews(ctx); err != nil {
		return fail(exitFailed, "%w", err)
	}
	if n.shown, err = n.client.ReadComment(ctx, view.PlanMarker(n.office.environment)); err != nil {
		return fail(exitFailed, "%w", err)
	}
	return nil
}

// named is the row of a comment that says which plan is published. The last one is
// charter's own: what is declared stands above it, escaped.
var named = regexp.MustCompile(`(?m)^\| to approve it \| \x60charter approve ([0-9a-f]{64})\x60 \|\r?$`)

// shownDigest reads from a comment which published plan it shows.
func shownDigest(body string) (plan.Digest, bool) {
	found := named.FindAllStringSubmatch(body, -1)
	if len(found) == 0 {
		return plan.Digest{}, false
	}
	return planDigest(found[len(found)-1][1])
}

// open reads the plan that the comment shows from where charter ci has published it.
func (n *notary) open(ctx context.Context, digest plan.Digest) error {
	published, err := n.office.plans().Read(ctx, digest)
	switch {
	case errors.Is(err, ledger.ErrNoPlan):
		return failHint(exitBlocked, "let charter ci run again, and review what it shows then", "the plan that the comment shows is not open any more: %s", digest)
	case errors.Is(err, ledger.ErrOtherPlan):
		return fail(exitTrust, "the plan that the comment shows: %w", err)
	case err != nil:
		return err
	}
	if n.file, err = decodePlan(digest.String(), published.Plan); err != nil {
		return fail(exitTrust, "the plan that the comment shows: %w", err)
	}
	if n.file.plan.Environment != n.office.environment.String() {
		return fail(exitTrust, "the plan that the comment shows is of environment %.80q, not %s", n.file.plan.Environment, n.office.environment)
	}
	n.bundles = published.Bundles
	return nil
}

// beside are the rows of a comment by which charter ci says more than the plan does,
// and which may have changed since.
var beside = regexp.MustCompile(`(?m)^\| (tests|also in plan [0-9a-f]{12}) \| .* \|\n?`)

// authentic refuses a comment that charter ci would not write of the plan: a reviewer
// has approved what they were shown.
func (n *notary) authentic(ctx context.Context) error {
	// Plans that were made later are not in it, and need not be.
	n.beside.Facts = append(n.app.overlaps(ctx, n.office.plans(), n.file, func(p *plan.Plan) bool { return !p.CreatedAt.After(n.file.plan.CreatedAt) }), toApprove(n.file.digest))
	got, stale := plainLines(n.shown.Body), false
	for judged, err := range n.lacks(ctx) {
		if err != nil {
			return err
		}
		n.beside.Judged, n.beside.Lacks = judged != nil, judged
		want, err := n.comment(n.file.plan)
		if err != nil {
			return err
		}
		if want == got {
			return nil
		}
		stale = stale || beside.ReplaceAllString(want, "") == beside.ReplaceAllString(got, "")
	}
	if stale {
		return failHint(exitBlocked, "see to what it says, let charter ci run again, and review what it shows then",
			"beside the plan the comment on pull request %d speaks of assertions that do not hold, or of other plans than those that are open now", n.run.Change)
	}
	return failHint(exitTrust, "find out who edited it; charter ci puts it back",
		"the comment on pull request %d is not what charter ci writes of plan %s: it was edited", n.run.Change, n.file.digest)
}

// fewBundles is up to how many decisions each choice of them is judged.
const fewBundles = 6

// lacks yields what charter ci may have said is missing when it wrote the comment: nil
// where no policy was asked, and else by each choice of the decisions that there are
// now, as some have come since.
func (n *notary) lacks(ctx context.Context) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		if !yield(nil, nil) {
			return
		}
		open, err := n.office.published(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		all, others, err := n.office.bundles(n.file, open)
		if err != nil {
			yield(nil, err)
			return
		}
		for choice := range 1 << min(len(all), fewBundles) {
			var chosen []reconcile.Bundle
			for i, b := range all {
				if choice>>min(i, fewBundles-1)&1 == 1 {
					chosen = append(chosen, b)
				}
			}
			j, err := n.office.Judge(ctx, reconcile.Case{Plan: n.file.plan, Digest: n.file.digest, Bundles: chosen, Others: others})
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(append([]string{}, lacks(j)...), nil) {
				return
			}
		}
	}
}

// comment is what charter ci writes of a plan, as if it were the one that is published.
func (n *notary) comment(p *plan.Plan) (string, error) {
	var b bytes.Buffer
	err := view.PlanMarkdown(&b, p, n.file.digest, n.beside)
	return plainLines(b.String()), err
}

// retold refuses a plan that says of the same batches what another one does not: why,
// where it is declared, what is critical. Whoever can push can publish such a plan, and
// nothing of that is bound by the digests that are signed. When it was made, on what,
// and how often rows were used is its own.
func (n *notary) retold(p *plan.Plan) error {
	said, now := n.file.plan, *p
	now.Nonce, now.CreatedAt, now.ExpiresAt, now.At = said.Nonce, said.CreatedAt, said.ExpiresAt, said.At
	now.Live, now.Source = said.Live, said.Source
	for i := range now.Batches {
		for j := range now.Batches[i].Changes {
			if i < len(said.Batches) && j < len(said.Batches[i].Changes) {
				now.Batches[i].Changes[j].Usage = said.Batches[i].Changes[j].Usage
			}
		}
	}
	want, err := n.comment(said)
	if err != nil {
		return err
	}
	got, err := n.comment(&now)
	if err == nil && want != got {
		err = failHint(exitBlocked, "let charter ci run again, and review what it shows then",
			"charter ci would say other things of the same changes now than the comment on pull request %d does", n.run.Change)
	}
	return err
}

// plainLines is a comment but for how forges end lines and texts.
func plainLines(text string) string {
	return strings.TrimRight(strings.ReplaceAll(text, "\r\n", "\n"), " \n")
}

// again plans the pull request as it is, on what is live: what was reviewed is
// recorded only if that is still what would be done. Then it asks the forge again, as
// planning takes a while.
func (n *notary) again(ctx context.Context) error {
	o := &n.o.review.plan
	o.repo, o.root, o.expiresIn = n.o.repo, n.o.root, defaultExpiry
	run := n.run
	run.Head, run.Target, run.Base, run.Fork = n.change.Head, n.change.Target, "", false
	repo := n.office.repo
	if err := n.fetch(ctx); err != nil {
		return err
	}
	ci := &pipeline{app: n.app, run: run, repo: repo, o: &ciOptions{plan: *o, revNamed: func() bool { return false }}}
	if err := ci.choose(ctx); err != nil {
		return err
	}
	if ci.o.plan.against.onto == "" {
		return fail(exitFailed, "branch %s, which pull request %d is to be merged into, is not to be had", run.Target, n.run.Change)
	}
	l, err := ci.o.plan.load(ctx, n.app, repo)
	if err != nil {
		return err
	}
	p, err := n.app.planOf(ctx, &ci.o.plan, repo, l)
	if err != nil {
		return err
	}
	n.beside.Names = moduleNames(l.fleet.Catalog)
	if err := n.authentic(ctx); err != nil {
		return err
	}
	if p.BatchesRoot != n.file.plan.BatchesRoot || len(p.Leaves()) != len(n.file.plan.Leaves()) {
		return failHint(exitBlocked, "let charter ci run again, and review what it shows then",
			"what pull request %d would change now is not what its comment shows: the platform, the ledger or branch %s has moved on", n.run.Change, run.Target)
	}
	if err := n.retold(p); err != nil {
		return err
	}
	head, shown := n.change.Head, n.shown
	if err := n.read(ctx); err != nil {
		return err
	}
	if !n.change.Open || n.change.Head != head || n.shown == nil || n.shown.Body != shown.Body || !n.shown.Changed.Equal(shown.Changed) {
		return failHint(exitBlocked, "run it again", "pull request %d or its comment changed meanwhile", n.run.Change)
	}
	return nil
}

// taken is what became of one review.
type taken struct {
	who    string // the account, and whose it is
	stands bool   // whether it is recorded now
	text   string
}

// fetch brings the commit that the pull request is at, where a job has checked out
// another branch.
func (n *notary) fetch(ctx context.Context) error {
	repo := n.office.repo
	if _, err := repo.Resolve(n.change.Head); err == nil {
		return nil
	}
	_, err := repo.Fetch(ctx, nil, n.run.Kind.HeadRef(n.run.Change))
	if _, missing := repo.Resolve(n.change.Head); missing != nil {
		return failHint(exitFailed, "check out the pull request's branch, with its history",
			"commit %.12s of pull request %d is not to be had: %w", n.change.Head, n.run.Change, cmp.Or(err, missing))
	}
	return nil
}

// record records each review that stands, and takes back those that do not any more.
func (n *notary) record(ctx context.Context) error {
	stands := false
	for i := range n.change.Reviews {
		t, err := n.take(ctx, &n.change.Reviews[i])
		if err != nil {
			return err
		}
		if !t.stands {
			t.text = "not recorded: " + t.text
		}
		fmt.Fprintln(n.app.stdout, view.Clean(t.who+": "+t.text))
		stands = stands || t.stands
	}
	if err := n.withdraw(ctx); err != nil {
		return err
	}
	if len(n.change.Reviews) == 0 {
		n.app.note("nobody has reviewed pull request %d", n.run.Change)
	}
	if !stands {
		return finish(exitBlocked)
	}
	return nil
}

// take records one review, unless something speaks against it or it is recorded.
func (n *notary) take(ctx context.Context, r *forge.Review) (taken, error) {
	t := taken{who: r.Account}
	person, err := n.roster.Account(r.Account, n.now)
	if err != nil {
		t.text = err.Error()
		return t, nil
	}
	t.who += " (" + person.ID + ")"
	if t.text = n.against(r, person); t.text != "" {
		return t, nil
	}
	review := &seal.Review{Account: r.Account, Change: n.run.Change, Head: n.change.Head, ID: r.ID, At: r.At.UTC()}
	name := n.bundleName(review)
	if n.has(name, review) {
		t.stands, t.text = true, "recorded already"
		return t, nil
	}
	n.o.approval.review = review
	statement, err := n.o.approval.statement(n.file, r.At) // good for so long since it was given
	if err != nil {
		return t, err
	}
	bundle, err := n.signer.Sign(statement)
	if err != nil {
		return t, err
	}
	reasons, changes, err := n.office.Discount(ctx, n.file.plan, n.file.digest, reconcile.Bundle{Name: name, Data: bundle}, n.signer.PublicKey().Fingerprint())
	if err != nil {
		return t, err
	}
	if len(reasons) > 0 && len(changes) == 0 {
		t.text = strings.Join(reasons, "; ")
		return t, nil
	}
	if err := n.office.plans().Add(ctx, n.file.digest, name, bundle); err != nil {
		return t, err
	}
	t.stands, t.text = true, "recorded"
	if len(changes) > 0 {
		t.text += fmt.Sprintf("; it does not count for %s (%s)", view.Some(changes), strings.Join(reasons, "; "))
	}
	return t, nil
}

// ahead is how far a forge's clock may be ahead.
const ahead = 5 * time.Minute

// against says why a review is no approval of what the comment shows; "".
func (n *notary) against(r *forge.Review, person *catalog.Person) string {
	author, _ := n.roster.Account(n.change.Author, n.now) // who is nobody's opens pull requests too
	switch {
	case r.Fault != "":
		return r.Fault
	case n.change.Author == "":
		return "the forge does not say who opened the pull request, and it may be the reviewer"
	case n.change.Author == r.Account || author != nil && author.ID == person.ID:
		return "the reviewer opened the pull request"
	case n.shown.Changed.IsZero():
		return "the forge does not say since when the comment shows this plan"
	case !r.At.After(n.shown.Changed):
		return "it was given before the comment showed this plan, or was written last"
	case r.At.After(n.now.Add(ahead)):
		return "the forge says that it was given in time to come"
	}
	return ""
}

// bundleName is the name of the bundle of an account's review: each has one, and a
// later review takes the place of an earlier one.
func (n *notary) bundleName(r *seal.Review) string {
	return n.signer.PublicKey().Fingerprint().BundleName("plan.json.review-" + strings.ReplaceAll(r.Account, ":", "-"))
}

// has reports whether a review is recorded already, for as much as it would be now.
func (n *notary) has(name string, r *seal.Review) bool {
	opened, err := n.roster.Verifier().Open(n.bundles[name])
	if err != nil || opened.Approval.Review == nil {
		return false
	}
	had := opened.Approval
	named := make([]string, 0, len(had.Tenants))
	for _, id := range had.Tenants {
		named = append(named, id.String())
	}
	wanted := slices.Sorted(slices.Values(n.o.approval.tenants))
	return sameReview(had.Review, r) && had.NotAfter.After(n.now) && slices.Equal(named, wanted) &&
		had.Batches == seal.Batches{Root: n.file.plan.BatchesRoot, Count: len(n.file.plan.Leaves())}
}

func sameReview(a, b *seal.Review) bool {
	one, other := *a, *b
	one.At, other.At = time.Time{}, time.Time{}
	return one == other && a.At.Equal(b.At)
}

// withdraw takes away what was recorded of reviews that were dismissed or taken back
// since.
func (n *notary) withdraw(ctx context.Context) error {
	standing := map[string]bool{}
	for i := range n.change.Reviews {
		standing[n.change.Reviews[i].Account] = n.change.Reviews[i].Fault == ""
	}
	for _, name := range slices.Sorted(maps.Keys(n.bundles)) {
		opened, err := n.roster.Verifier().Open(n.bundles[name])
		if err != nil || opened.Approval.Review == nil {
			continue
		}
		r := opened.Approval.Review
		if r.Change != n.run.Change || standing[r.Account] {
			continue
		}
		if err := n.office.plans().Remove(ctx, n.file.digest, name); err != nil {
			return err
		}
		fmt.Fprintf(n.app.stdout, "%s: taken back\n", r.Account)
	}
	return nil
}
