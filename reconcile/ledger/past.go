package ledger

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/veonahealth/charter/plan"
)

// Past is what was last applied as it stood at an earlier point of the ledger.
type Past struct {
	ledger  *Ledger
	applied applied
}

// Before returns what was last applied before a receipt.
func (l *Ledger) Before(ctx context.Context, number int) (*Past, error) {
	from := number - 1
	for ; from > 0; from-- { // what stood before a receipt that left nothing as it was does not matter
		r, err := l.At(from)
		if err != nil {
			return nil, err
		}
		if r.Intent.Act == Apply && r.Intent.Only == nil && r.Outcome != nil && len(unsettled(r.Intent, r.Outcome)) == 0 {
			break
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	p := &Past{ledger: l, applied: newApplied()}
	for n := max(from, 0); n < number; n++ {
		r, err := l.At(n)
		if err != nil {
			return nil, err
		}
		if r.Outcome != nil {
			p.applied.take(n, r.Intent, r.Outcome)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// AsOf returns what was last applied by receipts that were finished at a time.
func (l *Ledger) AsOf(ctx context.Context, at time.Time) (*Past, error) {
	number := l.Len()
	for ; number > 0; number-- {
		r, err := l.At(number - 1)
		if err != nil {
			return nil, err
		}
		if r.Outcome != nil && !r.Outcome.FinishedAt.After(at) {
			break
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return l.Before(ctx, number)
}

// LastApplied is as the Ledger's.
func (p *Past) LastApplied(tenant string, subject plan.Subject) (Applied, bool) {
	return p.ledger.applied(p.applied.of(key{tenant, subject}))
}

// LastApply is as the Ledger's.
func (p *Past) LastApply() (Applied, bool) { return p.ledger.applied(p.applied.All) }

// Apart lists the tenants for which another receipt than LastApply's was the
// newest, sorted.
func (p *Past) Apart() []string {
	names := map[string]bool{}
	for name := range p.applied.Tenants {
		names[name] = true
	}
	for k := range p.applied.Subjects {
		if k.Subject.OfTenant() {
			names[k.Tenant] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}
