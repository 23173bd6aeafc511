package conform

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/gowebpki/jcs"
)

// resources are the checks of the bodies, and of the gate.
func resources() []check {
	return []check{
		{"GET /", "", checkTheRootTellsWhatIsThere},
		{"editions bear the EHR's own keys", "", checkEditionsBearTheEHRsOwnKeys},
		{"organisations", "", checkOrganisations},
		{"tenants", "", checkTenants},
		{"provision", "", checkProvision},
		{"EHR status", "", checkEHRStatus},
		{"facilities", "", checkFacilities},
		{"grants", "", checkGrants},
		{"bulk", "bulk-entitlements", checkBulk},
		{"subscriptions", "", checkSubscriptions},
	}
}

func checkTheRootTellsWhatIsThere(t *T, at target) {
	var root struct {
		Name, Version, Instance string
		ContractVersion         string `json:"contract_version"`
		Features                []string
	}
	at.as(t, "", "GET", "/", nil).want(200).decode(t, &root)
	if root.Name == "" || root.Version == "" || root.ContractVersion != "1" || root.Instance == "" {
		t.Errorf("root: %+v", root)
	}
	if !slices.Contains(root.Features, "bulk-entitlements") {
		t.Errorf("features: %v", root.Features)
	}
}

func checkEditionsBearTheEHRsOwnKeys(t *T, at target) {
	type edition struct {
		Key, Name string
		Modules   []string
		Limits    map[string]*int64
		Revision  int64
		Authority json.RawMessage
	}
	var centre edition
	at.root(t, "GET", "/editions/health-centre", nil).want(200).decode(t, &centre)
	if want := []string{"admin", "chart", "lab", "register", "rx"}; !slices.Equal(centre.Modules, want) {
		t.Errorf("modules %v, want %v", centre.Modules, want)
	}
	if centre.Key != "health-centre" || centre.Name == "" || centre.Revision < 1 {
		t.Errorf("edition %+v", centre)
	}
	for _, limit := range []string{"facilities", "users", "beds", "storage_gb"} {
		if _, told := centre.Limits[limit]; !told {
			t.Errorf("limit %s is not told", limit)
		}
	}
	if items := at.all(t, "/editions").Items; len(items) == 0 {
		t.Errorf("%d editions", len(items))
	}
}

func checkOrganisations(t *T, at target) {
	id := unique("o")
	r := at.root(t, "POST", "/clients", object{"id": id, "name": "Kisumu"}).want(201)
	if !sameJSON(t, r.body, object{"id": id, "name": "Kisumu"}) {
		t.Errorf("answer %s", r.body)
	}
	r = at.root(t, "PUT", "/clients/"+id, object{"id": id, "name": "Kisumu County"}).want(200)
	if !sameJSON(t, r.body, object{"id": id, "name": "Kisumu County"}) {
		t.Errorf("answer %s", r.body)
	}
	if list := string(encode(t, at.all(t, "/clients").Items)); !strings.Contains(list, "Kisumu County") {
		t.Errorf("list %s", list)
	}
}

func checkTenants(t *T, at target) {
	id := at.tenant(t, "t", "hospital")
	read := func() (tenant object) {
		at.root(t, "GET", "/tenants/"+id, nil).want(200).decode(t, &tenant)
		return tenant
	}
	want := object{
		"id": id, "name": read()["name"], "organisation": id + "-org",
		"edition": "hospital", "hosting": "cloud", "status": "created",
	}
	if got := read(); string(encode(t, got)) != string(encode(t, want)) {
		t.Errorf("tenant %v", got)
	}
	t.Run("a tenant that is created but not provisioned has a grant of revision 0 without rows, in bulk too", func(t *T) {
		g := at.grant(t, id)
		if g.Revision != 0 || len(g.Rows) != 0 || !strings.HasPrefix(g.ETag, `"0-`) {
			t.Errorf("grant %+v", g)
		}
		grants, _ := at.bulk(t, "/entitlements")
		if !slices.ContainsFunc(grants, func(b grant) bool { return b.Tenant == id && b.ETag == g.ETag && b.Revision == 0 }) {
			t.Errorf("bulk %+v", grants)
		}
		at.replace(t, id, g.ETag, row{"main", "rx"}).refused(422, "unknown-facility")
	})
	t.Run("PUT keeps a hosting that is left out", func(t *T) {
		path := "/tenants/" + at.tenant(t, "t", "hospital")
		var tenant struct{ Hosting string }
		for _, body := range []object{{"name": "X", "edition": "hospital", "hosting": "on-prem"}, {"name": "Y", "edition": "hospital"}} {
			at.root(t, "PUT", path, body).want(200).decode(t, &tenant)
			if tenant.Hosting != "on-prem" {
				t.Errorf("%v: hosting %q", body, tenant.Hosting)
			}
		}
	})
	t.Run("PUT replaces name, edition and hosting, and changes no row", func(t *T) {
		before := at.grant(t, id).ETag
		r := at.root(t, "PUT", "/tenants/"+id, object{"id": id, "name": "New", "organisation": id + "-org", "edition": "network", "hosting": "on-prem"}).want(200)
		want := object{"id": id, "name": "New", "organisation": id + "-org", "edition": "network", "hosting": "on-prem", "status": "created"}
		if !sameJSON(t, r.body, want) || before != at.grant(t, id).ETag {
			t.Errorf("answer %s", r.body)
		}
	})
}

func checkProvision(t *T, at target) {
	id := at.tenant(t, "t", "health-centre")
	type names struct {
		Facilities []string `json:"facilities"`
		Staff      []string `json:"staff"`
	}
	type answer struct{ Created, Existing names }
	provision := func(t *T, staff string, facilities ...string) (a answer) {
		body := object{"edition": "health-centre", "staff": []object{}}
		var sites []object
		for _, facility := range facilities {
			sites = append(sites, object{"id": facility, "name": "Facility", "beds": 4, "users": 3, "storage_gb": 2})
		}
		body["facilities"] = sites
		if staff != "" {
			body["staff"] = []object{{"email": staff, "name": "A", "role": "clinician", "facility": facilities[0]}}
		}
		at.root(t, "POST", "/tenants/"+id+"/provision", body).want(200).decode(t, &a)
		return a
	}
	t.Run("the first one needs a facility", func(t *T) {
		body := object{"edition": "health-centre", "facilities": []object{}, "staff": []object{}}
		at.root(t, "POST", "/tenants/"+id+"/provision", body).refused(422, "invalid")
	})
	t.Run("it makes facilities and staff and projects the edition", func(t *T) {
		a := provision(t, "A.Otieno@example.org", "main", "annex")
		want := answer{Created: names{[]string{"annex", "main"}, []string{"A.Otieno@example.org"}}, Existing: names{[]string{}, []string{}}}
		if string(encode(t, a)) != string(encode(t, want)) {
			t.Errorf("answer %+v", a)
		}
		g := at.grant(t, id)
		if g.Revision != 1 || len(g.Rows) != 10 || g.Rows[0] != (row{"annex", "admin"}) {
			t.Errorf("grant %+v", g)
		}
		var tenant struct{ Status string }
		at.root(t, "GET", "/tenants/"+id, nil).want(200).decode(t, &tenant)
		if tenant.Status != "provisioned" {
			t.Errorf("status %q", tenant.Status)
		}
	})
	t.Run("what exists is left alone, its rows too", func(t *T) {
		at.replace(t, id, at.grant(t, id).ETag, row{"main", "scribe"}).want(200)
		at.root(t, "PUT", "/tenants/"+id+"/facilities/main", object{"name": "Corrected"}).want(200)
		before := at.grant(t, id)
		a := provision(t, "a.otieno@EXAMPLE.org", "main", "annex")
		want := answer{Created: names{[]string{}, []string{}}, Existing: names{[]string{"annex", "main"}, []string{"a.otieno@EXAMPLE.org"}}}
		if string(encode(t, a)) != string(encode(t, want)) {
			t.Errorf("answer %+v", a)
		}
		if after := at.grant(t, id); after.ETag != before.ETag {
			t.Errorf("grant moved from %s to %s", before.ETag, after.ETag)
		}
		if list := string(encode(t, at.all(t, "/tenants/"+id+"/facilities").Items)); !strings.Contains(list, "Corrected") {
			t.Errorf("facilities %s", list)
		}
	})
	t.Run("a facility that is new gets the edition's rows and the others keep theirs", func(t *T) {
		before := at.grant(t, id)
		provision(t, "", "third")
		after := at.grant(t, id)
		if after.Revision != before.Revision+1 || len(after.Rows) != 1+5 || !slices.Contains(after.Rows, row{"main", "scribe"}) {
			t.Errorf("grant %+v", after)
		}
	})
	t.Run("nothing of a refused one stays", func(t *T) {
		at.root(t, "POST", "/tenants/"+id+"/provision", object{
			"edition": "health-centre", "facilities": []object{{"id": "fourth", "name": "Fourth"}},
			"staff": []object{{"email": "b@example.org", "name": "B", "role": "clinician", "facility": "nowhere"}},
		}).refused(422, "unknown-facility")
		if list := at.all(t, "/tenants/"+id+"/facilities"); list.Total != 3 {
			t.Errorf("%d facilities", list.Total)
		}
	})
	for name, body := range map[string]object{
		"a facility": {"edition": "health-centre", "facilities": []object{{"id": "x", "name": "X"}, {"id": "x", "name": "X"}}},
		"an account": {"edition": "health-centre", "staff": []object{
			{"email": "c@example.org", "name": "C", "role": "nurse", "facility": "main"},
			{"email": "C@example.org", "name": "C", "role": "nurse", "facility": "main"}}},
	} {
		t.Run(name+" that stands twice is 422", func(t *T) {
			at.root(t, "POST", "/tenants/"+id+"/provision", body).refused(422, "invalid")
		})
	}
}

func checkEHRStatus(t *T, at target) {
	id := at.provisioned(t, "t", "hospital", "main", "annex")
	at.root(t, "POST", "/tenants/"+id+"/provision", object{"edition": "hospital", "facilities": []object{}, "staff": []object{
		{"email": "a@example.org", "name": "A", "role": "nurse", "facility": "main"},
		{"email": "b@example.org", "name": "B", "role": "nurse", "facility": "main"},
	}}).want(200)
	type status struct {
		Reachable  bool
		App        string
		Release    string
		Facilities []struct {
			ID     string
			Exists bool
			Staff  int
		}
		Enforced *struct {
			Revision int64
			At       string
		}
		Licence    json.RawMessage
		ObservedAt string `json:"observed_at"`
	}
	read := func() (s status) {
		at.root(t, "GET", "/tenants/"+id+"/ehr-status", nil).want(200).decode(t, &s)
		return s
	}
	s := read()
	if !s.Reachable || s.App != "up" || s.Release == "" || s.ObservedAt == "" || string(s.Licence) != "null" {
		t.Errorf("status %+v", s)
	}
	if got := fmt.Sprint(s.Facilities); got != "[{annex true 0} {main true 2}]" {
		t.Errorf("facilities %s", got)
	}
	if g := at.grant(t, id); s.Enforced == nil || s.Enforced.Revision != g.Revision || s.Enforced.At != g.UpdatedAt {
		t.Errorf("enforced %+v, grant %d", s.Enforced, g.Revision)
	}
	t.Run("an on-prem site that was never heard of enforces nothing", func(t *T) {
		at.root(t, "PUT", "/tenants/"+id, object{"name": "T", "edition": "hospital", "hosting": "on-prem"}).want(200)
		if s := read(); s.Reachable || s.App != "down" || s.Enforced != nil {
			t.Errorf("status %+v", s)
		}
		if got := at.gate(t, id+"/main/labs"); got != 403 {
			t.Errorf("gate %d", got)
		}
	})
}

func checkFacilities(t *T, at target) {
	id := at.provisioned(t, "t", "hospital", "main")
	path := "/tenants/" + id + "/facilities"
	body := object{"id": "main", "name": "Main", "beds": 467, "users": 320, "storage_gb": 500}
	r := at.root(t, "PUT", path+"/main", body).want(200)
	if !sameJSON(t, r.body, body) || !sameJSON(t, at.all(t, path).Items[0], body) {
		t.Errorf("answer %s, list %s", r.body, at.all(t, path).Items[0])
	}
	at.root(t, "PUT", path+"/main", object{"id": "other", "name": "Main"}).refused(422, "invalid")
}

func checkGrants(t *T, at target) {
	id := at.provisioned(t, "t", "hospital", "main", "annex")
	path := "/tenants/" + id + "/entitlements"
	put := func(t *T, body any) call {
		return at.root(t, "PUT", path, body).with("If-Match", at.grant(t, id).ETag)
	}
	t.Run("rows are sorted by facility, then module, and modules are their union", func(t *T) {
		r := put(t, object{"rows": []row{{"main", "rx"}, {"main", "chart"}, {"annex", "rx"}}}).want(200)
		g := readGrant(t, r)
		if fmt.Sprint(g.Rows) != "[{annex rx} {main chart} {main rx}]" || fmt.Sprint(g.Modules) != "[chart rx]" {
			t.Errorf("rows %v, modules %v", g.Rows, g.Modules)
		}
		if g.Tenant != id || g.Revision != 2 || g.UpdatedBy == "" || string(g.Authority) != "null" {
			t.Errorf("grant %+v", g)
		}
		if read := at.root(t, "GET", path, nil).want(200); string(read.body) != string(r.body) || read.Header.Get("ETag") != r.Header.Get("ETag") {
			t.Errorf("PUT answered %s, GET %s", r.body, read.body)
		}
	})
	t.Run("every accepted PUT makes a new revision, also one that changes nothing", func(t *T) {
		g := at.grant(t, id)
		again := readGrant(t, put(t, object{"rows": g.Rows}).want(200))
		if again.Revision != g.Revision+1 || again.ETag == g.ETag || fmt.Sprint(again.Rows) != fmt.Sprint(g.Rows) {
			t.Errorf("grant %+v after %+v", again, g)
		}
	})
	for _, c := range []struct{ name, body, code string }{
		{"no rows at all", `{}`, "invalid"},
		{"null for rows", `{"rows":null}`, "invalid"},
		{"a row twice", `{"rows":[{"facility":"main","module":"rx"},{"facility":"main","module":"rx"}]}`, "invalid"},
		{"a row without a module", `{"rows":[{"facility":"main"}]}`, "invalid"},
		{"a module that is no identifier", `{"rows":[{"facility":"main","module":"RX"}]}`, "invalid"},
		{"an unknown facility", `{"rows":[{"facility":"main","module":"rx"},{"facility":"moon","module":"rx"}]}`, "unknown-facility"},
		{"an unknown module", `{"rows":[{"facility":"main","module":"rx"},{"facility":"main","module":"surgery"}]}`, "unknown-module"},
		{"charter's key for a module where the EHR has its own", `{"rows":[{"facility":"main","module":"labs"}]}`, "unknown-module"},
	} {
		t.Run(c.name+" is 422 and changes nothing", func(t *T) {
			before := at.grant(t, id)
			put(t, c.body).refused(422, c.code)
			if after := at.grant(t, id); after.ETag != before.ETag {
				t.Errorf("grant moved from %s to %s", before.ETag, after.ETag)
			}
		})
	}
	t.Run("an empty list takes everything away", func(t *T) {
		if g := readGrant(t, put(t, `{"rows":[]}`).want(200)); len(g.Rows) != 0 || len(g.Modules) != 0 {
			t.Errorf("grant %+v", g)
		}
	})
	t.Run("an edition's change on the tenant changes no grant", func(t *T) {
		before := at.grant(t, id)
		at.root(t, "PUT", "/tenants/"+id, object{"name": "T", "edition": "health-centre", "hosting": "cloud"}).want(200)
		if after := at.grant(t, id); after.ETag != before.ETag {
			t.Errorf("grant moved from %s to %s", before.ETag, after.ETag)
		}
	})
}

func checkBulk(t *T, at target) {
	var ids []string
	for range 5 {
		ids = append(ids, at.provisioned(t, "t", "health-centre", "main"))
	}
	slices.Sort(ids)
	grants, snapshot := at.bulk(t, "/entitlements")
	t.Run("it holds every tenant's grant, in tenant order, as GET answers it", func(t *T) {
		if !slices.IsSortedFunc(grants, func(a, b grant) int { return strings.Compare(a.Tenant, b.Tenant) }) {
			t.Error("not in tenant order")
		}
		for _, id := range ids {
			want := at.grant(t, id)
			if !slices.ContainsFunc(grants, func(g grant) bool { return string(encode(t, g)) == string(encode(t, want)) }) {
				t.Errorf("tenant %s: not as GET answers it", id)
			}
		}
	})
	t.Run("its lines are NDJSON", func(t *T) {
		r := at.root(t, "GET", "/entitlements", nil).want(200)
		if got := r.Header.Get("Content-Type"); got != "application/x-ndjson" || !strings.HasSuffix(string(r.body), "}\n") {
			t.Errorf("Content-Type %q", got)
		}
	})
	since := func(snapshot string) string { return "/entitlements?since=" + snapshot }
	t.Run("since gives the grants changed after a snapshot", func(t *T) {
		if none, _ := at.bulk(t, since(snapshot)); len(none) != 0 {
			t.Errorf("%d grants without a write", len(none))
		}
		for _, i := range []int{3, 1} {
			at.replace(t, ids[i], at.grant(t, ids[i]).ETag, row{"main", "rx"}).want(200)
		}
		at.root(t, "PUT", "/tenants/"+ids[4], object{"name": "Renamed", "edition": "health-centre"}).want(200)
		fresh := at.tenant(t, "zz", "health-centre")
		changed, next := at.bulk(t, since(snapshot))
		if len(changed) != 3 || changed[0].Tenant != ids[1] || changed[1].Tenant != ids[3] || changed[2].Tenant != fresh {
			t.Errorf("changed %+v", changed)
		}
		if none, _ := at.bulk(t, since(next)); len(none) != 0 {
			t.Errorf("%d grants after the newest snapshot", len(none))
		}
	})
	t.Run("a list's snapshot is one too", func(t *T) {
		at.bulk(t, since(at.all(t, "/tenants").Snapshot))
	})
	number, hash, _ := strings.Cut(snapshot, "-")
	for name, never := range map[string]string{
		"empty":                 "",
		"a word":                "yesterday",
		"a number alone":        number,
		"of another state":      "1-" + hash,
		"of a future":           "999999-" + hash,
		"below none":            "-1-" + hash,
		"one digit off":         number + "-" + flippedHex(hash),
		"a number spelled anew": "+" + snapshot,
	} {
		t.Run("a snapshot never given is 410: "+name, func(t *T) {
			at.root(t, "GET", since(strings.ReplaceAll(never, "+", "%2B")), nil).refused(410, "snapshot-gone")
		})
	}
}

func flippedHex(hash string) string {
	if hash[0] == '0' {
		return "1" + hash[1:]
	}
	return "0" + hash[1:]
}

func checkSubscriptions(t *T, at target) {
	id := at.provisioned(t, "t", "hospital", "main")
	status := func(t *T, said string) string {
		var tenant struct{ Status string }
		at.root(t, "POST", "/subscriptions/"+id+"/status", object{"status": said}).want(200).decode(t, &tenant)
		return tenant.Status
	}
	before := at.grant(t, id)
	if got := status(t, "suspended"); got != "suspended" {
		t.Fatalf("status %q", got)
	}
	t.Run("a suspended tenant answers 403 on clinical routes", func(t *T) {
		at.as(t, "", "GET", "/ehr/"+id+"/main/labs", nil).refused(403, "tenant-suspended")
		at.as(t, "", "GET", "/ehr/"+id+"/main/scribe", nil).refused(403, "module-not-entitled")
	})
	t.Run("keeps its rows", func(t *T) {
		if after := at.grant(t, id); string(encode(t, after)) != string(encode(t, before)) {
			t.Errorf("grant %+v", after)
		}
	})
	t.Run("and refuses writes to them with 423", func(t *T) {
		at.replace(t, id, before.ETag, row{"main", "rx"}).refused(423, "tenant-suspended")
		at.root(t, "PUT", "/tenants/"+id+"/entitlements", object{"rows": []row{}}).refused(423, "tenant-suspended")
		at.root(t, "POST", "/tenants/"+id+"/provision", object{
			"edition": "hospital", "facilities": []object{{"id": "new", "name": "New"}}, "staff": []object{},
		}).refused(423, "tenant-suspended")
	})
	t.Run("an active one is open again", func(t *T) {
		if got := status(t, "active"); got != "active" {
			t.Errorf("status %q", got)
		}
		if got := at.gate(t, id+"/main/labs"); got != 200 {
			t.Errorf("gate %d", got)
		}
		at.replace(t, id, before.ETag, row{"main", "rx"}).want(200)
	})
	t.Run("one that was never provisioned is created again, not active", func(t *T) {
		id = at.tenant(t, "t", "hospital")
		status(t, "suspended")
		if got := status(t, "active"); got != "created" {
			t.Errorf("status %q", got)
		}
	})
}

// hashOf is the hash that an audit entry must bear, by a reader of the contract.
func hashOf(t *T, item []byte) string {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(item, &fields); err != nil {
		t.Fatal(err)
	}
	delete(fields, "hash")
	canonical, err := jcs.Transform(encode(t, fields))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:])
}
