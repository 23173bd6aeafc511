package ehrtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// program is the EHR's binary.
type program struct {
	once sync.Once
	dir  string // holds the binary; "" until it is built
	err  error
}

// built is the binary of this test process: linking it for each test would take
// longer than the tests.
var built program

// Main runs a package's tests, removes the EHR's binary, and returns the code to
// exit with.
func Main(m *testing.M) int {
	code := m.Run()
	if err := os.RemoveAll(built.dir); err != nil {
		fmt.Fprintln(os.Stderr, "ehrtest:", err)
	}
	return code
}

// path returns the binary, which the first call builds.
func (p *program) path(t testing.TB) string {
	t.Helper()
	p.once.Do(func() { p.err = p.build() })
	if p.err != nil {
		t.Fatal(p.err)
	}
	return filepath.Join(p.dir, "ehr")
}

func (p *program) build() (err error) {
	if p.dir, err = os.MkdirTemp("", "ehrtest-"); err != nil {
		return err
	}
	cmd := exec.Command("go", "build", "-o", filepath.Join(p.dir, "ehr"), "github.com/veonahealth/charter/examples/ehr")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}
