package view

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/daemon/web/browsertest"
)

const (
	tab   = "\t"
	enter = "\r"
	space = " "
)

// openReport opens the report of a plan as reviewers do: a file.
func openReport(t *testing.T, b *browsertest.Browser, p *plan.Plan) {
	t.Helper()
	var page bytes.Buffer
	if err := PlanHTML(&page, p, plan.DigestOf([]byte("the plan of the pictures"))); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "plan.html")
	if err := os.WriteFile(name, page.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	b.Go(t, "file://"+name)
}

// shownRows are the changes that are shown, by what they are about.
const shownRows = `[...document.querySelectorAll('details[data-tenant] tbody tr')].filter(r => !r.hidden && !r.closest('[hidden]')).map(r => r.cells[0].textContent + r.closest('details').dataset.tenant + ' ' + (r.dataset.module || r.cells[1].textContent)).join(', ')`

func TestAReportIsFiltered(t *testing.T) {
	b := browsertest.Open(t)
	openReport(t, b, samplePlan())
	all := b.Say(t, shownRows)
	for _, row := range []string{"-kisumu theatre", "-nairobi rx", "+kisumu scribe", ">kisumu live", "~edition hospital edition"} {
		if !strings.Contains(all, row) {
			t.Errorf("%s is not among %s", row, all)
		}
	}
	b.TabTo(t, tab, "input[name=tenant]")
	b.Press(t, "N", "a", "i", "r")
	b.Await(t, "document.getElementById('told').textContent.startsWith('1 of ')")
	if rows := b.Say(t, shownRows); rows != "-nairobi rx" {
		t.Errorf("of nairobi: %s", rows)
	}
	if heading := b.Say(t, "document.querySelector('section:not([hidden]) h2').textContent"); heading != "Pending or drifting anyway (1 of 1)" {
		t.Errorf("under %s", heading)
	}
	if rows := b.Say(t, `[...document.querySelectorAll('.matrix tbody tr')].filter(r => !r.hidden).map(r => r.dataset.tenant).join()`); rows != "" {
		t.Errorf("the matrix shows %s", rows) // what is pending anyway is none of the plan's
	}
	b.TabTo(t, tab, "button[type=reset]")
	b.Press(t, enter)
	b.Await(t, "document.querySelector('input[name=tenant]').value === ''")
}

// The matrix counts, for each tenant and module, the facilities that lose and gain.
func TestAReportHasItsMatrix(t *testing.T) {
	b := browsertest.Open(t)
	openReport(t, b, samplePlan())
	cell := func(tenant, module string) string {
		return b.Say(t, `(() => { const table = document.querySelector('.matrix'); const column = [...table.tHead.rows[0].cells].findIndex(c => c.textContent === "`+module+`");
			return [...table.tBodies[0].rows].find(r => r.dataset.tenant === "`+tenant+`").cells[column].textContent; })()`)
	}
	for of, want := range map[[2]string]string{{"kisumu", "theatre"}: "−1", {"kisumu", "scribe"}: "+1", {"kisumu", "ward"}: "−1"} {
		if got := cell(of[0], of[1]); got != want {
			t.Errorf("%q: %q, want %q", of, got, want)
		}
	}
}

func TestAReportGoesByTheKeyboardAlone(t *testing.T) {
	b := browsertest.Open(t)
	openReport(t, b, samplePlan())
	b.TabTo(t, tab, "input[name=tenant]")
	if outline := b.Say(t, "getComputedStyle(document.activeElement).outlineStyle"); outline == "none" {
		t.Error("nobody sees where the focus is")
	}
	for _, name := range []string{"input[name=facility]", "select[name=module]", "select[name=kind]", "select[name=action]", "button[type=reset]"} {
		b.TabTo(t, tab, name)
	}
	b.TabTo(t, tab, "details[data-tenant] > summary")
	was := b.Say(t, "document.activeElement.parentElement.open")
	b.Press(t, space)
	if now := b.Say(t, "document.activeElement.parentElement.open"); now == was {
		t.Error("a group is neither opened nor closed")
	}
	b.TabTo(t, tab, ".scroll")
}

func TestAReportIsForEverybody(t *testing.T) {
	b := browsertest.Open(t)
	openReport(t, b, samplePlan())
	for _, dark := range []bool{false, true} {
		b.Dark(t, dark)
		b.Axe(t)
		b.Say(t, "document.querySelectorAll('details').forEach(d => { d.open = true; })")
		b.Axe(t)
	}
}

func TestAReportHasItsColours(t *testing.T) {
	b := browsertest.Open(t)
	var means [2]int
	for i, scheme := range []string{"light", "dark"} {
		b.Dark(t, scheme == "dark")
		openReport(t, b, samplePlan())
		mean, colours := browsertest.Brightness(b.Picture(t, "report-"+scheme))
		if means[i] = mean; colours < 8 {
			t.Errorf("%s: %d colours", scheme, colours)
		}
	}
	if means[0] < 180 || means[1] > 80 {
		t.Errorf("brightness %d in the light and %d in the dark", means[0], means[1])
	}
}
