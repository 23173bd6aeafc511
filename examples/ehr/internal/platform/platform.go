package platform

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/authority"
	"github.com/veonahealth/charter/examples/ehr/internal/licence"
)

// The settings that make a database this platform's and no other's.
const (
	settingInstance  = "instance"
	settingCursorKey = "cursor-key"
	settingLicence   = "licence-key"
)

// Platform judges every request. Its methods may be called concurrently.
type Platform struct {
	store     Store
	catalog   *catalog.Catalog
	routes    Routes
	now       func() time.Time
	release   string
	instance  string
	cursorKey []byte
	key       *licence.Key
	grace     time.Duration
	postman   *postman // nil where mails are sent nowhere
	uses      *counter
	checker   *authority.Checker // nil where writes need no approval
}

// Config is what a Platform is made of.
type Config struct {
	Store   Store            // where the state is kept
	Catalog *catalog.Catalog // modules, their routes, staff roles; and the editions that a new database begins with
	Now     func() time.Time // the time that is written down
	Release string           // of the clinical app, as GET ehr-status names it
	// Instance names the platform. Empty takes the one that the database has, or a
	// random one for a new database.
	Instance string
	// Grace is how long a deployment may run without a heartbeat; 0 is 14 days.
	Grace time.Duration
	// Outbox takes the mails. Without one they are kept and sent nowhere.
	Outbox Outbox
	// Checker says which writes people have approved; the others are refused. With
	// none, every write by who holds the capability is taken.
	Checker *authority.Checker
}

// New makes the platform of a store, and lays out a store that is new. It is an
// error to ask for another instance than the one that the store holds.
func New(ctx context.Context, c Config) (*Platform, error) {
	routes, err := NewRoutes(c.Catalog)
	if err != nil {
		return nil, err
	}
	p := &Platform{store: c.Store, catalog: c.Catalog, routes: routes, now: c.Now, release: c.Release, grace: cmp.Or(c.Grace, Grace), checker: c.Checker, uses: &counter{}}
	if c.Outbox != nil {
		p.postman = &postman{outbox: c.Outbox}
	}
	if err := c.Store.Update(ctx, func(tx Tx) error { return p.open(tx, c.Instance) }); err != nil {
		return nil, fmt.Errorf("open platform: %w", err)
	}
	// What was promised before the process ended is sent now.
	return p, p.sendMails(ctx)
}

// Instance is the stable id of this platform.
func (p *Platform) Instance() string { return p.instance }

func (p *Platform) open(tx Tx, instance string) error {
	if err := p.openKey(tx); err != nil {
		return err
	}
	held, err := tx.Setting(settingInstance)
	if err != nil {
		return err
	}
	if held == "" {
		return p.found(tx, instance)
	}
	if instance != "" && instance != held {
		return fmt.Errorf("instance %q: the database is that of %q", instance, held)
	}
	key, err := tx.Setting(settingCursorKey)
	if err != nil {
		return err
	}
	p.instance = held
	p.cursorKey, err = hex.DecodeString(key)
	return err
}

// openKey reads the key that signs licences, and makes one for a database that has
// none.
func (p *Platform) openKey(tx Tx) error {
	text, err := tx.Setting(settingLicence)
	if err != nil {
		return err
	}
	if text == "" {
		text = hex.EncodeToString(random(licence.SeedSize))
		if err := tx.PutSetting(settingLicence, text); err != nil {
			return err
		}
	}
	seed, err := hex.DecodeString(text)
	if err != nil {
		return err
	}
	p.key, err = licence.NewKey(seed)
	return err
}

// found lays out a new database. Its editions are the catalogue's and bear seq
// 0: they are what the trail begins with, not a write in it.
func (p *Platform) found(tx Tx, instance string) error {
	if instance == "" {
		instance = "ehr-" + hex.EncodeToString(random(8))
	}
	p.instance, p.cursorKey = instance, random(32)
	if err := tx.PutSetting(settingInstance, instance); err != nil {
		return err
	}
	if err := tx.PutSetting(settingCursorKey, hex.EncodeToString(p.cursorKey)); err != nil {
		return err
	}
	for _, e := range p.catalog.Editions() {
		body, err := json.Marshal(p.seedEdition(e))
		if err != nil {
			return err
		}
		if err := tx.PutRecord(0, Editions, Record{Key: e.Key.String(), Body: body}); err != nil {
			return err
		}
	}
	return nil
}

// random returns n bytes that nobody can guess.
func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // crypto/rand never returns an error
	return b
}

// Check reports whether the store answers.
func (p *Platform) Check(ctx context.Context) error {
	return p.store.View(ctx, func(v View) error {
		_, err := v.Head()
		return err
	})
}
