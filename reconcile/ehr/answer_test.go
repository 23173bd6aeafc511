package ehr_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/reconcile/ehr"
)

// signIn is what a proxy answers to whoever it does not know.
const signIn = "<!DOCTYPE html><title>Sign in</title><form action=/login>…"

func TestTheAbsentIsToldFromTheUnknown(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		absent bool
	}{
		"the platform's own word":         {refuses(404, "not-found"), true},
		"its word with a parameter":       {says(404, "application/problem+json; charset=utf-8", `{"code":"not-found"}`), true},
		"a page":                          {says(404, "text/html", "<h1>Not Found</h1>"), false},
		"nothing":                         {says(404, "", ""), false},
		"another code":                    {refuses(404, "no-route"), false},
		"a problem without a code":        {says(404, "application/problem+json", `{"title":"Not Found","status":404}`), false},
		"a code twice":                    {says(404, "application/problem+json", `{"code":"x","code":"not-found"}`), false},
		"a problem that is cut":           {says(404, "application/problem+json", `{"code":"not-found"`), false},
		"a problem in common JSON":        {says(404, "application/json", `{"code":"not-found"}`), false},
		"the code with another status":    {refuses(410, "not-found"), false},
		"a sign-in page with status 200":  {says(200, "text/html", signIn), false},
		"an empty answer with status 200": {gives("", "ETag", etag), false},
		"nothing at all, status 204":      {says(204, "", ""), false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ask(t, play(t, c.answer).client(t))
			if err == nil || ehr.IsNotFound(err) != c.absent {
				t.Errorf("error %v, want absent: %v", err, c.absent)
			}
			if ehr.IsDenied(err) {
				t.Errorf("error %v is taken for a refusal of the token", err)
			}
			if c.absent && ehr.IsUnknown(err) {
				t.Errorf("error %v is both", err)
			}
		})
	}
}

func TestARefusalIsThePlatformsOwnAndNotTriedAgain(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string
	}{{400, "malformed"}, {401, "unauthenticated"}, {403, "capability-missing"}, {409, "exists"}, {410, "snapshot-gone"}, {422, "invalid"}, {423, "tenant-suspended"}} {
		t.Run(c.code, func(t *testing.T) {
			platform := play(t, refuses(c.status, c.code))
			_, err := ask(t, platform.client(t))
			var said *ehr.Problem
			if !errors.As(err, &said) || ehr.IsUnknown(err) {
				t.Fatalf("error %v", err)
			}
			want := ehr.Problem{Status: c.status, Code: c.code, Title: "No", Detail: "because"}
			if diff := cmp.Diff(want, *said); diff != "" {
				t.Error(diff)
			}
			if denied := c.status == 401 || c.status == 403; ehr.IsDenied(err) != denied {
				t.Errorf("denied %v, want %v", !denied, denied)
			}
			if forbidden := c.status == 403; ehr.IsForbidden(err) != forbidden {
				t.Errorf("forbidden %v, want %v", !forbidden, forbidden)
			}
			if len(platform.requests()) != 1 {
				t.Errorf("%d requests", len(platform.requests()))
			}
		})
	}
}

func TestWhatIsNoAnswerIsUnknown(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		says   string
	}{
		"a sign-in page":                    {says(200, "text/html; charset=utf-8", signIn), "200 with text/html"},
		"a sign-in page that says 403":      {says(403, "text/html", signIn), "403 with text/html"},
		"401 as a page":                     {says(401, "text/html", signIn), "401 with text/html"},
		"no content type":                   {says(200, "", grantOf7), "no content type"},
		"text":                              {says(200, "text/plain", grantOf7), "text/plain"},
		"another status":                    {says(201, "application/json", grantOf7), "201"},
		"a status from nowhere":             {says(999, "application/json", grantOf7), "999"},
		"trailing garbage":                  {gives(grantOf7+"}", "ETag", etag), "cannot be read"},
		"two values":                        {gives(grantOf7+grantOf7, "ETag", etag), "cannot be read"},
		"half a value":                      {gives(grantOf7[:40], "ETag", etag), "cannot be read"},
		"a key twice":                       {gives(`{"tenant":"mercy","revision":6,"revision":7,"rows":[]}`, "ETag", etag), "duplicate"},
		"a key twice in a row":              {gives(`{"tenant":"mercy","revision":7,"rows":[{"facility":"a","facility":"b","module":"lab"}]}`, "ETag", etag), "duplicate"},
		"a key twice in what is not read":   {gives(`{"tenant":"mercy","revision":7,"rows":[],"x":{"a":1,"a":2}}`, "ETag", etag), "duplicate"},
		"another spelling of a key":         {gives(`{"tenant":"mercy","Revision":7,"rows":[]}`, "ETag", etag), "lacks its revision"},
		"bytes that are no text":            {gives("{\"tenant\":\"mercy\",\"revision\":7,\"rows\":[],\"x\":\"\xff\"}", "ETag", etag), "UTF-8"},
		"depth without end":                 {gives(strings.Repeat("[", 1<<20), "ETag", etag), "cannot be read"},
		"a name of a megabyte":              {gives(`{"`+strings.Repeat("x", 1<<20)+`":{"a":1,"a":2}}`, "ETag", etag), "cannot be read"},
		"null":                              {gives("null", "ETag", etag), "tenant id"},
		"a list":                            {gives("[]", "ETag", etag), "cannot be read"},
		"a redirect":                        {says(307, "", "", "Location", "/elsewhere"), "redirects (307)"},
		"a redirect with a body":            {says(302, "text/html", "<a href=/elsewhere>here</a>", "Location", "/elsewhere"), "redirects (302)"},
		"not modified":                      {says(304, "", ""), "304"},
		"a problem with a code without end": {refuses(500, strings.Repeat("x", 1<<20)), "500"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ask(t, play(t, c.answer).client(t, func(o *ehr.Options) { o.Retries = -1 }))
			mustBeUnknown(t, err, c.says)
		})
	}
}

func TestALongRefusalIsShownShort(t *testing.T) {
	long := strings.Repeat("ä", 1<<19)
	for name, body := range map[string]string{
		"code":   `{"code":"` + long + `"}`,
		"detail": `{"code":"invalid","detail":"` + long + `"}`,
		"title":  `{"code":"invalid","title":"` + long + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ask(t, play(t, says(422, "application/problem+json", body)).client(t))
			if text := err.Error(); len(text) > 1000 || !strings.Contains(text, "422") || strings.ContainsRune(text, '\ufffd') {
				t.Errorf("%d bytes: %.400s", len(text), text)
			}
		})
	}
}

func TestAPlatformMustSayWhichItIs(t *testing.T) {
	platform, err := play(t, gives(self)).client(t).Platform(t.Context())
	want := ehr.Platform{Name: "EHR", Version: "1", Instance: "platform-1", Features: []string{"bulk-entitlements"}}
	if diff := cmp.Diff(want, platform); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if !platform.Has(ehr.FeatureBulk) || platform.Has("verified-authority") {
		t.Errorf("features %q", platform.Features)
	}
	for name, body := range map[string]string{"nothing": `{}`, "an empty instance": `{"instance":""}`, "no object": `"platform-1"`} {
		t.Run(name, func(t *testing.T) {
			_, err := play(t, gives(body)).client(t).Platform(t.Context())
			mustBeUnknown(t, err, "GET /")
		})
	}
}

func TestATenantIsTheOneThatWasAskedFor(t *testing.T) {
	id := tenantID(t, "mercy")
	tenant, err := play(t, gives(`{"id":"mercy","name":"Mercy","organisation":"o","edition":"e","hosting":"cloud","status":"active","later":1}`)).client(t).Tenant(t.Context(), id)
	want := ehr.Tenant{ID: id, Status: "active", Live: catalog.LiveTenant{ID: "mercy", Name: "Mercy", Organisation: "o", Edition: "e", Hosting: "cloud"}}
	if diff := cmp.Diff(want, tenant, allUnexported); diff != "" || err != nil {
		t.Error(diff, err)
	}
	for name, c := range map[string]struct{ body, says string }{
		"another tenant": {`{"id":"grace","status":"active"}`, "tenant grace"},
		"no status":      {`{"id":"mercy"}`, "no status"},
		"no id":          {`{"status":"active"}`, "tenant id"},
		"no tenant id":   {`{"id":"../mercy","status":"active"}`, "tenant id"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := play(t, gives(c.body)).client(t).Tenant(t.Context(), id)
			mustBeUnknown(t, err, c.says)
		})
	}
}

func TestADeploymentsStateIsReadWhole(t *testing.T) {
	id := tenantID(t, "mercy")
	d, err := play(t, gives(`{"reachable":true,"app":"up","release":"4.2","facilities":[],"enforced":{"revision":7,"at":"2026-11-01T10:00:00Z"},"licence":null}`)).
		client(t).Deployment(t.Context(), id)
	if err != nil || !d.Reachable || d.App != "up" || d.Release != "4.2" {
		t.Fatalf("%+v, %v", d, err)
	}
	if d.Enforced == nil || d.Enforced.Revision != 7 || !d.Enforced.At.Equal(time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("enforced %+v", d.Enforced)
	}
	never, err := play(t, gives(`{"reachable":false,"app":"down","enforced":null}`)).client(t).Deployment(t.Context(), id)
	if err != nil || never.Reachable || never.Enforced != nil {
		t.Errorf("%+v, %v", never, err)
	}
	for name, body := range map[string]string{
		"nothing":         `{}`,
		"null":            `null`,
		"what is no time": `{"reachable":true,"enforced":{"revision":7,"at":"yesterday"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := play(t, gives(body)).client(t).Deployment(t.Context(), id)
			mustBeUnknown(t, err, "GET /tenants/mercy/ehr-status")
		})
	}
}
