package reconcile_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/ehrtest"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile"
	"github.com/veonahealth/charter/reconcile/ehr"
)

const (
	benchTenants = 1000
	parallelism  = 10
)

// sites are a tenant's facilities: with the edition hospital, three times
// nineteen rows.
var sites = []string{"f0", "f1", "f2"}

// cost is what a stretch of this process took.
type cost struct {
	wall, cpu time.Duration
	allocated uint64
}

func spent(b *testing.B, do func() error) cost {
	b.Helper()
	allocated := allocations()
	before, start := usage(b), time.Now()
	if err := do(); err != nil {
		b.Fatal(err)
	}
	return cost{time.Since(start), usage(b) - before, allocations() - allocated}
}

func usage(b *testing.B) time.Duration {
	b.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func allocations() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

func (c *cost) add(other cost) {
	c.wall += other.wall
	c.cpu += other.cpu
	c.allocated += other.allocated
}

// compare prints ratios alone, as a time says nothing on a shared machine, and what
// does not depend on the machine.
func compare(b *testing.B, ours, floor cost, asked int64) {
	tenants := float64(b.N * benchTenants)
	b.ReportMetric(ours.wall.Seconds()/floor.wall.Seconds(), "wall/floor")
	b.ReportMetric(ours.cpu.Seconds()/floor.cpu.Seconds(), "CPU/floor")
	b.ReportMetric(float64(ours.cpu.Microseconds())/tenants, "CPU-µs/tenant")
	b.ReportMetric(float64(asked)/tenants, "requests/tenant")
	b.ReportMetric(float64(ours.allocated)/tenants, "allocs/tenant")
	b.ReportMetric(0, "ns/op")
}

// asking is a client that may or may not read all grants in one stream.
type asking struct {
	*ehr.Client
	bulk bool
}

func (c asking) Platform(ctx context.Context) (ehr.Platform, error) {
	p, err := c.Client.Platform(ctx)
	if !c.bulk {
		p.Features = nil
	}
	return p, err
}

// hospitals onboards tenants with a prefix and declares them as they are.
func hospitals(b *testing.B, e *ehrtest.EHR, f *fleet, prefix string, grants ...string) []string {
	b.Helper()
	var list []string
	for i := range benchTenants {
		id := fmt.Sprintf("%s-%04d", prefix, i)
		e.Onboard(b, id, "hospital", sites...)
		f.declare(b, id, "hospital", sites, grants...)
		list = append(list, id)
	}
	return list
}

// plainClient is what anybody would write: no retries, no checks.
func plainClient() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost, t.MaxConnsPerHost = parallelism, parallelism
	t.DisableCompression = true // as ours on one machine
	return &http.Client{Transport: t}
}

func beside[T any](items []T, do func(T) error) error {
	var g errgroup.Group
	g.SetLimit(parallelism)
	for _, item := range items {
		g.Go(func() error { return do(item) })
	}
	return g.Wait()
}

// bareGet sends a GET and decodes the answer, which is JSON, or lines of it, with
// encoding/json.
func bareGet(plain *http.Client, url string, value func() any) error {
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+ehrtest.Token)
	answer, err := plain.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, answer.Status)
	}
	for decoder := json.NewDecoder(answer.Body); ; {
		if err := decoder.Decode(value()); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// What the bare GETs decode.
type (
	bareGrant struct {
		Tenant   string
		Revision int64
		Modules  []string
		Rows     []struct{ Facility, Module string }
	}
	bareList struct{ Items []map[string]any }
	bareAny  map[string]any
)

// bareReads are the requests that a plan needs: those of the whole platform, and
// the paths below each tenant.
type bareReads struct{ whole, each []string }

func (r bareReads) send(plain *http.Client, url string, tenants []string) error {
	decoded := func(path string) func() any {
		return func() any {
			switch {
			case strings.HasSuffix(path, "/entitlements"):
				return &bareGrant{}
			case strings.HasSuffix(path, "/connect-entitlements"):
				return &bareAny{}
			}
			return &bareList{}
		}
	}
	requests := slices.Clone(r.whole)
	for _, id := range tenants {
		for _, path := range r.each {
			requests = append(requests, "/tenants/"+id+path)
		}
	}
	return beside(requests, func(path string) error {
		return bareGet(plain, url+path, decoded(strings.TrimSuffix(path, "?limit=1000")))
	})
}

var registryReads = []string{"/editions?limit=1000", "/clients?limit=1000", "/tenants?limit=1000"}

// BenchmarkNoOpPlan plans a thousand tenants that are in step, beside the same GETs
// decoded with encoding/json: of tenants that declare rows alone, with a GET each
// and in one stream, and of tenants that declare everything. The edition has the
// connect module, so instruments are compared where none is declared too.
func BenchmarkNoOpPlan(b *testing.B) {
	for _, c := range []struct {
		name       string
		bulk       bool
		everything bool
		reads      bareReads
	}{
		{"rows,GETs", false, false, bareReads{registryReads, []string{"/entitlements", "/facilities", "/connect-entitlements"}}},
		{"rows,stream", true, false, bareReads{append([]string{"/entitlements"}, registryReads...), []string{"/facilities", "/connect-entitlements"}}},
		{"everything,stream", true, true, bareReads{
			append([]string{"/entitlements", "/licenses?limit=1000"}, registryReads...),
			[]string{"/facilities", "/connect-entitlements", "/tenant-admins"},
		}},
	} {
		b.Run(c.name, func(b *testing.B) { benchPlan(b, c.bulk, c.everything, c.reads) })
	}
}

func benchPlan(b *testing.B, bulk, everything bool, reads bareReads) {
	e := ehrtest.Start(b)
	f := newFleet(b)
	list := hospitals(b, e, f, "t")
	var asked atomic.Int64
	client := newClient(b, e.URL, func(o *ehr.Options) { o.Watch = func(context.Context, ehr.Exchange) { asked.Add(1) } })
	if everything {
		for _, t := range f.tenants {
			t.Licence, t.Connect = &catalog.Licence{Expires: ends[0]}, []catalog.Connection{instrument(b)}
			t.Admins = []catalog.Admin{{Email: "grace@example.org", Name: "Grace"}}
		}
		apply(b, client, f.plan(b, client))
	}
	request, plain := f.request(b), plainClient()
	asked.Store(0)
	var ours, floor cost
	for b.Loop() {
		floor.add(spent(b, func() error { return reads.send(plain, e.URL, list) }))
		ours.add(spent(b, func() error {
			p, _, err := reconcile.Plan(b.Context(), asking{client, bulk}, request)
			if err == nil && !p.Empty() {
				err = fmt.Errorf("%d changes, want none", len(p.Batches))
			}
			return err
		}))
	}
	compare(b, ours, floor, asked.Load())
}

// put is one request of an apply, as it went over the wire.
type put struct {
	path, etag, key string
	body            []byte
}

// BenchmarkApply writes a grant to each tenant of a platform of a thousand, beside
// a loop that does nothing but send the same requests to another such platform.
func BenchmarkApply(b *testing.B) {
	var ours, floor cost
	var asked atomic.Int64
	for b.Loop() {
		b.StopTimer()
		other, p := ungranted(b)
		puts := bare(b, p, other)
		e, p := ungranted(b)
		request := signedRequest(b, p)
		client := newClient(b, e.URL, func(o *ehr.Options) { o.Watch = func(context.Context, ehr.Exchange) { asked.Add(1) } })
		b.StartTimer()
		floor.add(spent(b, func() error { return send(other, puts) }))
		ours.add(spent(b, func() error { return applyAll(b, client, request) }))
	}
	compare(b, ours, floor, asked.Load())
}

// ungranted starts a platform of a thousand tenants and plans a grant to each.
func ungranted(b *testing.B) (*ehrtest.EHR, *plan.Plan) {
	b.Helper()
	e, f := ehrtest.StartOn(b, b.TempDir()+"/ehr.db"), newFleet(b)
	return e, f.plan(b, newClient(b, e.URL), hospitals(b, e, f, "t", "scribe")...)
}

func applyAll(b *testing.B, client *ehr.Client, r reconcile.ApplyRequest) error {
	outcomes, err := reconcile.Apply(b.Context(), client, r)
	for _, o := range outcomes {
		if err == nil && o.State != reconcile.Done {
			err = fmt.Errorf("%s: %s %s", o.Tenant, o.State, o.Text)
		}
	}
	return err
}

// signedRequest asks to apply a plan under one approval, of the size that a real
// one has.
func signedRequest(b *testing.B, p *plan.Plan) reconcile.ApplyRequest {
	b.Helper()
	bundle := json.RawMessage(`{"bundle":"` + string(bytes.Repeat([]byte("x"), 1500)) + `"}`)
	r := applyOf(b, p)
	r.Approvals = []reconcile.Approval{{Bundle: bundle, Leaves: p.Leaves()}}
	return r
}

// bare makes the requests of an apply beforehand.
func bare(b *testing.B, p *plan.Plan, e *ehrtest.EHR) []put {
	b.Helper()
	approval := signedRequest(b, p).Approvals[0]
	tree, err := plan.NewTree(approval.Leaves)
	if err != nil {
		b.Fatal(err)
	}
	var puts []put
	for i := range p.Batches {
		batch := &p.Batches[i]
		path, err := tree.Prove(int64(i))
		if err != nil {
			b.Fatal(err)
		}
		proof := make([][]byte, len(path))
		for j := range path {
			proof[j] = path[j][:]
		}
		rows := []map[string]string{}
		for _, row := range append(e.Grant(b, batch.Tenant).Rows, "f0 scribe", "f1 scribe", "f2 scribe") {
			rows = append(rows, map[string]string{"facility": row[:2], "module": row[3:]})
		}
		body, err := json.Marshal(map[string]any{"rows": rows, "authority": ehr.Authority{
			Base: batch.Base.Line(), Batch: batch.Digest.String(), Environment: p.Environment,
			Approvals: []ehr.Approval{{Bundle: approval.Bundle, Count: len(approval.Leaves), Index: i, Proof: proof}},
		}})
		if err != nil {
			b.Fatal(err)
		}
		puts = append(puts, put{"/tenants/" + batch.Tenant + "/entitlements", batch.Base.ETag, fmt.Sprintf("%064d", i), body})
	}
	return puts
}

func send(e *ehrtest.EHR, puts []put) error {
	plain := plainClient()
	return beside(puts, func(p put) error {
		r, err := http.NewRequest(http.MethodPut, e.URL+p.path, bytes.NewReader(p.body))
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+ehrtest.Token)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("If-Match", p.etag)
		r.Header.Set("Idempotency-Key", p.key)
		answer, err := plain.Do(r)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			return err
		}
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("PUT %s: %s", p.path, answer.Status)
		}
		return nil
	})
}
