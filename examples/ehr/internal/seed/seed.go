// Package seed fills a new platform with a fleet that looks like one: organisations
// with one or several tenants, editions by their share of the market, facilities of
// all sizes, modules beyond and off the edition with the revocations and pilots that
// years of support leave behind, instruments, administrators and staff, and on-prem
// sites with their licences.
//
// The fleet of N tenants is the same wherever and whenever it is made, and begins
// with the fleet of N-1: tenant number i is drawn from i alone. Only what the
// platform itself decides differs, such as times and licence ids.
package seed

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/internal/platform"
)

// together is how many tenants one transaction makes.
const together = 200

// Max is the largest fleet, for which the names are enough.
const Max = 1_000_000

// Fleet makes n tenants. A platform that was seeded with n is left alone; one that
// was written to otherwise is an error.
func Fleet(ctx context.Context, p *platform.Platform, c *catalog.Catalog, now time.Time, n int) error {
	with, written, err := p.Seeded(ctx)
	switch {
	case err != nil:
		return err
	case with == strconv.Itoa(n):
		return nil
	case written:
		return fmt.Errorf("seed fleet of %d: the platform was written to before", n)
	}
	m := &maker{catalogue: c, expires: now.UTC().AddDate(1, 0, 0).Truncate(24 * time.Hour)}
	for first := 0; first < n; first += together {
		last := min(first+together, n)
		err := p.Together(ctx, func(p *platform.Platform) error {
			for i := first; i < last; i++ {
				if err := m.tenant(ctx, p, i); err != nil {
					return fmt.Errorf("seed tenant %d: %w", i, err)
				}
			}
			if last < n {
				return nil
			}
			return p.SetSeeded(ctx, strconv.Itoa(n))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// by is who seeds.
func by() platform.Write { return platform.Write{Actor: "seed-fleet"} }

// maker makes tenants.
type maker struct {
	catalogue *catalog.Catalog
	expires   time.Time // of licences
}

// plan is one tenant as it is drawn.
type plan struct {
	dice         *rand.Rand
	organisation platform.Organisation
	newOrg       bool // this tenant is its organisation's first
	spec         platform.TenantSpec
	facilities   []platform.Facility
	edition      *catalog.Edition
}

// tenant makes tenant number i with everything that it has.
func (m *maker) tenant(ctx context.Context, p *platform.Platform, i int) error {
	drawn, err := m.draw(i)
	if err != nil {
		return err
	}
	if drawn.newOrg {
		if _, err := p.CreateOrganisation(ctx, by(), drawn.organisation); err != nil {
			return err
		}
	}
	if _, err := p.CreateTenant(ctx, by(), drawn.spec); err != nil {
		return err
	}
	if drawn.chance(0.02) { // sold, and not set up yet
		return nil
	}
	want := platform.Provision{Edition: drawn.spec.Edition, Facilities: drawn.facilities, Staff: drawn.staff(m.catalogue)}
	if _, err := p.Provision(ctx, by(), drawn.spec.ID, want); err != nil {
		return err
	}
	for _, step := range []func(context.Context, *platform.Platform, *plan) error{
		m.adjust, m.connect, m.admins, m.licence, m.billing,
	} {
		if err := step(ctx, p, drawn); err != nil {
			return err
		}
	}
	return nil
}

// adjust changes the edition's rows for a third of the tenants: modules beyond it,
// and ones that a site has no use for.
func (m *maker) adjust(ctx context.Context, p *platform.Platform, d *plan) error {
	if !d.chance(0.35) {
		return nil
	}
	grant, err := p.Grant(ctx, d.spec.ID)
	if err != nil {
		return err
	}
	var rows []catalog.Row
	for index, module := range m.catalogue.Modules() {
		held := d.edition.Set().Has(index)
		everywhere := !held && d.chance(0.06) // bought à la carte, or piloted
		for _, f := range d.facilities {
			revoked := held && !module.Critical && d.chance(0.04)
			if everywhere || held && !revoked {
				rows = append(rows, catalog.Row{Facility: f.ID, Module: module.EHR})
			}
		}
	}
	_, err = p.ReplaceGrant(ctx, by(), d.spec.ID, platform.Condition{ETag: grant.Stamp.ETag}, append([]catalog.Row{}, rows...))
	return err
}

// connect licenses instruments where the edition has the module for them.
func (m *maker) connect(ctx context.Context, p *platform.Platform, d *plan) error {
	if len(d.edition.Modules) < 8 || !d.chance(0.6) {
		return nil
	}
	want := platform.Connect{Instruments: []platform.Instrument{}}
	for _, instrument := range m.catalogue.Instruments() {
		if d.chance(0.4) {
			want.Instruments = append(want.Instruments, platform.Instrument{Key: instrument.Key, Licensed: d.chance(0.9)})
		}
	}
	_, err := p.ReplaceConnect(ctx, by(), d.spec.ID, want)
	return err
}

func (m *maker) admins(ctx context.Context, p *platform.Platform, d *plan) error {
	for i := range 1 + d.dice.IntN(2) {
		person := d.person()
		spec := platform.AdminSpec{Email: fmt.Sprintf("%s.%d@%s.example.org", person.address, i, d.spec.ID), Name: person.name}
		if _, err := p.Invite(ctx, by(), d.spec.ID, spec); err != nil {
			return err
		}
	}
	return nil
}

func (m *maker) licence(ctx context.Context, p *platform.Platform, d *plan) error {
	if d.spec.Hosting != catalog.OnPrem {
		return nil
	}
	_, err := p.IssueLicence(ctx, by(), platform.LicenceSpec{Tenant: d.spec.ID, Expires: &m.expires})
	return err
}

// billing has said something of most tenants, and bad things of a few.
func (m *maker) billing(ctx context.Context, p *platform.Platform, d *plan) error {
	status := platform.Active
	switch roll := d.dice.Float64(); {
	case roll < 0.10:
		return nil
	case roll < 0.12:
		status = platform.Suspended
	}
	_, err := p.SetBilling(ctx, by(), d.spec.ID, status)
	return err
}

// slug turns a name into an identifier.
func slug(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
			return r
		case r == ' ':
			return '-'
		}
		return -1
	}, strings.ToLower(name))
}
