package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/reconcile/ehr"
)

// ErrSnapshot says that something was asked of a snapshot that only a platform can
// do: to be written to, or to tell what no plan needs.
var ErrSnapshot = errors.New("this is a snapshot and no platform")

// snapshotParallelism is how many tenants of a snapshot are planned side by side.
const snapshotParallelism = 8

// Frozen is a snapshot in the place of the platform that it was taken of. It is for
// planning: what would write gives ErrSnapshot.
type Frozen struct {
	snapshot *Snapshot
	desired  *catalog.Desired
	tenants  []ehr.Tenant // sorted by id, as found
	found    map[catalog.TenantID]*SnapshotTenant
	grants   map[catalog.TenantID]catalog.Grant
}

var _ EHR = (*Frozen)(nil)

// Freeze makes of a snapshot what can be planned against. The declarations give the
// addresses of administrators, of which a snapshot has only hashes. The error is a
// SnapshotFormatError.
func Freeze(s *Snapshot, desired *catalog.Desired) (*Frozen, error) {
	f := &Frozen{snapshot: s, desired: desired, found: map[catalog.TenantID]*SnapshotTenant{}, grants: map[catalog.TenantID]catalog.Grant{}}
	for i := range s.Tenants {
		if err := f.take(&s.Tenants[i]); err != nil {
			return nil, &SnapshotFormatError{err}
		}
	}
	return f, nil
}

func (f *Frozen) take(o *SnapshotTenant) error {
	id, err := catalog.ParseTenantID(o.Record.ID)
	switch {
	case err != nil:
		return err
	case o.Status == "":
		return errors.New("tenant " + id.String() + " has no status")
	case o.Grant == nil && !o.Unreadable:
		return errors.New("tenant " + id.String() + " has no grant")
	}
	if o.Grant != nil {
		if f.grants[id], err = o.parsed(id); err != nil {
			return err
		}
	}
	f.tenants = append(f.tenants, ehr.Tenant{ID: id, Status: o.Status, Live: o.Record})
	f.found[id] = o
	return nil
}

// gone is what a platform answers for what it has not.
func gone() error { return &ehr.Problem{Status: http.StatusNotFound, Code: ehr.CodeNotFound} }

// unreadable is what is known of a tenant that could not be read.
func unreadable(id catalog.TenantID) error {
	return &ehr.UnknownError{Request: "tenant " + id.String(), Err: errors.New("it could not be read when the snapshot was taken")}
}

// tenant gives what was found of a tenant that could be read.
func (f *Frozen) tenant(id catalog.TenantID) (*SnapshotTenant, error) {
	o := f.found[id]
	switch {
	case o == nil:
		return nil, gone()
	case o.Unreadable:
		return nil, unreadable(id)
	}
	return o, nil
}

// known gives a list that was read, or says that the platform does not offer it.
func known[T any](list []T, err error) ([]T, error) {
	if err == nil && list == nil {
		err = gone()
	}
	return list, err
}

// URL implements EHR: a snapshot does not say where it was taken.
func (f *Frozen) URL() string { return "" }

// Parallelism implements EHR.
func (f *Frozen) Parallelism() int { return snapshotParallelism }

// Platform implements EHR.
func (f *Frozen) Platform(context.Context) (ehr.Platform, error) {
	return ehr.Platform{Instance: f.snapshot.Platform.Instance, Features: f.snapshot.Platform.Features}, nil
}

// Tenants implements EHR.
func (f *Frozen) Tenants(_ context.Context, yield func(ehr.Tenant) error) (string, error) {
	for _, t := range f.tenants {
		if err := yield(t); err != nil {
			return "", err
		}
	}
	return "", nil
}

// Tenant implements EHR.
func (f *Frozen) Tenant(_ context.Context, id catalog.TenantID) (ehr.Tenant, error) {
	o, err := f.tenant(id)
	if err != nil {
		return ehr.Tenant{}, err
	}
	return ehr.Tenant{ID: id, Status: o.Status, Live: o.Record}, nil
}

// Facilities implements EHR.
func (f *Frozen) Facilities(_ context.Context, id catalog.TenantID) ([]catalog.LiveFacility, error) {
	o, err := f.tenant(id)
	if err != nil {
		return nil, err
	}
	return known(o.Facilities, nil)
}

// Connect implements EHR.
func (f *Frozen) Connect(_ context.Context, id catalog.TenantID) ([]string, error) {
	o, err := f.tenant(id)
	if err != nil {
		return nil, err
	}
	return known(o.Connect, nil)
}

// Admins implements EHR: those whose addresses are declared, as nobody else is
// ours and nobody else can be told.
func (f *Frozen) Admins(_ context.Context, id catalog.TenantID) ([]catalog.LiveAdmin, error) {
	o, err := f.tenant(id)
	if err != nil {
		return nil, err
	}
	if _, err := known(o.Admins, nil); err != nil {
		return nil, err
	}
	d := f.desired.Tenant(id)
	if d == nil {
		return []catalog.LiveAdmin{}, nil
	}
	declared, err := d.Tenant()
	if err != nil {
		return nil, err
	}
	list := []catalog.LiveAdmin{}
	for _, a := range declared.Admins {
		hash := addressHash(strings.ToLower(a.Email))
		if at := slices.IndexFunc(o.Admins, func(s SnapshotAdmin) bool { return s.Address == hash }); at >= 0 {
			list = append(list, catalog.LiveAdmin{Email: o.Admins[at].spelling(a.Email), State: o.Admins[at].State})
		}
	}
	return list, nil
}

// spelling gives the address as the platform spells it: in lower case, or as it is
// declared. A third way cannot be known, and a plan of it would find it moved.
func (a *SnapshotAdmin) spelling(declared string) string {
	if a.Spelled == "" {
		return strings.ToLower(declared)
	}
	return declared
}

// Licences implements EHR.
func (f *Frozen) Licences(_ context.Context, id catalog.TenantID) (map[string][]catalog.LiveLicence, error) {
	all, offered := map[string][]catalog.LiveLicence{}, false
	for one, o := range f.found {
		if !id.IsZero() && one != id || o.Licences == nil {
			continue
		}
		offered = true
		for _, l := range o.Licences {
			all[one.String()] = append(all[one.String()], catalog.LiveLicence{
				ID: l.ID, State: l.State, Expires: l.Expires, NotBefore: l.NotBefore, Limits: l.Limits, Modules: l.Modules, Terms: l.Terms,
			})
		}
	}
	if !offered {
		return nil, gone()
	}
	return all, nil
}

// Editions implements EHR.
func (f *Frozen) Editions(context.Context) (map[string]catalog.LiveEdition, error) {
	if f.snapshot.Editions == nil {
		return nil, gone()
	}
	all := map[string]catalog.LiveEdition{}
	for _, e := range f.snapshot.Editions {
		all[e.Key] = catalog.LiveEdition{Key: e.Key, Limits: e.Limits, Modules: e.Modules, Name: e.Name, Stamp: catalog.Stamp{ETag: e.ETag, Revision: e.Revision}}
	}
	return all, nil
}

// Edition implements EHR.
func (f *Frozen) Edition(ctx context.Context, key string) (catalog.LiveEdition, error) {
	all, err := f.Editions(ctx)
	e, found := all[key]
	if err == nil && !found {
		err = gone()
	}
	return e, err
}

// Organisations implements EHR.
func (f *Frozen) Organisations(context.Context) (map[string]catalog.LiveOrganisation, error) {
	if f.snapshot.Organisations == nil {
		return nil, gone()
	}
	all := map[string]catalog.LiveOrganisation{}
	for _, o := range f.snapshot.Organisations {
		all[o.ID] = o
	}
	return all, nil
}

// Grant implements EHR.
func (f *Frozen) Grant(_ context.Context, id catalog.TenantID) (catalog.Grant, error) {
	if _, err := f.tenant(id); err != nil {
		return catalog.Grant{}, err
	}
	return f.grants[id], nil
}

// Grants implements EHR. A tenant that could not be read does not come in it, and
// is asked for by itself.
func (f *Frozen) Grants(_ context.Context, yield func(catalog.Grant) error) (string, error) {
	for _, t := range f.tenants {
		g, read := f.grants[t.ID]
		if !read {
			continue
		}
		if err := yield(g); err != nil {
			return "", err
		}
	}
	return "", nil
}

// Usage gives what the platform had counted.
func (f *Frozen) Usage(_ context.Context, id catalog.TenantID) (map[catalog.Row]int64, error) {
	o, err := f.tenant(id)
	if err == nil && o.Usage == nil {
		err = gone()
	}
	if err != nil {
		return nil, err
	}
	used := map[catalog.Row]int64{}
	for name, modules := range o.Usage {
		for module, n := range modules {
			row, err := parseRow(name, module)
			if err != nil {
				return nil, err
			}
			used[row] = n
		}
	}
	return used, nil
}

// Deployment implements EHR.
func (f *Frozen) Deployment(context.Context, catalog.TenantID) (ehr.Deployment, error) {
	return ehr.Deployment{}, ErrSnapshot
}

// Audit implements EHR.
func (f *Frozen) Audit(context.Context, int64, func(ehr.Entry) error) error { return ErrSnapshot }

// AuditHead implements EHR.
func (f *Frozen) AuditHead(context.Context) (ehr.Entry, error) { return ehr.Entry{}, ErrSnapshot }

// PutGrant implements EHR.
func (f *Frozen) PutGrant(context.Context, catalog.TenantID, catalog.Stamp, catalog.Rows, *ehr.Authority, string) (catalog.Stamp, error) {
	return catalog.Stamp{}, ErrSnapshot
}

// Send implements EHR.
func (f *Frozen) Send(context.Context, string, string, json.RawMessage, string, *ehr.Authority, string) error {
	return ErrSnapshot
}
