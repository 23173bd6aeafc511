package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/cmd/charter/internal/view"
)

type blueprintsOptions struct {
	edition string // "" for all
	repo    repoFlags
	output  outputFlag
}

func (a *app) newBlueprints() *cobra.Command {
	var o blueprintsOptions
	cmd := &cobra.Command{
		Use:   "blueprints [EDITION]",
		Short: "Show the editions with the modules and limits they bundle",
		Long: `Blueprints joins the catalogue's editions with the modules and limits that they
bundle. Without an edition it sets all side by side; with one it shows that one
in full.`,
		Example: `  charter blueprints
  charter blueprints hospital`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.edition = args[0]
			}
			return a.blueprints(cmd.Context(), &o)
		},
	}
	o.repo.bind(cmd)
	o.output.bind(cmd, "text", "json", "markdown")
	return cmd
}

func (a *app) blueprints(ctx context.Context, o *blueprintsOptions) error {
	l, err := o.repo.load(ctx, a)
	if err != nil {
		return err
	}
	editions := l.fleet.Catalog.Editions()
	if o.edition != "" {
		editions = slices.DeleteFunc(editions, func(e *catalog.Edition) bool { return e.Key.String() != o.edition })
	}
	if len(editions) == 0 {
		return failHint(exitUsage, nearestEdition(l.fleet.Catalog, o.edition), "the catalogue has no edition %q", o.edition)
	}
	switch o.output.value {
	case "json":
		return view.BlueprintsJSON(a.stdout, l.fleet.Catalog, editions)
	case "markdown":
		return view.BlueprintsMarkdown(a.stdout, l.fleet.Catalog, editions)
	}
	if o.edition != "" {
		return view.Blueprint(a.stdout, l.fleet.Catalog, editions[0])
	}
	return view.Blueprints(a.stdout, l.fleet.Catalog, editions)
}

func nearestEdition(c *catalog.Catalog, name string) string {
	names := func(yield func(string) bool) {
		for _, e := range c.Editions() {
			if !yield(e.Key.String()) {
				return
			}
		}
	}
	if nearest := catalog.Nearest(name, names); nearest != "" {
		return fmt.Sprintf("did you mean %q?", nearest)
	}
	return "charter blueprints lists them"
}
