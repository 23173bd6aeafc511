package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/policy"
	"github.com/veonahealth/charter/reconcile/ledger"
	"github.com/veonahealth/charter/reconcile/source"
	"github.com/veonahealth/charter/schema"
)

// Governance is what a plan is judged and carried out by where a ledger is
// founded: the receipts, the policy that was applied last, and the commits that
// both stand on. It is for one goroutine at a time, but for History.
type Governance struct {
	Ledger *ledger.Ledger
	o      GovernanceOptions
	// vouched is an entry of the audit trail up to which the platform names no receipt
	// that the ledger has to have.
	vouched ledger.AuditEntry
	// draft is a receipt that is looked at before it is written; nil for none.
	draft *ledger.Draft

	mu      sync.Mutex // History is asked by many goroutines
	desired map[string]*catalog.Desired
	lasts   map[int]*plan.Last
	rosters map[ledger.Pin]*policy.Roster
}

// GovernanceOptions say which ledger is meant, and how to read a commit.
type GovernanceOptions struct {
	Repo        *source.Repository
	Environment catalog.Environment
	Root        ledger.ID // of the founding receipt, known beforehand
	// Evaluate gives what a commit declares.
	Evaluate func(ctx context.Context, commit string) (*catalog.Desired, error)
	// Newest is the newest commit that is known, whose holds count for older plans
	// too; "" for none.
	Newest string
	// Cache is a folder in which to keep what was verified; "" for none.
	Cache string
	Now   func() time.Time
}

// TrustError says that something signed, or something that should be, is not as
// it has to be: the ledger, the ancestry, the commits.
type TrustError struct{ Err error }

func (e *TrustError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *TrustError) Unwrap() error { return e.Err }

func distrust(format string, args ...any) error { return &TrustError{fmt.Errorf(format, args...)} }

// Govern opens and verifies the ledger.
func Govern(ctx context.Context, o GovernanceOptions) (*Governance, error) {
	g := newGovernance(o)
	var err error
	g.Ledger, err = ledger.Open(ctx, g.ledgerOptions())
	return g, asTrust(err)
}

func newGovernance(o GovernanceOptions) *Governance {
	return &Governance{o: o, desired: map[string]*catalog.Desired{}, lasts: map[int]*plan.Last{}, rosters: map[ledger.Pin]*policy.Roster{}}
}

func (g *Governance) ledgerOptions() ledger.Options {
	return ledger.Options{Repo: g.o.Repo, Environment: g.o.Environment, Root: g.o.Root, Trust: g, Cache: g.o.Cache}
}

// asTrust makes of what the ledger says of itself what it is: a matter of trust.
// That a remote does not answer is none.
func asTrust(err error) error {
	var (
		tampered *ledger.TamperError
		rolled   *ledger.RolledBackError
		forked   *ledger.ForkedError
		unknown  *ledger.UnknownError
		parted   *ledger.PartedError
	)
	if errors.As(err, &parted) || errors.As(err, &tampered) || errors.As(err, &rolled) || errors.As(err, &forked) || errors.As(err, &unknown) {
		return &TrustError{err}
	}
	return err
}

// unreadError says that what a commit declares is not known here, such as when the
// commit is not in this clone.
type unreadError struct{ error }

func (e *unreadError) Unwrap() error { return e.error }

// judged gives an error of judging a receipt: where something could not be read for
// it, nothing speaks against the receipt.
func judged(err error) error {
	var unread *unreadError
	if errors.As(err, &unread) {
		return &ledger.UnjudgedError{Err: unread.error}
	}
	return err
}

// declared is what a commit declares.
func (g *Governance) declared(ctx context.Context, commit string) (*catalog.Desired, error) {
	g.mu.Lock()
	known := g.desired[commit]
	g.mu.Unlock()
	if known != nil {
		return known, nil
	}
	desired, err := g.o.Evaluate(ctx, commit)
	if err != nil {
		err = fmt.Errorf("commit %.12s: %w", commit, err)
		var problems schema.Problems
		slow := func(p schema.Problem) bool { return p.Code == schema.OverBudget } // here, and perhaps not elsewhere
		if !errors.As(err, &problems) || slices.ContainsFunc(problems, slow) {
			err = &unreadError{err}
		}
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.desired[commit] = desired
	return desired, nil
}

// Roster is the policy in force, with its keys.
func (g *Governance) Roster(ctx context.Context) (*policy.Roster, error) {
	return g.roster(ctx, g.Ledger.Policy())
}

// wrongClock is how far the clocks of two machines may be apart.
const wrongClock = 24 * time.Hour

// Turned implements ledger.Trust: it judges the receipt by which the policy or the
// catalogue came to be another. That a machine signed it does not put it in force.
func (g *Governance) Turned(ctx context.Context, l *ledger.Ledger, r *ledger.Receipt) error {
	why := "it is no apply"
	if r.Intent.Act == ledger.Apply {
		o := g.o
		o.Evaluate = g.declared
		then := newGovernance(o)
		then.Ledger = l
		var err error
		if why, err = then.unlawful(ctx, r); err != nil {
			return judged(err)
		}
	}
	if why != "" {
		return fmt.Errorf("it puts another policy or catalogue in force without authority: %s", why)
	}
	return nil
}

// unlawful says why a receipt does not put in force what it says; "".
func (g *Governance) unlawful(ctx context.Context, r *ledger.Receipt) (string, error) {
	p, verdict, text, err := g.rejudge(ctx, r)
	if err != nil || text != "" {
		return text, err
	}
	desired, err := g.declared(ctx, p.Source.Commit)
	if err != nil {
		return "", err
	}
	if err := rulesOf(p, desired); err != nil {
		return err.Error(), nil
	}
	if err := g.descends(ctx, p.Source.Commit, r.Number); err != nil {
		var untrusted *TrustError
		if errors.As(err, &untrusted) {
			return err.Error(), nil
		}
		return "", err
	}
	if before := g.Ledger.Dated(g.sealedBefore(r.Number), r.Number); before.Sub(r.Intent.CreatedAt) > wrongClock { // into the days of an approval that has ended
		return fmt.Sprintf("it is dated %s, and receipts before it %s; where that clock was wrong, charter seal --reason, signed by a person who holds policy.write, goes on",
			r.Intent.CreatedAt.Format(time.RFC3339), before.Format(time.RFC3339)), nil
	}
	for i := range p.Batches {
		result, of := r.Result(p.Batches[i].Digest)
		refusal := verdict.Units[i].Refusal
		if p.Batches[i].Subject.OfFleet() && of && result.State == ledger.Done && refusal != nil {
			return refusal.Error(), nil
		}
	}
	for _, pin := range []struct {
		subject plan.Subject
		was, is ledger.Pin
	}{{plan.Policy, r.Intent.Policy, r.Outcome.Policy}, {plan.Catalog, r.Intent.Catalog, r.Outcome.Catalog}} {
		if pin.is != pin.was && !turns(p, r, pin.subject, pin.was, pin.is) {
			return fmt.Sprintf("its plan does not make it the %s of commit %.12s", pin.subject, pin.is.Commit), nil
		}
	}
	_, err = g.roster(ctx, r.Outcome.Policy)
	return "", err
}

// sealedBefore is the number of the newest seal before a receipt, which a person has
// signed; 0 for none.
func (g *Governance) sealedBefore(number int) int {
	for _, n := range slices.Backward(g.Ledger.OfAct(ledger.Seal)) {
		if n < number {
			return n
		}
	}
	return 0
}

// turns reports whether a receipt carried out a batch that makes of one policy or
// catalogue the other.
func turns(p *plan.Plan, r *ledger.Receipt, subject plan.Subject, was, is ledger.Pin) bool {
	return slices.ContainsFunc(p.Batches, func(b plan.Batch) bool {
		result, of := r.Result(b.Digest)
		return b.Subject == subject && of && result.State == ledger.Done && is.Commit == p.Source.Commit &&
			b.Changes[0].Before == was.Digest.String() && b.Changes[0].After == is.Digest.String()
	})
}

// roster reads a policy at the commit where it was pinned, if it is the one that
// was.
func (g *Governance) roster(ctx context.Context, pin ledger.Pin) (*policy.Roster, error) {
	if known := g.rosters[pin]; known != nil {
		return known, nil
	}
	desired, err := g.declared(ctx, pin.Commit)
	if err != nil {
		return nil, err
	}
	if desired.Policy != pin.Digest.String() {
		return nil, distrust("the policy at commit %.12s is %s, and the ledger pins %s", pin.Commit, desired.Policy, pin.Digest)
	}
	roster, err := policy.NewRoster(&desired.PolicyData)
	if err != nil {
		return nil, err
	}
	g.rosters[pin] = roster
	return roster, nil
}

// Signer implements ledger.Trust: a machine that may apply signs what is carried
// out; what founds the ledger, mends it or seals a range of commits may be signed
// by a person who holds policy.write too, and what founds it by a key for recovery.
func (g *Governance) Signer(ctx context.Context, in ledger.Pin, act ledger.Act, after time.Time, object []byte) (ledger.By, error) {
	roster, err := g.roster(ctx, in)
	if err != nil {
		return ledger.By{}, judged(err)
	}
	h, err := roster.Signed(object, after)
	if err != nil {
		return ledger.By{}, err
	}
	if why := mayNot(roster, h, act); why != "" {
		return ledger.By{}, errors.New(why)
	}
	return ledger.By{Fingerprint: h.Key.String(), ID: h.ID()}, nil
}

// mayNot says why somebody may not sign a receipt of an act; "" where they may.
func mayNot(roster *policy.Roster, h policy.Holder, act ledger.Act) string {
	switch {
	case h.Recovery && act != ledger.Founding:
		return "a key for recovery signs a policy or the founding of a ledger, and nothing else"
	case h.Recovery:
		return ""
	case act == ledger.Seal && h.Person == nil: // or whoever holds a machine's key could let any commit pass
		return fmt.Sprintf("%s is a machine, and what seals a range of commits is signed by a person who holds policy.write", h.ID())
	case h.May(catalog.MayApply), h.May(catalog.MayCorrect) && act == ledger.Apply:
		return ""
	case act == ledger.Apply && h.Person != nil:
		return fmt.Sprintf("%s is a person, and receipts of an apply are signed by an applier of the policy", h.ID())
	case h.Person != nil && roster.Policy().Holds(h.Person, "policy.write"):
		return ""
	}
	return fmt.Sprintf("%s may not sign a receipt of kind %s", h.ID(), act)
}

// History tells what was last applied of a subject. It may be asked by many
// goroutines at once.
func (g *Governance) History(ctx context.Context) plan.History {
	return func(subject plan.Subject, of string) (*plan.Last, error) {
		g.mu.Lock()
		applied, found := g.Ledger.LastApplied(of, subject)
		last := g.lasts[applied.Number]
		g.mu.Unlock()
		if !found || last != nil {
			return last, nil
		}
		desired, err := g.declared(ctx, applied.Commit)
		if err != nil {
			return nil, err
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.lasts[applied.Number] == nil {
			g.lasts[applied.Number] = &plan.Last{Desired: desired, At: applied.At}
		}
		return g.lasts[applied.Number], nil
	}
}

// Bind makes a plan that is to be made one of this ledger: on what was last
// applied, and with the rows held that a rollback takes back.
func (g *Governance) Bind(ctx context.Context, r *PlanRequest) error {
	policy, catalogue := g.Ledger.Policy().Digest, g.Ledger.Catalog().Digest
	r.History, r.LastPolicy, r.LastCatalog = g.History(ctx), &policy, &catalogue
	r.Scheduled = func(entry plan.Digest) bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return len(g.Ledger.Scheduled(entry)) > 0 && len(g.Ledger.Spent(entry)) == 0
	}
	if last, found := g.Ledger.LastApply(); found {
		r.Base = &plan.Applied{Commit: last.Commit, Receipt: last.Receipt.String()}
	}
	holds, err := g.Rollbacks(ctx, r.Source.Commit, r.At)
	if err == nil && len(holds) > 0 {
		held := *r.Desired
		held.Holds = append(slices.Clone(held.Holds), holds...)
		r.Desired = &held
	}
	return err
}

// LastApplied is what was declared, and at what time, when everything was last
// applied; nil before the first apply.
func (g *Governance) LastApplied(ctx context.Context) (*plan.Last, error) {
	last, found := g.Ledger.LastApply()
	if !found {
		return nil, nil
	}
	desired, err := g.declared(ctx, last.Commit)
	return &plan.Last{Desired: desired, At: last.At}, err
}

// newestCommit is the one that the newest apply before a receipt was of; "" before
// the first. One that carried nothing out counts for nothing, and one of a commit
// that nobody has only until a person seals another.
func (g *Governance) newestCommit(before int) (string, error) {
	sealed := ""
	for number := before - 1; number >= 0; number-- {
		act := g.Ledger.Act(number)
		if act != ledger.Apply && act != ledger.Seal {
			continue
		}
		r, err := g.Ledger.At(number)
		if err != nil {
			return "", asTrust(err)
		}
		switch {
		case act == ledger.Seal && sealed == "":
			sealed = r.Intent.Commit
		case act == ledger.Seal, !g.carriedOut(r):
		case sealed != "" && !g.has(r.Intent.Commit):
			return sealed, nil
		default:
			return r.Intent.Commit, nil
		}
	}
	return "", nil
}

// carriedOut reports whether a receipt of an apply may have carried anything out:
// what one that is open did is not known.
func (g *Governance) carriedOut(r *ledger.Receipt) bool {
	if r.Outcome == nil {
		return !g.abandoned(r)
	}
	return len(r.Outcome.Batches) == 0 || slices.ContainsFunc(r.Outcome.Batches, func(b ledger.Result) bool {
		return b.State != ledger.State(NotTried) && b.State != ledger.State(Refused)
	})
}

// has reports whether a commit is in the repository.
func (g *Governance) has(commit string) bool {
	_, err := g.o.Repo.ReadCommit(commit)
	return err == nil
}

// Require gives a plan what the policy in force asks for: its requirements, and
// what stands in its way whoever approves.
func (g *Governance) Require(ctx context.Context, p *plan.Plan, desired *catalog.Desired) error {
	in, err := g.facts(ctx, p, desired, policy.Live{})
	if err != nil {
		return err
	}
	p.Requires = policy.Requires(p, in.Roster.Policy(), desired, in.Last, in.LastCatalog)
	if in.Trust != nil { // it is one of several things that are shown
		p.Refuse(plan.Refusal{Code: plan.Code(policy.Trust), Text: in.Trust.Error()})
		in.Trust = nil
	}
	verdict := policy.Judge(in)
	p.Refuse(verdict.Blocked()...)
	return nil
}
