package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/cmd/charter/internal/view"
	"github.com/veonahealth/charter/reconcile"
)

type whyOptions struct {
	repo   repoFlags
	ehr    ehrFlags
	env    string
	at     string
	root   rootFlag
	output outputFlag
	target string // TENANT or TENANT/FACILITY
	module string
}

func (a *app) newWhy() *cobra.Command {
	var o whyOptions
	cmd := &cobra.Command{
		Use:   "why TENANT[/FACILITY] MODULE",
		Short: "Tell why a facility has a module, or does not",
		Long: `Why goes the way back from a row: the statement that decides, its file and line,
the commit that brought that line, the receipt that wrote the row with its plan
and those who approved it, and what the platform has. Of each step it says
whether it is verified. Where the facility does not have the module it gives the
command that would grant it. Without a facility it tells of all of the tenant's.

The platform is asked where --ehr is given. Where no ledger is founded it says
so, and tells what is declared and what is live. It ends with 7 where a receipt
was carried out without authority.`,
		Example: `  charter why kisumu/jootrh theatre --root $ROOT
  charter why kisumu scribe --ehr $EHR -o json`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.target, o.module = args[0], args[1]
			return a.why(cmd.Context(), &o)
		},
	}
	o.repo.bind(cmd)
	o.ehr.bind(cmd)
	bindEnv(cmd, &o.env)
	bindAt(cmd, &o.at)
	o.root.bind(cmd)
	o.output.bind(cmd, "text", "json")
	return cmd
}

func (a *app) why(ctx context.Context, o *whyOptions) error {
	at, err := parseAt(o.at, a.now())
	if err != nil {
		return err
	}
	office, err := a.openOffice(ctx, o.repo, o.env, o.root.root)
	if err != nil {
		return err
	}
	defer office.Close()
	l, err := o.repo.evaluate(ctx, a, office.repo, o.repo.rev)
	if err != nil {
		return err
	}
	request := reconcile.WhyRequest{
		Repo: office.repo, Desired: &l.fleet.Desired, Commit: l.commit.Hash, At: at, Now: a.now(), Ledger: office.Governance,
	}
	if err := o.find(a, l, &request); err != nil {
		return err
	}
	if o.ehr.url != "" {
		declared, err := (&scopeFlags{env: o.env}).environment(l.fleet)
		if err != nil {
			return err
		}
		if request.Platform, err = o.ehr.client(a, declared.EHR); err != nil {
			return err
		}
	}
	rows, err := reconcile.ExplainRow(ctx, request)
	if err != nil {
		return unread(err)
	}
	return a.showWhy(o, &view.Why{At: at, Commit: l.commit.Hash, Founded: office.Governance != nil, Rows: rows})
}

// find finds the tenant, facility and module that are asked of.
func (o *whyOptions) find(a *app, l *loaded, r *reconcile.WhyRequest) error {
	w := workTree{app: a, fleet: l.fleet}
	tenant, facility, ofFacility := strings.Cut(o.target, "/")
	d, t, err := w.tenant(tenant)
	if err != nil {
		return err
	}
	if d.Environment.String() != o.env {
		return fail(exitUsage, "tenant %s is of environment %s, not %s", d.ID, d.Environment, o.env)
	}
	r.Tenant = t
	if ofFacility {
		id, err := catalog.ParseFacilityID(facility)
		if err != nil {
			return fail(exitUsage, "%w", err)
		}
		if t.Facility(id) == nil {
			return failHint(exitUsage, nearestFacility(t, facility), "tenant %s declares no facility %q", t.ID, facility)
		}
		r.Facility = id
	}
	r.Module, err = w.module(o.module)
	return err
}

func (a *app) showWhy(o *whyOptions, why *view.Why) error {
	var err error
	if o.output.value == "json" {
		err = view.JSON(a.stdout, why)
	} else {
		err = view.WhyText(a.stdout, a.style(a.outTerminal), why)
	}
	for i := range why.Rows {
		if w := why.Rows[i].Written; err == nil && w != nil && !w.Authority.Verified {
			err = finish(exitTrust)
		}
	}
	return err
}
