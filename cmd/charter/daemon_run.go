package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/reconcile/daemon"
	"github.com/veonahealth/charter/reconcile/daemon/notice"
	"github.com/veonahealth/charter/reconcile/daemon/web"
	"github.com/veonahealth/charter/reconcile/ehr"
	"github.com/veonahealth/charter/reconcile/forge"
	"github.com/veonahealth/charter/reconcile/source"
	"github.com/veonahealth/charter/schema"
)

// watch is a daemon with all that it consists of.
type watch struct {
	log    *slog.Logger
	branch *daemon.Follower
	daemon *daemon.Daemon
	loop   *daemon.Loop
	web    *web.Server
	sender *notice.Sender
	listen string
	system *supervisor
	traces *traces
	// evaluate loads what a commit's files declare.
	evaluate daemon.Evaluate
}

// parts are what a configuration says, checked, before anything is opened.
type parts struct {
	environment catalog.Environment
	token       string
	timers      []daemon.Timer
	access      web.Access
	hook        *web.Hook
	targets     []notice.Target
	header      map[string]string // of what is sent to the collector of traces
	forge       *forge.Client     // nil for none
}

// prepareWatch checks a configuration as far as that needs no repository and no
// platform.
func (a *app) prepareWatch(_ context.Context, c *schema.Daemon) (*parts, error) {
	var p parts
	for _, step := range []func(*schema.Daemon) error{p.readEnvironment, p.readToken, p.readTimers, p.readAccess, p.readHook, p.readNotices, p.readTraces, p.readForge(a)} {
		if err := step(c); err != nil {
			return nil, fail(exitUsage, "configuration: %w", err)
		}
	}
	if c.Mode != string(daemon.Observe) && c.Root == "" {
		return nil, failHint(exitUsage, "found one with charter init --audit, and give its root", "configuration: mode %s needs a founded ledger", c.Mode)
	}
	return &p, nil
}

func (p *parts) readEnvironment(c *schema.Daemon) (err error) {
	p.environment, err = catalog.ParseEnvironment(c.Environment)
	return err
}

func (p *parts) readToken(c *schema.Daemon) error {
	token, err := readSecret(c.EHR.TokenFile)
	p.token = string(token)
	return err
}

// readSecret reads a secret from its file, without the space around it.
func readSecret(file string) ([]byte, error) {
	data, err := readFile(file, maxToken)
	return bytes.TrimSpace(data), err
}

func (p *parts) readTimers(c *schema.Daemon) error {
	for _, s := range c.Schedules {
		depth, _ := daemon.ParseDepth(s.Pass)
		timer, err := daemon.ParseSchedule(s.Cron, s.Timezone, depth)
		if err != nil {
			return err
		}
		p.timers = append(p.timers, timer)
	}
	fetch, err := daemon.Every(time.Duration(c.Fetch), c.Repository+c.Environment, daemon.Ask{Depth: daemon.Look, Why: "fetch"})
	p.timers = append(p.timers, fetch)
	return err
}

func (p *parts) readAccess(c *schema.Daemon) (err error) {
	if p.access.Scrapers, err = prefixes(c.Scrapers); err != nil {
		return err
	}
	if c.Proxy != nil {
		from, err := prefixes(c.Proxy.From)
		if err != nil {
			return err
		}
		p.access.Proxy = &web.Proxy{From: from, Header: c.Proxy.Header}
	}
	return p.access.CheckListen(c.Listen)
}

// prefixes reads addresses and networks.
func prefixes(texts []string) ([]netip.Prefix, error) {
	var list []netip.Prefix
	for _, text := range texts {
		if ip, err := netip.ParseAddr(text); err == nil {
			list = append(list, netip.PrefixFrom(ip, ip.BitLen()))
			continue
		}
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("%q is no address and no network", text)
		}
		list = append(list, network)
	}
	return list, nil
}

func (p *parts) readHook(c *schema.Daemon) error {
	if c.Webhook == nil {
		return nil
	}
	secret, err := readSecret(c.Webhook.SecretFile)
	if err != nil {
		return err
	}
	p.hook = &web.Hook{Forge: web.Forge(c.Webhook.Forge), Secret: secret}
	return p.hook.Check()
}

func (p *parts) readNotices(c *schema.Daemon) error {
	for _, n := range c.Notices {
		address, err := readSecret(n.URLFile)
		if err != nil {
			return err
		}
		u, err := url.Parse(string(address))
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
			return fmt.Errorf("%s holds no http or https address", n.URLFile)
		}
		p.targets = append(p.targets, notice.Target{URL: string(address), Shape: notice.Shape(n.Shape), Name: n.Name})
	}
	return nil
}

// readForge makes the client of the forge that pull requests are opened at. It asks
// once in each pass, as the daemon comes again by itself.
func (p *parts) readForge(a *app) func(*schema.Daemon) error {
	return func(c *schema.Daemon) error {
		if c.Forge == nil {
			return nil
		}
		token, err := readSecret(c.Forge.TokenFile)
		if err != nil {
			return err
		}
		p.forge, err = forge.New(forge.Options{
			Run:   forge.Run{Kind: forge.Kind(c.Forge.Kind), API: c.Forge.API, Project: c.Forge.Repository},
			Token: string(token), UserAgent: "charter/" + version(), Proxy: http.ProxyFromEnvironment, Retries: -1, Now: a.now,
		})
		return err
	}
}

// isURL reports whether a repository is named by a URL.
func isURL(repository string) bool { return source.IsURL(repository) }

// newWatch opens all that a daemon needs. It asks nobody yet but a remote
// repository.
func (a *app) newWatch(ctx context.Context, c *schema.Daemon) (*watch, error) {
	p, err := a.prepareWatch(ctx, c)
	if err != nil {
		return nil, err
	}
	repo := repoFlags{repo: c.Repository}
	branch, err := daemon.Follow(ctx, c.Branch, repo.open)
	if err != nil {
		return nil, fail(exitFailed, "%w", err)
	}
	w := &watch{log: a.daemonLog(), branch: branch, listen: c.Listen, system: newSupervisor(a.lookupEnv)}
	w.evaluate = func(ctx context.Context, files fs.FS) (*schema.Fleet, error) {
		return a.evaluate(ctx, files, c.Repository)
	}
	if w.traces, err = newTraces(ctx, c, p.header, w.log); err != nil {
		return nil, fail(exitUsage, "%w", err)
	}
	if err := a.assemble(w, c, p); err != nil {
		return nil, fail(exitUsage, "%w", err)
	}
	return w, nil
}

// daemonLog is a log for a journal: one line a record.
func (a *app) daemonLog() *slog.Logger {
	level := slog.LevelInfo
	switch {
	case a.verbose:
		level = slog.LevelDebug
	case a.quiet:
		level = slog.LevelWarn
	}
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: level}))
}

// assemble makes the parts know each other.
func (a *app) assemble(w *watch, c *schema.Daemon, p *parts) error {
	metrics := web.NewMetrics(func() *daemon.View { return w.daemon.View() }, a.now)
	client, err := ehr.New(ehr.Options{
		URL: c.EHR.URL, Token: p.token, Parallelism: c.EHR.Parallelism, MaxRPS: c.EHR.MaxRPS, Timeout: time.Duration(c.EHR.Timeout),
		Retries:   -1, // the daemon has pauses of its own, and asks once in each
		UserAgent: "charter/" + version(), Proxy: http.ProxyFromEnvironment, Log: w.log,
		Watch: func(ctx context.Context, x ehr.Exchange) { w.daemon.Observe(ctx, x); metrics.Exchange(x) },
	})
	if err != nil {
		return err
	}
	overseer, act, err := a.govern(w, c, p, client, metrics.Acted)
	if err != nil {
		return err
	}
	if err := a.assembleDaemon(w, c, p, client, overseer, act, metrics); err != nil {
		return err
	}
	w.sender = notice.New(notice.Options{
		Targets: p.targets, Page: c.Page, File: stateFile(c.State, "notices.json"), Patience: time.Duration(c.Patience), Now: a.now, Log: w.log,
	})
	w.web, err = web.New(web.Options{
		View: w.daemon.View, Access: p.access, Hook: p.hook, Ask: w.loop.Ask, Metrics: metrics, Now: a.now, Log: w.log, Alive: w.alive,
	})
	return err
}

// assembleDaemon makes the daemon itself and the loop that it passes in.
func (a *app) assembleDaemon(w *watch, c *schema.Daemon, p *parts, client *ehr.Client, o *overseer, act daemon.Act, metrics *web.Metrics) (err error) {
	options := daemon.Options{
		Environment: p.environment, Source: w.branch, EHR: client, Mode: daemon.Mode(c.Mode), Now: a.now, Log: w.log,
		Tracer:   w.traces.tracer,
		Skew:     time.Duration(c.Skew),
		Backoff:  daemon.Backoff{First: time.Duration(c.Backoff.First), Longest: time.Duration(c.Backoff.Longest)},
		Evaluate: w.evaluate,
		Due:      func(after time.Time) time.Time { return w.loop.Due(after) },
		Published: func(v *daemon.View) {
			metrics.Published(v)
			w.web.Published(v)
			w.sender.Publish(v)
		},
	}
	if o != nil {
		options.Govern, options.Act, options.Plans = o.govern, act, o.openPlans
	}
	if w.daemon, err = daemon.New(options); err != nil {
		return err
	}
	w.loop = &daemon.Loop{Timers: append(p.timers, w.daemon.Timers()...), Pass: w.daemon.Pass, Now: a.now}
	return nil
}

func stateFile(dir, name string) string {
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, name)
}

// longestPass is after how long a pass that has not ended is a daemon that hangs.
const longestPass = 30 * time.Minute

func (w *watch) alive() bool { return w.loop.Busy() < longestPass }

// run serves and passes until the context ends.
func (w *watch) run(ctx context.Context) error {
	l, err := net.Listen("tcp", w.listen)
	if err != nil {
		return fail(exitFailed, "status pages: %w", err)
	}
	w.log.Info("listening", "url", "http://"+l.Addr().String()+"/")
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return w.web.Serve(ctx, l) })
	g.Go(func() error { w.sender.Run(ctx); return nil })
	g.Go(func() error { w.system.watch(ctx, w.alive, w.log); return nil })
	g.Go(func() error { w.loop.Run(ctx); return nil })
	return g.Wait()
}

func (w *watch) close() error {
	if err := w.traces.close(); err != nil {
		w.log.Warn("traces not sent", "error", err)
	}
	return w.branch.Close()
}
