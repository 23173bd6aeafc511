package platform_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/internal/platform"
	"github.com/veonahealth/charter/examples/ehr/internal/seed"
	"github.com/veonahealth/charter/examples/ehr/internal/sqlite"
)

// TestUsesOfThirtyDaysAreTold moves the clock a day at a time and asks for one
// request more each day.
func TestUsesOfThirtyDaysAreTold(t *testing.T) {
	c := &clock{now: time.Date(2027, 1, 1, 23, 59, 59, 0, time.UTC)}
	p, stop := open(t, sqlite.Memory, c.read)
	defer stop()
	ctx := context.Background()
	if err := seed.Fleet(ctx, p, standard(t), c.now, 1); err != nil {
		t.Fatal(err)
	}
	row := aRow(t, p)
	for day := 1; day <= 40; day++ {
		for range day {
			if _, err := p.Gate(ctx, fmt.Sprintf("/ehr/%s/%s%s", row.tenant, row.Facility, row.route)); err != nil {
				t.Fatal(err)
			}
		}
		usage, err := p.Usage(ctx, row.tenant)
		if err != nil {
			t.Fatal(err)
		}
		first := max(1, day-29)
		want := int64((first + day) * (day - first + 1) / 2)
		if len(usage.Items) != 1 || usage.Items[0].Requests != want {
			t.Fatalf("day %d: %+v, want %d requests", day, usage.Items, want)
		}
		from := c.now.AddDate(0, 0, -29).Format(time.DateOnly) + "T00:00:00.000Z"
		if usage.From != from {
			t.Fatalf("day %d: from %s, want %s", day, usage.From, from)
		}
		c.now = c.now.AddDate(0, 0, 1)
	}
}

// route is a row with a path that its module gates.
type route struct {
	catalog.Row
	tenant catalog.TenantID
	route  string
}

// aRow returns a row that a tenant holds.
func aRow(t *testing.T, p *platform.Platform) (found route) {
	t.Helper()
	c := standard(t)
	_, err := p.Bulk(context.Background(), nil, func(g *platform.Grant) error {
		for _, m := range c.Modules() {
			row := catalog.Row{Facility: firstFacility(t, p, g.Tenant), Module: m.EHR}
			if g.Holds(row) && len(m.Routes) > 0 {
				found = route{row, g.Tenant, m.Routes[0]}
			}
		}
		return nil
	})
	if err != nil || found.route == "" {
		t.Fatalf("no row: %v", err)
	}
	return found
}

func firstFacility(t *testing.T, p *platform.Platform, id catalog.TenantID) catalog.FacilityID {
	t.Helper()
	status, err := p.EHRStatus(context.Background(), id)
	if err != nil || len(status.Facilities) == 0 {
		t.Fatalf("no facility: %v", err)
	}
	return status.Facilities[0].ID
}

func TestUsesThatCannotBeWrittenDownAreCountedLater(t *testing.T) {
	p, stop := open(t, sqlite.Memory, time.Now)
	defer stop()
	ctx := context.Background()
	if err := seed.Fleet(ctx, p, standard(t), time.Now(), 1); err != nil {
		t.Fatal(err)
	}
	row := aRow(t, p)
	if _, err := p.Gate(ctx, fmt.Sprintf("/ehr/%s/%s%s", row.tenant, row.Facility, row.route)); err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if err := p.FlushUsage(gone); err == nil {
		t.Fatal("a write without a context was carried out")
	}
	usage, err := p.Usage(ctx, row.tenant)
	if err != nil || len(usage.Items) != 1 || usage.Items[0].Requests != 1 {
		t.Errorf("%+v, %v", usage.Items, err)
	}
}
