package reconcile

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/policy"
	"github.com/veonahealth/charter/plan/seal"
	"github.com/veonahealth/charter/reconcile/ledger"
)

// A receipt keeps beside its intent all that its judgement was made of, so that
// anybody can judge again: approvals, broken glass, and, where an approval was of
// another plan, that plan's leaves.
const (
	glassFile  = "plan.json.break-glass-"
	leavesFile = "leaves-"
)

// glass takes a bundle that is no approval for what breaks a brake's glass; false
// where it is something else.
func (j *Judgement) glass(in *policy.Input, verifier *seal.Verifier, b Bundle, err error) bool {
	var other *seal.PredicateTypeError
	if !errors.As(err, &other) || other.Type != policy.BreakGlassType {
		return false
	}
	opened, err := policy.OpenBreakGlass(verifier, b.Data)
	if err != nil {
		return false
	}
	in.BreakGlass = append(in.BreakGlass, *opened)
	j.broken = append(j.broken, b)
	return true
}

// shownFor is for how long broken glass that nobody has reviewed is shown.
const shownFor = 366 * 24 * time.Hour

// Glass is that somebody broke a brake's glass for what a receipt carried out.
type Glass struct {
	By     string `json:"by"` // as the policy of the day names them
	Reason string `json:"reason"`
}

func (b Glass) String() string { return b.By + " broke the glass: " + b.Reason }

// glassOf tells who broke the glass for a receipt, by the policy of its day.
func (g *Governance) glassOf(ctx context.Context, r *ledger.Receipt) ([]Glass, error) {
	if !slices.ContainsFunc(r.Intent.Files, func(f ledger.File) bool { return isGlass(f.Name) }) {
		return []Glass{}, nil
	}
	roster, err := g.roster(ctx, r.Intent.Policy)
	if err != nil {
		return nil, err
	}
	var in policy.Input
	if err := g.beside(r, &in, roster.Verifier()); err != nil {
		return nil, err
	}
	return told(roster, in.BreakGlass, r.Intent.CreatedAt), nil
}

// told tells statements by those whom a roster knows at a time.
func told(roster *policy.Roster, statements []policy.BreakGlass, at time.Time) []Glass {
	list := []Glass{}
	for i := range statements {
		b := Glass{By: statements[i].Signer.Short(), Reason: statements[i].Reason}
		if h, err := roster.Holder(statements[i].Signer, at); err == nil {
			b.By = h.ID()
		}
		list = append(list, b)
	}
	return list
}

// Broken lists the receipts for which somebody broke a brake's glass and that
// nobody else has reviewed since, newest first, each with who and why. A review is a
// seal: whoever signs it has looked at what came before.
func (g *Governance) Broken(ctx context.Context) ([]string, error) {
	var list []string
	reviewers := map[string]bool{}
	for r, err := range g.Ledger.Receipts() {
		if err != nil {
			return nil, asTrust(err)
		}
		if g.o.Now().Sub(r.Intent.CreatedAt) > shownFor {
			break
		}
		if r.Intent.Act == ledger.Seal {
			reviewers[r.Intent.By.ID] = true
		}
		broken, err := g.glassOf(ctx, r)
		if err != nil {
			return nil, err
		}
		for _, b := range broken {
			if !others(reviewers, b.By) {
				list = append(list, fmt.Sprintf("receipt %d of %s: %s", r.Number, r.Intent.CreatedAt.Format(time.RFC3339), b))
			}
		}
	}
	return list, nil
}

func isGlass(name string) bool { return strings.HasPrefix(name, glassFile) }

// others reports whether somebody else than one is among some.
func others(people map[string]bool, one string) bool {
	return len(people) > 1 || len(people) == 1 && !people[one]
}

// files yields those files beside a receipt whose names are wanted.
func (g *Governance) files(r *ledger.Receipt, wanted func(name string) bool) iter.Seq2[Bundle, error] {
	return func(yield func(Bundle, error) bool) {
		for _, f := range r.Intent.Files {
			if !wanted(f.Name) {
				continue
			}
			data, err := g.fileOf(r, f.Name)
			if !yield(Bundle{Name: f.Name, Data: data}, asTrust(err)) {
				return
			}
		}
	}
}

func isBundle(name string) bool { return strings.HasSuffix(name, seal.BundleSuffix) }

// keepBeside puts into a receipt's files what its judgement was made of, but for
// the approvals themselves.
func (j *Judgement) keepBeside(files map[string][]byte, p *plan.Plan) {
	for i, b := range j.broken {
		files[fmt.Sprintf("%s%d%s", glassFile, i, seal.BundleSuffix)] = b.Data
	}
	for i := range j.approvals {
		batches := j.approvals[i].Opened.Approval.Batches
		leaves := j.leaves[batches]
		if plan.Digest(batches.Root) == p.BatchesRoot || leaves == nil {
			continue
		}
		var text strings.Builder
		for _, leaf := range leaves {
			fmt.Fprintln(&text, leaf)
		}
		files[leavesFile+plan.Digest(batches.Root).Hex()] = []byte(text.String())
	}
}

// beside reads what keepBeside kept.
func (g *Governance) beside(r *ledger.Receipt, in *policy.Input, verifier *seal.Verifier) error {
	for f, err := range g.files(r, func(name string) bool { return isGlass(name) || strings.HasPrefix(name, leavesFile) }) {
		if err != nil {
			return err
		}
		if isGlass(f.Name) {
			if opened, err := policy.OpenBreakGlass(verifier, f.Data); err == nil {
				in.BreakGlass = append(in.BreakGlass, *opened)
			}
			continue
		}
		var leaves []plan.Digest
		for line := range strings.Lines(string(f.Data)) {
			leaf, err := plan.ParseDigest(strings.TrimSpace(line))
			if err != nil {
				return distrust("receipt %d: %s: %w", r.Number, f.Name, err)
			}
			leaves = append(leaves, leaf)
		}
		in.Leaves = append(in.Leaves, leaves)
	}
	return nil
}
