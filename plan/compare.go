package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/veonahealth/charter/catalog"
)

// Comparison is what a change of the declarations does to every effective
// entitlement, at a time and at every later one that the declarations name. It
// asks no platform.
type Comparison struct {
	// Alone are tenants that only one of the two environments has.
	Alone       []string     `json:"alone,omitempty"`
	At          time.Time    `json:"at"`
	Base        string       `json:"base"` // the commit that was
	Differences []Difference `json:"differences"`
	// Environments are the two that are compared, where it is not two commits.
	Environments []string `json:"environments,omitempty"`
	// Gone are tenants that the base declares and the head does not: nothing is
	// taken from them, because absence is no command.
	Gone []string `json:"gone"`
	Head string   `json:"head"` // the commit that is to be
	Kind string   `json:"kind"`
	// Tenants is how many were compared.
	Tenants int `json:"tenants"`
}

// ComparisonKind marks a document as a Comparison.
const ComparisonKind = "charter.diff"

// Difference is a row that the head gives and the base does not, or the reverse,
// for a stretch of time.
type Difference struct {
	Action    Action `json:"action"` // Grant: the head gives it; Revoke: the base did
	Critical  bool   `json:"critical"`
	EHRModule string `json:"ehr_module"`
	Facility  string `json:"facility"`
	// From is when the difference begins: null where it is there at the time of
	// the comparison.
	From   *time.Time `json:"from"`
	Module string     `json:"module"`
	Reason Reason     `json:"reason"` // of the head
	Routes []string   `json:"routes"`
	Tenant string     `json:"tenant"`
	// Until is when it ends, or null where it never does.
	Until *time.Time `json:"until"`
}

// Empty reports whether the head gives every facility what the base did, at the
// time of the comparison and ever after.
func (c *Comparison) Empty() bool { return len(c.Differences)+len(c.Gone)+len(c.Alone) == 0 }

// Sides are the two states of the declarations that are compared.
type Sides struct {
	Base, Head             *catalog.Desired
	BaseCommit, HeadCommit string
	Environment            catalog.Environment // whose tenants
	At                     time.Time
}

// Compare sets two states of the declarations side by side.
func Compare(s Sides) (*Comparison, error) {
	c := comparer{Sides: s, explainer: explainer{s.Head.Catalog, s.HeadCommit}, result: &Comparison{
		At: s.At, Base: s.BaseCommit, Differences: []Difference{}, Gone: []string{}, Head: s.HeadCommit, Kind: ComparisonKind,
	}}
	for i := range s.Head.Tenants {
		d := &s.Head.Tenants[i]
		if d.Environment != s.Environment {
			continue
		}
		c.result.Tenants++
		if err := c.tenant(d); err != nil {
			return nil, err
		}
	}
	for i := range s.Base.Tenants {
		d := &s.Base.Tenants[i]
		if now := s.Head.Tenant(d.ID); d.Environment == s.Environment && (now == nil || now.Environment != s.Environment) {
			c.result.Gone = append(c.result.Gone, d.ID.String())
		}
	}
	slices.SortStableFunc(c.result.Differences, compareDifferences)
	return c.result, nil
}

func compareDifferences(a, b Difference) int {
	from := func(d Difference) time.Time {
		if d.From == nil {
			return time.Time{}
		}
		return *d.From
	}
	return cmp.Or(
		strings.Compare(string(b.Action), string(a.Action)), // "revoke" before "grant"
		strings.Compare(a.Tenant, b.Tenant), strings.Compare(a.Facility, b.Facility),
		strings.Compare(a.Module, b.Module), from(a).Compare(from(b)),
	)
}

// comparer is a comparison under way.
type comparer struct {
	Sides
	explainer
	result *Comparison
}

// tenant compares one that the head declares.
func (c *comparer) tenant(d *catalog.Declaration) error {
	was := c.Base.Tenant(d.ID)
	if was != nil && string(was.Encoded()) == string(d.Encoded()) && c.Base.Catalog.Digest() == c.catalog.Digest() {
		return nil // the same words under the same catalogue
	}
	after, err := d.Tenant()
	if err != nil {
		return err
	}
	before := &catalog.Tenant{ID: d.ID, Edition: after.Edition}
	if was != nil {
		if before, err = was.Tenant(); err != nil {
			return err
		}
	}
	for i := range after.Facilities {
		f := &after.Facilities[i]
		c.facility(before, after, before.Facility(f.ID), f)
	}
	for i := range before.Facilities {
		if f := &before.Facilities[i]; after.Facility(f.ID) == nil {
			c.result.Gone = append(c.result.Gone, fmt.Sprintf("%s/%s", d.ID, f.ID))
		}
	}
	return nil
}

// facility compares one that the head declares; was is nil where the base does
// not. Each module is followed through the spans between the dates of both.
func (c *comparer) facility(before, after *catalog.Tenant, was, f *catalog.Facility) {
	boundaries := after.Boundaries(f)
	if was != nil {
		boundaries = append(boundaries, before.Boundaries(was)...)
	}
	boundaries = slices.DeleteFunc(boundaries, func(t time.Time) bool { return !t.After(c.At) })
	slices.SortFunc(boundaries, time.Time.Compare)
	boundaries = slices.CompactFunc(boundaries, time.Time.Equal)

	open := map[catalog.EHRModule]*Difference{}
	for _, at := range append([]time.Time{c.At}, boundaries...) {
		c.span(before, after, was, f, at, open)
	}
	for _, d := range open {
		c.result.Differences = append(c.result.Differences, *d)
	}
}

// span notes which differences begin and end at an instant.
func (c *comparer) span(before, after *catalog.Tenant, was, f *catalog.Facility, at time.Time, open map[catalog.EHRModule]*Difference) {
	given := map[catalog.EHRModule]bool{}
	if was != nil {
		for index := range c.Base.Catalog.Holds(before, was, at).All() {
			given[c.Base.Catalog.Module(index).EHR] = true
		}
	}
	holds := c.catalog.Holds(after, f, at)
	seen := map[catalog.EHRModule]bool{}
	for index, module := range c.catalog.Modules() {
		seen[module.EHR] = true
		c.step(after, f, module, given[module.EHR], holds.Has(index), at, open)
	}
	if was == nil {
		return
	}
	for _, module := range c.Base.Catalog.Modules() { // that the head's catalogue lacks
		if !seen[module.EHR] {
			c.step(after, f, module, given[module.EHR], false, at, open)
		}
	}
}

// step follows one module past an instant.
func (c *comparer) step(t *catalog.Tenant, f *catalog.Facility, module *catalog.Module, was, is bool, at time.Time, open map[catalog.EHRModule]*Difference) {
	action := Grant
	if was {
		action = Revoke
	}
	d := open[module.EHR]
	if d != nil && (was == is || d.Action != action) {
		ended := at
		d.Until = &ended
		c.result.Differences = append(c.result.Differences, *d)
		delete(open, module.EHR)
		d = nil
	}
	if was == is || d != nil {
		return
	}
	d = &Difference{
		Action: action, Critical: module.Critical, EHRModule: module.EHR.String(), Facility: f.ID.String(),
		Module: module.Key.String(), Reason: c.reason(t, f, module.Key, at), Routes: slices.Clone(nonNil(module.Routes)), Tenant: t.ID.String(),
	}
	if at.After(c.At) {
		began := at
		d.From = &began
	}
	open[module.EHR] = d
}
