package ehrtest

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// The tokens that the EHR knows.
const (
	Token       = "token-of-ehrtest-root"   // may do everything
	ReaderToken = "token-of-ehrtest-reader" // reads tenants, grants and the audit trail, and writes nothing
)

// EHR is a reference EHR that runs.
type EHR struct {
	URL string // http://127.0.0.1:PORT

	process *exec.Cmd
	ended   func() error // waits for the process, once
}

// Start runs an EHR that keeps everything in memory, with more arguments than it
// needs if need be. It ends with the test.
func Start(t testing.TB, more ...string) *EHR {
	t.Helper()
	return StartOn(t, ":memory:", more...)
}

// StartOn runs an EHR on a database file.
func StartOn(t testing.TB, db string, more ...string) *EHR {
	t.Helper()
	args := append([]string{"--listen", "127.0.0.1:0", "--db", db, "--tokens", tokensFile(t)}, more...)
	process := exec.Command(built.path(t), args...)
	process.Stderr = t.Output()
	tie(process)
	stdout, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	e := &EHR{process: process, ended: sync.OnceValue(process.Wait)}
	t.Cleanup(func() { e.signal(t, syscall.SIGTERM) })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		t.Fatalf("first line of the EHR: %q, %v", line, err)
	}
	e.URL = url
	return e
}

// Kill ends the EHR as a power cut would, and returns when it has ended.
func (e *EHR) Kill(t testing.TB) {
	t.Helper()
	e.signal(t, syscall.SIGKILL)
}

func (e *EHR) signal(t testing.TB, s os.Signal) {
	if err := e.process.Process.Signal(s); err != nil && err != os.ErrProcessDone {
		t.Error(err)
	}
	e.ended() // how it ended is not this test's business
}

// tokensFile writes the tokens as the EHR's command line takes them.
func tokensFile(t testing.TB) string {
	t.Helper()
	type actor struct {
		Actor        string   `json:"actor"`
		Roles        []string `json:"roles"`
		Capabilities []string `json:"capabilities"`
	}
	text, err := json.Marshal(map[string]actor{
		Token:       {Actor: "root@example.org", Roles: []string{"super_admin"}},
		ReaderToken: {Actor: "reader@example.org", Capabilities: []string{"clients.read", "entitlements.read", "audit.read"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "tokens.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
