package daemon

import (
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile"
)

// defaultExpiry is what a plan of the daemon's bears; nobody applies it after the
// pass.
const defaultExpiry = 24 * time.Hour

// readAll reads and compares everything, but for the tenants that wait before
// they are asked again.
func (p *pass) readAll() error {
	list := make([]catalog.Declaration, 0, len(p.force.tenants))
	for i := range p.force.tenants {
		if !p.waits(&p.force.tenants[i]) {
			list = append(list, p.force.tenants[i])
		}
	}
	found, err := p.read(list, false)
	if err != nil {
		return err
	}
	p.found.instance = found.Platform.Instance
	p.found.unmanaged = slices.DeleteFunc(found.Unmanaged, func(id catalog.TenantID) bool { return p.force.tenant(id) != nil })
	slices.SortFunc(p.found.unmanaged, catalog.TenantID.Compare)
	p.unread, p.unseen = false, map[catalog.TenantID]bool{}
	p.lastFull = p.now
	return nil
}

// readSome reads and compares some tenants.
func (p *pass) readSome(list []catalog.Declaration) error {
	if len(list) == 0 {
		return nil
	}
	if _, err := p.read(list, true); err != nil {
		return err
	}
	for i := range list {
		delete(p.unseen, list[i].ID)
	}
	return nil
}

// read plans for some tenants, and takes what the plan says of each.
func (p *pass) read(list []catalog.Declaration, chosen bool) (reconcile.Observation, error) {
	seen := sightings{of: make(map[string]*Tenant, len(list))}
	request := reconcile.PlanRequest{
		Desired: &p.force.fleet.Desired, Tenants: list, Chosen: chosen, Environment: p.force.plane,
		Source: p.force.origin(p.o.Source.Remote()), At: p.time(), Now: p.now, ExpiresIn: defaultExpiry,
		Nonce: p.done.ID, Seen: seen.see,
	}
	if p.governance != nil {
		if err := p.governance.Bind(p.ctx, &request); err != nil {
			return reconcile.Observation{}, err
		}
	}
	made, found, err := reconcile.Plan(p.ctx, p.o.EHR, request)
	if err != nil {
		return found, err
	}
	if err := p.deployments(&seen); err != nil {
		return found, err
	}
	p.take(contents(made), &seen, chosen)
	p.done.Looked += len(list)
	p.deed(made, list, chosen)
	return found, nil
}

// deed keeps a plan that has something to carry out. A plan of all tenants, but
// for some that wait, is one of those that it was made of.
func (p *pass) deed(made *plan.Plan, list []catalog.Declaration, chosen bool) {
	if made.Empty() || p.o.Act == nil {
		return
	}
	deed := Deed{Plan: made}
	if chosen || len(list) < len(p.force.tenants) {
		deed.Only = make(map[catalog.TenantID]bool, len(list))
		for i := range list {
			deed.Only[list[i].ID] = true
		}
	}
	p.deeds = append(p.deeds, deed)
}

// sightings are what was read of tenants, beside what a plan says of them.
type sightings struct {
	mu sync.Mutex
	of map[string]*Tenant
}

func (s *sightings) see(t *catalog.Tenant, live plan.Live) {
	seen := newTenant(t)
	seen.Status, seen.Revision, seen.Rows = string(live.Status), live.Grant.Stamp.Revision, len(live.Grant.Rows)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of[seen.ID] = seen
}

// deployments asks after the sites that stand at a customer's: what the platform
// has accepted may not have reached them.
func (p *pass) deployments(seen *sightings) error {
	g, ctx := errgroup.WithContext(p.ctx)
	g.SetLimit(p.o.EHR.Parallelism())
	for id, t := range seen.of {
		parsed, err := catalog.ParseTenantID(id)
		if err != nil || t.Hosting != string(catalog.OnPrem) || t.Status == "" || t.Status == string(plan.StatusCreated) {
			continue
		}
		g.Go(func() error {
			answer, err := p.o.EHR.Deployment(ctx, parsed)
			if err != nil {
				return ctx.Err() // else nothing is known of the site, which is no news
			}
			t.Enforced = &Enforced{Reachable: answer.Reachable}
			if answer.Enforced != nil {
				t.Enforced.Revision, t.Enforced.At = answer.Enforced.Revision, answer.Enforced.At
			}
			return nil
		})
	}
	return g.Wait()
}

// take takes over what a plan says of the tenants that were read.
func (p *pass) take(parts map[string]*Tenant, seen *sightings, chosen bool) {
	for id, t := range seen.of {
		if part := parts[id]; part != nil {
			t.Batches, t.Held, t.Refusals, t.Scheduled, t.Unreadable = part.Batches, part.Held, part.Refusals, part.Scheduled, part.Unreadable
		}
		p.settle(t)
	}
	if chosen {
		return // the plan of some tenants does not say all about what is of none
	}
	p.registry = parts[""]
	if p.registry != nil {
		p.settleRegistry()
	}
}

func (p *pass) settle(t *Tenant) {
	was := p.tenants[t.ID]
	t.SeenAt = p.now
	t.judge()
	if t.Unreadable != "" {
		next := retry{}
		if was != nil {
			next.Tries = was.Tries
		}
		next = next.failed(p.o.Backoff, p.now)
		t.Tries, t.RetryAt = next.Tries, next.At
	}
	t.after(was)
	p.contests.compare(was, t, p.now)
	p.tenants[t.ID] = t
}

func (p *pass) settleRegistry() {
	p.registry.SeenAt, p.registry.Since = p.now, p.now
	p.registry.judge()
	if was := p.View().Registry; was != nil {
		p.registry.after(was)
	}
}

// publish makes what is known a View.
func (p *pass) publish() {
	p.number++
	records, plans := p.records(), p.plans()
	if len(p.faults) == 0 {
		p.lastGood = p.now
	}
	v := &View{
		Number: p.number, Environment: p.o.Environment.String(), Mode: p.o.Mode,
		Newest: p.newest.Commit, Problems: p.problems, EHR: p.o.EHR.URL(), Instance: p.found.instance,
		Last: p.done, LastFull: p.lastFull, LastGood: p.lastGood, Registry: p.registry,
		Unmanaged: p.found.unmanaged, Faults: p.faults.list(), Contested: p.contests.list(p.now), At: p.at,
		Records: records, Plans: plans,
		Tenants: slices.SortedFunc(maps.Values(p.tenants), byID),
	}
	if p.force != nil {
		v.Commit, v.LoadedAt, v.Desired = p.force.commit, p.force.loadedAt, &p.force.fleet.Desired
		for _, w := range p.force.fleet.Warnings(p.now) {
			v.Warnings = append(v.Warnings, plan.Warning{Code: string(w.Code), File: w.Pos.File, Line: w.Pos.Line, Text: w.Message})
		}
	}
	if p.o.Due != nil {
		v.Next = p.o.Due(p.o.Now())
	}
	p.view.Store(v)
	if p.o.Published != nil {
		p.o.Published(v)
	}
}
