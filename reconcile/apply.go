package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/ehr"
)

// otherTime is how far a plan's own time may be from the time it was made: one
// that judged dates by another day must not be carried out today.
const otherTime = 5 * time.Minute

// grace is how long writes that are under way may still take after an interrupt.
const grace = 20 * time.Second

// tenantGone is why a batch of a tenant that is no longer there has moved.
const tenantGone = "the platform no longer has the tenant"

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
}

// ApplyRequest says what to carry out. The caller has verified the approvals.
type ApplyRequest struct {
	Plan      *plan.Plan
	Digest    plan.Digest // of the plan's file
	Approvals []Approval
	Now       time.Time
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
	if len(r.Plan.Batches) > fewTenants && streams(e, platform) {
		err = a.bulk(ctx, write)
	} else {
		err = a.each(ctx, write)
	}
	if err != nil && ctx.Err() == nil {
		a.giveUp(err)
	}
	return a.outcomes, nil
}

// CheckTime refuses, with a StaleError, a plan whose time is over, or that judged dates by another time.
func CheckTime(p *plan.Plan, now time.Time) error {
	switch {
	case !now.Before(p.ExpiresAt):
		return &StaleError{"it expired at " + p.ExpiresAt.Format(time.RFC3339)}
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
	for i := range r.Plan.Batches {
		b := &r.Plan.Batches[i]
		a.outcomes[i] = Outcome{Batch: b.Digest, State: NotTried, Subject: string(b.Subject), Tenant: b.Tenant, Text: "interrupted before its turn"}
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

// giveUp explains the batches that a fault kept from their turn.
func (a *applier) giveUp(err error) {
	for i := range a.outcomes {
		if o := &a.outcomes[i]; o.State == NotTried && !o.Unreadable {
			o.Text, o.Unreadable = err.Error(), true
		}
	}
}

// each reads and writes the batches' tenants one by one, side by side.
func (a *applier) each(ctx, write context.Context) error {
	g := &errgroup.Group{}
	g.SetLimit(a.ehr.Parallelism())
	for i := range a.request.Plan.Batches {
		g.Go(func() error { a.carry(ctx, write, i, nil); return nil })
	}
	return g.Wait()
}

// bulk reads all grants in one stream and writes each batch as its tenant comes
// by: a grant that came is whole, whatever becomes of the stream, and a write
// stands on its stamp. Batches of tenants that do not come are read one by one.
func (a *applier) bulk(ctx, write context.Context) error {
	g := &errgroup.Group{}
	g.SetLimit(besideStream(a.ehr))
	index := make(map[string]int, len(a.request.Plan.Batches))
	for i := range a.request.Plan.Batches {
		index[a.request.Plan.Batches[i].Tenant] = i
	}
	_, err := a.ehr.Grants(ctx, func(grant catalog.Grant) error {
		if i, ok := index[grant.Tenant.String()]; ok {
			delete(index, grant.Tenant.String())
			g.Go(func() error { a.carry(ctx, write, i, &grant); return nil })
		}
		return nil
	})
	if err == nil {
		for _, i := range index {
			g.Go(func() error { a.carry(ctx, write, i, nil); return nil })
		}
	}
	return errors.Join(err, g.Wait())
}

// carry brings one batch to its outcome. live is the tenant's grant where it was
// read already.
func (a *applier) carry(ctx, write context.Context, i int, live *catalog.Grant) {
	b := &a.request.Plan.Batches[i]
	o := &a.outcomes[i]
	id, err := catalog.ParseTenantID(b.Tenant)
	if err == nil && live == nil {
		var g catalog.Grant
		g, err = a.ehr.Grant(ctx, id)
		live = &g
	}
	switch {
	case ctx.Err() != nil:
		return // interrupted before the write; it says so already
	case ehr.IsNotFound(err):
		o.State, o.Text = Moved, tenantGone
	case err != nil:
		o.State, o.Text, o.Unreadable = NotTried, err.Error(), true
	default:
		a.settle(write, b, o, id, live)
	}
	a.report(o)
}

// settle compares a batch with the live grant, and writes it where it stands on
// just that.
func (a *applier) settle(write context.Context, b *plan.Batch, o *Outcome, id catalog.TenantID, live *catalog.Grant) {
	revoked, granted, err := plan.Rows(b.Changes)
	if err != nil {
		o.State, o.Text = Refused, err.Error()
		return
	}
	rows := live.Rows.Minus(revoked).Union(granted)
	o.Revision = live.Stamp.Revision
	switch {
	case slices.Equal(rows, live.Rows):
		o.State, o.Text = Already, ""
	case live.Stamp != b.Base:
		a.moved(o, b, live)
	default:
		a.put(write, b, o, id, rows)
	}
}

func (a *applier) moved(o *Outcome, b *plan.Batch, live *catalog.Grant) {
	o.State, o.Revision = Moved, live.Stamp.Revision
	o.Text = fmt.Sprintf("planned on revision %d, and the grant is at revision %d", b.Base.Revision, live.Stamp.Revision)
}

// put writes a tenant's rows. Where the answer does not tell what became of it,
// the live grant does: it names the batch that wrote it.
func (a *applier) put(ctx context.Context, b *plan.Batch, o *Outcome, id catalog.TenantID, rows catalog.Rows) {
	authority, err := a.authority(b)
	if err != nil {
		o.State, o.Text = Refused, err.Error()
		return
	}
	stamp, err := a.ehr.PutGrant(ctx, id, b.Base, rows, authority, a.key(b))
	if err == nil {
		o.State, o.Revision, o.Text = Done, stamp.Revision, ""
		return
	}
	var said *ehr.Problem
	switch {
	case ehr.IsNotFound(err):
		o.State, o.Text = Moved, tenantGone
		return
	case errors.As(err, &said) && !ehr.IsMoved(err):
		o.State, o.Text = Refused, err.Error()
		return
	}
	live, readErr := a.ehr.Grant(ctx, id)
	switch {
	case readErr != nil:
		o.State, o.Text = Unconfirmed, errors.Join(err, readErr).Error()
	case live.Batch == b.Digest.String() && slices.Equal(live.Rows, rows):
		o.State, o.Revision, o.Text = Done, live.Stamp.Revision, ""
	case ehr.IsMoved(err):
		a.moved(o, b, &live)
	default:
		o.State, o.Text = Unconfirmed, err.Error()
	}
}

// key is the batch's Idempotency-Key: the same for every try of it in this plan.
func (a *applier) key(b *plan.Batch) string {
	return plan.DigestOf([]byte(a.request.Digest.String() + "\n" + b.Digest.String())).Hex()
}

// authority gathers, for one batch, the approvals that it is among.
func (a *applier) authority(b *plan.Batch) (*ehr.Authority, error) {
	authority := &ehr.Authority{
		Base: b.BaseLine(), Batch: b.Digest.String(), Environment: a.request.Plan.Environment, Approvals: []ehr.Approval{},
	}
	for _, s := range a.signed {
		index, among := s.index[b.Digest]
		if !among {
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
	return authority, nil
}

func (a *applier) report(o *Outcome) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.done++
	if a.request.Progress != nil {
		a.request.Progress(a.done, len(a.outcomes), *o)
	}
}
