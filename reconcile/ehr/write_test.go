package ehr_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/reconcile/ehr"
)

const key = "5f0c"

var base = catalog.Stamp{Revision: 6, ETag: `"6-base"`}

// put writes the rows of grantOf7.
func put(t testing.TB, c *ehr.Client) (catalog.Stamp, error) {
	t.Helper()
	authority := &ehr.Authority{Approvals: []ehr.Approval{}, Base: "base 6", Batch: "sha256:12", Environment: "default"}
	return c.PutGrant(t.Context(), tenantID(t, "mercy"), base, rowsOf(t, "main lab"), authority, key)
}

func TestAWriteSendsItsConditionItsKeyAndItsAuthority(t *testing.T) {
	var body []byte
	platform := play(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ = io.ReadAll(r.Body)
		gives(grantOf7, "ETag", etag)(w, r)
	})
	stamp, err := put(t, platform.client(t))
	if err != nil || stamp != (catalog.Stamp{Revision: 7, ETag: etag}) {
		t.Fatalf("%+v, %v", stamp, err)
	}
	r := platform.requests()[0]
	if r.Method != http.MethodPut || r.URL.Path != "/tenants/mercy/entitlements" || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s %s, %q", r.Method, r.URL, r.Header)
	}
	checkConditions(t, r)
	const want = `{"authority":{"approvals":[],"base":"base 6","batch":"sha256:12","environment":"default","mandate":null,"receipt":null},` +
		`"rows":[{"facility":"main","module":"lab"}]}`
	if string(body) != want {
		t.Errorf("body %s, want %s", body, want)
	}
}

func checkConditions(t testing.TB, r *http.Request) {
	t.Helper()
	for name, want := range map[string]string{"If-Match": base.ETag, "Idempotency-Key": key, "Authorization": "Bearer " + token, "User-Agent": "charter/test"} {
		if diff := cmp.Diff([]string{want}, r.Header.Values(name)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestAWriteOfNoRowsSaysSo(t *testing.T) {
	var body map[string]json.RawMessage
	platform := play(t, func(w http.ResponseWriter, r *http.Request) {
		json.NewDecoder(r.Body).Decode(&body)
		gives(`{"tenant":"mercy","revision":7,"rows":[]}`, "ETag", etag)(w, r)
	})
	if _, err := platform.client(t).PutGrant(t.Context(), tenantID(t, "mercy"), base, nil, nil, key); err != nil {
		t.Fatal(err)
	}
	if string(body["rows"]) != "[]" {
		t.Errorf("rows %s, want []", body["rows"])
	}
}

// TestEveryTryOfAWriteIsTheSame loses, delays and refuses the first tries.
func TestEveryTryOfAWriteIsTheSame(t *testing.T) {
	var mu sync.Mutex
	var bodies []string
	note := func(then http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			bodies = append(bodies, string(body))
			mu.Unlock()
			then(w, r)
		}
	}
	platform := play(t, note(drops), note(says(502, "text/html", "")), note(hangs), note(slowBody), note(cutAt(999, grantOf7)),
		note(refuses(429, "rate-limited", "Retry-After", "0")), note(gives(grantOf7, "ETag", etag)))
	if _, err := put(t, platform.client(t, func(o *ehr.Options) { o.Retries, o.Timeout = 10, 300*time.Millisecond })); err != nil {
		t.Fatal(err)
	}
	if len(bodies) < 7 {
		t.Fatalf("%d tries", len(bodies))
	}
	for i, r := range platform.requests() {
		checkConditions(t, r)
		if bodies[i] != bodies[0] || bodies[i] == "" {
			t.Errorf("try %d: body %q, at first %q", i, bodies[i], bodies[0])
		}
	}
}

// TestRowsThatComeBackInAnotherSpellingAreTheSame answers a write in another
// order, with spaces, escapes and a field that nobody knows.
func TestRowsThatComeBackInAnotherSpellingAreTheSame(t *testing.T) {
	const other = `{ "rows": [ {"module": "l\u0061b", "since": 1, "facility": "main"} ], "tenant": "mercy", "revision": 7 }`
	if stamp, err := put(t, play(t, gives(other, "ETag", etag)).client(t)); err != nil || stamp != (catalog.Stamp{Revision: 7, ETag: etag}) {
		t.Errorf("%+v, %v", stamp, err)
	}
}

func TestAWriteThatWasNotAnsweredAsAskedIsUnknown(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		says   string
	}{
		"other rows":                 {gives(strings.Replace(grantOf7, `"lab"}`, `"rx"}`, 1), "ETag", etag), "other rows"},
		"more rows":                  {gives(strings.Replace(grantOf7, `[{`, `[{"facility":"annex","module":"lab"},{`, 1), "ETag", etag), "other rows"},
		"no rows":                    {gives(`{"tenant":"mercy","revision":7,"rows":[]}`, "ETag", etag), "other rows"},
		"without rows":               {gives(`{"tenant":"mercy","revision":7}`, "ETag", etag), "lacks its rows"},
		"rows of null":               {gives(`{"tenant":"mercy","revision":7,"rows":null}`, "ETag", etag), "lacks its rows"},
		"another tenant's":           {gives(strings.Replace(grantOf7, "mercy", "grace", 1), "ETag", etag), "grace"},
		"no ETag":                    {gives(grantOf7), "ETag"},
		"nothing":                    {says(204, "", ""), "204"},
		"a page":                     {says(200, "text/html", signIn), "text/html"},
		"a redirect":                 {says(308, "", "", "Location", "/elsewhere"), "redirects (308)"},
		"412 as a page":              {says(412, "text/html", "<h1>Precondition Failed</h1>"), "412 with text/html"},
		"412 without a code":         {says(412, "application/problem+json", `{"title":"Precondition Failed"}`), "412"},
		"a problem of its own fault": {refuses(500, "internal"), "500 internal"},
		"lost":                       {drops, "EOF"},
		"cut":                        {cutAt(999, grantOf7), "broke off"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := put(t, play(t, c.answer).client(t))
			mustBeUnknown(t, err, c.says)
			if ehr.IsMoved(err) {
				t.Error("it is taken for a base that moved")
			}
		})
	}
}

func TestAMovedBaseIsToldFromOtherRefusals(t *testing.T) {
	moved := says(412, "application/problem+json", `{"code":"revision-moved","revision":9,"etag":"\"9-new\""}`)
	_, err := put(t, play(t, moved).client(t))
	var said *ehr.Problem
	if !ehr.IsMoved(err) || !errors.As(err, &said) || said.Revision != 9 || said.ETag != `"9-new"` {
		t.Errorf("error %v, %+v", err, said)
	}
	for _, other := range []http.HandlerFunc{refuses(412, "other"), refuses(409, "revision-moved"), refuses(428, "precondition-required"), refuses(423, "tenant-suspended")} {
		platform := play(t, other)
		if _, err := put(t, platform.client(t)); ehr.IsMoved(err) || ehr.IsUnknown(err) || err == nil {
			t.Errorf("error %v, want a refusal", err)
		}
		if len(platform.requests()) != 1 {
			t.Errorf("%d requests, want 1", len(platform.requests()))
		}
	}
}
