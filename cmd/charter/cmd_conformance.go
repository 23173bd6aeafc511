package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/veonahealth/charter/cmd/charter/internal/view"
	"github.com/veonahealth/charter/reconcile/ehr/conform"
)

type conformanceOptions struct {
	ehr    ehrFlags
	roles  map[string]string // files of tokens, by role
	output outputFlag
}

func (a *app) newConformance() *cobra.Command {
	var o conformanceOptions
	cmd := &cobra.Command{
		Use:   "conformance URL",
		Short: "Check a server against the EHR contract",
		Long: `Conformance asks a server as the EHR contract says, and shows for each sentence of
it whether it holds. It ends with 0 if all do that could be checked, else with 1.

It writes: organisations, tenants, editions and licences of its own, which cannot
be taken away again. Run it against a platform that is there to be tested.

--token-file or CHARTER_TOKEN is the token of a super_admin. What depends on who
asks is checked for the roles whose tokens --role-token gives (onboarding,
support, billing, and nobody for a token that holds nothing), and skipped else.`,
		Example: "  charter conformance https://test.example.org --token-file root.token --role-token support=support.token",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.ehr.url = args[0]
			return a.conformance(cmd.Context(), &o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.ehr.tokenFile, "token-file", "", "a `FILE` that holds the token of a super_admin (or the variable CHARTER_TOKEN)")
	flags.StringToStringVar(&o.roles, "role-token", nil, "a FILE that holds the token of a role, as `ROLE=FILE`; may be given again")
	flags.DurationVar(&o.ehr.timeout, "timeout", 30*time.Second, "how long one request may take")
	o.output.bind(cmd, "text", "json")
	o.ehr.parallelism = 1
	return cmd
}

func (a *app) conformance(ctx context.Context, o *conformanceOptions) error {
	target, err := o.target(a)
	if err != nil {
		return err
	}
	shown := view.Conformance{Checks: []view.Check{}}
	var told error
	passed, err := conform.Run(ctx, target, func(r conform.Result) {
		check := shown.Add(r)
		if o.output.value == "text" && told == nil {
			told = view.CheckText(a.stdout, a.style(a.outTerminal), check)
		}
	})
	if err != nil {
		return fail(exitFailed, "%w", err)
	}
	if o.output.value == "json" {
		told = view.JSON(a.stdout, shown)
	} else if told == nil {
		_, told = fmt.Fprintf(a.stdout, "%d hold, %d do not, %d were not checked\n", shown.Held, shown.Broken, shown.Skipped)
	}
	if told == nil && !passed {
		told = finish(exitFailed)
	}
	return told
}

// target is the server with the tokens to ask it with.
func (o *conformanceOptions) target(a *app) (conform.Target, error) {
	token, err := o.ehr.token(a)
	if err != nil {
		return conform.Target{}, err
	}
	if token == "" {
		return conform.Target{}, fail(exitUsage, "no token: give a super_admin's with --token-file or CHARTER_TOKEN")
	}
	client, err := o.ehr.clientOf(a, "", token)
	if err != nil {
		return conform.Target{}, err
	}
	tokens := map[string]string{conform.SuperAdmin: token}
	known := []string{conform.Onboarding, conform.Support, conform.Billing, conform.Nobody}
	for role, file := range o.roles {
		if !slices.Contains(known, role) {
			return conform.Target{}, fail(exitUsage, "--role-token %s: want one of %s", role, strings.Join(known, ", "))
		}
		if tokens[role], err = (&ehrFlags{tokenFile: file}).token(a); err != nil {
			return conform.Target{}, err
		}
	}
	return conform.Target{URL: client.URL(), Tokens: tokens, Client: &http.Client{Timeout: o.ehr.timeout}}, nil
}
