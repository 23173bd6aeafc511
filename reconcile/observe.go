package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"

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
	Unmanaged []catalog.TenantID // tenants of the platform that are not declared; only known when all were listed
}

// observer reads the live state of declared tenants.
type observer struct {
	ehr      EHR
	declared []catalog.Declaration                  // sorted by id
	handle   func(*catalog.Tenant, plan.Live) error // called by many goroutines
	found    Observation
	status   map[catalog.TenantID]plan.Status
}

// observe reads the live state of declared tenants, which are sorted by id, and
// hands each on as soon as it is known. handle is called by many goroutines at
// once. An error means that the live state as a whole could not be read; what
// was handed on before it must not be used.
func observe(ctx context.Context, e EHR, platform ehr.Platform, declared []catalog.Declaration, handle func(*catalog.Tenant, plan.Live) error) (Observation, error) {
	o := observer{ehr: e, declared: declared, handle: handle, status: map[catalog.TenantID]plan.Status{}}
	o.found.Platform = platform
	var err error
	switch {
	case len(declared) <= fewTenants:
		err = o.each(ctx, o.one)
	case streams(e, platform):
		err = o.bulk(ctx)
	default:
		err = o.listed(ctx)
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
	return o.grant(ctx, t, plan.Status(there.Status))
}

// grant asks for the grant of a tenant whose status is known.
func (o *observer) grant(ctx context.Context, t *catalog.Tenant, status plan.Status) (plan.Live, error) {
	g, err := o.ehr.Grant(ctx, t.ID)
	if err != nil {
		return unread(err)
	}
	return o.sites(ctx, t, plan.Live{Status: status, Grant: g})
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

// sites asks for the tenant's facilities where a declared one has no live row:
// it may have none, or not exist.
func (o *observer) sites(ctx context.Context, t *catalog.Tenant, live plan.Live) (plan.Live, error) {
	silent := slices.ContainsFunc(t.Facilities, func(f catalog.Facility) bool {
		return !slices.ContainsFunc(live.Grant.Rows, func(r catalog.Row) bool { return r.Facility == f.ID })
	})
	if !silent || live.Status == plan.StatusCreated {
		return live, nil
	}
	var err error
	if live.Facilities, err = o.ehr.Facilities(ctx, t.ID); err != nil {
		return unread(err)
	}
	live.Asked = true
	return live, nil
}

// list learns the status of every declared tenant, and who is not declared.
func (o *observer) list(ctx context.Context) (err error) {
	seen := map[catalog.TenantID]bool{}
	o.found.Snapshot, err = o.ehr.Tenants(ctx, func(t ehr.Tenant) error {
		if seen[t.ID] { // in the place of another
			return fmt.Errorf("tenant %s is listed twice", t.ID)
		}
		seen[t.ID] = true
		if o.declares(t.ID) {
			o.status[t.ID] = plan.Status(t.Status)
		} else {
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

// listed reads the listing of tenants, then a grant each.
func (o *observer) listed(ctx context.Context) error {
	if err := o.list(ctx); err != nil {
		return err
	}
	return o.each(ctx, func(ctx context.Context, t *catalog.Tenant) (plan.Live, error) {
		status, there := o.status[t.ID]
		if !there {
			return plan.Live{Absent: true}, nil
		}
		return o.grant(ctx, t, status)
	})
}

// bulk reads the listing of tenants, then all grants in one stream, beside the
// declared tenants in the same order.
func (o *observer) bulk(ctx context.Context) error {
	if err := o.list(ctx); err != nil {
		return err
	}
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
		status, listed := o.status[t.ID]
		if !listed { // it came between the listing and the stream
			return o.one(ctx, t)
		}
		return o.sites(ctx, t, plan.Live{Status: status, Grant: grant})
	}
}

// unstreamed is for a tenant whose grant did not come in the stream.
func (o *observer) unstreamed(ctx context.Context, t *catalog.Tenant) (plan.Live, error) {
	if _, listed := o.status[t.ID]; !listed {
		return plan.Live{Absent: true}, nil
	}
	return o.one(ctx, t) // it went between the listing and the stream, or came back
}
