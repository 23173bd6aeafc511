package reconcile

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/ehr"
)

// there is what the platform has of the thing that a batch is about.
type there struct {
	base *plan.Base // what a batch of it would stand on; nil where it is not there
	same bool       // whether it is as the batch would make it
	// unseen is an error where the batch would do something else than it shows.
	unseen error
}

// look asks the platform for what a batch is about, before it is written.
func (a *applier) look(b *plan.Batch) (there, error) {
	return a.lookUp(a.ctx, b, a.organisations)
}

// lookAgain asks after it was written.
func (a *applier) lookAgain(b *plan.Batch) (there, error) {
	return a.lookUp(a.write, b, func() (map[string]catalog.LiveOrganisation, error) { return a.ehr.Organisations(a.write) })
}

// lookUp asks for what a batch is about. Organisations cannot be asked for one by
// one, and are listed.
func (a *applier) lookUp(ctx context.Context, b *plan.Batch, organisations func() (map[string]catalog.LiveOrganisation, error)) (there, error) {
	switch b.Subject {
	case plan.Organisation:
		listed, err := organisations()
		live, found := listed[b.Tenant]
		if err != nil || !found {
			return there{}, err
		}
		return against(b, live)
	case plan.Edition:
		return a.lookAtEdition(ctx, b)
	}
	id, err := catalog.ParseTenantID(b.Tenant)
	if err != nil {
		return there{}, err
	}
	switch b.Subject {
	case plan.Tenant:
		return a.lookAtTenant(ctx, b, id)
	case plan.Licence:
		return a.lookAtLicence(ctx, b, id)
	case plan.Provision, plan.Facility:
		return a.lookAtSites(ctx, b, id)
	case plan.Connect:
		return a.lookAtInstruments(ctx, b, id)
	case plan.Admin:
		return a.lookAtAdmin(ctx, b, id)
	}
	return there{}, fmt.Errorf("this charter cannot apply a batch of subject %q", b.Subject)
}

// wanted reads the body of a batch's request, which was checked against its
// digest.
func wanted[T any](b *plan.Batch) (T, error) {
	var body T
	decoder := json.NewDecoder(bytes.NewReader(b.Request.Body))
	decoder.DisallowUnknownFields() // or something would be sent that was not compared
	err := decoder.Decode(&body)
	return body, err
}

// against compares what is there with what a batch asks for.
func against[T any](b *plan.Batch, live T) (there, error) {
	want, err := wanted[T](b)
	if err != nil {
		return there{}, err
	}
	base, err := plan.ContentOf(live)
	return there{base: base, same: reflect.DeepEqual(live, want)}, err
}

func (a *applier) lookAtEdition(ctx context.Context, b *plan.Batch) (there, error) {
	live, err := a.ehr.Edition(ctx, b.Tenant)
	if ehr.IsNotFound(err) {
		return there{}, nil
	}
	if err != nil {
		return there{}, err
	}
	want, err := wanted[catalog.LiveEdition](b)
	want.Stamp = live.Stamp
	return there{plan.OnStamp(live.Stamp), reflect.DeepEqual(live, want), b.CheckEdition(live)}, err
}

func (a *applier) lookAtTenant(ctx context.Context, b *plan.Batch, id catalog.TenantID) (there, error) {
	live, err := a.ehr.Tenant(ctx, id)
	if ehr.IsNotFound(err) {
		return there{}, nil
	}
	if err != nil {
		return there{}, err
	}
	return against(b, live.Live)
}

func (a *applier) lookAtLicence(ctx context.Context, b *plan.Batch, id catalog.TenantID) (there, error) {
	listed, err := a.ehr.Licences(ctx, id)
	if err != nil {
		return there{}, err
	}
	of, revokes := licenceOf(b.Request.Path)
	live := plan.CurrentLicence(listed[b.Tenant])
	if revokes {
		at := slices.IndexFunc(listed[b.Tenant], func(l catalog.LiveLicence) bool { return l.ID == of })
		if at < 0 {
			return there{}, nil
		}
		live = &listed[b.Tenant][at]
	}
	if live == nil {
		return there{}, nil
	}
	base, err := plan.ContentOf(live.Terms)
	if err != nil || revokes {
		return there{base: base, same: live.State == plan.LicenceRevoked}, err
	}
	same, err := plan.LicenceMeets(live, b.Request, a.request.Plan.At)
	return there{base: base, same: same}, err
}

// licenceOf is the id in the path of a request to revoke a licence.
func licenceOf(path string) (id string, revokes bool) {
	segment, revokes := strings.CutSuffix(strings.TrimPrefix(path, "/licenses/"), "/revoke")
	id, err := url.PathUnescape(segment)
	return id, revokes && err == nil
}

func (a *applier) lookAtSites(ctx context.Context, b *plan.Batch, id catalog.TenantID) (there, error) {
	live, err := a.ehr.Facilities(ctx, id)
	if err != nil {
		return there{}, err
	}
	site := func(id string) int {
		return slices.IndexFunc(live, func(f catalog.LiveFacility) bool { return f.ID == id })
	}
	if b.Subject == plan.Facility {
		at := site(lastSegment(b.Request.Path))
		if at < 0 {
			return there{}, nil
		}
		return against(b, live[at])
	}
	want, err := wanted[plan.ProvisionBody](b)
	if err != nil {
		return there{}, err
	}
	base, err := plan.ProvisionBase(live)
	missing := slices.ContainsFunc(want.Facilities, func(f catalog.LiveFacility) bool { return site(f.ID) < 0 })
	if err != nil || !missing {
		return there{base: base, same: !missing}, err
	}
	unseen, err := a.unseenRows(ctx, b, want.Edition)
	return there{base: base, unseen: unseen}, err
}

// unseenRows is an error where the edition gives new facilities other rows than
// people were shown. Nobody can tell where the token may not read editions.
func (a *applier) unseenRows(ctx context.Context, b *plan.Batch, edition string) (unseen, err error) {
	live, err := a.ehr.Edition(ctx, edition)
	switch {
	case ehr.IsNotFound(err), ehr.IsForbidden(err):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return b.CheckEdition(live), nil
}

func lastSegment(path string) string {
	segment, err := url.PathUnescape(path[strings.LastIndexByte(path, '/')+1:])
	if err != nil {
		return ""
	}
	return segment
}

func (a *applier) lookAtInstruments(ctx context.Context, b *plan.Batch, id catalog.TenantID) (there, error) {
	live, err := a.ehr.Connect(ctx, id)
	if err != nil {
		return there{}, err
	}
	want, err := wanted[plan.ConnectBody](b)
	if err != nil {
		return there{}, err
	}
	base, err := plan.ContentOf(live)
	return there{base: base, same: slices.Equal(live, want.Licensed())}, err
}

// lookAtAdmin looks for an administrator: one who is there in any state was
// invited, and is not invited again.
func (a *applier) lookAtAdmin(ctx context.Context, b *plan.Batch, id catalog.TenantID) (there, error) {
	live, err := a.ehr.Admins(ctx, id)
	if err != nil {
		return there{}, err
	}
	withdraws := b.Request.Method == http.MethodDelete
	email := lastSegment(b.Request.Path)
	if !withdraws {
		want, err := wanted[plan.AdminBody](b)
		if err != nil {
			return there{}, err
		}
		email = want.Email
	}
	at := slices.IndexFunc(live, func(l catalog.LiveAdmin) bool { return catalog.SameEmail(l.Email, email) })
	if at < 0 {
		return there{same: withdraws}, nil
	}
	base, err := plan.AdminBase(live[at])
	return there{base: base, same: !withdraws || live[at].State == plan.AdminWithdrawn}, err
}
