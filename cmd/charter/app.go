package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/veonahealth/charter/cmd/charter/internal/view"
	"github.com/veonahealth/charter/schema"
)

// app is the program's hold on the world outside.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	lookupEnv      func(string) (string, bool)
	now            func() time.Time
	executable     func() (string, error)
	cacheDir       func() (string, error)

	inTerminal, outTerminal, errTerminal bool

	// Set by the flags that every command has.
	noColor, quiet, verbose bool
}

// envPrefix starts the name of the environment variable that mirrors a flag.
const envPrefix = "CHARTER_"

// main runs the program with arguments and gives its exit status.
func (a *app) main(ctx context.Context, args []string) int {
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	err := root.ExecuteContext(ctx)
	if ctx.Err() != nil && err != nil && codeOf(err) == exitFailed {
		err = context.Canceled
	}
	a.explain(err)
	return int(codeOf(err))
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "charter",
		Short: "Decide, provably, who may use what",
		Long: `charter keeps the entitlements of an EHR platform's tenants as CUE files in git,
plans what a change of them does, and carries out plans that somebody signed.`,
		SilenceErrors: true, SilenceUsage: true,
		Args:              cobra.NoArgs,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return a.mirror(cmd.Flags()) },
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &exitError{code: exitUsage, err: err} })
	root.SetHelpCommand(&cobra.Command{Hidden: true})
	flags := root.PersistentFlags()
	flags.BoolVar(&a.noColor, "no-color", false, "no colours (so does the variable NO_COLOR)")
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "no progress and no notes, only results and errors")
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "say what is asked, retried and waited for")
	root.AddCommand(
		a.newInit(), a.newNew(), a.newGrant(), a.newRevoke(), a.newExtend(), a.newValidate(), a.newTest(), a.newBlueprints(), a.newDiff(), a.newPlan(), a.newShow(), a.newKeygen(), a.newSign(),
		a.newVerify(), a.newApply(), a.newStatus(), a.newExplain(), a.newVersion(),
	)
	usageErrors(root)
	return root
}

// usageErrors makes wrong arguments end with the status for wrong usage.
func usageErrors(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return failHint(exitUsage, cmd.CommandPath()+" --help tells how", "%w", err)
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		usageErrors(sub)
	}
}

// mirror sets the flags that were not given from the environment.
func (a *app) mirror(flags *pflag.FlagSet) error {
	var wrong error
	flags.VisitAll(func(f *pflag.Flag) {
		name := envPrefix + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, set := a.lookupEnv(name)
		if f.Changed || !set || value == "" || f.Name == "help" {
			return
		}
		if err := flags.Set(f.Name, value); err != nil && wrong == nil {
			wrong = fail(exitUsage, "environment variable %s: %w", name, err)
		}
	})
	return wrong
}

// explain tells what went wrong, and what to do about it.
func (a *app) explain(err error) {
	var exit *exitError
	var problems schema.Problems
	errors.As(err, &exit)
	switch {
	case err == nil || exit != nil && exit.err == nil:
	case errors.As(err, &problems):
		view.Problems(a.stderr, a.style(a.errTerminal), problems)
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(a.stderr, "charter: interrupted")
	default:
		fmt.Fprintln(a.stderr, "charter: "+view.Clean(err.Error()))
	}
	if exit != nil && exit.hint != "" {
		fmt.Fprintln(a.stderr, "charter: "+view.Clean(exit.hint))
	}
}

// style says how results may be shown on a stream.
func (a *app) style(terminal bool) view.Style {
	_, never := a.lookupEnv("NO_COLOR")
	return view.Style{Color: terminal && !a.noColor && !never}
}

// note tells something beside the result.
func (a *app) note(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintln(a.stderr, "charter: "+view.Clean(fmt.Sprintf(format, args...)))
	}
}

// log is for what only -v asks for.
func (a *app) log() *slog.Logger {
	if !a.verbose {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// readFile reads a file of at most a size.
func readFile(name string, most int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > most {
		return nil, fmt.Errorf("%s is larger than %d bytes", name, most)
	}
	return data, nil
}

// writeFile puts a file under its name whole or not at all: nobody ever reads
// half of it, even when the disk is full or the power fails.
func writeFile(name string, data []byte, mode os.FileMode) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".charter-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if _, err := f.Write(data); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
