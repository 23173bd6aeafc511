package main

import (
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/internal/fault"
	"github.com/veonahealth/charter/examples/ehr/internal/platform"
	"github.com/veonahealth/charter/examples/ehr/internal/server"
)

// onHangup does something whenever the process gets SIGHUP, until stop is called.
func onHangup(do func()) (stop func()) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-hangup:
				do()
			case <-done:
				return
			}
		}
	}()
	return func() { signal.Stop(hangup); close(done) }
}

// reload reads the tokens and the faults anew. What cannot be read stays as it
// was: a mistake in a file must not shut everybody out.
func (o *options) reload(c *catalog.Catalog, handler *server.Server, faulty *fault.Handler, logger *slog.Logger) {
	if tokens, err := o.readTokens(c); err != nil {
		logger.Error("reload: the tokens stay as they were", "err", err)
	} else {
		handler.SetTokens(tokens)
		logger.Info("reload: tokens", "count", len(tokens))
	}
	if faults, err := o.readFaults(); err != nil {
		logger.Error("reload: the faults stay as they were", "err", err)
	} else {
		faulty.Set(faults)
	}
}

// readFaults reads the file that says what goes wrong; nil where there is none.
func (o *options) readFaults() (*fault.Order, error) {
	if o.fault == "" {
		return nil, nil
	}
	file, err := os.Open(o.fault)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return fault.Read(file)
}

// mover is the other hand that moves the revision of the tenant's grant which a
// request's path names.
func mover(p *platform.Platform) func(*http.Request) error {
	return func(r *http.Request) error {
		name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/tenants/"), "/")
		id, err := catalog.ParseTenantID(name)
		if err != nil {
			return err
		}
		return p.Touch(r.Context(), platform.Write{Actor: "another hand"}, id)
	}
}
