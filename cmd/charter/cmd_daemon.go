package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/veonahealth/charter/cmd/charter/internal/view"
	"github.com/veonahealth/charter/reconcile/daemon"
	"github.com/veonahealth/charter/schema"
)

type daemonOptions struct {
	config      string
	check, once bool
	output      outputFlag
}

func (a *app) newDaemon() *cobra.Command {
	var o daemonOptions
	cmd := &cobra.Command{
		Use:   "daemon --config FILE",
		Short: "Watch git, the platform and the clock; report what differs, and show it",
		Long: `Daemon keeps an eye on a fleet: it fetches new commits, asks the platform what has
changed, and says where declared and live have come apart. By default it observes
and writes nothing.

It passes by the schedules of its configuration, on a forge's webhook, when a grant
or hold begins or ends, and on SIGUSR1. SIGHUP reads the configuration anew; one
that is wrong is named, and the old one stays. SIGTERM ends it after the tenant in
hand.

The status pages, /metrics, /healthz and /readyz are at the address that the
configuration names, for this machine alone unless it names a proxy before them.
With --once it makes one full pass, shows the outcome and ends: with 3 where live
has drifted, 8 where the live state could not be read, 9 where the newest commit
does not load.`,
		Example: `  charter daemon --config charter.cue --check
  charter daemon --config charter.cue
  charter daemon --config charter.cue --once -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.daemon(cmd.Context(), &o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.config, "config", "", "the configuration `FILE`, in CUE")
	flags.BoolVar(&o.check, "check", false, "check the configuration, and end")
	flags.BoolVar(&o.once, "once", false, "make one full pass, show its outcome, and end")
	o.output.bind(cmd, "text", "json")
	return cmd
}

const maxConfig = 1 << 20

// configure reads the configuration. Paths in it begin at its own folder.
func (o *daemonOptions) configure() (*schema.Daemon, error) {
	if o.config == "" {
		return nil, failHint(exitUsage, "examples/daemon/charter.cue is one to begin with", "no configuration: give --config FILE")
	}
	data, err := readFile(o.config, maxConfig)
	if err != nil {
		return nil, fail(exitFailed, "configuration: %w", err)
	}
	c, err := schema.ParseDaemon(filepath.Base(o.config), data)
	if err != nil {
		return nil, err
	}
	resolvePaths(c, filepath.Dir(o.config))
	return c, nil
}

func resolvePaths(c *schema.Daemon, dir string) {
	paths := []*string{&c.EHR.TokenFile, &c.KeyFile, &c.PasswordFile, &c.State}
	if !isURL(c.Repository) {
		paths = append(paths, &c.Repository)
	}
	if c.Forge != nil {
		paths = append(paths, &c.Forge.TokenFile)
	}
	if c.Webhook != nil {
		paths = append(paths, &c.Webhook.SecretFile)
	}
	if c.Traces != nil {
		paths = append(paths, &c.Traces.HeaderFile)
	}
	for i := range c.Notices {
		paths = append(paths, &c.Notices[i].URLFile)
	}
	for i := range c.Mandate {
		paths = append(paths, &c.Mandate[i])
	}
	for _, path := range paths {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(dir, *path)
		}
	}
}

func (a *app) daemon(ctx context.Context, o *daemonOptions) error {
	if _, told := a.lookupEnv("GOGC"); !told {
		debug.SetGCPercent(100) // its memory matters more than a little CPU
	}
	c, err := o.configure()
	if err != nil {
		return err
	}
	if o.check {
		return a.checkDaemon(ctx, c)
	}
	if o.once {
		return a.daemonOnce(ctx, c, o.output.value)
	}
	wishes := make(chan os.Signal, 1)
	signal.Notify(wishes, reloadSignal, passSignal)
	defer signal.Stop(wishes)
	for {
		c, err = a.daemonUntil(ctx, c, o, wishes)
		if err != nil || c == nil {
			return err
		}
	}
}

// daemonUntil runs a daemon by a configuration until the context ends, or until
// there is another configuration, which it returns.
func (a *app) daemonUntil(ctx context.Context, c *schema.Daemon, o *daemonOptions, wishes <-chan os.Signal) (*schema.Daemon, error) {
	d, err := a.newWatch(ctx, c)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- d.run(ctx) }()
	var next *schema.Daemon
	for {
		select {
		case err := <-done:
			return next, errors.Join(err, d.close())
		case s := <-wishes:
			if s == passSignal {
				d.loop.Ask(daemon.Ask{Depth: daemon.Full, Why: "signal"})
				continue
			}
			if next = a.reload(ctx, d, o); next != nil {
				stop()
			}
		}
	}
}

// reload reads the configuration anew; nil where it is wrong, and the old one
// stays.
func (a *app) reload(ctx context.Context, d *watch, o *daemonOptions) *schema.Daemon {
	c, err := o.configure()
	if err == nil {
		_, err = a.prepareWatch(ctx, c)
	}
	if err != nil {
		d.log.Error("the new configuration is wrong, and the old one stays", "error", err)
		return nil
	}
	d.log.Info("the configuration was read anew")
	return c
}

// checkDaemon says whether a daemon could be started by a configuration.
func (a *app) checkDaemon(ctx context.Context, c *schema.Daemon) error {
	if _, err := a.prepareWatch(ctx, c); err != nil {
		return err
	}
	a.note("the configuration is sound: it would watch branch %s of %s and %s, and %s", c.Branch, c.Repository, c.EHR.URL, c.Mode)
	return nil
}

// daemonOnce makes one full pass and shows what it found.
func (a *app) daemonOnce(ctx context.Context, c *schema.Daemon, format string) error {
	d, err := a.newWatch(ctx, c)
	if err != nil {
		return err
	}
	d.daemon.Pass(ctx, daemon.Ask{Depth: daemon.Full, Why: "once"})
	if err := errors.Join(ctx.Err(), d.close()); err != nil {
		return err
	}
	v := d.daemon.View()
	if format == "json" {
		err = view.JSON(a.stdout, v)
	} else {
		err = a.showView(v)
	}
	if err != nil {
		return err
	}
	return finish(worst(viewCodes(v)...))
}

// showView tells the outcome of a pass in lines.
func (a *app) showView(v *daemon.View) error {
	for _, f := range v.Faults {
		fmt.Fprintf(a.stdout, "%s: %s\n", f.Code, view.Clean(f.Text))
	}
	for _, t := range v.Tenants {
		if t.Standing != daemon.InStep {
			fmt.Fprintf(a.stdout, "%s: %s: %s\n", t.ID, t.Standing, view.Clean(t.Sentence()))
		}
	}
	_, err := fmt.Fprintf(a.stdout, "%s, %d in step.\n", view.Counted(len(v.Tenants), "tenant", "tenants"), v.Count()[daemon.InStep])
	return err
}

// viewCodes gives every status that the outcome of a pass calls for.
func viewCodes(v *daemon.View) []exitCode {
	codes := []exitCode{exitDone}
	for _, f := range v.Faults {
		switch f.Code {
		case daemon.PlatformOther, daemon.HistoryRewritten, daemon.LedgerDown:
			codes = append(codes, exitTrust)
		case daemon.PlatformDown, daemon.PlatformDenies, daemon.Restored:
			codes = append(codes, exitUnread)
		case daemon.DeclarationsBad, daemon.PolicyUnreadable:
			codes = append(codes, exitWrong)
		default:
			codes = append(codes, exitFailed)
		}
	}
	count := v.Count()
	if count[daemon.Unreadable] > 0 {
		codes = append(codes, exitUnread)
	}
	if count[daemon.Drift]+count[daemon.Conflict] > 0 {
		codes = append(codes, exitDrift)
	}
	return codes
}
