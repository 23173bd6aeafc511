package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/veonahealth/charter/examples/ehr/internal/box"
	"github.com/veonahealth/charter/examples/ehr/internal/licence"
	"github.com/veonahealth/charter/examples/ehr/internal/platform"
)

// boxOptions are what the command line of "ehr box" says.
type boxOptions struct {
	options
	ehr         string        // the platform's URL
	licence     string        // a file: the licence as the platform issued it
	key         string        // a file: the platform's public key
	fingerprint string        // names the hardware
	state       string        // a file
	every       time.Duration // between heartbeats
}

// heartbeatTimeout bounds one request of a box.
const heartbeatTimeout = 30 * time.Second

// parseBoxOptions reads the command line of "ehr box".
func parseBoxOptions(args []string, help io.Writer) (*boxOptions, error) {
	o := &boxOptions{}
	flags := flag.NewFlagSet("ehr box", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.listen, "listen", "", "`HOST:PORT` where the clinical app answers; port 0 takes a free one")
	flags.StringVar(&o.ehr, "ehr", "", "`URL` of the platform")
	flags.StringVar(&o.licence, "licence", "", "`FILE` with the licence, as POST /licenses answered it")
	flags.StringVar(&o.key, "key", "", "`FILE` with the platform's licence key, as GET / has it")
	flags.StringVar(&o.fingerprint, "fingerprint", "", "`TEXT` that names this hardware")
	flags.StringVar(&o.state, "state", "", "`FILE` that keeps what the box was last given")
	flags.StringVar(&o.catalog, "catalog", "", "catalogue folder `DIR` instead of the default one")
	flags.DurationVar(&o.every, "every", 15*time.Minute, "`DURATION` between heartbeats")
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(help, "usage: ehr box --listen HOST:PORT --ehr URL --licence FILE --key FILE --fingerprint TEXT --state FILE")
		flags.SetOutput(help)
		flags.PrintDefaults()
	}
	if err != nil {
		return nil, err
	}
	return o, o.check(flags.Args())
}

func (o *boxOptions) check(rest []string) error {
	if len(rest) > 0 {
		return fmt.Errorf("argument %q: want none", rest[0])
	}
	for _, required := range []struct{ flag, value string }{
		{"--listen", o.listen}, {"--ehr", o.ehr}, {"--licence", o.licence},
		{"--key", o.key}, {"--fingerprint", o.fingerprint}, {"--state", o.state},
	} {
		if required.value == "" {
			return fmt.Errorf("%s: missing", required.flag)
		}
	}
	if o.every <= 0 {
		return fmt.Errorf("--every %s: want a time to come", o.every)
	}
	return nil
}

// serve runs the box until ctx ends.
func (o *boxOptions) serve(ctx context.Context, stdout io.Writer, logger *slog.Logger) error {
	b, err := o.box(logger)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "listening on http://%s\n", listener.Addr())
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var beating sync.WaitGroup
	defer beating.Wait()
	beating.Go(func() { b.Run(ctx, o.every) })
	return serveUntil(ctx, listener, b, logger)
}

// box returns the box that the command line describes.
func (o *boxOptions) box(logger *slog.Logger) (*box.Box, error) {
	catalogue, err := o.loadCatalog()
	if err != nil {
		return nil, err
	}
	routes, err := platform.NewRoutes(catalogue)
	if err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(o.key)
	if err != nil {
		return nil, err
	}
	key, err := licence.ParsePublicKey(string(pem))
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(o.licence)
	if err != nil {
		return nil, err
	}
	var first box.Document
	if err := json.Unmarshal(text, &first); err != nil {
		return nil, fmt.Errorf("licence %s: %w", o.licence, err)
	}
	b, err := box.New(box.Config{
		EHR: o.ehr, Fingerprint: o.fingerprint, Key: key, Routes: routes, State: o.state,
		Client: &http.Client{Timeout: heartbeatTimeout}, Now: time.Now, Log: logger,
	}, first)
	if err != nil {
		return nil, fmt.Errorf("licence %s: %w", o.licence, err)
	}
	return b, nil
}
