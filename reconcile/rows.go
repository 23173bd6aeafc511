package reconcile

import (
	"errors"
	"fmt"
	"slices"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/ehr"
)

// tenantGone is why a batch of a tenant that is no longer there has moved.
const tenantGone = "the platform no longer has the tenant"

// rows carries out a batch of a tenant's rows. live is the tenant's grant where
// it was read already.
func (a *applier) rows(b *plan.Batch, o *Outcome, live *catalog.Grant) {
	id, err := catalog.ParseTenantID(b.Tenant)
	if err == nil && live == nil {
		var g catalog.Grant
		g, err = a.ehr.Grant(a.ctx, id)
		live = &g
	}
	switch {
	case a.ctx.Err() != nil:
	case ehr.IsNotFound(err):
		o.State, o.Text = Moved, tenantGone
	case err != nil:
		o.unread(err)
	default:
		a.settle(b, o, id, live)
	}
}

// unread notes that nothing is known of what a batch stands on.
func (o *Outcome) unread(err error) {
	o.State, o.Text, o.Unreadable = NotTried, err.Error(), true
}

// settle compares a batch with the live grant, and writes it where it stands on
// just that.
func (a *applier) settle(b *plan.Batch, o *Outcome, id catalog.TenantID, live *catalog.Grant) {
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
	case !a.standsOn(b, live, revoked, granted):
		a.moved(o, b, live)
	default:
		a.put(b, o, id, live.Stamp, rows)
	}
}

// standsOn reports whether the live grant is the one that a batch was planned on:
// of that stamp, or, where the plan itself has made the sites, the next revision,
// with all the rows that come with them and nothing of what the batch brings.
func (a *applier) standsOn(b *plan.Batch, live *catalog.Grant, revoked, granted catalog.Rows) bool {
	if stamp, ok := b.Base.Stamp(); ok {
		return stamp == live.Stamp
	}
	if b.Base.At != nil { // on any revision, and whole
		return !a.request.Now.Before(*b.Base.At) && len(revoked.Minus(live.Rows)) == 0 && len(granted.Minus(live.Rows)) == len(granted)
	}
	made, err := a.madeFor(b.Tenant)
	return err == nil && b.Base.Provisioned != nil && live.Stamp.Revision == *b.Base.Provisioned+1 &&
		len(made.Minus(live.Rows)) == 0 && len(revoked.Minus(live.Rows)) == 0 && len(granted.Minus(live.Rows)) == len(granted)
}

// madeFor returns the rows that come with the sites which the plan makes for a
// tenant.
func (a *applier) madeFor(tenant string) (catalog.Rows, error) {
	var rows []plan.Change
	for i := range a.request.Plan.Batches {
		b := &a.request.Plan.Batches[i]
		if b.Subject != plan.Provision || b.Tenant != tenant {
			continue
		}
		for _, c := range b.Changes {
			if c.Kind == plan.KindRow {
				rows = append(rows, c)
			}
		}
	}
	_, made, err := plan.Rows(rows)
	return made, err
}

func (a *applier) moved(o *Outcome, b *plan.Batch, live *catalog.Grant) {
	o.State, o.Revision = Moved, live.Stamp.Revision
	o.Text = fmt.Sprintf("planned on %s, and the grant is at revision %d", b.Base.Words(), live.Stamp.Revision)
}

// put writes a tenant's rows. Where the answer does not tell what became of it,
// the live grant does: it names the batch that wrote it.
func (a *applier) put(b *plan.Batch, o *Outcome, id catalog.TenantID, base catalog.Stamp, rows catalog.Rows) {
	authority, err := a.authority(b)
	if err != nil {
		o.State, o.Text = Refused, err.Error()
		return
	}
	stamp, err := a.ehr.PutGrant(a.write, id, base, rows, authority, a.key(b))
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
	live, readErr := a.ehr.Grant(a.write, id)
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
