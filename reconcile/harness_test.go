package reconcile_test

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/ehrtest"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile"
	"github.com/veonahealth/charter/reconcile/ehr"
	"github.com/veonahealth/charter/schema"
)

func TestMain(m *testing.M) { os.Exit(ehrtest.Main(m)) }

// now is when the tests are made and carried out.
var now = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// digest stands for those that a pass only hands on.
const digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

// standard is the default catalogue, which the EHR has too.
var standard = sync.OnceValues(func() (*catalog.Catalog, error) { return schema.LoadCatalog(catalog.DefaultFiles()) })

// must returns what a call gave, or ends the test.
func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// fleet is what is declared.
type fleet struct {
	catalog       *catalog.Catalog
	organisations []catalog.Organisation
	tenants       []*catalog.Tenant
}

func newFleet(t testing.TB) *fleet {
	t.Helper()
	return &fleet{catalog: must(standard())(t)}
}

// declare adds a tenant of an edition with facilities and grants, which are
// modules of the tenant or, as "facility module", of a facility. Everything else
// of it is as an EHR's Onboard makes it.
func (f *fleet) declare(t testing.TB, id, edition string, facilities []string, grants ...string) *catalog.Tenant {
	t.Helper()
	tenant := &catalog.Tenant{
		ID: must(catalog.ParseTenantID(id))(t), Name: "Tenant " + id, Organisation: must(catalog.ParseOrganisationID(id))(t),
		Edition: must(catalog.ParseEditionKey(edition))(t), Environment: catalog.DefaultEnvironment, Hosting: catalog.Cloud,
	}
	for _, facility := range facilities {
		tenant.Facilities = append(tenant.Facilities, site(t, facility))
	}
	for _, grant := range grants {
		facility, module, of := strings.Cut(grant, " ")
		if !of {
			tenant.Grants = append(tenant.Grants, adjustment(t, facility))
			continue
		}
		f := tenant.Facility(must(catalog.ParseFacilityID(facility))(t))
		f.Grants = append(f.Grants, adjustment(t, module))
	}
	f.tenants = append(f.tenants, tenant)
	return tenant
}

// organise declares an organisation as an EHR's Create makes it.
func (f *fleet) organise(t testing.TB, id string) *catalog.Organisation {
	t.Helper()
	f.organisations = append(f.organisations, catalog.Organisation{
		ID: must(catalog.ParseOrganisationID(id))(t), Name: "Organisation of " + id,
	})
	return &f.organisations[len(f.organisations)-1]
}

// site is a facility as an EHR's Provision makes it.
func site(t testing.TB, id string) catalog.Facility {
	t.Helper()
	return catalog.Facility{ID: must(catalog.ParseFacilityID(id))(t), Name: "Facility " + id}
}

func adjustment(t testing.TB, module string) catalog.Adjustment {
	t.Helper()
	return catalog.Adjustment{Module: must(catalog.ParseModuleKey(module))(t), Reason: "a test"}
}

// request asks to plan for the tenants of some ids, who are then chosen by name,
// or for all.
func (f *fleet) request(t testing.TB, ids ...string) reconcile.PlanRequest {
	t.Helper()
	slices.SortFunc(f.tenants, func(a, b *catalog.Tenant) int { return a.ID.Compare(b.ID) })
	desired := &catalog.Desired{Catalog: f.catalog, Policy: digest, Organisations: f.organisations}
	var chosen []catalog.Declaration
	for _, tenant := range f.tenants {
		declared := must(catalog.Declare(tenant, "tenants/"+tenant.ID.String()))(t)
		desired.Tenants = append(desired.Tenants, declared)
		if len(ids) == 0 || slices.Contains(ids, tenant.ID.String()) {
			chosen = append(chosen, declared)
		}
	}
	return reconcile.PlanRequest{
		Desired: desired, Tenants: chosen, Chosen: len(ids) > 0, Environment: catalog.ControlPlane{Environment: catalog.DefaultEnvironment},
		Source: plan.Source{Commit: strings.Repeat("c", 40)}, At: now, Now: now, ExpiresIn: time.Hour, Nonce: "n",
	}
}

// plan plans, which must succeed.
func (f *fleet) plan(t testing.TB, client *ehr.Client, ids ...string) *plan.Plan {
	t.Helper()
	p, _, err := reconcile.Plan(t.Context(), client, f.request(t, ids...))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// newClient asks a platform and does not wait long between tries.
func newClient(t testing.TB, url string, change ...func(*ehr.Options)) *ehr.Client {
	t.Helper()
	o := ehr.Options{URL: url, Token: ehrtest.Token, Retries: 2, Pause: time.Millisecond}
	for _, c := range change {
		c(&o)
	}
	return must(ehr.New(o))(t)
}

// apply carries a plan out, which must get as far as outcomes.
func apply(t testing.TB, client *ehr.Client, p *plan.Plan) []reconcile.Outcome {
	t.Helper()
	outcomes, err := reconcile.Apply(t.Context(), client, applyOf(t, p))
	if err != nil {
		t.Fatal(err)
	}
	return outcomes
}

// applyOf asks to carry out a plan as it is read from its file.
func applyOf(t testing.TB, p *plan.Plan) reconcile.ApplyRequest {
	t.Helper()
	file := must(plan.Encode(p))(t)
	return reconcile.ApplyRequest{Plan: must(plan.Decode(file))(t), Digest: plan.DigestOf(file), Now: now}
}

// changes writes a plan's changes, rows as "- tenant facility module" and others
// as "+ tenant kind key", in the plan's order.
func changes(p *plan.Plan) []string {
	lines := []string{}
	for _, b := range p.Batches {
		for _, c := range b.Changes {
			what, which := c.Facility, c.EHRModule
			if c.Kind != plan.KindRow {
				what, which = c.Kind, c.Key
			}
			lines = append(lines, fmt.Sprintf("%s %s %s %s", c.Action.Symbol(), b.Tenant, what, which))
		}
	}
	return lines
}

// refusals writes a plan's refusals as "tenant facility code".
func refusals(p *plan.Plan) []string {
	lines := []string{}
	for _, r := range p.Refusals {
		lines = append(lines, fmt.Sprintf("%s %s %s", r.Tenant, cmp.Or(r.Facility, "*"), r.Code))
	}
	return lines
}

// held writes what a plan holds as "tenant facility module reason".
func held(p *plan.Plan) []string {
	lines := []string{}
	for _, h := range p.Held {
		lines = append(lines, fmt.Sprintf("%s %s %s %s", h.Tenant, cmp.Or(h.Facility, "*"), cmp.Or(h.EHRModule, "*"), h.Reason))
	}
	return lines
}

// states writes outcomes as "tenant state".
func states(outcomes []reconcile.Outcome) []string {
	lines := []string{}
	for _, o := range outcomes {
		lines = append(lines, o.Tenant+" "+string(o.State))
	}
	return lines
}

// same compares, by their text where they are identifiers.
func same(t testing.TB, what string, want, got any) {
	t.Helper()
	if diff := gocmp.Diff(want, got, gocmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// ids are t00, t01 and so on.
func ids(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("t%02d", i)
	}
	return list
}

// centre is the facility that tenants of many have.
var centre = []string{"main"}

// many onboards n health centres and declares maternity for each.
func many(t testing.TB, e *ehrtest.EHR, n int) (*fleet, []string) {
	t.Helper()
	f, list := newFleet(t), ids(n)
	for _, id := range list {
		e.Onboard(t, id, "health-centre", centre...)
		f.declare(t, id, "health-centre", centre, "maternity")
	}
	return f, list
}

// with returns rows and one more, sorted.
func with(rows []string, row string) []string {
	return slices.Sorted(slices.Values(append(slices.Clone(rows), row)))
}

// extended starts an EHR whose catalogue has modules that the default one lacks.
func extended(t testing.TB, modules string) *ehrtest.EHR {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, catalog.DefaultFiles()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "more.cue"), []byte("package catalog\nmodules: "+modules+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return ehrtest.Start(t, "--catalog", dir)
}

// cancelled returns a context to be interrupted.
func cancelled(t testing.TB) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return ctx, cancel
}
