package reconcile

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/ehr"
)

// otherTime is how far a plan's own time may be from the time it was made: one
// that judged dates by another day must not be carried out today.
const otherTime = 5 * time.Minute

// grace is how long writes that are under way may still take after an interrupt.
const grace = 20 * time.Second

// State is what became of a batch.
type State string

// The states of a batch after an apply.
const (
	Done        State = "done"        // written now, or by an earlier try of the same batch
	Already     State = "already"     // the rows were as planned before anything was written
	Moved       State = "moved"       // its grant is no longer the one it was planned on
	Refused     State = "refused"     // the platform said no
	Unconfirmed State = "unconfirmed" // sent, and nobody knows whether it was carried out
	NotTried    State = "not-tried"   // interrupted, or its live state could not be read
)

// Outcome is what became of one batch.
type Outcome struct {
	Batch      plan.Digest `json:"batch"`
	Path       string      `json:"path"`     // of its request
	Revision   int64       `json:"revision"` // that it led to, or that was found; 0 where unknown
	State      State       `json:"state"`
	Subject    string      `json:"subject"`
	Tenant     string      `json:"tenant"`
	Text       string      `json:"text"` // why, where it is not done
	Unreadable bool        `json:"unreadable"`
}

// Approval is one signature over a plan's root, as it was verified.
type Approval struct {
	Bundle json.RawMessage
	// Leaves are those of the root that was signed, in their order.
	Leaves []plan.Digest
	// For are the batches that it counts for; nil for every one among the leaves.
	For map[plan.Digest]bool
}

// ApplyRequest says what to carry out. The caller has verified the approvals.
type ApplyRequest struct {
	Plan      *plan.Plan
	Digest    plan.Digest // of the plan's file
	Approvals []Approval
	Only      map[catalog.TenantID]bool // the tenants to carry it out for; nil for all
	Allowed   map[plan.Digest]bool      // the batches that may be carried out; nil for all
	Receipt   string                    // the id of the receipt that every write names; "" where no ledger is founded
	Now       time.Time
	// Mandate gives the field of that name of a batch's authority; nil, or giving nil,
	// where people approved it.
	Mandate func(*plan.Batch) (json.RawMessage, error)
	// InForce are the batches of the fleet's own rules that need nothing done.
	InForce map[plan.Digest]bool
	// Progress is called after each batch, by one goroutine at a time; may be nil.
	Progress func(done, of int, o Outcome)
}

// StaleError says that a plan as a whole no longer holds.
type StaleError struct{ Text string }

func (e *StaleError) Error() string { return "the plan no longer holds: " + e.Text }

// Apply carries out a plan, and says what became of each of its batches, in the
// plan's order. An error means that nothing was written: StaleError and
// InstanceError that the plan is not for this time or platform. When ctx is
// cancelled no further batch is begun, those under way are brought to an end,
// and the outcomes say where it stopped.
func Apply(ctx context.Context, e EHR, r ApplyRequest) ([]Outcome, error) {
	if err := CheckTime(r.Plan, r.Now); err != nil {
		return nil, err
	}
	platform, err := e.Platform(ctx)
	if err != nil {
		return nil, err
	}
	if platform.Instance != r.Plan.Instance {
		return nil, &InstanceError{r.Plan.Instance, platform.Instance}
	}
	a, err := newApplier(e, r)
	if err != nil {
		return nil, err
	}
	write, cancel := outlast(ctx)
	defer cancel()
	a.ctx, a.write = ctx, write
	if err := a.run(platform); err != nil && ctx.Err() == nil {
		a.giveUp(err)
	}
	return a.among(), nil
}

// among are the outcomes of the batches that were to be carried out.
func (a *applier) among() []Outcome {
	outcomes := []Outcome{}
	for i := range a.outcomes {
		if a.wants(i) {
			outcomes = append(outcomes, a.outcomes[i])
		}
	}
	return outcomes
}

func (a *applier) wants(i int) bool {
	b := &a.request.Plan.Batches[i]
	return b.Among(a.request.Only) && (a.request.Allowed == nil || a.request.Allowed[b.Digest])
}

// CheckTime refuses, with a StaleError, a plan whose time is over, or that judged
// dates by another time.
func CheckTime(p *plan.Plan, now time.Time) error {
	switch {
	case !now.Before(p.ExpiresAt):
		return &StaleError{"it expired at " + p.ExpiresAt.Format(time.RFC3339)}
	case p.CreatedAt.Sub(now) > otherTime:
		return &StaleError{"it was made at " + p.CreatedAt.Format(time.RFC3339) + ", which is still to come"}
	case p.At.Sub(p.CreatedAt).Abs() > otherTime:
		return &StaleError{"it judges dates as of " + p.At.Format(time.RFC3339) + ", and was made at " + p.CreatedAt.Format(time.RFC3339)}
	}
	return nil
}

// outlast gives a context that goes on for a while after ctx has ended.
func outlast(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(grace, cancel)
		context.AfterFunc(longer, func() { timer.Stop() })
	})
	return longer, func() { stop(); cancel() }
}

// applier carries out one plan.
type applier struct {
	ehr      EHR
	request  ApplyRequest
	signed   []signed
	outcomes []Outcome
	// ctx ends with the caller's patience, write a while later: what has been
	// begun is brought to an end. An applier lives for one call of Apply.
	ctx, write context.Context

	// organisations are those that the platform has before any is written.
	organisations func() (map[string]catalog.LiveOrganisation, error)
	wanted        int // batches that are to be carried out

	mu   sync.Mutex
	done int
}

// signed is an approval with what it takes to prove that a batch is among its
// leaves.
type signed struct {
	Approval
	tree  *plan.Tree
	index map[plan.Digest]int
}

func newApplier(e EHR, r ApplyRequest) (*applier, error) {
	a := &applier{ehr: e, request: r, outcomes: make([]Outcome, len(r.Plan.Batches))}
	a.organisations = sync.OnceValues(func() (map[string]catalog.LiveOrganisation, error) { return e.Organisations(a.ctx) })
	for i := range r.Plan.Batches {
		b := &r.Plan.Batches[i]
		a.outcomes[i] = Outcome{Batch: b.Digest, Path: requestPath(b), State: NotTried, Subject: string(b.Subject), Tenant: b.Tenant, Text: beforeItsTurn}
		if a.wants(i) {
			a.wanted++
		}
	}
	for _, approval := range r.Approvals {
		tree, err := plan.NewTree(approval.Leaves)
		if err != nil {
			return nil, err
		}
		s := signed{approval, tree, make(map[plan.Digest]int, len(approval.Leaves))}
		for i, leaf := range approval.Leaves {
			s.index[leaf] = i
		}
		a.signed = append(a.signed, s)
	}
	return a, nil
}

// beforeItsTurn is why a batch that was not begun was not tried, as long as nothing
// better is known.
const beforeItsTurn = "interrupted before its turn"

// giveUp explains the batches that a fault kept from their turn.
func (a *applier) giveUp(err error) {
	for i := range a.outcomes {
		if o := &a.outcomes[i]; o.State == NotTried && o.Text == beforeItsTurn {
			o.Text, o.Unreadable = err.Error(), true
		}
	}
}

// key is the batch's Idempotency-Key: the same for every try of it in this plan.
func (a *applier) key(b *plan.Batch) string {
	return plan.DigestOf([]byte(a.request.Digest.String() + "\n" + b.Digest.String())).Hex()
}

// authority gathers, for one batch, the approvals that it is among.
func (a *applier) authority(b *plan.Batch) (*ehr.Authority, error) {
	authority := &ehr.Authority{
		Base: b.Base.Line(), Batch: b.Digest.String(), Environment: a.request.Plan.Environment, Approvals: []ehr.Approval{},
	}
	if a.request.Receipt != "" {
		authority.Receipt = &a.request.Receipt
	}
	for _, s := range a.signed {
		index, among := s.index[b.Digest]
		if !among || s.For != nil && !s.For[b.Digest] {
			continue
		}
		path, err := s.tree.Prove(int64(index))
		if err != nil {
			return nil, err
		}
		proof := make([][]byte, len(path))
		for j := range path {
			proof[j] = path[j][:]
		}
		authority.Approvals = append(authority.Approvals, ehr.Approval{
			Bundle: s.Bundle, Count: len(s.Leaves), Index: index, Proof: proof,
		})
	}
	if a.request.Mandate != nil {
		var err error
		if authority.Mandate, err = a.request.Mandate(b); err != nil {
			return nil, err
		}
	}
	return authority, nil
}

func (a *applier) report(o *Outcome) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.done++
	if a.request.Progress != nil {
		a.request.Progress(a.done, a.wanted, *o)
	}
}

// Look says of each batch of a plan whether the platform has what it asks for:
// Already, or NotTried where it has not or nobody knows. Nothing is written.
func Look(ctx context.Context, e EHR, p *plan.Plan, now time.Time) (map[plan.Digest]State, error) {
	a, err := newApplier(e, ApplyRequest{Plan: p, Now: now})
	if err != nil {
		return nil, err
	}
	a.ctx, a.write = ctx, ctx
	states := map[plan.Digest]State{}
	for i := range p.Batches {
		b := &p.Batches[i]
		states[b.Digest] = NotTried
		has, err := a.has(b)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err == nil && has {
			states[b.Digest] = Already
		}
	}
	return states, nil
}

// has reports whether the platform has what a batch asks for.
func (a *applier) has(b *plan.Batch) (bool, error) {
	switch {
	case b.Subject.OfFleet():
		return false, nil
	case b.Subject != plan.Entitlements:
		now, err := a.look(b)
		return now.same, err
	}
	id, err := catalog.ParseTenantID(b.Tenant)
	if err != nil {
		return false, err
	}
	grant, err := a.ehr.Grant(a.ctx, id)
	if err != nil {
		return false, err
	}
	revoked, granted, err := plan.Rows(b.Changes)
	if err != nil {
		return false, err
	}
	return grant.Batch == b.Digest.String() || len(granted.Minus(grant.Rows)) == 0 && len(revoked.Minus(grant.Rows)) == len(revoked), nil
}
