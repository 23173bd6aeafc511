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

	"github.com/veonahealth/charter/catalog"
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

	anew bool // whether nothing counts that was verified before
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
	cmd, err := root.ExecuteContextC(ctx)
	if ctx.Err() != nil && err != nil && codeOf(err) == exitFailed {
		err = context.Canceled
	}
	a.explain(err)
	if f := cmd.Flags().Lookup("output"); f != nil && f.Value.String() == "json" {
		err = errors.Join(err, a.explainJSON(err))
	}
	return int(codeOf(err))
}

// failure is how a command ended that has no result, for programs.
type failure struct {
	Codes    []exitCode      `json:"codes"` // every status that applies, the gravest first
	Error    string          `json:"error"`
	Hint     string          `json:"hint"`     // what to do about it, or ""
	Problems schema.Problems `json:"problems"` // what is wrong with the declarations
}

// explainJSON writes what went wrong in place of a result.
func (a *app) explainJSON(err error) error {
	var exit *exitError
	errors.As(err, &exit)
	if err == nil || exit != nil && exit.err == nil {
		return nil
	}
	f := failure{Codes: codesOf(err), Error: err.Error(), Problems: schema.Problems{}}
	if exit != nil {
		f.Hint = exit.hint
	}
	errors.As(err, &f.Problems)
	return view.JSON(a.stdout, f)
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "charter",
		Short: "Decide, provably, who may use what",
		Long: `charter keeps the entitlements of an EHR platform's tenants as CUE files in git,
plans what a change of them does, and carries out plans that somebody signed.`,
		SilenceErrors: true, SilenceUsage: true,
		Args:              cobra.ArbitraryArgs,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return a.mirror(cmd.Flags()) },
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return noCommand(cmd, args[0])
			}
			return cmd.Help()
		},
		Version: version(),
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return failHint(exitUsage, cmd.CommandPath()+" --help lists its flags", "%w", err)
	})
	flags := root.PersistentFlags()
	flags.BoolVar(&a.noColor, "no-color", false, "no colours (so does the variable NO_COLOR)")
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "no progress and no notes, only results and errors")
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "say what is asked, retried and waited for")
	root.AddCommand(
		a.newInit(), a.newImport(), a.newLicence(), a.newConformance(), a.newNew(), a.newGrant(), a.newRevoke(), a.newExtend(), a.newValidate(), a.newTest(), a.newBlueprints(), a.newDiff(), a.newPlan(), a.newShow(), a.newKeygen(), a.newSign(),
		a.newApprove(), a.newReject(), a.newPlans(), a.newVerify(), a.newCan(), a.newApply(), a.newStatus(), a.newDrift(), a.newDaemon(),
		a.newWhy(), a.newLog(), a.newRollback(), a.newAudit(), a.newRecover(), a.newSeal(), a.newSnapshot(), a.newCI(), a.newExplain(), a.newVersion(),
	)
	root.InitDefaultCompletionCmd()
	usageErrors(root)
	return root
}

// noCommand tells of a command that is not there.
func noCommand(cmd *cobra.Command, name string) error {
	hint := cmd.CommandPath() + " --help lists them"
	names := func(yield func(string) bool) {
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() && !yield(sub.Name()) {
				return
			}
		}
	}
	switch near := catalog.Nearest(name, names); {
	case name == "":
		return failHint(exitUsage, hint, "%s: which command?", cmd.CommandPath())
	case near != "":
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	return failHint(exitUsage, hint, "%s has no command %q", cmd.CommandPath(), name)
}

// usageErrors makes wrong arguments end with the status for wrong usage.
func usageErrors(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if check(cmd, args) != nil {
				return failHint(exitUsage, cmd.CommandPath()+" --help tells how", "%s does not take the arguments %q", cmd.UseLine(), args)
			}
			return nil
		}
	}
	if cmd.HasSubCommands() && !cmd.Runnable() {
		cmd.Args = cobra.ArbitraryArgs
		cmd.RunE = func(cmd *cobra.Command, args []string) error { return noCommand(cmd, strings.Join(args, " ")) }
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
	name, _ := a.lookupEnv("TERM")
	return view.Style{Color: terminal && !a.noColor && !never && name != "dumb"}
}

// note tells something beside the result.
func (a *app) note(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintln(a.stderr, "charter: "+view.Clean(fmt.Sprintf(format, args...)))
	}
}

// log is for everything that -v asks for. Without it only what keeps a person
// waiting is said, in a sentence.
func (a *app) log() *slog.Logger {
	switch {
	case a.verbose:
		return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	case a.quiet:
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(&waits{app: a})
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
	dir := filepath.Dir(name)
	f, err := os.CreateTemp(dir, ".charter-*")
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("there is no folder %s", dir)
	}
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
