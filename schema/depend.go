package schema

import (
	"slices"
	"strconv"
	"strings"

	"github.com/veonahealth/charter/catalog"
)

// need is one module that requires another one.
type need struct{ module, needed int }

// lack is where a need is not met.
type lack struct {
	facility *catalog.Facility
	spans    []catalog.Span // in order, none of them adjoining the next
}

// dependencies reports each module that is in force without one that it
// requires: once, with all facilities and spans where that is so.
func (r *rules) dependencies() {
	var needs []need
	lacks := map[need][]lack{}
	for i := range r.tenant.Facilities {
		f := &r.tenant.Facilities[i]
		for _, n := range r.lacking(f) {
			if len(lacks[n.need]) == 0 {
				needs = append(needs, n.need)
			}
			lacks[n.need] = append(lacks[n.need], lack{f, n.spans})
		}
	}
	for _, n := range needs {
		r.dependency(n, lacks[n])
	}
}

// unmet is a need and when it is not met.
type unmet struct {
	need
	spans []catalog.Span
}

// lacking returns the needs that are not met at a facility.
func (r *rules) lacking(f *catalog.Facility) []unmet {
	var list []unmet
	for _, span := range catalog.Spans(r.tenant.Boundaries(f)) {
		held := r.catalog.Holds(r.tenant, f, span.Instant())
		for module := range held.All() {
			for _, needed := range r.catalog.Module(module).Needs() {
				if !held.Has(needed) {
					list = addUnmet(list, need{module, needed}, span)
				}
			}
		}
	}
	return list
}

// addUnmet adds a span to those of a need, as part of the last one where it
// adjoins it.
func addUnmet(list []unmet, n need, span catalog.Span) []unmet {
	i := slices.IndexFunc(list, func(u unmet) bool { return u.need == n })
	if i < 0 {
		return append(list, unmet{n, []catalog.Span{span}})
	}
	last := &list[i].spans[len(list[i].spans)-1]
	if last.Until.Equal(span.From) {
		last.Until = span.Until
	} else {
		list[i].spans = append(list[i].spans, span)
	}
	return list
}

// dependency reports a need with all that lack it. It points at the statements
// to blame, each once: the first one is the mistake's place.
func (r *rules) dependency(n need, lacks []lack) {
	module, needed := r.catalog.Module(n.module), r.catalog.Module(n.needed)
	reported := map[catalog.Position]bool{}
	for _, l := range lacks {
		pos, other, note := r.blame(l, module, needed)
		switch {
		case reported[pos]:
		case len(reported) == 0:
			r.report(Dependency, pos, "grant "+needed.Key.String()+" too, or take "+module.Key.String()+" away",
				"module %q is in force without %q, which it requires, %s", module.Key, needed.Key, inWords(lacks))
			r.relate(other, note)
		default:
			r.relate(pos, "and here, at "+l.facility.ID.String())
		}
		reported[pos] = true
	}
}

// blame returns the statement that takes the needed module away, else the one
// that gives the module; and the other side of the two.
func (r *rules) blame(l lack, module, needed *catalog.Module) (pos, other catalog.Position, note string) {
	at := l.spans[0].Instant()
	gives := r.catalog.Cause(r.tenant, l.facility, module.Key, at)
	if takes := r.catalog.Cause(r.tenant, l.facility, needed.Key, at); takes.Adjustment != nil {
		return takes.Pos, gives.Pos, "given here"
	}
	return gives.Pos, module.Pos, "required here"
}

// inWords says where and when: "at annex and main, from 2027-01-01 on; at other,
// at all times".
func inWords(lacks []lack) string {
	var groups []string
	for len(lacks) > 0 {
		var names []string
		var others []lack
		for _, l := range lacks {
			if slices.Equal(l.spans, lacks[0].spans) {
				names = append(names, l.facility.ID.String())
			} else {
				others = append(others, l)
			}
		}
		groups = append(groups, "at "+enumerated(names)+", "+during(lacks[0].spans))
		lacks = others
	}
	return strings.Join(groups, "; ")
}

func during(spans []catalog.Span) string {
	var list []string
	for _, s := range spans {
		list = append(list, s.String())
	}
	return enumerated(list)
}

// maxNamed is how many of a list are named in one sentence.
const maxNamed = 12

// enumerated joins names as a sentence does.
func enumerated(names []string) string {
	last := len(names) - 1
	switch {
	case last < 1:
		return strings.Join(names, "")
	case last >= maxNamed:
		return strings.Join(names[:maxNamed], ", ") + " and " + strconv.Itoa(len(names)-maxNamed) + " more"
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
