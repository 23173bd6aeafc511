package daemon_test

import (
	"fmt"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// host puts the world's repository on a git server that speaks HTTP, and gives the
// server's address. People go on with their clone, which pushes there.
func (w *world) host(t testing.TB) string {
	t.Helper()
	bare := filepath.Join(t.TempDir(), "fleet.git")
	for _, args := range [][]string{{"clone", "-q", "--bare", w.dir, bare}, {"-C", bare, "config", "http.receivepack", "true"}} {
		if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
	programs, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(&cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(programs)), "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + filepath.Dir(bare), "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=ci", "GIT_CONFIG_GLOBAL=/dev/null"},
	})
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() }) // a network may have left some half open
	w.git(t, "remote", "add", "origin", server.URL+"/fleet.git")
	w.git(t, "push", "-q", "-u", "origin", "main")
	return server.URL
}

// network is a toxiproxy before a server.
type network struct {
	proxy *toxiproxy.Proxy
	to    string
}

// before starts a network before a server, and gives the URL that leads through it.
func before(t testing.TB, server string) (*network, string) {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	n := &network{to: u.Host}
	n.becomes(t, "127.0.0.1:0", "")
	t.Cleanup(func() { n.proxy.Stop() })
	return n, "http://" + n.proxy.Listen
}

// becomes puts a proxy with one toxic, or with none for "", in the place of the one
// that is there: to give one to a proxy that has connections can block for ever.
func (n *network) becomes(t testing.TB, listen, toxin string) {
	t.Helper()
	if n.proxy != nil {
		n.proxy.Stop()
		listen = n.proxy.Listen
	}
	n.proxy = toxiproxy.NewProxy(toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()), "network", listen, n.to)
	if toxin != "" {
		if _, err := n.proxy.Toxics.AddToxicJson(strings.NewReader(toxin)); err != nil {
			t.Fatal(err)
		}
	}
	err := n.proxy.Start()
	for tries := 0; err != nil && tries < 100; tries++ { // the port of the one before is not always free at once
		time.Sleep(50 * time.Millisecond)
		err = n.proxy.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestABadNetworkCostsTimeAndNothingElse lets the network to the platform and to the
// git server misbehave in every way that toxiproxy knows, while rows are toggled by
// hand and an approved change is merged.
func TestABadNetworkCostsTimeAndNothingElse(t *testing.T) {
	toxics := []string{
		`{"type": "reset_peer", "stream": "downstream", "attributes": {"timeout": 20}}`,
		`{"type": "limit_data", "stream": "downstream", "attributes": {"bytes": 300}}`,
		`{"type": "limit_data", "stream": "upstream", "attributes": {"bytes": 900}}`,
		`{"type": "timeout", "stream": "downstream", "attributes": {"timeout": 200}}`,
		`{"type": "slow_close", "stream": "downstream", "attributes": {"delay": 300}}`,
		`{"type": "latency", "stream": "upstream", "attributes": {"latency": 100, "jitter": 80}}`,
		`{"type": "bandwidth", "stream": "downstream", "attributes": {"rate": 20}}`,
		`{"type": "slicer", "stream": "downstream", "attributes": {"average_size": 64, "size_variation": 32, "delay": 200}}`,
	}
	tenants := []string{"merged"}
	for i := range toxics {
		tenants = append(tenants, fmt.Sprintf("tenant-%d", i))
	}
	w := newWorld(t, tenants...)
	server := w.host(t)
	root := w.found(t)
	w.git(t, "push", "-q", "origin", "main")
	platform, front := before(t, w.proxy.URL)
	git, origin := before(t, server)
	w.front, w.origin = front, origin+"/fleet.git"
	s := w.serve(t, w.correcting(t, root, `state: "."`))
	calm := func() string {
		got := s.status(t)
		if strings.Count(got, "in-step") == len(tenants) && strings.Count(got, ",") == len(tenants)-1 {
			return "in step"
		}
		return got
	}
	becomes(t, "in step", calm)
	for i, toxin := range toxics {
		platform.becomes(t, "", toxin)
		if !strings.Contains(toxin, "upstream") { // git-http-backend waits for ever for what does not come
			git.becomes(t, "", toxin)
		}
		w.toggle(t, fmt.Sprintf("tenant-%d", i))
		time.Sleep(time.Second) // in which the daemon meets with it
		if i == 0 {
			w.merge(t, root)
		}
		platform.becomes(t, "", "")
		git.becomes(t, "", "")
		becomes(t, "200", func() string { return fmt.Sprint(w.ehr.Gate(t, fmt.Sprintf("tenant-%d", i), "main", "/admin")) })
	}
	becomes(t, "in step", calm)
	if got := w.ehr.Gate(t, "merged", "main", "/scribe"); got != http.StatusOK {
		t.Errorf("what was merged and approved answers %d", got)
	}
	s.end(t, syscall.SIGTERM)
	w.git(t, "pull", "-q")
	w.proven(t, root, len(toxics))
}

// merge grants a module to the tenant "merged", with an approval, and pushes it.
func (w *world) merge(t testing.TB, root string) {
	t.Helper()
	w.declare(t, "merged", `grants: scribe: reason: "pilot"`)
	w.commit(t)
	w.git(t, "push", "-q", "origin", "main")
	plan := filepath.Join(filepath.Dir(w.dir), "plan.json")
	w.run(t, "plan", "-C", "fleet", "--root", root, "--tenant", "merged", "--out", plan)
	w.run(t, "approve", plan, "-C", "fleet", "--key", "ann.key")
}
