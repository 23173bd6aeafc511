package conform

import (
	"fmt"
	"strings"
	"time"
)

// licensing are the checks of licences and on-prem tenants.
func licensing() []check {
	return []check{
		{"licences: issue", "", checkLicencesAreIssued},
		{"licences: the appliance's side asks for the licence's token", "", checkTheAppliancesSideAsksForTheLicencesToken},
		{"licences: activate, heartbeat, rebind, revoke", "", checkTheLifeOfALicence},
	}
}

// The tests of this file hold the contract's rows on licences and on-prem tenants.

type licensed struct {
	ID, Tenant, State, Token string
	Modules                  []struct{ Facility, Module, From, Until string }
	Limits                   map[string]*int64
	NotBefore                string `json:"not_before"`
	Expires                  string
}

func readLicence(t *T, r reply) (l licensed) {
	r.decode(t, &l)
	return l
}

// onPrem makes an on-prem tenant with a facility.
func (at target) onPrem(t *T, edition string) string {
	id := at.provisioned(t, "box", edition, "main")
	at.root(t, "PUT", "/tenants/"+id, object{"name": "On-prem", "edition": edition, "hosting": "on-prem"}).want(200)
	return id
}

// issue issues a licence for a year.
func (at target) issue(t *T, tenant string) licensed {
	expires := time.Now().AddDate(1, 0, 0).UTC().Format(time.RFC3339)
	return readLicence(t, at.root(t, "POST", "/licenses", object{"tenant": tenant, "expires": expires}).want(201))
}

// box begins a request of the appliance's side, with the licence's token.
func (at target) box(t *T, l licensed, what string, body object) call {
	return at.as(t, "", "POST", "/licenses/"+l.ID+"/"+what, body).with("Authorization", "Bearer "+l.Token)
}

func (at target) state(t *T, l licensed) string {
	for _, item := range at.all(t, "/licenses?tenant="+l.Tenant).Items {
		if held := readLicence(t, reply{body: item}); held.ID == l.ID {
			return held.State
		}
	}
	t.Fatalf("licence %s is not listed", l.ID)
	return ""
}

func checkLicencesAreIssued(t *T, at target) {
	id := at.onPrem(t, "health-centre")
	l := at.issue(t, id)
	if l.Tenant != id || l.State != "issued" || l.Token == "" || len(l.Modules) != 5 || *l.Limits["beds"] != 60 {
		t.Errorf("licence %+v", l)
	}
	t.Run("with modules, limits and dates of its own", func(t *T) {
		body := object{
			"tenant": id, "not_before": "2026-01-01T02:00:00+02:00", "expires": "2099-01-01T00:00:00Z",
			"limits": object{"beds": 7},
			"modules": []object{
				{"facility": "later", "module": "rx", "from": "2027-01-01T00:00:00Z", "until": nil},
				{"facility": "later", "module": "lab", "from": nil, "until": "2027-03-01T00:00:00Z"},
			},
		}
		l := readLicence(t, at.root(t, "POST", "/licenses", body).want(201))
		if got := fmt.Sprint(l.Modules); got != "[{later lab  2027-03-01T00:00:00Z} {later rx 2027-01-01T00:00:00Z }]" {
			t.Errorf("modules %s", got)
		}
		if *l.Limits["beds"] != 7 || l.Limits["users"] != nil || l.NotBefore != "2026-01-01T00:00:00Z" || l.Expires != "2099-01-01T00:00:00Z" {
			t.Errorf("licence %+v", l)
		}
	})
	t.Run("the one before is void", func(t *T) {
		if got := at.state(t, l); got != "revoked" {
			t.Errorf("state %s", got)
		}
	})
	t.Run("the list is of one tenant, or of all", func(t *T) {
		at.issue(t, at.onPrem(t, "health-centre"))
		if one, all := at.all(t, "/licenses?tenant="+id), at.all(t, "/licenses?limit=2"); one.Total != 2 || all.Total < 3 {
			t.Errorf("%d of one, %d of all", one.Total, all.Total)
		}
		at.root(t, "GET", "/licenses?tenant=NO", nil).refused(422, "invalid")
	})
	t.Run("it is audited, and the trail does not tell the token", func(t *T) {
		trail := at.last(t)
		if last := trail[len(trail)-1]; last.Event != "license.issue" {
			t.Errorf("entry %+v", last)
		}
		if text := string(encode(t, trail)); strings.Contains(text, l.Token) {
			t.Error("the trail tells the token")
		}
	})
	for name, c := range map[string]struct {
		body object
		code string
	}{
		"no end":                  {object{"tenant": id}, "invalid"},
		"an end before its begin": {object{"tenant": id, "expires": "2020-01-01T00:00:00Z"}, "invalid"},
		"a time that is none":     {object{"tenant": id, "expires": "soon"}, "invalid"},
		"no tenant":               {object{"expires": "2099-01-01T00:00:00Z"}, "invalid"},
		"an unknown tenant":       {object{"tenant": "nobody-knows", "expires": "2099-01-01T00:00:00Z"}, "unknown-tenant"},
		"an unknown module":       {object{"tenant": id, "expires": "2099-01-01T00:00:00Z", "modules": []object{{"facility": "main", "module": "labs"}}}, "unknown-module"},
		"a span that is none": {object{"tenant": id, "expires": "2099-01-01T00:00:00Z", "modules": []object{
			{"facility": "main", "module": "lab", "from": "2027-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"}}}, "invalid"},
		"a state": {object{"tenant": id, "expires": "2099-01-01T00:00:00Z", "state": "active"}, "unknown-field"},
	} {
		t.Run(name+" is 422", func(t *T) {
			at.root(t, "POST", "/licenses", c.body).refused(422, c.code)
		})
	}
}

func checkTheAppliancesSideAsksForTheLicencesToken(t *T, at target) {
	l, other := at.issue(t, at.onPrem(t, "hospital")), at.issue(t, at.onPrem(t, "hospital"))
	for name, token := range map[string]string{
		"none":                 "",
		"an operator's":        at.tokens["super_admin"],
		"another licence's":    other.Token,
		"one letter changed":   flipped(l.Token, len(l.Token)/2),
		"its signature's last": flipped(l.Token, len(l.Token)-20),
		"one without end":      strings.Repeat("a", 5000),
	} {
		for _, what := range []string{"activate", "heartbeat"} {
			t.Run(what+" with "+name, func(t *T) {
				c := at.as(t, "", "POST", "/licenses/"+l.ID+"/"+what, object{"fingerprint": "fp"})
				if token != "" {
					c.with("Authorization", "Bearer "+token)
				}
				c.refused(401, "unauthenticated")
			})
		}
	}
	at.root(t, "POST", "/licenses/nobody.000000000000/revoke", nil).refused(404, "not-found")
	at.root(t, "POST", "/licenses/none/rebind", object{}).refused(404, "not-found")
}

type beat struct {
	Token      string
	Grant      grant
	Directives []struct{ Do, Licence, Token string }
}

func checkTheLifeOfALicence(t *T, at target) {
	id := at.onPrem(t, "hospital")
	l := at.issue(t, id)
	labs := func() int { return at.gate(t, id+"/main/labs") }
	beat := func(t *T, fingerprint string, enforced any) (b beat) {
		at.box(t, l, "heartbeat", object{"fingerprint": fingerprint, "enforced_revision": enforced}).want(200).decode(t, &b)
		return b
	}
	status := func(t *T) (s struct {
		Reachable bool
		App       string
		Enforced  *struct{ Revision int64 }
		Licence   *struct {
			ID, State    string
			HeartbeatAt  *string `json:"heartbeat_at"`
			OfflineUntil *string `json:"offline_until"`
		}
	}) {
		at.root(t, "GET", "/tenants/"+id+"/ehr-status", nil).want(200).decode(t, &s)
		return s
	}
	tenantStatus := func() string {
		var tenant struct{ Status string }
		at.root(t, "GET", "/tenants/"+id, nil).want(200).decode(t, &tenant)
		return tenant.Status
	}
	t.Run("no heartbeat before activation", func(t *T) {
		at.box(t, l, "heartbeat", object{"fingerprint": "box-1"}).refused(403, "licence-not-active")
		if s := status(t); s.Reachable || s.Enforced != nil || s.Licence.State != "issued" || s.Licence.HeartbeatAt != nil {
			t.Errorf("status %+v", s)
		}
	})
	t.Run("activation binds a fingerprint, and may be repeated", func(t *T) {
		at.box(t, l, "activate", object{}).refused(422, "invalid")
		for range 2 {
			active := readLicence(t, at.box(t, l, "activate", object{"fingerprint": "box-1"}).want(200))
			if active.State != "active" || active.Token == l.Token {
				t.Errorf("licence %+v", active)
			}
		}
		at.box(t, l, "activate", object{"fingerprint": "box-2"}).refused(403, "fingerprint-mismatch")
		at.box(t, l, "heartbeat", object{"fingerprint": "box-2"}).refused(403, "fingerprint-mismatch")
		if got := labs(); got != 403 {
			t.Errorf("gate before a heartbeat that reports what is enforced: %d", got)
		}
	})
	t.Run("the gate answers from the heartbeat that reports the rows enforced", func(t *T) {
		b := beat(t, "box-1", nil)
		if b.Grant.Revision != 1 || b.Grant.ETag == "" || len(b.Grant.Rows) == 0 || b.Token == "" || len(b.Directives) != 0 {
			t.Errorf("heartbeat %+v", b)
		}
		if got := labs(); got != 403 {
			t.Errorf("gate before: %d", got)
		}
		beat(t, "box-1", 1)
		if got := labs(); got != 200 {
			t.Errorf("gate after: %d", got)
		}
		if s := status(t); !s.Reachable || s.App != "up" || s.Enforced.Revision != 1 || *s.Licence.OfflineUntil <= *s.Licence.HeartbeatAt {
			t.Errorf("status %+v", s)
		}
	})
	t.Run("a PUT is accepted at once and enforced by a later heartbeat", func(t *T) {
		at.replace(t, id, at.grant(t, id).ETag, row{"main", "theatre"}).want(200)
		if got := labs(); got != 200 {
			t.Errorf("gate after the PUT: %d", got)
		}
		beat(t, "box-1", 1)
		at.replace(t, id, at.grant(t, id).ETag, row{"main", "rx"}).want(200)
		if got := labs(); got != 200 {
			t.Errorf("gate after a heartbeat of the old revision: %d", got)
		}
		beat(t, "box-1", 2) // given, and replaced since
		if got, theatre := labs(), at.gate(t, id+"/main/theatre"); got != 403 || theatre != 200 {
			t.Errorf("gate after the heartbeat of revision 2: %d, %d", got, theatre)
		}
		beat(t, "box-1", 77) // never given
		if theatre := at.gate(t, id+"/main/theatre"); theatre != 403 {
			t.Errorf("gate by rows that nobody knows: %d", theatre)
		}
		beat(t, "box-1", 3)
		if rx := at.gate(t, id+"/main/rx"); rx != 200 {
			t.Errorf("gate after revision 3: %d", rx)
		}
	})
	t.Run("billing suspends it, and restores it", func(t *T) {
		at.root(t, "POST", "/subscriptions/"+id+"/status", object{"status": "suspended"}).want(200)
		if b := beat(t, "box-1", 3); len(b.Directives) != 1 || b.Directives[0].Do != "suspend" || at.state(t, l) != "suspended" {
			t.Errorf("heartbeat %+v, state %s", b, at.state(t, l))
		}
		at.root(t, "POST", "/subscriptions/"+id+"/status", object{"status": "active"}).want(200)
		if b := beat(t, "box-1", 3); len(b.Directives) != 0 || at.state(t, l) != "active" {
			t.Errorf("heartbeat %+v", b)
		}
	})
	t.Run("rebind moves it to other hardware", func(t *T) {
		if r := readLicence(t, at.root(t, "POST", "/licenses/"+l.ID+"/rebind", object{"fingerprint": "box-2"}).want(200)); r.State != "issued" {
			t.Errorf("licence %+v", r)
		}
		at.box(t, l, "heartbeat", object{"fingerprint": "box-1"}).refused(403, "fingerprint-mismatch")
		at.box(t, l, "activate", object{"fingerprint": "box-1"}).refused(403, "fingerprint-mismatch")
		at.box(t, l, "activate", object{"fingerprint": "box-2"}).want(200)
		if rx := at.gate(t, id+"/main/rx"); rx != 403 {
			t.Errorf("gate before the new box has said what it enforces: %d", rx)
		}
		beat(t, "box-2", 3)
		if rx := at.gate(t, id+"/main/rx"); rx != 200 {
			t.Errorf("gate of the new box: %d", rx)
		}
	})
	var next licensed
	t.Run("a new licence waits for the box to activate it", func(t *T) {
		next = at.issue(t, id)
		b := beat(t, "box-2", 3)
		if len(b.Directives) != 1 || b.Directives[0].Do != "renew" || b.Directives[0].Licence != next.ID || b.Directives[0].Token != next.Token {
			t.Fatalf("heartbeat %+v", b)
		}
		at.box(t, next, "activate", object{"fingerprint": "box-2"}).want(200)
		at.box(t, l, "heartbeat", object{"fingerprint": "box-2"}).refused(403, "licence-revoked")
		if rx := at.gate(t, id+"/main/rx"); rx != 200 || at.state(t, next) != "active" || at.state(t, l) != "revoked" {
			t.Errorf("gate %d, states %s and %s", rx, at.state(t, next), at.state(t, l))
		}
	})
	t.Run("revoke locks the deployment: 403 on every clinical route", func(t *T) {
		if r := readLicence(t, at.root(t, "POST", "/licenses/"+next.ID+"/revoke", nil).want(200)); r.State != "revoked" {
			t.Errorf("licence %+v", r)
		}
		at.as(t, "", "GET", "/ehr/"+id+"/main/rx", nil).refused(403, "tenant-locked")
		at.box(t, next, "activate", object{"fingerprint": "box-2"}).refused(403, "licence-revoked")
		at.box(t, next, "heartbeat", object{"fingerprint": "box-2"}).refused(403, "licence-revoked")
		at.root(t, "POST", "/licenses/"+next.ID+"/rebind", object{}).refused(403, "licence-revoked")
		if s := tenantStatus(); s != "locked" {
			t.Errorf("status %s", s)
		}
	})
	t.Run("until a box activates another one", func(t *T) {
		last := at.issue(t, id)
		if s := tenantStatus(); s != "locked" {
			t.Errorf("status %s", s)
		}
		at.box(t, last, "activate", object{"fingerprint": "box-3"}).want(200)
		if s := tenantStatus(); s == "locked" {
			t.Errorf("status %s", s)
		}
	})
}
