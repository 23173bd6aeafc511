package ehr_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/reconcile/ehr"
)

// pageOf writes a page of tenants. A next of "" is the end.
func pageOf(total int, snapshot, next string, ids ...string) string {
	items := make([]string, len(ids))
	for i, id := range ids {
		items[i] = fmt.Sprintf(`{"id":%q,"status":"active"}`, id)
	}
	cursor := "null"
	if next != "" {
		cursor = fmt.Sprintf("%q", next)
	}
	return fmt.Sprintf(`{"items":[%s],"next_cursor":%s,"total":%d,"snapshot":%q}`, strings.Join(items, ","), cursor, total, snapshot)
}

// listed reads all tenants of a platform.
func listed(t testing.TB, client *ehr.Client) (ids []string, snapshot string, err error) {
	t.Helper()
	snapshot, err = client.Tenants(t.Context(), func(tenant ehr.Tenant) error {
		ids = append(ids, tenant.ID.String())
		return nil
	})
	return ids, snapshot, err
}

func TestAListIsReadToItsEnd(t *testing.T) {
	for name, c := range map[string]struct {
		pages []http.HandlerFunc
		want  []string
	}{
		"three pages": {[]http.HandlerFunc{
			gives(pageOf(5, "s1", "two", "a", "b")), gives(pageOf(5, "s1", "three&?=ü", "c", "d")), gives(pageOf(5, "s1", "", "e")),
		}, []string{"a", "b", "c", "d", "e"}},
		"one page":               {[]http.HandlerFunc{gives(pageOf(1, "s1", "", "a"))}, []string{"a"}},
		"nothing":                {[]http.HandlerFunc{gives(pageOf(0, "s1", ""))}, nil},
		"a page that comes late": {[]http.HandlerFunc{gives(pageOf(2, "s1", "two", "a")), drops, gives(pageOf(2, "s1", "", "b"))}, []string{"a", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			platform := play(t, c.pages...)
			ids, snapshot, err := listed(t, platform.client(t))
			if err != nil || snapshot != "s1" {
				t.Fatalf("snapshot %q, %v", snapshot, err)
			}
			if diff := cmp.Diff(c.want, ids); diff != "" {
				t.Error(diff)
			}
			for _, r := range platform.requests() {
				if r.URL.Path != "/tenants" || r.URL.Query().Get("limit") != "1000" {
					t.Errorf("asked for %s", r.URL)
				}
			}
		})
	}
}

func TestEachPageIsAskedForByTheCursorOfTheOneBefore(t *testing.T) {
	const odd = "a b&limit=1#/?%2e+ü"
	platform := play(t, gives(pageOf(2, "s1", odd, "a")), gives(pageOf(2, "s1", "", "b")))
	if _, _, err := listed(t, platform.client(t)); err != nil {
		t.Fatal(err)
	}
	asked := platform.requests()
	if asked[0].URL.Query().Has("cursor") {
		t.Errorf("the first page was asked for by %s", asked[0].URL)
	}
	if got := asked[1].URL.Query().Get("cursor"); got != odd {
		t.Errorf("cursor %q, want %q", got, odd)
	}
}

func TestAListThatIsNotWholeIsUnknown(t *testing.T) {
	for name, c := range map[string]struct {
		pages []http.HandlerFunc
		says  string
	}{
		"nothing, and a total":           {[]http.HandlerFunc{gives(pageOf(3, "s1", ""))}, "lists 0 and says that there are 3"},
		"one too few":                    {[]http.HandlerFunc{gives(pageOf(3, "s1", "", "a", "b"))}, "lists 2 and says that there are 3"},
		"one too many":                   {[]http.HandlerFunc{gives(pageOf(1, "s1", "", "a", "b"))}, "lists 2 and says that there are 1"},
		"fewer than none":                {[]http.HandlerFunc{gives(pageOf(-1, "s1", ""))}, "lists 0 and says that there are -1"},
		"pages of two snapshots":         {[]http.HandlerFunc{gives(pageOf(2, "s1", "two", "a")), gives(pageOf(2, "s2", "", "b"))}, "two snapshots"},
		"pages with two totals":          {[]http.HandlerFunc{gives(pageOf(3, "s1", "two", "a")), gives(pageOf(2, "s1", "", "b"))}, "two snapshots"},
		"a cursor that stays":            {[]http.HandlerFunc{gives(pageOf(9, "s1", "two", "a"))}, "circle"},
		"cursors that go round":          {[]http.HandlerFunc{gives(pageOf(9, "s1", "two", "a")), gives(pageOf(9, "s1", "three", "b")), gives(pageOf(9, "s1", "two", "c"))}, "circle"},
		"a cursor of nothing":            {[]http.HandlerFunc{gives(`{"items":[{"id":"a","status":"active"}],"next_cursor":"","total":2,"snapshot":"s1"}`)}, "circle"},
		"an empty page before the last":  {[]http.HandlerFunc{gives(pageOf(1, "s1", "two")), gives(pageOf(1, "s1", "", "a"))}, "goes on after 0 items"},
		"more pages than the total":      {[]http.HandlerFunc{gives(pageOf(1, "s1", "two", "a")), gives(pageOf(1, "s1", "", "b"))}, "goes on after 1 items"},
		"no items":                       {[]http.HandlerFunc{gives(`{"next_cursor":null,"total":0,"snapshot":"s1"}`)}, "lacks"},
		"items of null":                  {[]http.HandlerFunc{gives(`{"items":null,"next_cursor":null,"total":0,"snapshot":"s1"}`)}, "lacks"},
		"no total":                       {[]http.HandlerFunc{gives(`{"items":[],"next_cursor":null,"snapshot":"s1"}`)}, "lacks"},
		"no snapshot":                    {[]http.HandlerFunc{gives(`{"items":[],"next_cursor":null,"total":0}`)}, "lacks"},
		"a total in words":               {[]http.HandlerFunc{gives(`{"items":[],"next_cursor":null,"total":"0","snapshot":"s1"}`)}, "cannot be read"},
		"an item that is no tenant":      {[]http.HandlerFunc{gives(pageOf(2, "s1", "", "a", "B"))}, "item 1: tenant id"},
		"an item without a status":       {[]http.HandlerFunc{gives(`{"items":[{"id":"a"}],"next_cursor":null,"total":1,"snapshot":"s1"}`)}, "no status"},
		"an item of another kind":        {[]http.HandlerFunc{gives(`{"items":[7],"next_cursor":null,"total":1,"snapshot":"s1"}`)}, "item 0"},
		"a second page that is a page":   {[]http.HandlerFunc{gives(pageOf(2, "s1", "two", "a")), says(200, "text/html", signIn)}, "text/html"},
		"a second page that never comes": {[]http.HandlerFunc{gives(pageOf(2, "s1", "two", "a")), drops}, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := listed(t, play(t, c.pages...).client(t))
			mustBeUnknown(t, err, c.says)
		})
	}
}

func TestAPageThatIsRefusedIsThePlatformsWord(t *testing.T) {
	_, _, err := listed(t, play(t, gives(pageOf(2, "s1", "two", "a")), refuses(400, "bad-cursor")).client(t))
	var said *ehr.Problem
	if !errors.As(err, &said) || said.Code != "bad-cursor" {
		t.Errorf("error %v", err)
	}
}

func TestFacilitiesAreListed(t *testing.T) {
	platform := play(t, gives(`{"items":[{"id":"main","name":"Main","users":5,"storage_gb":7},{"id":"annex","name":"Annex","beds":3,"later":1}],"next_cursor":null,"total":2,"snapshot":"s1"}`))
	facilities, err := platform.client(t).Facilities(t.Context(), tenantID(t, "mercy"))
	want := []catalog.LiveFacility{{ID: "annex", Name: "Annex", Beds: 3}, {ID: "main", Name: "Main", Users: 5, StorageGB: 7}}
	if diff := cmp.Diff(want, facilities); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if got := platform.requests()[0].URL.Path; got != "/tenants/mercy/facilities" {
		t.Errorf("path %s", got)
	}
	_, err = play(t, gives(`{"items":[{"id":"Main"}],"next_cursor":null,"total":1,"snapshot":"s1"}`)).client(t).Facilities(t.Context(), tenantID(t, "mercy"))
	mustBeUnknown(t, err, "facility id")
}

func TestAGrantIsReadWhole(t *testing.T) {
	g, err := ask(t, play(t, gives(`{"tenant":"mercy","revision":7,"rows":[{"facility":"main","module":"rx"},{"facility":"annex","module":"lab"}],
		"authority":{"batch":"sha256:12","plan":"x"},"etag":"\"not-this\"","later":[1]}`, "ETag", etag)).client(t))
	if err != nil {
		t.Fatal(err)
	}
	want := catalog.Grant{
		Tenant: tenantID(t, "mercy"), Stamp: catalog.Stamp{Revision: 7, ETag: etag},
		Rows: rowsOf(t, "annex lab", "main rx"), Batch: "sha256:12",
	}
	if diff := cmp.Diff(want, g, allUnexported); diff != "" {
		t.Error(diff)
	}
}

func TestAGrantThatIsNotWholeIsUnknown(t *testing.T) {
	for name, c := range map[string]struct {
		body, etag, says string
	}{
		"no revision":            {`{"tenant":"mercy","rows":[]}`, etag, "lacks its revision"},
		"no rows":                {`{"tenant":"mercy","revision":7}`, etag, "lacks its rows"},
		"rows of null":           {`{"tenant":"mercy","revision":7,"rows":null}`, etag, "lacks its rows"},
		"no tenant":              {`{"revision":7,"rows":[]}`, etag, "tenant id"},
		"another tenant":         {strings.Replace(grantOf7, "mercy", "grace", 1), etag, "grant of tenant grace"},
		"no ETag":                {grantOf7, "", "ETag"},
		"a weak ETag":            {grantOf7, `W/"7-abc"`, "ETag"},
		"an ETag without quotes": {grantOf7, `7-abc`, "ETag"},
		"two ETags":              {grantOf7, `"7", "8"`, "ETag"},
		"an ETag with a space":   {grantOf7, `"7 abc"`, "ETag"},
		"an ETag without end":    {grantOf7, `"` + strings.Repeat("7", 300) + `"`, "ETag"},
		"a revision below none":  {`{"tenant":"mercy","revision":-1,"rows":[]}`, etag, "revision -1"},
		"a revision in parts":    {`{"tenant":"mercy","revision":7.5,"rows":[]}`, etag, "cannot be read"},
		"a revision past 2^63":   {`{"tenant":"mercy","revision":9223372036854775808,"rows":[]}`, etag, "cannot be read"},
		"a row of no facility":   {`{"tenant":"mercy","revision":7,"rows":[{"module":"lab"}]}`, etag, "facility id"},
		"a row of no module":     {`{"tenant":"mercy","revision":7,"rows":[{"facility":"main"}]}`, etag, "EHR module key"},
		"a row of bad words":     {`{"tenant":"mercy","revision":7,"rows":[{"facility":"main","module":"lab\n+ main rx"}]}`, etag, "EHR module key"},
		"a row that is null":     {`{"tenant":"mercy","revision":7,"rows":[null]}`, etag, "facility id"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ask(t, play(t, gives(c.body, "ETag", c.etag)).client(t))
			mustBeUnknown(t, err, c.says)
		})
	}
}
