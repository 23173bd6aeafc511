package reconcile_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/ehrtest"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile"
	"github.com/veonahealth/charter/reconcile/ehr"
)

// snapshotOf takes a snapshot and reads it from its file.
func snapshotOf(t testing.TB, e reconcile.EHR) (*reconcile.Snapshot, []byte) {
	t.Helper()
	taken := must(reconcile.TakeSnapshot(t.Context(), e, catalog.ControlPlane{Environment: catalog.DefaultEnvironment}, now))(t)
	file := must(taken.Encode())(t)
	return must(reconcile.DecodeSnapshot(file))(t), file
}

// frozenPlan plans against a snapshot.
func frozenPlan(t testing.TB, f *fleet, s *reconcile.Snapshot, ids ...string) *plan.Plan {
	t.Helper()
	request := f.request(t, ids...)
	frozen := must(reconcile.Freeze(s, request.Desired))(t)
	p, _, err := reconcile.Plan(t.Context(), frozen, request)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// file is a plan's file without what says where and when the live state was read.
func fileOf(t testing.TB, p *plan.Plan) string {
	t.Helper()
	p.Live = plan.Observation{}
	return string(must(plan.Encode(p))(t))
}

// withAdmins adds administrators in every state and spelling to a fleet and its
// platform.
func withAdmins(t *testing.T, e *ehrtest.EHR, f *fleet) {
	t.Helper()
	e.Onboard(t, "y-admins", "health-centre", "main")
	for _, email := range []string{"ann@example.org", "Bob@Example.org", "secret@elsewhere.org"} {
		e.Do(t, "POST", "/tenants/y-admins/tenant-admins", nil, map[string]any{"email": email, "name": "Somebody"}, http.StatusCreated, nil)
	}
	f.declare(t, "y-admins", "health-centre", []string{"main"}).Admins = []catalog.Admin{
		{Email: "ann@example.org", Name: "Ann", Withdrawn: "left"},
		{Email: "Bob@Example.org", Name: "Bob", Withdrawn: "left"},
		{Email: "new@example.org", Name: "New"},
	}
}

func TestAPlanAgainstASnapshotIsTheLivePlanByteForByte(t *testing.T) {
	e, f := motley(t)
	withAdmins(t, e, f)
	for range 2 {
		e.Gate(t, "v-foreign", "main", "/theatre")
	}
	client := newClient(t, e.URL)
	taken, file := snapshotOf(t, client)
	for name, ids := range map[string][]string{"all": nil, "few": {"t00", "x-prem", "y-admins", "u-absent", "v-foreign"}} {
		live, frozen := f.plan(t, client, ids...), frozenPlan(t, f, taken, ids...)
		if text := fileOf(t, live); !strings.Contains(text, `"usage": 2`) || !strings.Contains(text, `"kind": "admin"`) {
			t.Fatalf("%s: not all is planned that the test is about", name)
		}
		same(t, name, fileOf(t, live), fileOf(t, frozen))
	}
	_, again := snapshotOf(t, client)
	if !bytes.Equal(file, again) {
		t.Error("two snapshots of one state differ")
	}
}

func TestAPlanAgainstASnapshotOfAPlatformThatOffersLessIsTheLiveOne(t *testing.T) {
	e, f := motley(t)
	proxy := ehrtest.NewProxy(t, e.URL)
	for _, path := range []string{"/editions", "/licenses", "/tenants/*/facilities", "/tenants/*/connect-entitlements", "/tenants/*/tenant-admins", "/tenants/*/usage"} {
		proxy.Add(ehrtest.Rule{Path: path, Fault: ehrtest.Problem(http.StatusNotFound, "not-found")})
	}
	client := newClient(t, proxy.URL)
	taken, _ := snapshotOf(t, client)
	same(t, "plan", fileOf(t, f.plan(t, client)), fileOf(t, frozenPlan(t, f, taken)))
}

func TestASnapshotHoldsNoAddressAndNoToken(t *testing.T) {
	e, f := motley(t)
	withAdmins(t, e, f)
	apply(t, newClient(t, e.URL), f.plan(t, newClient(t, e.URL), "x-prem")) // which issues a licence
	_, file := snapshotOf(t, newClient(t, e.URL))
	for _, secret := range []string{"@", "://", "token", "Somebody", "grace", ehrtest.Token} {
		if strings.Contains(string(file), secret) {
			t.Errorf("the snapshot has %q", secret)
		}
	}
	if !strings.Contains(string(file), `"terms":{`) || !strings.Contains(string(file), `"address":"`) {
		t.Error("the snapshot lacks what the test is about")
	}
	if bytes.Count(file, []byte("\n")) != 1 || !bytes.HasSuffix(file, []byte("\n")) {
		t.Error("the snapshot is not one line")
	}
}

func TestATenantThatCouldNotBeReadIsUnreadableInThePlan(t *testing.T) {
	e, f := motley(t)
	proxy := ehrtest.NewProxy(t, e.URL)
	proxy.Add(noBulk)
	proxy.Add(ehrtest.Rule{Path: "/tenants/t03/entitlements", Fault: ehrtest.Answer(http.StatusServiceUnavailable, "text/plain", "no")})
	taken, file := snapshotOf(t, newClient(t, proxy.URL))
	same(t, "unreadable", []string{"t03"}, taken.Unreadable())
	if regexp.MustCompile(`127\.0\.0\.1|503`).Match(file) {
		t.Error("the snapshot repeats the fault")
	}
	p := frozenPlan(t, f, taken)
	if len(p.Unreadable) != 1 || p.Unreadable[0].Tenant != "t03" {
		t.Errorf("unreadable: %v", p.Unreadable)
	}
}

func TestASnapshotIsOfTheDeclaredPlatformOrNone(t *testing.T) {
	e := ehrtest.Start(t)
	_, err := reconcile.TakeSnapshot(t.Context(), newClient(t, e.URL), catalog.ControlPlane{Environment: catalog.DefaultEnvironment, Instance: "another"}, now)
	var instance *reconcile.InstanceError
	if !errors.As(err, &instance) {
		t.Errorf("error %v", err)
	}
	proxy := ehrtest.NewProxy(t, e.URL)
	proxy.Add(ehrtest.Rule{Path: "/tenants", Fault: ehrtest.Answer(http.StatusServiceUnavailable, "text/plain", "no")})
	if _, err := reconcile.TakeSnapshot(t.Context(), newClient(t, proxy.URL), catalog.ControlPlane{Environment: catalog.DefaultEnvironment}, now); !ehr.IsUnknown(err) {
		t.Errorf("a snapshot of a platform that does not answer: %v", err)
	}
}

func TestASnapshotCannotBeWrittenTo(t *testing.T) {
	e, f := motley(t)
	taken, _ := snapshotOf(t, newClient(t, e.URL))
	frozen := must(reconcile.Freeze(taken, f.request(t).Desired))(t)
	ctx := context.Background()
	_, put := frozen.PutGrant(ctx, f.tenants[0].ID, catalog.Stamp{}, nil, nil, "")
	_, head := frozen.AuditHead(ctx)
	_, deployment := frozen.Deployment(ctx, f.tenants[0].ID)
	for i, err := range []error{put, head, deployment, frozen.Send(ctx, "PUT", "/", nil, "", nil, ""), frozen.Audit(ctx, 0, nil)} {
		if !errors.Is(err, reconcile.ErrSnapshot) {
			t.Errorf("call %d: %v", i, err)
		}
	}
}

func TestThePredicateIsOfOneSnapshot(t *testing.T) {
	s := &reconcile.Snapshot{Environment: catalog.DefaultEnvironment, ObservedAt: now, Platform: reconcile.SnapshotPlatform{Instance: "a"}}
	said := must(json.Marshal(s.Predicate()))(t)
	if !s.Vouches(said) {
		t.Error("it does not vouch for itself")
	}
	other := *s
	other.ObservedAt = now.Add(time.Hour)
	if other.Vouches(said) || s.Vouches([]byte("[]")) {
		t.Error("it vouches for another")
	}
}

func TestAFileThatIsNoSnapshotIsRefused(t *testing.T) {
	e := ehrtest.Start(t)
	e.Onboard(t, "kisumu", "hospital", "main")
	e.Onboard(t, "nakuru", "hospital", "main")
	_, file := snapshotOf(t, newClient(t, e.URL))
	for name, change := range map[string][2]string{
		"another kind":     {`"charter.snapshot"`, `"charter.plan"`},
		"another major":    {`"format_version":"1.0"`, `"format_version":"2.0"`},
		"a key twice":      {`"kind":`, `"kind":"charter.snapshot","kind":`},
		"out of order":     {`"id":"kisumu"`, `"id":"zz"`},
		"no edition's key": {`"key":"hospital"`, `"key":"Hospital!"`},
		"no entity tag":    {`"etag":"\"1`, `"etag":"1`},
		"no tenant's id":   {`"id":"kisumu"`, `"id":"Kisumu!"`},
		"no instance":      {`"instance":"`, `"instance":"","was":"`},
		"no status":        {`"status":"`, `"status":"","was":"`},
		"no module's key":  {`"chart"`, `"cha rt"`},
		"no facility's id": {`"rows":{"main"`, `"rows":{"ma in"`},
	} {
		head, tenants, _ := strings.Cut(string(file), `"tenants":`)
		bad := head + `"tenants":` + strings.Replace(tenants, change[0], change[1], 1)
		if bad == string(file) {
			bad = strings.Replace(string(file), change[0], change[1], 1)
		}
		if bad == string(file) {
			t.Errorf("%s: nothing was changed", name)
			continue
		}
		s, err := reconcile.DecodeSnapshot([]byte(bad))
		if err == nil {
			_, err = reconcile.Freeze(s, &catalog.Desired{})
		}
		var format *reconcile.SnapshotFormatError
		if !errors.As(err, &format) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func FuzzSnapshot(f *testing.F) {
	f.Add([]byte(`{"kind":"charter.snapshot","format_version":"1.0","environment":"default","observed_at":"2026-11-22T10:00:00Z","platform":{"instance":"i","features":[]},"editions":null,"organisations":null,"tenants":[{"record":{"id":"a"},"status":"active","grant":{"etag":"\"1\"","revision":1,"rows":{"main":["rx"]},"by":""}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := reconcile.DecodeSnapshot(data)
		if err != nil {
			return
		}
		file := must(s.Encode())(t)
		again := must(reconcile.DecodeSnapshot(file))(t)
		if !bytes.Equal(file, must(again.Encode())(t)) {
			t.Error("what was read is written otherwise")
		}
		if frozen, err := reconcile.Freeze(s, &catalog.Desired{}); err == nil {
			_, _ = frozen.Licences(t.Context(), catalog.TenantID{})
		}
	})
}
