package policy

import (
	"slices"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
)

// unit is what is approved at once: a batch, or a scheduled entry.
type unit struct {
	tenant     string // as in the plan
	subject    plan.Subject
	digest     plan.Digest
	changes    []plan.Change
	capability string
	batch      *plan.Batch // nil for a scheduled entry
	at         time.Time   // of a scheduled entry; zero for a batch
}

// units returns a plan's batches, then its scheduled entries: the leaves that
// are signed, in their order.
func units(p *plan.Plan) []unit {
	list := make([]unit, 0, len(p.Batches)+len(p.Scheduled))
	for i := range p.Batches {
		b := &p.Batches[i]
		list = append(list, unit{
			tenant: b.Tenant, subject: b.Subject, digest: b.Digest, changes: b.Changes, capability: b.Subject.Capability(b.Request), batch: b,
		})
	}
	for i := range p.Scheduled {
		e := &p.Scheduled[i]
		list = append(list, unit{
			tenant: e.Tenant, subject: e.Subject, digest: e.Digest, changes: e.Changes, capability: e.Subject.Capability(nil), at: e.At,
		})
	}
	return list
}

// id returns the unit's tenant; zero for what is of no tenant.
func (u *unit) id() catalog.TenantID {
	id, err := catalog.ParseTenantID(u.tenant)
	if err != nil || !u.subject.OfTenant() {
		return catalog.TenantID{}
	}
	return id
}

// facts are what the declarations say, which a plan file is not believed for.
type facts struct {
	desired *catalog.Desired // at the plan's commit
	applied *catalog.Desired // as last applied; nil before
	last    *catalog.Catalog // as last applied; nil before
	at      time.Time        // the plan's
	tenants map[catalog.TenantID]*catalog.Tenant
}

func newFacts(desired *catalog.Desired, last *catalog.Catalog, at time.Time) *facts {
	return &facts{desired: desired, last: last, at: at, tenants: map[catalog.TenantID]*catalog.Tenant{}}
}

// tenant returns a declared tenant, or nil.
func (f *facts) tenant(id catalog.TenantID) *catalog.Tenant {
	if t, known := f.tenants[id]; known {
		return t
	}
	var t *catalog.Tenant
	if f.desired != nil && !id.IsZero() {
		if d := f.desired.Tenant(id); d != nil {
			if decoded, err := d.Tenant(); err == nil {
				t = decoded
			}
		}
	}
	f.tenants[id] = t
	return t
}

// matches reports whether a selector is about the unit; nil is about all. A tenant
// is taken as it is declared and as it was when it was last applied: a change that
// moves it out of a brake's reach is in its reach. Of a tenant that is not declared
// any more it is not known, and a brake that might be about it is.
func (f *facts) matches(s *catalog.Selector, u *unit) bool {
	if s == nil {
		return true
	}
	id := u.id()
	if id.IsZero() {
		return false
	}
	t, was := f.tenant(id), f.before(id)
	return t == nil || s.Matches(t) || was != nil && s.Matches(was)
}

// covers reports whether a selector lets the unit through: as it is declared and as
// it was.
func (f *facts) covers(s *catalog.Selector, u *unit) bool {
	if s == nil {
		return true
	}
	t, was := f.tenant(u.id()), f.before(u.id())
	return t != nil && s.Matches(t) && (was == nil || s.Matches(was))
}

// before returns a tenant as it was last applied, or nil.
func (f *facts) before(id catalog.TenantID) *catalog.Tenant {
	if f.applied == nil {
		return nil
	}
	d := f.applied.Tenant(id)
	if d == nil {
		return nil
	}
	t, err := d.Tenant()
	if err != nil {
		return nil
	}
	return t
}

// buried reports whether a row of the unit stands under a tombstone.
func (f *facts) buried(u *unit, facility string) bool {
	t := f.tenant(u.id())
	if t == nil {
		return false
	}
	if t.Closed.ClosedAt(f.at) {
		return true
	}
	id, err := catalog.ParseFacilityID(facility)
	if err != nil {
		return false
	}
	site := t.Facility(id)
	return site != nil && site.Closed.ClosedAt(f.at)
}

// kind returns what kind of change the unit is.
func (f *facts) kind(u *unit) catalog.ChangeKind {
	kind := catalog.AnyChange
	for i := range u.changes {
		c := &u.changes[i]
		if !c.Action.Withdraws() {
			continue
		}
		if c.Critical || f.critical(c) {
			return catalog.CriticalRemovals
		}
		kind = catalog.AnyRemoval
	}
	return kind
}

// critical reports whether the catalogue last applied or the new one says that a
// change's module is critical.
func (f *facts) critical(c *plan.Change) bool {
	return slices.ContainsFunc(f.modules(c), func(m *catalog.Module) bool { return m.Critical })
}

// misnamed gives the module of a row that a change calls by another; "" where it
// is the one, or neither catalogue knows the row's.
func (f *facts) misnamed(c *plan.Change) string {
	modules := f.modules(c)
	if c.Kind != plan.KindRow || len(modules) == 0 ||
		slices.ContainsFunc(modules, func(m *catalog.Module) bool { return m.Key.String() == c.Module }) {
		return ""
	}
	return modules[0].Key.String()
}

// turned reports whether the catalogue last applied knows a row's module, or its key
// on the platform, and does not have the one bear the other.
func (f *facts) turned(c plan.Change) bool {
	if c.Kind != plan.KindRow {
		return false
	}
	if key, err := catalog.ParseModuleKey(c.Module); err == nil {
		if index, known := f.last.IndexOf(key); known {
			return f.last.Module(index).EHR.String() != c.EHRModule
		}
	}
	key, err := catalog.ParseEHRModule(c.EHRModule)
	if err != nil {
		return false
	}
	_, known := f.last.FromEHR(key)
	return known
}

// modules are those that bear a change's key on the platform, by the catalogue
// last applied and by the new one.
func (f *facts) modules(c *plan.Change) (list []*catalog.Module) {
	key, err := catalog.ParseEHRModule(c.EHRModule)
	if err != nil {
		return nil
	}
	catalogues := []*catalog.Catalog{f.last}
	if f.desired != nil {
		catalogues = append(catalogues, f.desired.Catalog)
	}
	for _, c := range catalogues {
		if c == nil {
			continue
		}
		if index, known := c.FromEHR(key); known {
			list = append(list, c.Module(index))
		}
	}
	return list
}
