package view

import (
	"fmt"
	"time"

	"github.com/veonahealth/charter/plan"
)

var sampleDay = time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)

// samplePlan has something of every kind, and of every subject.
func samplePlan() *plan.Plan {
	later := time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
	row := func(action plan.Action, facility, module string, critical bool, code plan.Code, text string, line int) plan.Change {
		return plan.Change{
			Action: action, Class: plan.Pending, Critical: critical, EHRModule: module, Facility: facility, Kind: plan.KindRow, Module: module,
			Reason: plan.Reason{Code: code, Text: text, File: "tenants/kisumu/tenant.cue", Line: line}, Routes: []string{"/" + module},
		}
	}
	thing := func(action plan.Action, kind, facility, key, before, after string) plan.Change {
		return plan.Change{
			Action: action, Class: plan.Pending, Facility: facility, Kind: kind, Key: key, Before: before, After: after,
			Reason: plan.Reason{Code: plan.Changed, Text: "declared so", File: "tenants/kisumu/tenant.cue", Line: 3}, Routes: []string{},
		}
	}
	p := &plan.Plan{
		At: sampleDay, CreatedAt: sampleDay, ExpiresAt: sampleDay.Add(24 * time.Hour), Environment: "prod", FormatVersion: plan.FormatVersion, Instance: "i-1",
		Kind: plan.Kind, Live: plan.Observation{EHR: "https://ehr.example.org", ObservedAt: sampleDay}, Source: plan.Source{Commit: "0123abcd", Ref: "refs/heads/main"},
		Batches: []plan.Batch{
			{Subject: plan.Edition, Tenant: "hospital", Changes: []plan.Change{
				thing(plan.Alter, "edition", "", "modules", "", "imaging"), thing(plan.Alter, "edition", "", "limits.beds", "300", "unlimited"),
			}},
			{Subject: plan.Organisation, Tenant: "county", Changes: []plan.Change{thing(plan.Create, "organisation", "", "county", "", "The County")}},
			{Subject: plan.Tenant, Tenant: "kisumu", Changes: []plan.Change{thing(plan.Alter, "tenant", "", "name", "Kisumu", "Kisumu County")}},
			{Subject: plan.Licence, Tenant: "kisumu", Changes: []plan.Change{thing(plan.Revoke, "licence", "", "L-7", "active", "")}},
			{Subject: plan.Facility, Tenant: "kisumu", Changes: []plan.Change{thing(plan.Alter, "facility", "main", "beds", "10", "12")}},
			{Subject: plan.Entitlements, Tenant: "kisumu", Changes: []plan.Change{
				row(plan.Revoke, "lumumba", "theatre", true, plan.FacilityRevocation, "no theatre on site", 12),
				row(plan.Revoke, "main", "ward", false, plan.FacilityClosed, "merged", 14),
				row(plan.Grant, "main", "scribe", false, plan.TenantGrant, "a la carte, OPS-114: pilot", 15),
			}},
			{Subject: plan.Entitlements, Tenant: "nairobi", Changes: []plan.Change{
				anyway(row(plan.Revoke, "main", "rx", true, plan.TenantClosed, "the contract has ended", 20)),
			}},
			{Subject: plan.Connect, Tenant: "kisumu", Changes: []plan.Change{thing(plan.Grant, "instrument", "", "sysmex-xn-1000", "", "")}},
			{Subject: plan.Admin, Tenant: "kisumu", Changes: []plan.Change{thing(plan.Invite, "admin", "", "grace@example.org", "", "Grace W.")}},
		},
		Scheduled: []plan.Entry{{At: later, Local: "2027-03-01T03:00:00+03:00", Subject: plan.Entitlements, Tenant: "kisumu", Changes: []plan.Change{
			row(plan.Revoke, "main", "live", true, plan.GrantExpired, "granted until 2027-03-01: pilot", 16),
		}}},
		Held:       []plan.Held{{EHRModule: "legacy", Facility: "main", Reason: plan.UnknownModule, Tenant: "kisumu", Text: "the catalogue does not have the module"}},
		Refusals:   []plan.Refusal{{Code: plan.NotOffered, Tenant: "kisumu", Text: "the platform does not say what licence the tenant has"}},
		Unreadable: []plan.Unreadable{{Tenant: "nakuru", Text: "503"}},
		Warnings:   []plan.Warning{{Code: "CW0109", File: "tenants/kisumu/tenant.cue", Line: 16, Text: "the grant of live to tenant kisumu ends on 2027-03-01"}},
		Requires:   []plan.Requirement{{Approvals: 2, Capability: "entitlements.write", Tenants: []string{"kisumu"}}},
		Summary:    plan.Summary{Grant: 1, Revoke: 2, Change: 7, Tenants: 1, Facilities: 2, Scheduled: 1, Held: 1, Blocked: 1},
	}
	return p
}

// smallPlan is as most pull requests' are: a grant for a while and a removal.
func smallPlan() *plan.Plan {
	p := samplePlan()
	row := func(action plan.Action, module string, reason plan.Reason) plan.Change {
		reason.File = "tenants/lakeside-clinic/tenant.cue"
		return plan.Change{
			Action: action, Class: plan.Pending, Critical: true, EHRModule: module, Facility: "main", Kind: plan.KindRow, Module: module,
			Reason: reason, Routes: []string{"/" + module},
		}
	}
	used := int64(1234)
	gone := row(plan.Revoke, "rx", plan.Reason{Code: plan.FacilityRevocation, Text: "own pharmacy", Line: 8})
	gone.Usage = &used
	come := row(plan.Grant, "maternity", plan.Reason{Code: plan.TenantGrant, Text: "a la carte, OPS-114: trial", Line: 11})
	ends := row(plan.Revoke, "maternity", plan.Reason{Code: plan.GrantExpired, Text: "granted until 2027-03-01, OPS-114: trial", Line: 11})
	p.Batches = []plan.Batch{{Subject: plan.Entitlements, Tenant: "lakeside-clinic", Changes: []plan.Change{gone, come}}}
	p.Scheduled[0].Tenant, p.Scheduled[0].Changes = "lakeside-clinic", []plan.Change{ends}
	p.Held, p.Refusals, p.Unreadable, p.Warnings, p.Environment = nil, nil, nil, nil, "default"
	p.Requires[0].Tenants = []string{"lakeside-clinic"}
	p.Summary = plan.Summary{Grant: 1, Revoke: 1, Tenants: 1, Facilities: 1, Scheduled: 1}
	return p
}

// countyPlan is a change of what four hospitals of a county hold.
func countyPlan() *plan.Plan {
	p := smallPlan()
	p.Batches, p.Requires[0].Tenants = nil, nil
	p.Summary = plan.Summary{Facilities: 6, Scheduled: 1}
	add := func(tenant, facility, module string, critical bool, action plan.Action, code plan.Code, text string) {
		if n := len(p.Batches); n == 0 || p.Batches[n-1].Tenant != tenant {
			p.Batches = append(p.Batches, plan.Batch{Subject: plan.Entitlements, Tenant: tenant})
			p.Requires[0].Tenants = append(p.Requires[0].Tenants, tenant)
			p.Summary.Tenants++
		}
		last := &p.Batches[len(p.Batches)-1]
		last.Changes = append(last.Changes, plan.Change{
			Action: action, Class: plan.Pending, Critical: critical, EHRModule: module, Facility: facility, Kind: plan.KindRow, Module: module, Routes: []string{"/" + module},
			Reason: plan.Reason{Code: code, Text: text, File: "tenants/" + tenant + "/tenant.cue", Line: 8 + len(last.Changes)},
		})
		if action == plan.Revoke {
			p.Summary.Revoke++
		} else {
			p.Summary.Grant++
		}
	}
	add("kisumu", "lumumba", "theatre", true, plan.Revoke, plan.FacilityRevocation, "no theatre on site")
	add("kisumu", "main", "scribe", false, plan.Grant, plan.TenantGrant, "a la carte, OPS-114: pilot")
	add("lakeside-clinic", "main", "rx", true, plan.Revoke, plan.FacilityRevocation, "own pharmacy")
	add("lakeside-clinic", "main", "maternity", true, plan.Grant, plan.TenantGrant, "a la carte, OPS-114: trial")
	add("nairobi", "main", "imaging", false, plan.Grant, plan.TenantGrant, "a la carte, OPS-120: new scanner")
	add("nairobi", "west", "imaging", false, plan.Grant, plan.TenantGrant, "a la carte, OPS-120: new scanner")
	add("nairobi", "west", "queue", false, plan.Revoke, plan.FacilityRevocation, "not used any more")
	add("nakuru", "main", "portal", false, plan.Grant, plan.TenantGrant, "a la carte, OPS-121: patients asked")
	return p
}

// sampleBeside is what a pipeline adds where a ledger is founded.
func sampleBeside() Beside {
	return Beside{
		Names:  map[string]string{"rx": "Pharmacy", "maternity": "Maternity"},
		Judged: true,
		Lacks:  []string{"lakeside-clinic entitlements: 2 more approvals of 2 approvals by people with entitlements.write are missing: asha or brian could give them; an approval is given with charter approve"},
		Facts:  [][2]string{{"to approve it", "charter approve " + plan.DigestOf([]byte("the plan of the pictures")).Hex()}},
	}
}

// anyway makes a change one that is planned whether or not a branch is merged.
func anyway(c plan.Change) plan.Change {
	c.Anyway, c.Class = true, plan.Drift
	return c
}

// widePlan has a grant at each of so many tenants, and a removal at some, all
// because of one edition.
func widePlan(tenants int) *plan.Plan {
	p := samplePlan()
	p.Batches = p.Batches[:1]
	for i := range tenants {
		b := plan.Batch{Subject: plan.Entitlements, Tenant: fmt.Sprintf("tenant-%04d", i)}
		for _, facility := range []string{"main", "annex", "west"} {
			b.Changes = append(b.Changes, plan.Change{
				Action: plan.Grant, Class: plan.Pending, EHRModule: "imaging", Facility: facility, Kind: plan.KindRow, Module: "imaging", Routes: []string{"/imaging"},
				Reason: plan.Reason{Code: plan.EditionChanged, Edition: "hospital", Text: "edition hospital has it now", File: "tenants/" + b.Tenant + "/tenant.cue", Line: 7},
			})
		}
		p.Batches = append(p.Batches, b)
	}
	return p
}

// sampleModules are what largePlan moves.
var sampleModules = []string{
	"admin", "appointments", "bill", "blood-bank", "chart", "connect", "ed", "imaging", "labs", "live",
	"maternity", "portal", "pulse", "queue", "register", "rx", "stock", "theatre", "ward", "scribe",
}

// largePlan has so many changes, ten a tenant, three of them removals.
func largePlan(changes int) *plan.Plan {
	p := samplePlan()
	p.Batches = nil
	for i := 0; len(p.Batches)*10 < changes; i++ {
		b := plan.Batch{Subject: plan.Entitlements, Tenant: fmt.Sprintf("county-hospital-%04d", i)}
		for j := range 10 {
			module := sampleModules[(i+2*j)%len(sampleModules)]
			action := plan.Grant
			if j < 3 {
				action = plan.Revoke
			}
			b.Changes = append(b.Changes, plan.Change{
				Action: action, Class: plan.Pending, Critical: module == "ward", EHRModule: module, Facility: []string{"main", "annex"}[j%2], Kind: plan.KindRow, Module: module,
				Reason: plan.Reason{Code: plan.TenantGrant, Text: fmt.Sprintf("a la carte, OPS-%d: agreed with the county for the coming year", i), File: "tenants/" + b.Tenant + "/tenant.cue", Line: 9 + j},
				Routes: []string{"/" + module, "/" + module + "/reports"},
			})
		}
		p.Batches = append(p.Batches, b)
	}
	return p
}

// sampleComparison has a removal for good, a grant for a while, and a tenant that
// is declared no longer.
func sampleComparison() *plan.Comparison {
	from, until := time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC), time.Date(2027, 6, 1, 0, 0, 0, 0, time.UTC)
	return &plan.Comparison{
		At: sampleDay, Base: "0123abcd", Head: "4567cdef", Kind: plan.ComparisonKind, Tenants: 3, Gone: []string{"nakuru"},
		Differences: []plan.Difference{
			{Action: plan.Revoke, Critical: true, Facility: "main", Module: "rx", Tenant: "kisumu", Routes: []string{"/rx"},
				Reason: plan.Reason{Code: plan.NotInEdition, Text: "edition public-health does not have it", File: "tenants/kisumu/tenant.cue", Line: 7}},
			{Action: plan.Grant, Facility: "main", Module: "scribe", Tenant: "kisumu", From: &from, Until: &until, Routes: []string{"/scribe"},
				Reason: plan.Reason{Code: plan.TenantGrant, Text: "a la carte: pilot", File: "tenants/kisumu/tenant.cue", Line: 9}},
		},
	}
}
