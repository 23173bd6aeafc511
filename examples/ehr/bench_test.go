package main_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/internal/platform"
	"github.com/veonahealth/charter/examples/ehr/internal/sqlite"
	"github.com/veonahealth/charter/schema"
)

// The measured grant: three facilities with twenty modules each.
const (
	benchFacilities = 3
	benchModules    = 20
	connections     = 16
)

func benchRows(t testing.TB) []row {
	t.Helper()
	var rows []row
	for f := range benchFacilities {
		for _, module := range modules(t)[:benchModules] {
			rows = append(rows, row{fmt.Sprintf("facility-%d", f), module})
		}
	}
	return rows
}

// modules are the EHR's keys of the default catalogue's modules.
func modules(t testing.TB) (keys []string) {
	t.Helper()
	c, err := schema.LoadCatalog(catalog.DefaultFiles())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range c.Modules() {
		keys = append(keys, m.EHR.String())
	}
	return keys
}

// sixteen is a client with as many connections, that does not ask for gzip: on
// the loopback compression only costs.
func sixteen() *http.Client {
	return &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections, DisableCompression: true,
	}}
}

// spread runs n times do on the connections and returns how long it took. Each
// runner has a number of its own.
func spread(b *testing.B, n int, do func(runner int) error) time.Duration {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(n))
	failed := make(chan error, connections)
	begin := time.Now()
	for runner := range connections {
		go func() {
			var err error
			for err == nil && left.Add(-1) >= 0 {
				err = do(runner)
			}
			failed <- err
		}()
	}
	for range connections {
		if err := <-failed; err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(begin)
}

// report tells a rate beside its floor, measured in the same run.
func report(b *testing.B, took, floor time.Duration) {
	b.Helper()
	b.ReportMetric(float64(b.N)/took.Seconds(), "ops/s")
	b.ReportMetric(float64(b.N)/floor.Seconds(), "floor-ops/s")
	b.ReportMetric(took.Seconds()/floor.Seconds(), "x-floor")
	b.ReportMetric(0, "ns/op")
}

// roundTrip sends a request with a token and returns the answer's body and tag.
func roundTrip(client *http.Client, method, url, etag string, body []byte) (string, []byte, error) {
	request, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		return "", nil, err
	}
	request.Header.Set("Authorization", "Bearer "+tokens["super_admin"])
	if etag != "" {
		request.Header.Set("If-Match", etag)
	}
	response, err := client.Do(request)
	if err != nil {
		return "", nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %d: %s", method, url, response.StatusCode, text)
	}
	return response.Header.Get("ETag"), text, err
}

// benchTenants makes a tenant for each connection and returns their grants' URLs
// and tags.
func benchTenants(b *testing.B, at target) (urls, tags []string) {
	b.Helper()
	var facilities []string
	for f := range benchFacilities {
		facilities = append(facilities, fmt.Sprintf("facility-%d", f))
	}
	for i := range connections {
		id := at.provisioned(b, fmt.Sprintf("tenant-%d", i), "hospital", facilities...)
		wrote := readGrant(b, at.replace(b, id, at.grant(b, id).ETag, benchRows(b)...).want(200))
		urls, tags = append(urls, at.base+"/tenants/"+id+"/entitlements"), append(tags, wrote.ETag)
	}
	return urls, tags
}

// BenchmarkGetGrant reads a grant of 60 rows, beside a handler that has the same
// bytes in its hand.
func BenchmarkGetGrant(b *testing.B) {
	at := start(b)
	urls, _ := benchTenants(b, at)
	client := sixteen()
	_, body, err := roundTrip(client, "GET", urls[0], "", nil)
	if err != nil {
		b.Fatal(err)
	}
	bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write(body)
	}))
	defer bare.Close()
	get := func(urls []string) func(int) error {
		return func(runner int) error {
			_, _, err := roundTrip(client, "GET", urls[runner%len(urls)], "", nil)
			return err
		}
	}
	b.ResetTimer()
	floor := spread(b, b.N, get([]string{bare.URL}))
	report(b, spread(b, b.N, get(urls)), floor)
}

// bareGrant is the floor of a write: a handler that decodes what it gets and
// encodes what it answers, and keeps nothing.
func bareGrant(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var said struct {
		Rows []catalog.Row `json:"rows"`
	}
	if err := json.Unmarshal(text, &said, json.RejectUnknownMembers(true)); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.MarshalWrite(w, said)
}

// BenchmarkPutGrant writes a grant of 60 rows to a database file, beside a
// handler that only decodes and encodes, and beside the same transactions without
// HTTP.
func BenchmarkPutGrant(b *testing.B) {
	for _, db := range []string{"file", sqlite.Memory} {
		b.Run(db, func(b *testing.B) { benchmarkPut(b, db) })
	}
}

func benchmarkPut(b *testing.B, db string) {
	if db == "file" {
		db = filepath.Join(b.TempDir(), "ehr.db")
	}
	at := startOn(b, db)
	urls, tags := benchTenants(b, at)
	client := sixteen()
	body, err := json.Marshal(struct {
		Rows []row `json:"rows"`
	}{benchRows(b)})
	if err != nil {
		b.Fatal(err)
	}
	bare := httptest.NewServer(http.HandlerFunc(bareGrant))
	defer bare.Close()
	b.ResetTimer()
	floor := spread(b, b.N, func(int) error {
		_, _, err := roundTrip(client, "PUT", bare.URL, "", body)
		return err
	})
	took := spread(b, b.N, func(runner int) (err error) {
		tags[runner], _, err = roundTrip(client, "PUT", urls[runner], tags[runner], body)
		return err
	})
	direct := directPuts(b, db == sqlite.Memory)
	report(b, took, floor)
	b.ReportMetric(float64(b.N)/direct.Seconds(), "direct-ops/s")
	b.ReportMetric(took.Seconds()/direct.Seconds(), "x-direct")
}

// directPuts makes the same writes by calling the platform.
func directPuts(b *testing.B, memory bool) time.Duration {
	b.Helper()
	path := filepath.Join(b.TempDir(), "direct.db")
	if memory {
		path = sqlite.Memory
	}
	p, ids, tags := directTenants(b, path)
	rows := make([][]catalog.Row, connections)
	for i := range rows {
		for _, r := range benchRows(b) {
			facility, _ := catalog.ParseFacilityID(r.Facility)
			module, _ := catalog.ParseEHRModule(r.Module)
			rows[i] = append(rows[i], catalog.Row{Facility: facility, Module: module})
		}
	}
	return spread(b, b.N, func(runner int) error {
		answer, err := p.ReplaceGrant(context.Background(), platform.Write{Actor: "bench"}, ids[runner],
			platform.Condition{ETag: tags[runner]}, rows[runner])
		tags[runner] = answer.ETag
		return err
	})
}

func directTenants(b *testing.B, path string) (p *platform.Platform, ids []catalog.TenantID, tags []string) {
	b.Helper()
	ctx := context.Background()
	c, err := schema.LoadCatalog(catalog.DefaultFiles())
	if err != nil {
		b.Fatal(err)
	}
	store, err := sqlite.Open(ctx, path)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { store.Close() })
	p, err = platform.New(ctx, platform.Config{Store: store, Catalog: c, Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	w := platform.Write{Actor: "bench"}
	organisation, _ := catalog.ParseOrganisationID("org")
	hospital, _ := catalog.ParseEditionKey("hospital")
	if _, err := p.CreateOrganisation(ctx, w, platform.Organisation{ID: organisation, Name: "Organisation"}); err != nil {
		b.Fatal(err)
	}
	want := platform.Provision{Edition: hospital}
	for f := range benchFacilities {
		facility, _ := catalog.ParseFacilityID(fmt.Sprintf("facility-%d", f))
		want.Facilities = append(want.Facilities, platform.Facility{ID: facility, Name: "Facility"})
	}
	for i := range connections {
		id, _ := catalog.ParseTenantID(fmt.Sprintf("tenant-%d", i))
		if _, err := p.CreateTenant(ctx, w, platform.TenantSpec{
			ID: id, Name: "Tenant", Organisation: organisation, Edition: hospital,
		}); err != nil {
			b.Fatal(err)
		}
		if _, err := p.Provision(ctx, w, id, want); err != nil {
			b.Fatal(err)
		}
		grant, err := p.Grant(ctx, id)
		if err != nil {
			b.Fatal(err)
		}
		ids, tags = append(ids, id), append(tags, grant.Stamp.ETag)
	}
	return p, ids, tags
}
