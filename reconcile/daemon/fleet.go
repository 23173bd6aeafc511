package daemon

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/source"
	"github.com/veonahealth/charter/schema"
)

// Source is the fleet's repository as the daemon needs it.
type Source interface {
	// Newest asks the remote, and gives the newest commit of the branch that is
	// followed.
	Newest(ctx context.Context) (source.Commit, error)
	Files(c source.Commit) fs.FS
	// IsAncestor reports whether one commit is another, or among those it was made
	// from.
	IsAncestor(ctx context.Context, ancestor, of string) (bool, error)
	// Remote is the repository's URL without credentials, or "".
	Remote() string
}

// Evaluate loads what a file tree declares, or says what is wrong with it as
// schema.Problems.
type Evaluate func(ctx context.Context, files fs.FS) (*schema.Fleet, error)

// declared is a commit in force: one that loads.
type declared struct {
	commit   source.Commit
	fleet    *schema.Fleet
	plane    catalog.ControlPlane
	tenants  []catalog.Declaration // of the environment, sorted by id
	loadedAt time.Time
	times    map[catalog.TenantID][]time.Time // at which what is declared of a tenant changes by itself
}

// newDeclared takes a fleet that loaded into force. What is known of was is used
// again where it is the same.
func newDeclared(commit source.Commit, fleet *schema.Fleet, environment catalog.Environment, was *declared, now time.Time) (*declared, error) {
	plane, found := fleet.Environment(environment)
	if !found {
		return nil, fmt.Errorf("the fleet declares no environment %s", environment)
	}
	d := &declared{commit: commit, fleet: fleet, plane: plane, loadedAt: now, times: map[catalog.TenantID][]time.Time{}}
	for _, t := range fleet.Tenants {
		if t.Environment == environment {
			d.tenants = append(d.tenants, t)
		}
	}
	return d, d.learnTimes(was)
}

func (d *declared) learnTimes(was *declared) error {
	for i := range d.tenants {
		declaration := &d.tenants[i]
		if times, same := was.timesOf(declaration); same {
			d.setTimes(declaration.ID, times)
			continue
		}
		t, err := declaration.Tenant()
		if err != nil {
			return err
		}
		d.setTimes(declaration.ID, t.AllBoundaries())
	}
	return nil
}

func (d *declared) setTimes(id catalog.TenantID, times []time.Time) {
	if len(times) > 0 {
		d.times[id] = times
	}
}

// timesOf gives what was learned of a declaration that is still the same.
func (d *declared) timesOf(declaration *catalog.Declaration) ([]time.Time, bool) {
	if d == nil {
		return nil, false
	}
	old := d.tenant(declaration.ID)
	return d.times[declaration.ID], old != nil && bytes.Equal(old.Encoded(), declaration.Encoded())
}

// tenant returns a declaration of the environment, or nil.
func (d *declared) tenant(id catalog.TenantID) *catalog.Declaration {
	i, found := slices.BinarySearchFunc(d.tenants, id, func(t catalog.Declaration, id catalog.TenantID) int { return t.ID.Compare(id) })
	if !found {
		return nil
	}
	return &d.tenants[i]
}

// changed names the tenants that are declared otherwise than before. all says
// that something changed which may concern every tenant.
func (d *declared) changed(was *declared) (ids []catalog.TenantID, all bool) {
	if was == nil || d.fleet.Catalog.Digest() != was.fleet.Catalog.Digest() || d.plane.EHR != was.plane.EHR ||
		!slices.Equal(names(d.fleet.Organisations), names(was.fleet.Organisations)) {
		return nil, true
	}
	for i := range d.tenants {
		if _, same := was.timesOf(&d.tenants[i]); !same {
			ids = append(ids, d.tenants[i].ID)
		}
	}
	for i := range was.tenants {
		if d.tenant(was.tenants[i].ID) == nil {
			return nil, true // it is nobody's now, and is listed as such
		}
	}
	return append(ids, changedHolds(d.fleet.Holds, was.fleet.Holds)...), false
}

func names(list []catalog.Organisation) []string {
	all := make([]string, len(list))
	for i := range list {
		all[i] = fmt.Sprintf("%s %q %v", list[i].ID, list[i].Name, list[i].Closed != nil)
	}
	return all
}

// changedHolds names the tenants of holds that are in one list and not in the
// other.
func changedHolds(now, was []catalog.Hold) []catalog.TenantID {
	word := func(h *catalog.Hold) string {
		return fmt.Sprint(h.Key, h.Tenant, h.Facility, h.Modules, h.Owner, h.Reason, h.Until.UnixNano())
	}
	count := map[string]int{}
	for i := range was {
		count[word(&was[i])]++
	}
	var ids []catalog.TenantID
	for i := range now {
		if w := word(&now[i]); count[w] > 0 {
			count[w]--
		} else {
			ids = append(ids, now[i].Tenant)
		}
	}
	for i := range was {
		if count[word(&was[i])] > 0 {
			ids = append(ids, was[i].Tenant)
		}
	}
	return ids
}

// crossed names the tenants of which something declared began or ended after one
// instant and not after another.
func (d *declared) crossed(after, until time.Time) []catalog.TenantID {
	var ids []catalog.TenantID
	within := func(t time.Time) bool { return t.After(after) && !t.After(until) }
	for id, times := range d.times {
		if slices.ContainsFunc(times, within) {
			ids = append(ids, id)
		}
	}
	for i := range d.fleet.Holds {
		if within(d.fleet.Holds[i].Until) {
			ids = append(ids, d.fleet.Holds[i].Tenant)
		}
	}
	return ids
}

// next is the first instant after one at which something declared begins or ends;
// zero for never.
func (d *declared) next(after time.Time) time.Time {
	var first time.Time
	see := func(t time.Time) {
		if t.After(after) && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	for _, times := range d.times {
		for _, t := range times {
			see(t)
		}
	}
	for i := range d.fleet.Holds {
		see(d.fleet.Holds[i].Until)
	}
	return first
}

// at is the same declared by another commit.
func (d *declared) at(commit source.Commit) *declared {
	other := *d
	other.commit = commit
	return &other
}

// origin is the commit as a plan names it.
func (d *declared) origin(remote string) plan.Source {
	return plan.Source{Commit: d.commit.Hash, Ref: d.commit.Ref, Repository: remote, Tree: d.commit.Tree}
}
