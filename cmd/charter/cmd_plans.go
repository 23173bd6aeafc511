package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/cmd/charter/internal/view"
	"github.com/veonahealth/charter/plan"
)

type plansOptions struct {
	repo   repoFlags
	env    string
	root   rootFlag
	output outputFlag
}

// openPlan is one that was published and not yet carried out, for programs.
type openPlan struct {
	Digest    string       `json:"digest"`
	Commit    string       `json:"commit"`
	CreatedAt time.Time    `json:"created_at"`
	ExpiresAt time.Time    `json:"expires_at"`
	Summary   plan.Summary `json:"summary"`
	Bundles   []string     `json:"bundles"`
	Lacks     []string     `json:"lacks"`  // what is still missing, in sentences; empty where nothing is
	Judged    bool         `json:"judged"` // whether a ledger is founded, by whose policy it could be judged
	text      string       // the summary in words
}

func (a *app) newPlans() *cobra.Command {
	var o plansOptions
	cmd := &cobra.Command{
		Use:   "plans",
		Short: "List the open plans, and what each still lacks",
		Long: `Plans lists the plans that were published with approve or reject and are not yet
carried out, each with what it would do, who has spoken, and what is missing.`,
		Example: "  charter plans --root $ROOT",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.plans(cmd.Context(), &o) },
	}
	bindRepo(cmd, &o.repo.repo)
	bindEnv(cmd, &o.env)
	o.root.bind(cmd)
	o.output.bind(cmd, "text", "json")
	return cmd
}

func (a *app) plans(ctx context.Context, o *plansOptions) error {
	office, err := a.openOffice(ctx, o.repo, o.env, o.root.root)
	if err != nil {
		return err
	}
	defer office.Close()
	published, err := office.published(ctx)
	if err != nil {
		return err
	}
	list := []openPlan{}
	for _, one := range published {
		p, err := office.openPlan(ctx, one, published)
		if err != nil {
			a.note("open plan %s is left out: %s", one.digest, err)
			continue
		}
		list = append(list, *p)
	}
	if o.output.value == "json" {
		return view.JSON(a.stdout, list)
	}
	for i := range list {
		a.showOpenPlan(&list[i])
	}
	_, err = fmt.Fprintf(a.stdout, "%s open\n", view.Counted(len(list), "plan", "plans"))
	return err
}

// openPlan says what one of the open plans still lacks.
func (o *office) openPlan(ctx context.Context, one published, all []published) (*openPlan, error) {
	p := one.plan
	open := &openPlan{
		Digest: one.digest.String(), Commit: p.Source.Commit, CreatedAt: p.CreatedAt, ExpiresAt: p.ExpiresAt, Summary: p.Summary,
		Bundles: []string{}, Lacks: []string{}, Judged: o.Governance != nil, text: view.Summary(p),
	}
	for _, bundle := range one.signed {
		open.Bundles = append(open.Bundles, bundle.Name)
	}
	if !o.app.now().Before(p.ExpiresAt) {
		open.Lacks = append(open.Lacks, "it expired at "+p.ExpiresAt.Format(time.RFC3339)+": plan again, the approvals stay good")
	}
	if o.Governance == nil {
		return open, nil
	}
	judgement, err := o.judgeAmong(ctx, one.planFile, all)
	if err != nil {
		return nil, err
	}
	open.Lacks = append(open.Lacks, lacks(judgement)...)
	return open, nil
}

func (a *app) showOpenPlan(p *openPlan) {
	fmt.Fprintf(a.stdout, "%s  of commit %.12s, until %s\n  %s\n", p.Digest, p.Commit, catalog.FormatTime(p.ExpiresAt), p.text)
	for _, text := range p.Lacks {
		fmt.Fprintln(a.stdout, "  ! "+view.Clean(text))
	}
	if p.Judged && len(p.Lacks) == 0 {
		fmt.Fprintln(a.stdout, "  it can be applied")
	}
}
