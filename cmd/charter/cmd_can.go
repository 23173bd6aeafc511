package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/cmd/charter/internal/view"
	"github.com/veonahealth/charter/plan/policy"
)

type canOptions struct {
	repo   repoFlags
	env    string
	root   rootFlag
	output outputFlag
}

func (a *app) newCan() *cobra.Command {
	var o canOptions
	cmd := &cobra.Command{
		Use:   "can PERSON CAPABILITY [TENANT]",
		Short: "Tell what the policy says of a person",
		Long: `Can says whether a person may approve what needs a capability, and which rules ask
for more. Where a ledger is founded it is the policy that was applied last which
speaks, else that of the commit. The exit status is 4 where the person may not.`,
		Example: "  charter can ann entitlements.write\n  charter can ann license.issue kisumu",
		Args:    cobra.RangeArgs(2, 3),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.can(cmd.Context(), &o, args) },
	}
	o.repo.bind(cmd)
	bindEnv(cmd, &o.env)
	o.root.bind(cmd)
	o.output.bind(cmd, "text", "json")
	return cmd
}

func (a *app) can(ctx context.Context, o *canOptions, args []string) error {
	office, err := a.openOffice(ctx, o.repo, o.env, o.root.root)
	if err != nil {
		return err
	}
	defer office.Close()
	l, err := o.repo.evaluate(ctx, a, office.repo, o.repo.rev)
	if err != nil {
		return err
	}
	if err := knownCapability(l.fleet.Catalog, args[1]); err != nil {
		return err
	}
	rules := &l.fleet.PolicyData
	if office.Governance != nil {
		roster, err := office.Roster(ctx)
		if err != nil {
			return err
		}
		rules = roster.Policy()
	}
	var tenant *catalog.Tenant
	if len(args) == 3 {
		w := workTree{app: a, fleet: l.fleet}
		if _, tenant, err = w.tenant(args[2]); err != nil {
			return err
		}
	}
	answer := policy.Can(rules, args[0], args[1], tenant, a.now())
	if o.output.value == "json" {
		err = view.JSON(a.stdout, answer)
	} else {
		_, err = fmt.Fprintln(a.stdout, view.Clean(answer.Text))
	}
	if err == nil && !answer.Can {
		err = finish(exitBlocked)
	}
	return err
}

// knownCapability refuses a capability that there is not. The super_admin's are
// all that there are.
func knownCapability(c *catalog.Catalog, name string) error {
	all, _ := c.Capabilities("super_admin")
	if slices.Contains(all, name) {
		return nil
	}
	hint := "the capabilities: " + strings.Join(all, ", ")
	if nearest := catalog.Nearest(name, slices.Values(all)); nearest != "" {
		hint = fmt.Sprintf("did you mean %q?", nearest)
	}
	return failHint(exitUsage, hint, "there is no capability %q", name)
}
