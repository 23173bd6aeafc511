package main

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/cmd/charter/internal/view"
)

func (a *app) newTest() *cobra.Command {
	var o treeOptions
	cmd := &cobra.Command{
		Use:   "test [DIR]",
		Short: "Run the fleet's own assertions on effective entitlements, offline",
		Long: `Test judges the assertions in tests/*.cue: for the tenants they choose, at a date,
these modules are in force and these are not. One that chooses no tenant fails,
as it would hold whatever is declared. Given a DIR it reads the files as they are
there; else the commit that --rev names.`,
		Example: `  charter test .
  charter test -o junit > report.xml`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.takeDir(a, cmd, args)
			return a.test(cmd.Context(), &o)
		},
	}
	o.bind(cmd, "text", "json", "github", "junit")
	return cmd
}

func (a *app) test(ctx context.Context, o *treeOptions) error {
	now, err := parseAt(o.at, a.now())
	if err != nil {
		return err
	}
	fleet, err := o.load(ctx, a)
	if err != nil {
		return err
	}
	results, err := fleet.RunTests(now)
	if err != nil {
		return err
	}
	switch o.output.value {
	case "json":
		err = view.TestsJSON(a.stdout, results)
	case "github":
		err = view.TestsGitHub(a.stdout, results)
	case "junit":
		err = view.TestsJUnit(a.stdout, results)
	default:
		err = view.Tests(a.stdout, a.style(a.outTerminal), results)
	}
	if err == nil && slices.ContainsFunc(results, func(r catalog.TestResult) bool { return !r.Passed() }) {
		err = finish(exitWrong)
	}
	return err
}
