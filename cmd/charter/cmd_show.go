package main

import (
	"errors"
	"github.com/spf13/cobra"

	"github.com/veonahealth/charter/cmd/charter/internal/view"
	"github.com/veonahealth/charter/plan"
)

type showOptions struct {
	file   string
	output outputFlag
	keys   trustFlags
}

func (a *app) newShow() *cobra.Command {
	var o showOptions
	cmd := &cobra.Command{
		Use:   "show FILE",
		Short: "Show a saved plan again, in any format",
		Long: `Show prints a saved plan as plan did, without asking the platform. With
--trusted-key it says which of the signatures beside the file are by those keys.`,
		Example: `  charter show plan.json
  charter show plan.json -o markdown`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			o.file = args[0]
			return a.show(&o)
		},
	}
	o.output.bind(cmd, "text", "json", "markdown", "html")
	o.keys.bind(cmd)
	return cmd
}

func (a *app) show(o *showOptions) error {
	f, err := readPlan(o.file)
	if err != nil {
		return err
	}
	if o.output.value == "text" {
		if err := view.PlanHead(a.stdout, f.plan, f.digest); err != nil {
			return err
		}
	}
	if err := a.showPlan(f.plan, f.data, o.output.value); err != nil || len(o.keys.files) == 0 {
		return err
	}
	trusted, err := o.keys.load()
	if err != nil {
		return err
	}
	found, err := f.signatures(trusted, a.now())
	if err != nil {
		return err
	}
	for _, s := range found {
		a.note("%s", s.sentence())
	}
	return nil
}

// planFile is a plan with its bytes.
type planFile struct {
	path    string
	data    []byte
	plan    *plan.Plan
	digest  plan.Digest
	bundles [][]byte // of a plan that was never saved; else they stand beside it
}

// readPlan reads a plan file.
func readPlan(path string) (*planFile, error) {
	data, err := readFile(path, plan.MaxSize)
	if err != nil {
		return nil, fail(exitFailed, "plan file: %w", err)
	}
	return decodePlan(path, data)
}

func decodePlan(path string, data []byte) (*planFile, error) {
	p, err := plan.Decode(data)
	var altered *plan.AlteredError
	if errors.As(err, &altered) {
		return nil, failHint(exitTrust, "somebody edited it; make it anew: charter plan --out "+path, "%s: %w", path, err)
	}
	if err != nil {
		return nil, failHint(exitFailed, "a plan file is what charter plan --out wrote", "%s: %w", path, err)
	}
	return &planFile{path: path, data: data, plan: p, digest: plan.DigestOf(data)}, nil
}
