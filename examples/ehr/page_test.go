package main_test

import (
	"net/http"
	"strings"
	"testing"
)

// look gets a page as a browser would, with a token for a password.
func (at target) look(t *testing.T, role, path string) reply {
	t.Helper()
	c := at.as(t, "", "GET", path, nil)
	if role != "" {
		c.request.SetBasicAuth("anybody", at.tokens[role])
	}
	return c.send()
}

func TestThePagesShowWhatThePlatformHolds(t *testing.T) {
	at := start(t)
	id := at.onPrem(t, "health-centre")
	l := at.issue(t, id)
	at.root(t, "PUT", "/tenants/"+id+"/connect-entitlements", object{"instruments": []object{{"key": "sysmex-xn-1000", "licensed": true}}}).want(200)
	at.root(t, "POST", "/tenants/"+id+"/tenant-admins", object{"email": "g@example.org", "name": "<script>alert(1)</script>"}).want(201)
	for path, shows := range map[string][]string{
		"/ui/":              {id, "health-centre", "on-prem", "provisioned"},
		"/ui/tenants/" + id: {"Facility main", `title="Laboratory">yes`, `title="Theatre">–`, "sysmex-xn-1000", l.ID, "g@example.org", "&lt;script&gt;", "revision 1"},
		"/ui/mails":         {"You are invited", "g@example.org"},
		"/ui/audit":         {"tenant_admin.invite", "license.issue", "tenant.provision"},
		"/ui/audit?since=1": {"tenant.provision"},
	} {
		t.Run(path, func(t *testing.T) {
			r := at.look(t, "onboarding", path)
			if r.StatusCode != 200 || r.Header.Get("Content-Type") != "text/html; charset=utf-8" {
				t.Fatalf("%d %s", r.StatusCode, r.Header.Get("Content-Type"))
			}
			text := string(r.body)
			for _, part := range shows {
				if !strings.Contains(text, part) {
					t.Errorf("does not show %q", part)
				}
			}
			if strings.Contains(text, "<script") || strings.Contains(text, l.Token[:40]) || strings.Contains(text, "style=") {
				t.Error("it has a script, a style of its own or a secret")
			}
			policy := r.Header.Get("Content-Security-Policy")
			if !strings.HasPrefix(policy, "default-src 'none'; style-src 'self';") || r.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("header %v", r.Header)
			}
		})
	}
	if r := at.look(t, "onboarding", "/ui/style.css"); r.StatusCode != 200 || r.Header.Get("Content-Type") != "text/css; charset=utf-8" {
		t.Errorf("style: %d", r.StatusCode)
	}
}

func TestThePagesAreForWhoMayReadAllOfIt(t *testing.T) {
	at := start(t)
	id := at.onPrem(t, "health-centre")
	for _, path := range []string{"/ui/", "/ui/tenants/" + id, "/ui/mails", "/ui/audit", "/ui/style.css"} {
		for role, want := range map[string]int{"": 401, "nobody": 403, "billing": 403, "support": 403, "onboarding": 200, "super_admin": 200} {
			if r := at.look(t, role, path); r.StatusCode != want {
				t.Errorf("%s as %s: %d, want %d", path, role, r.StatusCode, want)
			} else if want == 401 && !strings.HasPrefix(r.Header.Get("WWW-Authenticate"), "Basic ") {
				t.Errorf("WWW-Authenticate %q", r.Header.Get("WWW-Authenticate"))
			}
		}
	}
	at.root(t, "GET", "/ui/", nil).want(http.StatusUnauthorized) // a browser's way alone
	for path, want := range map[string]int{"/ui/tenants/nothing": 404, "/ui/tenants/NO": 404, "/ui/nothing": 404, "/ui/?cursor=x": 404} {
		if r := at.look(t, "super_admin", path); r.StatusCode != want {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
	at.as(t, "", "POST", "/ui/", nil).refused(405, "method-not-allowed")
}
