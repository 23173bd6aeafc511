package plan_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
)

// licensed is what the one licence of a plan allows, as "facility module".
func licensed(t *testing.T, p *plan.Plan) []string {
	t.Helper()
	for _, b := range p.Batches {
		if b.Subject != plan.Licence {
			continue
		}
		var body struct{ Modules []catalog.LicensedModule }
		if err := json.Unmarshal(b.Request.Body, &body); err != nil {
			t.Fatal(err)
		}
		list := []string{}
		for _, m := range body.Modules {
			list = append(list, m.Facility+" "+m.Module)
		}
		return list
	}
	return nil
}

func TestALicenceAllowsWhatIsKeptAsItIsLive(t *testing.T) {
	onPrem := tenant()
	onPrem.Licence = &catalog.Licence{Expires: day("2028-01-01")}
	hold := catalog.Hold{
		Key: "OPS-1", Tenant: onPrem.ID, Facility: facility("b"), Modules: []catalog.ModuleKey{module("labs"), module("ward")}, Until: day("2027-02-01"),
	}
	l := live("a lab, a register, b register, b telehealth, b ward, c lab")
	l.Licences = []catalog.LiveLicence{}
	p := build(onPrem, l, hold)
	want := []string{"a lab", "a register", "b register", "b telehealth", "b ward", "c lab"}
	if diff := cmp.Diff(want, licensed(t, p)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	hold.Until = day("2027-01-01") // it has ended
	want = []string{"a lab", "a register", "b lab", "b register", "b telehealth", "c lab"}
	if diff := cmp.Diff(want, licensed(t, build(onPrem, l, hold))); diff != "" {
		t.Errorf("without the hold: -want +got:\n%s", diff)
	}
}

// TestOneLicenceCounts has a deployment that goes on by an older licence until it
// has activated the newest.
func TestOneLicenceCounts(t *testing.T) {
	early, late := day("2028-01-01"), day("2029-01-01")
	for _, c := range []struct {
		name string
		list []catalog.LiveLicence
		want string
	}{
		{"none", nil, ""},
		{"one", []catalog.LiveLicence{licenceOf("k.1", "active", early)}, "k.1"},
		{"a revoked one does not", []catalog.LiveLicence{licenceOf("k.1", "revoked", late), licenceOf("k.2", "suspended", early)}, "k.2"},
		{"nor do revoked ones", []catalog.LiveLicence{licenceOf("k.1", "revoked", late)}, ""},
		{"the one that ends last does", []catalog.LiveLicence{licenceOf("k.1", "active", late), licenceOf("k.2", "active", early)}, "k.1"},
		{"in any order", []catalog.LiveLicence{licenceOf("k.2", "active", early), licenceOf("k.1", "active", late)}, "k.1"},
		{"one to be activated does, also where it ends sooner", []catalog.LiveLicence{licenceOf("k.2", "issued", early), licenceOf("k.1", "active", late)}, "k.2"},
		{"or at the same time", []catalog.LiveLicence{licenceOf("k.1", "issued", early), licenceOf("k.2", "active", early)}, "k.1"},
	} {
		got := ""
		if current := plan.CurrentLicence(c.list); current != nil {
			got = current.ID
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestALicenceIsIssuedWhereItIsOtherwiseThanDeclared(t *testing.T) {
	declared, later := day("2028-01-01"), day("2029-01-01")
	for _, c := range []struct {
		name   string
		change func(*catalog.Tenant, *plan.Live)
		want   string
	}{
		{"as it is declared", func(*catalog.Tenant, *plan.Live) {}, ""},
		{"for longer", func(t *catalog.Tenant, _ *plan.Live) { t.Licence.Expires = later }, "it ends on 2028-01-01"},
		{"for shorter", func(_ *catalog.Tenant, l *plan.Live) { l.Licences[0].Expires = later }, "it ends on 2029-01-01"},
		{"for shorter, before the deployment has activated it", func(_ *catalog.Tenant, l *plan.Live) {
			l.Licences = append(l.Licences, licenceOf("kisumu.2", "active", later))
			l.Licences[0].State = plan.LicenceIssued
		}, ""},
		{"from another day", func(t *catalog.Tenant, l *plan.Live) {
			t.Licence.NotBefore, l.Licences[0].NotBefore = day("2027-02-01"), day("2027-01-01")
		}, "it begins on 2027-01-01"},
		{"from whatever day", func(_ *catalog.Tenant, l *plan.Live) { l.Licences[0].NotBefore = day("2026-07-01") }, ""},
		{"of other limits", func(t *catalog.Tenant, _ *plan.Live) { t.Limits = []catalog.LimitOverride{{Limit: "beds", Value: 600}} }, "its limits are others"},
		{"of limits where there are none", func(_ *catalog.Tenant, l *plan.Live) { l.Licences[0].Limits = limits(600) }, "its limits are others"},
		{"of fewer modules", func(t *catalog.Tenant, l *plan.Live) { t.Grants, l.Grant.Rows = nil, rows("a register, b register") }, "it allows other modules"},
		{"of more modules", func(_ *catalog.Tenant, l *plan.Live) { l.Licences[0].Modules = l.Licences[0].Modules[1:] }, "it allows other modules"},
		{"of modules for some time", func(_ *catalog.Tenant, l *plan.Live) { l.Licences[0].Modules[1].Until = &later }, "it allows other modules"},
		{"of modules for another time", func(t *catalog.Tenant, l *plan.Live) {
			t.Grants[0].Until = later
			l.Licences[0].Modules[1].Until, l.Licences[0].Modules[3].Until = &declared, &declared
		}, "it allows other modules"},
		{"of modules in another order", func(_ *catalog.Tenant, l *plan.Live) {
			m := l.Licences[0].Modules
			m[0], m[3] = m[3], m[0]
		}, ""},
		{"of modules that were allowed for a time", func(_ *catalog.Tenant, l *plan.Live) {
			ended, began := day("2026-12-31"), day("2026-06-01")
			l.Licences[0].Modules = append(l.Licences[0].Modules, catalog.LicensedModule{Facility: "a", Module: "theatre", Until: &ended})
			l.Licences[0].Modules[0].From = &began
		}, ""},
		{"after its end", func(t *catalog.Tenant, l *plan.Live) { t.Licence.Expires, l.Licences = day("2027-01-01"), nil }, ""},
		{"anew after its end", func(_ *catalog.Tenant, l *plan.Live) {
			l.Status, l.Licences[0].Expires = plan.StatusLocked, day("2026-12-01")
		}, "it ends on 2026-12-01"},
		{"never to a tenant that is locked for another reason", func(_ *catalog.Tenant, l *plan.Live) { l.Status = plan.StatusLocked }, ""},
		{"never by itself where it was revoked by hand", func(_ *catalog.Tenant, l *plan.Live) {
			l.Status, l.Licences[0].State = plan.StatusLocked, plan.LicenceRevoked
		}, ""},
		{"to a tenant that is not suspended", func(t *catalog.Tenant, l *plan.Live) {
			l.Status, t.Licence.Expires = plan.StatusSuspended, later
		}, ""},
		{"to a tenant that is open", func(t *catalog.Tenant, l *plan.Live) {
			t.Closed = &catalog.Tombstone{On: day("2027-01-01")}
			l.Grant.Rows, l.Licences = nil, []catalog.LiveLicence{}
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			tenant, l := customer(), settled()
			c.change(tenant, &l)
			got := ""
			for _, batch := range build(tenant, l).Batches {
				if batch.Subject == plan.Licence {
					got += batch.Changes[0].Reason.Text
				}
			}
			if got != c.want {
				t.Errorf("issued because %q, want %q", got, c.want)
			}
		})
	}
}

func TestATombstoneRevokesEveryLicence(t *testing.T) {
	declared, l := customer(), settled()
	declared.Licence.Revoked = "moved to the cloud"
	l.Licences = []catalog.LiveLicence{
		licenceOf("kisumu.1", "active", day("2028-01-01")), licenceOf("kisumu.2", "revoked", day("2028-01-01")), licenceOf("kisumu.3", "issued", day("2028-01-01")),
	}
	want := `licence kisumu POST /licenses/kisumu.1/revoke (other contents)
  - licence  kisumu.1 "active" -> "" (tombstone: moved to the cloud) t.cue:13
licence kisumu POST /licenses/kisumu.3/revoke (other contents)
  - licence  kisumu.3 "issued" -> "" (tombstone: moved to the cloud) t.cue:13
`
	p := build(declared, l)
	if diff := cmp.Diff(want, steps(p)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if p.Requires[0].Capability != "license.revoke" {
		t.Errorf("requires %+v", p.Requires)
	}
	if _, err := plan.Decode(must(plan.Encode(p))); err != nil {
		t.Error(err)
	}
	l.Licences = l.Licences[1:2]
	if left := steps(build(declared, l)); left != "" {
		t.Errorf("what is revoked already is revoked again:\n%s", left)
	}
}

// TestTheTimeThatPassesAloneIssuesNoLicence issues a licence for what is declared,
// and plans again at every later day until it ends.
func TestTheTimeThatPassesAloneIssuesNoLicence(t *testing.T) {
	begin := day("2027-01-01")
	rapid.Check(t, func(rt *rapid.T) {
		declared := tenant()
		declared.Licence = &catalog.Licence{Expires: begin.AddDate(0, 0, 60)}
		when := func(name string) time.Time {
			days := rapid.IntRange(-5, 50).Draw(rt, name)
			if days < -3 {
				return time.Time{}
			}
			return begin.AddDate(0, 0, days)
		}
		draw := func(name string) (list []catalog.Adjustment) {
			for _, m := range []string{"labs", "ward", "theatre"} {
				from, until := when(name+" from "+m), when(name+" until "+m)
				if !from.IsZero() && !until.IsZero() && !from.Before(until) {
					continue
				}
				list = append(list, catalog.Adjustment{Module: module(m), Span: catalog.Span{From: from, Until: until}})
			}
			return list
		}
		declared.Grants, declared.Facilities[0].Revocations = draw("grant"), draw("revocation")
		if rapid.Bool().Draw(rt, "closes") {
			declared.Facilities[1].Closed = &catalog.Tombstone{On: begin.AddDate(0, 0, 7)}
		}
		current := issued(rt, declared, nil, begin)
		if current == nil {
			rt.Fatal("no licence was issued")
		}
		for days := range 60 {
			if again := issued(rt, declared, current, begin.AddDate(0, 0, days)); again != nil {
				rt.Fatalf("after %d days another one is issued: %+v instead of %+v", days, again.Modules, current.Modules)
			}
		}
		declared.Licence.Expires = declared.Licence.Expires.AddDate(0, 0, 1)
		if issued(rt, declared, current, begin.AddDate(0, 0, 30)) == nil {
			rt.Fatal("none is issued when its end moves")
		}
	})
}

// issued plans a tenant's licence at a time, and returns it as a platform would
// keep it; nil where there is nothing to issue.
func issued(rt *rapid.T, declared *catalog.Tenant, current *catalog.LiveLicence, now time.Time) *catalog.LiveLicence {
	b := plan.NewBuilder(plan.Header{At: now, CreatedAt: now, Environment: environment("default")}, testCatalog(), nil)
	l := live("")
	l.Licences = []catalog.LiveLicence{}
	if current != nil {
		l.Licences = append(l.Licences, *current)
	}
	l.Grant.Rows = testCatalog().Rows(declared, now)
	b.Add(must(b.Tenant(declared, l)))
	for _, batch := range must(b.Plan()).Batches {
		if batch.Subject != plan.Licence {
			continue
		}
		var body struct {
			Expires time.Time
			Modules []catalog.LicensedModule
		}
		if err := json.Unmarshal(batch.Request.Body, &body); err != nil {
			rt.Fatal(err)
		}
		kept := &catalog.LiveLicence{ID: "kisumu.1", State: "active", Expires: body.Expires, Modules: body.Modules, Terms: []byte(`{}`)}
		if meets, err := plan.LicenceMeets(kept, batch.Request, now); err != nil || !meets {
			rt.Fatalf("what was issued does not meet what was asked for: %v", err)
		}
		return kept
	}
	return nil
}
