package reconcile

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/policy"
	"github.com/veonahealth/charter/plan/seal"
	"github.com/veonahealth/charter/reconcile/ledger"
)

// Bundle is a signature's file, as it was found.
type Bundle struct {
	Name string
	Data []byte
}

// Case is a plan that is to be judged.
type Case struct {
	Plan    *plan.Plan
	Digest  plan.Digest // of its file
	Bundles []Bundle    // beside it, and beside other open plans
	Others  []*plan.Plan
	// Mandate are the bundles of one mandate to correct drift; nil for none.
	Mandate [][]byte
	// Live is how many rows there are; zero where the platform is not asked, and then
	// what was last applied is counted.
	Live     policy.Live
	Instance string // the platform's id as it says it; "" where it is not asked
	Restored bool
}

// Judgement is what may be done of a plan, and by whose word.
type Judgement struct {
	policy.Verdict
	Glass     []Glass // who broke a brake's glass for it, whether or not they may
	approvals []policy.Approval
	bundles   []Bundle      // of the approvals, in their order
	broken    []Bundle      // statements that break a brake's glass
	left      []ledger.Skip // what the plan leaves out and should have
	leaves    map[seal.Batches][]plan.Digest
}

// Judge judges a plan by the policy that was applied last.
func (g *Governance) Judge(ctx context.Context, c Case) (*Judgement, error) {
	desired, err := g.declared(ctx, c.Plan.Source.Commit)
	if err != nil {
		return nil, err
	}
	in, err := g.facts(ctx, c.Plan, desired, c.Live)
	if err != nil {
		return nil, err
	}
	in.PlanDigest, in.Instance, in.Restored = c.Digest, c.Instance, c.Restored
	if err := g.whole(ctx, &in); err != nil {
		return nil, err
	}
	j := &Judgement{leaves: map[seal.Batches][]plan.Digest{}}
	for _, p := range append([]*plan.Plan{c.Plan}, c.Others...) {
		leaves := p.Leaves()
		j.leaves[seal.Batches{Root: p.BatchesRoot, Count: len(leaves)}] = leaves
		in.Leaves = append(in.Leaves, leaves)
	}
	made, err := c.made()
	if err != nil {
		return nil, err
	}
	void, err := g.voided(made)
	if err != nil {
		return nil, err
	}
	verifier := in.Roster.Verifier()
	scheduled, err := g.scheduled(&in, j)
	if err != nil {
		return nil, err
	}
	for _, b := range append(scheduled, c.Bundles...) {
		opened, err := verifier.Open(b.Data)
		if err != nil && j.glass(&in, verifier, b, err) {
			continue
		}
		if err != nil {
			in.Unverified = append(in.Unverified, policy.Unverified{Name: b.Name, Err: err})
			continue
		}
		j.approvals = append(j.approvals, policy.Approval{Opened: opened, Name: b.Name, Void: void(opened.Subject.SHA256)})
		j.bundles = append(j.bundles, b)
	}
	j.inOrder()
	in.Approvals = j.approvals
	j.Glass = told(in.Roster, in.BreakGlass, in.Now)
	if err := g.mandated(&in, verifier, c.Mandate); err != nil {
		return nil, err
	}
	in.Spent = g.spent(c.Plan, verifier, j.approvals, g.Ledger.Len(), made)
	j.Verdict = policy.Judge(in)
	return j, nil
}

// Comment is what came with the decision in a bundle; "" for none.
func (j *Judgement) Comment(bundle string) string {
	i := slices.IndexFunc(j.approvals, func(a policy.Approval) bool { return a.Name == bundle })
	if i < 0 {
		return ""
	}
	return j.approvals[i].Opened.Approval.Comment
}

// voided tells of an approval, by the plan file that was looked at, why it is void:
// before a platform was declared recovered it was given for what is no more there,
// whatever a later plan says. The file's digest was signed, and so its time.
func (g *Governance) voided(made map[plan.Digest]time.Time) (func(file plan.Digest) string, error) {
	recovered, err := g.recovered()
	if err != nil || recovered.IsZero() {
		return func(plan.Digest) string { return "" }, err
	}
	return func(file plan.Digest) string {
		if at, known := made[file]; known && !at.Before(recovered) {
			return ""
		}
		return "it is void: no plan that was made since the platform was recovered is what it was given for"
	}, nil
}

// made is when the plans were made that approvals may have been given for, by the
// digests of their files.
func (c *Case) made() (map[plan.Digest]time.Time, error) {
	made := map[plan.Digest]time.Time{c.Digest: c.Plan.CreatedAt}
	for _, p := range c.Others {
		file, err := plan.Encode(p)
		if err != nil {
			return nil, err
		}
		made[plan.DigestOf(file)] = p.CreatedAt
	}
	return made, nil
}

// inOrder puts every no last: an approval bears no time that could be trusted, so
// that of one person's words about two plans the no counts, until they approve the
// plan that they rejected, which takes its place. The others stand by their end.
func (j *Judgement) inOrder() {
	order := make([]int, len(j.approvals))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		one, other := &j.approvals[a].Opened.Approval, &j.approvals[b].Opened.Approval
		return cmp.Or(strings.Compare(string(one.Decision), string(other.Decision)), one.NotAfter.Compare(other.NotAfter))
	})
	approvals, bundles := make([]policy.Approval, len(order)), make([]Bundle, len(order))
	for i, from := range order {
		approvals[i], bundles[i] = j.approvals[from], j.bundles[from]
	}
	j.approvals, j.bundles = approvals, bundles
}

// scheduled finds what has come due, and the approvals that were given before its
// time: they lie beside the receipts that scheduled it.
func (g *Governance) scheduled(in *policy.Input, j *Judgement) (bundles []Bundle, err error) {
	for i := range in.Plan.Batches {
		b := &in.Plan.Batches[i]
		if b.Base == nil || b.Base.At == nil || !comes(in.Desired, b) {
			continue
		}
		for _, n := range g.Ledger.Scheduled(b.Digest) {
			r, err := g.Ledger.At(n)
			if err != nil {
				return nil, asTrust(err)
			}
			in.Due = append(in.Due, policy.Due{Batch: b.Digest, Entry: b.Digest, At: *b.Base.At})
			more, err := g.signedWith(r, in, j)
			if err != nil {
				return nil, err
			}
			bundles = append(bundles, more...)
		}
	}
	return bundles, nil
}

// comes reports whether the rows of a batch still change, at its time, as they are
// declared: a plan file is not believed for it.
func comes(desired *catalog.Desired, b *plan.Batch) bool {
	declared := desired.Tenant(tenantOf(b.Tenant))
	if declared == nil {
		return false
	}
	t, err := declared.Tenant()
	if err != nil {
		return false
	}
	revoked, granted, err := plan.Rows(b.Changes)
	if err != nil {
		return false
	}
	rows := desired.Catalog.Rows(t, *b.Base.At)
	turns := slices.ContainsFunc(t.Facilities, func(f catalog.Facility) bool {
		return slices.ContainsFunc(t.Boundaries(&f), b.Base.At.Equal)
	})
	return turns && len(revoked.Minus(rows)) == len(revoked) && len(granted.Minus(rows)) == 0
}

// signedWith are the bundles of a receipt, whose plan's leaves may have been
// signed.
func (g *Governance) signedWith(r *ledger.Receipt, in *policy.Input, j *Judgement) (bundles []Bundle, err error) {
	data, err := g.Ledger.Plan(r)
	if err != nil {
		return nil, asTrust(err)
	}
	p, err := plan.Recorded(data)
	if err != nil {
		return nil, err
	}
	leaves := p.Leaves()
	j.leaves[seal.Batches{Root: p.BatchesRoot, Count: len(leaves)}] = leaves
	in.Leaves = append(in.Leaves, leaves)
	for b, err := range g.files(r, isBundle) {
		if err != nil {
			return nil, err
		}
		bundles = append(bundles, b)
	}
	return bundles, nil
}

// facts gathers what the commits and the ledger say of a plan whose declarations
// are given: they may be those of a merge, and then the commit has others. live
// are the rows that there are, counted by what was last applied where it has none.
func (g *Governance) facts(ctx context.Context, p *plan.Plan, desired *catalog.Desired, live policy.Live) (in policy.Input, err error) {
	in = policy.Input{Plan: p, Now: g.o.Now(), Environment: g.o.Environment, Desired: desired, Live: live}
	if in.Roster, err = g.Roster(ctx); err != nil {
		return in, err
	}
	back, err := g.Rollbacks(ctx, p.Source.Commit, in.Now)
	if err != nil {
		return in, err
	}
	in.Holds = append(back, g.newestHolds(ctx, p.Source.Commit, desired.Holds)...)
	var untrusted *TrustError
	if err := g.Ancestry(ctx, p.Source.Commit); errors.As(err, &untrusted) {
		in.Trust = untrusted
	} else if err != nil {
		return in, err
	}
	if in.LastCatalog, err = g.lastCatalog(ctx); err != nil {
		return in, err
	}
	last, err := g.LastApplied(ctx)
	if err != nil || last == nil {
		return in, err
	}
	in.Last = last.Desired
	if live.Total == 0 {
		in.Live, err = declaredRows(last, g.o.Environment)
	}
	return in, err
}

// whole adds what is asked of a plan file that is to be carried out: whether it is
// still one, and who wrote what it does.
func (g *Governance) whole(ctx context.Context, in *policy.Input) error {
	for _, holds := range []func() error{
		func() error { return g.superseded(in.Plan) },
		func() error { return rulesOf(in.Plan, in.Desired) },
	} {
		if err := holds(); err != nil && in.Trust == nil {
			in.Trust = err
		}
	}
	if in.Trust != nil || !asksForWriters(in.Roster.Policy()) {
		return nil
	}
	var err error
	in.Writers, err = g.writers(ctx, in, g.Ledger.Len())
	return err
}

// lastCatalog is the catalogue that was approved last. The commit that was applied
// last may have brought another one, which nobody approved.
func (g *Governance) lastCatalog(ctx context.Context) (*catalog.Catalog, error) {
	desired, err := g.declared(ctx, g.Ledger.Catalog().Commit)
	if err != nil {
		return nil, err
	}
	return desired.Catalog, nil
}

// rulesOf holds a plan's batches of the fleet's own rules against what they are to
// put in force: what is approved by its digest is what the commit has.
func rulesOf(p *plan.Plan, desired *catalog.Desired) error {
	for i := range p.Batches {
		b := &p.Batches[i]
		now := desired.Policy
		if b.Subject == plan.Catalog {
			now = desired.Catalog.Digest()
		}
		if b.Subject.OfFleet() && b.Changes[0].After != now {
			return distrust("the plan shows %s %s, and its commit %.12s has %s", b.Subject, b.Changes[0].After, p.Source.Commit, now)
		}
	}
	return nil
}

// newestHolds are those of the newest commit that is known, where it descends from
// the plan's and loads; else the plan's own.
func (g *Governance) newestHolds(ctx context.Context, commit string, own []catalog.Hold) []catalog.Hold {
	if g.o.Newest == "" || g.o.Newest == commit {
		return own
	}
	if is, err := g.o.Repo.IsAncestor(ctx, commit, g.o.Newest); err != nil || !is {
		return own
	}
	newest, err := g.declared(ctx, g.o.Newest)
	if err != nil {
		return own
	}
	return newest.Holds
}

func asksForWriters(p *catalog.Policy) bool {
	for i := range p.Rules {
		if !p.Rules[i].Writers {
			return true
		}
	}
	return false
}

// declaredRows counts the rows that were last applied.
func declaredRows(last *plan.Last, environment catalog.Environment) (policy.Live, error) {
	live := policy.Live{Rows: map[string]int{}}
	for i := range last.Desired.Tenants {
		d := &last.Desired.Tenants[i]
		if d.Environment != environment {
			continue
		}
		t, err := d.Tenant()
		if err != nil {
			return live, err
		}
		n := len(last.Desired.Catalog.Rows(t, last.At))
		live.Rows[d.ID.String()] = n
		live.Total += n
	}
	return live, nil
}

// spent tells whether an approval was used for a batch that a receipt says is
// done: its bundle lies beside that receipt, or it is of the receipt's own plan, as
// whoever signs one twice approves it once, or, where the fleet's own rules were
// changed back since, of one that was made before it was done. Receipts from a number
// on do not count; made are the times of known plans.
func (g *Governance) spent(p *plan.Plan, verifier *seal.Verifier, approvals []policy.Approval, before int, made map[plan.Digest]time.Time) func(plan.Digest, policy.ID) bool {
	looked := map[policy.ID]plan.Digest{}
	for i := range approvals {
		looked[approvals[i].ID()] = approvals[i].Opened.Subject.SHA256
	}
	// What would be the same change after one back.
	again, inForce := map[plan.Digest]bool{}, g.inForce(p)
	for i := range p.Batches {
		b := &p.Batches[i]
		again[b.Digest] = b.Subject.OfFleet() && !inForce[b.Digest]
	}
	used := map[int]map[policy.ID]bool{}
	return func(batch plan.Digest, approval policy.ID) bool {
		for _, n := range g.Ledger.Spent(batch) {
			if n >= before {
				break
			}
			if used[n] == nil {
				used[n] = g.usedIn(n, verifier)
			}
			r, err := g.Ledger.At(n)
			if used[n][approval] || err != nil || of(r, looked[approval]) {
				return true
			}
			if at, known := made[looked[approval]]; known && again[batch] && at.Before(r.Intent.CreatedAt) {
				return true
			}
		}
		return false
	}
}

func (g *Governance) usedIn(number int, verifier *seal.Verifier) map[policy.ID]bool {
	ids := map[policy.ID]bool{}
	r, err := g.Ledger.At(number)
	if err != nil {
		return ids
	}
	for b, err := range g.files(r, isBundle) {
		if err != nil {
			continue
		}
		if opened, err := verifier.Open(b.Data); err == nil {
			a := policy.Approval{Opened: opened}
			ids[a.ID()] = true
		}
	}
	return ids
}

// authority gives the approvals that writes carry, each for the batches that it
// counts for, and the batches that may be written.
func (j *Judgement) authority(p *plan.Plan) (list []Approval, allowed map[plan.Digest]bool) {
	allowed = map[plan.Digest]bool{}
	byApproval := map[int]map[plan.Digest]bool{}
	for i := range p.Batches {
		u := &j.Units[i]
		if !u.Allowed() {
			continue
		}
		allowed[u.Digest] = true
		for _, a := range u.Approvals {
			if byApproval[a] == nil {
				byApproval[a] = map[plan.Digest]bool{}
			}
			byApproval[a][u.Digest] = true
		}
	}
	for i := range j.approvals {
		if byApproval[i] != nil {
			list = append(list, Approval{
				Bundle: j.bundles[i].Data, Leaves: j.leaves[j.approvals[i].Opened.Approval.Batches], For: byApproval[i],
			})
		}
	}
	return list, allowed
}
