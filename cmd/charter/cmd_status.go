package main

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/cmd/charter/internal/view"
	"github.com/veonahealth/charter/reconcile"
	"github.com/veonahealth/charter/reconcile/ledger"
	"github.com/veonahealth/charter/schema"
)

type statusOptions struct {
	repo   repoFlags
	ehr    ehrFlags
	scope  scopeFlags
	root   rootFlag
	output outputFlag
}

func (a *app) newStatus() *cobra.Command {
	var o statusOptions
	cmd := &cobra.Command{
		Use:   "status [TENANT]",
		Short: "Set declared, accepted and enforced side by side",
		Long: `Status shows for each declared tenant what is declared, what the platform has
accepted and what the tenant's deployment enforces; what is held or cannot be
carried out; which licences and offline graces run out within 30 days; which
tenants of the platform nobody declares; and, where a ledger is founded, whether it
and the platform bear each other out. It writes nothing.`,
		Example: `  charter status
  charter status kisumu -o json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.scope.tenants = append(o.scope.tenants, args...)
			return a.status(cmd.Context(), &o)
		},
	}
	o.repo.bind(cmd)
	o.ehr.bind(cmd)
	o.scope.bind(cmd)
	o.root.bind(cmd)
	o.output.bind(cmd, "text", "json")
	return cmd
}

func (a *app) status(ctx context.Context, o *statusOptions) error {
	at, err := parseAt(o.scope.at, a.now())
	if err != nil {
		return err
	}
	l, err := o.repo.load(ctx, a)
	if err != nil {
		return err
	}
	environment, err := o.scope.environment(l.fleet)
	if err != nil {
		return err
	}
	tenants, err := o.scope.choose(l.fleet, environment.Environment)
	if err != nil {
		return err
	}
	client, err := o.ehr.client(a, environment.EHR)
	if err != nil {
		return err
	}
	standing, err := a.ledgerStatus(ctx, o, client, environment.Environment.String())
	if err != nil {
		return err
	}
	list, found, err := reconcile.Status(ctx, client, reconcile.PlanRequest{
		Desired: &l.fleet.Desired, Tenants: tenants, Chosen: o.scope.chosen(), Environment: environment, At: at, Now: a.now(),
	})
	if err != nil {
		return unread(err)
	}
	result := view.Status{
		Tenants: append([]reconcile.TenantStatus{}, list...), Unmanaged: append([]catalog.TenantID{}, found.Unmanaged...),
		Warnings: append(schema.Problems{}, l.fleet.Warnings(at)...), Ledger: standing,
	}
	slices.SortFunc(result.Unmanaged, catalog.TenantID.Compare)
	if o.output.value == "json" {
		err = view.JSON(a.stdout, result)
	} else {
		if !a.quiet {
			view.Warnings(a.stderr, a.style(a.errTerminal), result.Warnings)
		}
		err = view.StatusText(a.stdout, a.style(a.outTerminal), &result)
	}
	if err == nil {
		err = finish(statusCode(&result))
	}
	return err
}

func statusCode(s *view.Status) exitCode {
	code := exitDone
	if slices.ContainsFunc(s.Tenants, func(s reconcile.TenantStatus) bool { return s.Unreadable != "" }) || s.Ledger != nil && s.Ledger.Restored != "" {
		code = exitUnread
	}
	if s.Ledger != nil && s.Ledger.Trust != "" {
		code = worst(code, exitTrust)
	}
	return code
}

// ledgerStatus sets the ledger beside the platform; nil where none is founded.
func (a *app) ledgerStatus(ctx context.Context, o *statusOptions, client reconcile.EHR, env string) (*view.LedgerStatus, error) {
	office, err := a.openOffice(ctx, o.repo, env, o.root.root)
	if err != nil {
		return nil, err
	}
	defer office.Close()
	if !office.governed() {
		return nil, nil
	}
	status := &view.LedgerStatus{Receipts: office.Ledger.Len(), Root: office.Ledger.Root().String()}
	if r, err := office.Ledger.Unfinished(); err != nil {
		return nil, err
	} else if r != nil {
		status.Open = (&ledger.OpenError{Receipt: r}).Error()
	}
	broken, err := office.Broken(ctx)
	if err != nil {
		return nil, err
	}
	status.Glass = append([]string{}, broken...)
	testimony, err := office.Witness(ctx, client)
	var untrusted *reconcile.TrustError
	switch {
	case errors.As(err, &untrusted):
		status.Trust = untrusted.Error()
	case err != nil:
		return nil, unread(err)
	}
	status.Restored = testimony.Restored
	return status, nil
}
