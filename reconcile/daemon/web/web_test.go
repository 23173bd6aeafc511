package web

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/daemon"
	"github.com/veonahealth/charter/schema"
)

var day1 = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

const secret = "a secret of sufficient length"

// running is a server that runs, for the view of a test.
type running struct {
	url   string
	view  atomic.Pointer[daemon.View]
	asked atomic.Int64
	*Server
}

func run(t testing.TB, v *daemon.View, change ...func(*Options)) *running {
	t.Helper()
	r := &running{}
	r.view.Store(v)
	now := func() time.Time { return day1 }
	o := Options{
		View: r.view.Load, Ask: func(daemon.Ask) { r.asked.Add(1) }, Now: now, Log: slog.New(slog.DiscardHandler),
		Metrics: NewMetrics(r.view.Load, now), Hook: &Hook{Forge: GitHub, Secret: []byte(secret)},
	}
	for _, c := range change {
		c(&o)
	}
	server, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	r.Server = server
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.url = "http://" + l.Addr().String()
	var done sync.WaitGroup
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done.Go(func() {
		if err := server.Serve(ctx, l); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); done.Wait() })
	return r
}

// fetch makes a request and gives the answer's status and body.
func (r *running) fetch(t testing.TB, method, path, body string, header ...string) (int, string, http.Header) {
	t.Helper()
	request, err := http.NewRequest(method, r.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			request.Host = header[i+1]
		}
		request.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text), answer.Header
}

// fleet is a view of some tenants of one site.
func fleet(t testing.TB, n int, change ...func(*daemon.Tenant)) *daemon.View {
	t.Helper()
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("tenant-%05d", i)
	}
	return fleetOf(t, ids, change...)
}

// fleetOf is a view of tenants with these ids.
func fleetOf(t testing.TB, ids []string, change ...func(*daemon.Tenant)) *daemon.View {
	t.Helper()
	c, err := schema.LoadCatalog(catalog.DefaultFiles())
	if err != nil {
		t.Fatal(err)
	}
	v := &daemon.View{Number: 7, Environment: "default", Mode: daemon.Observe, LastFull: day1, At: day1, Desired: &catalog.Desired{Catalog: c}}
	for _, id := range ids {
		tenant := declare(t, id)
		d, err := catalog.Declare(tenant, "tenants/"+tenant.ID.String())
		if err != nil {
			t.Fatal(err)
		}
		v.Desired.Tenants = append(v.Desired.Tenants, d)
		known := &daemon.Tenant{ID: tenant.ID.String(), Name: tenant.Name, Edition: "hospital", Standing: daemon.InStep, Since: day1, SeenAt: day1, Status: "active"}
		for _, c := range change {
			c(known)
		}
		v.Tenants = append(v.Tenants, known)
	}
	return v
}

func declare(t testing.TB, id string) *catalog.Tenant {
	t.Helper()
	tenant, err1 := catalog.ParseTenantID(id)
	edition, err2 := catalog.ParseEditionKey("hospital")
	facility, err3 := catalog.ParseFacilityID("main")
	if err1 != nil || err2 != nil || err3 != nil {
		t.Fatal(err1, err2, err3)
	}
	return &catalog.Tenant{ID: tenant, Name: "Tenant " + id, Edition: edition, Hosting: catalog.Cloud, Facilities: []catalog.Facility{{ID: facility, Name: "Main"}}}
}

func sign(body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return hex.EncodeToString(mac.Sum(nil))
}

func TestOnlyAForgeThatKnowsTheSecretAsksForAPass(t *testing.T) {
	const body = `{"ref":"refs/heads/main"}`
	for name, c := range map[string]struct {
		forge  Forge
		header []string
		want   int
	}{
		"GitHub":                       {GitHub, []string{"X-Hub-Signature-256", "sha256=" + sign(body)}, 202},
		"GitHub, another body":         {GitHub, []string{"X-Hub-Signature-256", "sha256=" + sign(body+" ")}, 403},
		"GitHub, no signature":         {GitHub, nil, 403},
		"GitHub, an empty one":         {GitHub, []string{"X-Hub-Signature-256", "sha256="}, 403},
		"GitHub, SHA-1":                {GitHub, []string{"X-Hub-Signature", "sha1=" + sign(body)}, 403},
		"GitHub, cut":                  {GitHub, []string{"X-Hub-Signature-256", "sha256=" + sign(body)[:32]}, 403},
		"GitHub, by GitLab's token":    {GitHub, []string{"X-Gitlab-Token", secret}, 403},
		"Gitea":                        {Gitea, []string{"X-Gitea-Signature", sign(body)}, 202},
		"Gitea, forged":                {Gitea, []string{"X-Gitea-Signature", strings.Repeat("0", 64)}, 403},
		"GitLab":                       {GitLab, []string{"X-Gitlab-Token", secret}, 202},
		"GitLab, another token":        {GitLab, []string{"X-Gitlab-Token", secret + "x"}, 403},
		"GitLab, no token":             {GitLab, nil, 403},
		"GitHub, a body without bound": {GitHub, []string{"X-Hub-Signature-256", "sha256=" + sign(body), "Large", "yes"}, 413},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, fleet(t, 0), func(o *Options) { o.Hook = &Hook{Forge: c.forge, Secret: []byte(secret)} })
			sent := body
			if len(c.header) > 2 {
				sent = strings.Repeat("x", maxKnock+1)
			}
			status, _, _ := r.fetch(t, "POST", "/hooks/git", sent, c.header...)
			if asked := r.asked.Load() == 1; status != c.want || asked != (c.want == 202) {
				t.Errorf("status %d, want %d; a pass was asked for: %v", status, c.want, asked)
			}
		})
	}
}

func TestASecretThatAnybodyCouldGuessIsNoSecret(t *testing.T) {
	for _, h := range []Hook{{GitHub, []byte("short")}, {GitHub, nil}, {"sourceforge", []byte(secret)}} {
		if h.Check() == nil {
			t.Errorf("%s with a secret of %d bytes is taken", h.Forge, len(h.Secret))
		}
	}
}

func TestThePagesAreForThisMachineOrTheirProxyAlone(t *testing.T) {
	loopback := netip.MustParsePrefix("127.0.0.0/8")
	elsewhere := netip.MustParsePrefix("10.0.0.5/32")
	for name, c := range map[string]struct {
		access Access
		path   string
		header []string
		want   int
	}{
		"a browser here":                 {Access{}, "/", nil, 200},
		"a name that points here":        {Access{}, "/", []string{"Host", "evil.example.org"}, 421},
		"that name, for a tenant":        {Access{}, "/tenants/tenant-00000", []string{"Host", "evil.example.org"}, 421},
		"that name, for the events":      {Access{}, "/events", []string{"Host", "evil.example.org"}, 421},
		"localhost":                      {Access{}, "/", []string{"Host", "localhost:7180"}, 200},
		"IPv6":                           {Access{}, "/", []string{"Host", "[::1]:7180"}, 200},
		"a proxy that says who":          {Access{Proxy: &Proxy{[]netip.Prefix{loopback}, "X-User"}}, "/", []string{"Host", "charter.example.org", "X-User", "ann"}, 200},
		"a proxy that does not":          {Access{Proxy: &Proxy{[]netip.Prefix{loopback}, "X-User"}}, "/", []string{"Host", "charter.example.org"}, 401},
		"around the proxy":               {Access{Proxy: &Proxy{[]netip.Prefix{elsewhere}, "X-User"}}, "/", []string{"X-User", "ann"}, 403},
		"around it, by a forged address": {Access{Proxy: &Proxy{[]netip.Prefix{elsewhere}, "X-User"}}, "/status.json", []string{"X-User", "ann", "X-Forwarded-For", "10.0.0.5"}, 403},
		"health, for everybody":          {Access{Proxy: &Proxy{[]netip.Prefix{elsewhere}, "X-User"}}, "/healthz", nil, 200},
		"metrics, here":                  {Access{}, "/metrics", nil, 200},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, fleet(t, 1), func(o *Options) { o.Access = c.access })
			if status, body, _ := r.fetch(t, "GET", c.path, "", c.header...); status != c.want {
				t.Errorf("status %d, want %d: %.200s", status, c.want, body)
			}
		})
	}
}

func TestAnAddressThatANetworkCanReachNeedsAProxy(t *testing.T) {
	proxy := &Proxy{[]netip.Prefix{netip.MustParsePrefix("10.0.0.5/32")}, "X-User"}
	for address, open := range map[string]bool{"127.0.0.1:1": true, "[::1]:1": true, "localhost:1": true, "0.0.0.0:1": false, ":1": false, "10.0.0.1:1": false, "nonsense": false} {
		if got := (&Access{}).CheckListen(address) == nil; got != open {
			t.Errorf("%s alone: taken %v, want %v", address, got, open)
		}
	}
	if err := (&Access{Proxy: proxy}).CheckListen("0.0.0.0:1"); err != nil {
		t.Error(err)
	}
	if (&Access{Proxy: &Proxy{}}).CheckListen("0.0.0.0:1") == nil {
		t.Error("a proxy without addresses and header is taken")
	}
}

func TestWhatComesFromOutsideIsTextInAPage(t *testing.T) {
	const evil = `<script>alert(1)</script>"'><img src=x onerror=alert(1)>`
	v := fleet(t, 1, func(x *daemon.Tenant) {
		x.Name, x.Standing, x.Unreadable = evil, daemon.Unreadable, evil
		x.Batches = []plan.Batch{{Changes: []plan.Change{{Action: plan.Grant, Class: plan.Drift, Kind: evil, Key: evil, Before: evil, After: evil, Reason: plan.Reason{Text: evil, File: evil}, Routes: []string{evil}}}}}
		x.Refusals = []plan.Refusal{{Text: evil}}
		x.Held = []plan.Held{{Text: evil, EHRModule: evil}}
	})
	v.Faults = []daemon.Fault{{Code: daemon.PlatformDown, Text: evil}}
	v.Plans = []daemon.OpenPlan{{Commit: evil, Lacks: []string{evil}}}
	v.Records = []daemon.Record{{ID: evil, Act: evil, By: evil, Reason: evil, Commit: evil, Tenants: []string{evil}, States: map[string]int{evil: 1}}}
	v.Contested = []daemon.Contest{{Tenant: "tenant-00000", Row: evil, Actor: evil}}
	r := run(t, v)
	for _, path := range []string{"/", "/tenants?q=%3Cscript%3Ealert(1)%3C/script%3E", "/tenants", "/tenants/tenant-00000", "/calendar", "/holds", "/ledger", "/tenants/%3Cscript%3Ealert(1)"} {
		_, body, header := r.fetch(t, "GET", path, "")
		if strings.Contains(body, "<script>alert") || strings.Contains(body, "<img src=x") {
			t.Errorf("%s: what comes from outside is markup", path)
		}
		if csp := header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", path, csp)
		}
	}
}

func TestAPageOfTenThousandTenantsHoldsFiftyOfThem(t *testing.T) {
	r := run(t, fleet(t, 10_000))
	status, body, _ := r.fetch(t, "GET", "/tenants?page=3", "")
	if n := strings.Count(body, `<th scope="row">`); status != 200 || n != 50 || !strings.Contains(body, "tenant-00150") || !strings.Contains(body, "10000 tenants") {
		t.Errorf("status %d, %d tenants of page 3", status, n)
	}
	_, body, _ = r.fetch(t, "GET", "/tenants?q=tenant-09999&standing=in-step", "")
	if n := strings.Count(body, `<th scope="row">`); n != 1 {
		t.Errorf("a filter for one tenant shows %d", n)
	}
	for _, page := range []string{"-1", "200", "99999999999999999999", "x"} {
		if status, _, _ := r.fetch(t, "GET", "/tenants?page="+page, ""); status != 200 {
			t.Errorf("page %s: status %d", page, status)
		}
	}
}

func TestABrowserIsToldOfEachView(t *testing.T) {
	r := run(t, fleet(t, 1))
	answer, err := http.Get(r.url + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	next := func() string {
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				return data
			}
		}
		t.Fatal(lines.Err())
		return ""
	}
	if got := next(); got != "0" {
		t.Errorf("at first it is told of view %s", got)
	}
	r.Published(&daemon.View{Number: 8})
	if got := next(); got != "8" {
		t.Errorf("it is told of view %s, want 8", got)
	}
}

func TestReadyIsAfterEverythingWasRead(t *testing.T) {
	v := fleet(t, 0)
	v.LastFull = time.Time{}
	r := run(t, v)
	if status, _, _ := r.fetch(t, "GET", "/readyz", ""); status != 503 {
		t.Errorf("before: %d", status)
	}
	r.view.Store(fleet(t, 0))
	if status, _, _ := r.fetch(t, "GET", "/readyz", ""); status != 200 {
		t.Errorf("after: %d", status)
	}
}

func TestTheMetricsNameEveryFaultAndStanding(t *testing.T) {
	v := fleet(t, 3)
	v.Tenants[1].Standing = daemon.Drift
	v.Faults = []daemon.Fault{{Code: daemon.PlatformDown}}
	r := run(t, v)
	_, body, _ := r.fetch(t, "GET", "/metrics", "")
	for _, want := range []string{
		`charter_tenants{standing="in-step"} 2`, `charter_tenants{standing="drift"} 1`, `charter_fault{fault="ehr-down"} 1`,
		`charter_fault{fault="git-down"} 0`, `charter_last_full_reading_timestamp_seconds 1.7953416e+09`,
	} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("the metrics lack %s", want)
		}
	}
}
