package catalog

import (
	"fmt"
	"slices"
	"time"
)

// Matches reports whether a tenant is one of those that the selector chooses.
func (s *Selector) Matches(t *Tenant) bool {
	return (s.Edition.IsZero() || s.Edition == t.Edition) &&
		(s.Organisation.IsZero() || s.Organisation == t.Organisation) &&
		(s.Hosting == "" || s.Hosting == t.Hosting) &&
		(len(s.IDs) == 0 || slices.Contains(s.IDs, t.ID))
}

// Failure is one module that a facility holds against an assertion, or does not.
type Failure struct {
	Tenant   TenantID   `json:"tenant"`
	Facility FacilityID `json:"facility"`
	Module   ModuleKey  `json:"module"`
	Held     bool       `json:"held"` // what is, which is not what was asserted
	Pos      Position   `json:"pos"`  // the statement that decides it
}

// TestResult is what became of one assertion.
type TestResult struct {
	Name       string    `json:"name"`
	Pos        Position  `json:"pos"`
	At         time.Time `json:"at"`         // the time it was judged at
	Tenants    int       `json:"tenants"`    // that it chose
	Facilities int       `json:"facilities"` // of them that it looked at
	Failures   []Failure `json:"failures"`
}

// Passed reports whether the assertion holds. One that chose nothing does not: it
// would hold whatever is declared.
func (r *TestResult) Passed() bool { return r.Facilities > 0 && len(r.Failures) == 0 }

// RunTests judges the fleet's own assertions on what facilities hold, those
// without a time as of now. The results stand in the order of their names.
func (d *Desired) RunTests(now time.Time) ([]TestResult, error) {
	results := make([]TestResult, len(d.Tests))
	for i := range d.Tests {
		test := &d.Tests[i]
		results[i] = TestResult{Name: test.Name, Pos: test.Pos, At: test.At, Failures: []Failure{}}
		if test.At.IsZero() {
			results[i].At = now
		}
	}
	for i := range d.Tenants {
		t, err := d.Tenants[i].Tenant()
		if err != nil {
			return nil, fmt.Errorf("test: %w", err)
		}
		for j := range d.Tests {
			d.Catalog.test(&d.Tests[j], t, &results[j])
		}
	}
	return results, nil
}

// test judges an assertion of one tenant.
func (c *Catalog) test(test *Test, t *Tenant, r *TestResult) {
	if !test.Tenants.Matches(t) {
		return
	}
	r.Tenants++
	for i := range t.Facilities {
		f := &t.Facilities[i]
		if !test.Facility.IsZero() && test.Facility != f.ID {
			continue
		}
		r.Facilities++
		for _, module := range test.Has {
			r.expect(c, t, f, module, true)
		}
		for _, module := range test.HasNot {
			r.expect(c, t, f, module, false)
		}
	}
}

func (r *TestResult) expect(c *Catalog, t *Tenant, f *Facility, module ModuleKey, held bool) {
	if cause := c.Cause(t, f, module, r.At); cause.Held != held {
		r.Failures = append(r.Failures, Failure{t.ID, f.ID, module, cause.Held, cause.Pos})
	}
}
