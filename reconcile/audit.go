package reconcile

import (
	"context"
	"fmt"

	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/policy"
	"github.com/veonahealth/charter/plan/seal"
	"github.com/veonahealth/charter/reconcile/ledger"
)

// AuditReport is what a reading of the whole ledger found. That it could be read
// says already that its chain and the signatures of its commits hold.
type AuditReport struct {
	Faults   []AuditFault `json:"faults"`
	Live     *LiveAudit   `json:"live"` // null where no platform was asked
	Receipts int          `json:"receipts"`
	Root     string       `json:"root"`
}

// AuditFault is a receipt that does not hold what it should.
type AuditFault struct {
	Number  int    `json:"number"`
	Receipt string `json:"receipt"`
	Text    string `json:"text"`
}

// Audit checks each receipt by the policy of its day.
func (g *Governance) Audit(ctx context.Context) (*AuditReport, error) {
	report := &AuditReport{Faults: []AuditFault{}, Root: g.Ledger.Root().String()}
	for r, err := range g.Ledger.History() {
		if err != nil {
			return nil, asTrust(err)
		}
		report.Receipts++
		text, err := g.auditOne(ctx, r)
		if err != nil {
			return nil, err
		}
		if text != "" {
			report.Faults = append(report.Faults, AuditFault{r.Number, r.ID.String(), text})
		}
	}
	return report, nil
}

// auditOne says what is wrong with a receipt of an apply; "".
func (g *Governance) auditOne(ctx context.Context, r *ledger.Receipt) (string, error) {
	if r.Intent.Act != ledger.Apply || r.Outcome == nil {
		return "", nil
	}
	_, verdict, text, err := g.rejudge(ctx, r)
	if err != nil || text != "" {
		return text, err
	}
	return unauthorised(r, verdict), nil
}

// rejudge judges the plan of a receipt once more, by the policy of its day. A text
// says what does not let it be judged; "".
func (g *Governance) rejudge(ctx context.Context, r *ledger.Receipt) (*plan.Plan, *policy.Verdict, string, error) {
	data, err := g.Ledger.Plan(r)
	if err != nil {
		return nil, nil, "", asTrust(err)
	}
	p, err := plan.Recorded(data)
	if err != nil {
		return nil, nil, fmt.Sprintf("its plan: %s", err), nil
	}
	roster, err := g.roster(ctx, r.Intent.Policy)
	if err != nil {
		return nil, nil, "", err
	}
	approvals, text, err := g.approvalsOf(r, roster.Verifier())
	if err != nil || text != "" {
		return p, nil, text, err
	}
	desired, err := g.declared(ctx, p.Source.Commit)
	if err != nil {
		return nil, nil, "", err
	}
	mandate, err := g.mandateOf(r, roster.Verifier())
	if err != nil {
		return p, nil, "", err
	}
	in := policy.Input{
		Plan: p, PlanDigest: plan.DigestOf(data), Roster: roster, Now: r.Intent.CreatedAt, Environment: g.o.Environment,
		Desired: desired, Approvals: approvals, Leaves: [][]plan.Digest{p.Leaves()}, Mandate: mandate,
	}
	if _, err := g.scheduled(&in, &Judgement{leaves: map[seal.Batches][]plan.Digest{}}); err != nil {
		return p, nil, "", err
	}
	if err := g.beside(r, &in, roster.Verifier()); err != nil {
		return p, nil, "", err
	}
	verdict := policy.Judge(in)
	return p, &verdict, "", nil
}

// approvalsOf opens the bundles that a receipt holds.
func (g *Governance) approvalsOf(r *ledger.Receipt, verifier *seal.Verifier) (list []policy.Approval, text string, err error) {
	for _, a := range r.Intent.Approvals {
		data, err := g.Ledger.File(r, a.Bundle)
		if err != nil {
			return nil, "", asTrust(err)
		}
		opened, err := verifier.Open(data)
		if err != nil {
			return nil, fmt.Sprintf("%s does not verify: %s", a.Bundle, err), nil
		}
		list = append(list, policy.Approval{Opened: opened, Name: a.Bundle})
	}
	return list, "", nil
}

// unauthorised names a batch that was done without approvals enough.
func unauthorised(r *ledger.Receipt, v *policy.Verdict) string {
	for i := range v.Units {
		u := &v.Units[i]
		result, of := r.Result(u.Digest)
		if of && result.State == ledger.Done && u.Refusal != nil && (u.Refusal.Brake == policy.Missing || u.Refusal.Brake == policy.Incapable) {
			return "done without authority: " + u.Refusal.Error()
		}
	}
	return ""
}
