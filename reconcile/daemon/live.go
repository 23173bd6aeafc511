package daemon

import (
	"context"
	"errors"
	"fmt"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/reconcile"
	"github.com/veonahealth/charter/reconcile/ehr"
)

// Platform is an EHR as the daemon needs it. Its methods are those of ehr.Client.
type Platform interface {
	reconcile.EHR
	GrantsSince(ctx context.Context, snapshot string, yield func(catalog.Grant) error) (string, error)
	Audit(ctx context.Context, since int64, yield func(ehr.Entry) error) error
	AuditHead(ctx context.Context) (ehr.Entry, error)
}

// mark is up to where the platform's changes are known.
type mark struct {
	platform ehr.Platform
	// snapshot is that of the newest stream of grants; "" where there was none.
	snapshot string
	// head is the newest entry of the audit trail that was seen; zero where the
	// trail is empty.
	head ehr.Entry
	// blind says that the token may not read the trail, or that there is none.
	blind bool
}

// movement is what has changed on the platform after a mark.
type movement struct {
	tenants map[catalog.TenantID]bool
	// all says that it is not known what has changed, or that it may concern every
	// tenant.
	all bool
	// restored says how it shows that the platform lost what it had; "" where it
	// does not.
	restored string
	// entries are the new ones of the audit trail, the oldest first, up to a bound.
	entries []ehr.Entry
}

// maxEntries is how many new entries of the audit trail are kept for those who
// ask who wrote what.
const maxEntries = 10_000

// begin sets a mark from which on changes will be known. It is called before
// everything is read, so that nothing falls between.
func begin(ctx context.Context, e Platform) (mark, error) {
	var m mark
	var err error
	if m.platform, err = e.Platform(ctx); err != nil {
		return mark{}, err
	}
	m.head, err = e.AuditHead(ctx)
	switch {
	case ehr.IsForbidden(err), ehr.IsNotFound(err):
		m.blind = true
	case err != nil:
		return mark{}, err
	}
	if m.platform.Has(ehr.FeatureBulk) {
		m.snapshot, err = e.Grants(ctx, func(catalog.Grant) error { return nil })
	}
	return m, err
}

// move asks what has changed after the mark, and gives the next one.
func (m mark) move(ctx context.Context, e Platform) (mark, movement, error) {
	moved := movement{tenants: map[catalog.TenantID]bool{}, all: m.snapshot == "" && m.blind}
	next := m
	if err := m.moveGrants(ctx, e, &next, &moved); err != nil {
		return m, movement{}, err
	}
	if !m.blind && moved.restored == "" {
		if err := m.moveTrail(ctx, e, &next, &moved); err != nil {
			return m, movement{}, err
		}
	}
	return next, moved, nil
}

func (m mark) moveGrants(ctx context.Context, e Platform, next *mark, moved *movement) error {
	if m.snapshot == "" {
		return nil
	}
	snapshot, err := e.GrantsSince(ctx, m.snapshot, func(g catalog.Grant) error {
		moved.tenants[g.Tenant] = true
		return nil
	})
	switch {
	case ehr.IsGone(err):
		moved.all, moved.restored = true, "it no longer knows the snapshot that it gave"
		return nil
	case err != nil:
		return err
	}
	next.snapshot = snapshot
	return nil
}

// errOtherTrail says that the audit trail does not hold the entry that it held.
var errOtherTrail = errors.New("another trail")

func (m mark) moveTrail(ctx context.Context, e Platform, next *mark, moved *movement) error {
	first := m.head.Seq > 0
	since := max(0, m.head.Seq-1)
	err := e.Audit(ctx, since, func(entry ehr.Entry) error {
		if first {
			if first = false; entry.Seq != m.head.Seq || entry.Hash != m.head.Hash {
				return errOtherTrail
			}
			return nil
		}
		next.head = entry
		moved.take(entry)
		return nil
	})
	switch {
	case errors.Is(err, errOtherTrail), err == nil && first: // it was to be the first of them
		moved.all = true
		moved.restored = fmt.Sprintf("its audit trail no longer has entry %d, which it showed before", m.head.Seq)
		return nil
	case ehr.IsForbidden(err):
		next.blind = true
		return nil
	}
	return err
}

// take notes what an entry says has changed.
func (v *movement) take(entry ehr.Entry) {
	if len(v.entries) < maxEntries {
		v.entries = append(v.entries, entry)
	}
	switch entry.Event {
	case "edition.upsert", "client.upsert":
		v.all = true
		return
	}
	if id, err := catalog.ParseTenantID(entry.Tenant); err == nil {
		v.tenants[id] = true
	}
}
