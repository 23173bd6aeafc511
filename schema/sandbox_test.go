package schema_test

import (
	"os"
	"testing"

	"github.com/veonahealth/charter/schema"
)

// newSandbox returns a sandbox of processes of this test binary.
func newSandbox(t *testing.T, size int) *schema.Sandbox {
	t.Helper()
	s := schema.NewSandbox(size, os.Args[0], evaluateArg)
	t.Cleanup(s.Close)
	return s
}
