package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/veonahealth/charter/cmd/charter/internal/view"
	"github.com/veonahealth/charter/reconcile"
)

type verifyOptions struct {
	file      string
	keys      trustFlags
	approval  approvalFlags
	statement bool
	output    outputFlag
	given     func(flag string) bool
	repo      repoFlags
	root      rootFlag
}

func (a *app) newVerify() *cobra.Command {
	var o verifyOptions
	cmd := &cobra.Command{
		Use:   "verify FILE|DIGEST",
		Short: "Say who signed a plan, whether that is enough, and whether it still holds",
		Long: `Verify reads the signatures beside the plan and judges them as apply would,
without asking the platform.

With --statement it prints instead what would be signed, for other tools; --comment,
--not-after and --tenant belong to that alone:

  charter verify plan.json --statement > statement.json
  cosign attest-blob --statement statement.json … plan.json`,
		Example: "  charter verify plan.json --trusted-key reviewer.pub",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.file = args[0]
			if o.statement {
				return a.printStatement(&o)
			}
			return a.verify(cmd.Context(), &o)
		},
	}
	o.given = func(flag string) bool { return cmd.Flags().Changed(flag) }
	bindRepo(cmd, &o.repo.repo)
	o.repo.rev = "HEAD"
	o.root.bind(cmd)
	o.keys.bind(cmd)
	o.approval.bind(cmd)
	o.output.bind(cmd, "text", "json")
	cmd.Flags().BoolVar(&o.statement, "statement", false, "print what another tool may sign")
	return cmd
}

func (a *app) printStatement(o *verifyOptions) error {
	file, err := readPlan(o.file)
	if err != nil {
		return err
	}
	statement, err := o.approval.statement(file, a.now())
	if err != nil {
		return err
	}
	_, err = a.stdout.Write(statement)
	return err
}

func (a *app) verify(ctx context.Context, o *verifyOptions) error {
	for _, flag := range []string{"comment", "not-after", "tenant"} {
		if o.given(flag) {
			return fail(exitUsage, "--%s: it goes with --statement", flag)
		}
	}
	office, file, err := a.openFor(ctx, o.repo, o.root.root, o.file, &o.keys)
	if err != nil {
		return err
	}
	if office != nil {
		defer office.Close()
	}
	if office.governed() {
		if len(o.keys.files) > 0 {
			return notWithLedger()
		}
		return a.verifyByPolicy(ctx, o, office, file)
	}
	if len(o.keys.files) == 0 {
		return noTrust(o.file)
	}
	keys, err := o.keys.load()
	if err != nil {
		return err
	}
	now := a.now()
	found, err := file.signatures(keys, now)
	if err != nil {
		return err
	}
	refusal := file.decide(found, nil).err
	stale := reconcile.CheckTime(file.plan, now)
	all := gravestOf(refusal, stale)
	if o.output.value == "json" {
		err = view.JSON(a.stdout, verification{
			Plan: file.digest.String(), Signatures: found, Enough: refusal == nil, Holds: stale == nil,
			Codes: codesOf(all), Reasons: reasons(refusal, stale),
		})
	} else {
		err = a.showVerification(file, found, refusal, stale)
	}
	if err != nil {
		return err
	}
	return finish(codeOf(all))
}

// noTrust says that nobody's signature counts.
func noTrust(file string) error {
	return failHint(exitTrust, "give --trusted-key FILE for each person whose signature counts", "%s: no key is trusted", file)
}

func reasons(errs ...error) []string {
	list := []string{}
	for _, err := range errs {
		if err != nil {
			list = append(list, err.Error())
		}
	}
	return list
}

// verification is what verify found, for programs.
type verification struct {
	Plan       string      `json:"plan"`
	Signatures []signature `json:"signatures"`
	Enough     bool        `json:"enough"`  // whether the signatures let it be applied
	Holds      bool        `json:"holds"`   // whether its time is not over
	Codes      []exitCode  `json:"codes"`   // every exit status that applies, the gravest first
	Reasons    []string    `json:"reasons"` // why it cannot be applied
}

func (a *app) showVerification(file *planFile, found []signature, refusal, stale error) error {
	fmt.Fprintf(a.stdout, "plan %s\n", file.digest)
	for i := range found {
		fmt.Fprintln(a.stdout, view.Clean(found[i].sentence()))
	}
	if refusal != nil {
		a.explain(refusal)
	} else {
		fmt.Fprintln(a.stdout, "the signatures are enough to apply it")
	}
	if stale != nil {
		a.explain(stale)
		return nil
	}
	_, err := fmt.Fprintf(a.stdout, "it holds until %s\n", file.plan.ExpiresAt.Format(time.RFC3339))
	return err
}
