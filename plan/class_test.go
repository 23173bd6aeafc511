package plan_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
)

// applied is a history in which everything was last applied as some tenants were
// declared, by the dates of a time.
func applied(at time.Time, holds []catalog.Hold, tenants ...*catalog.Tenant) plan.History {
	last := &plan.Last{At: at, Desired: &catalog.Desired{Catalog: testCatalog(), Holds: holds}}
	for _, t := range tenants {
		last.Desired.Tenants = append(last.Desired.Tenants, must(catalog.Declare(t, "tenants/"+t.ID.String())))
	}
	return func(plan.Subject, string) (*plan.Last, error) { return last, nil }
}

// classed plans one tenant as of 2027-01-01 and gives the class of each change.
func classed(t *catalog.Tenant, l plan.Live, history plan.History, holds ...catalog.Hold) (string, *plan.Plan) {
	b := plan.NewBuilder(plan.Header{At: day("2027-01-01"), Environment: environment("default"), History: history}, testCatalog(), holds)
	b.Add(must(b.Tenant(t, l)))
	p := must(b.Plan())
	var text strings.Builder
	for i := range p.Batches {
		for _, c := range p.Batches[i].Changes {
			text.WriteString(string(c.Class) + " " + c.Action.Symbol() + c.Facility + " " + c.Key + c.EHRModule + "\n")
		}
	}
	return text.String(), p
}

func TestAChangeIsOfTheSideThatMoved(t *testing.T) {
	granting := func(module_ string, from string) *catalog.Tenant {
		declared := tenant()
		a := catalog.Adjustment{Module: module(module_), Reason: "bought"}
		if from != "" {
			a.From = day(from)
		}
		declared.Grants = []catalog.Adjustment{a}
		return declared
	}
	named := func(name string) *catalog.Tenant {
		declared := tenant()
		declared.Name = name
		return declared
	}
	liveNamed := func(name string) plan.Live {
		l, record := live(inStep), tenant().Live()
		record.Name = name
		l.Tenant = &record
		return l
	}
	hold := []catalog.Hold{{Key: "H", Tenant: tenantID("kisumu"), Owner: "x", Reason: "y", Until: day("2026-12-15")}}
	for name, c := range map[string]struct {
		declared *catalog.Tenant
		live     plan.Live
		history  plan.History
		want     string
	}{
		"nothing was ever applied":    {tenant(), live("a lab, a register, b lab, b register, b ward"), func(plan.Subject, string) (*plan.Last, error) { return nil, nil }, "pending -b ward\n"},
		"a row by other hands":        {tenant(), live("a lab, a register, b lab, b register, b ward"), applied(day("2026-12-01"), nil, tenant()), "drift -b ward\n"},
		"a row gone by other hands":   {tenant(), live("a lab, a register, b lab"), applied(day("2026-12-01"), nil, tenant()), "drift +b register\n"},
		"a grant since":               {granting("ward", ""), live(inStep), applied(day("2026-12-01"), nil, tenant()), "pending +a ward\npending +b ward\n"},
		"one of each":                 {granting("ward", ""), live("a lab, a register, a ward, b lab"), applied(day("2026-12-01"), nil, tenant()), "drift +b register\npending +b ward\n"},
		"a boundary since":            {granting("ward", "2026-12-20"), live(inStep), applied(day("2026-12-01"), nil, granting("ward", "2026-12-20")), "pending +a ward\npending +b ward\n"},
		"a boundary before":           {granting("ward", "2026-11-20"), live(inStep), applied(day("2026-12-01"), nil, granting("ward", "2026-11-20")), "drift +a ward\ndrift +b ward\n"},
		"what was held then":          {tenant(), live("a lab, a register, b lab"), applied(day("2026-12-01"), hold, tenant()), "pending +b register\n"},
		"not declared then":           {tenant(), live("a lab, a register, b lab"), applied(day("2026-12-01"), nil), "pending +b register\n"},
		"a name here":                 {named("New"), liveNamed("Old"), applied(day("2026-12-01"), nil, named("Old")), "pending ~ name\n"},
		"a name there":                {named("Old"), liveNamed("Odd"), applied(day("2026-12-01"), nil, named("Old")), "drift ~ name\n"},
		"a name here and there":       {named("New"), liveNamed("Odd"), applied(day("2026-12-01"), nil, named("Old")), "conflict ~ name\n"},
		"a tenant that vanished live": {named("Old"), plan.Live{Absent: true}, applied(day("2026-12-01"), nil, named("Old")), "drift + kisumu\ndrift +a a\ndrift +a lab\ndrift +a register\ndrift +b b\ndrift +b lab\ndrift +b register\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, _ := classed(c.declared, c.live, c.history); got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}

func TestDriftNamesWhoWroteLast(t *testing.T) {
	l := live("a lab, a register, b lab, b register, b ward")
	l.Grant.By = "support@example.org"
	_, p := classed(tenant(), l, applied(day("2026-12-01"), nil, tenant()))
	reason := p.Batches[0].Changes[0].Reason
	if reason.Code != plan.DriftAdded || !strings.HasPrefix(reason.Text, "drift: added by support@example.org") {
		t.Errorf("%+v", reason)
	}
	if p.Batches[0].Class() != plan.Drift {
		t.Errorf("class %s", p.Batches[0].Class())
	}
}

func TestABatchHasTheFirstClassOfItsChanges(t *testing.T) {
	b := plan.Batch{Changes: []plan.Change{{Class: plan.Drift}, {Class: plan.Pending}}}
	if b.Class() != plan.Pending {
		t.Error(b.Class())
	}
	b.Changes = append(b.Changes, plan.Change{Class: plan.Conflict})
	if b.Class() != plan.Conflict {
		t.Error(b.Class())
	}
}

// The lines of a batch of the fleet's own rules, as the contract has them.
func TestTheFleetsOwnRulesAreBatches(t *testing.T) {
	old, now := plan.DigestOf([]byte("old")), plan.DigestOf([]byte("new"))
	b := plan.NewBuilder(plan.Header{
		At: day("2027-01-01"), CreatedAt: day("2027-01-01"), ExpiresAt: day("2027-01-02"), Environment: environment("default"),
		Policy: now, LastPolicy: &old, Catalog: now, LastCatalog: &now,
	}, testCatalog(), nil)
	p := must(b.Plan())
	if len(p.Batches) != 1 || !p.Turns(plan.Policy) || p.Turns(plan.Catalog) {
		t.Fatalf("%+v", p.Batches)
	}
	want := "charter batch v1\nenvironment default\ntenant \nsubject policy\nbase " + old.String() + "\n= " + now.Hex()
	if got := strings.Join(must(p.Lines(&p.Batches[0])), "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if p.Requires[0].Capability != "policy.write" {
		t.Errorf("%+v", p.Requires)
	}
	data := must(plan.Encode(p))
	if _, err := plan.Decode(data); err != nil {
		t.Error(err)
	}
	for old, edited := range map[string]string{
		`"after": "` + now.String(): `"after": "` + old.String(),
		`"tenant": ""`:              `"tenant": "kisumu"`,
		`"request": null`:           `"request": {"method": "PUT", "path": "/clients/x", "body": {}}`,
	} {
		if _, err := plan.Decode(bytes.Replace(data, []byte(old), []byte(edited), 1)); err == nil {
			t.Errorf("%s is taken", edited)
		}
	}
}

func TestWhatTheTargetWouldChangeToo(t *testing.T) {
	target, branch := tenant(), tenant()
	target.Grants = []catalog.Adjustment{{Module: module("ward"), Reason: "bought"}}
	branch.Grants = append([]catalog.Adjustment{{Module: module("theatre"), Reason: "bought too"}}, target.Grants...)
	b := plan.NewBuilder(plan.Header{
		At: day("2027-01-01"), Environment: environment("default"),
		Target: &catalog.Desired{Catalog: testCatalog(), Tenants: []catalog.Declaration{must(catalog.Declare(target, "tenants/kisumu"))}},
	}, testCatalog(), nil)
	b.Add(must(b.Tenant(branch, live(inStep))))
	for _, c := range must(b.Plan()).Batches[0].Changes {
		if want := c.Module == "ward"; c.Anyway != want {
			t.Errorf("%s at %s: anyway %t, want %t", c.Module, c.Facility, c.Anyway, want)
		}
	}
}
