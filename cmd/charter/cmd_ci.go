package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/cmd/charter/internal/view"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/forge"
	"github.com/veonahealth/charter/reconcile/ledger"
	"github.com/veonahealth/charter/reconcile/source"
	"github.com/veonahealth/charter/schema"
)

// maxEvent is the largest description of what a pipeline runs for, in bytes.
const maxEvent = 32 << 20

type ciOptions struct {
	plan      planOptions
	comment   string
	tokenFile string
	publish   bool
	approved  bool // whether approvals that are missing end it with 4
	// revNamed and publishNamed tell whether somebody gave the flag.
	revNamed, publishNamed func() bool
}

func (a *app) newCI() *cobra.Command {
	var o ciOptions
	cmd := &cobra.Command{
		Use:   "ci",
		Short: "Do all that a pipeline has to: validate, test, plan, publish and comment",
		Long: `Ci validates the declarations, runs their assertions, and plans: against the
platform where it was given one and a token, else against a --snapshot. With
neither it compares the commit with the one before. It knows GitHub Actions, Gitea
and Forgejo Actions and GitLab CI by their variables; for a pull request it plans
what the target branch would be once it is merged.

The plan goes to standard output, to where reviewers find it (charter approve
DIGEST), and as the pull request's one comment, given a token of the forge in
--forge-token-file or CHARTER_FORGE_TOKEN; on GitHub and Gitea also to the job's
summary, with mistakes beside their lines. With that token the commit gets a status
too, charter/ENVIRONMENT. What could not be published or posted, as on a fork, is
said, and changes nothing in the exit status: that is the plan's. With
--require-approval it is 4 while approvals are missing.`,
		Example: `  charter ci
  charter ci --snapshot ref --comment-file plan.md
  charter ci --require-approval`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.ci(cmd.Context(), &o) },
	}
	o.plan.bind(cmd)
	o.plan.against.bind(cmd)
	o.plan.frozen.bind(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.plan.out, "out", "", "save the plan as `FILE`")
	flags.StringVar(&o.comment, "comment-file", "", "save the comment as `FILE`, in Markdown")
	bindForgeToken(cmd, &o.tokenFile)
	flags.BoolVar(&o.publish, "publish", false, "push the plan to where reviewers find it; a pipeline does so by itself, but for a fork")
	flags.BoolVar(&o.approved, "require-approval", false, "end with 4 while approvals are missing")
	o.revNamed = func() bool { return flags.Changed("rev") }
	o.publishNamed = func() bool { return flags.Changed("publish") }
	return cmd
}

func bindForgeToken(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "forge-token-file", "", "a `FILE` that holds a token of the forge (or the variable CHARTER_FORGE_TOKEN)")
}

// pipeline is one run of charter ci.
type pipeline struct {
	app  *app
	o    *ciOptions
	run  forge.Run
	repo *source.Repository
	// workflow is the job's output where it reads commands from it; else nil.
	workflow *workflow
	errs     []error     // what its status is made of
	said     [][2]string // what the comment says beside the plan
	// summary is what was found, in a line; "" before anything was.
	summary   string
	commented string // the comment's address; "" where there is none
}

func (a *app) ci(ctx context.Context, o *ciOptions) error {
	run, err := a.forgeRun()
	if err != nil {
		return err
	}
	c := &pipeline{app: a, o: o, run: run}
	if !run.Annotates() {
		return c.all(ctx)
	}
	c.workflow = newWorkflow(a.stdout)
	if err := c.workflow.stop(); err != nil {
		return err
	}
	err = c.all(ctx)
	a.explain(err) // while nothing of it can be a command
	if resumed := c.workflow.resume(); resumed != nil {
		return resumed
	}
	return finish(codeOf(err))
}

// forgeRun is what the job's variables say of the pipeline that it is of.
func (a *app) forgeRun() (forge.Run, error) {
	run, err := forge.Detect(a.lookupEnv, func(name string) ([]byte, error) { return readFile(name, maxEvent) })
	if err != nil {
		return run, fail(exitFailed, "%w", err)
	}
	return run, nil
}

// all does everything, and sets the commit's status by what came of it.
func (c *pipeline) all(ctx context.Context) error {
	err := c.judge(ctx)
	c.status(ctx, err)
	return err
}

// judge gives what the status is made of.
func (c *pipeline) judge(ctx context.Context) error {
	var err error
	if c.repo, err = c.o.plan.repo.open(ctx); err != nil {
		return err
	}
	defer c.repo.Close()
	if err := c.choose(ctx); err != nil {
		return err
	}
	l, err := c.o.plan.load(ctx, c.app, c.repo)
	if err == nil {
		err = c.test(l)
	}
	if err == nil {
		err = c.decide(ctx, l)
	}
	if err != nil {
		c.without(ctx, err)
		c.errs = append(c.errs, err)
	}
	return gravestOf(c.errs...)
}

// choose settles what is planned and against what, where the flags leave it to the
// pipeline.
func (c *pipeline) choose(ctx context.Context) error {
	token, err := c.o.plan.ehr.token(c.app)
	if err != nil {
		return err
	}
	if c.o.plan.ehr.url != "" && token != "" {
		c.o.plan.frozen.snapshot = "" // the platform itself knows better
	}
	if c.run.Kind == "" {
		return nil
	}
	if !c.o.revNamed() && c.run.Head != "" {
		if _, err := c.repo.Resolve(c.run.Head); err == nil {
			c.o.plan.repo.rev = c.run.Head
		} else {
			c.app.note("commit %.12s is not in this checkout: what is checked out is planned", c.run.Head)
		}
	}
	if c.o.plan.against.onto == "" && c.run.Target != "" {
		c.o.plan.against.onto = c.target(ctx)
	}
	return nil
}

// target finds the commit that a pull request is to be merged into: as the remote
// has it now, else as it was when the pipeline began; "" where it is not to be had.
func (c *pipeline) target(ctx context.Context) string {
	repo := c.repo
	branch := "refs/heads/" + c.run.Target
	refs, err := repo.RemoteRefs(ctx)
	if _, here := repo.Resolve(refs[branch]); err == nil && refs[branch] != "" && here != nil {
		refs, err = repo.Fetch(ctx, nil, branch)
	}
	if err != nil {
		c.app.note("branch %s could not be fetched: %s", c.run.Target, err)
	}
	for _, commit := range []string{refs[branch], c.run.Base} {
		if _, err := repo.Resolve(commit); commit != "" && err == nil {
			return commit
		}
	}
	c.app.note("what it is to be merged into is not in this checkout: the commit is planned as it is")
	return ""
}

// test runs the fleet's assertions, and shows what is wrong beside its lines.
func (c *pipeline) test(l *loaded) error {
	at, err := parseAt(c.o.plan.scope.at, c.app.now())
	if err != nil {
		return err
	}
	results, err := l.fleet.RunTests(at)
	if err != nil {
		return err
	}
	failed := len(slices.DeleteFunc(slices.Clone(results), func(r catalog.TestResult) bool { return r.Passed() }))
	if c.workflow != nil {
		err = c.workflow.say(func(w io.Writer) error {
			return errors.Join(view.ProblemsGitHub(w, nil, l.fleet.Warnings(at)), view.TestsGitHub(w, results))
		})
	} else if failed > 0 {
		err = view.Tests(c.app.stdout, c.app.style(c.app.outTerminal), results)
	}
	if failed > 0 {
		text := view.Counted(failed, "assertion does", "assertions do") + fmt.Sprintf(" not hold, of %d", len(results))
		c.say("tests", text)
		c.errs = append(c.errs, fail(exitWrong, "%s", text))
	}
	return err
}

func (c *pipeline) say(name, text string) { c.said = append(c.said, [2]string{name, text}) }

// decide plans where there is something to plan against, and else compares.
func (c *pipeline) decide(ctx context.Context, l *loaded) error {
	if c.o.plan.ehr.url == "" && c.o.plan.frozen.snapshot == "" {
		c.app.note("no platform and no snapshot were given: what is declared is compared, and nothing planned")
		return c.compare(ctx, l)
	}
	p, err := c.app.planOf(ctx, &c.o.plan, c.repo, l)
	if errors.Is(err, ledger.ErrNoSnapshot) {
		c.app.note("%s: what is declared is compared, and nothing planned", err)
		return c.compare(ctx, l)
	}
	if err != nil {
		return err
	}
	return c.present(ctx, l, p)
}

// present shows a plan in every place that it belongs to.
func (c *pipeline) present(ctx context.Context, l *loaded, p *plan.Plan) error {
	data, err := plan.Encode(p)
	if err != nil {
		return err
	}
	if c.o.plan.out != "" {
		if err := writeFile(c.o.plan.out, data, 0o644); err != nil {
			return fail(exitFailed, "save the plan: %w", err)
		}
	}
	if err := c.app.showPlan(p, data, "text"); err != nil {
		return err
	}
	c.summary = view.Summary(p)
	file, err := decodePlan(plan.DigestOf(data).String(), data)
	if err != nil {
		return err
	}
	if err := c.share(ctx, file); err != nil {
		return err
	}
	beside := view.Beside{Names: moduleNames(l.fleet.Catalog)}
	c.approvals(ctx, file, &beside)
	beside.Facts = c.said
	var b bytes.Buffer
	if err := view.PlanMarkdown(&b, p, file.digest, beside); err != nil {
		return err
	}
	if len(p.Unreadable) > 0 {
		c.errs = append(c.errs, fail(exitUnread, "the live state of %s could not be read", view.Counted(len(p.Unreadable), "tenant", "tenants")))
	}
	return c.comment(ctx, b.Bytes())
}

// moduleNames are the names for people of a catalogue's modules, by their keys.
func moduleNames(of *catalog.Catalog) map[string]string {
	names := map[string]string{}
	for _, module := range of.Modules() {
		names[module.Key.String()] = module.Name
	}
	return names
}

// share puts the plan where reviewers find it, and says which other plans that are
// there touch the same.
func (c *pipeline) share(ctx context.Context, file *planFile) error {
	if len(file.plan.Leaves()) == 0 {
		return nil
	}
	environment, err := catalog.ParseEnvironment(file.plan.Environment)
	if err != nil {
		return err
	}
	open := (&office{app: c.app, repo: c.repo, fleet: c.o.plan.repo, environment: environment}).plans()
	c.overlaps(ctx, open, file)
	c.publish(ctx, open, file)
	return nil
}

func (c *pipeline) publish(ctx context.Context, open *ledger.Plans, file *planFile) {
	wanted := c.o.publish || !c.o.publishNamed() && c.run.Kind != "" && !c.run.Fork
	if !wanted {
		if c.run.Fork {
			c.say("published", "no, it is of a fork")
			c.app.note("the plan is not published, as it is of a fork")
		}
		return
	}
	if open.Author.Name == "" { // nobody has told a pipeline's git who commits
		open.Author.Name, open.Author.Email = "charter ci", "charter@ci.invalid"
	}
	if _, err := open.Publish(ctx, file.data, nil); err != nil {
		c.say("published", "no, it could not be pushed")
		c.app.note("the plan is not published: %s", err)
		return
	}
	c.said = append(c.said, toApprove(file.digest))
}

// toApprove is the fact by which a comment says that its plan is published.
func toApprove(digest plan.Digest) [2]string {
	return [2]string{"to approve it", "charter approve " + digest.Hex()}
}

// compare sets what is declared beside what was before, where nothing can be
// planned.
func (c *pipeline) compare(ctx context.Context, l *loaded) error {
	before := l.target
	commit := c.o.plan.against.onto
	if before == nil && c.run.Base != "" {
		base, err := c.o.plan.repo.evaluate(ctx, c.app, c.repo, c.run.Base)
		if err != nil {
			return err
		}
		before, commit = base.fleet, c.run.Base
	}
	if before == nil {
		c.summary = view.Counted(len(l.fleet.Tenants), "tenant", "tenants") + ": no mistakes"
		_, err := fmt.Fprintln(c.app.stdout, c.summary)
		return err
	}
	environment, err := c.o.plan.scope.environment(l.fleet)
	if err != nil {
		return err
	}
	at, err := parseAt(c.o.plan.scope.at, c.app.now())
	if err != nil {
		return err
	}
	compared, err := plan.Compare(plan.Sides{
		Base: &before.Desired, Head: &l.fleet.Desired, BaseCommit: commit, HeadCommit: l.commit.Hash,
		Environment: environment.Environment, At: at,
	})
	if err != nil {
		return err
	}
	c.summary = view.DiffSummary(compared)
	var b bytes.Buffer
	err = errors.Join(view.Diff(c.app.stdout, c.app.style(c.app.outTerminal), compared), view.DiffMarkdown(&b, compared, c.said...))
	if err != nil {
		return err
	}
	return c.comment(ctx, b.Bytes())
}

// without shows why there is no plan, beside the lines and in the comment.
func (c *pipeline) without(ctx context.Context, err error) {
	var problems schema.Problems
	if errors.As(err, &problems) && c.workflow != nil {
		// They are told on standard error too, and need not be told twice.
		_ = c.workflow.say(func(w io.Writer) error { return view.ProblemsGitHub(w, problems, nil) })
	}
	if ctx.Err() != nil {
		return
	}
	var b bytes.Buffer
	if view.NoPlanMarkdown(&b, c.o.plan.scope.env, inPublic(err), problems) == nil {
		if err := c.comment(ctx, b.Bytes()); err != nil {
			c.app.note("%s", err)
		}
	}
}

// inPublic says why there is no plan where everybody reads it: errors of the network
// name addresses that belong in the job's output.
func inPublic(err error) string {
	var conflict *source.ConflictError
	if errors.As(err, &conflict) {
		return err.Error() + ": rebase the branch"
	}
	return fmt.Sprintf("charter ci ended with exit status %d, and its output says why", codeOf(err))
}
