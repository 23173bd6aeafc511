package platform

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/veonahealth/charter/catalog"
)

// usageDays is how far back the use of a module is told, today counted.
const usageDays = 30

// day is a UTC date, as the number of days since 1970.
type day int64

func dayOf(t time.Time) day { return day(t.Unix() / int64(24*time.Hour/time.Second)) }

func (d day) begin() time.Time { return time.Unix(int64(d)*int64(24*time.Hour/time.Second), 0).UTC() }

// Use is how often the gate let somebody through to a module.
type Use struct {
	Facility catalog.FacilityID `json:"facility"`
	Module   catalog.EHRModule  `json:"module"`
	Requests int64              `json:"requests"` // at least 1
}

// Usage is what was used of a tenant's rows.
type Usage struct {
	Tenant catalog.TenantID `json:"tenant"`
	From   string           `json:"from"`  // the first instant that is counted
	Until  string           `json:"until"` // the time of the answer
	Items  []Use            `json:"items"` // sorted by facility, then module; what was not used is left out
}

// DayOfUse is what a day's count is of.
type DayOfUse struct {
	Tenant   catalog.TenantID
	Facility catalog.FacilityID
	Module   catalog.EHRModule
	Day      int64 // since 1970, in UTC
}

// counter counts in memory what is to be written down now and then: a request of
// the clinical app must not wait for a disk.
type counter struct {
	mu     sync.Mutex
	counts map[DayOfUse]int64
}

func (c *counter) add(of DayOfUse, requests int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[DayOfUse]int64{}
	}
	c.counts[of] += requests
}

// take returns what was counted and begins anew.
func (c *counter) take() map[DayOfUse]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.counts
	c.counts = nil
	return taken
}

// used counts a request that the gate let through.
func (p *Platform) used(w Passage) {
	p.uses.add(DayOfUse{w.Tenant, w.Facility, w.Module, int64(dayOf(p.now()))}, 1)
}

// FlushUsage writes down what was counted since it was last called. A process that
// is killed loses what was counted since then, and nothing else.
func (p *Platform) FlushUsage(ctx context.Context) error {
	counted := p.uses.take()
	if len(counted) == 0 {
		return nil
	}
	oldest := int64(dayOf(p.now())) - usageDays + 1
	err := p.store.Update(ctx, func(tx Tx) error { return tx.AddUses(maps.All(counted), oldest) })
	if err != nil {
		for of, requests := range counted {
			p.uses.add(of, requests)
		}
	}
	return err
}

// Usage tells how often each module of a tenant's facilities was used in the last
// 30 days, as the platform's own gate counted it: today and the 29 days before.
func (p *Platform) Usage(ctx context.Context, id catalog.TenantID) (Usage, error) {
	if err := p.FlushUsage(ctx); err != nil {
		return Usage{}, err
	}
	now := p.now().UTC()
	first := dayOf(now) - usageDays + 1
	usage := Usage{Tenant: id, From: first.begin().Format(timeForm), Until: now.Format(timeForm)}
	err := p.store.View(ctx, func(v View) error {
		if _, err := tenant(v, id); err != nil {
			return err
		}
		uses, err := v.Uses(id, int64(first))
		usage.Items = slices.AppendSeq([]Use{}, slices.Values(uses))
		return err
	})
	return usage, err
}
