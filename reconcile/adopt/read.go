package adopt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/ehr"
)

// Reading is a platform as it was read. A map that is nil is of what the platform
// does not offer, or the token may not read.
type Reading struct {
	Platform      ehr.Platform
	Editions      map[string]catalog.LiveEdition
	Organisations map[string]catalog.LiveOrganisation
	Tenants       []Found // sorted by id
	// Denied are the capabilities without which something was not read.
	Denied map[Capability]bool
}

// Capability is one that a token needs to read something.
type Capability string

// The capabilities of reading.
const (
	ReadEditions      Capability = "registry.read"
	ReadOrganisations Capability = "clients.read" // tenants and their facilities too
	ReadInstruments   Capability = "entitlements.read"
	ReadAdmins        Capability = "tenant_admins.manage"
	ReadLicences      Capability = "license.read"
)

// Found is a tenant as the platform has it, whatever its status.
type Found struct {
	ID   catalog.TenantID
	Live plan.Live
}

// Tenant returns what was found of a tenant; absent where nothing was.
func (r *Reading) Tenant(id catalog.TenantID) plan.Live {
	i, found := slices.BinarySearchFunc(r.Tenants, id, func(f Found, id catalog.TenantID) int { return f.ID.Compare(id) })
	if !found {
		return plan.Live{Absent: true}
	}
	return r.Tenants[i].Live
}

// fewTenants is up to how many tenants are asked for their grants one by one.
const fewTenants = 20

// reader reads a platform.
type reader struct {
	ehr EHR
	Reading
	licences map[string][]catalog.LiveLicence
	mu       sync.Mutex // of Denied: tenants are read side by side
}

// Read reads a platform whole. What could not be read of one tenant alone is in
// that tenant's Live.Unreadable; an error means that nothing is known.
func Read(ctx context.Context, e EHR) (*Reading, error) {
	r := reader{ehr: e, Reading: Reading{Denied: map[Capability]bool{}}}
	for _, step := range []func(context.Context) error{r.registry, r.list, r.grants, r.rest} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	r.Tenants = slices.DeleteFunc(r.Tenants, func(f Found) bool { return f.Live.Absent })
	return &r.Reading, nil
}

// registry reads what belongs to no tenant, or is listed for all of them at once.
func (r *reader) registry(ctx context.Context) (err error) {
	if r.Platform, err = r.ehr.Platform(ctx); err != nil {
		return err
	}
	if r.Editions, err = optional(r, ReadEditions, func() (map[string]catalog.LiveEdition, error) { return r.ehr.Editions(ctx) }); err != nil {
		return err
	}
	r.Organisations, err = optional(r, ReadOrganisations, func() (map[string]catalog.LiveOrganisation, error) { return r.ehr.Organisations(ctx) })
	if err != nil {
		return err
	}
	r.licences, err = optional(r, ReadLicences, func() (map[string][]catalog.LiveLicence, error) { return r.ehr.Licences(ctx, catalog.TenantID{}) })
	return err
}

// optional makes of a collection that the platform does not offer, or that the
// token may not read, one that nothing is known of.
func optional[T any](r *reader, needs Capability, read func() (T, error)) (none T, err error) {
	value, err := read()
	switch {
	case ehr.IsDenied(err):
		r.mu.Lock()
		defer r.mu.Unlock()
		r.Denied[needs] = true
		return none, nil
	case ehr.IsNotFound(err):
		return none, nil
	}
	return value, err
}

// list reads who there is.
func (r *reader) list(ctx context.Context) error {
	_, err := r.ehr.Tenants(ctx, func(t ehr.Tenant) error {
		r.Tenants = append(r.Tenants, Found{t.ID, plan.Live{Status: plan.Status(t.Status), Tenant: &t.Live}})
		return nil
	})
	slices.SortFunc(r.Tenants, func(a, b Found) int { return a.ID.Compare(b.ID) })
	for i := 1; i < len(r.Tenants); i++ {
		if r.Tenants[i].ID == r.Tenants[i-1].ID { // in the place of another
			return &ehr.UnknownError{Request: "GET /tenants", Err: fmt.Errorf("tenant %s is listed twice", r.Tenants[i].ID)}
		}
	}
	return err
}

// grants reads all grants in one stream where the platform has one. Those that
// did not come in it are asked for one by one later.
func (r *reader) grants(ctx context.Context) error {
	if !r.Platform.Has(ehr.FeatureBulk) || len(r.Tenants) <= fewTenants {
		return nil
	}
	rest := r.Tenants
	_, err := r.ehr.Grants(ctx, func(g catalog.Grant) error {
		for len(rest) > 0 && rest[0].ID.Compare(g.Tenant) < 0 {
			rest = rest[1:]
		}
		if len(rest) > 0 && rest[0].ID == g.Tenant {
			rest[0].Live.Grant = g
		}
		return nil
	})
	return err
}

// rest reads what is told for one tenant at a time, of all side by side.
func (r *reader) rest(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(r.ehr.Parallelism())
	for i := range r.Tenants {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return r.tenant(ctx, &r.Tenants[i])
		})
	}
	return g.Wait()
}

// tenant reads what is not known of a tenant yet.
func (r *reader) tenant(ctx context.Context, f *Found) error {
	for _, read := range []func(context.Context, *Found) error{r.grant, r.sites, r.instruments, r.admins} {
		err := read(ctx, f)
		switch {
		case ehr.IsNotFound(err): // it went while the platform was read
			f.Live = plan.Live{Absent: true}
			return nil
		case err != nil && ofOneTenant(err):
			f.Live.Unreadable = err.Error()
			return nil
		case err != nil:
			return err
		}
	}
	if r.licences != nil {
		f.Live.Licences = append([]catalog.LiveLicence{}, r.licences[f.ID.String()]...)
	}
	return nil
}

// ofOneTenant reports whether an error of reading a tenant says something of that
// tenant alone: a token that may not read is the whole reading's.
func ofOneTenant(err error) bool {
	var said *ehr.Problem
	return ehr.IsUnknown(err) || errors.As(err, &said) && !ehr.IsDenied(err)
}

func (r *reader) grant(ctx context.Context, f *Found) (err error) {
	if f.Live.Grant.Stamp.Valid() {
		return nil // it came in the stream
	}
	f.Live.Grant, err = r.ehr.Grant(ctx, f.ID)
	return err
}

func (r *reader) sites(ctx context.Context, f *Found) (err error) {
	f.Live.Facilities, err = optional(r, ReadOrganisations, func() ([]catalog.LiveFacility, error) { return r.ehr.Facilities(ctx, f.ID) })
	for i := 1; err == nil && i < len(f.Live.Facilities); i++ {
		if id := f.Live.Facilities[i].ID; id == f.Live.Facilities[i-1].ID {
			err = &ehr.UnknownError{Request: "GET /tenants/" + f.ID.String() + "/facilities", Err: fmt.Errorf("facility %s is listed twice", id)}
		}
	}
	return err
}

func (r *reader) instruments(ctx context.Context, f *Found) (err error) {
	f.Live.Instruments, err = optional(r, ReadInstruments, func() ([]string, error) { return r.ehr.Connect(ctx, f.ID) })
	return err
}

func (r *reader) admins(ctx context.Context, f *Found) (err error) {
	f.Live.Admins, err = optional(r, ReadAdmins, func() ([]catalog.LiveAdmin, error) { return r.ehr.Admins(ctx, f.ID) })
	return err
}
