package schema_test

import (
	"os"
	"testing"

	"github.com/veonahealth/charter/schema"
)

// evaluateArg makes the test binary an evaluating process.
const evaluateArg = "evaluate"

// TestMain lets the test binary be what a sandbox starts, as charter is.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == evaluateArg {
		if err := schema.Serve(os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
