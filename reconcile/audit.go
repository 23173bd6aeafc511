package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/policy"
	"github.com/veonahealth/charter/plan/seal"
	"github.com/veonahealth/charter/reconcile/ledger"
)

// AuditReport is what a reading of the whole ledger found. That it could be read
// says already that its chain and the signatures of its commits hold.
type AuditReport struct {
	// Doubts are what hold by the policy of their day, and people look at: a key that was
	// revoked since had signed, or somebody broke a brake's glass.
	Doubts   []AuditFault `json:"doubts"`
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
	report := &AuditReport{Doubts: []AuditFault{}, Faults: []AuditFault{}, Root: g.Ledger.Root().String()}
	today, err := g.Roster(ctx)
	if err != nil {
		return nil, err
	}
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
		broken, err := g.glassOf(ctx, r)
		if err != nil {
			return nil, err
		}
		for _, b := range broken {
			report.Doubts = append(report.Doubts, AuditFault{r.Number, r.ID.String(), b.String()})
		}
		for _, text := range g.doubts(today, r) {
			report.Doubts = append(report.Doubts, AuditFault{r.Number, r.ID.String(), text})
		}
	}
	return report, nil
}

// doubts names what a receipt bears of keys that are not to be believed for it, by
// the policy of today.
func (g *Governance) doubts(today *policy.Roster, r *ledger.Receipt) (list []string) {
	doubt := func(by ledger.By, did string) {
		key, err := seal.ParseFingerprint(by.Fingerprint)
		if err != nil {
			return
		}
		since, receipt, lost := today.Lost(key)
		if !lost || r.Intent.CreatedAt.Before(since) {
			return
		}
		text := fmt.Sprintf("%s %s with key %s, which was revoked since ", by.ID, did, key.Short())
		if receipt == "" {
			text += since.Format(time.RFC3339)
		} else if id, err := ledger.ParseID(receipt); err == nil {
			last, err := g.Ledger.Find(id)
			if err == nil && r.Number <= last.Number {
				return
			}
			text += fmt.Sprintf("receipt %.16s…", receipt)
		}
		if !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	for _, a := range r.Intent.Approvals {
		doubt(a.By, "approved it")
	}
	doubt(r.Intent.By, "signed it")
	if r.Outcome != nil {
		doubt(r.Outcome.By, "signed it")
	}
	return list
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
	data, err := g.planOf(r)
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
		Spent: g.spent(p, roster.Verifier(), approvals, r.Number, map[plan.Digest]time.Time{plan.DigestOf(data): p.CreatedAt}),
	}
	if _, err := g.scheduled(&in, &Judgement{leaves: map[seal.Batches][]plan.Digest{}}); err != nil {
		return p, nil, "", err
	}
	if err := g.beside(r, &in, roster.Verifier()); err != nil {
		return p, nil, "", err
	}
	if asksForWriters(roster.Policy()) {
		if in.Writers, err = g.writers(ctx, &in, r.Number); err != nil {
			return p, nil, "", err
		}
	}
	verdict := policy.Judge(in)
	return p, &verdict, "", nil
}

// planOf is the plan file of a receipt, and fileOf another one beside it.
func (g *Governance) planOf(r *ledger.Receipt) ([]byte, error) {
	if g.draft != nil && r.Number == g.Ledger.Len() {
		return g.draft.Plan, nil
	}
	return g.Ledger.Plan(r)
}

func (g *Governance) fileOf(r *ledger.Receipt, name string) ([]byte, error) {
	if g.draft != nil && r.Number == g.Ledger.Len() {
		return g.draft.Files[name], nil
	}
	return g.Ledger.File(r, name)
}

// approvalsOf opens the bundles that a receipt holds.
func (g *Governance) approvalsOf(r *ledger.Receipt, verifier *seal.Verifier) (list []policy.Approval, text string, err error) {
	for _, a := range r.Intent.Approvals {
		data, err := g.fileOf(r, a.Bundle)
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
