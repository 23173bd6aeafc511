package view

import (
	"fmt"
	"html"
	"io"
	"slices"
	"strings"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
)

// Beside is what a comment says of a plan that does not stand in it.
type Beside struct {
	// Names are the modules' names for people, by their keys.
	Names map[string]string
	// Judged tells whether a ledger's policy has judged the plan as things are, and
	// Lacks what it still asks for, in sentences.
	Judged bool
	Lacks  []string
	// Facts are more to say at the end, by their names.
	Facts [][2]string
}

// PlanMarkdown writes a plan as one comment on a forge: a hidden marker by which
// the next run finds it again, what it comes to, who has to approve, removals before
// everything else, the rest folded by tenant, and what it is of.
func PlanMarkdown(w io.Writer, p *plan.Plan, digest plan.Digest, beside Beside) error {
	r := planReport(p, digest)
	r.facts = append(r.facts, beside.Facts...)
	r.judged, r.lacks = beside.Judged && len(p.Leaves()) > 0, beside.Lacks
	for _, lines := range [][]line{r.changes, r.anyway, r.scheduled} {
		for i := range lines {
			lines[i].name = beside.Names[lines[i].what]
		}
	}
	return r.markdown(w, planMarker(p.Environment))
}

// PlanMarker is the first line of the comment about an environment's plan.
func PlanMarker(environment catalog.Environment) string {
	return "<!-- " + planMarker(environment.String()) + " -->"
}

// planMarker is what the comment about an environment's plan is found again by.
func planMarker(name string) string {
	if environment, err := catalog.ParseEnvironment(name); err == nil {
		return "charter plan " + environment.String()
	}
	return "charter plan"
}

// DiffMarkdown writes a comparison as one comment on a forge.
func DiffMarkdown(w io.Writer, c *plan.Comparison, facts ...[2]string) error {
	r := diffReport(c)
	r.facts = append(r.facts, facts...)
	return r.markdown(w, "charter diff")
}

func (r *report) markdown(w io.Writer, marker string) error {
	var b, foot strings.Builder
	r.markdownHead(&b, marker)
	r.markdownFoot(&foot)
	writeParts(&b, r.parts(), mostMarkdown-b.Len()-foot.Len(), Escape(r.whole))
	b.WriteString(foot.String())
	_, err := io.WriteString(w, b.String())
	return err
}

// manyKinds is up to how many kinds and capabilities stand in a head; there are
// fewer, but for files that nobody meant well with.
const manyKinds = 30

func (r *report) markdownHead(b *strings.Builder, marker string) {
	fmt.Fprintf(b, "<!-- %s -->\n### %s\n\n**%s**\n\n", marker, Escape(clip(r.title)), Escape(r.summary))
	if alarm := r.alarm(); alarm != "" {
		fmt.Fprintf(b, "⚠️ **%s**\n\n", Escape(alarm))
	}
	if r.judged && len(r.lacks) == 0 {
		b.WriteString("✅ **The approvals are enough to apply it.**\n\n")
	}
	if r.onlyRows() {
		return // the summary has said it
	}
	if len(r.counts) > 0 {
		b.WriteString("| Kind | To revoke | To change | To grant or make |\n| --- | ---: | ---: | ---: |\n")
	}
	for i, c := range r.counts {
		if i == manyKinds {
			fmt.Fprintf(b, "| and %d more kinds | | | |\n", len(r.counts)-i)
			break
		}
		fmt.Fprintf(b, "| %s | %d | %d | %d |\n", Escape(clip(c.kind)), c.revoke, c.change, c.grant)
	}
	b.WriteString("\n")
}

// markdownFoot says what the comment is of.
func (r *report) markdownFoot(b *strings.Builder) {
	b.WriteString("| Details | |\n| --- | --- |\n")
	for _, fact := range r.facts {
		fmt.Fprintf(b, "| %s | %s |\n", Escape(fact[0]), commandCode(fact[1]))
	}
}

func ofTenants(tenants []string) string {
	if len(tenants) == 0 {
		return ""
	}
	return ", for " + Counted(len(tenants), "tenant", "tenants")
}

// parts are what a comment holds after its head, in its order.
func (r *report) parts() []part {
	removes := func(l *line) bool { return l.withdraws() && !l.spread }
	keeps := func(l *line) bool { return !l.withdraws() && !l.spread }
	all := func(*line) bool { return true }
	return []part{
		{title: "Before it can be carried out", one: "entry", many: "entries", least: 2_000, blocks: r.needBlock()},
		{title: "Editions that take from many tenants", one: "edition", many: "editions", least: 2_000, blocks: r.fanoutBlock(plan.Revoke)},
		{title: "Removals", one: "removal", many: "removals", least: 8_000, blocks: r.removalBlock(removes)},
		{title: r.blockedTitle, one: "entry", many: "entries", least: 4_000, blocks: lineBlock(r.blocked, "Facility", "Why", func(l *line) string { return Escape(clip(l.kind)) })},
		{title: "Editions that give to many tenants", one: "edition", many: "editions", least: 1_000, blocks: r.fanoutBlock(plan.Grant)},
		{title: "Changes", one: "change", many: "changes", least: 4_000, blocks: ownerBlocks(r.changes, keeps)},
		{title: "Pending or drifting anyway", one: "change", many: "changes", least: 3_000, blocks: ownerBlocks(r.anyway, all)},
		{title: "Scheduled", one: "change", many: "changes", least: 4_000, blocks: r.scheduledBlock()},
		{title: "Held as it is", one: "row", many: "rows", least: 1_000, blocks: fold(lineBlock(r.held, "Facility", "EHR module", func(l *line) string { return code(l.what) }), "what charter leaves alone")},
		{title: "Warnings", one: "warning", many: "warnings", least: 1_000, blocks: fold(r.warningBlock(), "of the declarations")},
	}
}

// needBlock says who has to approve: what is still missing where that is known, and
// else what the plan asks for.
func (r *report) needBlock() []block {
	b := block{close: "\n"}
	if r.judged {
		for _, text := range r.lacks {
			b.rows = append(b.rows, "- "+Escape(clip(text))+"\n")
		}
		return []block{b}
	}
	for _, need := range r.needs {
		b.rows = append(b.rows, fmt.Sprintf("- it needs %s by people with %s%s\n", Counted(need.Approvals, "approval", "approvals"), code(need.Capability), ofTenants(need.Tenants)))
	}
	return []block{b}
}

func (r *report) fanoutBlock(action plan.Action) []block {
	b := block{close: "\n"}
	for i := range r.fanouts {
		f := &r.fanouts[i]
		if f.action() != action {
			continue
		}
		text := "- " + Escape(f.text())
		if f.place != "" {
			text += " " + code(f.place)
		}
		for _, gone := range f.revoke {
			text += "; " + code(gone.module) + ": " + answers403(gone.routes, gone.critical)
		}
		b.rows = append(b.rows, text+"\n")
	}
	return []block{b}
}

// answers403 names the routes that a removal turns off, and whether patients
// depend on them.
func answers403(routes []string, critical bool) string {
	text := "403 at " + routeList(routes)
	if len(routes) == 0 {
		text = "no known route"
	}
	if critical {
		text += " **critical**"
	}
	return text
}

// markdownRoutes names the routes that a line turns on or off, and how often one that
// goes is used.
func (l *line) markdownRoutes() string {
	switch {
	case l.withdraws():
		return l.withUsage(answers403(l.routes, false))
	case len(l.routes) == 0:
		return ""
	}
	return "answers at " + routeList(l.routes)
}

// withUsage adds how often something is used that goes, where that is known.
func (l *line) withUsage(text string) string {
	if l.usage == "" {
		return text
	}
	return strings.TrimPrefix(text+"; "+l.usage, "; ")
}

func routeList(routes []string) string {
	parts := make([]string, len(routes))
	for i, route := range routes {
		parts[i] = code(route)
	}
	return strings.Join(parts, " ")
}

func (r *report) removalBlock(chosen func(*line) bool) []block {
	timed := slices.ContainsFunc(r.changes, func(l line) bool { return l.when != "" })
	head := columns(timed, "When", "Tenant", "Facility", "Removed", "Routes that will answer 403", "Reason", "Declared at")
	var rows [][]string
	for i := range r.changes {
		if l := &r.changes[i]; chosen(l) {
			rows = append(rows, columns(timed, Escape(l.when), code(l.owner), code(l.facility), l.markdownThing(), l.withUsage(routeList(l.routes)), Escape(clip(l.reason)), code(l.place)))
		}
	}
	return []block{tableBlock(head, rows)}
}

// columns leaves the first out where nothing stands in it.
func columns(first bool, cells ...string) []string {
	if first {
		return cells
	}
	return cells[1:]
}

// markdownThing names what changes, and whether patients depend on it.
func (l *line) markdownThing() string {
	text := Escape(clip(l.thing()))
	if l.kind == plan.KindRow {
		text = code(l.what)
	}
	if l.name != "" {
		text = Escape(clip(l.name)) + " " + text
	}
	if l.critical {
		text += " **critical**"
	}
	return text
}

// manyOpenRows is up to how many rows of a section stand open.
const manyOpenRows = 10

// ownerBlocks fold changes by what they are of, and leave a few open.
func ownerBlocks(lines []line, chosen func(*line) bool) []block {
	timed := slices.ContainsFunc(lines, func(l line) bool { return l.when != "" })
	head := columns(timed, "When", "", "Facility", "What", "Routes", "Reason", "Declared at")
	var blocks []block
	all := 0
	for _, group := range byOwner(lines, chosen) {
		var rows [][]string
		for _, l := range group.lines {
			rows = append(rows, columns(timed, Escape(l.when), "`"+l.symbol+"`", code(l.facility), l.markdownThing(), l.markdownRoutes(), Escape(clip(l.reason)), code(l.place)))
		}
		all += len(rows)
		summary := fmt.Sprintf("<b>%s</b>: %s", harmless(group.owner), Counted(len(rows), "change", "changes"))
		blocks = append(blocks, tableBlock(head, rows).folded(summary))
	}
	for i := range blocks {
		if all <= manyOpenRows {
			blocks[i] = blocks[i].opened()
		}
	}
	return blocks
}

// harmless shows a text inside HTML in Markdown.
func harmless(text string) string {
	return strings.ReplaceAll(html.EscapeString(Clean(clip(text))), "@", "&#64;"+noWidth)
}

func (r *report) scheduledBlock() []block {
	var rows [][]string
	for i := range r.scheduled {
		l := &r.scheduled[i]
		rows = append(rows, []string{Escape(l.when), code(l.owner), "`" + l.symbol + "`", code(l.facility), l.markdownThing(), l.markdownRoutes(), Escape(clip(l.reason)), code(l.place)})
	}
	return []block{tableBlock([]string{"At", "Tenant", "", "Facility", "What", "Routes", "Reason", "Declared at"}, rows)}
}

func lineBlock(lines []line, second, third string, cell func(*line) string) []block {
	var rows [][]string
	for i := range lines {
		l := &lines[i]
		rows = append(rows, []string{code(l.owner), code(l.facility), cell(l), Escape(clip(l.reason))})
	}
	return []block{tableBlock([]string{"Tenant", second, third, "Text"}, rows)}
}

func (r *report) warningBlock() []block {
	var rows [][]string
	for _, l := range r.warnings {
		rows = append(rows, []string{Escape(clip(l.kind)), Escape(clip(l.reason)), code(l.place)})
	}
	return []block{tableBlock([]string{"Code", "Warning", "Declared at"}, rows)}
}

func fold(blocks []block, line string) []block {
	for i := range blocks {
		blocks[i] = blocks[i].folded(line)
	}
	return blocks
}

// markdownTable writes a short table under a heading that counts something.
func markdownTable(b *strings.Builder, title string, head []string, rows [][]string) {
	table := tableBlock(head, rows)
	fmt.Fprintf(b, "#### %s\n\n%s%s%s", title, table.open, strings.Join(table.rows, ""), table.close)
}
