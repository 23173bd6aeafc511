package ehr_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/reconcile/ehr"
)

// page1 is a listing of one page.
func page1(items ...string) http.HandlerFunc {
	total, _ := json.Marshal(len(items))
	return gives(`{"items":[` + strings.Join(items, ",") + `],"next_cursor":null,"total":` + string(total) + `,"snapshot":"s1"}`)
}

const (
	anEdition = `{"key":"basic","name":"Basic","modules":["rx","lab"],"limits":{"facilities":null,"users":null,"beds":100,"storage_gb":null},"revision":3,"authority":null,"etag":"\"3-abc\""}`
	aLicence  = `{"id":"mercy.0a","tenant":"mercy","state":"active","token":"s3cret","modules":[{"facility":"main","module":"lab","from":null,"until":"2027-01-01T00:00:00Z"}],` +
		`"limits":{"beds":100},"not_before":"2026-01-01T00:00:00Z","expires":"2028-01-01T00:00:00+00:00"}`
	anAdmin = `{"email":"grace@example.org","name":"Grace","state":"invited"}`
)

func editionOf(etag string) catalog.LiveEdition {
	beds := int64(100)
	return catalog.LiveEdition{
		Key: "basic", Name: "Basic", Modules: []string{"lab", "rx"}, Limits: catalog.LiveLimits{Beds: &beds}, Stamp: catalog.Stamp{Revision: 3, ETag: etag},
	}
}

func TestTheRegistryIsRead(t *testing.T) {
	platform := play(t, page1(anEdition))
	editions, err := platform.client(t).Editions(t.Context())
	if diff := cmp.Diff(map[string]catalog.LiveEdition{"basic": editionOf(`"3-abc"`)}, editions); diff != "" || err != nil {
		t.Error(diff, err)
	}
	edition, err := play(t, gives(anEdition, "ETag", `"3-header"`)).client(t).Edition(t.Context(), "basic")
	if diff := cmp.Diff(editionOf(`"3-header"`), edition); diff != "" || err != nil {
		t.Error(diff, err)
	}
	organisations, err := play(t, page1(`{"id":"county","name":"County","later":1}`)).client(t).Organisations(t.Context())
	if diff := cmp.Diff(map[string]catalog.LiveOrganisation{"county": {ID: "county", Name: "County"}}, organisations); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if got := platform.requests()[0].URL.Path; got != "/editions" {
		t.Errorf("path %s", got)
	}
}

func TestInstrumentsAreTheLicensedOnes(t *testing.T) {
	platform := play(t, gives(`{"tenant":"mercy","instruments":[{"key":"z","licensed":true},{"key":"b","licensed":false},{"key":"a","licensed":true},{"key":"z","licensed":true}]}`))
	keys, err := platform.client(t).Connect(t.Context(), tenantID(t, "mercy"))
	if diff := cmp.Diff([]string{"a", "z"}, keys); diff != "" || err != nil {
		t.Error(diff, err)
	}
	keys, err = play(t, gives(`{"tenant":"mercy","instruments":[]}`)).client(t).Connect(t.Context(), tenantID(t, "mercy"))
	if keys == nil || len(keys) != 0 || err != nil {
		t.Errorf("%v, %v; none is not the same as not known", keys, err)
	}
}

func TestAdministratorsAreListed(t *testing.T) {
	admins, err := play(t, page1(anAdmin)).client(t).Admins(t.Context(), tenantID(t, "mercy"))
	if diff := cmp.Diff([]catalog.LiveAdmin{{Email: "grace@example.org", Name: "Grace", State: "invited"}}, admins); diff != "" || err != nil {
		t.Error(diff, err)
	}
	admins, err = play(t, page1()).client(t).Admins(t.Context(), tenantID(t, "mercy"))
	if admins == nil || len(admins) != 0 || err != nil {
		t.Errorf("%v, %v; none is not the same as not known", admins, err)
	}
}

// TestALicenceIsKeptWithoutItsToken also holds its terms to the platform's own
// words: a time may be written in more than one way.
func TestALicenceIsKeptWithoutItsToken(t *testing.T) {
	beds, until := int64(100), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	want := catalog.LiveLicence{
		ID: "mercy.0a", State: "active", Expires: time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC), NotBefore: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		Limits: catalog.LiveLimits{Beds: &beds}, Modules: []catalog.LicensedModule{{Facility: "main", Module: "lab", Until: &until}},
		Terms: []byte(`{"expires":"2028-01-01T00:00:00+00:00","id":"mercy.0a","limits":{"beds":100},"modules":[{"facility":"main","module":"lab","from":null,"until":"2027-01-01T00:00:00Z"}]}`),
	}
	for name, of := range map[string]catalog.TenantID{"limit=1000&tenant=mercy": tenantID(t, "mercy"), "limit=1000": {}} {
		platform := play(t, page1(aLicence))
		licences, err := platform.client(t).Licences(t.Context(), of)
		if diff := cmp.Diff(map[string][]catalog.LiveLicence{"mercy": {want}}, licences); diff != "" || err != nil {
			t.Error(diff, err)
		}
		if got := platform.requests()[0].URL.Query().Encode(); got != name {
			t.Errorf("query %s, want %s", got, name)
		}
	}
}

func TestWhatIsNotWholeInTheRegistryIsUnknown(t *testing.T) {
	mercy := tenantID(t, "mercy")
	editions := func(c *ehr.Client) error { _, err := c.Editions(t.Context()); return err }
	edition := func(c *ehr.Client) error { _, err := c.Edition(t.Context(), "basic"); return err }
	organisations := func(c *ehr.Client) error { _, err := c.Organisations(t.Context()); return err }
	facilities := func(c *ehr.Client) error { _, err := c.Facilities(t.Context(), mercy); return err }
	connect := func(c *ehr.Client) error { _, err := c.Connect(t.Context(), mercy); return err }
	admins := func(c *ehr.Client) error { _, err := c.Admins(t.Context(), mercy); return err }
	licences := func(c *ehr.Client) error { _, err := c.Licences(t.Context(), mercy); return err }
	without := func(text, old, new string) string {
		if !strings.Contains(text, old) {
			t.Fatalf("no %s in %s", old, text)
		}
		return strings.Replace(text, old, new, 1)
	}
	for name, c := range map[string]struct {
		ask    func(*ehr.Client) error
		answer http.HandlerFunc
		says   string
	}{
		"an edition without modules":           {editions, page1(without(anEdition, `"modules":["rx","lab"],`, "")), "lacks its name, modules"},
		"an edition of null modules":           {editions, page1(without(anEdition, `["rx","lab"]`, "null")), "lacks its name, modules"},
		"an edition without limits":            {editions, page1(without(anEdition, `"limits"`, `"bounds"`)), "lacks its name, modules"},
		"an edition without a revision":        {editions, page1(without(anEdition, `"revision":3,`, "")), "lacks its name, modules"},
		"an edition without a tag":             {editions, page1(without(anEdition, `,"etag":"\"3-abc\""`, "")), "not those of an edition"},
		"an edition of no key":                 {editions, page1(without(anEdition, `"basic"`, `"../basic"`)), "edition"},
		"an edition twice":                     {editions, page1(anEdition, anEdition), "basic is listed twice"},
		"an edition with half a limit":         {editions, page1(without(anEdition, `100`, `1.5`)), "cannot be read"},
		"editions in a page":                   {editions, says(200, "text/html", signIn), "text/html"},
		"another edition":                      {edition, gives(without(anEdition, "basic", "extra"), "ETag", etag), "answers with edition extra"},
		"an edition without its header":        {edition, gives(anEdition), "not those of an edition"},
		"an organisation of no id":             {organisations, page1(`{"id":"County","name":"C"}`), "organisation"},
		"an organisation twice":                {organisations, page1(`{"id":"c","name":"C"}`, `{"id":"c","name":"D"}`), "c is listed twice"},
		"a facility twice":                     {facilities, page1(`{"id":"main","name":"M"}`, `{"id":"main","name":"N"}`), "main is listed twice"},
		"no instruments":                       {connect, gives(`{"tenant":"mercy"}`), "lacks its instruments"},
		"null instruments":                     {connect, gives(`{"tenant":"mercy","instruments":null}`), "lacks its instruments"},
		"an administrator without an address":  {admins, page1(without(anAdmin, `"grace@example.org"`, `""`)), "lacks an e-mail address or state"},
		"an administrator without a state":     {admins, page1(without(anAdmin, `,"state":"invited"`, "")), "lacks an e-mail address or state"},
		"administrators of another total":      {admins, gives(`{"items":[],"next_cursor":null,"total":1,"snapshot":"s1"}`), "says that there are 1"},
		"a licence of another tenant":          {licences, page1(without(aLicence, `"tenant":"mercy"`, `"tenant":"grace"`)), "licence of tenant"},
		"a licence without an end":             {licences, page1(without(aLicence, `"expires"`, `"ends"`)), "lacks its id"},
		"a licence without modules":            {licences, page1(without(aLicence, `"modules"`, `"rows"`)), "lacks its id"},
		"a licence without a state":            {licences, page1(without(aLicence, `"active"`, `""`)), "lacks its id"},
		"a licence that ends on no day":        {licences, page1(without(aLicence, "2028-01-01T", "2028-13-01T")), "cannot be read"},
		"licences that cannot be read at once": {licences, says(503, "text/plain", ""), "503"},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.ask(play(t, c.answer).client(t, func(o *ehr.Options) { o.Retries = -1 }))
			mustBeUnknown(t, err, c.says)
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
}

func TestARequestIsSentWithItsAuthority(t *testing.T) {
	authority := &ehr.Authority{Approvals: []ehr.Approval{}, Base: "base none", Batch: "sha256:12", Environment: "default"}
	for _, c := range []struct{ method, etag string }{{"POST", ""}, {"PUT", base.ETag}, {"DELETE", ""}} {
		var body []byte
		platform := play(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ = io.ReadAll(r.Body)
			gives(`{"id":"mercy"}`)(w, r)
		})
		err := platform.client(t).Send(t.Context(), c.method, "/tenants/a%2Fb", json.RawMessage(`{"id":"mercy"}`), c.etag, authority, key)
		if err != nil {
			t.Fatal(err)
		}
		r := platform.requests()[0]
		if r.Method != c.method || r.URL.EscapedPath() != "/tenants/a%2Fb" || r.Header.Get("If-Match") != c.etag || len(r.Header.Values("If-Match")) != min(1, len(c.etag)) || r.Header.Get("Idempotency-Key") != key {
			t.Errorf("%s %s %q", r.Method, r.URL, r.Header)
		}
		const want = `{"authority":{"approvals":[],"base":"base none","batch":"sha256:12","environment":"default","mandate":null,"receipt":null},"id":"mercy"}`
		if string(body) != want {
			t.Errorf("body %s, want %s", body, want)
		}
	}
}

func TestAWriteWasCarriedOutWhereThePlatformSaysSo(t *testing.T) {
	send := func(answer http.HandlerFunc) error {
		return play(t, answer).client(t, func(o *ehr.Options) { o.Retries = -1 }).Send(t.Context(), "POST", "/tenants", json.RawMessage(`{}`), "", nil, key)
	}
	for name, answer := range map[string]http.HandlerFunc{
		"200": gives(`{}`), "201": says(201, "application/json", `{"id":"mercy"}`), "204": says(204, "", ""),
	} {
		if err := send(answer); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, answer := range map[string]http.HandlerFunc{
		"a sign-in page": says(200, "text/html", signIn), "an accepted one": says(202, "application/json", `{}`), "half an answer": says(201, "application/json", `{"id"`),
		"no JSON": says(201, "", ""), "a redirect": says(303, "", "", "Location", "/"), "a fault": says(500, "text/plain", ""), "no answer": drops,
	} {
		if err := send(answer); !ehr.IsUnknown(err) {
			t.Errorf("%s: error %v, want an unknown answer", name, err)
		}
	}
	if err := send(refuses(409, ehr.CodeExists)); !ehr.IsExists(err) || ehr.IsUnknown(err) {
		t.Errorf("error %v, want one that says that it is there", err)
	}
	for name, answer := range map[string]http.HandlerFunc{"another status": refuses(422, ehr.CodeExists), "another code": refuses(409, "in-use")} {
		if err := send(answer); err == nil || ehr.IsExists(err) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	client := play(t, gives(`{}`)).client(t)
	if err := client.Send(t.Context(), "POST", "/tenants", json.RawMessage(`[]`), "", nil, key); err == nil {
		t.Error("a body that is no object is sent")
	}
}
