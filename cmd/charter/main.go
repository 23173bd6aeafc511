// Charter decides, provably, who may use what: it keeps the entitlements of an
// EHR platform's tenants as CUE files in git, plans what a change of them does,
// and carries out plans that somebody has signed.
//
// The usual way, from an empty folder to rows that are live:
//
//	charter init fleet                         # a fleet repository, committed
//	charter keygen --out reviewer              # reviewer.key and reviewer.pub
//	charter plan --out plan.json               # what would change, and why
//	charter sign plan.json --key reviewer.key  # exactly that, and no more
//	charter apply plan.json --trusted-key reviewer.pub
//
// Where a ledger is founded, the policy in the repository says whose word counts,
// and a machine carries out:
//
//	charter init --audit fleet --key ci.key    # once; prints the root
//	charter approve plan.json --key reviewer.key
//	charter apply plan.json --key ci.key       # leaves a receipt
//
// plan and apply need a platform: --ehr URL, and its token in CHARTER_TOKEN or a
// file (--token-file). Every flag can be given as an environment variable,
// CHARTER_ and its name. `charter explain CODE` tells what a code means, and
// what an exit status says.
//
// Every command is one file here and has one shape: its options, a constructor
// that binds flags to them, and a run that does the work and shows the result.
// What a command shows it hands to the package view; how it ends is decided in
// exit.go alone.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/veonahealth/charter/schema"
)

// roomy is from how much memory on the collector takes its usual turns again.
const roomy = 512 << 20 // bytes

func main() {
	// CUE reads these, and what they say would change what a commit means.
	os.Unsetenv("CUE_DEBUG")
	os.Unsetenv("CUE_EXPERIMENT")
	if len(os.Args) == 2 && os.Args[1] == evaluateArg {
		if err := schema.Serve(os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
		return
	}
	if _, told := os.LookupEnv("GOGC"); !told {
		// A command lives for seconds: to collect less often saves a tenth of its CPU,
		// as long as there is room. The daemon, which lives for months, takes it back.
		debug.SetGCPercent(400)
		debug.SetMemoryLimit(roomy)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	a := &app{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		lookupEnv: os.LookupEnv, now: time.Now, executable: os.Executable, cacheDir: os.UserCacheDir,
		inTerminal: term.IsTerminal(int(os.Stdin.Fd())), outTerminal: term.IsTerminal(int(os.Stdout.Fd())),
		errTerminal: term.IsTerminal(int(os.Stderr.Fd())),
	}
	code := a.main(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}
