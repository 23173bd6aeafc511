package schema

import (
	"fmt"
	"slices"
	"time"

	"github.com/veonahealth/charter/catalog"
)

// warnBefore is how long before its end a grant or licence is warned of.
const warnBefore = 30 * 24 * time.Hour

// note is a warning that a tenant may give, apart from the clock: it is kept
// with the evaluation, and judged by a time when somebody asks.
type note struct {
	code    Code
	pos     catalog.Position
	message string
	until   time.Time // for Ending: the end that is warned of; else zero
}

// notes returns all that may be worth a warning about a tenant that is in order
// under the catalogue.
func notes(c *catalog.Catalog, t *catalog.Tenant) []note {
	edition := c.Edition(t.Edition)
	list := redundant(c, edition.Set(), nil, t.Grants, t.Revocations, "tenant "+t.ID.String())
	for i := range t.Facilities {
		f := &t.Facilities[i]
		list = append(list, redundant(c, edition.Set(), t, f.Grants, f.Revocations, "facility "+f.ID.String())...)
		list = append(list, endings(f.Grants, "facility "+f.ID.String())...)
	}
	list = append(list, endings(t.Grants, "tenant "+t.ID.String())...)
	if t.Licence != nil && t.Licence.Revoked == "" {
		list = append(list, note{Ending, t.Licence.Pos, "the licence of tenant " + t.ID.String(), t.Licence.Expires})
	}
	return list
}

func endings(grants []catalog.Adjustment, level string) []note {
	var list []note
	for _, g := range grants {
		if !g.Until.IsZero() {
			list = append(list, note{Ending, g.Pos, fmt.Sprintf("the grant of %s to %s", g.Module, level), g.Until})
		}
	}
	return list
}

// redundant notes grants of what the edition has and revocations of what nothing
// grants. above is the tenant where the two lists are a facility's, else nil.
func redundant(c *catalog.Catalog, edition catalog.ModuleSet, above *catalog.Tenant, grants, revocations []catalog.Adjustment, level string) []note {
	names := func(list []catalog.Adjustment, key catalog.ModuleKey) bool {
		return slices.ContainsFunc(list, func(a catalog.Adjustment) bool { return a.Module == key })
	}
	granted := func(catalog.ModuleKey) bool { return false }
	revoked := granted
	if above != nil {
		granted = func(key catalog.ModuleKey) bool { return names(above.Grants, key) }
		revoked = func(key catalog.ModuleKey) bool { return names(above.Revocations, key) }
	}
	has := func(key catalog.ModuleKey) bool {
		index, known := c.IndexOf(key)
		return known && edition.Has(index)
	}
	var list []note
	for _, g := range grants {
		if has(g.Module) && !revoked(g.Module) {
			list = append(list, note{Redundant, g.Pos, fmt.Sprintf("%s is granted %s, and its edition has it", level, g.Module), time.Time{}})
		}
	}
	for _, r := range revocations {
		if !has(r.Module) && !granted(r.Module) {
			list = append(list, note{Redundant, r.Pos, fmt.Sprintf("%s is denied %s, and nothing grants it", level, r.Module), time.Time{}})
		}
	}
	return list
}

// at judges the note by a time; false where there is nothing to warn of yet.
func (n *note) at(now time.Time) (Problem, bool) {
	if n.code != Ending {
		return problemf(n.code, n.pos, "%s", n.message), true
	}
	switch {
	case !now.Before(n.until):
		p := problemf(n.code, n.pos, "%s ended on %s", n.message, catalog.FormatTime(n.until))
		p.Hint = "take it out, or move its end"
		return p, true
	case n.until.Sub(now) <= warnBefore:
		return problemf(n.code, n.pos, "%s ends on %s", n.message, catalog.FormatTime(n.until)), true
	}
	return Problem{}, false
}

// holdWarnings warns of holds that have ended.
func holdWarnings(holds []catalog.Hold, now time.Time) Problems {
	var warnings Problems
	for _, h := range holds {
		if now.Before(h.Until) {
			continue
		}
		p := problemf(HoldEnded, h.Pos, "hold %s of tenant %s ended on %s and holds no longer; its owner is %s",
			quoted(h.Key), h.Tenant, catalog.FormatTime(h.Until), quoted(h.Owner))
		p.Hint = "delete it, or ask its owner for a new end"
		warnings = append(warnings, p)
	}
	return warnings
}
