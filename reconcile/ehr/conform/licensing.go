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

// life is a licence on its way, with the box that uses it.
type life struct {
	target
	id   string // the tenant
	l    licensed
	next licensed // what replaces it
}

// checkTheLifeOfALicence makes its checks one after the other: each goes on where
// the one before ended.
func checkTheLifeOfALicence(t *T, at target) {
	v := &life{target: at, id: at.onPrem(t, "hospital")}
	v.l = at.issue(t, v.id)
	for _, step := range []struct {
		name string
		run  func(*T)
	}{
		{"no heartbeat before activation", v.beforeActivation},
		{"activation binds a fingerprint, and may be repeated", v.activation},
		{"the gate answers from the heartbeat that reports the rows enforced", v.firstHeartbeat},
		{"a PUT is accepted at once and enforced by a later heartbeat", v.enforcement},
		{"billing suspends it, and restores it", v.suspension},
		{"rebind moves it to other hardware", v.rebinding},
		{"a new licence waits for the box to activate it", v.renewal},
		{"revoke locks the deployment: 403 on every clinical route", v.revocation},
		{"until a box activates another one", v.unlocking},
	} {
		t.Run(step.name, step.run)
	}
}

// route is the status of a route of the tenant's.
func (v *life) route(t *T, name string) int { return v.gate(t, v.id+"/main/"+name) }

// heartbeat is what a box is told that says what it enforces.
func (v *life) heartbeat(t *T, fingerprint string, enforced any) (b beat) {
	v.box(t, v.l, "heartbeat", object{"fingerprint": fingerprint, "enforced_revision": enforced}).want(200).decode(t, &b)
	return b
}

// deployment is the tenant's EHR status.
type deployment struct {
	Reachable bool
	App       string
	Enforced  *struct{ Revision int64 }
	Licence   *struct {
		ID, State    string
		HeartbeatAt  *string `json:"heartbeat_at"`
		OfflineUntil *string `json:"offline_until"`
	}
}

func (v *life) deployment(t *T) (d deployment) {
	v.root(t, "GET", "/tenants/"+v.id+"/ehr-status", nil).want(200).decode(t, &d)
	return d
}

// status is the tenant's.
func (v *life) status(t *T) string {
	var tenant struct{ Status string }
	v.root(t, "GET", "/tenants/"+v.id, nil).want(200).decode(t, &tenant)
	return tenant.Status
}

func (v *life) beforeActivation(t *T) {
	v.box(t, v.l, "heartbeat", object{"fingerprint": "box-1"}).refused(403, "licence-not-active")
	if d := v.deployment(t); d.Reachable || d.Enforced != nil || d.Licence.State != "issued" || d.Licence.HeartbeatAt != nil {
		t.Errorf("status %+v", d)
	}
}

func (v *life) activation(t *T) {
	v.box(t, v.l, "activate", object{}).refused(422, "invalid")
	for range 2 {
		active := readLicence(t, v.box(t, v.l, "activate", object{"fingerprint": "box-1"}).want(200))
		if active.State != "active" || active.Token == "" {
			t.Errorf("licence %+v", active)
		}
	}
	v.box(t, v.l, "activate", object{"fingerprint": "box-2"}).refused(403, "fingerprint-mismatch")
	v.box(t, v.l, "heartbeat", object{"fingerprint": "box-2"}).refused(403, "fingerprint-mismatch")
	if got := v.route(t, "labs"); got != 403 {
		t.Errorf("gate before a heartbeat that reports what is enforced: %d", got)
	}
}

func (v *life) firstHeartbeat(t *T) {
	b := v.heartbeat(t, "box-1", nil)
	if b.Grant.Revision != 1 || len(b.Grant.Rows) == 0 || b.Token == "" || len(b.Directives) != 0 {
		t.Errorf("heartbeat %+v", b)
	}
	if got := v.route(t, "labs"); got != 403 {
		t.Errorf("gate before: %d", got)
	}
	v.heartbeat(t, "box-1", 1)
	if got := v.route(t, "labs"); got != 200 {
		t.Errorf("gate after: %d", got)
	}
	if d := v.deployment(t); !d.Reachable || d.App != "up" || d.Enforced.Revision != 1 || *d.Licence.OfflineUntil <= *d.Licence.HeartbeatAt {
		t.Errorf("status %+v", d)
	}
}

func (v *life) enforcement(t *T) {
	v.replace(t, v.id, v.grant(t, v.id).ETag, row{"main", "theatre"}).want(200)
	if got := v.route(t, "labs"); got != 200 {
		t.Errorf("gate after the PUT: %d", got)
	}
	v.heartbeat(t, "box-1", 1)
	v.replace(t, v.id, v.grant(t, v.id).ETag, row{"main", "rx"}).want(200)
	if got := v.route(t, "labs"); got != 200 {
		t.Errorf("gate after a heartbeat of the old revision: %d", got)
	}
	v.heartbeat(t, "box-1", 2) // given, and replaced since
	if labs, theatre := v.route(t, "labs"), v.route(t, "theatre"); labs != 403 || theatre != 200 {
		t.Errorf("gate after the heartbeat of revision 2: %d, %d", labs, theatre)
	}
	v.heartbeat(t, "box-1", 77) // never given
	if theatre := v.route(t, "theatre"); theatre != 403 {
		t.Errorf("gate by rows that nobody knows: %d", theatre)
	}
	v.heartbeat(t, "box-1", 3)
	if rx := v.route(t, "rx"); rx != 200 {
		t.Errorf("gate after revision 3: %d", rx)
	}
}

func (v *life) suspension(t *T) {
	v.root(t, "POST", "/subscriptions/"+v.id+"/status", object{"status": "suspended"}).want(200)
	v.heartbeat(t, "box-1", 3)
	if got := v.state(t, v.l); got != "suspended" {
		t.Errorf("state %s", got)
	}
	v.root(t, "POST", "/subscriptions/"+v.id+"/status", object{"status": "active"}).want(200)
	v.heartbeat(t, "box-1", 3)
	if got := v.state(t, v.l); got != "active" {
		t.Errorf("state %s", got)
	}
}

func (v *life) rebinding(t *T) {
	v.root(t, "POST", "/licenses/"+v.l.ID+"/rebind", object{"fingerprint": "box-2"}).want(200)
	v.box(t, v.l, "heartbeat", object{"fingerprint": "box-1"}).refused(403, "fingerprint-mismatch")
	v.box(t, v.l, "activate", object{"fingerprint": "box-1"}).refused(403, "fingerprint-mismatch")
	v.box(t, v.l, "activate", object{"fingerprint": "box-2"}).want(200)
	if rx := v.route(t, "rx"); rx != 403 {
		t.Errorf("gate before the new box has said what it enforces: %d", rx)
	}
	v.heartbeat(t, "box-2", 3)
	if rx := v.route(t, "rx"); rx != 200 {
		t.Errorf("gate of the new box: %d", rx)
	}
}

func (v *life) renewal(t *T) {
	v.next = v.issue(t, v.id)
	b := v.heartbeat(t, "box-2", 3)
	if len(b.Directives) != 1 || b.Directives[0].Do != "renew" || b.Directives[0].Licence != v.next.ID || b.Directives[0].Token == "" {
		t.Errorf("heartbeat %+v", b)
	}
	v.box(t, v.next, "activate", object{"fingerprint": "box-2"}).want(200)
	v.box(t, v.l, "heartbeat", object{"fingerprint": "box-2"}).refused(403, "licence-revoked")
	if rx, next, l := v.route(t, "rx"), v.state(t, v.next), v.state(t, v.l); rx != 200 || next != "active" || l != "revoked" {
		t.Errorf("gate %d, states %s and %s", rx, next, l)
	}
}

func (v *life) revocation(t *T) {
	if r := readLicence(t, v.root(t, "POST", "/licenses/"+v.next.ID+"/revoke", nil).want(200)); r.State != "revoked" {
		t.Errorf("licence %+v", r)
	}
	v.as(t, "", "GET", "/ehr/"+v.id+"/main/rx", nil).want(403)
	v.box(t, v.next, "activate", object{"fingerprint": "box-2"}).refused(403, "licence-revoked")
	v.box(t, v.next, "heartbeat", object{"fingerprint": "box-2"}).refused(403, "licence-revoked")
	v.root(t, "POST", "/licenses/"+v.next.ID+"/rebind", object{}).refused(403, "licence-revoked")
	if got := v.status(t); got != "locked" {
		t.Errorf("status %s", got)
	}
}

func (v *life) unlocking(t *T) {
	last := v.issue(t, v.id)
	if got := v.status(t); got != "locked" {
		t.Errorf("status %s", got)
	}
	v.box(t, last, "activate", object{"fingerprint": "box-3"}).want(200)
	if got := v.status(t); got == "locked" {
		t.Errorf("status %s", got)
	}
}
