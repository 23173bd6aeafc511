package daemon

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/reconcile"
	"github.com/veonahealth/charter/reconcile/ehr"
	"github.com/veonahealth/charter/reconcile/source"
	"github.com/veonahealth/charter/schema"
)

// commitSeen is the newest commit of the branch, whether it loads or not.
type commitSeen struct {
	source.Commit
	judged bool // whether it was evaluated
}

// pass is one pass on its way.
type pass struct {
	*Daemon
	ctx  context.Context
	ask  Ask
	now  time.Time // when it began
	done Passed
	// deeds are the plans that there is something to do about.
	deeds []Deed
}

// Pass makes one pass and publishes what it found. It is given to a Loop.
func (d *Daemon) Pass(ctx context.Context, ask Ask) {
	began := d.o.Now()
	p := &pass{Daemon: d, ctx: ctx, ask: ask, now: began, done: Passed{ID: passID(), Depth: ask.Depth.String(), Why: ask.Why, Began: began}}
	log := d.o.Log.With("pass", p.done.ID)
	log.Debug("pass begins", "depth", p.done.Depth, "why", ask.Why)
	d.sight, d.sights = time.Time{}, d.sights+1
	if ask.Why != carriedOut {
		d.sights = 0
	}
	ended := p.traced()
	defer ended()
	p.make()
	if ctx.Err() != nil {
		log.Info("pass interrupted")
		return
	}
	p.done.Took = d.o.Now().Sub(began)
	p.publish()
	p.within("act", func() { p.act(log) })
	if p.done.Evaluated || ask.Depth == Full {
		debug.FreeOSMemory() // what it took is many times what is kept for the hours until the next
	}
	level := slog.LevelInfo
	if p.done.Looked == 0 && !p.done.Evaluated && len(d.faults) == 0 {
		level = slog.LevelDebug // nothing has happened
	}
	log.Log(ctx, level, "pass", "depth", p.done.Depth, "why", ask.Why, "ms", p.done.Took.Milliseconds(), "looked", p.done.Looked, "faults", len(d.faults))
}

func passID() string {
	id := make([]byte, 6)
	_, _ = rand.Read(id) // it never fails
	return hex.EncodeToString(id)
}

// make does the pass. What goes wrong is a fault, or is said of its tenant.
func (p *pass) make() {
	p.within("ledger", p.ledger)
	fresh := false
	p.within("declarations", func() { fresh = p.declarations() })
	if p.force == nil || p.ask.Depth <= Look && !fresh {
		return
	}
	if p.platform.waits(p.now) {
		return
	}
	p.within("live", p.live)
}

// declarations fetches, and takes the newest commit into force where it loads.
// It reports whether there is something new to compare.
func (p *pass) declarations() bool {
	newest, err := p.o.Source.Newest(p.ctx)
	if p.ctx.Err() != nil {
		return false
	}
	p.fault(RepositoryDown, err)
	if err != nil || newest.Hash == p.newest.Hash && p.newest.judged {
		return false
	}
	p.newest = commitSeen{newest, false}
	if !p.descends(newest) {
		return false
	}
	if p.force != nil && newest.Tree == p.force.commit.Tree { // a commit that changes no file
		p.force = p.force.at(newest)
		p.newest.judged, p.problems = true, ""
		p.fault(DeclarationsBad, nil)
		return false
	}
	return p.evaluate(newest)
}

// descends refuses a history that was rewritten: what is in force stays so until
// the branch holds it again.
func (p *pass) descends(newest source.Commit) bool {
	if p.force == nil {
		return true
	}
	ok, err := p.o.Source.IsAncestor(p.ctx, p.force.commit.Hash, newest.Hash)
	switch {
	case p.ctx.Err() != nil:
		return false
	case err != nil:
		p.fault(RepositoryDown, err)
		return false
	case !ok:
		p.fault(HistoryRewritten, fmt.Errorf("commit %.12s does not come from %.12s, which is in force", newest.Hash, p.force.commit.Hash))
		return false
	}
	p.fault(HistoryRewritten, nil)
	return true
}

// evaluate takes a commit into force, if it loads.
func (p *pass) evaluate(newest source.Commit) bool {
	fleet, err := p.o.Evaluate(p.ctx, p.o.Source.Files(newest))
	if p.ctx.Err() != nil {
		return false
	}
	p.done.Evaluated = true
	var problems schema.Problems
	wrong := errors.As(err, &problems)
	if err != nil && !wrong {
		p.fault(RepositoryDown, err) // its files could not be read
		return false
	}
	p.newest.judged = true
	var force *declared
	if err == nil {
		force, err = newDeclared(newest, fleet, p.o.Environment, p.force, p.now)
	}
	if err == nil && force.plane.EHR != "" && !ehr.SameURL(force.plane.EHR, p.o.EHR.URL()) {
		err = fmt.Errorf("environments.cue declares the platform %s, and the daemon was given %s", force.plane.EHR, p.o.EHR.URL())
	}
	if err == nil {
		err = p.vanished(fleet)
	}
	p.problems = ""
	if err != nil {
		p.problems = err.Error()
		err = fmt.Errorf("commit %.12s: %w", newest.Hash, err)
	}
	p.fault(DeclarationsBad, err)
	if err != nil {
		return false
	}
	p.moveTo(force)
	return true
}

// vanished refuses declarations that have lost, without a tombstone, what was
// declared when everything was last applied.
func (p *pass) vanished(fleet *schema.Fleet) error {
	if p.governance == nil {
		return nil
	}
	last, err := p.governance.LastApplied(p.ctx)
	if err != nil || last == nil {
		return err
	}
	problems, err := schema.Vanished(last.Desired, &fleet.Desired, last.At)
	if err == nil && len(problems) > 0 {
		err = problems
	}
	return err
}

// moveTo takes a commit into force, and notes what is to be looked at for it.
func (p *pass) moveTo(force *declared) {
	ids, all := force.changed(p.force)
	p.force = force
	p.unread = p.unread || all
	for _, id := range ids {
		p.unseen[id] = true
	}
	for id := range p.tenants {
		if parsed, err := catalog.ParseTenantID(id); err != nil || force.tenant(parsed) == nil {
			delete(p.tenants, id)
		}
	}
}

// live asks the platform, and compares.
func (p *pass) live() {
	err := p.look()
	if p.ctx.Err() != nil {
		return
	}
	p.answered(err)
	if err != nil {
		p.platform = p.platform.failed(p.o.Backoff, p.now)
		return
	}
	p.platform = retry{}
	p.at = p.time()
}

// look learns what is to be read, and reads it.
func (p *pass) look() error {
	if p.mark == nil {
		m, err := begin(p.ctx, p.o.EHR)
		if err != nil {
			return err
		}
		p.mark, p.unread = &m, true
	} else if err := p.move(); err != nil {
		return err
	}
	p.skewed()
	if err := p.witnessed(); err != nil {
		return err
	}
	if p.ask.Depth == Full || p.unread {
		return p.readAll()
	}
	return p.readSome(p.touched())
}

// move learns what has changed on the platform since the pass before.
func (p *pass) move() error {
	next, moved, err := p.mark.move(p.ctx, p.o.EHR)
	if err != nil {
		return err
	}
	p.contests.see(moved.entries)
	if moved.restored != "" {
		p.faults.set(Restored, moved.restored, p.now)
		p.mark, p.unread = nil, true
		return p.look()
	}
	if p.ask.Depth == Full && p.o.Govern == nil { // with a ledger, only what is signed there ends it
		p.faults.set(Restored, "", p.now)
	}
	*p.mark, p.unread = next, p.unread || moved.all
	for id := range moved.tenants {
		p.unseen[id] = true
	}
	return nil
}

// touched are the tenants that there is a reason to look at.
func (p *pass) touched() []catalog.Declaration {
	ids := maps.Clone(p.unseen)
	for _, id := range p.force.crossed(p.at, p.time()) {
		ids[id] = true
	}
	for _, t := range p.tenants {
		// What waits may have been approved meanwhile.
		if t.Tries > 0 || p.o.Act != nil && len(t.Batches) > 0 {
			if id, err := catalog.ParseTenantID(t.ID); err == nil {
				ids[id] = true
			}
		}
	}
	var list []catalog.Declaration
	for id := range ids {
		if d := p.force.tenant(id); d != nil && !p.waits(d) {
			list = append(list, *d)
		} else if d == nil {
			p.meet(id)
		}
	}
	slices.SortFunc(list, func(a, b catalog.Declaration) int { return a.ID.Compare(b.ID) })
	return list
}

// meet notes a tenant of the platform that nobody declares.
func (p *pass) meet(id catalog.TenantID) {
	delete(p.unseen, id)
	if !slices.Contains(p.found.unmanaged, id) {
		p.found.unmanaged = append(slices.Clone(p.found.unmanaged), id)
	}
}

// waits reports whether a tenant is not to be asked yet.
func (p *pass) waits(d *catalog.Declaration) bool {
	t := p.tenants[d.ID.String()]
	return t != nil && t.Tries > 0 && p.now.Before(t.RetryAt)
}

// time is what dates are judged by. While the two clocks differ it stands still,
// or, where it never ran, is the earlier of the two: nothing ends before its day.
func (p *pass) time() time.Time {
	now := p.now.UTC().Truncate(time.Second)
	switch {
	case !p.faults.has(ClockSkew):
		return now
	case !p.at.IsZero():
		return p.at
	}
	return now.Add(min(0, p.clock.skew()))
}

func (p *pass) skewed() {
	skew, text := p.clock.skew(), ""
	if skew.Abs() > p.o.Skew {
		text = fmt.Sprintf("the platform's clock and this machine's differ by %s: nothing begins or ends by the calendar until they agree", skew.Abs())
	}
	p.faults.set(ClockSkew, text, p.now)
}

// fault notes whether an error is there. A full disk is a fault of its own.
func (p *pass) fault(code FaultCode, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if errors.Is(err, syscall.ENOSPC) {
		p.faults.set(DiskFull, text, p.now)
		return
	}
	if code == RepositoryDown && err == nil {
		p.faults.set(DiskFull, "", p.now)
	}
	p.faults.set(code, text, p.now)
}

// answered notes how the platform answered.
func (p *pass) answered(err error) {
	var other *reconcile.InstanceError
	code := PlatformDown
	switch {
	case errors.As(err, &other):
		code = PlatformOther
	case ehr.IsDenied(err):
		code = PlatformDenies
	}
	for _, c := range []FaultCode{PlatformDown, PlatformDenies, PlatformOther} {
		if c == code {
			p.fault(c, err)
		} else {
			p.faults.set(c, "", p.now)
		}
	}
}
