package schema

import (
	"slices"
	"strings"
	"time"

	"github.com/veonahealth/charter/catalog"
)

// measured is one dimension of the limits.
type measured struct {
	name  string // as declarations and messages have it
	limit int64
	of    func(*catalog.Facility) int64
}

func (r *rules) measures() []measured {
	limits := r.catalog.LimitsOf(r.tenant)
	return []measured{
		{"beds", limits.Beds, func(f *catalog.Facility) int64 { return f.Beds }},
		{"facilities", limits.Facilities, func(*catalog.Facility) int64 { return 1 }},
		{"storage_gb", limits.StorageGB, func(f *catalog.Facility) int64 { return f.StorageGB }},
		{"users", limits.Users, func(f *catalog.Facility) int64 { return f.Users }},
	}
}

// limits reports each limit that the tenant's facilities exceed together, and
// until when they do. What is open only ever becomes less, so that a limit is
// exceeded from the beginning or never.
func (r *rules) limits() {
	for _, m := range r.measures() {
		sum := r.sum(m, time.Time{})
		if m.limit == catalog.Unlimited || sum <= m.limit {
			continue
		}
		r.report(OverLimit, r.largest(m), "choose a larger edition, or override it: limits: "+m.name+": {value: …, reason: …}",
			"%d %s, and %s is %d, %s", sum, strings.ReplaceAll(m.name, "_gb", " (GB)"), r.limitOf(m), m.limit, r.exceeded(m))
		r.relate(r.limitSource(m))
	}
}

// sum adds up what is open at an instant; the zero time is the beginning.
func (r *rules) sum(m measured, at time.Time) int64 {
	var sum int64
	for i := range r.tenant.Facilities {
		if f := &r.tenant.Facilities[i]; !r.tenant.Closed.ClosedAt(at) && !f.Closed.ClosedAt(at) {
			sum += m.of(f)
		}
	}
	return sum
}

// exceeded returns the span for which a limit is: until the first tombstone that
// brings what is open below it.
func (r *rules) exceeded(m measured) catalog.Span {
	var closings []time.Time
	add := func(c *catalog.Tombstone) {
		if c != nil {
			closings = append(closings, c.On)
		}
	}
	add(r.tenant.Closed)
	for i := range r.tenant.Facilities {
		add(r.tenant.Facilities[i].Closed)
	}
	slices.SortFunc(closings, time.Time.Compare)
	for _, on := range closings {
		if r.sum(m, on) <= m.limit {
			return catalog.Span{Until: on}
		}
	}
	return catalog.Span{}
}

// largest returns where the figure stands that weighs most: of beds, the number
// at the site that has most of them.
func (r *rules) largest(m measured) catalog.Position {
	facilities := r.written.get("facilities")
	if facilities == nil {
		return r.tenant.Pos
	}
	if m.name == "facilities" {
		return facilities.Pos
	}
	var most *catalog.Facility
	for i := range r.tenant.Facilities {
		if f := &r.tenant.Facilities[i]; most == nil || m.of(f) > m.of(most) {
			most = f
		}
	}
	return firstPosition(facilities.Value.value(most.ID.String()).place(m.name), most.Pos)
}

// override returns the tenant's own word on a limit, or nil.
func (r *rules) override(m measured) *catalog.LimitOverride {
	for i := range r.tenant.Limits {
		if r.tenant.Limits[i].Limit == m.name {
			return &r.tenant.Limits[i]
		}
	}
	return nil
}

// limitOf says whose limit it is.
func (r *rules) limitOf(m measured) string {
	if r.override(m) != nil {
		return "the tenant's own limit"
	}
	return "the limit of edition " + quoted(r.tenant.Edition.String())
}

// limitSource returns where the limit is said.
func (r *rules) limitSource(m measured) (catalog.Position, string) {
	if own := r.override(m); own != nil {
		return own.Pos, "the limit"
	}
	return r.catalog.Edition(r.tenant.Edition).Pos, "the edition"
}
