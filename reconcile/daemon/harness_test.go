package daemon_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/ehrtest"
	"github.com/veonahealth/charter/reconcile/daemon"
	"github.com/veonahealth/charter/reconcile/ehr"
	"github.com/veonahealth/charter/reconcile/source"
	"github.com/veonahealth/charter/schema"
	"github.com/veonahealth/charter/schema/write"
)

func TestMain(m *testing.M) {
	code := ehrtest.Main(m)
	os.RemoveAll(built.dir)
	os.Exit(code)
}

// world is a fleet in a git repository, a platform behind a proxy, and a daemon
// that is asked for its passes one by one.
type world struct {
	dir    string
	ehr    *ehrtest.EHR
	proxy  *ehrtest.Proxy
	daemon *daemon.Daemon
	// origin and front are where a daemon that runs as a process finds the fleet and
	// the platform; "" for dir and for proxy.
	origin, front string

	mu        sync.Mutex
	ahead     time.Duration // of the daemon's clock before the real one
	evaluated int
}

// newWorld starts a platform and declares some tenants of edition health-centre,
// which the platform has just so, each with the site "main".
func newWorld(t testing.TB, tenants ...string) *world {
	t.Helper()
	return worldOn(t, ":memory:", tenants...)
}

func worldOn(t testing.TB, db string, tenants ...string) *world {
	t.Helper()
	w := &world{dir: filepath.Join(t.TempDir(), "fleet"), ehr: ehrtest.StartOn(t, db)}
	w.proxy = ehrtest.NewProxy(t, w.ehr.URL)
	files, err := write.Layout()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasPrefix(f.Path, "tenants/") && !strings.HasPrefix(f.Path, "organisations/") && !strings.HasPrefix(f.Path, "tests/") && !strings.HasPrefix(f.Path, "holds/") {
			w.write(t, f.Path, string(f.Data))
		}
	}
	for _, id := range tenants {
		w.declare(t, id)
		w.ehr.Onboard(t, id, "health-centre", "main")
	}
	w.git(t, "init", "-q", "-b", "main")
	w.commit(t)
	w.daemon = w.start(t)
	return w
}

// declare writes a tenant's file, with more lines if need be.
func (w *world) declare(t testing.TB, id string, more ...string) {
	t.Helper()
	w.write(t, "organisations/"+id+".cue", fmt.Sprintf("package fleet\n\norganisations: %q: name: \"Organisation of %s\"\n", id, id))
	w.write(t, "tenants/"+id+"/tenant.cue", fmt.Sprintf("package fleet\n\ntenant: {\n\tid: %q\n\tname: \"Tenant %s\"\n\torganisation: %q\n\tedition: \"health-centre\"\n\tfacilities: main: name: \"Facility main\"\n\t%s\n}\n",
		id, id, id, strings.Join(more, "\n\t")))
}

func (w *world) write(t testing.TB, path, text string) {
	t.Helper()
	name := filepath.Join(w.dir, path)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (w *world) commit(t testing.TB) {
	t.Helper()
	w.git(t, "add", "-A")
	w.git(t, "commit", "-q", "--allow-empty", "-m", "change")
}

func (w *world) git(t testing.TB, args ...string) {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", w.dir}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=Ann", "GIT_AUTHOR_EMAIL=ann@example.org", "GIT_COMMITTER_NAME=Ann", "GIT_COMMITTER_EMAIL=ann@example.org")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %q: %v\n%s", args, err, out)
	}
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.ahead)
}

// later moves the daemon's clock on.
func (w *world) later(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead += d
}

// start gives a daemon that has seen nothing yet.
func (w *world) start(t testing.TB, change ...func(*daemon.Options)) *daemon.Daemon {
	t.Helper()
	var d *daemon.Daemon
	client, err := ehr.New(ehr.Options{
		URL: w.proxy.URL, Token: ehrtest.Token, Retries: -1, Timeout: 5 * time.Second, Watch: func(ctx context.Context, x ehr.Exchange) {
			x.At = w.now()
			d.Observe(ctx, x)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	branch, err := daemon.Follow(t.Context(), "main", func(context.Context) (*source.Repository, error) { return source.Open(w.dir) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { branch.Close() })
	o := daemon.Options{
		Environment: catalog.DefaultEnvironment, Source: branch, EHR: client, Now: w.now,
		Skew: 20 * 365 * 24 * time.Hour, // tests move the clock
		Evaluate: func(ctx context.Context, files fs.FS) (*schema.Fleet, error) {
			w.evaluated++
			return schema.Load(ctx, files, schema.Options{})
		},
	}
	for _, c := range change {
		c(&o)
	}
	if d, err = daemon.New(o); err != nil {
		t.Fatal(err)
	}
	return d
}

// pass makes a pass and tells what is known after it: each tenant that is not in
// step as "id standing", each fault by its name.
func (w *world) pass(t testing.TB, depth daemon.Depth) string {
	t.Helper()
	w.daemon.Pass(t.Context(), daemon.Ask{Depth: depth, Why: "test"})
	return summary(w.daemon.View())
}

func summary(v *daemon.View) string {
	var words []string
	for _, x := range v.Tenants {
		if x.Standing != daemon.InStep {
			words = append(words, x.ID+" "+string(x.Standing))
		}
	}
	for _, f := range v.Faults {
		words = append(words, string(f.Code))
	}
	return strings.Join(words, ", ")
}

// expect makes a pass after which just that must be known.
func (w *world) expect(t testing.TB, depth daemon.Depth, want string) {
	t.Helper()
	if got := w.pass(t, depth); got != want {
		t.Fatalf("after a %s pass: %q, want %q\nfaults: %+v", depth, got, want, w.daemon.View().Faults)
	}
}

// asked tells which requests came to the platform since a number of them.
func (w *world) asked(since int) []string {
	var list []string
	for _, r := range w.proxy.Seen("", "")[since:] {
		list = append(list, r.Method+" "+r.Path)
	}
	slices.Sort(list)
	return list
}
