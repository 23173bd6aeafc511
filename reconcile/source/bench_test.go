package source_test

import (
	"fmt"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// processCPU is the processor time that this process has taken so far.
func processCPU(b *testing.B) time.Duration {
	b.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkChanged finds what a commit changed in a fleet of ten thousand
// tenants, opening the repository each time, beside git diff-tree.
func BenchmarkChanged(b *testing.B) {
	many := map[string]string{}
	for i := range 10_000 {
		many[fmt.Sprintf("tenants/%02d/t-%05d/tenant.cue", i%100, i)] = fmt.Sprintf("package fleet\n\ntenant: id: \"t-%05d\"\n", i)
	}
	dir := repository(b, many)
	from := git(b, dir, "rev-parse", "HEAD")
	to := commit(b, dir, map[string]string{"tenants/07/t-00007/tenant.cue": "one\n", "tenants/42/t-00042/tenant.cue": "two\n"})
	git(b, dir, "-c", "gc.auto=0", "repack", "-q", "-a", "-d")
	var ours, floor time.Duration
	for b.Loop() {
		before := processCPU(b)
		ours += changedOnce(b, dir, from, to, before)
		cmd := exec.Command("git", "diff-tree", "-r", "--name-only", from, to)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		floor += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	b.ReportMetric(ours.Seconds()/floor.Seconds(), "CPU/floor")
	b.ReportMetric(float64(ours.Microseconds())/float64(b.N), "CPU-µs/op")
	b.ReportMetric(0, "ns/op") // wall time says nothing on a shared machine
}

func changedOnce(b *testing.B, dir, from, to string, before time.Duration) time.Duration {
	b.Helper()
	repo := open(b, dir)
	n := 0
	for _, err := range changedBetween(b, repo, from, to) {
		if err != nil {
			b.Fatal(err)
		}
		n++
	}
	if n != 2 {
		b.Fatalf("%d changes, want 2", n)
	}
	return processCPU(b) - before
}
