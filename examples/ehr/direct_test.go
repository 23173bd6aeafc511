package main_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/internal/platform"
	"github.com/veonahealth/charter/examples/ehr/internal/sqlite"
	"github.com/veonahealth/charter/schema"
)

// What the benchmarks measure beside the server: its platform, called directly.

// bench is who writes here.
var bench = platform.Write{Actor: "bench"}

// withoutHTTP opens a platform on a database file, and returns what closes it.
func withoutHTTP(b *testing.B, db string) (*platform.Platform, func()) {
	b.Helper()
	c, err := schema.LoadCatalog(catalog.DefaultFiles())
	if err != nil {
		b.Fatal(err)
	}
	store, err := sqlite.Open(b.Context(), db)
	if err != nil {
		b.Fatal(err)
	}
	p, err := platform.New(b.Context(), platform.Config{Store: store, Catalog: c, Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	return p, func() {
		if err := store.Close(); err != nil {
			b.Error(err)
		}
	}
}

// must returns an identifier that is known to be one.
func must[ID any](b *testing.B, parse func(string) (ID, error), text string) ID {
	b.Helper()
	id, err := parse(text)
	if err != nil {
		b.Fatal(err)
	}
	return id
}

// seed makes n provisioned tenants, and returns their ids.
func seed(b *testing.B, p *platform.Platform, n int) []catalog.TenantID {
	b.Helper()
	organisation := must(b, catalog.ParseOrganisationID, "org")
	hospital := must(b, catalog.ParseEditionKey, "hospital")
	_, err := p.CreateOrganisation(b.Context(), bench, platform.Organisation{ID: organisation, Name: "Organisation"})
	if err != nil {
		b.Fatal(err)
	}
	want := platform.Provision{Edition: hospital}
	for f := range benchFacilities {
		id := must(b, catalog.ParseFacilityID, fmt.Sprintf("facility-%d", f))
		want.Facilities = append(want.Facilities, platform.Facility{ID: id, Name: "Facility"})
	}
	ids := make([]catalog.TenantID, n)
	for i := range ids {
		ids[i] = must(b, catalog.ParseTenantID, fmt.Sprintf("tenant-%d", i))
		spec := platform.TenantSpec{ID: ids[i], Name: "Tenant", Organisation: organisation, Edition: hospital}
		if _, err := p.CreateTenant(b.Context(), bench, spec); err != nil {
			b.Fatal(err)
		}
		if _, err := p.Provision(b.Context(), bench, ids[i], want); err != nil {
			b.Fatal(err)
		}
	}
	return ids
}

// putsWithoutHTTP returns what makes a write of benchmarkPut by calling the platform.
func putsWithoutHTTP(b *testing.B, db string, full bool, authority []byte) func(runner int) error {
	b.Helper()
	p, stop := withoutHTTP(b, db)
	b.Cleanup(stop)
	ids := seed(b, p, connections)
	tags := make([]string, len(ids))
	rows := make([][]catalog.Row, len(ids))
	for i, id := range ids {
		grant, err := p.Grant(b.Context(), id)
		if err != nil {
			b.Fatal(err)
		}
		tags[i] = grant.Stamp.ETag
		for _, r := range benchRows(b) {
			rows[i] = append(rows[i], catalog.Row{
				Facility: must(b, catalog.ParseFacilityID, r.Facility),
				Module:   must(b, catalog.ParseEHRModule, r.Module),
			})
		}
	}
	var key atomic.Int64
	return func(runner int) error {
		w := bench
		if full {
			w.Authority, w.Retry = authority, &platform.Retry{}
			binary.BigEndian.PutUint64(w.Retry.ID[:], uint64(key.Add(1)))
		}
		answer, err := p.ReplaceGrant(context.Background(), w, ids[runner],
			platform.Condition{ETag: tags[runner]}, rows[runner])
		tags[runner] = answer.ETag
		return err
	}
}
