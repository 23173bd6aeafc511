package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/veonahealth/charter/cmd/charter/internal/view"
	"github.com/veonahealth/charter/schema"
)

// treeOptions name a tree of declarations: files as they are in a folder, or a
// commit.
type treeOptions struct {
	dir    string // the work tree, or "" for the commit
	repo   repoFlags
	at     string
	output outputFlag
}

func (o *treeOptions) bind(cmd *cobra.Command, formats ...string) {
	o.repo.bind(cmd)
	bindAt(cmd, &o.at)
	o.output.bind(cmd, formats...)
}

// takeDir takes the folder that was given, and says so where a revision was given
// too, which would otherwise be passed over in silence.
func (o *treeOptions) takeDir(a *app, cmd *cobra.Command, args []string) {
	if len(args) == 0 {
		return
	}
	o.dir = args[0]
	if cmd.Flags().Changed("rev") {
		a.note("--rev %s is not looked at: the files are read as they are in %s; give -C %s for a commit", o.repo.rev, o.dir, o.dir)
	}
}

// load evaluates the work tree or the commit that the options name.
func (o *treeOptions) load(ctx context.Context, a *app) (*schema.Fleet, error) {
	if o.dir == "" {
		l, err := o.repo.load(ctx, a)
		if err != nil {
			return nil, err
		}
		return l.fleet, nil
	}
	root, err := os.OpenRoot(o.dir)
	if err != nil {
		return nil, fail(exitFailed, "%w", err)
	}
	defer root.Close()
	return a.evaluate(ctx, root.FS(), o.dir)
}

func (a *app) newValidate() *cobra.Command {
	var o treeOptions
	var watched bool
	cmd := &cobra.Command{
		Use:   "validate [DIR]",
		Short: "Evaluate and check everything that is declared, offline",
		Long: `Validate evaluates every declaration and reports all mistakes in one run, each
with its place. Given a DIR it checks the files as they are there, committed or
not; else the commit that --rev names. Warnings are judged as of --at, mistakes
depend on no clock.

With --watch it goes on to check a DIR at every save, and tells what has changed:
the mistakes that have come, and those that are fixed. A file that CUE cannot read
(CH0101) hides its other mistakes until it can. An interrupt ends it.`,
		Example: `  charter validate .
  charter validate --watch .
  charter validate --rev main -o json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.takeDir(a, cmd, args)
			if watched {
				return a.validateWatch(cmd.Context(), &o)
			}
			return a.validate(cmd.Context(), &o)
		},
	}
	o.bind(cmd, "text", "json", "github", "junit")
	cmd.Flags().BoolVar(&watched, "watch", false, "check a DIR again at every save, and tell what has changed")
	return cmd
}

func (a *app) validate(ctx context.Context, o *treeOptions) error {
	at, err := parseAt(o.at, a.now())
	if err != nil {
		return err
	}
	fleet, err := o.load(ctx, a)
	var problems schema.Problems
	if err != nil && !errors.As(err, &problems) {
		return err
	}
	var warnings schema.Problems
	if fleet != nil {
		warnings = fleet.Warnings(at)
	}
	switch o.output.value {
	case "json":
		err = view.ValidationJSON(a.stdout, problems, warnings)
	case "github":
		err = view.ProblemsGitHub(a.stdout, problems, warnings)
	case "junit":
		err = view.ProblemsJUnit(a.stdout, problems, warnings)
	default:
		err = a.showValidation(fleet, problems, warnings)
	}
	if err == nil && len(problems) > 0 {
		err = finish(exitWrong)
	}
	return err
}

func (a *app) showValidation(fleet *schema.Fleet, problems, warnings schema.Problems) error {
	view.Problems(a.stdout, a.style(a.outTerminal), problems)
	if !a.quiet {
		view.Warnings(a.stderr, a.style(a.errTerminal), warnings)
	}
	return a.showCount(fleet, problems)
}

// showCount tells how many mistakes there are, or of how much there are none.
func (a *app) showCount(fleet *schema.Fleet, problems schema.Problems) error {
	if fleet == nil {
		a.note("%s", view.Counted(len(problems), "mistake", "mistakes"))
		return nil
	}
	_, err := fmt.Fprintf(a.stdout, "%s of %s: no mistakes\n",
		view.Counted(len(fleet.Tenants), "tenant", "tenants"), view.Counted(len(fleet.Organisations), "organisation", "organisations"))
	return err
}
