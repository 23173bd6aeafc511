package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/veonahealth/charter/cmd/charter/internal/view"
	"github.com/veonahealth/charter/plan"
)

type diffOptions struct {
	base, head string
	repo       string
	env        string
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
secret. "No changes" is the proof that a refactoring changes nothing, ever.`,
		Example: `  charter diff main my-branch
  charter diff HEAD~1 HEAD -o markdown`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.base, o.head = args[0], args[1]
			return a.diff(cmd.Context(), &o)
		},
	}
	bindRepo(cmd, &o.repo)
	bindEnv(cmd, &o.env)
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
	environment, err := (&scopeFlags{env: o.env}).environment(head.fleet)
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
