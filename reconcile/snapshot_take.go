package reconcile

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/ehr"
)

// TakeSnapshot reads a platform whole. A tenant of which nothing could be learnt is
// in the snapshot as unreadable; an error means that there is none.
func TakeSnapshot(ctx context.Context, e EHR, environment catalog.ControlPlane, now time.Time) (*Snapshot, error) {
	platform, err := e.Platform(ctx)
	if err != nil {
		return nil, err
	}
	if declared := environment.Instance; declared != "" && declared != platform.Instance {
		return nil, &InstanceError{declared, platform.Instance}
	}
	t := taker{ehr: e, platform: platform, licences: licencesOnce(e), grants: map[catalog.TenantID]catalog.Grant{}}
	t.Snapshot = Snapshot{
		Environment: environment.Environment, FormatVersion: snapshotVersion, Kind: snapshotKind,
		ObservedAt: now.UTC().Truncate(time.Second), Platform: SnapshotPlatform{Features: platform.Features, Instance: platform.Instance},
	}
	for _, step := range []func(context.Context) error{t.registry, t.list, t.bulk, t.rest} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return &t.Snapshot, nil
}

// taker takes a snapshot.
type taker struct {
	ehr      EHR
	platform ehr.Platform
	licences licences
	Snapshot
	listed []ehr.Tenant // sorted by id
	grants map[catalog.TenantID]catalog.Grant
}

// registry reads what belongs to no tenant.
func (t *taker) registry(ctx context.Context) error {
	editions, err := optional(t.ehr.Editions(ctx))
	if err != nil {
		return err
	}
	organisations, err := optional(t.ehr.Organisations(ctx))
	if err != nil {
		return err
	}
	t.Editions, t.Organisations = ofEditions(editions), sortedValues(organisations)
	return nil
}

func ofEditions(live map[string]catalog.LiveEdition) []SnapshotEdition {
	if live == nil {
		return nil
	}
	list := []SnapshotEdition{}
	for _, e := range sortedValues(live) {
		list = append(list, SnapshotEdition{e.Stamp.ETag, e.Key, e.Limits, e.Modules, e.Name, e.Stamp.Revision})
	}
	return list
}

// sortedValues gives the values of a map in the order of its keys; nil of nil.
func sortedValues[T any](of map[string]T) []T {
	if of == nil {
		return nil
	}
	list := make([]T, 0, len(of))
	for _, key := range slices.Sorted(maps.Keys(of)) {
		list = append(list, of[key])
	}
	return list
}

// list reads who there is.
func (t *taker) list(ctx context.Context) error {
	_, err := t.ehr.Tenants(ctx, func(one ehr.Tenant) error {
		t.listed = append(t.listed, one)
		return nil
	})
	slices.SortFunc(t.listed, func(a, b ehr.Tenant) int { return a.ID.Compare(b.ID) })
	for i := 1; i < len(t.listed) && err == nil; i++ {
		if id := t.listed[i].ID; id == t.listed[i-1].ID { // in the place of another
			err = &ehr.UnknownError{Request: "GET /tenants", Err: fmt.Errorf("tenant %s is listed twice", id)}
		}
	}
	return err
}

// bulk reads all grants in one stream where the platform has one. Those that do
// not come in it are asked for one by one later.
func (t *taker) bulk(ctx context.Context) error {
	if !t.platform.Has(ehr.FeatureBulk) || len(t.listed) <= fewTenants {
		return nil
	}
	_, err := t.ehr.Grants(ctx, func(g catalog.Grant) error {
		t.grants[g.Tenant] = g
		return nil
	})
	return err
}

// rest reads what is told for one tenant at a time, of all side by side. One that
// went while the platform was read is left out.
func (t *taker) rest(ctx context.Context) error {
	found := make([]*SnapshotTenant, len(t.listed))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(t.ehr.Parallelism())
	for i := range t.listed {
		g.Go(func() (err error) {
			if err = ctx.Err(); err == nil {
				found[i], err = t.tenant(ctx, &t.listed[i])
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	t.Tenants = []SnapshotTenant{}
	for _, one := range found {
		if one != nil {
			t.Tenants = append(t.Tenants, *one)
		}
	}
	return nil
}

// tenant reads one tenant, as far as a plan would look into it.
func (t *taker) tenant(ctx context.Context, there *ehr.Tenant) (*SnapshotTenant, error) {
	o := &SnapshotTenant{Record: there.Live, Status: there.Status}
	reads := []func(context.Context, catalog.TenantID, *SnapshotTenant) error{t.grant, t.licence, t.sites, t.instruments, t.admins, t.usage}
	switch plan.Status(there.Status) {
	case plan.StatusSuspended:
		reads = reads[:1]
	case plan.StatusLocked:
		reads = reads[:2] // a new licence may unlock it
	}
	for _, read := range reads {
		err := read(ctx, there.ID, o)
		switch {
		case ehr.IsNotFound(err):
			return nil, nil
		case err != nil && ofOneTenant(err):
			return &SnapshotTenant{Record: there.Live, Status: there.Status, Unreadable: true}, nil
		case err != nil:
			return nil, err
		}
	}
	return o, nil
}

func (t *taker) grant(ctx context.Context, id catalog.TenantID, o *SnapshotTenant) error {
	live, streamed := t.grants[id]
	if !streamed {
		var err error
		if live, err = t.ehr.Grant(ctx, id); err != nil {
			return err
		}
	}
	o.Grant = &SnapshotGrant{ETag: live.Stamp.ETag, Revision: live.Stamp.Revision, Rows: map[string][]string{}}
	if !strings.ContainsRune(live.By, '@') {
		o.Grant.By = live.By
	}
	for _, row := range live.Rows {
		facility := row.Facility.String()
		o.Grant.Rows[facility] = append(o.Grant.Rows[facility], row.Module.String())
	}
	return nil
}

func (t *taker) licence(ctx context.Context, id catalog.TenantID, o *SnapshotTenant) error {
	listed, err := t.licences(ctx, id)
	if err != nil || listed == nil {
		return err
	}
	o.Licences = []SnapshotLicence{}
	for _, l := range listed[id.String()] {
		o.Licences = append(o.Licences, SnapshotLicence{l.Expires, l.ID, l.Limits, l.Modules, l.NotBefore, l.State, l.Terms})
	}
	slices.SortFunc(o.Licences, func(a, b SnapshotLicence) int { return strings.Compare(a.ID, b.ID) })
	return nil
}

func (t *taker) sites(ctx context.Context, id catalog.TenantID, o *SnapshotTenant) (err error) {
	o.Facilities, err = optional(t.ehr.Facilities(ctx, id))
	slices.SortFunc(o.Facilities, func(a, b catalog.LiveFacility) int { return strings.Compare(a.ID, b.ID) })
	return err
}

func (t *taker) instruments(ctx context.Context, id catalog.TenantID, o *SnapshotTenant) (err error) {
	o.Connect, err = optional(t.ehr.Connect(ctx, id))
	return err
}

func (t *taker) admins(ctx context.Context, id catalog.TenantID, o *SnapshotTenant) error {
	live, err := optional(t.ehr.Admins(ctx, id))
	if err != nil || live == nil {
		return err
	}
	o.Admins = []SnapshotAdmin{}
	for _, a := range live {
		one := SnapshotAdmin{Address: addressHash(strings.ToLower(a.Email)), State: a.State}
		if spelled := addressHash(a.Email); spelled != one.Address {
			one.Spelled = spelled
		}
		o.Admins = append(o.Admins, one)
	}
	slices.SortFunc(o.Admins, func(a, b SnapshotAdmin) int { return strings.Compare(a.Address, b.Address) })
	return nil
}

// usage reads what is for people to decide by: a platform that does not say leaves it
// open.
func (t *taker) usage(ctx context.Context, id catalog.TenantID, o *SnapshotTenant) error {
	asked, counts := t.ehr.(counter)
	if !counts || !t.platform.Has(ehr.FeatureUsage) {
		return nil
	}
	used, err := asked.Usage(ctx, id)
	if err != nil {
		return ctx.Err()
	}
	o.Usage = map[string]map[string]int64{}
	for row, n := range used {
		facility := row.Facility.String()
		if o.Usage[facility] == nil {
			o.Usage[facility] = map[string]int64{}
		}
		o.Usage[facility][row.Module.String()] = n
	}
	return nil
}
