package web

import (
	"testing"
	"time"

	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/daemon"
	"github.com/veonahealth/charter/reconcile/daemon/web/browsertest"
)

const (
	tab   = "\t"
	enter = "\r"
)

// drifted is a view of three tenants, one of which has drifted.
func drifted(t testing.TB, number uint64) *daemon.View {
	t.Helper()
	v := fleet(t, 3)
	v.Number = number
	v.Tenants[1].Standing = daemon.Drift
	v.Tenants[1].Batches = []plan.Batch{{Subject: plan.Entitlements, Tenant: v.Tenants[1].ID, Changes: []plan.Change{{
		Action: plan.Revoke, Class: plan.Drift, Facility: "main", Kind: plan.KindRow, Module: "labs", EHRModule: "labs", Critical: true, Routes: []string{"/labs"},
		Reason: plan.Reason{Text: "drift: added by support@ehr.example.org", File: "tenants/x/tenant.cue", Line: 3},
	}}}}
	return v
}

func TestAPageIsLiveInABrowser(t *testing.T) {
	b := browsertest.Open(t)
	r := run(t, fleet(t, 3))
	b.Go(t, r.url)
	b.Await(t, "document.getElementById('live').textContent === 'live'")
	b.Say(t, "window.same = 'the page was not loaded anew'")
	if text := b.Say(t, "document.getElementById('content').innerText"); text == "" {
		t.Fatal("nothing is shown")
	}
	next := drifted(t, 8)
	next.Faults = []daemon.Fault{{Code: daemon.RepositoryDown, Text: "no route to host", Since: day1}}
	r.view.Store(next)
	r.Published(next)
	b.Await(t, "document.querySelector('#content a[href=\"/tenants/tenant-00001\"]') && document.getElementById('glance').innerText.includes('no route to host')")
	if b.Say(t, "window.same") != "the page was not loaded anew" {
		t.Error("the page was loaded anew")
	}
}

// Somebody who types keeps their words and their place, and sees what is new once
// they have gone on.
func TestWhoTypesIsNotDisturbed(t *testing.T) {
	b := browsertest.Open(t)
	r := run(t, fleet(t, 3))
	b.Go(t, r.url+"/tenants")
	b.Await(t, "document.getElementById('live').textContent === 'live'")
	b.TabTo(t, tab, "input[name=q]")
	b.Press(t, "t", "e", "n")
	next := drifted(t, 8)
	next.Faults = []daemon.Fault{{Code: daemon.RepositoryDown, Text: "no route to host", Since: day1}}
	r.view.Store(next)
	r.Published(next)
	b.Await(t, "document.getElementById('glance').innerText.includes('no route to host')")
	if now := b.Say(t, "document.activeElement.name + '=' + document.activeElement.value"); now != "q=ten" {
		t.Errorf("the reader is at %s", now)
	}
	b.Press(t, tab) // to what belongs to it
	if b.Say(t, "document.activeElement.name") != "standing" {
		t.Error("the form is gone")
	}
	b.TabTo(t, tab, ".scroll")
	b.Await(t, "document.querySelector('#content td .drift') !== null")
	if now := b.Say(t, "document.querySelector('input[name=q]').value + ' ' + document.activeElement.className"); now != "ten scroll" {
		t.Errorf("afterwards: %s", now)
	}
}

// Who goes over a table by the keyboard stays where they are while it changes.
func TestWhoReadsIsNotDisturbed(t *testing.T) {
	b := browsertest.Open(t)
	r := run(t, drifted(t, 7))
	b.Go(t, r.url+"/tenants")
	b.Await(t, "document.getElementById('live').textContent === 'live'")
	b.TabTo(t, tab, "a[href='/tenants/tenant-00002']")
	r.view.Store(fleet(t, 3))
	r.view.Load().Number = 8
	r.Published(r.view.Load())
	b.Await(t, "document.querySelector('#content td .drift') === null")
	if at := b.Say(t, "document.activeElement.getAttribute('href')"); at != "/tenants/tenant-00002" {
		t.Errorf("the reader is at %s", at)
	}
}

func TestTheStatusPagesGoByTheKeyboardAlone(t *testing.T) {
	b := browsertest.Open(t)
	r := run(t, drifted(t, 7))
	b.Go(t, r.url)
	b.Press(t, tab)
	if at := b.Say(t, "document.activeElement.className"); at != "skip" {
		t.Errorf("first comes %q", at)
	}
	b.Press(t, enter)
	b.TabTo(t, tab, "#content a")
	b.Go(t, r.url)
	b.TabTo(t, tab, "nav a[href='/tenants']")
	if outline := b.Say(t, "getComputedStyle(document.activeElement).outlineStyle"); outline == "none" {
		t.Error("nobody sees where the focus is")
	}
	b.Press(t, enter)
	b.Await(t, "location.pathname === '/tenants' && document.readyState === 'complete'")
	b.TabTo(t, tab, "input[name=q]")
	b.Press(t, "0", "0", "0", "0", "1", enter)
	b.Await(t, "location.search.includes('q=00001') && document.readyState === 'complete'")
	b.TabTo(t, tab, ".scroll")
	b.TabTo(t, tab, "th a[href='/tenants/tenant-00001']")
	b.Press(t, enter)
	b.Await(t, "location.pathname === '/tenants/tenant-00001' && document.body.innerText.includes('support@ehr.example.org')")
}

func TestTheStatusPagesAreForEverybody(t *testing.T) {
	b := browsertest.Open(t)
	r := run(t, drifted(t, 7))
	for _, dark := range []bool{false, true} {
		b.Dark(t, dark)
		for _, path := range []string{"/", "/tenants", "/tenants/tenant-00001", "/calendar", "/ledger", "/holds", "/tenants/no-such"} {
			b.Go(t, r.url+path)
			b.Axe(t)
		}
	}
}

func TestTheStatusPagesHaveTheirColours(t *testing.T) {
	b := browsertest.Open(t)
	r := run(t, drifted(t, 7))
	for path, name := range map[string]string{"/": "status-fleet", "/tenants": "status-tenants"} {
		var means [2]int
		for i, scheme := range []string{"light", "dark"} {
			b.Dark(t, scheme == "dark")
			b.Go(t, r.url+path)
			mean, colours := browsertest.Brightness(b.Picture(t, name+"-"+scheme))
			if means[i] = mean; colours < 8 {
				t.Errorf("%s, %s: %d colours", path, scheme, colours)
			}
		}
		if means[0] < 180 || means[1] > 80 {
			t.Errorf("%s: brightness %d in the light and %d in the dark", path, means[0], means[1])
		}
	}
}

// The pictures of examples/pull-requests, which make pictures writes: what stands
// between a merge and the apply.
func TestPicturesOfTheStatus(t *testing.T) {
	b := browsertest.Open(t)
	v := fleetOf(t, []string{"kisumu", "lakeside-clinic", "nairobi", "nakuru"})
	v.EHR, v.Instance, v.Commit.Hash, v.Last.Began, v.Next = "https://ehr.example.org", "i-1", "0123abcd0123abcd0123abcd0123abcd0123abcd", day1, day1.Add(time.Minute)
	row := func(action plan.Action, module, text string) plan.Change {
		return plan.Change{
			Action: action, Class: plan.Pending, Facility: "main", Kind: plan.KindRow, Module: module, EHRModule: module, Critical: true, Routes: []string{"/" + module},
			Reason: plan.Reason{Text: text, File: "tenants/lakeside-clinic/tenant.cue", Line: 8},
		}
	}
	v.Tenants[1].Standing = daemon.Pending
	v.Tenants[1].Batches = []plan.Batch{{Subject: plan.Entitlements, Tenant: "lakeside-clinic", Changes: []plan.Change{
		row(plan.Revoke, "rx", "own pharmacy"), row(plan.Grant, "scribe", "a la carte, OPS-114: trial"),
	}}}
	r := run(t, v)
	b.Window(t, 1180, 560)
	b.Go(t, r.url+"/tenants")
	b.Await(t, "document.getElementById('live').textContent === 'live'")
	if _, colours := browsertest.Brightness(b.Picture(t, "status")); colours < 8 {
		t.Errorf("%d colours", colours)
	}
}
