package plan_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
)

func instrument(key string) catalog.InstrumentKey { return must(catalog.ParseInstrumentKey(key)) }

// customer declares everything that a tenant can have.
func customer() *catalog.Tenant {
	t := tenant()
	t.Name, t.Organisation, t.Hosting, t.Pos = "Kisumu", must(catalog.ParseOrganisationID("county")), catalog.OnPrem, at("t.cue", 1)
	t.Facilities = []catalog.Facility{
		{ID: facility("a"), Name: "Site A", Beds: 10, Users: 20, StorageGB: 30, Pos: at("t.cue", 4)},
		{ID: facility("b"), Name: "Site B", Pos: at("t.cue", 5)},
	}
	t.Grants = []catalog.Adjustment{{Module: module("ward"), Reason: "pilot", Pos: at("t.cue", 6)}}
	t.Revocations = []catalog.Adjustment{{Module: module("labs"), Reason: "no room", Pos: at("t.cue", 7)}}
	t.Staff = []catalog.Staff{
		{Email: "amy@example.org", Name: "Amy", Role: "nurse", Facility: facility("a"), Pos: at("t.cue", 8)},
		{Email: "bob@example.org", Name: "Bob", Role: "doctor", Facility: facility("b"), Pos: at("t.cue", 9)},
	}
	t.Connect = []catalog.Connection{{Instrument: instrument("xn"), Reason: "haematology", Pos: at("t.cue", 10)}}
	t.Admins = []catalog.Admin{{Email: "eve@example.org", Name: "Eve", Pos: at("t.cue", 11)}, {Email: "grace@example.org", Name: "Grace", Pos: at("t.cue", 12)}}
	t.Licence = &catalog.Licence{Expires: day("2028-01-01"), Pos: at("t.cue", 13)}
	return t
}

// settled is the customer as a platform has it once everything is carried out.
func settled() plan.Live {
	t := customer()
	record := t.Live()
	l := live("a register, a ward, b register, b ward")
	l.Tenant, l.Instruments = &record, []string{"xn"}
	for i := range t.Facilities {
		l.Facilities = append(l.Facilities, t.Facilities[i].Live())
	}
	for _, a := range t.Admins {
		l.Admins = append(l.Admins, catalog.LiveAdmin{Email: a.Email, Name: a.Name, State: "invited"})
	}
	l.Licences = []catalog.LiveLicence{licenceOf("kisumu.1", "active", day("2028-01-01"))}
	return l
}

// licenceOf is one of the customer's rows.
func licenceOf(id, state string, expires time.Time) catalog.LiveLicence {
	list := []catalog.LicensedModule{
		{Facility: "a", Module: "register"}, {Facility: "a", Module: "ward"}, {Facility: "b", Module: "register"}, {Facility: "b", Module: "ward"},
	}
	return catalog.LiveLicence{ID: id, State: state, Expires: expires, Modules: list, Terms: fmt.Appendf(nil, `{"id":%q}`, id)}
}

// steps writes a plan's batches as "subject tenant METHOD PATH (base)", each with
// what it changes on lines of its own, and what is refused.
func steps(p *plan.Plan) string {
	var b strings.Builder
	for i := range p.Batches {
		batch := &p.Batches[i]
		fmt.Fprintf(&b, "%s %s", batch.Subject, batch.Tenant)
		if batch.Request != nil {
			fmt.Fprintf(&b, " %s %s", batch.Request.Method, batch.Request.Path)
		}
		fmt.Fprintf(&b, " (%s)\n", batch.Base.Words())
		for _, c := range batch.Changes {
			fmt.Fprintf(&b, "  %s %s %s%s %q -> %q (%s: %s) %s:%d\n", c.Action.Symbol(), c.Kind, c.Facility+" ", c.Key+c.EHRModule, c.Before, c.After, c.Reason.Code, c.Reason.Text, c.Reason.File, c.Reason.Line)
		}
	}
	for _, r := range p.Refusals {
		fmt.Fprintf(&b, "! %s %s: %s\n", r.Tenant, r.Code, r.Text)
	}
	return b.String()
}

// bodies are what a plan's requests of a subject send.
func bodies(p *plan.Plan, subject plan.Subject) []string {
	var list []string
	for _, b := range p.Batches {
		if b.Subject == subject {
			list = append(list, string(b.Request.Body))
		}
	}
	return list
}

func TestANewCustomerIsPlannedStepByStep(t *testing.T) {
	p := build(customer(), plan.Live{Absent: true})
	want := `tenant kisumu POST /tenants (nothing)
  + tenant  kisumu "" -> "Kisumu, organisation county, edition basic, on-prem" (new: the platform does not have the tenant) t.cue:1
licence kisumu POST /licenses (nothing)
  + licence  kisumu "" -> "4 modules until 2028-01-01" (new: an on-prem deployment needs one) t.cue:13
provision kisumu POST /tenants/kisumu/provision (other contents)
  + facility a a "" -> "Site A, edition basic, 10 beds, 20 users, 30 GB" (new: the platform does not have the facility) t.cue:4
  + staff a amy@example.org "" -> "Amy, nurse" (new: made with its facility) t.cue:8
  + entitlement a lab "" -> "" (new: edition basic, with the facility) t.cue:4
  + entitlement a register "" -> "" (new: edition basic, with the facility) t.cue:4
  + facility b b "" -> "Site B, edition basic" (new: the platform does not have the facility) t.cue:5
  + staff b bob@example.org "" -> "Bob, doctor" (new: made with its facility) t.cue:9
  + entitlement b lab "" -> "" (new: edition basic, with the facility) t.cue:5
  + entitlement b register "" -> "" (new: edition basic, with the facility) t.cue:5
entitlements kisumu (what provisioning makes of revision 0)
  - entitlement a lab "" -> "" (tenant-revocation: no room) t.cue:7
  - entitlement b lab "" -> "" (tenant-revocation: no room) t.cue:7
  + entitlement a ward "" -> "" (tenant-grant: a la carte: pilot) t.cue:6
  + entitlement b ward "" -> "" (tenant-grant: a la carte: pilot) t.cue:6
connect kisumu PUT /tenants/kisumu/connect-entitlements (other contents)
  + instrument  xn "" -> "" (new: haematology) t.cue:10
admin kisumu POST /tenants/kisumu/tenant-admins (nothing)
  + admin  eve@example.org "" -> "Eve" (new: never invited) t.cue:11
admin kisumu POST /tenants/kisumu/tenant-admins (nothing)
  + admin  grace@example.org "" -> "Grace" (new: never invited) t.cue:12
`
	if diff := cmp.Diff(want, steps(p)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if again := must(plan.Decode(must(plan.Encode(p)))); steps(again) != want {
		t.Errorf("its file holds\n%s", steps(again))
	}
	for subject, want := range map[plan.Subject][]string{
		plan.Tenant: {`{"edition":"basic","hosting":"on-prem","id":"kisumu","name":"Kisumu","organisation":"county"}`},
		plan.Licence: {`{"expires":"2028-01-01T00:00:00Z","limits":{"beds":null,"facilities":null,"storage_gb":null,"users":null},"modules":[` +
			`{"facility":"a","from":null,"module":"register","until":null},{"facility":"a","from":null,"module":"ward","until":null},` +
			`{"facility":"b","from":null,"module":"register","until":null},{"facility":"b","from":null,"module":"ward","until":null}],"tenant":"kisumu"}`},
		plan.Provision: {`{"edition":"basic","facilities":[{"beds":10,"id":"a","name":"Site A","storage_gb":30,"users":20},{"beds":0,"id":"b","name":"Site B","storage_gb":0,"users":0}],` +
			`"staff":[{"email":"amy@example.org","facility":"a","name":"Amy","role":"nurse"},{"email":"bob@example.org","facility":"b","name":"Bob","role":"doctor"}]}`},
		plan.Connect: {`{"instruments":[{"key":"xn","licensed":true}]}`},
		plan.Admin:   {`{"email":"eve@example.org","name":"Eve"}`, `{"email":"grace@example.org","name":"Grace"}`},
	} {
		if diff := cmp.Diff(want, bodies(p, subject)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", subject, diff)
		}
	}
	summary := plan.Summary{Change: 9, Facilities: 2, Grant: 6, Revoke: 2, Tenants: 1}
	if diff := cmp.Diff(summary, p.Summary); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	var capabilities []string
	for _, r := range p.Requires {
		capabilities = append(capabilities, r.Capability)
	}
	if diff := cmp.Diff([]string{"clients.write", "entitlements.write", "license.issue", "onboarding.run", "tenant_admins.manage"}, capabilities); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestATenantIsPlannedAsFarAsItIsNot changes one thing at a time of a customer for
// whom everything was carried out.
func TestATenantIsPlannedAsFarAsItIsNot(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*catalog.Tenant, *plan.Live)
		want   string
	}{
		{"nothing is planned for what is so", func(*catalog.Tenant, *plan.Live) {}, ""},
		{
			"a tenant's record is corrected as a whole",
			func(_ *catalog.Tenant, l *plan.Live) { l.Tenant.Name, l.Tenant.Hosting = "Kisumo", "cloud" },
			"tenant kisumu PUT /tenants/kisumu (other contents)\n" +
				"  ~ tenant  hosting \"cloud\" -> \"on-prem\" (changed: declared so) t.cue:1\n" +
				"  ~ tenant  name \"Kisumo\" -> \"Kisumu\" (changed: declared so) t.cue:1\n",
		},
		{
			"a record that is not known is not compared",
			func(_ *catalog.Tenant, l *plan.Live) { l.Tenant = nil }, "",
		},
		{
			"a facility that is not there is made, alone and with its own staff",
			func(_ *catalog.Tenant, l *plan.Live) {
				l.Facilities, l.Grant.Rows = l.Facilities[:1], rows("a register, a ward")
			},
			"provision kisumu POST /tenants/kisumu/provision (other contents)\n" +
				"  + facility b b \"\" -> \"Site B, edition basic\" (new: the platform does not have the facility) t.cue:5\n" +
				"  + staff b bob@example.org \"\" -> \"Bob, doctor\" (new: made with its facility) t.cue:9\n" +
				"  + entitlement b lab \"\" -> \"\" (new: edition basic, with the facility) t.cue:5\n" +
				"  + entitlement b register \"\" -> \"\" (new: edition basic, with the facility) t.cue:5\n" +
				"entitlements kisumu (what provisioning makes of revision 7)\n" +
				"  - entitlement b lab \"\" -> \"\" (tenant-revocation: no room) t.cue:7\n" +
				"  + entitlement b ward \"\" -> \"\" (tenant-grant: a la carte: pilot) t.cue:6\n",
		},
		{
			"staff of facilities that are there is the customer's",
			func(t *catalog.Tenant, _ *plan.Live) {
				t.Staff = append(t.Staff, catalog.Staff{Email: "new@example.org", Name: "New", Role: "nurse", Facility: facility("a")})
			}, "",
		},
		{
			"a closed facility is neither made nor corrected",
			func(t *catalog.Tenant, l *plan.Live) {
				closed := &catalog.Tombstone{Reason: "sold", On: day("2027-01-01")}
				t.Facilities[0].Closed, t.Facilities[1].Closed = closed, closed
				l.Facilities, l.Grant.Rows, l.Licences[0].Modules = l.Facilities[:1], nil, nil
				l.Facilities[0].Name = "Other"
			}, "",
		},
		{
			"facilities that are not known are neither made nor corrected",
			func(_ *catalog.Tenant, l *plan.Live) { l.Facilities = nil }, "",
		},
		{
			"a tenant that was never provisioned has no facilities",
			func(t *catalog.Tenant, l *plan.Live) {
				l.Status, l.Facilities, l.Grant.Rows = plan.StatusCreated, nil, nil
				l.Grant.Stamp.Revision = 0
				t.Facilities, t.Staff = t.Facilities[1:], nil
				l.Licences[0].Modules = l.Licences[0].Modules[2:]
			},
			"provision kisumu POST /tenants/kisumu/provision (other contents)\n" +
				"  + facility b b \"\" -> \"Site B, edition basic\" (new: the platform does not have the facility) t.cue:5\n" +
				"  + entitlement b lab \"\" -> \"\" (new: edition basic, with the facility) t.cue:5\n" +
				"  + entitlement b register \"\" -> \"\" (new: edition basic, with the facility) t.cue:5\n" +
				"entitlements kisumu (what provisioning makes of revision 0)\n" +
				"  - entitlement b lab \"\" -> \"\" (tenant-revocation: no room) t.cue:7\n" +
				"  + entitlement b ward \"\" -> \"\" (tenant-grant: a la carte: pilot) t.cue:6\n",
		},
		{
			"names and sizes of facilities are corrected one by one",
			func(_ *catalog.Tenant, l *plan.Live) {
				l.Facilities[0].Beds, l.Facilities[0].Users, l.Facilities[0].StorageGB = 1, 2, 3
				l.Facilities[1].Name = "Side B"
			},
			"facility kisumu PUT /tenants/kisumu/facilities/a (other contents)\n" +
				"  ~ facility a beds \"1\" -> \"10\" (changed: declared so) t.cue:4\n" +
				"  ~ facility a storage_gb \"3\" -> \"30\" (changed: declared so) t.cue:4\n" +
				"  ~ facility a users \"2\" -> \"20\" (changed: declared so) t.cue:4\n" +
				"facility kisumu PUT /tenants/kisumu/facilities/b (other contents)\n" +
				"  ~ facility b name \"Side B\" -> \"Site B\" (changed: declared so) t.cue:5\n",
		},
		{
			"a facility that is not declared is left alone",
			func(_ *catalog.Tenant, l *plan.Live) {
				l.Facilities = append(l.Facilities, catalog.LiveFacility{ID: "c", Name: "Other"})
			}, "",
		},
		{
			"instruments are just those that are declared, removals first",
			func(t *catalog.Tenant, l *plan.Live) { l.Instruments = []string{"au", "zz"} },
			"connect kisumu PUT /tenants/kisumu/connect-entitlements (other contents)\n" +
				"  - instrument  au \"\" -> \"\" (changed: not declared) t.cue:1\n" +
				"  - instrument  zz \"\" -> \"\" (changed: not declared) t.cue:1\n" +
				"  + instrument  xn \"\" -> \"\" (new: haematology) t.cue:10\n",
		},
		{
			"the last instrument is taken away",
			func(t *catalog.Tenant, _ *plan.Live) { t.Connect = nil },
			"connect kisumu PUT /tenants/kisumu/connect-entitlements (other contents)\n" +
				"  - instrument  xn \"\" -> \"\" (changed: not declared) t.cue:1\n",
		},
		{
			"instruments that are not known are not written",
			func(_ *catalog.Tenant, l *plan.Live) { l.Instruments = nil },
			"! kisumu not-offered: the platform does not say what instruments the tenant has\n",
		},
		{
			"what is not known and not declared is no refusal",
			func(t *catalog.Tenant, l *plan.Live) {
				t.Connect, t.Admins, t.Licence = nil, nil, nil
				l.Instruments, l.Admins, l.Licences = nil, nil, nil
			}, "",
		},
		{
			"administrators are told apart in any case, and those of any state were invited",
			func(t *catalog.Tenant, l *plan.Live) {
				l.Admins[0].Email, l.Admins[0].State = "EVE@example.org", "active"
				l.Admins[1].State = plan.AdminWithdrawn
			}, "",
		},
		{
			"an administrator of another name is not invited again",
			func(t *catalog.Tenant, l *plan.Live) { t.Admins[0].Name = "Evelyn" }, "",
		},
		{
			"an administrator who is not declared is left alone",
			func(t *catalog.Tenant, l *plan.Live) { t.Admins = t.Admins[1:] }, "",
		},
		{
			"an administrator is withdrawn by tombstone, at the platform's spelling",
			func(t *catalog.Tenant, l *plan.Live) {
				t.Admins[0].Withdrawn = "has left"
				l.Admins[0].Email = "Eve+a/b?@example.org"
				t.Admins[0].Email = "eve+a/b?@example.org"
			},
			"admin kisumu DELETE /tenants/kisumu/tenant-admins/Eve+a%2Fb%3F@example.org (other contents)\n" +
				"  - admin  Eve+a/b?@example.org \"invited\" -> \"\" (tombstone: has left) t.cue:11\n",
		},
		{
			"who was withdrawn, or never was, is not withdrawn",
			func(t *catalog.Tenant, l *plan.Live) {
				t.Admins[0].Withdrawn, t.Admins[1].Withdrawn = "has left", "has left"
				l.Admins = l.Admins[:1]
				l.Admins[0].State = plan.AdminWithdrawn
			}, "",
		},
		{
			"administrators that are not known are not invited",
			func(_ *catalog.Tenant, l *plan.Live) { l.Admins = nil },
			"! kisumu not-offered: the platform does not say what administrators the tenant has\n",
		},
		{
			"a closed tenant loses its rows and asks for nothing new",
			func(t *catalog.Tenant, l *plan.Live) {
				t.Closed = &catalog.Tombstone{Reason: "merged", On: day("2027-01-01"), Pos: at("t.cue", 20)}
				l.Facilities, l.Admins, l.Licences = l.Facilities[:1], l.Admins[:1], []catalog.LiveLicence{}
				l.Facilities[0].Name = "Other"
				l.Grant.Rows = rows("a ward")
			},
			"entitlements kisumu (revision 7)\n  - entitlement a ward \"\" -> \"\" (tenant-closed: merged) t.cue:20\n",
		},
		{
			"a closed tenant that never was is not made",
			func(t *catalog.Tenant, l *plan.Live) {
				t.Closed = &catalog.Tombstone{Reason: "merged", On: day("2027-01-01")}
				*l = plan.Live{Absent: true}
			}, "",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			declared, l := customer(), settled()
			c.change(declared, &l)
			p := build(declared, l)
			if diff := cmp.Diff(c.want, steps(p)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if _, err := plan.Decode(must(plan.Encode(p))); err != nil {
				t.Errorf("its file: %v", err)
			}
		})
	}
}

// TestAnotherEditionIsTheReasonOfItsRows has a tenant whose edition was another.
func TestAnotherEditionIsTheReasonOfItsRows(t *testing.T) {
	l := settled()
	l.Tenant.Edition = "network"
	l.Grant.Rows = rows("a theatre, a ward, b register, b ward")
	want := `tenant kisumu PUT /tenants/kisumu (other contents)
  ~ tenant  edition "network" -> "basic" (changed: declared so) t.cue:1
entitlements kisumu (revision 7)
  - entitlement a theatre "" -> "" (edition-changed: edition basic instead of network) t.cue:3
  + entitlement a register "" -> "" (edition-changed: edition basic instead of network) t.cue:3
`
	if diff := cmp.Diff(want, steps(build(customer(), l))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestAFacilityWithoutRowsMovesTheRevisionToo provisions an edition of no modules.
func TestAFacilityWithoutRowsMovesTheRevisionToo(t *testing.T) {
	c := must(catalog.New(catalog.Data{
		Modules:  []catalog.Module{{Key: module("ward"), EHR: must(catalog.ParseEHRModule("ward")), Name: "Ward"}},
		Editions: []catalog.Edition{{Key: must(catalog.ParseEditionKey("basic")), Name: "Basic", Limits: catalog.NoLimits}},
	}))
	b := plan.NewBuilder(plan.Header{At: day("2027-01-01"), Environment: environment("default")}, c, nil)
	declared := tenant()
	declared.Facilities[1].Grants = []catalog.Adjustment{{Module: module("ward"), Reason: "pilot"}}
	l := live("")
	l.Facilities = []catalog.LiveFacility{{ID: "a"}}
	b.Add(must(b.Tenant(declared, l)))
	want := `provision kisumu POST /tenants/kisumu/provision (other contents)
  + facility b b "" -> ", edition basic" (new: the platform does not have the facility) :0
entitlements kisumu (what provisioning makes of revision 7)
  + entitlement b ward "" -> "" (facility-grant: a la carte: pilot) :0
`
	if diff := cmp.Diff(want, steps(must(b.Plan()))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestTheLinesOfARequestBatchSayWhatIsSent writes a digest out by hand.
func TestTheLinesOfARequestBatchSayWhatIsSent(t *testing.T) {
	l := settled()
	l.Facilities[1].Name = "Side B"
	p := build(customer(), l)
	want := plan.Lines{
		"charter batch v1", "environment default", "tenant kisumu", "subject facility",
		"request PUT /tenants/kisumu/facilities/b",
		"base " + plan.DigestOf([]byte(`{"beds":0,"id":"b","name":"Side B","storage_gb":0,"users":0}`)).String(),
		"= " + plan.DigestOf([]byte(`{"beds":0,"id":"b","name":"Site B","storage_gb":0,"users":0}`)).Hex(),
	}
	if diff := cmp.Diff(want, must(p.Lines(&p.Batches[0]))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if p.Batches[0].Digest != want.Digest() {
		t.Errorf("digest %s, want %s", p.Batches[0].Digest, want.Digest())
	}
}

// TestWhatHasNoRevisionStandsOnItsContent writes the bases out by hand.
func TestWhatHasNoRevisionStandsOnItsContent(t *testing.T) {
	declared, l := customer(), settled()
	declared.Admins[0].Withdrawn, declared.Licence.Revoked = "has left", "moved to the cloud"
	l.Tenant.Name, l.Instruments = "Kisumo", []string{"au", "zz"}
	l.Facilities = []catalog.LiveFacility{{ID: "z"}, {ID: "a"}}
	bases := map[plan.Subject]string{}
	for _, b := range build(declared, l).Batches {
		bases[b.Subject] = b.Base.Line()
	}
	sum := func(text string) string { return "base " + plan.DigestOf([]byte(text)).String() }
	want := map[plan.Subject]string{
		plan.Tenant:       sum(`{"edition":"basic","hosting":"on-prem","id":"kisumu","name":"Kisumo","organisation":"county"}`),
		plan.Licence:      sum(`{"id":"kisumu.1"}`), // its terms, in the platform's own words
		plan.Provision:    sum(`["a","z"]`),
		plan.Facility:     sum(`{"beds":0,"id":"a","name":"","storage_gb":0,"users":0}`),
		plan.Entitlements: "base provisioned 7",
		plan.Connect:      sum(`["au","zz"]`),
		plan.Admin:        sum(`{"email":"eve@example.org","state":"invited"}`),
	}
	if diff := cmp.Diff(want, bases); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
