package daemon

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/ehr"
	"github.com/veonahealth/charter/reconcile/source"
)

// ledger reads what was applied before, and asks whether the platform still has
// what the newest receipt saw.
func (p *pass) ledger() {
	if p.o.Ledger == nil {
		return
	}
	p.fault(LedgerDown, p.o.Ledger.Refresh(p.ctx))
}

// witnessed asks, with each full reading, whether the platform still has the
// audit entry that the newest receipt saw. One that has not was restored or
// forked; only a receipt that says so, which people sign, ends that.
func (p *pass) witnessed() error {
	if p.o.Ledger == nil || p.mark.blind || p.faults.has(LedgerDown) || p.ask.Depth != Full && !p.faults.has(Restored) {
		return nil
	}
	seq, hash := p.o.Ledger.Witness()
	if seq == 0 {
		return nil
	}
	found := false
	err := p.o.EHR.Audit(p.ctx, seq-1, func(e ehr.Entry) error {
		found = e.Seq == seq && e.Hash == hash
		return errEnough
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	text := ""
	if !found {
		text = fmt.Sprintf("its audit trail does not have entry %d, which the newest receipt saw", seq)
	}
	p.faults.set(Restored, text, p.now)
	return nil
}

// errEnough ends a reading of which the rest does not matter.
var errEnough = errors.New("enough")

// history says what was last applied of a subject. The declarations of then are
// evaluated once a commit, and kept.
func (p *pass) history(subject plan.Subject, of string) (*plan.Last, error) {
	commit, at, found := p.o.Ledger.Applied(of, string(subject))
	if !found {
		return nil, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	key := lastKey{commit, at.UnixNano()}
	if last := p.applied[key]; last != nil {
		return last, nil
	}
	desired, err := p.desiredAt(commit)
	if err != nil {
		return nil, err
	}
	if len(p.applied) >= maxApplied {
		clear(p.applied)
	}
	p.applied[key] = &plan.Last{Desired: desired, At: at}
	return p.applied[key], nil
}

// lastKey is a commit and the time that its dates were judged by.
type lastKey struct {
	commit string
	at     int64
}

// maxApplied is how many of what was applied are held.
const maxApplied = 16

func (p *pass) desiredAt(commit string) (*catalog.Desired, error) {
	if p.force != nil && commit == p.force.commit.Hash {
		return &p.force.fleet.Desired, nil
	}
	for key, last := range p.applied {
		if key.commit == commit {
			return last.Desired, nil
		}
	}
	lookup, can := p.o.Source.(interface {
		Resolve(revision string) (source.Commit, error)
	})
	if !can {
		return nil, errors.New("the repository gives no earlier commit")
	}
	c, err := lookup.Resolve(commit)
	if err != nil {
		return nil, err
	}
	fleet, err := p.o.Evaluate(p.ctx, p.o.Source.Files(c))
	if err != nil {
		return nil, err
	}
	return &fleet.Desired, nil
}

// act does something about what was found, where somebody has said so.
func (p *pass) act(log *slog.Logger) {
	if p.o.Act == nil || p.o.Mode == Observe || len(p.faults) > 0 {
		return
	}
	done, err := p.o.Act(p.ctx, p.View())
	for _, text := range done {
		log.Info("acted", "what", text)
	}
	if err != nil {
		log.Warn("not acted", "error", err)
	}
}
