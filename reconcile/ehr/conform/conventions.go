package conform

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// conventions are the checks of the contract's table of conventions, row by row.
func conventions() []check {
	return []check{
		{"encoding", "", checkEncoding},
		{"status: a body that is no JSON is 400 malformed", "", checkABodyThatIsNoJSONIs400Malformed},
		{"status: well formed but wrong is 422", "", checkWellFormedButWrongIs422},
		{"status: over a bound is 413", "", checkOverABoundIs413},
		{"status: POST creates 201, and 409 when it is there", "", checkPOSTCreates201And409WhenItIsThere},
		{"status: an unknown id in a path is 404", "", checkAnUnknownIdInAPathIs404},
		{"status: a method that is not offered is 405 with Allow", "", checkAMethodThatIsNotOfferedIs405WithAllow},
		{"identity", "", checkIdentity},
		{"identity: a capability that is missing is 403 naming it", "", checkACapabilityThatIsMissingIs403NamingIt},
		{"identifiers", "", checkIdentifiers},
		{"time: every answer carries Date, and times are RFC 3339 in UTC", "", checkEveryAnswerCarriesDateAndTimesAreRFC3339InUTC},
		{"writes: every write takes an optional authority", "", checkEveryWriteTakesAnOptionalAuthority},
		{"concurrency", "", checkConcurrency},
		{"retries", "", checkRetries},
		{"lists", "", checkLists},
		{"compression: gzip where asked for", "", checkGzipWhereAskedFor},
	}
}

func checkEncoding(t *T, at target) {
	id := at.provisioned(t, "t", "health-centre", "main")
	rows := "/tenants/" + id + "/entitlements"
	for _, c := range []struct{ name, method, path, body string }{
		{"of the body", "POST", "/clients", `{"id":"x","name":"X","nmae":"Y"}`},
		{"whose case differs", "POST", "/clients", `{"id":"x","Name":"X"}`},
		{"inside a list", "PUT", rows, `{"rows":[{"facility":"main","module":"rx","until":"2027-01-01"}]}`},
		{"inside a facility", "POST", "/tenants/" + id + "/provision", `{"edition":"health-centre","facilities":[{"id":"a","name":"A","bed":1}],"staff":[]}`},
		{"that is the server's: status", "POST", "/tenants", `{"id":"x","name":"X","organisation":"` + id + `-org","edition":"hospital","status":"active"}`},
	} {
		t.Run("an unknown field "+c.name+" is refused with 422", func(t *T) {
			at.root(t, c.method, c.path, c.body).with("If-Match", at.grant(t, id).ETag).refused(422, "unknown-field")
		})
	}
	if g := at.grant(t, id); g.Revision != 1 {
		t.Errorf("refused writes moved the revision to %d", g.Revision)
	}
	t.Run("answers are JSON", func(t *T) {
		r := at.root(t, "GET", rows, nil).want(200)
		if got := r.Header.Get("Content-Type"); got != "application/json" {
			t.Errorf("Content-Type %q", got)
		}
	})
}

func checkABodyThatIsNoJSONIs400Malformed(t *T, at target) {
	for name, body := range map[string]string{
		"nothing":                   "",
		"a word":                    "hello",
		"an object that ends early": `{"id":"x","name":"X"`,
		"a name twice":              `{"id":"x","name":"X","name":"Y"}`,
		"a name twice in authority": `{"id":"x","name":"X","authority":{"a":1,"a":2}}`,
		"invalid UTF-8":             "{\"id\":\"x\",\"name\":\"\xff\"}",
		"half a surrogate pair":     `{"id":"x","name":"\ud800"}`,
		"garbage after it":          `{"id":"x","name":"X"} {}`,
		"a byte order mark":         "\ufeff" + `{"id":"x","name":"X"}`,
		"a comment":                 `{"id":"x",/* */"name":"X"}`,
		"also an unknown field":     `{"nmae":"X",`,
		"a depth without end":       `{"authority":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + "}",
	} {
		t.Run(name, func(t *T) {
			at.root(t, "POST", "/clients", body).refused(400, "malformed")
		})
	}
}

func checkWellFormedButWrongIs422(t *T, at target) {
	id := at.provisioned(t, "t", "health-centre", "main")
	organisation := id + "-org"
	tenant := func(change object) object {
		body := object{"id": "x", "name": "X", "organisation": organisation, "edition": "hospital", "hosting": "cloud"}
		for field, value := range change {
			body[field] = value
		}
		return body
	}
	facility := func(change object) object {
		body := object{"id": "a", "name": "A", "beds": 1}
		for field, value := range change {
			body[field] = value
		}
		return object{"edition": "health-centre", "facilities": []object{body}, "staff": []object{}}
	}
	staff := func(change object) object {
		body := object{"email": "a@example.org", "name": "A", "role": "clinician", "facility": "main"}
		for field, value := range change {
			body[field] = value
		}
		return object{"edition": "health-centre", "facilities": []object{}, "staff": []object{body}}
	}
	for _, c := range []struct {
		name, method, path string
		body               any
		code               string
	}{
		{"a list for an object", "POST", "/clients", `[]`, "invalid"},
		{"null", "POST", "/clients", `null`, "invalid"},
		{"a number for a name", "POST", "/clients", `{"id":"x","name":1}`, "invalid"},
		{"no id", "POST", "/clients", object{"name": "X"}, "invalid"},
		{"no name", "POST", "/clients", object{"id": "x"}, "invalid"},
		{"a blank name", "POST", "/clients", object{"id": "x", "name": " "}, "invalid"},
		{"a name with a line break", "POST", "/clients", object{"id": "x", "name": "a\nb"}, "invalid"},
		{"a name of 201 letters", "POST", "/clients", object{"id": "x", "name": strings.Repeat("é", 201)}, "invalid"},
		{"an authority that is a text", "POST", "/clients", object{"id": "x", "name": "X", "authority": "me"}, "invalid"},
		{"an id that is not the path's", "PUT", "/clients/" + organisation, object{"id": "other", "name": "X"}, "invalid"},
		{"a tenant's id that is not the path's", "PUT", "/tenants/" + id, tenant(nil), "invalid"},
		{"an unknown hosting", "POST", "/tenants", tenant(object{"hosting": "moon"}), "invalid"},
		{"an unknown organisation", "POST", "/tenants", tenant(object{"organisation": "nobody-knows"}), "unknown-organisation"},
		{"an unknown edition", "POST", "/tenants", tenant(object{"edition": "nobody-knows"}), "unknown-edition"},
		{"another organisation", "PUT", "/tenants/" + id, object{"name": "X", "organisation": "other", "edition": "hospital"}, "invalid"},
		{"no edition to provision", "POST", "/tenants/" + id + "/provision", object{"facilities": []object{}, "staff": []object{}}, "invalid"},
		{"another edition to provision", "POST", "/tenants/" + id + "/provision", object{"edition": "hospital", "facilities": []object{}, "staff": []object{}}, "invalid"},
		{"beds below none", "POST", "/tenants/" + id + "/provision", facility(object{"beds": -1}), "invalid"},
		{"half a bed", "POST", "/tenants/" + id + "/provision", facility(object{"beds": 0.5}), "invalid"},
		{"a facility without a name", "POST", "/tenants/" + id + "/provision", facility(object{"name": ""}), "invalid"},
		{"an address that is none", "POST", "/tenants/" + id + "/provision", staff(object{"email": "A <a@example.org>"}), "invalid"},
		{"an unknown clinical role", "POST", "/tenants/" + id + "/provision", staff(object{"role": "king"}), "unknown-role"},
		{"staff of an unknown facility", "POST", "/tenants/" + id + "/provision", staff(object{"facility": "other"}), "unknown-facility"},
		{"an unknown billing status", "POST", "/subscriptions/" + id + "/status", object{"status": "locked"}, "invalid"},
		{"a limit of none", "GET", "/tenants?limit=0", nil, "invalid"},
		{"a limit over 1000", "GET", "/tenants?limit=1001", nil, "invalid"},
		{"a limit that is no number", "GET", "/tenants?limit=ten", nil, "invalid"},
		{"a since that is no number", "GET", "/audit?since=x", nil, "invalid"},
		{"a since below none", "GET", "/audit?since=-1", nil, "invalid"},
	} {
		t.Run(c.name, func(t *T) {
			before := at.head(t)
			at.root(t, c.method, c.path, c.body).refused(422, c.code)
			if after := at.head(t); after != before {
				t.Errorf("a refused write left %d entries in the audit trail", after-before)
			}
		})
	}
}

func checkOverABoundIs413(t *T, at target) {
	t.Run("a body", func(t *T) {
		body := `{"id":"x","name":"X","authority":{"a":"` + strings.Repeat("a", 5<<20) + `"}}`
		at.root(t, "POST", "/clients", body).refused(413, "too-large")
	})
	t.Run("an authority", func(t *T) {
		body := `{"id":"x","name":"X","authority":{"a":"` + strings.Repeat("a", 300<<10) + `"}}`
		at.root(t, "POST", "/clients", body).refused(413, "too-large")
	})
}

func checkPOSTCreates201And409WhenItIsThere(t *T, at target) {
	id := at.tenant(t, "t", "hospital")
	at.root(t, "POST", "/clients", object{"id": id + "-org", "name": "X"}).refused(409, "exists")
	at.root(t, "POST", "/tenants", object{
		"id": id, "name": "X", "organisation": id + "-org", "edition": "hospital", "hosting": "cloud",
	}).refused(409, "exists")
}

func checkAnUnknownIdInAPathIs404(t *T, at target) {
	id := at.provisioned(t, "t", "hospital", "main")
	named := object{"name": "X"}
	for _, c := range []struct {
		method, path string
		body         any
	}{
		{"GET", "/nothing", nil},
		{"GET", "/editions/nothing", nil},
		{"PUT", "/clients/nothing", named},
		{"GET", "/tenants/nothing", nil},
		{"GET", "/tenants/NOT-AN-ID", nil},
		{"GET", "/tenants/" + strings.Repeat("a", 64), nil},
		{"PUT", "/tenants/nothing", object{"name": "X", "edition": "hospital"}},
		{"POST", "/tenants/nothing/provision", object{"edition": "hospital", "facilities": []object{}, "staff": []object{}}},
		{"GET", "/tenants/nothing/ehr-status", nil},
		{"GET", "/tenants/nothing/facilities", nil},
		{"PUT", "/tenants/nothing/facilities/main", named},
		{"PUT", "/tenants/" + id + "/facilities/nothing", named},
		{"GET", "/tenants/nothing/entitlements", nil},
		{"PUT", "/tenants/nothing/entitlements", object{"rows": []row{}}},
		{"POST", "/subscriptions/nothing/status", object{"status": "active"}},
		{"GET", "/tenants//" + id, nil},
		{"GET", "/tenants/../tenants", nil},
	} {
		t.Run(c.method+" "+c.path, func(t *T) {
			at.root(t, c.method, c.path, c.body).refused(404, "not-found")
		})
	}
}

func checkAMethodThatIsNotOfferedIs405WithAllow(t *T, at target) {
	c := at.root(t, "DELETE", "/tenants", object{})
	c.refused(405, "method-not-allowed")
	if got := at.root(t, "PATCH", "/tenants", object{}).want(405).Header.Get("Allow"); got != "GET, POST, HEAD" {
		t.Errorf("Allow: %q", got)
	}
	if r := at.root(t, "HEAD", "/tenants", nil).want(200); len(r.body) != 0 {
		t.Errorf("HEAD answers a body: %s", r.body)
	}
}

func checkIdentity(t *T, at target) {
	id := at.provisioned(t, "t", "hospital", "main")
	for _, path := range []string{"/editions", "/clients", "/tenants", "/entitlements", "/audit", "/tenants/" + id + "/entitlements"} {
		t.Run("without a token GET "+path+" is 401", func(t *T) {
			at.as(t, "", "GET", path, nil).refused(401, "unauthenticated")
			r := at.as(t, "", "GET", path, nil).with("Authorization", "Bearer nobody-knows").want(401)
			if r.Header.Get("WWW-Authenticate") == "" {
				t.Error("no WWW-Authenticate")
			}
			at.as(t, "", "GET", path, nil).with("Authorization", "Basic "+at.tokens["super_admin"]).refused(401, "unauthenticated")
		})
	}
	for _, path := range []string{"/", "/healthz"} {
		t.Run("GET "+path+" asks for no token", func(t *T) {
			at.as(t, "", "GET", path, nil).want(200)
		})
	}
}

// checkACapabilityThatIsMissingIs403NamingIt asks every endpoint with every role.
func checkACapabilityThatIsMissingIs403NamingIt(t *T, at target) {
	held := map[string]string{
		SuperAdmin: "license.read license.issue license.revoke registry.read registry.write clients.read clients.write onboarding.run tenant_admins.manage entitlements.read entitlements.write billing.write audit.read",
		Onboarding: "license.read license.issue registry.read clients.read clients.write onboarding.run tenant_admins.manage entitlements.read entitlements.write audit.read",
		Support:    "license.read license.issue license.revoke registry.read clients.read entitlements.read entitlements.write audit.read",
		Billing:    "clients.read billing.write",
		Nobody:     "",
	}
	for _, e := range []struct{ method, path, capability string }{
		{"GET", "/editions", "registry.read"},
		{"GET", "/editions/none", "registry.read"},
		{"POST", "/registry/editions", "registry.write"},
		{"PUT", "/registry/editions/none", "registry.write"},
		{"GET", "/tenants/none/connect-entitlements", "entitlements.read"},
		{"PUT", "/tenants/none/connect-entitlements", "entitlements.write"},
		{"GET", "/tenants/none/tenant-admins", "tenant_admins.manage"},
		{"POST", "/tenants/none/tenant-admins", "tenant_admins.manage"},
		{"DELETE", "/tenants/none/tenant-admins/none", "tenant_admins.manage"},
		{"GET", "/licenses", "license.read"},
		{"POST", "/licenses", "license.issue"},
		{"POST", "/licenses/none/revoke", "license.revoke"},
		{"POST", "/licenses/none/rebind", "license.revoke"},
		{"GET", "/clients", "clients.read"},
		{"POST", "/clients", "clients.write"},
		{"PUT", "/clients/none", "clients.write"},
		{"GET", "/tenants", "clients.read"},
		{"GET", "/tenants/none", "clients.read"},
		{"POST", "/tenants", "clients.write"},
		{"PUT", "/tenants/none", "clients.write"},
		{"POST", "/tenants/none/provision", "onboarding.run"},
		{"GET", "/tenants/none/ehr-status", "clients.read"},
		{"GET", "/tenants/none/facilities", "clients.read"},
		{"PUT", "/tenants/none/facilities/none", "onboarding.run"},
		{"GET", "/tenants/none/entitlements", "entitlements.read"},
		{"PUT", "/tenants/none/entitlements", "entitlements.write"},
		{"GET", "/entitlements", "entitlements.read"},
		{"POST", "/subscriptions/none/status", "billing.write"},
		{"GET", "/audit", "audit.read"},
	} {
		for role, capabilities := range held {
			t.Run(fmt.Sprintf("%s %s as %s", e.method, e.path, role), func(t *T) {
				c := at.as(t, role, e.method, e.path, nil)
				if strings.Contains(" "+capabilities+" ", " "+e.capability+" ") {
					if r := c.send(); r.StatusCode == 401 || r.StatusCode == 403 {
						t.Errorf("status %d: %s", r.StatusCode, r.body)
					}
					return
				}
				p := c.refused(403, "capability-missing")
				if p.Capability != e.capability || !strings.Contains(p.Detail, e.capability) {
					t.Errorf("problem names capability %q: %s", p.Capability, p.Detail)
				}
			})
		}
	}
}

func checkIdentifiers(t *T, at target) {
	good := []string{"a", "9", "a-b", "a--b", strings.Repeat("a", 63)}
	bad := []string{"-a", "a-", "A", "a_b", "a.b", "a/b", "ä", "a b", strings.Repeat("a", 64)}
	for _, id := range good {
		t.Run("taken: "+id, func(t *T) {
			if r := at.root(t, "POST", "/clients", object{"id": id, "name": "X"}).send(); r.StatusCode != 201 && r.StatusCode != 409 {
				t.Errorf("status %d: %s", r.StatusCode, r.body)
			}
		})
	}
	for _, id := range bad {
		t.Run("refused: "+id, func(t *T) {
			at.root(t, "POST", "/clients", object{"id": id, "name": "X"}).refused(422, "invalid")
		})
	}
}

func checkEveryAnswerCarriesDateAndTimesAreRFC3339InUTC(t *T, at target) {
	id := at.provisioned(t, "t", "hospital", "main")
	etag := at.grant(t, id).ETag
	for _, c := range []call{
		at.root(t, "GET", "/", nil),
		at.as(t, "", "GET", "/tenants", nil),
		at.root(t, "GET", "/nothing", nil),
		at.root(t, "PATCH", "/tenants", nil),
		at.root(t, "GET", "/tenants/"+id+"/entitlements", nil).with("If-None-Match", etag),
		at.root(t, "POST", "/clients", "{"),
		at.as(t, "", "GET", "/ehr/x/y/z", nil),
	} {
		if _, err := http.ParseTime(c.send().Header.Get("Date")); err != nil {
			t.Errorf("%s %s: Date: %v", c.request.Method, c.request.URL.Path, err)
		}
	}
	times := []string{at.grant(t, id).UpdatedAt, at.last(t)[0].At}
	for _, text := range times {
		if moment, err := time.Parse(time.RFC3339, text); err != nil || !strings.HasSuffix(text, "Z") || time.Since(moment) > time.Hour {
			t.Errorf("time %q: %v", text, err)
		}
	}
}

func checkEveryWriteTakesAnOptionalAuthority(t *T, at target) {
	id := unique("t")
	authority := object{"environment": "default", "batch": "sha256:00", "approvals": []any{}, "mandate": nil, "depth": 1.5}
	for _, c := range []struct {
		event, method, path string
		body                object
	}{
		{"client.upsert", "POST", "/clients", object{"id": id + "-org", "name": "X"}},
		{"client.upsert", "PUT", "/clients/" + id + "-org", object{"id": id + "-org", "name": "Y"}},
		{"tenant.upsert", "POST", "/tenants", object{"id": id, "name": "X", "organisation": id + "-org", "edition": "hospital", "hosting": "cloud"}},
		{"tenant.upsert", "PUT", "/tenants/" + id, object{"id": id, "name": "Y", "organisation": id + "-org", "edition": "network", "hosting": "cloud"}},
		{"tenant.provision", "POST", "/tenants/" + id + "/provision", object{"edition": "network", "facilities": []object{{"id": "main", "name": "Main"}}, "staff": []object{}}},
		{"facility.upsert", "PUT", "/tenants/" + id + "/facilities/main", object{"id": "main", "name": "Main", "beds": 3}},
		{"entitlement.write", "PUT", "/tenants/" + id + "/entitlements", object{"rows": []row{}}},
		{"tenant.connect_entitlements.put", "PUT", "/tenants/" + id + "/connect-entitlements", object{"instruments": []object{}}},
		{"edition.upsert", "POST", "/registry/editions", object{"key": id, "name": "X", "modules": []string{}}},
		{"tenant_admin.invite", "POST", "/tenants/" + id + "/tenant-admins", object{"email": "a@example.org", "name": "A"}},
		{"tenant_admin.revoke", "DELETE", "/tenants/" + id + "/tenant-admins/a@example.org", object{}},
		{"subscription.status", "POST", "/subscriptions/" + id + "/status", object{"status": "active"}},
	} {
		t.Run(c.method+" "+c.path, func(t *T) {
			c.body["authority"] = authority
			write := at.root(t, c.method, c.path, c.body)
			if c.event == "entitlement.write" {
				write.with("If-Match", at.grant(t, id).ETag)
			}
			if r := write.send(); r.StatusCode/100 != 2 {
				t.Fatalf("status %d: %s", r.StatusCode, r.body)
			}
			trail := at.last(t)
			last := trail[len(trail)-1]
			if last.Event != c.event || !sameJSON(t, last.Authority, authority) {
				t.Errorf("audit entry %+v with authority %s", last, last.Authority)
			}
		})
	}
	if g := at.grant(t, id); !sameJSON(t, g.Authority, authority) {
		t.Errorf("authority of the grant: %s", g.Authority)
	}
}

// sameJSON reports whether a text is a value's JSON, spacing and order aside.
func sameJSON(t *T, text json.RawMessage, value any) bool {
	var got, want any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(encode(t, value), &want); err != nil {
		t.Fatal(err)
	}
	return string(encode(t, got)) == string(encode(t, want))
}

func checkConcurrency(t *T, at target) {
	id := at.provisioned(t, "t", "hospital", "main")
	path, body := "/tenants/"+id+"/entitlements", object{"rows": []row{{"main", "rx"}}}
	etag := at.grant(t, id).ETag
	t.Run("the tag is strong and begins with the revision", func(t *T) {
		if !strings.HasPrefix(etag, `"1-`) || !strings.HasSuffix(etag, `"`) {
			t.Errorf("ETag: %s", etag)
		}
	})
	for name, tags := range map[string][]string{
		"none at all":        {},
		"a wildcard":         {"*"},
		"a list":             {etag + `, "1-x"`},
		"a list of headers":  {etag, `"1-x"`},
		"a weak tag":         {"W/" + etag},
		"a tag not in quote": {strings.Trim(etag, `"`)},
		"an open quote":      {`"1-x`},
		"an empty header":    {""},
	} {
		t.Run("If-Match with "+name+" is 428", func(t *T) {
			write := at.root(t, "PUT", path, body)
			for _, tag := range tags {
				write.with("If-Match", tag)
			}
			write.refused(428, "precondition-required")
		})
	}
	t.Run("a stale tag is 412 with the current revision and tag in the problem", func(t *T) {
		p := at.root(t, "PUT", path, body).with("If-Match", `"1-0000"`).refused(412, "revision-moved")
		if p.Revision == nil || *p.Revision != 1 || p.ETag != etag {
			t.Errorf("problem: revision %v, etag %q", p.Revision, p.ETag)
		}
	})
	t.Run("If-None-Match: * is for what is not there, and a tenant's grant is", func(t *T) {
		at.root(t, "PUT", path, body).with("If-None-Match", "*").refused(412, "revision-moved")
	})
	t.Run("the current tag writes, once", func(t *T) {
		wrote := at.root(t, "PUT", path, body).with("If-Match", etag).want(200)
		if now := at.grant(t, id); now.Revision != 2 || wrote.Header.Get("ETag") != now.ETag {
			t.Errorf("revision %d, tags %s and %s", now.Revision, wrote.Header.Get("ETag"), now.ETag)
		}
		at.root(t, "PUT", path, body).with("If-Match", etag).refused(412, "revision-moved")
	})
	t.Run("in a list, the field etag is the header's value with its quotes", func(t *T) {
		grants, _ := at.bulk(t, "/entitlements")
		for _, g := range grants {
			if g.Tenant == id && g.ETag != at.grant(t, id).ETag {
				t.Errorf("etag %s in bulk, %s by itself", g.ETag, at.grant(t, id).ETag)
			}
		}
		var item struct{ Key, ETag string }
		first := at.all(t, "/editions").Items[0]
		if err := json.Unmarshal(first, &item); err != nil {
			t.Fatal(err)
		}
		if got := at.root(t, "GET", "/editions/"+item.Key, nil).want(200).Header.Get("ETag"); got == "" || got != item.ETag {
			t.Errorf("edition %s: etag %s in the list, %s by itself", item.Key, item.ETag, got)
		}
	})
	t.Run("nothing else has a tag", func(t *T) {
		for _, path := range []string{"/tenants/" + id, "/clients", "/tenants/" + id + "/facilities"} {
			if got := at.root(t, "GET", path, nil).want(200).Header.Get("ETag"); got != "" {
				t.Errorf("GET %s: ETag %s", path, got)
			}
		}
	})
	for _, tags := range []string{"%s", "W/%s", `"x", %s`, "*"} {
		tags = strings.ReplaceAll(tags, "%s", at.grant(t, id).ETag)
		t.Run("GET with If-None-Match: "+tags+" is 304", func(t *T) {
			r := at.root(t, "GET", path, nil).with("If-None-Match", tags).want(304)
			if r.Header.Get("ETag") != at.grant(t, id).ETag || len(r.body) != 0 {
				t.Errorf("ETag %s, body %s", r.Header.Get("ETag"), r.body)
			}
		})
	}
	t.Run("GET with another tag is 200", func(t *T) {
		at.root(t, "GET", path, nil).with("If-None-Match", etag).want(200)
	})
}

func checkRetries(t *T, at target) {
	id := at.provisioned(t, "t", "hospital", "main")
	path, key := "/tenants/"+id+"/entitlements", unique("key")
	etag := at.grant(t, id).ETag
	put := func(t *T, body string) call {
		return at.root(t, "PUT", path, body).with("If-Match", etag).with("Idempotency-Key", key)
	}
	first := put(t, `{"rows":[{"facility":"main","module":"rx"}],"authority":{"receipt":"1"}}`).want(200)
	entries := at.head(t)
	same := func(t *T, again reply) {
		if string(again.body) != string(first.body) || again.Header.Get("ETag") != first.Header.Get("ETag") {
			t.Errorf("answer %s, at first %s", again.body, first.body)
		}
		if g := at.grant(t, id); g.Revision != 2 || at.head(t) != entries {
			t.Errorf("revision %d, %d audit entries", g.Revision, at.head(t))
		}
	}
	t.Run("the same key and body answers what the first one answered", func(t *T) {
		same(t, put(t, `{"rows":[{"facility":"main","module":"rx"}],"authority":{"receipt":"1"}}`).want(200))
	})
	t.Run("authority aside", func(t *T) {
		same(t, put(t, `{"rows":[{"facility":"main","module":"rx"}],"authority":{"receipt":"2"}}`).want(200))
		same(t, put(t, `{"rows":[{"facility":"main","module":"rx"}]}`).want(200))
	})
	t.Run("spacing and order of names aside", func(t *T) {
		same(t, put(t, `{ "rows" : [ { "module":"rx", "facility":"main" } ] }`).want(200))
	})
	t.Run("the same key with another body is 422", func(t *T) {
		put(t, `{"rows":[]}`).refused(422, "idempotency-key-reused")
	})
	t.Run("a key is its actor's own", func(t *T) {
		at.as(t, Support, "PUT", path, `{"rows":[]}`).with("If-Match", etag).
			with("Idempotency-Key", key).refused(412, "revision-moved")
	})
	t.Run("a key is for one method and path", func(t *T) {
		at.root(t, "POST", "/clients", object{"id": unique("o"), "name": "X"}).with("Idempotency-Key", key).want(201)
		other := at.provisioned(t, "t", "hospital", "main")
		at.replace(t, other, at.grant(t, other).ETag).with("Idempotency-Key", key).want(200)
	})
	t.Run("a creation is answered 201 again, and not 409", func(t *T) {
		body := object{"id": unique("o"), "name": "X"}
		for range 2 {
			at.root(t, "POST", "/clients", body).with("Idempotency-Key", "create-"+key).want(201)
		}
		at.root(t, "POST", "/clients", body).refused(409, "exists")
	})
	t.Run("a refused write does not spend its key", func(t *T) {
		body := object{"id": unique("t"), "name": "X", "organisation": unique("o"), "edition": "hospital", "hosting": "cloud"}
		write := func() call {
			return at.root(t, "POST", "/tenants", body).with("Idempotency-Key", "later-"+key)
		}
		write().refused(422, "unknown-organisation")
		at.root(t, "POST", "/clients", object{"id": body["organisation"], "name": "X"}).want(201)
		write().want(201)
	})
	for name, keys := range map[string][]string{
		"an empty key":       {""},
		"two keys":           {"a", "b"},
		"a key with a space": {"a b"},
		"a key of 256 bytes": {strings.Repeat("k", 256)},
	} {
		t.Run(name+" is 422", func(t *T) {
			write := at.root(t, "POST", "/clients", object{"id": unique("o"), "name": "X"})
			for _, key := range keys {
				write.with("Idempotency-Key", key)
			}
			write.refused(422, "invalid")
		})
	}
}

func checkLists(t *T, at target) {
	id := unique("t")
	var sites []object
	for i := range 7 {
		sites = append(sites, object{"id": fmt.Sprintf("site-%d", i), "name": "Site " + strconv.Itoa(i)})
	}
	at.root(t, "POST", "/clients", object{"id": id, "name": "X"}).want(201)
	at.root(t, "POST", "/tenants", object{"id": id, "name": "X", "organisation": id, "edition": "hospital", "hosting": "cloud"}).want(201)
	at.root(t, "POST", "/tenants/"+id+"/provision", object{"edition": "hospital", "facilities": sites, "staff": []object{}}).want(200)
	list := "/tenants/" + id + "/facilities"
	for _, path := range []string{"/editions", "/clients", "/tenants", list, "/audit"} {
		t.Run(path+" in pages of 2 is "+path+" in one", func(t *T) {
			whole := at.all(t, path+"?limit=1000")
			if pages := at.all(t, path+"?limit=2"); string(encode(t, pages)) != string(encode(t, whole)) {
				t.Errorf("%s\n%s", encode(t, pages), encode(t, whole))
			}
		})
	}
	var first page
	at.root(t, "GET", list+"?limit=3", nil).want(200).decode(t, &first)
	t.Run("a page has as many items as it was asked for", func(t *T) {
		if len(first.Items) != 3 || first.Total != 7 || first.NextCursor == nil || first.Snapshot == "" {
			t.Fatalf("%d items, total %d, cursor %v, snapshot %q", len(first.Items), first.Total, first.NextCursor, first.Snapshot)
		}
	})
	t.Run("next_cursor is null at the end, also where the last page is full", func(t *T) {
		var p page
		at.root(t, "GET", list+"?limit=7", nil).want(200).decode(t, &p)
		if len(p.Items) != 7 || p.NextCursor != nil {
			t.Errorf("%d items, cursor %v", len(p.Items), p.NextCursor)
		}
	})
	cursor := *first.NextCursor
	for name, path := range map[string]string{
		"a word":                 list + "?cursor=word",
		"one letter changed":     list + "?cursor=" + flipped(cursor, len(cursor)-2),
		"its tag changed":        list + "?cursor=" + flipped(cursor, 3),
		"cut short":              list + "?cursor=" + cursor[:len(cursor)/2],
		"of another list":        "/tenants?cursor=" + cursor,
		"of another kind of key": "/audit?cursor=" + cursor,
	} {
		t.Run("a cursor that is "+name+" is 400", func(t *T) {
			at.root(t, "GET", path, nil).refused(400, "bad-cursor")
		})
	}
	t.Run("pages go on as they began while writes go on", func(t *T) {
		at.root(t, "PUT", list+"/site-5", object{"id": "site-5", "name": "Renamed"}).want(200)
		at.root(t, "POST", "/tenants/"+id+"/provision", object{
			"edition": "hospital", "facilities": []object{{"id": "site-4a", "name": "New"}}, "staff": []object{},
		}).want(200)
		var rest page
		at.root(t, "GET", withCursor(list+"?limit=100", cursor), nil).want(200).decode(t, &rest)
		if rest.Snapshot != first.Snapshot || rest.Total != 7 || len(rest.Items) != 4 || strings.Contains(string(encode(t, rest.Items)), "Renamed") {
			t.Errorf("second page: %s", encode(t, rest))
		}
		if now := at.all(t, list); now.Total != 8 || now.Snapshot == first.Snapshot {
			t.Errorf("a new listing: total %d, snapshot %s", now.Total, now.Snapshot)
		}
	})
	t.Run("the default is 100 items", func(t *T) {
		for i := range 101 {
			at.root(t, "POST", "/clients", object{"id": unique(fmt.Sprintf("o-%d", i)), "name": "X"}).want(201)
		}
		var p page
		at.root(t, "GET", "/clients", nil).want(200).decode(t, &p)
		if len(p.Items) != 100 {
			t.Errorf("%d items", len(p.Items))
		}
	})
}

// flipped returns text with the letter at i changed to another of base64.
func flipped(text string, i int) string {
	other := byte('A')
	if text[i] == other {
		other = 'B'
	}
	return text[:i] + string(other) + text[i+1:]
}

func checkGzipWhereAskedFor(t *T, at target) {
	id := at.provisioned(t, "t", "hospital", "main")
	for _, path := range []string{"/", "/editions", "/tenants/" + id + "/entitlements", "/entitlements", "/nothing"} {
		plain := at.root(t, "GET", path, nil).with("Accept-Encoding", "identity").send()
		for asked, zipped := range map[string]bool{
			"gzip": true, "br, gzip;q=0.5": true, "GZIP": true,
			"gzip;q=0": false, "identity": false, "br": false,
		} {
			t.Run(path+" with "+asked, func(t *T) {
				r := at.root(t, "GET", path, nil).with("Accept-Encoding", asked).send()
				if got := r.Header.Get("Content-Encoding") == "gzip"; got != zipped {
					t.Fatalf("Content-Encoding %q", r.Header.Get("Content-Encoding"))
				}
				if body := unzipped(t, r); body != string(plain.body) {
					t.Errorf("%s\n%s", body, plain.body)
				}
				if !strings.Contains(r.Header.Get("Vary"), "Accept-Encoding") {
					t.Errorf("Vary %q", r.Header.Get("Vary"))
				}
			})
		}
	}
}

func unzipped(t *T, r reply) string {
	if r.Header.Get("Content-Encoding") != "gzip" {
		return string(r.body)
	}
	z, err := gzip.NewReader(strings.NewReader(string(r.body)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
