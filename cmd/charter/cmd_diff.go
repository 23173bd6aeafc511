package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/cmd/charter/internal/view"
	"github.com/veonahealth/charter/plan"
)

type diffOptions struct {
	base, head string
	repo       string
	envs       []string
	at         string
	output     outputFlag
	detailed   bool
}

func (a *app) newDiff() *cobra.Command {
	var o diffOptions
	cmd := &cobra.Command{
		Use:   "diff BASE HEAD",
		Short: "Show what a change of the declarations does to every effective entitlement",
		Long: `Diff evaluates two commits and sets what every facility holds side by side, now
and at every later date that either declares. It asks no platform and needs no
secret. "No changes" is the proof that a refactoring changes nothing, ever.

With two --env and no commits it sets two environments of one commit side by
side. An id is declared once, so tenants are compared that have the same id but
for their environment's name: kisumu-staging and kisumu.`,
		Example: `  charter diff main my-branch
  charter diff HEAD~1 HEAD -o markdown
  charter diff --env staging --env prod`,
		Args: cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 && len(o.envs) == 2:
				return a.diffEnvironments(cmd.Context(), &o)
			case len(args) != 2 || len(o.envs) > 1:
				return failHint(exitUsage, "charter diff --help tells how", "charter diff compares two commits, or two environments of one")
			}
			o.base, o.head = args[0], args[1]
			return a.diff(cmd.Context(), &o)
		},
	}
	bindRepo(cmd, &o.repo)
	cmd.Flags().StringArrayVar(&o.envs, "env", nil, "the `NAME` of the environment; given twice, the two to compare")
	bindAt(cmd, &o.at)
	o.output.bind(cmd, "text", "json", "markdown", "html")
	cmd.Flags().BoolVar(&o.detailed, "detailed-exitcode", false, "end with 2 where there are differences")
	return cmd
}

func (a *app) diff(ctx context.Context, o *diffOptions) error {
	at, err := parseAt(o.at, a.now())
	if err != nil {
		return err
	}
	base, err := (&repoFlags{repo: o.repo, rev: o.base}).load(ctx, a)
	if err != nil {
		return err
	}
	head, err := (&repoFlags{repo: o.repo, rev: o.head}).load(ctx, a)
	if err != nil {
		return err
	}
	name := catalog.DefaultEnvironment.String()
	if len(o.envs) == 1 {
		name = o.envs[0]
	}
	environment, err := (&scopeFlags{env: name}).environment(head.fleet)
	if err != nil {
		return err
	}
	c, err := plan.Compare(plan.Sides{
		Base: &base.fleet.Desired, Head: &head.fleet.Desired, BaseCommit: base.commit.Hash, HeadCommit: head.commit.Hash,
		Environment: environment.Environment, At: at,
	})
	if err != nil {
		return err
	}
	return a.showDiff(o, c)
}

// diffEnvironments compares two environments of the commit that is checked out.
func (a *app) diffEnvironments(ctx context.Context, o *diffOptions) error {
	at, err := parseAt(o.at, a.now())
	if err != nil {
		return err
	}
	l, err := (&repoFlags{repo: o.repo, rev: "HEAD"}).load(ctx, a)
	if err != nil {
		return err
	}
	var pair [2]catalog.Environment
	for i, name := range o.envs {
		environment, err := (&scopeFlags{env: name}).environment(l.fleet)
		if err != nil {
			return err
		}
		pair[i] = environment.Environment
	}
	c, err := plan.CompareEnvironments(&l.fleet.Desired, l.commit.Hash, pair[0], pair[1], at)
	if err != nil {
		return err
	}
	return a.showDiff(o, c)
}

func (a *app) showDiff(o *diffOptions, c *plan.Comparison) (err error) {
	switch o.output.value {
	case "json":
		err = view.JSON(a.stdout, c)
	case "markdown":
		err = view.DiffMarkdown(a.stdout, c)
	case "html":
		err = view.DiffHTML(a.stdout, c)
	default:
		err = view.Diff(a.stdout, a.style(a.outTerminal), c)
	}
	if err == nil && o.detailed && !c.Empty() {
		err = finish(exitChanges)
	}
	return err
}
