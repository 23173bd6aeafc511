// Ehr is the reference EHR: a small real platform that speaks the EHR contract,
// version 1, for trying charter and for testing it. It keeps organisations,
// tenants, facilities, editions and grants in one SQLite file, gates the routes of
// a clinical app by the grants, and keeps a hash-chained audit trail.
//
//	go run ./examples/ehr --listen 127.0.0.1:0 --db ehr.db --tokens tokens.json
//
// The first line on standard output is "listening on http://127.0.0.1:PORT".
// Everything else that it has to say goes to standard error.
//
// It stops on SIGTERM or SIGINT: it takes no new request, finishes those that
// run, and closes its database. What it has answered is on the disk by then, and
// is so too when it is killed. On SIGHUP it reads its tokens and faults anew.
//
// With --trust it takes of what a plan can write only what people have signed for:
// see the package authority.
//
// "ehr box" plays the on-prem side of a licence: see the package internal/box.
//
// Exit codes: 0 stopped as asked, 1 it could not start or go on, 64 the command
// line was wrong.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/internal/fault"
	"github.com/veonahealth/charter/examples/ehr/internal/outbox"
	"github.com/veonahealth/charter/examples/ehr/internal/page"
	"github.com/veonahealth/charter/examples/ehr/internal/platform"
	"github.com/veonahealth/charter/examples/ehr/internal/seed"
	"github.com/veonahealth/charter/examples/ehr/internal/server"
	"github.com/veonahealth/charter/examples/ehr/internal/sqlite"
	"github.com/veonahealth/charter/schema"
)

// version is that of this program, and of the clinical app that it stands for.
const version = "0.1.0"

// The exit codes.
const (
	exitDone  = 0
	exitError = 1
	exitUsage = 64
)

// The bounds of a connection. A bulk stream has terms of its own.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = 60 * time.Second
	writeTimeout  = 120 * time.Second
	idleTimeout   = 120 * time.Second
	maxHeader     = 64 << 10
	// stopTimeout is how long requests that run may take to finish once the
	// server is asked to stop.
	stopTimeout = 20 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program without its process: it serves until ctx ends and returns
// the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	program, err := parse(args, stderr)
	switch {
	case errors.Is(err, errHelp):
		return exitDone
	case err != nil:
		fmt.Fprintf(stderr, "ehr: %v\n", err)
		return exitUsage
	}
	if err := program.serve(ctx, stdout, slog.New(slog.NewTextHandler(stderr, nil))); err != nil {
		fmt.Fprintf(stderr, "ehr: %v\n", err)
		return exitError
	}
	return exitDone
}

// program is what a command line asks for: the platform, or a box.
type program interface {
	serve(ctx context.Context, stdout io.Writer, logger *slog.Logger) error
}

func parse(args []string, help io.Writer) (program, error) {
	if len(args) > 0 && args[0] == "box" {
		return parseBoxOptions(args[1:], help)
	}
	return parseOptions(args, help)
}

// serve runs the EHR until ctx ends.
func (o *options) serve(ctx context.Context, stdout io.Writer, logger *slog.Logger) (err error) {
	catalogue, err := o.loadCatalog()
	if err != nil {
		return err
	}
	tokens, err := o.readTokens(catalogue)
	if err != nil {
		return err
	}
	faults, err := o.readFaults()
	if err != nil {
		return err
	}
	p, closeAll, err := o.open(ctx, catalogue)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	defer countUses(p, logger)()
	pages, err := page.New(p, catalogue)
	if err != nil {
		return err
	}
	handler := server.New(server.Config{
		Platform: p, Page: pages, Tokens: tokens, Rate: o.rate, Log: logger, Now: time.Now, Version: version,
	})
	faulty := &fault.Handler{Next: handler, Refuse: handler.Refuse, Move: mover(p)}
	faulty.Set(faults)
	defer onHangup(func() { o.reload(catalogue, handler, faulty, logger) })()
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "listening on http://%s\n", listener.Addr())
	return serveUntil(ctx, listener, faulty, logger)
}

// flushEvery is how often the counts of the gate are written down.
const flushEvery = 10 * time.Second

// countUses writes down what the gate counts, now and then, until stop is called,
// and then once more.
func countUses(p *platform.Platform, logger *slog.Logger) (stop func()) {
	flush := func() {
		if err := p.FlushUsage(context.Background()); err != nil {
			logger.Error("write down the uses", "err", err)
		}
	}
	ticker, done, ended := time.NewTicker(flushEvery), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-ticker.C:
				flush()
			case <-done:
				flush()
				return
			}
		}
	}()
	return func() { ticker.Stop(); close(done); <-ended }
}

// open opens the platform of the database, and returns what closes it.
func (o *options) open(ctx context.Context, c *catalog.Catalog) (_ *platform.Platform, _ func() error, err error) {
	config := platform.Config{Catalog: c, Now: time.Now, Release: version, Instance: o.instance, Grace: o.grace}
	if config.Checker, err = o.checker(); err != nil {
		return nil, nil, err
	}
	var opened []io.Closer
	closeAll := func() error {
		var errs []error
		for _, closer := range slices.Backward(opened) {
			errs = append(errs, closer.Close())
		}
		return errors.Join(errs...)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, closeAll())
		}
	}()
	if o.outbox != "" {
		box, err := outbox.Open(o.outbox)
		if err != nil {
			return nil, nil, err
		}
		opened, config.Outbox = append(opened, box), box
	}
	if o.restore != "" {
		if err := sqlite.Restore(o.db, o.restore); err != nil {
			return nil, nil, err
		}
	}
	store, err := sqlite.Open(ctx, o.db)
	if err != nil {
		return nil, nil, err
	}
	opened, config.Store = append(opened, store), store
	p, err := platform.New(ctx, config)
	if err == nil && o.seed > 0 {
		err = seed.Fleet(ctx, p, c, time.Now(), o.seed)
	}
	return p, closeAll, err
}

// serveUntil serves until ctx ends, and then until the requests that run are
// answered.
func serveUntil(ctx context.Context, listener net.Listener, handler http.Handler, logger *slog.Logger) error {
	s := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	logger.Info("stopping")
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err := s.Shutdown(ending); err != nil {
		return errors.Join(fmt.Errorf("stop: %w", err), s.Close())
	}
	return nil
}

// loadCatalog reads the catalogue that the command line names, or the default.
func (o *options) loadCatalog() (*catalog.Catalog, error) {
	if o.catalog == "" {
		return schema.LoadCatalog(catalog.DefaultFiles())
	}
	c, err := schema.LoadCatalog(os.DirFS(o.catalog))
	if err != nil {
		return nil, fmt.Errorf("read catalogue %s: %w", o.catalog, err)
	}
	return c, nil
}

// readTokens reads the tokens file. A catalogue that says nothing of a role takes
// the default's word: a fleet's folder need not name roles.
func (o *options) readTokens(c *catalog.Catalog) (server.Tokens, error) {
	standard, err := schema.LoadCatalog(catalog.DefaultFiles())
	if err != nil {
		return nil, err
	}
	file, err := os.Open(o.tokens)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return server.ReadTokens(file, func(role string) ([]string, bool) {
		if held, known := c.Capabilities(role); known {
			return held, true
		}
		return standard.Capabilities(role)
	})
}
