package plan

import (
	"slices"
	"time"

	"github.com/veonahealth/charter/catalog"
)

// Scheduled tells whether a receipt says that an entry was scheduled: people
// approved it before its time.
type Scheduled func(entry Digest) bool

// due makes of a tenant's rows the batch that people approved before its time,
// where one has come due: what they signed is written as it was signed, by itself,
// and what else there is waits for the next plan. It must be declared still, as it
// was when it was last applied.
func (b *Builder) due(p *Part, t *catalog.Tenant) error {
	at := slices.IndexFunc(p.batches, func(batch Batch) bool { return batch.Subject == Entitlements })
	if at < 0 || b.scheduled == nil || b.history == nil {
		return nil
	}
	batch := &p.batches[at]
	if _, stamped := batch.Base.Stamp(); !stamped {
		return nil
	}
	entries, err := b.passed(t)
	if err != nil {
		return err
	}
	for i := range entries {
		e := &entries[i]
		changes := batch.only(e.Changes)
		if len(changes) != len(e.Changes) || !b.scheduled(e.Digest) || b.entry(t, e).Digest != e.Digest {
			continue
		}
		if len(changes) < len(batch.Changes) {
			p.warnings = append(p.warnings, Warning{Code: "scheduled", Text: "tenant " + p.tenant +
				": what was scheduled is written first, by its own approval; its other rows are planned after that"})
		}
		moment := e.At
		batch.Base, batch.Changes, batch.Digest = &Base{At: &moment}, changes, e.Digest
		return nil
	}
	return nil
}

// ScheduledFor is how long what was scheduled may be carried out by the approval
// that was given before, from its time on. After that it is planned like anything
// else, and asks anew.
const ScheduledFor = 14 * 24 * time.Hour

// passed are the entries of what was last applied whose time has come since, and is
// not long past.
func (b *Builder) passed(t *catalog.Tenant) ([]Entry, error) {
	last, err := b.history(Entitlements, t.ID.String())
	if err != nil || last == nil {
		return nil, err
	}
	declared := last.Desired.Tenant(t.ID)
	if declared == nil {
		return nil, nil
	}
	was, err := declared.Tenant()
	if err != nil {
		return nil, err
	}
	old := NewBuilder(Header{At: last.At, Environment: b.environment}, last.Desired.Catalog, last.Desired.Holds)
	entries := slices.DeleteFunc(old.schedule(was), func(e Entry) bool {
		return e.At.After(b.plan.At) || b.plan.At.After(e.At.Add(ScheduledFor))
	})
	slices.SortFunc(entries, func(a, b Entry) int { return a.At.Compare(b.At) })
	return entries, nil
}

// entry is what is declared now for the time of an entry.
func (b *Builder) entry(t *catalog.Tenant, e *Entry) Entry {
	now := Entry{At: e.At}
	for i := range t.Facilities {
		now.Changes = append(now.Changes, b.crossing(t, &t.Facilities[i], e.At)...)
	}
	sortChanges(now.Changes)
	now.Digest = b.digest(t.ID, AtLine(e.At), now.Changes)
	return now
}

// only are the changes of the batch that are among some.
func (b *Batch) only(some []Change) []Change {
	var list []Change
	for _, c := range b.Changes {
		if slices.ContainsFunc(some, func(o Change) bool { return o.key() == c.key() && o.Action == c.Action }) {
			list = append(list, c)
		}
	}
	return list
}
