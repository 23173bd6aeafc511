package platform

import (
	"context"

	"github.com/veonahealth/charter/catalog"
)

// Together carries out many writes as one transaction: do is given a platform
// whose writes are all kept, or none of them. They are the program's own and need
// nobody's approval, and mails among them are not sent.
func (p *Platform) Together(ctx context.Context, do func(*Platform) error) error {
	return p.store.Update(ctx, func(tx Tx) error {
		together := *p
		together.store, together.postman, together.checker = within{tx}, nil, nil
		return do(&together)
	})
}

// within is a store inside of one transaction.
type within struct{ tx Tx }

func (w within) View(_ context.Context, read func(View) error) error { return read(w.tx) }
func (w within) Grant(_ context.Context, id catalog.TenantID) (*Grant, error) {
	return w.tx.Grant(id)
}
func (w within) Update(_ context.Context, write func(Tx) error) error { return write(w.tx) }

// settingSeed is how many tenants the platform was seeded with.
const settingSeed = "seed-fleet"

// Seeded returns with how many tenants the platform was seeded, as SetSeeded wrote
// it down; "" where it was not. written tells whether anything was ever written.
func (p *Platform) Seeded(ctx context.Context) (with string, written bool, err error) {
	err = p.store.View(ctx, func(v View) error {
		head, err := v.Head()
		if err != nil {
			return err
		}
		written = head.Seq > 0
		with, err = v.Setting(settingSeed)
		return err
	})
	return with, written, err
}

// SetSeeded writes down with how many tenants the platform was seeded.
func (p *Platform) SetSeeded(ctx context.Context, with string) error {
	return p.store.Update(ctx, func(tx Tx) error { return tx.PutSetting(settingSeed, with) })
}
