package catalog_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/veonahealth/charter/catalog"
)

// whole is a tenant in which every field has a value of its own, so that one
// that is lost on the way shows.
func whole() *catalog.Tenant {
	line := 0
	pos := func() catalog.Position {
		line++
		return catalog.Position{File: "tenants/kisumu/t.cue", Line: line, Col: 2 * line}
	}
	adjustment := func(module string) []catalog.Adjustment {
		line++
		return []catalog.Adjustment{{
			Module: moduleKey(module), Reason: module + " reason", Ticket: module + " ticket", Pos: pos(),
			Span: catalog.Span{From: hour(line).UTC(), Until: hour(line + 1).UTC()},
		}}
	}
	tombstone := func() *catalog.Tombstone {
		return &catalog.Tombstone{Reason: "moved <away>", On: day("2027-01-01T00:00:00.123456789Z"), Pos: pos()}
	}
	return &catalog.Tenant{
		ID: tenantID("kisumu"), Name: "Kisumu \u2028 County", Organisation: made(catalog.ParseOrganisationID, "county"),
		Edition: editionKey("network"), Environment: made(catalog.ParseEnvironment, "prod"), Hosting: catalog.OnPrem, Timezone: "Africa/Nairobi",
		Facilities: []catalog.Facility{
			{ID: facilityID("annex"), Name: "Annex", Beds: 1, Users: 2, StorageGB: 3, Grants: adjustment("a"), Revocations: adjustment("b"), Closed: tombstone(), Pos: pos()},
			{ID: facilityID("main"), Name: "Main", Pos: pos()},
		},
		Grants: adjustment("c"), Revocations: adjustment("d"),
		Connect: []catalog.Connection{{Instrument: instrument("xn"), Reason: "line", Pos: pos()}},
		Staff:   []catalog.Staff{{Email: "a@b.c", Name: "A", Role: "nurse", Facility: facilityID("main"), Pos: pos()}},
		Admins:  []catalog.Admin{{Email: "d@e.f", Name: "D", Withdrawn: "left", Pos: pos()}},
		Licence: &catalog.Licence{NotBefore: hour(2).UTC(), Expires: hour(4).UTC(), Revoked: "stolen", Pos: pos()},
		Limits:  []catalog.LimitOverride{{Limit: "beds", Value: catalog.Unlimited, Reason: "built", Pos: pos()}},
		Closed:  tombstone(),
		Pos:     pos(), EditionPos: pos(), OrganisationPos: pos(), EnvironmentPos: pos(),
	}
}

func TestADeclarationDecodesToTheTenantItWasMadeOf(t *testing.T) {
	for name, want := range map[string]*catalog.Tenant{"whole": whole(), "empty": {}} {
		declared, err := catalog.Declare(want, "tenants/kisumu")
		if err != nil {
			t.Fatal(err)
		}
		again := catalog.Declared(declared.ID, declared.Organisation, declared.Environment, declared.Dir, declared.Encoded())
		for _, d := range []catalog.Declaration{declared, again} {
			got, err := d.Tenant()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, opaque()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			if d.ID != want.ID || d.Organisation != want.Organisation || d.Environment != want.Environment || d.Dir != "tenants/kisumu" {
				t.Errorf("%s: at hand are %v", name, d)
			}
		}
	}
}

func TestEachDecodingIsAValueOfItsOwn(t *testing.T) {
	declared, err := catalog.Declare(whole(), "")
	if err != nil {
		t.Fatal(err)
	}
	first, err := declared.Tenant()
	if err != nil {
		t.Fatal(err)
	}
	first.Facilities[0].Name = "changed"
	second, err := declared.Tenant()
	if err != nil {
		t.Fatal(err)
	}
	if second.Facilities[0].Name != "Annex" {
		t.Error("a change of one decoding shows in the next")
	}
}

func TestADamagedDeclarationNamesItsTenant(t *testing.T) {
	damaged := catalog.Declared(tenantID("kisumu"), catalog.OrganisationID{}, catalog.Environment{}, "", []byte("{"))
	if _, err := damaged.Tenant(); err == nil || err.Error() != "decode tenant kisumu: unexpected end of JSON input" {
		t.Errorf("got %v", err)
	}
}

func TestFacilitiesAndTenantsAreFoundById(t *testing.T) {
	tenant := whole()
	if f := tenant.Facility(facilityID("main")); f == nil || f.Name != "Main" {
		t.Errorf("main is %v", f)
	}
	if f := tenant.Facility(facilityID("mai")); f != nil {
		t.Errorf("mai is %v", f)
	}
	d := catalog.Desired{Tenants: []catalog.Declaration{{ID: tenantID("a")}, {ID: tenantID("c")}}}
	if got := d.Tenant(tenantID("c")); got != &d.Tenants[1] {
		t.Errorf("c is %v", got)
	}
	if got := d.Tenant(tenantID("b")); got != nil {
		t.Errorf("b is %v", got)
	}
}

func TestAllAdjustmentsOfATenantAreSeen(t *testing.T) {
	var seen string
	for a := range whole().Adjustments() {
		if seen += a.Module.String(); len(seen) == 3 {
			break
		}
	}
	if seen != "cda" {
		t.Errorf("saw %s", seen)
	}
}

func TestWhereNoEnvironmentIsDeclaredThereIsTheDefaultOne(t *testing.T) {
	prod := made(catalog.ParseEnvironment, "prod")
	var none catalog.Desired
	some := catalog.Desired{Environments: []catalog.ControlPlane{{Environment: prod, EHR: "https://ehr"}}}
	for _, c := range []struct {
		desired *catalog.Desired
		name    catalog.Environment
		want    bool
	}{
		{&none, catalog.DefaultEnvironment, true},
		{&none, prod, false},
		{&some, catalog.DefaultEnvironment, false},
		{&some, prod, true},
	} {
		got, ok := c.desired.Environment(c.name)
		if ok != c.want || ok && got.Environment != c.name {
			t.Errorf("environment %s is %v, %t", c.name, got, ok)
		}
	}
}

func TestAHoldCoversWhatItNames(t *testing.T) {
	main, annex, ward, labs := facilityID("main"), facilityID("annex"), moduleKey("ward"), moduleKey("labs")
	for _, c := range []struct {
		hold                          catalog.Hold
		mainWard, mainLabs, annexWard bool
	}{
		{catalog.Hold{}, true, true, true},
		{catalog.Hold{Facility: main}, true, true, false},
		{catalog.Hold{Modules: []catalog.ModuleKey{ward}}, true, false, true},
		{catalog.Hold{Facility: main, Modules: []catalog.ModuleKey{ward}}, true, false, false},
	} {
		if c.hold.Covers(main, ward) != c.mainWard || c.hold.Covers(main, labs) != c.mainLabs || c.hold.Covers(annex, ward) != c.annexWard {
			t.Errorf("%+v covers something else", c.hold)
		}
	}
}
