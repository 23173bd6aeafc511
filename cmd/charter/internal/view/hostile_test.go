package view

import (
	"bytes"
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
	"pgregory.net/rapid"

	"github.com/veonahealth/charter/plan"
)

// hostile are texts that somebody may write as a name or a reason, and that some
// format or other would act on.
var hostile = []string{
	"<script>alert(1)</script>", "</script><img src=x onerror=alert(1)>", "--><b>", "[x](javascript:alert(1))", "![x](http://e/x.png)",
	"a | b || c", "`code` ``` ~~~", "@veona/reviewers please approve", "mail me@example.org", "#12 and GH-3", "two\nlines\r\n/close",
	"\x1b[2J\x1b]0;title\x07", "user\u202egnp.exe", "**bold** __x__ ~~y~~", "https://evil.example.org www.evil.example.org", "$\\frac{1}{2}$",
	"1. one", "- item", "# head", "\"quoted\" 'text' &amp; &lt;", "trailing \\", "hidden\u200bspace\u2060\U000e0041", strings.Repeat("ten kB ", 1500),
	"|---|", "::error file=x::y", "{{.Secret}}", "]]>",
}

// texts are the hostile ones and others that nobody thought of.
func texts() []string {
	list := slices.Clone(hostile)
	for seed := range 30 {
		list = append(list, rapid.SliceOf(rapid.OneOf(rapid.SampledFrom(hostile), rapid.String())).Example(seed)...)
	}
	return slices.DeleteFunc(list, func(text string) bool { return strings.TrimSpace(text) == "" })
}

// hostilePlan is the sample with a text in place of all that people write.
func hostilePlan(text string) *plan.Plan {
	p := samplePlan()
	used := int64(7)
	change := func(c *plan.Change) {
		c.Usage = &used
		c.Reason.Text, c.Reason.File, c.Before, c.After = text, text, text, text
		c.Facility, c.Module, c.Key, c.Kind, c.Routes = text, text, text, text, []string{text, text}
		c.Action = plan.Action(text)
	}
	for i := range p.Batches {
		p.Batches[i].Tenant = text
		for j := range p.Batches[i].Changes {
			change(&p.Batches[i].Changes[j])
		}
	}
	p.Scheduled[0].Tenant, p.Scheduled[0].Local = text, text
	change(&p.Scheduled[0].Changes[0])
	p.Held[0] = plan.Held{EHRModule: text, Facility: text, Reason: plan.Code(text), Tenant: text, Text: text}
	p.Refusals[0] = plan.Refusal{Code: plan.Code(text), Facility: text, Tenant: text, Text: text}
	p.Unreadable[0] = plan.Unreadable{Tenant: text, Text: text}
	p.Warnings[0] = plan.Warning{Code: text, File: text, Line: 1, Text: text}
	p.Requires[0] = plan.Requirement{Approvals: 1, Capability: text, Tenants: []string{text}}
	p.Environment, p.Instance, p.Live.EHR, p.Source.Commit, p.Source.Ref = text, text, text, text, text
	return p
}

// seen is what a forge makes of Markdown: the text of each cell of its tables, and
// everything that is more than text.
type seen struct {
	cells  []string
	active []string
}

func render(t interface{ Fatal(...any) }, markdown string) seen {
	source := []byte(markdown)
	document := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source))
	var s seen
	err := ast.Walk(document, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch n := n.(type) {
		case *extast.TableCell:
			if !entering {
				s.cells = append(s.cells, cellText(n, source))
			}
		case *ast.Link, *ast.AutoLink, *ast.Image, *ast.RawHTML, *ast.HTMLBlock, *ast.Emphasis, *extast.Strikethrough, *ast.CodeSpan:
			if entering {
				s.active = append(s.active, n.Kind().String())
			}
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func cellText(n ast.Node, source []byte) string {
	var b bytes.Buffer
	for child := n.FirstChild(); child != nil; child = child.NextSibling() {
		if err := goldmark.New().Renderer().Render(&b, source, child); err != nil {
			return err.Error()
		}
	}
	return html.UnescapeString(b.String())
}

// mention finds what a forge would take for somebody's name or an issue's number.
var mention = regexp.MustCompile(`(^|[^\pL\pN])@[\pL\pN]|#[\pL\pN]`)

func checkEscape(t interface {
	Fatal(...any)
	Fatalf(string, ...any)
}, words string) {
	s := render(t, "| A | B |\n| --- | --- |\n| x"+Escape(words)+" | y |\n")
	if len(s.active) > 0 {
		t.Fatalf("%q is %q, read as %v", words, Escape(words), s.active)
	}
	if len(s.cells) != 4 || s.cells[3] != "y" {
		t.Fatalf("%q is %q, cells %q", words, Escape(words), s.cells)
	}
	if mention.MatchString(s.cells[2]) {
		t.Fatalf("%q calls somebody: %q", words, s.cells[2])
	}
	shown := strings.ReplaceAll(s.cells[2], "\u200b", "")
	if want := strings.TrimRight("x"+Clean(words), " "); shown != want {
		t.Fatalf("%q is shown as %q, want %q", words, shown, want)
	}
}

func TestMarkdownShowsAndInterpretsNothing(t *testing.T) {
	for _, words := range hostile {
		checkEscape(t, words)
	}
	rapid.Check(t, func(t *rapid.T) {
		checkEscape(t, strings.Join(rapid.SliceOf(rapid.OneOf(rapid.SampledFrom(hostile[:22]), rapid.String(), rapid.StringMatching(`[\\*_\[\]()<>|~#$@.:/&wW;a1]*`))).Draw(t, "words"), ""))
	})
}

func FuzzMarkdown(f *testing.F) {
	for _, words := range hostile {
		f.Add(words)
	}
	f.Fuzz(func(t *testing.T, words string) {
		if utf8.ValidString(words) {
			checkEscape(t, words)
		}
	})
}

// tags are the elements of a page, in their order.
var tags = regexp.MustCompile(`<[/!]?[a-zA-Z][^>]*>|<!--`)

func TestAPageHasItsOwnElementsWhateverIsWritten(t *testing.T) {
	page := func(text string) (string, []string) {
		var b bytes.Buffer
		if err := PlanHTML(&b, hostilePlan(text), plan.Digest{}); err != nil {
			t.Fatal(err)
		}
		var names []string
		body := strings.ReplaceAll(strings.ReplaceAll(b.String(), pageStyle, ""), pageScript, "")
		for _, tag := range tags.FindAllString(body, -1) {
			names = append(names, strings.FieldsFunc(tag, func(r rune) bool { return r == ' ' || r == '>' })[0])
		}
		return body, names
	}
	_, want := page("harmless")
	for _, text := range texts() {
		body, got := page(text)
		if !slices.Equal(want, got) {
			t.Errorf("%.60q makes other elements of the page", text)
		}
		if strings.ContainsFunc(strings.ReplaceAll(body, "\n", ""), acts) {
			t.Errorf("%.60q acts on who reads it", text)
		}
	}
}

func TestMarkdownOfAHostilePlanIsAsLongAsThatOfAHarmlessOne(t *testing.T) {
	of := func(text string, judged bool) seen {
		var b bytes.Buffer
		beside := Beside{Names: map[string]string{text: text}, Judged: judged, Lacks: []string{text}, Facts: [][2]string{{text, text}}}
		if err := PlanMarkdown(&b, hostilePlan(text), plan.Digest{}, beside); err != nil {
			t.Fatal(err)
		}
		if b.Len() > mostMarkdown || strings.Contains(b.String(), "\n/") {
			t.Errorf("%.60q: %d bytes", text, b.Len())
		}
		s := render(t, b.String())
		s.active = slices.DeleteFunc(s.active, func(kind string) bool { return kind == "CodeSpan" })
		return s
	}
	for _, judged := range []bool{false, true} {
		want := of("harmless words", judged)
		for _, text := range texts() {
			if len(text) > longest {
				continue // so many do not fit, and are counted
			}
			if got := of(text, judged); len(got.cells) != len(want.cells) || !slices.Equal(got.active, want.active) {
				t.Errorf("%.60q: %d cells and %v, want %d and %v", text, len(got.cells), got.active, len(want.cells), want.active)
			}
		}
	}
}

func TestATerminalShowsALineAChangeWhateverIsWritten(t *testing.T) {
	lines := func(text string) int {
		var b bytes.Buffer
		if err := Plan(&b, Style{}, hostilePlan(text)); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsFunc(strings.ReplaceAll(b.String(), "\n", ""), acts) {
			t.Errorf("%.60q acts on the terminal", text)
		}
		return strings.Count(b.String(), "\n")
	}
	want := lines("harmless")
	for _, text := range texts() {
		if got := lines(text); got != want {
			t.Errorf("%.60q: %d lines, want %d", text, got, want)
		}
	}
}

func TestThePolicyOfAPageNamesItsOwnStyleAndScript(t *testing.T) {
	var b bytes.Buffer
	if err := PlanHTML(&b, samplePlan(), plan.Digest{}); err != nil {
		t.Fatal(err)
	}
	for _, element := range []string{"style", "script"} {
		_, rest, _ := strings.Cut(b.String(), "<"+element+">")
		inside, after, ok := strings.Cut(rest, "</"+element+">")
		if !ok || strings.Contains(after, "<"+element) {
			t.Fatalf("not one %s", element)
		}
		if want := element + "-src '" + hashSource(inside) + "'"; !strings.Contains(b.String(), want) {
			t.Errorf("the policy does not say %s", want)
		}
	}
}
