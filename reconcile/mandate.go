package reconcile

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/policy"
	"github.com/veonahealth/charter/plan/seal"
	"github.com/veonahealth/charter/reconcile/ledger"
)

// CorrectionType is the predicateType of the statement by which a machine puts its
// name to a batch that it carries out by a mandate. Its subject is the batch.
const CorrectionType = "https://veonahealth.com/charter/correction/v1"

// mandateFile begins the names under which a receipt keeps the bundles of the
// mandate that it was carried out by.
const mandateFile = "mandate."

func isMandate(name string) bool { return strings.HasPrefix(name, mandateFile) }

// BearsMandate reports whether a receipt was carried out by a mandate, in part or
// whole.
func BearsMandate(r *ledger.Receipt) bool {
	return slices.ContainsFunc(r.Intent.Files, func(f ledger.File) bool { return isMandate(f.Name) })
}

// mandated adds to a judgement the mandate that was given, if its signatures
// hold, and what was corrected by one before.
func (g *Governance) mandated(in *policy.Input, verifier *seal.Verifier, bundles [][]byte) (err error) {
	if len(bundles) == 0 {
		return nil
	}
	m, err := policy.OpenMandate(verifier, bundles...)
	if err != nil {
		in.Unverified = append(in.Unverified, policy.Unverified{Name: "mandate", Err: err})
		return nil
	}
	in.Mandate = m
	in.Corrected, err = g.corrected(in.Now)
	return err
}

// mandateOf opens the mandate that a receipt bears; nil where it bears none, or one
// whose signatures do not hold.
func (g *Governance) mandateOf(r *ledger.Receipt, verifier *seal.Verifier) (*policy.Mandate, error) {
	var bundles [][]byte
	for b, err := range g.files(r, isMandate) {
		if err != nil {
			return nil, err
		}
		bundles = append(bundles, b.Data)
	}
	m, err := policy.OpenMandate(verifier, bundles...)
	if err != nil {
		return nil, nil // then nothing is authorised by it, which is what is said
	}
	return m, nil
}

// corrected counts the changes that receipts of the last hour and day say were
// made by a mandate, or may have been.
func (g *Governance) corrected(now time.Time) (policy.Corrected, error) {
	var count policy.Corrected
	for r, err := range g.Ledger.Receipts() {
		if err != nil {
			return count, err
		}
		age := now.Sub(r.Intent.CreatedAt)
		if age > 24*time.Hour {
			break
		}
		n, err := g.correctedIn(r)
		if err != nil {
			return count, err
		}
		count.Day += n
		if age <= time.Hour {
			count.Hour += n
		}
	}
	return count, nil
}

// correctedIn counts the changes of drift in a receipt that bears a mandate.
func (g *Governance) correctedIn(r *ledger.Receipt) (n int64, err error) {
	if !BearsMandate(r) {
		return 0, nil
	}
	data, err := g.Ledger.Plan(r)
	if err != nil || data == nil {
		return 0, err
	}
	p, err := plan.Recorded(data)
	if err != nil {
		return 0, err
	}
	for i := range p.Batches {
		b := &p.Batches[i]
		result, said := r.Result(b.Digest)
		if b.Class() == plan.Drift && (r.Outcome == nil || said && result.State != ledger.State(NotTried) && result.State != ledger.Already) {
			n += int64(len(b.Changes))
		}
	}
	return n, nil
}

// duties leaves out of an order what its signer may not do: a machine that may
// apply goes by approvals, one that may correct by a mandate.
func (g *Governance) duties(ctx context.Context, o *Order) error {
	roster, err := g.Roster(ctx)
	if err != nil {
		return err
	}
	h, err := roster.Holder(o.Signer.PublicKey().Fingerprint(), g.o.Now())
	if err != nil {
		return distrust("the receipts' %w", err)
	}
	if !h.May(catalog.MayCorrect) {
		o.Mandate = nil
	}
	if !h.May(catalog.MayApply) {
		o.Bundles = nil
	}
	return nil
}

// byMandate gives the field mandate of the authority of a batch; null for one that
// people approved.
func (j *Judgement) byMandate(o Order) func(*plan.Batch) (json.RawMessage, error) {
	covered := map[plan.Digest]bool{}
	for i := range o.Plan.Batches {
		if j.Units[i].Allowed() && j.Units[i].ByMandate {
			covered[o.Plan.Batches[i].Digest] = true
		}
	}
	return func(b *plan.Batch) (json.RawMessage, error) {
		if !covered[b.Digest] {
			return nil, nil
		}
		statement, err := seal.NewStatement(seal.Subject{Name: "batch", SHA256: b.Digest}, CorrectionType, struct {
			Environment string `json:"environment"`
		}{o.Plan.Environment})
		if err != nil {
			return nil, err
		}
		correction, err := o.Signer.Sign(statement)
		if err != nil {
			return nil, fmt.Errorf("sign the correction: %w", err)
		}
		bundles := make([]json.RawMessage, len(o.Mandate))
		for i := range o.Mandate {
			bundles[i] = o.Mandate[i]
		}
		return json.Marshal(struct {
			Bundles    []json.RawMessage `json:"bundles"`
			Correction json.RawMessage   `json:"correction"`
		}{bundles, correction})
	}
}

// keepMandate puts the mandate beside a receipt, where it covers anything.
func (j *Judgement) keepMandate(files map[string][]byte, o Order) {
	for i := range j.Units {
		if j.Units[i].Allowed() && j.Units[i].ByMandate {
			for n, bundle := range o.Mandate {
				files[fmt.Sprintf("%s%d%s", mandateFile, n, seal.BundleSuffix)] = bundle
			}
			return
		}
	}
}
