package main_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/veonahealth/charter/catalog"
	main "github.com/veonahealth/charter/examples/ehr"
	"github.com/veonahealth/charter/examples/ehr/internal/box"
	"github.com/veonahealth/charter/examples/ehr/internal/licence"
	"github.com/veonahealth/charter/examples/ehr/internal/platform"
	"github.com/veonahealth/charter/schema"
)

type licensed struct {
	ID, Tenant, State, Token string
	Modules                  []struct{ Facility, Module, From, Until string }
	Limits                   map[string]*int64
	NotBefore                string `json:"not_before"`
	Expires                  string
}

func readLicence(t testing.TB, r reply) (l licensed) {
	t.Helper()
	r.decode(t, &l)
	return l
}

// onPrem makes an on-prem tenant with a facility.
func (at target) onPrem(t testing.TB, edition string) string {
	t.Helper()
	id := at.provisioned(t, "box", edition, "main")
	at.root(t, "PUT", "/tenants/"+id, object{"name": "On-prem", "edition": edition, "hosting": "on-prem"}).want(200)
	return id
}

// issue issues a licence for a year.
func (at target) issue(t testing.TB, tenant string) licensed {
	t.Helper()
	expires := time.Now().AddDate(1, 0, 0).UTC().Format(time.RFC3339)
	return readLicence(t, at.as(t, "onboarding", "POST", "/licenses", object{"tenant": tenant, "expires": expires}).want(201))
}

func (at target) state(t testing.TB, l licensed) string {
	t.Helper()
	for _, item := range at.all(t, "/licenses?tenant="+l.Tenant).Items {
		if held := readLicence(t, reply{body: item}); held.ID == l.ID {
			return held.State
		}
	}
	t.Fatalf("licence %s is not listed", l.ID)
	return ""
}

// site is an on-prem box whose clock and network a test can move.
type site struct {
	t      *testing.T
	config box.Config
	ahead  time.Duration // of the real time
	*box.Box
}

// RoundTrip is the site's network while it is cut.
func (s *site) RoundTrip(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }

func newSite(t *testing.T, at target, carried []byte) *site {
	t.Helper()
	var root struct {
		LicenceKey string `json:"licence_key"`
	}
	at.as(t, "", "GET", "/", nil).want(200).decode(t, &root)
	key, err := licence.ParsePublicKey(root.LicenceKey)
	if err != nil {
		t.Fatal(err)
	}
	c, err := schema.LoadCatalog(catalog.DefaultFiles())
	if err != nil {
		t.Fatal(err)
	}
	routes, err := platform.NewRoutes(c)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t}
	s.config = box.Config{
		EHR: at.base, Fingerprint: "box-1", Key: key, Routes: routes, State: filepath.Join(t.TempDir(), "state.json"),
		Client: &http.Client{}, Now: func() time.Time { return time.Now().Add(s.ahead) }, Log: slog.New(slog.DiscardHandler),
	}
	s.start(carried)
	return s
}

// start starts the box as after a power cut, with a licence that was carried there.
func (s *site) start(carried []byte) {
	s.t.Helper()
	var d box.Document
	if err := json.Unmarshal(carried, &d); err != nil {
		s.t.Fatal(err)
	}
	b, err := box.New(s.config, d)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Box = b
}

func (s *site) gate(path string, want platform.Code) {
	s.t.Helper()
	if _, got := s.Gate("/ehr/" + path); got != want {
		s.t.Errorf("gate of %s: %q, want %q", path, got, want)
	}
}

func (s *site) beat(works bool) {
	s.t.Helper()
	if err := s.Beat(s.t.Context()); (err == nil) != works {
		s.t.Errorf("heartbeat: %v", err)
	}
}

func TestABoxEnforcesWhatItWasLastGivenAndLocksDownAfterItsGrace(t *testing.T) {
	const day = 24 * time.Hour
	at := start(t)
	id := at.onPrem(t, "health-centre")
	in := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }
	carried := at.root(t, "POST", "/licenses", object{
		"tenant": id, "expires": in(365 * day),
		"modules": []object{
			{"facility": "main", "module": "lab", "until": in(6 * day)},
			{"facility": "main", "module": "theatre", "from": in(5 * day)},
			{"facility": "main", "module": "scribe", "from": in(-5 * day)},
		},
	}).want(201)
	s := newSite(t, at, carried.body)
	const closed = platform.ModuleNotEntitled
	s.gate(id+"/main/labs", closed)
	s.beat(true)
	s.gate(id+"/main/labs", "")
	s.gate(id+"/main/labs/results", "")
	s.gate(id+"/main/theatre", closed)
	s.gate(id+"/main/scribe", closed) // began before the grant was given, which says no
	s.gate("other/main/labs", closed)
	s.gate(id+"/main/labs/../theatre", closed)
	if got := at.gate(t, id+"/main/labs"); got != 200 {
		t.Errorf("the platform's gate after one heartbeat: %d", got)
	}
	at.replace(t, id, at.grant(t, id).ETag, row{"main", "lab"}, row{"main", "rx"}).want(200)
	s.gate(id+"/main/chart", "")
	s.beat(true)
	s.gate(id+"/main/chart", closed)

	online := s.config.Client.Transport
	s.config.Client.Transport = s
	s.beat(false)
	s.gate(id+"/main/labs", "")
	s.ahead = 5*day + time.Hour
	s.gate(id+"/main/theatre", "") // its time began while the box was offline
	s.gate(id+"/main/labs", "")
	s.ahead = 6*day + time.Hour
	s.gate(id+"/main/labs", closed) // and its time ended
	s.ahead = 13 * day
	s.start(carried.body)
	s.gate(id+"/main/rx", "")
	s.ahead = 14*day + time.Hour
	s.gate(id+"/main/rx", platform.TenantLocked)
	s.start(carried.body)
	s.gate(id+"/main/rx", platform.TenantLocked)

	s.config.Client.Transport, s.ahead = online, 0
	s.beat(true)
	s.gate(id+"/main/rx", "")
	at.root(t, "POST", "/subscriptions/"+id+"/status", object{"status": "suspended"}).want(200)
	s.beat(true)
	s.gate(id+"/main/rx", platform.TenantSuspended)
	at.root(t, "POST", "/subscriptions/"+id+"/status", object{"status": "active"}).want(200)
	s.beat(true)
	s.gate(id+"/main/rx", "")

	next := at.issue(t, id)
	s.beat(true) // is told of the new licence, and activates it
	s.gate(id+"/main/rx", "")
	if got := at.state(t, next); got != "active" {
		t.Errorf("the next licence is %s", got)
	}
	at.root(t, "POST", "/licenses/"+next.ID+"/revoke", nil).want(200)
	s.beat(false)
	s.gate(id+"/main/rx", platform.TenantLocked)
	last := at.root(t, "POST", "/licenses", object{"tenant": id, "expires": in(day)}).want(201)
	s.start(last.body)
	s.beat(true)
	s.gate(id+"/main/rx", "")
}

func TestABoxTrustsNoOtherLicence(t *testing.T) {
	at := start(t)
	id := at.onPrem(t, "health-centre")
	text := at.root(t, "POST", "/licenses", object{"tenant": id, "expires": "2099-01-01T00:00:00Z"}).want(201).body
	s := newSite(t, at, text)
	s.beat(true)
	for name, forged := range map[string]string{
		"its modules": strings.Replace(string(text), `"module":"lab"`, `"module":"theatre"`, 1),
		"its limits":  strings.Replace(string(text), `"beds":60`, `"beds":61`, 1),
		"its id":      strings.Replace(string(text), id+".", id+"x.", 1),
	} {
		var d box.Document
		if err := json.Unmarshal([]byte(forged), &d); err != nil || forged == string(text) {
			t.Fatalf("%s: %v", name, err)
		}
		config := s.config
		config.State = filepath.Join(t.TempDir(), "state.json")
		if _, err := box.New(config, d); err == nil {
			t.Errorf("a licence with %s changed is taken", name)
		}
	}
}

// TestEhrBoxIsACommand runs the box as the command line starts it.
func TestEhrBoxIsACommand(t *testing.T) {
	at := start(t)
	id := at.onPrem(t, "health-centre")
	dir := t.TempDir()
	file := func(name string, text []byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var root struct {
		LicenceKey string `json:"licence_key"`
	}
	at.as(t, "", "GET", "/", nil).want(200).decode(t, &root)
	args := []string{
		"box", "--listen", "127.0.0.1:0", "--ehr", at.base, "--every", "50ms",
		"--licence", file("licence.json", at.root(t, "POST", "/licenses", object{"tenant": id, "expires": "2099-01-01T00:00:00Z"}).want(201).body),
		"--key", file("ehr.pub", []byte(root.LicenceKey)), "--fingerprint", "box-1", "--state", filepath.Join(dir, "state.json"),
	}
	ctx, stop := context.WithCancel(t.Context())
	said, stdout := io.Pipe()
	ended := make(chan int, 1)
	go func() { ended <- main.Run(ctx, args, stdout, t.Output()) }()
	line, err := bufio.NewReader(said).ReadString('\n')
	base, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		t.Fatalf("first line %q: %v", line, err)
	}
	b := target{base: base}
	for end := time.Now().Add(20 * time.Second); b.gate(t, id+"/main/labs") != 200; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the box's gate stays shut")
		}
	}
	if got := b.gate(t, id+"/main/theatre"); got != 403 {
		t.Errorf("a route that is not held: %d", got)
	}
	b.as(t, "", "GET", "/healthz", nil).want(200)
	stop()
	if code := <-ended; code != 0 {
		t.Errorf("exit %d", code)
	}
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"box"}, "--listen: missing"},
		{append(args[:len(args):len(args)], "--every", "0s"), "--every"},
		{append(args[:len(args):len(args)], "x"), `argument "x"`},
	} {
		var stderr strings.Builder
		if code := main.Run(t.Context(), c.args, io.Discard, &stderr); code != 64 || !strings.Contains(stderr.String(), c.says) {
			t.Errorf("exit %d: %s", code, stderr.String())
		}
	}
}
