package daemon_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/ehrtest"
	"github.com/veonahealth/charter/reconcile/daemon"
	"github.com/veonahealth/charter/reconcile/ehr"
	"github.com/veonahealth/charter/reconcile/source"
	"github.com/veonahealth/charter/schema"
)

// adopt starts a platform of n tenants and declares it as it is.
func adopt(b *testing.B, n string) *world {
	b.Helper()
	w := &world{dir: filepath.Join(b.TempDir(), "fleet"), ehr: ehrtest.Start(b, "--seed-fleet", n)}
	cmd := exec.Command(built.path(b), "import", "--ehr", w.ehr.URL, "-C", w.dir)
	cmd.Env = append(os.Environ(), "CHARTER_TOKEN="+ehrtest.Token, "XDG_CACHE_HOME="+b.TempDir(), "GIT_AUTHOR_NAME=Ann", "GIT_AUTHOR_EMAIL=ann@example.org",
		"GIT_COMMITTER_NAME=Ann", "GIT_COMMITTER_EMAIL=ann@example.org")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("import: %v\n%.2000s", err, out)
	}
	client, err := ehr.New(ehr.Options{URL: w.ehr.URL, Token: ehrtest.Token, Retries: -1})
	if err != nil {
		b.Fatal(err)
	}
	branch, err := daemon.Follow(b.Context(), "main", func(context.Context) (*source.Repository, error) { return source.Open(w.dir) })
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { branch.Close() })
	w.daemon, err = daemon.New(daemon.Options{
		Environment: catalog.DefaultEnvironment, Source: branch, EHR: client, Now: time.Now,
		Evaluate: func(ctx context.Context, files fs.FS) (*schema.Fleet, error) {
			return schema.Load(ctx, files, schema.Options{})
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	return w
}

// cpu is what this process has used.
func cpu() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err) // it cannot fail for oneself
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkIdlePass is a quick pass over 10,000 tenants of which nothing has
// changed: its CPU, the share of a core that one a minute takes, and what the
// daemon holds in memory, before and after.
func BenchmarkIdlePass(b *testing.B) {
	w := adopt(b, "10000")
	w.daemon.Pass(b.Context(), daemon.Ask{Depth: daemon.Full, Why: "bench"})
	v := w.daemon.View()
	if !v.Ready() || len(v.Faults) > 0 {
		b.Fatalf("after a full pass: %+v", v.Faults)
	}
	before, began := held(), cpu()
	b.ResetTimer()
	for b.Loop() {
		w.daemon.Pass(b.Context(), daemon.Ask{Depth: daemon.Quick, Why: "bench"})
	}
	b.StopTimer()
	each := (cpu() - began) / time.Duration(b.N)
	b.ReportMetric(float64(len(v.Tenants)), "tenants")
	b.ReportMetric(float64(each.Microseconds())/1000, "CPU-ms/pass")
	b.ReportMetric(each.Seconds()/60*100, "%core@1/min")
	b.ReportMetric(before, "MiB-before")
	b.ReportMetric(held(), "MiB-after")
}

// BenchmarkFullPass reads and compares 10,000 tenants.
func BenchmarkFullPass(b *testing.B) {
	w := adopt(b, "10000")
	w.daemon.Pass(b.Context(), daemon.Ask{Depth: daemon.Full, Why: "bench"})
	began := cpu()
	for b.Loop() {
		w.daemon.Pass(b.Context(), daemon.Ask{Depth: daemon.Full, Why: "bench"})
	}
	b.ReportMetric((cpu()-began).Seconds()/float64(b.N), "CPU-s/pass")
}

// BenchmarkMergeToRoute merges an approved grant of a module to one tenant of 300,
// or the end of it, by a git server over HTTP, knocks, and waits until the route
// answers otherwise: the CPU of the daemon and of what it starts, beside the
// reference EHR's own and the git server's.
func BenchmarkMergeToRoute(b *testing.B) {
	var tenants []string
	for i := range 300 {
		tenants = append(tenants, fmt.Sprintf("tenant-%03d", i))
	}
	w := newWorld(b, tenants...)
	server := w.host(b)
	root := w.found(b)
	w.git(b, "push", "-q", "origin", "main")
	w.origin = server + "/fleet.git"
	s := w.serve(b, w.correcting(b, root, `schedules: [{cron: "@yearly", pass: "full"}]`, `fetch: "1h"`))
	becomes(b, "ok", func() string { return strings.TrimSpace(s.get(b, "/readyz")) })
	plan, signature := filepath.Join(filepath.Dir(w.dir), "plan.json"), genuine()
	var toRoute, toReceipt time.Duration
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		want, grants := http.StatusOK, `grants: scribe: reason: "pilot"`
		if i%2 == 1 {
			want, grants = http.StatusForbidden, ""
		}
		w.declare(b, "tenant-007", grants)
		w.commit(b)
		w.git(b, "push", "-q", "origin", "main")
		w.run(b, "plan", "-C", "fleet", "--root", root, "--out", plan)
		w.run(b, "approve", plan, "-C", "fleet", "--key", "ann.key")
		before := s.cpu(b)
		b.StartTimer()
		if status := s.knock(b, signature); status != http.StatusAccepted {
			b.Fatalf("the webhook is answered %d", status)
		}
		for w.ehr.Gate(b, "tenant-007", "main", "/scribe") != want {
			time.Sleep(time.Millisecond)
		}
		toRoute += s.cpu(b) - before
		b.StopTimer()
		becomes(b, fmt.Sprint(i+2, " ended"), func() string { return s.lastReceipt(b) })
		toReceipt += s.cpu(b) - before
		b.StartTimer()
	}
	b.ReportMetric(float64(toRoute.Milliseconds())/float64(b.N), "CPU-ms-to-route")
	b.ReportMetric(float64(toReceipt.Milliseconds())/float64(b.N), "CPU-ms-to-receipt")
	b.ReportMetric(0, "ns/op")
}

// cpu is what the daemon's process and what it has started have used, as Linux
// counts it: in hundredths of a second (proc_pid_stat(5)).
func (s *service) cpu(b *testing.B) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.process.Process.Pid))
	if err != nil {
		b.Skip(err)
	}
	const name, first, count = ") ", 11, 4 // utime is the twelfth field after the name
	fields := strings.Fields(string(text[bytes.LastIndex(text, []byte(name))+len(name):]))
	var ticks int64
	for _, field := range fields[first : first+count] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// held is the heap in use, in MiB, after what can go has gone.
func held() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapInuse) / (1 << 20)
}
