package daemon

import (
	"errors"

	"github.com/veonahealth/charter/reconcile"
)

// ledger brings what was applied before up to date.
func (p *pass) ledger() {
	p.governance = nil
	if p.o.Govern == nil {
		return
	}
	governance, err := p.o.Govern(p.ctx)
	if p.ctx.Err() != nil {
		return
	}
	p.fault(LedgerDown, err)
	if err == nil {
		p.governance = governance
	}
}

// witnessed asks, with each full reading, whether the platform and the ledger
// still hold what the other saw. A platform that does not was restored or forked;
// only a receipt that says so, which people sign, ends that.
func (p *pass) witnessed() error {
	if p.governance == nil || p.ask.Depth != Full && !p.faults.has(Restored) {
		return nil
	}
	testimony, err := p.governance.Witness(p.ctx, p.o.EHR)
	var distrust *reconcile.TrustError
	switch {
	case errors.As(err, &distrust):
		p.fault(LedgerDown, err)
		return nil
	case err != nil:
		return err
	}
	p.faults.set(Restored, testimony.Restored, p.now)
	return nil
}
