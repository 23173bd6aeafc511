package reconcile

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

// fewTenants is up to how many tenants are asked for one by one: for more, the
// platform's listings are read whole.
const fewTenants = 20

// Observation is what a reading of the platform found, apart from the tenants
// that it handed on.
type Observation struct {
	Platform  ehr.Platform
	Snapshot  string             // the server's name for what it answered, or ""
	Unmanaged []catalog.TenantID // tenants of the platform that are not declared; nil where some were chosen by name
}

// observer reads the live state of declared tenants.
type observer struct {
	ehr      EHR
	catalog  *catalog.Catalog
	declared []catalog.Declaration                  // sorted by id
	chosen   bool                                   // by name: others may be declared too
	handle   func(*catalog.Tenant, plan.Live) error // called by many goroutines
	found    Observation
	tenants  map[catalog.TenantID]ehr.Tenant // declared ones that the platform lists
	licences licences
}

// licences gives, by tenant, those of a tenant and perhaps of others; nil where the
// platform does not say.
type licences func(context.Context, catalog.TenantID) (map[string][]catalog.LiveLicence, error)

// observe reads the live state of declared tenants, which are sorted by id, and
// hands each on as soon as it is known. handle is called by many goroutines at
// once. An error means that the live state as a whole could not be read; what
// was handed on before it must not be used.
func observe(ctx context.Context, e EHR, platform ehr.Platform, r *PlanRequest, handle func(*catalog.Tenant, plan.Live) error) (Observation, error) {
	o := observer{ehr: e, catalog: r.Desired.Catalog, declared: r.Tenants, handle: handle, tenants: map[catalog.TenantID]ehr.Tenant{}}
	o.found.Platform = platform
	if r.Chosen && len(o.declared) <= fewTenants {
		o.licences = licencesOf(e)
		return o.found, o.each(ctx, o.one)
	}
	o.licences = licencesOnce(e)
	o.chosen = r.Chosen
	if !r.Chosen {
		o.found.Unmanaged = []catalog.TenantID{}
	}
	err := o.list(ctx)
	switch {
	case err != nil:
	case len(o.declared) > fewTenants && streams(e, platform):
		err = o.bulk(ctx)
	default:
		err = o.each(ctx, o.listed)
	}
	return o.found, err
}

// streams reports whether all grants can be read in one stream. It is one of the
// requests that may be under way at once, and others are made beside it.
func streams(e EHR, platform ehr.Platform) bool {
	return platform.Has(ehr.FeatureBulk) && e.Parallelism() > 1
}

// besideStream is how many requests may be under way beside a stream.
func besideStream(e EHR) int { return e.Parallelism() - 1 }

// each reads all declared tenants side by side.
func (o *observer) each(ctx context.Context, read func(context.Context, *catalog.Tenant) (plan.Live, error)) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(o.ehr.Parallelism())
	for i := range o.declared {
		o.start(ctx, g, &o.declared[i], read)
	}
	return g.Wait()
}

// start reads one tenant in a goroutine of the group, and hands it on.
func (o *observer) start(ctx context.Context, g *errgroup.Group, d *catalog.Declaration, read func(context.Context, *catalog.Tenant) (plan.Live, error)) {
	g.Go(func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		t, err := d.Tenant()
		if err != nil {
			return err
		}
		live, err := read(ctx, t)
		if err != nil {
			return err
		}
		return o.handle(t, live)
	})
}

// one asks for everything about a tenant.
func (o *observer) one(ctx context.Context, t *catalog.Tenant) (plan.Live, error) {
	there, err := o.ehr.Tenant(ctx, t.ID)
	if err != nil {
		return unread(err)
	}
	return o.grant(ctx, t, there)
}

// listed asks for what the listing of tenants does not tell.
func (o *observer) listed(ctx context.Context, t *catalog.Tenant) (plan.Live, error) {
	there, listed := o.tenants[t.ID]
	if !listed {
		return plan.Live{Absent: true}, nil
	}
	return o.grant(ctx, t, there)
}

// grant asks for the grant of a tenant that is there, and for the rest.
func (o *observer) grant(ctx context.Context, t *catalog.Tenant, there ehr.Tenant) (plan.Live, error) {
	g, err := o.ehr.Grant(ctx, t.ID)
	if err != nil {
		return unread(err)
	}
	return o.rest(ctx, t, there, g)
}

// rest asks for what no listing tells, as far as something may be planned by it.
// A tenant that is kept as it is need not be looked into.
func (o *observer) rest(ctx context.Context, t *catalog.Tenant, there ehr.Tenant, g catalog.Grant) (plan.Live, error) {
	live := plan.Live{Status: plan.Status(there.Status), Tenant: &there.Live, Grant: g}
	reads := []func(context.Context, *catalog.Tenant, *plan.Live) error{o.licence, o.sites, o.instruments, o.admins}
	switch live.Status {
	case plan.StatusSuspended:
		reads = nil
	case plan.StatusLocked:
		reads = reads[:1] // a new licence may unlock it
	}
	for _, read := range reads {
		if err := read(ctx, t, &live); err != nil {
			return unread(err)
		}
	}
	return live, nil
}

func (o *observer) sites(ctx context.Context, t *catalog.Tenant, live *plan.Live) (err error) {
	live.Facilities, err = optional(o.ehr.Facilities(ctx, t.ID))
	return err
}

// instruments asks for those of tenants that declare some, or that hold the
// module without which they are of no use.
func (o *observer) instruments(ctx context.Context, t *catalog.Tenant, live *plan.Live) (err error) {
	if len(t.Connect) > 0 || o.connects(live.Grant.Rows) {
		live.Instruments, err = optional(o.ehr.Connect(ctx, t.ID))
	}
	return err
}

func (o *observer) connects(rows catalog.Rows) bool {
	return slices.ContainsFunc(rows, func(r catalog.Row) bool {
		index, known := o.catalog.FromEHR(r.Module)
		return known && o.catalog.Module(index).Key == catalog.ConnectModule
	})
}

// admins asks for those of tenants that declare some: nobody else is ours.
func (o *observer) admins(ctx context.Context, t *catalog.Tenant, live *plan.Live) (err error) {
	if len(t.Admins) > 0 {
		live.Admins, err = optional(o.ehr.Admins(ctx, t.ID))
	}
	return err
}

// licence asks for those of tenants that declare one.
func (o *observer) licence(ctx context.Context, t *catalog.Tenant, live *plan.Live) error {
	if t.Licence == nil {
		return nil
	}
	listed, err := o.licences(ctx, t.ID)
	if err == nil && listed != nil {
		live.Licences = append([]catalog.LiveLicence{}, listed[t.ID.String()]...)
	}
	return err
}

// licencesOf lists the licences of one tenant.
func licencesOf(e EHR) licences {
	return func(ctx context.Context, id catalog.TenantID) (map[string][]catalog.LiveLicence, error) {
		return optional(e.Licences(ctx, id))
	}
}

// licencesOnce lists all licences when the first tenant asks, and those of one
// tenant after the other on a platform that lists them by tenant alone.
func licencesOnce(e EHR) licences {
	var once sync.Once
	var all map[string][]catalog.LiveLicence
	var failed error
	var byTenant bool
	return func(ctx context.Context, id catalog.TenantID) (map[string][]catalog.LiveLicence, error) {
		once.Do(func() {
			all, failed = optional(e.Licences(ctx, catalog.TenantID{}))
			var said *ehr.Problem
			byTenant = errors.As(failed, &said) && !ehr.IsDenied(failed)
		})
		if byTenant {
			return licencesOf(e)(ctx, id)
		}
		return all, failed
	}
}

// optional makes of a collection that the platform does not offer, or that the
// token may not read, one that nothing is known of: nil.
func optional[T any](value T, err error) (T, error) {
	if ehr.IsNotFound(err) || ehr.IsForbidden(err) {
		var none T
		return none, nil
	}
	return value, err
}

// unread makes of an error what a plan says of the tenant: it is not there, or
// nothing is known.
func unread(err error) (plan.Live, error) {
	switch {
	case ehr.IsNotFound(err):
		return plan.Live{Absent: true}, nil
	case ofOneTenant(err):
		return plan.Live{Unreadable: err.Error()}, nil
	}
	return plan.Live{}, err
}

// ofOneTenant reports whether an error of reading a tenant says something of that
// tenant alone. The caller's own end, and a token that may not read, are the
// whole reading's.
func ofOneTenant(err error) bool {
	var said *ehr.Problem
	return ehr.IsUnknown(err) || errors.As(err, &said) && !ehr.IsDenied(err)
}

// list learns what the platform has of every declared tenant, and who is not
// declared.
func (o *observer) list(ctx context.Context) (err error) {
	seen := map[catalog.TenantID]bool{}
	o.found.Snapshot, err = o.ehr.Tenants(ctx, func(t ehr.Tenant) error {
		if seen[t.ID] { // in the place of another
			return fmt.Errorf("tenant %s is listed twice", t.ID)
		}
		seen[t.ID] = true
		if o.declares(t.ID) {
			o.tenants[t.ID] = t
		} else if !o.chosen {
			o.found.Unmanaged = append(o.found.Unmanaged, t.ID)
		}
		return nil
	})
	return err
}

func (o *observer) declares(id catalog.TenantID) bool {
	_, found := slices.BinarySearchFunc(o.declared, id, func(d catalog.Declaration, id catalog.TenantID) int {
		return d.ID.Compare(id)
	})
	return found
}

// bulk reads all grants in one stream, beside the declared tenants in the same
// order.
func (o *observer) bulk(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(besideStream(o.ehr))
	rest := o.declared
	snapshot, err := o.ehr.Grants(ctx, func(grant catalog.Grant) error {
		for len(rest) > 0 && rest[0].ID.Compare(grant.Tenant) < 0 {
			o.start(ctx, g, &rest[0], o.unstreamed)
			rest = rest[1:]
		}
		if len(rest) > 0 && rest[0].ID == grant.Tenant { // others are unmanaged
			o.start(ctx, g, &rest[0], o.streamed(grant))
			rest = rest[1:]
		}
		return nil
	})
	if err != nil {
		stop()
		if failed := g.Wait(); failed != nil && !errors.Is(failed, context.Canceled) {
			return failed // it ended the stream too
		}
		return err
	}
	for i := range rest {
		o.start(ctx, g, &rest[i], o.unstreamed)
	}
	o.found.Snapshot = snapshot
	return g.Wait()
}

// streamed is for a tenant whose grant came in the stream.
func (o *observer) streamed(grant catalog.Grant) func(context.Context, *catalog.Tenant) (plan.Live, error) {
	return func(ctx context.Context, t *catalog.Tenant) (plan.Live, error) {
		there, listed := o.tenants[t.ID]
		if !listed { // it came between the listing and the stream
			return o.one(ctx, t)
		}
		return o.rest(ctx, t, there, grant)
	}
}

// unstreamed is for a tenant whose grant did not come in the stream.
func (o *observer) unstreamed(ctx context.Context, t *catalog.Tenant) (plan.Live, error) {
	if _, listed := o.tenants[t.ID]; !listed {
		return plan.Live{Absent: true}, nil
	}
	return o.one(ctx, t) // it went between the listing and the stream, or came back
}
