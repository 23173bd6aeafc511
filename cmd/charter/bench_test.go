package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/veonahealth/charter/cmd/charter/internal/livetree"
	"github.com/veonahealth/charter/schema"
	"github.com/veonahealth/charter/schema/write"
)

// usage is what one process took.
type usage struct {
	cpu  time.Duration // user and system
	peak int64         // bytes of resident memory
}

// measured runs a command and says what it took. Only this counts on a shared
// machine: the time of day passes for others too.
func measured(b *testing.B, cmd *exec.Cmd) usage {
	b.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%s: %v\n%.2000s", cmd, err, out)
	}
	rusage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return usage{cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), rusage.Maxrss << 10}
}

// benchWorld is a fleet of n tenants in git, as charter reads it, and the same
// tenants as one CUE package, as cue reads them best.
type benchWorld struct {
	dir          string
	charter, cue string
}

func newBenchWorld(b *testing.B, n int) *benchWorld {
	b.Helper()
	w := &benchWorld{dir: b.TempDir()}
	var err error
	if w.charter, err = builder(w.dir, "../charter")(); err != nil {
		b.Fatal(err)
	}
	if w.cue, err = builder(w.dir, "cuelang.org/go/cmd/cue")(); err != nil {
		b.Fatal(err)
	}
	w.fleet(b, n)
	w.onePackage(b, n)
	return w
}

func (w *benchWorld) write(b *testing.B, name, text string) {
	b.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		b.Fatal(err)
	}
}

func (w *benchWorld) git(b *testing.B, args ...string) {
	b.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = filepath.Join(w.dir, "fleet")
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.org",
		"GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.org")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

// tenantBody is a tenant of about a kilobyte, a different one for each number.
func tenantBody(i int) string {
	editions := []string{"health-centre", "hospital", "network", "public-health"}
	text := fmt.Sprintf("{\n\tid: \"t-%05d\"\n\tname: \"Tenant %d\"\n\torganisation: \"lakeside\"\n\tedition: %q\n\tfacilities: {\n", i, i, editions[i%4])
	for j := range 1 + i%5 {
		text += fmt.Sprintf("\t\t\"f%d\": {name: \"Site %d of tenant %d\", beds: %d, users: %d, storage_gb: %d}\n", j, j, i, i%12, i%20+1, i%50)
	}
	text += "\t}\n"
	if i%3 == 0 {
		text += fmt.Sprintf("\tgrants: scribe: {reason: \"pilot of the note taker\", ticket: \"OPS-%d\", from: \"2026-12-01\", until: \"2099-03-01\"}\n", i)
	}
	if i%4 == 1 {
		text += "\trevocations: admin: reason: \"run by the county\"\n\tconnect: \"sysmex-xn-1000\": reason: \"haematology line\"\n"
	}
	return text + fmt.Sprintf("\tstaff: \"staff-%d@example.org\": {name: \"Staff %d\", role: \"administrator\", facility: \"f0\"}\n\tadmins: \"admin-%d@example.org\": name: \"Admin %d\"\n}\n", i, i, i, i)
}

func (w *benchWorld) fleet(b *testing.B, n int) {
	b.Helper()
	files, err := write.Layout()
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range files {
		w.write(b, filepath.Join("fleet", f.Path), string(f.Data))
	}
	for i := range n {
		w.write(b, fmt.Sprintf("fleet/tenants/%02d/t-%05d/tenant.cue", i%100, i), "package fleet\n\ntenant: "+tenantBody(i))
	}
	w.git(b, "init", "-q", "-b", "main")
	w.commit(b)
	w.git(b, "-c", "gc.auto=0", "repack", "-q", "-a", "-d")
}

func (w *benchWorld) commit(b *testing.B) {
	b.Helper()
	w.git(b, "add", "-A")
	w.git(b, "-c", "gc.auto=0", "commit", "-q", "-m", "change")
}

func (w *benchWorld) onePackage(b *testing.B, n int) {
	b.Helper()
	w.write(b, "one/cue.mod/module.cue", "module: \"veonahealth.com/fleet@v0\"\nlanguage: version: \"v0.15.0\"\n")
	w.write(b, "one/schema/schema.cue", string(schema.Definitions()))
	w.write(b, "one/fleet.cue", "package fleet\n\nimport \"veonahealth.com/fleet/schema\"\n\ntenants: [string]: schema.#Tenant\n")
	for i := range n {
		w.write(b, fmt.Sprintf("one/t-%05d.cue", i), fmt.Sprintf("package fleet\n\ntenants: \"t-%05d\": %s", i, tenantBody(i)))
	}
}

// validate runs charter validate on the commit, with a cache folder.
func (w *benchWorld) validate(b *testing.B, home string) usage {
	b.Helper()
	cmd := exec.Command(w.charter, "validate", "-q", "-C", filepath.Join(w.dir, "fleet"))
	cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
	return measured(b, cmd)
}

// BenchmarkValidateCold sets charter validate with an empty cache beside cue vet
// on the same tenants in the one package that it is quickest with.
func BenchmarkValidateCold(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		b.Run(fmt.Sprintf("tenants=%d", n), func(b *testing.B) {
			w := newBenchWorld(b, n)
			var ours, floor usage
			for b.Loop() {
				ours = add(ours, w.validate(b, b.TempDir()))
				vet := exec.Command(w.cue, "vet", "-c", ".")
				vet.Dir = filepath.Join(w.dir, "one")
				floor = add(floor, measured(b, vet))
			}
			report(b, n, ours, floor)
		})
	}
}

func add(a, b usage) usage { return usage{a.cpu + b.cpu, max(a.peak, b.peak)} }

func report(b *testing.B, n int, ours, floor usage) {
	b.ReportMetric(ours.cpu.Seconds()/floor.cpu.Seconds(), "CPU/floor")
	b.ReportMetric(float64(ours.peak)/float64(floor.peak), "memory/floor")
	b.ReportMetric(float64(ours.cpu.Microseconds())/float64(b.N*n), "CPU-µs/tenant")
	b.ReportMetric(float64(ours.peak)/float64(n), "peak-B/tenant")
	b.ReportMetric(0, "ns/op") // wall time says nothing here
}

// BenchmarkValidateWarm is a pull request that touches one tenant of ten
// thousand, on a machine that has seen the others.
func BenchmarkValidateWarm(b *testing.B) {
	const n = 10000
	w := newBenchWorld(b, n)
	home := b.TempDir()
	w.validate(b, home)
	var ours usage
	edit := 0
	for b.Loop() {
		b.StopTimer()
		edit++
		w.write(b, "fleet/tenants/07/t-00007/tenant.cue", fmt.Sprintf("package fleet\n\n// edit %d\ntenant: %s", edit, tenantBody(7)))
		w.commit(b)
		b.StartTimer()
		ours = add(ours, w.validate(b, home))
	}
	b.ReportMetric(float64(ours.cpu.Microseconds())/1000/float64(b.N), "CPU-ms/op")
	b.ReportMetric(float64(ours.peak)/float64(n), "peak-B/tenant")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkValidateWatch is a save of one tenant of ten thousand, from the file that
// is read again to the mistakes that are known: what validate --watch does once it
// has heard of it.
func BenchmarkValidateWatch(b *testing.B) {
	const n = 10000
	w := newBenchWorld(b, n)
	cacheDir := b.TempDir()
	root, err := os.OpenRoot(filepath.Join(w.dir, "fleet"))
	if err != nil {
		b.Fatal(err)
	}
	defer root.Close()
	tree, err := livetree.Read(root)
	if err != nil {
		b.Fatal(err)
	}
	a := &app{lookupEnv: os.LookupEnv, now: time.Now, stderr: io.Discard, executable: func() (string, error) { return w.charter, nil }, cacheDir: func() (string, error) { return cacheDir, nil }}
	e, err := a.newEvaluator(root.Name())
	if err != nil {
		b.Fatal(err)
	}
	defer e.close()
	if _, err := validateTree(b.Context(), e, tree, a.now()); err != nil {
		b.Fatal(err)
	}
	edit, before := 0, ownCPU(b)
	for b.Loop() {
		edit++
		w.write(b, "fleet/tenants/07/t-00007/tenant.cue", fmt.Sprintf("package fleet\n\n// edit %d\ntenant: %s", edit, tenantBody(7)))
		changed, err := tree.Renew("tenants/07/t-00007/tenant.cue")
		if err != nil || !changed {
			b.Fatal(changed, err)
		}
		v, err := validateTree(b.Context(), e, tree, a.now())
		if err != nil || v.fleet == nil || v.fleet.Evaluated != 1 {
			b.Fatal(err, v)
		}
	}
	b.ReportMetric(float64((ownCPU(b)-before).Microseconds())/1000/float64(b.N), "CPU-ms/op")
	b.ReportMetric(0, "ns/op") // wall time says nothing here
}

// ownCPU is the processor time that this process has taken.
func ownCPU(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
