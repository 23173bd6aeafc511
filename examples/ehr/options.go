package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/authority"
	"github.com/veonahealth/charter/examples/ehr/internal/platform"
	"github.com/veonahealth/charter/examples/ehr/internal/seed"
	"github.com/veonahealth/charter/examples/ehr/internal/sqlite"
)

// errHelp says that the command line asked for help, which it was given.
var errHelp = flag.ErrHelp

// options are what the command line says.
type options struct {
	listen   string        // host:port; port 0 takes a free one
	db       string        // a file, or sqlite.Memory
	tokens   string        // a file
	catalog  string        // a folder; "" for the default catalogue
	instance string        // "" for the database's own
	outbox   string        // a file; "" for none
	grace    time.Duration // of a box without a heartbeat
	rate     int           // requests a second; 0 is no bound
	restore  string        // a file; "" for none
	seed     int           // tenants; 0 for none
	fault    string        // a file; "" for none
	// What people must have approved, and by which keys: files, and how many.
	trust, trustApplier []string
	trustNotary         []string // machines that speak of reviews at a forge
	reviewers           []string // each one person's accounts and key files
	anyReview           bool
	need                authority.Need
	environment         catalog.Environment // the zero one for any
}

// parseOptions reads the command line. It writes help to help where that is
// asked for.
func parseOptions(args []string, help io.Writer) (*options, error) {
	o := &options{}
	flags := flag.NewFlagSet("ehr", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // a mistake is said once, by main
	flags.StringVar(&o.listen, "listen", "", "`HOST:PORT` to listen on; port 0 takes a free one")
	flags.StringVar(&o.db, "db", "", "database `FILE`, made where it is not there; :memory: keeps nothing")
	flags.StringVar(&o.tokens, "tokens", "", `JSON `+"`FILE`"+`: {"TOKEN": {"actor": "…", "roles": […], "capabilities": […]}}`)
	flags.StringVar(&o.catalog, "catalog", "", "catalogue folder `DIR` instead of the default one")
	flags.StringVar(&o.instance, "instance", "", "the platform's stable `ID`, for a new database")
	flags.StringVar(&o.outbox, "outbox", "", "`FILE` that gets one JSON line for each mail")
	flags.IntVar(&o.rate, "rate", 0, "answer `N` requests a second, and 429 beyond; 0 is no bound")
	flags.StringVar(&o.fault, "fault", "", "misbehave as `FILE` says")
	flags.DurationVar(&o.grace, "grace", platform.Grace, "`DURATION` that a box may run without a heartbeat")
	flags.IntVar(&o.seed, "seed-fleet", 0, "fill a new database with a fleet of `N` tenants, the same for the same N")
	flags.StringVar(&o.restore, "restore", "", "put back the older copy `FILE` of the database, which loses every write since")
	flags.Var(files{&o.trust}, "trust", "public key `PEM…` of people whose approval a write needs")
	flags.Var(files{&o.trustApplier}, "trust-applier", "public key `PEM…` of machines that may carry out a mandate")
	flags.Var(files{&o.trustNotary}, "trust-notary", "public key `PEM…` of machines whose word for a review at a forge counts")
	flags.Func("reviewer", "one person's `ACCOUNT,…,PEM,…`: whose review it is, such as github:1234,ada.pub; may be given again", func(text string) error {
		o.reviewers = append(o.reviewers, text)
		return nil
	})
	flags.BoolVar(&o.anyReview, "any-review", false, "let reviews count for every write, and not only for rows that are granted")
	o.need = authority.Need{Grant: 1, Revoke: 1}
	flags.Func("need", "how many people must approve: `1,revoke=2`", func(text string) (err error) {
		o.need, err = authority.ParseNeed(text)
		return err
	})
	flags.Func("environment", "the `NAME` of this environment: approvals for another do not count", func(text string) (err error) {
		o.environment, err = catalog.ParseEnvironment(text)
		return err
	})
	err := flags.Parse(repeatKeys(args))
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(help, "usage: ehr --listen HOST:PORT --db FILE|:memory: --tokens FILE [--catalog DIR] [--instance ID] [--outbox FILE] [--grace DURATION] [--rate N] [--fault FILE] [--seed-fleet N] [--restore FILE] [--trust PEM…] [--trust-applier PEM…] [--trust-notary PEM… --reviewer ACCOUNT,…,PEM,… [--any-review]] [--need 1,revoke=2] [--environment NAME]")
		flags.SetOutput(help)
		flags.PrintDefaults()
	}
	if err != nil {
		return nil, err
	}
	return o, o.check(flags.Args())
}

// check refuses a command line that lacks something or says too much.
func (o *options) check(rest []string) error {
	const maxInstance = 100
	switch {
	case len(rest) > 0:
		return fmt.Errorf("argument %q: want none", rest[0])
	case o.listen == "":
		return errors.New("--listen: missing")
	case o.db == "":
		return errors.New("--db: missing")
	case o.grace <= 0:
		return fmt.Errorf("--grace %s: want a time to come", o.grace)
	case o.seed < 0 || o.seed > seed.Max:
		return fmt.Errorf("--seed-fleet %d: want 0 to %d", o.seed, seed.Max)
	case o.restore != "" && o.db == sqlite.Memory:
		return errors.New("--restore: want a database in a file")
	case len(o.trust) == 0 && len(o.trustApplier) > 0:
		return errors.New("--trust-applier: want --trust too, or nothing is verified")
	case len(o.trust) == 0 && len(o.trustNotary) > 0:
		return errors.New("--trust-notary: want --trust too, or nothing is verified")
	case (len(o.trustNotary) == 0) != (len(o.reviewers) == 0) || o.anyReview && len(o.reviewers) == 0:
		return errors.New("--trust-notary and --reviewer: want both, or neither and no --any-review")
	case len(o.trust) == 0 && !o.environment.IsZero():
		return errors.New("--environment: want --trust too, or nothing is verified")
	case o.rate < 0:
		return fmt.Errorf("--rate %d: want 0 or more", o.rate)
	case o.tokens == "":
		return errors.New("--tokens: missing")
	case len(o.instance) > maxInstance || strings.ContainsFunc(o.instance, func(r rune) bool { return r <= ' ' || r > '~' }):
		return fmt.Errorf("--instance: want at most %d printable bytes without spaces", maxInstance)
	}
	return nil
}
