package reconcile

import (
	"errors"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/ehr"
)

// requestPath is where a batch's request goes.
func requestPath(b *plan.Batch) string {
	if b.Subject.OfFleet() {
		return ""
	}
	if b.Request == nil {
		return "/tenants/" + b.Tenant + "/entitlements"
	}
	return b.Request.Path
}

// step carries out a batch of another subject than rows: it looks at what is
// there, sends the request where that is what the batch was planned on, and
// looks again where the answer does not tell what became of it.
func (a *applier) step(b *plan.Batch, o *Outcome) {
	now, err := a.look(b)
	switch {
	case a.ctx.Err() != nil:
	case ehr.IsNotFound(err):
		o.State, o.Text = Moved, tenantGone
	case err != nil:
		o.unread(err)
	case now.same:
		o.State, o.Text = Already, ""
	case now.base.Line() != b.Base.Line():
		o.State, o.Text = Moved, "the platform has it otherwise than when it was planned"
	case now.unseen != nil:
		o.State, o.Text = Moved, now.unseen.Error()
	case b.Subject == plan.Admin && b.Base == nil && !a.reachable(b, o):
	default:
		a.send(b, o)
	}
}

// reachable reports whether a tenant's deployment can be signed in to. An
// invitation sent before would lead nowhere.
func (a *applier) reachable(b *plan.Batch, o *Outcome) bool {
	id, err := catalog.ParseTenantID(b.Tenant)
	if err != nil {
		o.State, o.Text = Refused, err.Error()
		return false
	}
	d, err := a.ehr.Deployment(a.ctx, id)
	switch {
	case err != nil:
		o.unread(err)
	case !d.Reachable || d.App != "up":
		o.Text = "it waits for the tenant's deployment, which is accepted and not reachable yet"
	default:
		return true
	}
	return false
}

func (a *applier) send(b *plan.Batch, o *Outcome) {
	authority, err := a.authority(b)
	if err != nil {
		o.State, o.Text = Refused, err.Error()
		return
	}
	stamp, _ := b.Base.Stamp()
	err = a.ehr.Send(a.write, b.Request.Method, b.Request.Path, b.Request.Body, stamp.ETag, authority, a.key(b))
	var said *ehr.Problem
	switch {
	case err == nil && b.Subject != plan.Connect && b.Subject != plan.Provision:
		o.State, o.Text = Done, ""
		return
	case errors.As(err, &said) && !ehr.IsMoved(err) && !ehr.IsExists(err):
		o.State, o.Text = Refused, err.Error()
		return
	}
	now, lookErr := a.lookAgain(b)
	switch {
	case lookErr != nil:
		o.State, o.Text = Unconfirmed, errors.Join(err, lookErr).Error()
	case now.same && ehr.IsExists(err):
		o.State, o.Text = Already, ""
	case now.same:
		o.State, o.Text = Done, ""
	case err == nil && b.Subject == plan.Provision:
		o.State, o.Text = Unconfirmed, "the platform answered that it has made the facilities, and does not list all of them"
	case err == nil, ehr.IsMoved(err), ehr.IsExists(err):
		o.State, o.Text = Moved, "somebody else has written it meanwhile"
	default:
		o.State, o.Text = Unconfirmed, err.Error()
	}
}
