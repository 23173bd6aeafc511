package main

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/cmd/charter/internal/view"
	"github.com/veonahealth/charter/reconcile"
)

type logOptions struct {
	repo                 repoFlags
	env                  string
	root                 rootFlag
	tenant               string
	person, module       string
	since, until, heldAt string
	output               outputFlag
}

func (a *app) newLog() *cobra.Command {
	var o logOptions
	cmd := &cobra.Command{
		Use:   "log [TENANT]",
		Short: "List what was done, by whose approval, or who held what on a date",
		Long: `Log lists the receipts of the ledger, newest first: what each did, who approved
it, who carried it out, and what became of it. They can be chosen by tenant, by
person (who approved or carried out), by module, and by the date they were begun.

With --at it tells who held what on a date instead: for each facility what was
last applied by then, judged by that date. A module whose date had come since,
and which no receipt had carried out by then, is named.`,
		Example: `  charter log --root $ROOT
  charter log kisumu --module theatre --since 2026-01-01
  charter log --person ann -o json
  charter log kisumu --at 2026-06-30`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.tenant = args[0]
			}
			return a.showLog(cmd.Context(), &o)
		},
	}
	bindRepo(cmd, &o.repo.repo)
	o.repo.rev = "HEAD"
	bindEnv(cmd, &o.env)
	o.root.bind(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.person, "person", "", "only what the person or machine of this `ID` approved or carried out")
	flags.StringVar(&o.module, "module", "", "only what changed the module of this `KEY`")
	flags.StringVar(&o.since, "since", "", "only what was begun at this `TIME` or after: 2027-03-01 or RFC 3339")
	flags.StringVar(&o.until, "until", "", "only what was begun before this `TIME`")
	flags.StringVar(&o.heldAt, "at", "", "who held what at this `TIME`, instead of what was done")
	o.output.bind(cmd, "text", "json")
	return cmd
}

func (a *app) showLog(ctx context.Context, o *logOptions) error {
	filter, err := o.filter()
	if err != nil {
		return err
	}
	if o.heldAt != "" && o.person+o.module+o.since+o.until != "" {
		return fail(exitUsage, "--at asks who held what, of which --person, --module, --since and --until choose nothing")
	}
	at, err := instant("--at", o.heldAt)
	if err != nil {
		return err
	}
	office, err := a.needOffice(ctx, o.repo, o.env, o.root.root)
	if err != nil {
		return err
	}
	defer office.Close()
	if err := a.remarkUnknown(ctx, o, office); err != nil {
		return err
	}
	style, json := a.style(a.outTerminal), o.output.value == "json"
	switch {
	case o.heldAt != "" && json:
		return view.JSONList(a.stdout, office.HeldAt(ctx, at, o.id()))
	case o.heldAt != "":
		return view.HeldText(a.stdout, style, office.HeldAt(ctx, at, o.id()))
	case json:
		return view.JSONList(a.stdout, office.Deeds(ctx, filter))
	}
	return view.LogText(a.stdout, style, office.Deeds(ctx, filter))
}

// remarkUnknown says of a tenant, module or person that was asked for that there is
// none: an empty answer may be a slip of the pen.
func (a *app) remarkUnknown(ctx context.Context, o *logOptions, office *office) error {
	remark := func(what, name string, known []string) {
		if name == "" || slices.Contains(known, name) {
			return
		}
		if nearest := catalog.Nearest(name, slices.Values(known)); nearest != "" {
			a.note("%s %q: did you mean %q?", what, name, nearest)
		} else {
			a.note("%s %q", what, name)
		}
	}
	remark("no receipt is of a tenant", o.tenant, office.Ledger.Named())
	if o.module != "" {
		desired, err := office.evaluate(ctx, office.Ledger.Catalog().Commit)
		if err != nil {
			return err
		}
		var modules []string
		for _, m := range desired.Catalog.Modules() {
			modules = append(modules, m.Key.String())
		}
		remark("the catalogue in force has no module", o.module, modules)
	}
	if o.person == "" {
		return nil
	}
	roster, err := office.Roster(ctx)
	if err != nil {
		return err
	}
	var people []string
	for i := range roster.Policy().People {
		people = append(people, roster.Policy().People[i].ID)
	}
	for i := range roster.Policy().Appliers {
		people = append(people, roster.Policy().Appliers[i].ID)
	}
	remark("the policy in force knows nobody", o.person, people)
	return nil
}

// id is the tenant, zero for all.
func (o *logOptions) id() catalog.TenantID {
	id, err := catalog.ParseTenantID(o.tenant)
	if err != nil { // none is given: filter refuses another
		return catalog.TenantID{}
	}
	return id
}

func (o *logOptions) filter() (reconcile.DeedFilter, error) {
	f := reconcile.DeedFilter{Tenant: o.tenant, Person: o.person}
	var err error
	if o.tenant != "" {
		if _, err := catalog.ParseTenantID(o.tenant); err != nil {
			return f, fail(exitUsage, "%w", err)
		}
	}
	if o.module != "" {
		if f.Module, err = catalog.ParseModuleKey(o.module); err != nil {
			return f, fail(exitUsage, "--module: %w", err)
		}
	}
	if f.Span.From, err = instant("--since", o.since); err != nil {
		return f, err
	}
	f.Span.Until, err = instant("--until", o.until)
	return f, err
}

// instant reads a time that may be left out; zero where it is.
func instant(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339Nano} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fail(exitUsage, "%s %q: want a day (2027-03-01) or an RFC 3339 time", flag, text)
}
