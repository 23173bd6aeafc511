package plan_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
)

// forged is a plan of one batch whose digest and root fit what it holds, as
// somebody would write it who wants more than people approve.
func forged(subject plan.Subject, of, method, path, body string, base *plan.Base, changes ...plan.Change) []byte {
	p := build(tenant(), live(inStep))
	batch := plan.Batch{Base: base, Changes: changes, Subject: subject, Tenant: of}
	if method != "" {
		batch.Request = &plan.Request{Body: json.RawMessage(body), Method: method, Path: path}
	}
	p.Batches = []plan.Batch{batch}
	return sealed(p)
}

// sealed gives each batch and entry its digest, and the plan its summary and root.
func sealed(p *plan.Plan) []byte {
	for i := range p.Batches {
		if lines, err := p.Lines(&p.Batches[i]); err == nil {
			p.Batches[i].Digest = lines.Digest()
		}
	}
	for i := range p.Scheduled {
		e := &p.Scheduled[i]
		if id, err := catalog.ParseTenantID(e.Tenant); err == nil {
			revoked, granted, _ := plan.Rows(e.Changes) // what is no row is refused by whoever reads it
			e.Digest = plan.EntitlementLines(environment(p.Environment), id, plan.AtLine(e.At), revoked, granted).Digest()
		}
	}
	p.Summary = counted(p)
	p.BatchesRoot = must(must(plan.NewTree(p.Leaves())).Root())
	return must(plan.Encode(p))
}

// counted is the summary of a plan.
func counted(p *plan.Plan) plan.Summary {
	n := plan.Summary{Blocked: len(p.Refusals), Held: len(p.Held), Scheduled: len(p.Scheduled)}
	tenants, facilities := map[string]bool{}, map[string]bool{}
	for _, b := range p.Batches {
		if b.Subject.OfTenant() {
			tenants[b.Tenant] = true
		}
		for _, c := range b.Changes {
			if c.Facility != "" {
				facilities[b.Tenant+" "+c.Facility] = true
			}
			switch {
			case c.Kind != plan.KindRow:
				n.Change++
			case c.Action == plan.Revoke:
				n.Revoke++
			default:
				n.Grant++
			}
		}
	}
	n.Tenants, n.Facilities = len(tenants), len(facilities)
	return n
}

// Bodies that are whole.
const (
	anEdition      = `{"key":"basic","limits":{"beds":null,"facilities":null,"storage_gb":null,"users":null},"modules":[],"name":"B"}`
	anOrganisation = `{"id":"county","name":"C"}`
	aTenant        = `{"edition":"basic","hosting":"cloud","id":"kisumu","name":"K","organisation":"county"}`
	aLicence       = `{"expires":"2028-01-01T00:00:00Z","limits":{"beds":null,"facilities":null,"storage_gb":null,"users":null},"modules":[],"tenant":"kisumu"}`
	aProvision     = `{"edition":"basic","facilities":[],"staff":[]}`
	aFacility      = `{"beds":0,"id":"a","name":"A","storage_gb":0,"users":0}`
	aConnect       = `{"instruments":[]}`
	anAdmin        = `{"email":"eve@example.org","name":"Eve"}`
	nothing        = `{}`
)

func TestARequestThatFitsItsSubjectIsRead(t *testing.T) {
	on := func(text string) *plan.Base { return must(plan.ContentOf([]byte(text))) }
	is := func(action plan.Action, kind, key, before, after string) plan.Change {
		return plan.Change{Action: action, Kind: kind, Key: key, Before: before, After: after}
	}
	const noLimits = `{"beds":null,"facilities":null,"storage_gb":null,"users":null}`
	beds := is("change", "facility", "beds", "7", "0")
	beds.Facility = "a"
	for _, c := range []struct {
		subject                plan.Subject
		of, method, path, body string
		base                   *plan.Base
		change                 plan.Change
	}{
		{plan.Edition, "basic", "POST", "/registry/editions", anEdition, nil, is("create", "edition", "basic", "", "B: no modules")},
		{plan.Edition, "basic", "PUT", "/registry/editions/basic", anEdition, plan.OnStamp(stamp(1)), is("change", "edition", "limits.users", "9", "unlimited")},
		{plan.Organisation, "county", "POST", "/clients", anOrganisation, nil, is("create", "organisation", "county", "", "C")},
		{plan.Organisation, "county", "PUT", "/clients/county", anOrganisation, on(`{"id":"county","name":"Old"}`), is("change", "organisation", "name", "Old", "C")},
		{plan.Tenant, "kisumu", "POST", "/tenants", aTenant, nil, is("create", "tenant", "kisumu", "", "K, organisation county, edition basic, cloud")},
		{plan.Tenant, "kisumu", "PUT", "/tenants/kisumu", aTenant, on(strings.Replace(aTenant, "basic", "extra", 1)), is("change", "tenant", "edition", "extra", "basic")},
		{plan.Licence, "kisumu", "POST", "/licenses", aLicence, nil, is("issue", "licence", "kisumu", "", "0 modules until 2028-01-01")},
		{plan.Licence, "kisumu", "POST", "/licenses", aLicence, on(`{"id":"kisumu.0a"}`), is("issue", "licence", "kisumu", "", "0 modules until 2028-01-01")},
		{plan.Licence, "kisumu", "POST", "/licenses", strings.NewReplacer(noLimits, strings.Replace(noLimits, `"beds":null`, `"beds":5`, 1), `"tenant"`, `"not_before":"2027-01-01T00:00:00Z","tenant"`).Replace(aLicence), nil, is("issue", "licence", "kisumu", "", "0 modules from 2027-01-01 until 2028-01-01, limits.beds 5")},
		{plan.Licence, "kisumu", "POST", "/licenses/kisumu.0a/revoke", nothing, on(`{"id":"kisumu.0a"}`), is("revoke", "licence", "kisumu.0a", "active", "")},
		{plan.Facility, "kisumu", "PUT", "/tenants/kisumu/facilities/a", aFacility, on(strings.Replace(aFacility, `"beds":0`, `"beds":7`, 1)), beds},
		{plan.Connect, "kisumu", "PUT", "/tenants/kisumu/connect-entitlements", aConnect, on(`["xn"]`), is("revoke", "instrument", "xn", "", "")},
		{plan.Admin, "kisumu", "POST", "/tenants/kisumu/tenant-admins", anAdmin, nil, is("invite", "admin", "eve@example.org", "", "Eve")},
		{plan.Admin, "kisumu", "DELETE", "/tenants/kisumu/tenant-admins/eve@example.org", nothing, on(`{"email":"eve@example.org","state":"invited"}`), is("revoke", "admin", "eve@example.org", "invited", "")},
		{plan.Admin, "kisumu", "DELETE", "/tenants/kisumu/tenant-admins/%C3%A4%2Fb@example.org", nothing, on(`{"email":"ä/b@example.org","state":"active"}`), is("revoke", "admin", "ä/b@example.org", "active", "")},
	} {
		if _, err := plan.Decode(forged(c.subject, c.of, c.method, c.path, c.body, c.base, c.change)); err != nil {
			t.Errorf("%s %s: %v", c.method, c.path, err)
		}
		if _, err := plan.Decode(forged(c.subject, c.of, c.method, c.path, c.body, c.base)); err == nil {
			t.Errorf("%s %s may be sent unseen", c.method, c.path)
		}
		again := c.change
		if _, err := plan.Decode(forged(c.subject, c.of, c.method, c.path, c.body, c.base, c.change, again)); err == nil {
			t.Errorf("%s %s may show one change twice", c.method, c.path)
		}
	}
}

func TestARequestThatDoesNotFitItsBatchIsRefused(t *testing.T) {
	content := plan.OnContent(plan.DigestOf(nil))
	const noRequest, another, onNothing = "the request is none that writes it", "the body is of something else", "it stands on nothing"
	for _, c := range []struct {
		name                   string
		subject                plan.Subject
		of, method, path, body string
		base                   *plan.Base
		want                   string
	}{
		{"another tenant", plan.Tenant, "kisumu", "PUT", "/tenants/other", aTenant, content, noRequest},
		{"another tenant's facilities", plan.Provision, "kisumu", "POST", "/tenants/other/provision", aProvision, content, noRequest},
		{"another tenant's facility", plan.Facility, "kisumu", "PUT", "/tenants/other/facilities/a", aFacility, content, noRequest},
		{"another tenant's instruments", plan.Connect, "kisumu", "PUT", "/tenants/other/connect-entitlements", aConnect, content, noRequest},
		{"another tenant's administrator", plan.Admin, "kisumu", "DELETE", "/tenants/other/tenant-admins/eve@example.org", nothing, content, noRequest},
		{"another edition", plan.Edition, "basic", "PUT", "/registry/editions/extra", anEdition, plan.OnStamp(stamp(1)), noRequest},
		{"another organisation", plan.Organisation, "county", "PUT", "/clients/other", anOrganisation, content, noRequest},
		{"another tenant in the body of a new one", plan.Tenant, "other", "POST", "/tenants", aTenant, nil, another},
		{"another tenant in the body", plan.Tenant, "kisumu", "PUT", "/tenants/kisumu", strings.Replace(aTenant, "kisumu", "other", 1), content, another},
		{"another edition in the body", plan.Edition, "basic", "PUT", "/registry/editions/basic", strings.Replace(anEdition, "basic", "extra", 1), plan.OnStamp(stamp(1)), another},
		{"another edition in the body of a new one", plan.Edition, "extra", "POST", "/registry/editions", anEdition, nil, another},
		{"another organisation in the body", plan.Organisation, "county", "PUT", "/clients/county", strings.Replace(anOrganisation, "county", "other", 1), content, another},
		{"another organisation in the body of a new one", plan.Organisation, "other", "POST", "/clients", anOrganisation, nil, another},
		{"another tenant's licence", plan.Licence, "other", "POST", "/licenses", aLicence, nil, another},
		{"another facility in the body", plan.Facility, "kisumu", "PUT", "/tenants/kisumu/facilities/b", aFacility, content, another},
		{"a body that names nobody", plan.Tenant, "kisumu", "POST", "/tenants", `{"name":"K"}`, nil, another},
		{"a body that names no text", plan.Tenant, "kisumu", "POST", "/tenants", `{"id":["kisumu"]}`, nil, another},
		{"a body that is no object", plan.Tenant, "kisumu", "POST", "/tenants", `["kisumu"]`, nil, another},

		{"a path that climbs", plan.Connect, "kisumu", "PUT", "/tenants/kisumu/../other/connect-entitlements", aConnect, content, noRequest},
		{"a facility that climbs", plan.Facility, "kisumu", "PUT", "/tenants/kisumu/facilities/..", aFacility, content, noRequest},
		{"a facility that climbs in disguise", plan.Facility, "kisumu", "PUT", "/tenants/kisumu/facilities/%2e%2e", aFacility, content, noRequest},
		{"an address that climbs", plan.Admin, "kisumu", "DELETE", "/tenants/kisumu/tenant-admins/..%2F..%2Fother", nothing, content, noRequest},
		{"an address that climbs from within", plan.Admin, "kisumu", "DELETE", "/tenants/kisumu/tenant-admins/a%2F..%2F..%2Fother", nothing, content, noRequest},
		{"an address with a backslash", plan.Admin, "kisumu", "DELETE", "/tenants/kisumu/tenant-admins/..%5C..%5Cother", nothing, content, noRequest},
		{"an address with a line in it", plan.Admin, "kisumu", "DELETE", "/tenants/kisumu/tenant-admins/a%0Ab", nothing, content, noRequest},
		{"an address by another spelling", plan.Admin, "kisumu", "DELETE", "/tenants/kisumu/tenant-admins/%65ve@example.org", nothing, content, noRequest},
		{"no address", plan.Admin, "kisumu", "DELETE", "/tenants/kisumu/tenant-admins/", nothing, content, noRequest},
		{"a query", plan.Connect, "kisumu", "PUT", "/tenants/kisumu/connect-entitlements?force=1", aConnect, content, noRequest},
		{"a query after a name", plan.Facility, "kisumu", "PUT", "/tenants/kisumu/facilities/a?x", aFacility, content, noRequest},
		{"a fragment", plan.Facility, "kisumu", "PUT", "/tenants/kisumu/facilities/a#x", aFacility, content, noRequest},
		{"a parameter", plan.Facility, "kisumu", "PUT", "/tenants/kisumu/facilities/a;x", aFacility, content, noRequest},
		{"a space", plan.Facility, "kisumu", "PUT", "/tenants/kisumu/facilities/a HTTP", aFacility, content, noRequest},
		{"a path and more", plan.Connect, "kisumu", "PUT", "/tenants/kisumu/connect-entitlements/x", aConnect, content, noRequest},
		{"a doubled slash", plan.Connect, "kisumu", "PUT", "//tenants/kisumu/connect-entitlements", aConnect, content, noRequest},
		{"another host", plan.Connect, "kisumu", "PUT", "https://example.org/tenants/kisumu/connect-entitlements", aConnect, content, noRequest},
		{"no path", plan.Connect, "kisumu", "PUT", "", aConnect, content, noRequest},

		{"a licence's path in a connection's place", plan.Connect, "kisumu", "POST", "/licenses", aLicence, nil, noRequest},
		{"an edition's path in an administrator's place", plan.Admin, "kisumu", "PUT", "/registry/editions/kisumu", anEdition, content, noRequest},
		{"rows in a connection's place", plan.Connect, "kisumu", "PUT", "/tenants/kisumu/entitlements", `{"rows":[]}`, content, noRequest},
		{"rows as a request", plan.Entitlements, "kisumu", "PUT", "/tenants/kisumu/entitlements", `{"rows":[]}`, plan.OnStamp(stamp(1)), "not sent as something else"},
		{"a deletion of a tenant", plan.Tenant, "kisumu", "DELETE", "/tenants/kisumu", nothing, content, noRequest},
		{"a deletion of a facility", plan.Facility, "kisumu", "DELETE", "/tenants/kisumu/facilities/a", nothing, content, noRequest},
		{"a suspension", plan.Tenant, "kisumu", "POST", "/subscriptions/kisumu/status", `{"status":"suspended"}`, content, noRequest},
		{"a licence that moves", plan.Licence, "kisumu", "POST", "/licenses/kisumu.0a/rebind", nothing, content, noRequest},
		{"a method in small letters", plan.Tenant, "kisumu", "put", "/tenants/kisumu", aTenant, content, noRequest},
		{"no request", plan.Connect, "kisumu", "", "", "", content, "it has no request"},

		{"a correction of what is not there", plan.Tenant, "kisumu", "PUT", "/tenants/kisumu", aTenant, nil, onNothing},
		{"a revocation of whatever is there", plan.Licence, "kisumu", "POST", "/licenses/other.0a/revoke", nothing, nil, onNothing},
		{"a withdrawal of whoever is there", plan.Admin, "kisumu", "DELETE", "/tenants/kisumu/tenant-admins/eve@example.org", nothing, nil, onNothing},
		{"instruments on nothing", plan.Connect, "kisumu", "PUT", "/tenants/kisumu/connect-entitlements", aConnect, nil, onNothing},
		{"facilities on nothing", plan.Provision, "kisumu", "POST", "/tenants/kisumu/provision", aProvision, nil, onNothing},
		{"rows on nothing", plan.Entitlements, "kisumu", "", "", "", nil, "rows stand on a revision"},
		{"rows on other contents", plan.Entitlements, "kisumu", "", "", "", content, "rows stand on a revision"},

		{"a field that nobody compares", plan.Tenant, "kisumu", "PUT", "/tenants/kisumu", strings.Replace(aTenant, "{", `{"status":"active",`, 1), content, "status"},
		{"the same by another case", plan.Tenant, "kisumu", "PUT", "/tenants/kisumu", strings.Replace(aTenant, "{", `{"ID":"other",`, 1), content, "ID"},
		{"an authority of its own", plan.Connect, "kisumu", "PUT", "/tenants/kisumu/connect-entitlements", `{"authority":{},"instruments":[]}`, content, "authority"},
		{"another tenant beside the instruments", plan.Connect, "kisumu", "PUT", "/tenants/kisumu/connect-entitlements", `{"instruments":[],"tenant":"other"}`, content, "tenant"},
		{"a body where there is none", plan.Admin, "kisumu", "DELETE", "/tenants/kisumu/tenant-admins/eve@example.org", anAdmin, content, "email"},

		{"no tenant", plan.Connect, "..", "PUT", "/tenants/../connect-entitlements", aConnect, content, "tenant"},
		{"no tenant, in disguise", plan.Connect, "%2e%2e", "PUT", "/tenants/%2e%2e/connect-entitlements", aConnect, content, "tenant"},
		{"a tenant of nothing", plan.Connect, "", "PUT", "/tenants//connect-entitlements", aConnect, content, "tenant"},
		{"no edition", plan.Edition, "%2e%2e", "PUT", "/registry/editions/%2e%2e", strings.Replace(anEdition, "basic", "%2e%2e", 1), plan.OnStamp(stamp(1)), "edition"},
		{"no organisation", plan.Organisation, "a\nb", "PUT", "/clients/a\nb", strings.Replace(anOrganisation, "county", `a\nb`, 1), content, "organisation"},
		{"no subject", "tenants", "kisumu", "PUT", "/tenants/kisumu", aTenant, content, "the subject is not known"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := plan.Decode(forged(c.subject, c.of, c.method, c.path, c.body, c.base))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestARequestThatWasEditedIsRefused(t *testing.T) {
	file := string(must(plan.Encode(build(customer(), plan.Live{Absent: true}))))
	for name, edit := range map[string][2]string{
		"its body":       {`"key": "xn"`, `"key": "zz"`},
		"its name":       {`"name": "Kisumu"`, `"name": "Kisumo"`},
		"what it is":     {`"subject": "connect"`, `"subject": "admin"`},
		"whose it is":    {`"/tenants/kisumu/connect-entitlements"`, `"/tenants/other/connect-entitlements"`},
		"what it has":    {`"licensed": true`, `"licensed": false`},
		"whom it is for": {`"email": "eve@example.org"`, `"email": "mallory@example.org"`},
	} {
		if !strings.Contains(file, edit[0]) {
			t.Fatalf("the plan has no %s", edit[0])
		}
		if _, err := plan.Decode([]byte(strings.ReplaceAll(file, edit[0], edit[1]))); err == nil {
			t.Errorf("%s may be edited", name)
		}
	}
}

// TestWhatOnlyALaterVersionKnowsIsShown reads fields, bodies and subjects that are
// not known here.
func TestWhatOnlyALaterVersionKnowsIsShown(t *testing.T) {
	later := func(batch plan.Batch) []byte {
		p := build(tenant(), live(inStep))
		p.FormatVersion, p.Batches = "1.9", []plan.Batch{batch}
		return sealed(p)
	}
	content := plan.OnContent(plan.DigestOf(nil))
	for name, batch := range map[string]plan.Batch{
		"a field": {Base: content, Subject: plan.Tenant, Tenant: "kisumu", Request: &plan.Request{
			Method: "PUT", Path: "/tenants/kisumu", Body: json.RawMessage(strings.Replace(aTenant, "{", `{"colour":"red",`, 1)),
		}},
		"a subject": {Subject: "ward-round", Tenant: ""},
	} {
		p, err := plan.Decode(later(batch))
		if err != nil || p.KnownMinor() {
			t.Errorf("%s: %v", name, err)
		}
	}
	other := plan.Batch{Base: content, Subject: plan.Tenant, Tenant: "kisumu", Request: &plan.Request{Method: "PUT", Path: "/tenants/other", Body: json.RawMessage(aTenant)}}
	if _, err := plan.Decode(later(other)); err == nil {
		t.Error("another tenant's request is taken in a later version")
	}
}

func TestOneThingIsWrittenByOneBatch(t *testing.T) {
	p := build(customer(), plan.Live{Absent: true})
	for i := range p.Batches {
		twice := *p
		twice.Batches = append([]plan.Batch{p.Batches[i]}, p.Batches...)
		if _, err := plan.Decode(sealed(&twice)); err == nil || !strings.Contains(err.Error(), "has two batches") {
			t.Errorf("%s: error %v", p.Batches[i].Subject, err)
		}
	}
}

func TestAPlanOfEverythingDecodesToTheSameBytes(t *testing.T) {
	declared, l := customer(), settled()
	l.Facilities[0].Beds++
	l.Facilities, l.Instruments, l.Admins = l.Facilities[:1], []string{}, l.Admins[:1]
	declared.Licence.Revoked, declared.Admins[0].Withdrawn = "moved", "left"
	for name, p := range map[string]*plan.Plan{"new": build(customer(), plan.Live{Absent: true}), "altered": build(declared, l)} {
		file := must(plan.Encode(p))
		if again := must(plan.Encode(must(plan.Decode(file)))); !bytes.Equal(file, again) {
			t.Errorf("%s: it is written otherwise than it was read", name)
		}
		if sorted := must(json.MarshalIndent(anything(file), "", "  ")); !bytes.Equal(unescaped(sorted), bytes.TrimSuffix(file, []byte("\n"))) {
			t.Errorf("%s: its keys are not sorted", name)
		}
	}
}

// anything reads JSON into maps, which are written with sorted keys.
func anything(file []byte) any {
	var value any
	decoder := json.NewDecoder(bytes.NewReader(file))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		panic(err)
	}
	return value
}

func unescaped(text []byte) []byte {
	for from, to := range map[string]string{`\u0026`: "&", `\u003c`: "<", `\u003e`: ">"} {
		text = bytes.ReplaceAll(text, []byte(from), []byte(to))
	}
	return text
}

func TestBatchesStandInTheOrderInWhichTheyAreCarriedOut(t *testing.T) {
	b := plan.NewBuilder(plan.Header{At: day("2027-01-01"), Environment: environment("default")}, testCatalog(), nil)
	for _, id := range []string{"zz", "kisumu", "aa"} {
		declared := customer()
		declared.ID = tenantID(id)
		b.Add(must(b.Tenant(declared, plan.Live{Absent: true})))
	}
	organisation := catalog.Organisation{ID: must(catalog.ParseOrganisationID("county")), Name: "County"}
	for _, part := range must(b.Organisations([]catalog.Organisation{organisation}, map[string]catalog.LiveOrganisation{})) {
		b.Add(part)
	}
	for _, part := range must(b.Editions(map[string]catalog.LiveEdition{}, all)) {
		b.Add(part)
	}
	var got []string
	for _, batch := range must(b.Plan()).Batches {
		name := string(batch.Subject) + " " + batch.Tenant
		if batch.Subject == plan.Admin {
			name += " " + batch.Changes[0].Key
		}
		got = append(got, name)
	}
	want := []string{"edition basic", "organisation county"}
	for _, subject := range []string{"tenant", "licence", "provision", "entitlements", "connect"} {
		for _, id := range []string{"aa", "kisumu", "zz"} {
			want = append(want, subject+" "+id)
		}
	}
	for _, id := range []string{"aa", "kisumu", "zz"} {
		want = append(want, "admin "+id+" eve@example.org", "admin "+id+" grace@example.org")
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q, want %q", got, want)
	}
}
