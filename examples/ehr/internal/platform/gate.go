package platform

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/veonahealth/charter/catalog"
)

// Routes tells which module gates a path of the clinical app. A path is a list of
// segments; the key of the map is them, joined by slashes.
type Routes map[string]catalog.EHRModule

// NewRoutes returns the routes of a catalogue's modules. It is an error for two
// modules to gate one route, or for a route to be a path that the gate would
// never let through.
func NewRoutes(c *catalog.Catalog) (Routes, error) {
	routes := Routes{}
	for _, m := range c.Modules() {
		for _, route := range m.Routes {
			segments, ok := parsePath(route)
			if !ok {
				return nil, fmt.Errorf("route %q of module %q: not a plain path", route, m.Key)
			}
			key := strings.Join(segments, "/")
			if other, taken := routes[key]; taken {
				return nil, fmt.Errorf("route %q: gated by two modules, %q and %q", route, other, m.EHR)
			}
			routes[key] = m.EHR
		}
	}
	return routes, nil
}

// Find returns the module of the longest route that is the path or begins it,
// whole segments counted.
func (r Routes) Find(segments []string) (catalog.EHRModule, bool) {
	for n := len(segments); n >= 0; n-- {
		if module, gated := r[strings.Join(segments[:n], "/")]; gated {
			return module, true
		}
	}
	return catalog.EHRModule{}, false
}

// maxSegments bounds the work that a path of the clinical app can make.
const maxSegments = 64

// parsePath splits an escaped path, as it stands in a request, into segments. It
// takes only paths that every reader behind the gate would take for the same: no
// empty segment but the last, no dot segments, and nothing that is a slash, an
// escape or the end of a name to somebody once it is decoded.
func parsePath(escaped string) (segments []string, ok bool) {
	rest, rooted := strings.CutPrefix(escaped, "/")
	if !rooted {
		return nil, false
	}
	rest = strings.TrimSuffix(rest, "/")
	if rest == "" {
		return nil, escaped == "/"
	}
	if strings.Count(rest, "/") >= maxSegments {
		return nil, false
	}
	for part := range strings.SplitSeq(rest, "/") {
		segment, err := url.PathUnescape(part)
		if err != nil || !plainSegment(segment) {
			return nil, false
		}
		segments = append(segments, segment)
	}
	return segments, true
}

func plainSegment(segment string) bool {
	return segment != "" && segment != "." && segment != ".." &&
		utf8.ValidString(segment) &&
		!strings.ContainsAny(segment, `/\%;`) &&
		!strings.ContainsFunc(segment, unicode.IsControl)
}

// Passage is what the gate lets through.
type Passage struct {
	Tenant   catalog.TenantID   `json:"tenant"`
	Facility catalog.FacilityID `json:"facility"`
	Module   catalog.EHRModule  `json:"module"` // which gates the route
	Route    string             `json:"route"`  // the clinical app's path, decoded
}

// Gate answers for the clinical app: whether the escaped path
// /ehr/TENANT/FACILITY/ROUTE is open. It is a Refusal with ModuleNotEntitled
// unless the facility holds the module that gates the route, and one with
// TenantSuspended or TenantLocked where it does and billing or the licence has
// shut it.
func (p *Platform) Gate(ctx context.Context, escaped string) (Passage, error) {
	wanted, ok := p.routes.Passage(escaped)
	if !ok {
		return Passage{}, shut()
	}
	err := p.store.View(ctx, func(v View) error { return p.pass(v, &wanted) })
	if err == nil {
		p.used(wanted)
	}
	return wanted, err
}

// shut is the gate's no. It tells nobody which tenants and facilities there are.
func shut() *Refusal {
	return refuse(ModuleNotEntitled, "the facility does not hold a module that gates this route")
}

// Passage reads the escaped path /ehr/TENANT/FACILITY/ROUTE, and is false where no
// module gates it.
func (r Routes) Passage(escaped string) (Passage, bool) {
	const head = 3 // ehr, tenant, facility
	segments, ok := parsePath(escaped)
	if !ok || len(segments) < head || segments[0] != "ehr" {
		return Passage{}, false
	}
	tenant, err := catalog.ParseTenantID(segments[1])
	if err != nil {
		return Passage{}, false
	}
	facility, err := catalog.ParseFacilityID(segments[2])
	if err != nil {
		return Passage{}, false
	}
	module, gated := r.Find(segments[head:])
	route := "/" + strings.Join(segments[head:], "/")
	return Passage{Tenant: tenant, Facility: facility, Module: module, Route: route}, gated
}

// pass refuses a passage that the state does not allow.
func (p *Platform) pass(v View, w *Passage) error {
	grant, err := v.Grant(w.Tenant)
	if err != nil {
		return err
	}
	if grant == nil {
		return shut()
	}
	t, err := tenant(v, w.Tenant)
	if err != nil {
		return err
	}
	inForce, err := enforced(v, t, grant)
	if err != nil {
		return err
	}
	if inForce == nil || !inForce.Holds(catalog.Row{Facility: w.Facility, Module: w.Module}) {
		return shut()
	}
	locked, err := p.lockedAt(v, t, p.now())
	switch {
	case err != nil:
		return err
	case t.Billing == Suspended:
		return refuse(TenantSuspended, "tenant %q: suspended by billing", w.Tenant)
	case locked:
		return refuse(TenantLocked, "tenant %q: its licence does not let it run", w.Tenant)
	}
	return nil
}
