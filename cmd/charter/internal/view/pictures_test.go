package view

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"

	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/daemon/web/browsertest"
)

// forgeStyle sets Markdown about as the forges do.
const forgeStyle = `
body { font: 14px/1.5 system-ui, sans-serif; color: #1f2328; background: #ffffff; margin: 1.2rem 1.5rem; }
h3 { font-size: 1.25em; margin: 0 0 .8rem; } h4 { font-size: 1em; margin: 1.2rem 0 .6rem; }
p, ul { margin: 0 0 .8rem; } ul { padding-left: 2em; } details { margin: 0 0 .8rem; } summary { cursor: pointer; margin-bottom: .4rem; }
table { border-collapse: collapse; display: block; width: max-content; max-width: 100%; overflow: auto; margin: 0 0 .8rem; }
th, td { border: 1px solid #d0d7de; padding: 6px 13px; text-align: left; } tr:nth-child(2n) td { background: #f6f8fa; }
code { font: 85% ui-monospace, monospace; background: #eff1f3; padding: .2em .4em; border-radius: 6px; }
`

// openComment opens a plan's comment as a forge shows it.
func openComment(t *testing.T, b *browsertest.Browser, p *plan.Plan, beside Beside) {
	t.Helper()
	var comment, page bytes.Buffer
	digest := plan.DigestOf([]byte("the plan of the pictures"))
	if err := PlanMarkdown(&comment, p, digest, beside); err != nil {
		t.Fatal(err)
	}
	page.WriteString("<!DOCTYPE html><html lang=en><meta charset=utf-8><title>comment</title><style>" + forgeStyle + "</style><body>")
	// The forges let the few elements of HTML through that a comment has.
	forge := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(html.WithUnsafe()))
	if err := forge.Convert(comment.Bytes(), &page); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "comment.html")
	if err := os.WriteFile(name, page.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	b.Go(t, "file://"+name)
}

// The pictures of examples/pull-requests, which make pictures writes: of each there
// is something to be seen, and nothing of it stands beside the window.
func TestPicturesOfAPullRequest(t *testing.T) {
	b := browsertest.Open(t)
	show := func(name string, height int64, from string) {
		t.Helper()
		b.Window(t, 1080, height)
		for range 3 { // what is folded or far away is laid out when it comes near
			b.Say(t, "document.querySelector("+strconv.Quote(from)+").scrollIntoView()")
		}
		if _, colours := browsertest.Brightness(b.Picture(t, name)); colours < 8 {
			t.Errorf("%s: %d colours", name, colours)
		}
		if wide := b.Say(t, "document.documentElement.scrollWidth"); wide != "1080" {
			t.Errorf("%s is %s pixels wide", name, wide)
		}
	}
	b.Dark(t, false)
	openComment(t, b, smallPlan(), sampleBeside())
	show("comment", 960, "body")
	openReport(t, b, countyPlan())
	show("report", 700, "body")
	b.Dark(t, true)
	show("report-dark", 700, "body")
	b.Dark(t, false)
	if narrow := b.Say(t, "[...document.querySelectorAll('.log th')].filter(c => c.cellIndex > 0 && c.offsetWidth < 80).map(c => c.textContent + ' ' + c.offsetWidth)"); narrow != "" {
		t.Errorf("columns too narrow for words: %s", narrow)
	}
	b.TabTo(t, tab, "input[name=tenant]")
	b.Press(t, "n", "a", "i", "r")
	b.Await(t, "document.getElementById('told').textContent.startsWith('3 of ')")
	show("report-filtered", 560, "h2")
	b.TabTo(t, tab, "button[type=reset]")
	b.Press(t, enter)
	b.Await(t, "document.querySelector('input[name=tenant]').value === ''")
	b.Say(t, "document.querySelectorAll('main > :not(section:has(.matrix))').forEach(e => e.remove())")
	show("report-matrix", 360, "body")
}
