package view

import (
	"bufio"
	"crypto/sha256"
	_ "embed" // the page's parts
	"encoding/base64"
	"fmt"
	"html"
	"html/template"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/veonahealth/charter/plan"
)

// The parts of the page. The style and the script stand in it as they are here,
// so that the policy of its head can name them by their hashes.
var (
	//go:embed page/page.css
	pageStyle string
	//go:embed page/page.js
	pageScript string
	//go:embed page/page.html
	pageBody string
)

// PlanHTML writes a plan as one page that needs nothing beside it: no network, and
// a script only to filter.
func PlanHTML(w io.Writer, p *plan.Plan, digest plan.Digest) error {
	return planReport(p, digest).html(w)
}

// DiffHTML writes a comparison as one page that needs nothing beside it.
func DiffHTML(w io.Writer, c *plan.Comparison) error { return diffReport(c).html(w) }

func (r *report) html(w io.Writer) error {
	body, err := template.New("page").Parse(pageBody)
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	buffered := bufio.NewWriter(w)
	pageHead(buffered, Clean(r.title))
	if err := body.Execute(buffered, r.page()); err != nil {
		return fmt.Errorf("page: %w", err)
	}
	return buffered.Flush()
}

// pageHead writes what stands before the body. The policy allows the page's own
// style and script and nothing else, whatever people wrote into the plan.
func pageHead(w io.Writer, title string) {
	fmt.Fprintf(w, `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>%s</title>
<style>%s</style>
</head>
<body>
`, hashSource(pageStyle), hashSource(pageScript), html.EscapeString(title), pageStyle)
}

// hashSource names a style or a script in a content security policy.
func hashSource(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// htmlPage is a report as the page's template takes it. All its texts are clean.
type htmlPage struct {
	Title, Summary, Alarm string
	Facts                 [][2]string
	Counts                []htmlCount
	Needs                 []string
	Modules, Kinds        []string // to filter by
	Fanouts               []htmlNote
	Sections              []htmlSection
	Matrix                htmlMatrix
	Warnings              []htmlNote
	Script                template.JS
}

type htmlCount struct {
	Kind                  string
	Revoke, Change, Grant int
}

// htmlNote is a sentence with its place.
type htmlNote struct{ Text, Place, Code string }

// htmlSection is changes of one sort, folded by what they are of.
type htmlSection struct {
	Title  string
	Count  int
	Timed  bool // whether any row is of another time than now
	Groups []htmlGroup
}

type htmlGroup struct {
	Owner, Count string
	Open         bool
	Rows         []htmlRow
}

type htmlRow struct {
	Class, Symbol, Means, Kind, Facility, Thing, Module, When, Routes, Reason string
	Folder, File                                                              string // where it is declared
	Critical, Refused, Timed                                                  bool
}

func (r *report) page() *htmlPage {
	p := &htmlPage{Title: Clean(r.title), Summary: r.summary, Alarm: Clean(r.alarm()), Script: template.JS(pageScript), Matrix: r.matrix()}
	for _, fact := range r.facts {
		p.Facts = append(p.Facts, [2]string{fact[0], Clean(fact[1])})
	}
	for _, c := range r.counts {
		if r.onlyRows() {
			break // the summary has said it
		}
		p.Counts = append(p.Counts, htmlCount{Clean(c.kind), c.revoke, c.change, c.grant})
	}
	for _, need := range r.needs {
		p.Needs = append(p.Needs, Clean(fmt.Sprintf("%s by people with %s%s", Counted(need.Approvals, "approval", "approvals"), need.Capability, ofTenants(need.Tenants))))
	}
	for i := range r.fanouts {
		p.Fanouts = append(p.Fanouts, htmlNote{Text: Clean(r.fanouts[i].text()), Place: Clean(r.fanouts[i].place)})
	}
	for _, l := range r.warnings {
		p.Warnings = append(p.Warnings, htmlNote{Clean(l.reason), Clean(l.place), Clean(l.kind)})
	}
	p.Sections = r.sections()
	p.Modules, p.Kinds = filters(p.Sections)
	return p
}

func (r *report) sections() []htmlSection {
	removed := func(l *line) bool { return l.withdraws() }
	kept := func(l *line) bool { return !l.withdraws() }
	all := func(*line) bool { return true }
	sections := []htmlSection{
		htmlLines("Removals", r.changes, removed, ""), htmlLines(r.blockedTitle, r.blocked, all, "stop"),
		htmlLines("Changes", r.changes, kept, ""),
		htmlLines("Pending or drifting anyway", r.anyway, all, ""),
		htmlLines("Scheduled", r.scheduled, all, "later"), htmlLines("Held as it is", r.held, all, "soft"),
	}
	return slices.DeleteFunc(sections, func(s htmlSection) bool { return s.Count == 0 })
}

// manyRows is up to how many rows of a section stand open: more are quicker found
// by what they are of.
const manyRows = 300

// htmlLines folds the lines that are chosen by what they are of. With a class of
// its own the section's sign says what the section is, and the change is told
// with its reason.
func htmlLines(title string, lines []line, chosen func(*line) bool, class string) htmlSection {
	s := htmlSection{Title: title, Timed: slices.ContainsFunc(lines, func(l line) bool { return l.when != "" })}
	for _, group := range byOwner(lines, chosen) {
		g := htmlGroup{Owner: Clean(group.owner), Count: group.brief()}
		for _, l := range group.lines {
			row := l.htmlRow(class)
			row.Timed = s.Timed
			g.Rows = append(g.Rows, row)
		}
		s.Count += len(g.Rows)
		s.Groups = append(s.Groups, g)
	}
	for i := range s.Groups {
		s.Groups[i].Open = s.Count <= manyRows
	}
	return s
}

// brief says how many lines there are, and names the first few things.
func (o *owned) brief() string {
	var names []string
	for _, l := range o.lines {
		if name := l.thing(); name != "" && !slices.Contains(names, name) && len(names) <= few {
			names = append(names, name)
		}
	}
	text := Counted(len(o.lines), "entry", "entries")
	if len(names) == 0 {
		return text
	}
	if len(names) > few {
		names[few] = "…"
	}
	return text + ": " + Clean(clip(strings.Join(names, ", ")))
}

func (l *line) htmlRow(class string) htmlRow {
	row := htmlRow{
		Class: class, Symbol: l.symbol, Kind: Clean(l.kind), Facility: Clean(l.facility), Thing: Clean(l.thing()), When: Clean(l.when),
		Routes: Clean(strings.Join(l.routes, " ")), Reason: Clean(l.reason), Critical: l.critical,
		Refused: l.withdraws() && len(l.routes) > 0,
	}
	row.Folder, row.File = path.Split(Clean(l.place))
	if l.kind == plan.KindRow {
		row.Module = Clean(l.what)
	}
	switch {
	case class == "later":
		row.Symbol, row.Thing = ">", l.symbol+" "+row.Thing
	case class == "":
		row.Class = classOf(l.action)
	}
	row.Means = meaning(row.Symbol)
	return row
}

// meaning reads a sign out, for who does not see it.
func meaning(symbol string) string {
	switch symbol {
	case "-":
		return "removed"
	case "+":
		return "given"
	case "~":
		return "changed"
	case ">":
		return "scheduled"
	case "=":
		return "held"
	}
	return "blocked"
}

func classOf(a plan.Action) string {
	switch a.Symbol() {
	case "-":
		return "gone"
	case "+":
		return "come"
	}
	return "turn"
}

// filters are the modules and kinds that rows can be filtered by.
func filters(sections []htmlSection) (modules, kinds []string) {
	for _, s := range sections {
		for _, g := range s.Groups {
			for i := range g.Rows {
				modules, kinds = append(modules, g.Rows[i].Module), append(kinds, g.Rows[i].Kind)
			}
		}
	}
	return distinct(modules), distinct(kinds)
}

// distinct sorts names, each once, and leaves the empty one out.
func distinct(names []string) []string {
	slices.Sort(names)
	names = slices.Compact(names)
	return slices.DeleteFunc(names, func(name string) bool { return name == "" })
}
