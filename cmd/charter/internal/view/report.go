package view

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
)

// line is one thing that a plan or a comparison says, in the order of speech and
// not yet escaped: each format makes its texts harmless in its own way.
type line struct {
	action   plan.Action // "" for what is held, blocked or warned of
	symbol   string      // + ~ - > ! =
	owner    string      // "edition hospital", "organisation lakeside", or a tenant's id
	ofTenant bool        // else the owner is of the registry
	facility string      // "" for what is of no site
	kind     string
	what     string // the module, or which thing else
	name     string // the module's name for people; "" where it is not known
	detail   string // how it was and how it is to be, for what is no row
	when     string // "" for now
	routes   []string
	critical bool
	used     int64  // requests in 30 days, of a row that is taken away
	usage    string // that in words, or "" where nobody counts
	reason   string
	place    string // file:line, or ""
	// cause is the edit of an edition, or the move to another, that the line comes
	// of; "" for any other.
	cause string
	// spread is set where a fanout tells of the line, together with many others.
	spread bool
}

// withdraws reports whether the line takes something away, now or later.
func (l *line) withdraws() bool { return l.action.Withdraws() }

// thing names what changes: a row's module; of anything else the kind, the key and
// how it changes, but for what the owner says already.
func (l *line) thing() string {
	name := l.what
	switch {
	case l.kind == plan.KindRow || l.action == "":
		return name
	case l.owner == l.kind+" "+l.what:
		return l.detail
	case !strings.HasPrefix(l.owner, l.kind+" "):
		name = strings.TrimSpace(l.kind + " " + l.what)
	}
	if l.detail == "" {
		return name
	}
	return name + ": " + l.detail
}

// report is a plan or a comparison as every format shows it.
type report struct {
	title   string
	summary string // the last line, which scripts match
	facts   [][2]string
	// counts has a row a kind: its name, then how many are taken away, changed and
	// given.
	counts []kindCount
	needs  []plan.Requirement
	// judged and lacks are as in Beside.
	judged  bool
	lacks   []string
	fanouts []fanout
	changes []line // removals first
	// anyway are the changes that a plan of the branch that is merged into has too.
	anyway    []line
	scheduled []line
	held      []line
	blocked   []line
	// blockedTitle is the heading of what is blocked.
	blockedTitle string
	warnings     []line
	// whole says where everything stands that a format has no room for.
	whole string
}

// kindCount counts the changes of one kind.
type kindCount struct {
	kind                  string
	revoke, change, grant int
	critical              int // of those revoked
}

// planReport puts a plan into the order of speech.
func planReport(p *plan.Plan, digest plan.Digest) *report {
	r := &report{
		title: "charter plan: " + p.Environment, summary: Summary(p), facts: planFacts(p, digest), needs: p.Requires,
		changes: planLines(p, false), anyway: planLines(p, true), scheduled: scheduledLines(p), held: heldLines(p), blocked: blockedLines(p), blockedTitle: "Blocked", warnings: warningLines(p),
		whole: "the plan itself (charter show FILE, -o text, html or json)",
	}
	r.fanouts = fanouts(r.changes, p)
	r.counts = countKinds(append(slices.Clone(r.changes), r.anyway...))
	return r
}

// planLines are the changes of all batches, either those that are planned anyway
// or the others: those that take away, then the registry, then by tenant and
// facility.
func planLines(p *plan.Plan, anyway bool) []line {
	type placed struct {
		line
		registry, subject int
	}
	var all []placed
	for i := range p.Batches {
		b := &p.Batches[i]
		owner, registry := b.Tenant, math.MaxInt
		if !b.Subject.OfTenant() {
			owner, registry = strings.TrimSpace(string(b.Subject)+" "+b.Tenant), b.Subject.Order()
		}
		for j := range b.Changes {
			if b.Changes[j].Anyway != anyway {
				continue
			}
			l := changeLine(owner, &b.Changes[j])
			l.ofTenant = b.Subject.OfTenant()
			all = append(all, placed{l, registry, b.Subject.Order()})
		}
	}
	slices.SortStableFunc(all, func(a, b placed) int {
		return cmp.Or(
			removalsFirst(&a.line, &b.line), cmp.Compare(a.registry, b.registry), strings.Compare(a.owner, b.owner),
			strings.Compare(a.facility, b.facility), a.subject-b.subject,
		)
	})
	lines := make([]line, len(all))
	for i := range all {
		lines[i] = all[i].line
	}
	return lines
}

func removalsFirst(a, b *line) int {
	switch {
	case a.withdraws() == b.withdraws():
		return 0
	case a.withdraws():
		return -1
	}
	return 1
}

func changeLine(owner string, c *plan.Change) line {
	l := line{
		action: c.Action, symbol: c.Action.Symbol(), owner: owner, facility: c.Facility, kind: c.Kind, what: c.Key,
		detail: becomes(c), routes: c.Routes, critical: c.Critical, reason: sentence(&c.Reason), place: place(c.Reason),
	}
	if c.Usage != nil {
		l.used, l.usage = *c.Usage, requests(*c.Usage)
	}
	if c.Kind == plan.KindRow {
		l.what = c.Module
		if l.what == "" {
			l.what = c.EHRModule
		}
	}
	if c.Reason.Code == plan.EditionChanged && c.Kind == plan.KindRow {
		l.cause = cause(&c.Reason)
	}
	said := c.Class == plan.Pending || c.Reason.Code == plan.DriftAdded || c.Reason.Code == plan.DriftRemoved
	if !said && c.Class != "" {
		l.reason += " [" + string(c.Class) + "]"
	}
	return l
}

func scheduledLines(p *plan.Plan) []line {
	var lines []line
	for i := range p.Scheduled {
		e := &p.Scheduled[i]
		for j := range e.Changes {
			l := changeLine(e.Tenant, &e.Changes[j])
			l.when = moment(e)
			lines = append(lines, l)
		}
	}
	return lines
}

func heldLines(p *plan.Plan) []line {
	var lines []line
	for _, h := range p.Held {
		lines = append(lines, line{symbol: "=", owner: h.Tenant, facility: orAll(h.Facility), kind: string(h.Reason), what: orAll(h.EHRModule), reason: h.Text})
	}
	return lines
}

// blockedLines are what is declared and cannot be carried out, and what nothing
// is known of.
func blockedLines(p *plan.Plan) []line {
	var lines []line
	for _, r := range p.Refusals {
		lines = append(lines, line{symbol: "!", owner: r.Tenant, facility: orAll(r.Facility), kind: string(r.Code), reason: r.Text})
	}
	for _, u := range p.Unreadable {
		lines = append(lines, line{symbol: "!", owner: u.Tenant, facility: "*", kind: "unreadable", reason: "its live state could not be read: " + u.Text})
	}
	return lines
}

func warningLines(p *plan.Plan) []line {
	var lines []line
	for _, w := range p.Warnings {
		lines = append(lines, line{kind: w.Code, reason: w.Text, place: catalog.Position{File: w.File, Line: w.Line}.String()})
	}
	return lines
}

func orAll(text string) string {
	if text == "" {
		return "*"
	}
	return text
}

// countKinds counts changes by kind, in the order in which the kinds are met.
func countKinds(lines []line) []kindCount {
	var counts []kindCount
	for i := range lines {
		l := &lines[i]
		at := slices.IndexFunc(counts, func(c kindCount) bool { return c.kind == l.kind })
		if at < 0 {
			counts, at = append(counts, kindCount{kind: l.kind}), len(counts)
		}
		c := &counts[at]
		switch l.action.Symbol() {
		case "-":
			c.revoke++
			if l.critical {
				c.critical++
			}
		case "~":
			c.change++
		default:
			c.grant++
		}
	}
	slices.SortFunc(counts, func(a, b kindCount) int { return strings.Compare(a.kind, b.kind) })
	return counts
}

// onlyRows reports whether there is nothing to count but rows, and those of the plan
// itself: what its summary counts.
func (r *report) onlyRows() bool {
	return len(r.anyway) == 0 && len(r.counts) == 1 && r.counts[0].kind == plan.KindRow
}

// criticalRemovals counts the rows of critical modules that are taken away now.
func (r *report) criticalRemovals() int {
	n := 0
	for _, c := range r.counts {
		n += c.critical
	}
	return n
}

// alarm says that patients may depend on what is taken away, and what of it is in
// use, or is "".
func (r *report) alarm() string {
	var parts []string
	if n := r.criticalRemovals(); n > 0 {
		parts = append(parts, Counted(n, "removal is of", "removals are each of")+" a module that is marked critical: patients may depend on it.")
	}
	inUse, most := 0, line{}
	for _, l := range r.changes {
		if l.used > 0 {
			inUse++
		}
		if l.used > most.used {
			most = l
		}
	}
	if inUse > 0 {
		text := "1 removal takes away what is in use:"
		if inUse > 1 {
			text = fmt.Sprintf("%d removals take away what is in use, most of all", inUse)
		}
		parts = append(parts, fmt.Sprintf("%s %s at %s %s, %s.", text, clip(most.what), clip(most.owner), clip(most.facility), requests(most.used)))
	}
	return strings.Join(parts, " ")
}

// requests says how often something was used.
func requests(n int64) string {
	if n == 0 {
		return "not used in 30 days"
	}
	return grouped(n) + " requests in 30 days"
}

// grouped writes a number with a comma before each three digits.
func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// owned are the lines of one owner.
type owned struct {
	owner string
	lines []*line
}

// byOwner groups the lines that are chosen by what they are of, owners in the
// order in which they are met.
func byOwner(lines []line, chosen func(*line) bool) []owned {
	var groups []owned
	index := map[string]int{}
	for i := range lines {
		l := &lines[i]
		if !chosen(l) {
			continue
		}
		at, met := index[l.owner]
		if !met {
			at = len(groups)
			index[l.owner] = at
			groups = append(groups, owned{owner: l.owner})
		}
		groups[at].lines = append(groups[at].lines, l)
	}
	return groups
}
