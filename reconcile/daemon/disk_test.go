package daemon_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// onSmallDisk is a command that runs another with a file system of its own, of 8
// MiB, in a folder, which is also where it puts what is temporary.
func onSmallDisk(t *testing.T, dir string) []string {
	t.Helper()
	command := []string{"unshare", "-rm", "sh", "-c", `mount -t tmpfs -o size=8m tmpfs "$0" && TMPDIR="$0" exec "$@"`, dir}
	if out, err := exec.Command(command[0], append(command[1:], "true")...).CombinedOutput(); err != nil {
		t.Skipf("NOT TESTED: a full disk, as this machine lets nobody mount one: %v %s", err, out)
	}
	return command
}

// TestADiskThatIsFullIsNamedAndHeals fills the disk of a daemon's clone and state
// while commits come, and frees it.
func TestADiskThatIsFullIsNamedAndHeals(t *testing.T) {
	w := newWorld(t, "aga")
	server := w.host(t)
	w.origin = server + "/fleet.git"
	cache := filepath.Join(filepath.Dir(w.dir), "cache")
	if err := os.Mkdir(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	config := w.configure(t, `schedules: [{cron: "@every 1s", pass: "quick"}]`, `state: "cache/state"`)
	s := w.serve(t, config, onSmallDisk(t, cache)...)
	is := func() string { return s.status(t) }
	becomes(t, "aga in-step", is)
	filler := filepath.Join("/proc", fmt.Sprint(s.process.Process.Pid), "root", cache, "filler")
	fill(t, filler)
	w.declare(t, "aga", `grants: scribe: reason: "pilot"`)
	w.commit(t)
	w.git(t, "push", "-q", "origin", "main")
	becomes(t, "aga in-step, disk-full", is)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	becomes(t, "aga pending", is)
	s.end(t, syscall.SIGTERM)
}

// fill writes a file until no byte is left.
func fill(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	for size := 1 << 16; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
