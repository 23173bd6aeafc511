package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/schema/write"
)

type newTenantOptions struct {
	repo           string
	edition        string
	hosting        string
	licenceExpires string
	tenant         write.NewTenant
}

func (a *app) newNew() *cobra.Command {
	cmd := &cobra.Command{Use: "new", Short: "Write a new declaration"}
	cmd.AddCommand(a.newNewTenant())
	return cmd
}

func (a *app) newNewTenant() *cobra.Command {
	var o newTenantOptions
	cmd := &cobra.Command{
		Use:   "tenant ID",
		Short: "Write a tenant's file from an edition's blueprint",
		Long: `New tenant writes tenants/ID/tenant.cue: a tenant of an edition, with its
facilities and administrators, to be looked through and committed. Nothing is
overwritten.`,
		Example: `  charter new tenant mercy --edition hospital --facility main --facility annex --admin ann@mercy.example.org
  charter new tenant rural --edition health-centre --hosting on-prem --licence-expires 2027-12-31`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.tenant.ID = args[0]
			return a.createTenant(cmd.Context(), &o)
		},
	}
	bindRepo(cmd, &o.repo)
	flags := cmd.Flags()
	flags.StringVar(&o.edition, "edition", "", "the edition's `KEY`; charter blueprints lists them")
	flags.StringVar(&o.tenant.Name, "name", "", "the tenant's `NAME` for people; made of its id where it is not given")
	flags.StringVar(&o.tenant.Organisation, "organisation", "", "the `ID` of its organisation; may be left out where there is one")
	flags.StringArrayVar(&o.tenant.Facilities, "facility", []string{"main"}, "the `ID` of a site; may be given again")
	flags.StringArrayVar(&o.tenant.Admins, "admin", nil, "the `EMAIL` of an administrator to invite; may be given again")
	flags.StringVar(&o.hosting, "hosting", "cloud", "cloud or on-prem")
	flags.StringVar(&o.licenceExpires, "licence-expires", "", "the `DATE` on which an on-prem licence ends")
	return cmd
}

func (a *app) createTenant(ctx context.Context, o *newTenantOptions) error {
	id, err := catalog.ParseTenantID(o.tenant.ID)
	if err != nil {
		return fail(exitUsage, "%w", err)
	}
	w, err := a.openWorkTree(ctx, o.repo)
	if err != nil {
		return err
	}
	if d := w.fleet.Tenant(id); d != nil {
		return fail(exitFailed, "tenant %s is declared already, in %s", id, d.Dir)
	}
	if err := o.complete(w); err != nil {
		return err
	}
	name := "tenants/" + o.tenant.ID + "/tenant.cue"
	if _, err := os.Lstat(w.path(name)); err == nil {
		return fail(exitFailed, "%s is there already, and nothing is overwritten", name)
	}
	text, err := write.Tenant(o.tenant)
	if err != nil {
		return err
	}
	return w.change(ctx, name, nil, text)
}

// complete fills in what was left out, and refuses what cannot be.
func (o *newTenantOptions) complete(w *workTree) error {
	if o.edition == "" {
		return failHint(exitUsage, "charter blueprints lists them", "no edition: give --edition KEY")
	}
	key, err := catalog.ParseEditionKey(o.edition)
	if err != nil {
		return fail(exitUsage, "%w", err)
	}
	if o.tenant.Edition = w.fleet.Catalog.Edition(key); o.tenant.Edition == nil {
		return failHint(exitUsage, nearestEdition(w.fleet.Catalog, o.edition), "the catalogue has no edition %q", o.edition)
	}
	if err := o.chooseOrganisation(w.fleet.Organisations); err != nil {
		return err
	}
	if err := o.host(); err != nil {
		return err
	}
	if o.tenant.Name == "" {
		o.tenant.Name = fmt.Sprintf("%s%s", strings.ToUpper(o.tenant.ID[:1]), strings.ReplaceAll(o.tenant.ID[1:], "-", " "))
	}
	return nil
}

// chooseOrganisation takes the organisation that is given, or the only one.
func (o *newTenantOptions) chooseOrganisation(declared []catalog.Organisation) error {
	names := make([]string, len(declared))
	for i := range declared {
		names[i] = declared[i].ID.String()
	}
	given := o.tenant.Organisation
	switch {
	case given == "" && len(names) != 1:
		return fail(exitUsage, "no organisation: give --organisation ID, as the fleet declares %d", len(names))
	case given == "":
		o.tenant.Organisation = names[0]
	case !slices.Contains(names, given):
		hint := fmt.Sprintf("declare it in organisations/%s.cue first", given)
		if nearest := catalog.Nearest(given, slices.Values(names)); nearest != "" {
			hint = fmt.Sprintf("did you mean %q?", nearest)
		} else if _, err := catalog.ParseOrganisationID(given); err != nil {
			hint = err.Error()
		}
		return failHint(exitUsage, hint, "the fleet declares no organisation %q", given)
	}
	return nil
}

// host judges where the tenant is to run, and what goes with that.
func (o *newTenantOptions) host() error {
	switch o.hosting {
	case "cloud":
		if o.licenceExpires != "" {
			return fail(exitUsage, "--licence-expires goes with --hosting on-prem")
		}
	case "on-prem":
		if o.licenceExpires == "" {
			return fail(exitUsage, "an on-prem tenant needs a licence: give --licence-expires DATE")
		}
		if _, err := instant("--licence-expires", o.licenceExpires); err != nil {
			return err
		}
		o.tenant.OnPrem, o.tenant.LicenceExpires = true, o.licenceExpires
	default:
		return fail(exitUsage, "--hosting %s: want cloud or on-prem", o.hosting)
	}
	return nil
}
