package plan

import (
	"fmt"
	"slices"
	"time"

	"github.com/veonahealth/charter/catalog"
)

// Class says which side moved since the last apply.
type Class string

// The classes, in the order in which a batch takes the first that one of its
// changes has. Where nothing was applied yet every change is pending.
const (
	Conflict Class = "conflict" // both moved, and not to the same
	Pending  Class = "pending"  // the declaration moved
	Drift    Class = "drift"    // the platform moved
)

var classes = []Class{Conflict, Pending, Drift}

// Class is that of the batch: a mandate to correct drift covers it only if every
// change in it is drift.
func (b *Batch) Class() Class {
	for _, class := range classes {
		if slices.ContainsFunc(b.Changes, func(c Change) bool { return c.Class == class }) {
			return class
		}
	}
	return Pending
}

// Last is what was last applied of a subject: the declarations of a commit, by
// the dates of a time.
type Last struct {
	Desired *catalog.Desired
	At      time.Time
}

// History tells what was last applied of a subject of a tenant, edition or
// organisation; nil where nothing was. What two subjects share is one value.
type History func(subject Subject, of string) (*Last, error)

// classify says of each change in a part which side moved. What was last applied
// is planned against the same live state: a change that this plan has too is of
// what moved on the platform; one that it has not is of what moved in the
// declarations; and where the two want different things, both moved. by is whose
// hands wrote the tenant last, and again plans what was last applied with another
// builder.
func (b *Builder) classify(p *Part, by string, again func(*Builder, *Last) (Part, error)) error {
	if err := b.compareTarget(p, again); err != nil || b.history == nil {
		return err
	}
	known := map[*Last]map[changeKey]string{}
	for i := range p.batches {
		batch := &p.batches[i]
		last, err := b.history(batch.Subject, batch.Tenant)
		if err != nil {
			return fmt.Errorf("what was last applied of %s %s: %w", batch.Subject, batch.Tenant, err)
		}
		if last == nil {
			continue
		}
		if known[last] == nil {
			if known[last], err = b.replan(last, again); err != nil {
				return err
			}
		}
		for j := range batch.Changes {
			batch.Changes[j].classify(known[last], by)
		}
	}
	return nil
}

// compareTarget marks the changes that a plan of the branch that is merged into
// has too.
func (b *Builder) compareTarget(p *Part, again func(*Builder, *Last) (Part, error)) error {
	if b.target == nil || len(p.batches) == 0 {
		return nil
	}
	wants, err := b.replan(b.target, again)
	if err != nil {
		return err
	}
	for i := range p.batches {
		for j := range p.batches[i].Changes {
			c := &p.batches[i].Changes[j]
			want, too := wants[c.key()]
			c.Anyway = too && want == c.wants()
		}
	}
	return nil
}

// replan plans what was last applied anew, and gives what each change wants.
func (b *Builder) replan(last *Last, again func(*Builder, *Last) (Part, error)) (map[changeKey]string, error) {
	old := NewBuilder(Header{At: last.At, Environment: b.environment}, last.Desired.Catalog, last.Desired.Holds)
	part, err := again(old, last)
	if err != nil {
		return nil, err
	}
	wants := map[changeKey]string{}
	for i := range part.batches {
		for _, c := range part.batches[i].Changes {
			wants[c.key()] = c.wants()
		}
	}
	return wants, nil
}

// changeKey tells what a change is of.
type changeKey struct{ kind, facility, key, module string }

func (c *Change) key() changeKey {
	if c.Kind == string(Edition) && c.Key == "modules" { // one change a module
		return changeKey{c.Kind, c.Facility, c.Key, c.Before + c.After}
	}
	return changeKey{c.Kind, c.Facility, c.Key, c.EHRModule}
}

// wants is what a change makes of what it is of.
func (c *Change) wants() string { return string(c.Action) + " " + c.After }

func (c *Change) classify(last map[changeKey]string, by string) {
	wants, moved := last[c.key()]
	switch {
	case !moved:
		c.Class = Pending
	case wants == c.wants():
		c.Class = Drift
		c.sayDrift(by)
	default:
		c.Class = Conflict
	}
}

// sayDrift gives a row that moved on the platform its reason.
func (c *Change) sayDrift(by string) {
	if by == "" {
		by = "other hands"
	}
	switch {
	case c.Kind != KindRow:
	case c.Action == Revoke:
		c.Reason.Code, c.Reason.Text = DriftAdded, "drift: added by "+by+"; "+c.Reason.Text
	default:
		c.Reason.Code, c.Reason.Text = DriftRemoved, "drift: removed by "+by+"; "+c.Reason.Text
	}
}
