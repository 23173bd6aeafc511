package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/policy"
	"github.com/veonahealth/charter/plan/seal"
	"github.com/veonahealth/charter/reconcile/ehr"
	"github.com/veonahealth/charter/reconcile/ledger"
	"github.com/veonahealth/charter/reconcile/source"
)

// Order is a plan that is to be carried out where a ledger is founded.
type Order struct {
	Plan     *plan.Plan
	File     []byte // its bytes
	Bundles  []Bundle
	Others   []*plan.Plan // open plans whose approvals may count too
	Only     map[catalog.TenantID]bool
	Mandate  [][]byte // the bundles of one mandate to correct drift; nil for none
	Signer   *seal.Signer
	Author   source.Author // of the receipt's commits
	Progress func(done, of int, o Outcome)
}

// Carried is what became of an order.
type Carried struct {
	Judgement *Judgement
	Receipt   string // its id
	Outcomes  []Outcome
}

// RefusedError says that nothing of a plan may be carried out, and why.
type RefusedError struct{ Refusal *policy.Refusal }

func (e *RefusedError) Error() string { return e.Refusal.Error() }

// ReplayedError says that a plan was carried out already, and has nothing open.
type ReplayedError struct {
	Receipt ledger.ID
	At      time.Time
}

func (e *ReplayedError) Error() string {
	return fmt.Sprintf("the plan was carried out at %s (receipt %.16s…), and nothing in it is open: a plan is used once", e.At.Format(time.RFC3339), e.Receipt)
}

// Carry judges a plan, writes a receipt of what is about to be done, does it, and
// writes what became of it. Until the remote has accepted the first receipt
// nothing is written to the platform.
func (g *Governance) Carry(ctx context.Context, e EHR, o Order) (*Carried, error) {
	digest := plan.DigestOf(o.File)
	clock := g.o.Now // what is judged at one time is on the receipt at that time
	now := clock().UTC().Truncate(time.Second)
	g.o.Now = func() time.Time { return now }
	defer func() { g.o.Now = clock }()
	if err := CheckTime(o.Plan, now); err != nil {
		return nil, err
	}
	if err := errors.Join(g.Replayed(o.Plan, digest), g.standing(o.Plan)); err != nil {
		return nil, err
	}
	writer, err := g.writer(ctx, o.Signer, o.Author, ledger.Apply)
	if err != nil {
		return nil, err
	}
	if err := g.duties(ctx, &o); err != nil {
		return nil, err
	}
	if err := g.settleAbandoned(ctx, e, writer, digest); err != nil {
		return nil, err
	}
	platform, err := e.Platform(ctx)
	if err != nil {
		return nil, err
	}
	testimony, err := g.Witness(ctx, e)
	if err != nil {
		return nil, err
	}
	live, err := g.live(ctx, e, platform.Has(ehr.FeatureBulk), o.Plan)
	if err != nil {
		return nil, err
	}
	j, err := g.Judge(ctx, Case{
		Plan: o.Plan, Digest: digest, Bundles: o.Bundles, Others: o.Others, Mandate: o.Mandate, Live: live,
		Instance: platform.Instance, Restored: testimony.Restored != "",
	})
	if err != nil {
		return nil, err
	}
	if refusal := j.nothing(o); refusal != nil {
		return nil, &RefusedError{refusal}
	}
	if j.left, err = g.unplanned(ctx, e, o); err != nil {
		return nil, err
	}
	done := &Carried{Judgement: j}
	receipt, err := g.begin(ctx, e, writer, o, digest, j, testimony)
	if err != nil {
		return nil, err
	}
	done.Receipt = receipt.ID.String()
	approvals, allowed := j.authority(o.Plan)
	maps.DeleteFunc(allowed, func(batch plan.Digest, _ bool) bool { return !names(receipt, batch) }) // approved since it was begun
	done.Outcomes, err = Apply(ctx, e, ApplyRequest{
		Plan: o.Plan, Digest: digest, Approvals: approvals, Only: o.Only, Allowed: allowed, Receipt: done.Receipt, Now: now, Progress: o.Progress,
		Mandate: j.byMandate(o), InForce: g.inForce(o.Plan),
	})
	finish, cancel := outlast(ctx)
	defer cancel()
	writer.Now = clock
	return done, errors.Join(err, g.end(finish, e, writer, o, receipt, j, done.Outcomes))
}

// names reports whether a receipt's intent has a batch.
func names(r *ledger.Receipt, batch plan.Digest) bool {
	return slices.ContainsFunc(r.Intent.Batches, func(b ledger.Batch) bool { return b.Digest == batch })
}

// inForce are the batches of the fleet's own rules that are in force already, from
// another plan.
func (g *Governance) inForce(p *plan.Plan) map[plan.Digest]bool {
	in := map[plan.Digest]bool{}
	for i := range p.Batches {
		b := &p.Batches[i]
		switch {
		case b.Subject == plan.Policy:
			in[b.Digest] = b.Changes[0].After == g.Ledger.Policy().Digest.String()
		case b.Subject == plan.Catalog:
			in[b.Digest] = b.Changes[0].After == g.Ledger.Catalog().Digest.String()
		}
	}
	return in
}

// standing refuses a plan whose batches of the fleet's own rules would replace
// others than those that are in force: people approved another step than it would
// be now. What is in force already is done.
func (g *Governance) standing(p *plan.Plan) error {
	for i := range p.Batches {
		b := &p.Batches[i]
		was := g.Ledger.Policy().Digest.String()
		if b.Subject == plan.Catalog {
			was = g.Ledger.Catalog().Digest.String()
		}
		if c := b.Changes; b.Subject.OfFleet() && c[0].Before != was && c[0].After != was {
			return &StaleError{fmt.Sprintf("it replaces the %s %s, and %s is in force", b.Subject, c[0].Before, was)}
		}
	}
	return nil
}

// nothing is why nothing may be done at all; nil where something may.
func (j *Judgement) nothing(o Order) *policy.Refusal {
	if j.Refusal != nil {
		return j.Refusal
	}
	wanted := false
	for i := range o.Plan.Batches {
		if !o.Plan.Batches[i].Among(o.Only) {
			continue
		}
		if r := j.Units[i].Refusal; r == nil || r.Exit != exitBlocked {
			wanted = true
		}
		if r := j.Units[i].Refusal; r != nil && r.Exit != exitBlocked {
			return r // of trust: nothing of such a plan is carried out
		}
	}
	if wanted || len(o.Plan.Batches) == 0 {
		return nil
	}
	return j.First()
}

// exitBlocked is the status of a refusal for which something is missing.
const exitBlocked = 4

// writer is who signs receipts, if the policy lets them.
func (g *Governance) writer(ctx context.Context, signer *seal.Signer, author source.Author, act ledger.Act) (ledger.Writer, error) {
	roster, err := g.Roster(ctx)
	if err != nil {
		return ledger.Writer{}, err
	}
	return writerOf(roster, signer, author, act, g.o.Now)
}

func writerOf(roster *policy.Roster, signer *seal.Signer, author source.Author, act ledger.Act, now func() time.Time) (ledger.Writer, error) {
	key := signer.PublicKey().Fingerprint()
	h, err := roster.Writer(key, now())
	if err != nil {
		return ledger.Writer{}, distrust("the receipts' %w", err)
	}
	if why := mayNot(roster, h, act); why != "" {
		return ledger.Writer{}, distrust("key %s: %s", key.Short(), why)
	}
	if author.Name == "" {
		author.Name = h.ID()
	}
	if author.Email == "" {
		author.Email = h.ID() + "@charter.invalid"
	}
	return ledger.Writer{By: ledger.By{Fingerprint: key.String(), ID: h.ID()}, Author: author, Sign: signer.SignCommit, Now: now}, nil
}

// live counts the rows that are live, where a plan takes rows away.
func (g *Governance) live(ctx context.Context, e EHR, bulk bool, p *plan.Plan) (policy.Live, error) {
	live := policy.Live{Rows: map[string]int{}}
	if !p.TakesAway() {
		return live, nil
	}
	count := func(grant catalog.Grant) error {
		live.Rows[grant.Tenant.String()] = len(grant.Rows)
		live.Total += len(grant.Rows)
		return nil
	}
	return live, eachGrant(ctx, e, bulk, count)
}

// begin writes the receipt of what is about to be done, or takes up the one that
// an interrupted try of the same plan has left open.
func (g *Governance) begin(ctx context.Context, e EHR, w ledger.Writer, o Order, digest plan.Digest, j *Judgement, t Testimony) (*ledger.Receipt, error) {
	if r, err := g.resume(digest); r != nil || err != nil {
		return r, err
	}
	if err := g.Replayed(o.Plan, digest); err != nil {
		return nil, err
	}
	draft := ledger.Draft{Plan: o.File, Files: map[string][]byte{}, Intent: ledger.Intent{
		Act: ledger.Apply, At: o.Plan.At, Audit: t.Head, Batches: j.batches(o), Commit: o.Plan.Source.Commit, Tree: o.Plan.Source.Tree,
		Instance: o.Plan.Instance, Only: only(o.Only), Approvals: []ledger.Approval{}, CreatedAt: g.o.Now(),
	}, Holds: func(*ledger.Ledger) error {
		return errors.Join(g.Ancestry(ctx, o.Plan.Source.Commit), g.Replayed(o.Plan, digest))
	}}
	roster, err := g.Roster(ctx)
	if err != nil {
		return nil, err
	}
	counts := j.counting()
	for i, b := range j.bundles {
		name := bundleName(j.approvals[i].Opened.Signer, i)
		draft.Files[name] = b.Data
		if !counts[i] {
			continue
		}
		by := g.approver(roster, j.approvals[i].Opened)
		draft.Intent.Approvals = append(draft.Intent.Approvals, ledger.Approval{Bundle: name, By: by})
	}
	j.keepMandate(draft.Files, o)
	j.keepBeside(draft.Files, o.Plan)
	if err := g.wouldHold(ctx, &draft, o.Plan); err != nil {
		return nil, err
	}
	r, err := g.Ledger.Intent(ctx, w, draft)
	return r, asTrust(err)
}

// wouldHold judges the receipt of a plan that puts another policy or catalogue in
// force as whoever reads the ledger will, before it is written: what they would not
// take is not begun.
func (g *Governance) wouldHold(ctx context.Context, draft *ledger.Draft, p *plan.Plan) error {
	r := &ledger.Receipt{Number: g.Ledger.Len(), Intent: &draft.Intent, Outcome: &ledger.Outcome{Policy: g.Ledger.Policy(), Catalog: g.Ledger.Catalog()}}
	intent := draft.Intent
	intent.Policy, intent.Catalog = g.Ledger.Policy(), g.Ledger.Catalog()
	for name := range draft.Files {
		intent.Files = append(intent.Files, ledger.File{Name: name})
	}
	r.Intent = &intent
	became, inForce := map[plan.Digest]Outcome{}, g.inForce(p)
	for _, b := range intent.Batches {
		state := Done
		if inForce[b.Digest] {
			state = Already
		}
		became[b.Digest] = Outcome{State: state}
		r.Outcome.Batches = append(r.Outcome.Batches, ledger.Result{Digest: b.Digest, State: ledger.State(state)})
	}
	policy, catalogue := turned(p, plan.Policy, became), turned(p, plan.Catalog, became)
	if policy == nil && catalogue == nil {
		return nil
	}
	if policy != nil {
		r.Outcome.Policy = *policy
	}
	if catalogue != nil {
		r.Outcome.Catalog = *catalogue
	}
	g.draft = draft
	defer func() { g.draft = nil }()
	why, err := g.unlawful(ctx, r)
	if err == nil && why != "" {
		err = distrust("nobody who reads the ledger would take what this puts in force: %s", why)
	}
	return err
}

// approver is who gave an approval: whoever signed it, but for a review the person
// of the account, by the notary's key.
func (g *Governance) approver(roster *policy.Roster, opened *seal.Opened) ledger.By {
	by := ledger.By{Fingerprint: opened.Signer.String()}
	if review := opened.Approval.Review; review != nil {
		if person, err := roster.Account(review.Account, g.o.Now()); err == nil {
			by.ID = person.ID
		}
	} else if h, err := roster.Holder(opened.Signer, g.o.Now()); err == nil {
		by.ID = h.ID()
	}
	return by
}

// counting are the approvals that count for something that is done.
func (j *Judgement) counting() map[int]bool {
	counts := map[int]bool{}
	for i := range j.Units {
		for _, a := range j.Units[i].Approvals {
			counts[a] = true
		}
	}
	return counts
}

// bundleName is the name under which a receipt keeps a bundle.
func bundleName(signer seal.Fingerprint, n int) string {
	return fmt.Sprintf("plan.json.%s-%d%s", signer.Short(), n, seal.BundleSuffix)
}

func only(tenants map[catalog.TenantID]bool) []string {
	if tenants == nil {
		return nil
	}
	list := []string{}
	for id := range tenants {
		list = append(list, id.String())
	}
	slices.Sort(list)
	return list
}

// batches are those that will be tried, then the entries that are approved.
func (j *Judgement) batches(o Order) []ledger.Batch {
	list := []ledger.Batch{}
	for i := range o.Plan.Batches {
		b := &o.Plan.Batches[i]
		if b.Among(o.Only) && j.Units[i].Allowed() {
			list = append(list, ledger.Batch{Digest: b.Digest, Path: requestPath(b), Subject: b.Subject, Tenant: b.Tenant})
		}
	}
	for i := range o.Plan.Scheduled {
		e := &o.Plan.Scheduled[i]
		if (o.Only == nil || o.Only[tenantOf(e.Tenant)]) && j.Units[len(o.Plan.Batches)+i].Allowed() {
			list = append(list, ledger.Batch{At: &e.At, Digest: e.Digest, Subject: e.Subject, Tenant: e.Tenant})
		}
	}
	return list
}

func tenantOf(name string) catalog.TenantID {
	id, err := catalog.ParseTenantID(name)
	if err != nil {
		return catalog.TenantID{}
	}
	return id
}

// end writes what became of a receipt.
func (g *Governance) end(ctx context.Context, e EHR, w ledger.Writer, o Order, r *ledger.Receipt, j *Judgement, outcomes []Outcome) error {
	results := ledger.Results{Audit: r.Intent.Audit, Skipped: j.skipped(o, r), InStep: g.inStep(ctx, o)}
	if head, err := e.AuditHead(ctx); err == nil && head.Seq > 0 {
		results.Audit = &ledger.AuditEntry{Hash: head.Hash, Seq: head.Seq}
	}
	became := map[plan.Digest]Outcome{}
	for _, outcome := range outcomes {
		became[outcome.Batch] = outcome
	}
	for _, b := range r.Intent.Batches {
		results.Batches = append(results.Batches, resultOf(b, became))
	}
	maps.DeleteFunc(became, func(batch plan.Digest, _ Outcome) bool { return !names(r, batch) })
	results.Policy, results.Catalog = turned(o.Plan, plan.Policy, became), turned(o.Plan, plan.Catalog, became)
	return asTrust(g.Ledger.Outcome(ctx, w, r.ID, results))
}

func resultOf(b ledger.Batch, became map[plan.Digest]Outcome) ledger.Result {
	if b.At != nil {
		return ledger.Result{Digest: b.Digest, State: ledger.Scheduled}
	}
	o, known := became[b.Digest]
	if !known {
		return ledger.Result{Digest: b.Digest, State: ledger.State(NotTried)}
	}
	return ledger.Result{Digest: b.Digest, Revision: o.Revision, State: ledger.State(o.State), Text: o.Text}
}

// turned is what is in force of the fleet's own rules from now on; nil where it
// stays.
func turned(p *plan.Plan, subject plan.Subject, became map[plan.Digest]Outcome) *ledger.Pin {
	for i := range p.Batches {
		b := &p.Batches[i]
		if b.Subject != subject || became[b.Digest].State != Done {
			continue
		}
		if now, err := plan.ParseDigest(b.Changes[0].After); err == nil {
			return &ledger.Pin{Commit: p.Source.Commit, Digest: now}
		}
	}
	return nil
}

// skipped is what the plan leaves as it is: held, unreadable, refused, unapproved.
func (j *Judgement) skipped(o Order, r *ledger.Receipt) []ledger.Skip {
	skips := map[ledger.Skip]bool{}
	for _, left := range j.left {
		skips[left] = true
	}
	for _, h := range o.Plan.Held {
		if h.Facility == "" {
			skips[ledger.Skip{Reason: "held", Tenant: h.Tenant}] = true
		}
	}
	for _, u := range o.Plan.Unreadable {
		skips[ledger.Skip{Reason: "unreadable", Tenant: u.Tenant}] = true
	}
	for _, r := range o.Plan.Refusals {
		if r.Code == plan.NotOffered {
			skips[ledger.Skip{Reason: "refused", Tenant: r.Tenant}] = true
		}
	}
	for i := range o.Plan.Batches {
		if b, u := &o.Plan.Batches[i], &j.Units[i]; b.Among(o.Only) && (!u.Allowed() || !names(r, b.Digest)) {
			skips[ledger.Skip{Reason: "unapproved", Subject: b.Subject, Tenant: b.Tenant}] = true
		}
	}
	list := slices.SortedFunc(maps.Keys(skips), compareSkips)
	return append([]ledger.Skip{}, list...)
}

// inStep counts the declared tenants that the plan has nothing of.
func (g *Governance) inStep(ctx context.Context, o Order) int {
	desired, err := g.declared(ctx, o.Plan.Source.Commit)
	if err != nil {
		return 0
	}
	n := 0
	for i := range desired.Tenants {
		if d := &desired.Tenants[i]; d.Environment == g.o.Environment && !o.Plan.Touches(d.ID) {
			n++
		}
	}
	return n
}
