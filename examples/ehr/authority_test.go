package main_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gowebpki/jcs"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/seal"
)

// The tests of this file hold verified-authority: they spell the lines of a batch
// by hand, as the contract has them, and sign with real keys.

// person is somebody whose key is trusted, or not.
type person struct {
	*seal.Signer
	public []byte
	// account is whose review at a forge they speak of, as a notary does; "" where they
	// decide by themselves.
	account string
}

// persons are made once: a key's encryption is slow on purpose.
var persons = sync.OnceValues(func() (made []person, err error) {
	for range 4 {
		private, public, err := seal.GenerateKey([]byte("p"))
		if err != nil {
			return nil, err
		}
		signer, err := seal.OpenKey(private, []byte("p"))
		if err != nil {
			return nil, err
		}
		made = append(made, person{Signer: signer, public: public})
	}
	return made, nil
})

// ward is an EHR that verifies, and who may approve there.
type ward struct {
	target
	ada, ben, machine, mallory person
}

// verifying starts an EHR that trusts Ada and Ben. Removals need both.
func verifying(t *testing.T, more ...string) ward {
	t.Helper()
	made, err := persons()
	if err != nil {
		t.Fatal(err)
	}
	w := ward{ada: made[0], ben: made[1], machine: made[2], mallory: made[3]}
	args := append([]string{"--trust", w.ada.file(t), w.ben.file(t), "--trust-applier", w.machine.file(t), "--need", "1,revoke=2"}, more...)
	w.target = start(t, args...)
	return w
}

func (p person) file(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "key.pub")
	if err := os.WriteFile(name, p.public, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// word is an authority that is being made. Its zero fields are what an honest one
// would have.
type word struct {
	lines       []string
	by          []person
	environment string // that is claimed
	approvedFor string // the environment that is signed for
	decision    seal.Decision
	tenants     []string
	until       time.Time
	plan        string // names the plan file
	index, more int    // added to what is right
	foreignRoot bool   // the batch is not among those signed for
	proofBytes  int    // cut off the proof's first node
}

// authority signs for a batch among others.
func (w word) authority(t *testing.T) object {
	t.Helper()
	w.environment = or(w.environment, "default")
	digest := plan.Lines(w.lines).Digest()
	leaves := []plan.Digest{plan.DigestOf([]byte("before")), digest, plan.DigestOf([]byte("after"))}
	signed := slices.Clone(leaves)
	if w.foreignRoot {
		signed[1] = plan.DigestOf([]byte("another"))
	}
	tree, err := plan.NewTree(leaves)
	if err != nil {
		t.Fatal(err)
	}
	path, err := tree.Prove(1)
	if err != nil {
		t.Fatal(err)
	}
	proof := []string{}
	for i, node := range path {
		text := node[:]
		if i == 0 {
			text = text[w.proofBytes:]
		}
		proof = append(proof, base64.StdEncoding.EncodeToString(text))
	}
	approvals := []object{}
	for _, p := range w.by {
		approvals = append(approvals, object{"bundle": json.RawMessage(w.bundle(t, p, signed)), "index": 1 + w.index, "count": 3 + w.more, "proof": proof})
	}
	base := slices.IndexFunc(w.lines, func(l string) bool { return strings.HasPrefix(l, "base ") || strings.HasPrefix(l, "at ") })
	return object{
		"environment": w.environment, "batch": digest.String(), "base": w.lines[base], "receipt": nil, "approvals": approvals, "mandate": nil,
	}
}

func (w word) bundle(t *testing.T, p person, leaves []plan.Digest) []byte {
	t.Helper()
	tree, err := plan.NewTree(leaves)
	if err != nil {
		t.Fatal(err)
	}
	root, err := tree.Root()
	if err != nil {
		t.Fatal(err)
	}
	environment, err := catalog.ParseEnvironment(or(w.approvedFor, w.environment))
	if err != nil {
		t.Fatal(err)
	}
	terms := seal.Approval{
		Decision: seal.Decision(or(string(w.decision), string(seal.Approve))), Environment: environment,
		Batches: seal.Batches{Root: root, Count: len(leaves)}, NotAfter: w.until,
	}
	if terms.NotAfter.IsZero() {
		terms.NotAfter = time.Now().Add(time.Hour)
	}
	if p.account != "" {
		terms.Review = &seal.Review{Account: p.account, Change: 5, Head: strings.Repeat("a", 40), ID: "1", At: time.Now()}
	}
	for _, name := range w.tenants {
		id, err := catalog.ParseTenantID(name)
		if err != nil {
			t.Fatal(err)
		}
		terms.Tenants = append(terms.Tenants, id)
	}
	statement, err := seal.Statement(seal.Subject{Name: "plan.json", SHA256: sha256.Sum256([]byte(w.plan))}, terms)
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := p.Sign(statement)
	if err != nil {
		t.Fatal(err)
	}
	return bundle
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// sum is the SHA-256 of a JSON value's RFC 8785 form, in hex.
func sum(t *testing.T, value any) string {
	t.Helper()
	canonical, err := jcs.Transform(encode(t, value))
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(canonical)
	return hex.EncodeToString(digest[:])
}

func content(t *testing.T, value any) string { return "base sha256:" + sum(t, value) }

// requestLines are the lines of a batch that is a request.
func requestLines(t *testing.T, of, subject, method, path, base string, body object) []string {
	return []string{
		"charter batch v1", "environment default", "tenant " + of, "subject " + subject,
		"request " + method + " " + path, base, "= " + sum(t, body),
	}
}

// rowLines are the lines of a batch of rows: "- facility module" and "+ facility
// module".
func rowLines(tenant, base string, rows ...string) []string {
	return append([]string{"charter batch v1", "environment default", "tenant " + tenant, "subject entitlements", base}, rows...)
}

// sent is a body with an authority.
func sent(body, authority object) object {
	whole := object{"authority": authority}
	for name, value := range body {
		whole[name] = value
	}
	return whole
}

// step is one write of a hospital's whole life.
type step struct {
	of, subject, method, path string
	body                      object
	base                      func(*testing.T) string
	etag                      func(*testing.T) string // nil where the write asks for none
	status                    int
	withdraws                 bool
}

func literally(text string) func(*testing.T) string { return func(*testing.T) string { return text } }

// steps are all writes that a plan can make but those of rows.
func (w ward) steps(t *testing.T) []step {
	none := literally("base none")
	on := func(value any) func(*testing.T) string {
		return func(t *testing.T) string { return content(t, value) }
	}
	tag := func(t *testing.T) string {
		return w.root(t, "GET", "/editions/clinic", nil).want(200).Header.Get("ETag")
	}
	licence := func(t *testing.T) object { return w.currentLicence(t, "mercy") }
	onLicence := func(t *testing.T) string {
		l := licence(t)
		return content(t, object{"id": l["id"], "expires": l["expires"], "modules": l["modules"], "limits": l["limits"]})
	}
	edition := object{"key": "clinic", "name": "Clinic", "modules": []string{"register"}, "limits": object{}}
	org := object{"id": "sisters", "name": "Sisters"}
	tenant := object{"id": "mercy", "name": "Mercy", "organisation": "sisters", "edition": "clinic", "hosting": "on-prem"}
	site := object{"id": "main", "name": "Main", "beds": 3, "users": 4, "storage_gb": 5}
	issue := object{"tenant": "mercy", "expires": "2099-01-01T00:00:00Z", "modules": []object{}}
	anew := object{"tenant": "mercy", "expires": "2098-01-01T00:00:00Z", "modules": []object{}}
	instrument := func(keys ...string) object {
		list := []object{}
		for _, key := range keys {
			list = append(list, object{"key": key, "licensed": true})
		}
		return object{"instruments": list}
	}
	key := "sysmex-xn-1000" // of the default catalogue
	return []step{
		{"clinic", "edition", "POST", "/registry/editions", edition, none, nil, 201, false},
		{"clinic", "edition", "PUT", "/registry/editions/clinic", edition,
			func(t *testing.T) string { return "base 1 " + tag(t) }, tag, 200, false},
		{"sisters", "organisation", "POST", "/clients", org, none, nil, 201, false},
		{"sisters", "organisation", "PUT", "/clients/sisters", object{"name": "The Sisters"}, on(org), nil, 200, false},
		{"mercy", "tenant", "POST", "/tenants", tenant, none, nil, 201, false},
		{"mercy", "tenant", "PUT", "/tenants/mercy", object{"name": "Mercy", "edition": "clinic", "hosting": "cloud"}, on(tenant), nil, 200, false},
		{"mercy", "licence", "POST", "/licenses", issue, none, nil, 201, false},
		{"mercy", "licence", "POST", "/licenses", issue, onLicence, nil, 201, false},
		{"mercy", "provision", "POST", "/tenants/mercy/provision", object{"edition": "clinic", "facilities": []object{site}, "staff": []object{}},
			on([]string{}), nil, 200, false},
		{"mercy", "provision", "POST", "/tenants/mercy/provision", object{"edition": "clinic", "facilities": []object{site}, "staff": []object{}},
			on([]string{"main"}), nil, 200, false},
		{"mercy", "facility", "PUT", "/tenants/mercy/facilities/main", object{"name": "Main site", "beds": 9}, on(site), nil, 200, false},
		{"mercy", "connect", "PUT", "/tenants/mercy/connect-entitlements", instrument(key), on([]string{}), nil, 200, false},
		{"mercy", "connect", "PUT", "/tenants/mercy/connect-entitlements", instrument(), on([]string{key}), nil, 200, true},
		{"mercy", "admin", "POST", "/tenants/mercy/tenant-admins", object{"email": "jo@example.org", "name": "Jo"}, none, nil, 201, false},
		{"mercy", "admin", "DELETE", "/tenants/mercy/tenant-admins/jo@example.org", object{},
			on(object{"email": "jo@example.org", "state": "invited"}), nil, 200, true},
		{"mercy", "admin", "POST", "/tenants/mercy/tenant-admins", object{"email": "jo@example.org", "name": "Jo"},
			on(object{"email": "jo@example.org", "state": "withdrawn"}), nil, 201, false},
		{"mercy", "licence", "POST", "", object{}, onLicence, nil, 200, true},  // the path names a licence
		{"mercy", "licence", "POST", "/licenses", anew, none, nil, 201, false}, // what is revoked does not count
	}
}

// currentLicence is the one of a tenant's that is not revoked.
func (w ward) currentLicence(t *testing.T, tenant string) object {
	t.Helper()
	for _, item := range w.all(t, "/licenses?tenant="+tenant).Items {
		var l object
		reply{body: item}.decode(t, &l)
		if l["state"] != "revoked" {
			return l
		}
	}
	t.Fatal("every licence is revoked")
	return nil
}

func (w ward) send(t *testing.T, s step, body object) call {
	t.Helper()
	c := w.root(t, s.method, s.path, body)
	if s.etag != nil {
		c = c.with("If-Match", s.etag(t))
	}
	return c
}

// TestEveryWriteOfAPlanNeedsItsApproval makes each write first with no word, with
// one of a stranger and with one too few, and then as people have approved it.
func TestEveryWriteOfAPlanNeedsItsApproval(t *testing.T) {
	w := verifying(t)
	for _, s := range w.steps(t) {
		if s.path == "" {
			s.path = "/licenses/" + w.currentLicence(t, "mercy")["id"].(string) + "/revoke"
		}
		t.Run(s.method+" "+s.path, func(t *testing.T) {
			lines := requestLines(t, s.of, s.subject, s.method, s.path, s.base(t), s.body)
			w.send(t, s, s.body).refused(403, "authority-invalid")
			forged := word{lines: lines, by: []person{w.mallory, w.machine}}.authority(t)
			w.send(t, s, sent(s.body, forged)).refused(403, "authority-invalid")
			if s.withdraws {
				one := word{lines: lines, by: []person{w.ada}}.authority(t)
				w.send(t, s, sent(s.body, one)).refused(403, "authority-invalid")
			}
			by := []person{w.ada}
			if s.withdraws {
				by = append(by, w.ben)
			}
			honest := word{lines: lines, by: by, plan: s.path + s.method + s.base(t)}.authority(t)
			w.send(t, s, sent(s.body, honest)).want(s.status)
			if s.etag == nil && s.subject != "provision" { // the same again stands on what is gone
				if again := w.send(t, s, sent(s.body, honest)).send().StatusCode; again != 403 && again != 409 {
					t.Errorf("again: status %d", again)
				}
			}
		})
	}
}

// hospital makes a tenant with rows on an EHR that verifies, and returns its grant.
func (w ward) hospital(t *testing.T, id string) grant {
	t.Helper()
	for _, s := range []step{
		{id, "organisation", "POST", "/clients", object{"id": id, "name": id}, literally("base none"), nil, 201, false},
		{id, "tenant", "POST", "/tenants", object{"id": id, "name": id, "organisation": id, "edition": "health-centre"},
			literally("base none"), nil, 201, false},
		{id, "provision", "POST", "/tenants/" + id + "/provision",
			object{"edition": "health-centre", "facilities": []object{{"id": "main", "name": "Main"}}, "staff": []object{}},
			literally(content(t, []string{})), nil, 200, false},
	} {
		lines := requestLines(t, s.of, s.subject, s.method, s.path, s.base(t), s.body)
		w.send(t, s, sent(s.body, word{lines: lines, by: []person{w.ada}}.authority(t))).want(s.status)
	}
	return w.grant(t, id)
}

// put begins a write of rows.
func (w ward) put(t *testing.T, g grant, authority object, rows ...row) call {
	t.Helper()
	return w.root(t, "PUT", "/tenants/"+g.Tenant+"/entitlements", object{"rows": rows, "authority": authority}).with("If-Match", g.ETag)
}

func stamped(g grant) string { return fmt.Sprintf("base %d %s", g.Revision, g.ETag) }

func without(rows []row, module string) []row {
	return slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return r.Module == module })
}

func TestWhatPeopleDidNotApproveIsRefused(t *testing.T) {
	w := verifying(t)
	g := w.hospital(t, "mercy")
	more := append(slices.Clone(g.Rows), row{"main", "theatre"})
	honest := rowLines("mercy", stamped(g), "+ main theatre")
	both := []person{w.ada, w.ben}
	for name, said := range map[string]word{
		"nobody":                             {lines: honest},
		"a stranger":                         {lines: honest, by: []person{w.mallory}},
		"a machine":                          {lines: honest, by: []person{w.machine}},
		"another row":                        {lines: rowLines("mercy", stamped(g), "+ main icu"), by: both},
		"a row more":                         {lines: rowLines("mercy", stamped(g), "+ main icu", "+ main theatre"), by: both},
		"another tenant":                     {lines: rowLines("grace", stamped(g), "+ main theatre"), by: both},
		"another revision":                   {lines: rowLines("mercy", fmt.Sprintf("base %d %s", g.Revision+1, g.ETag), "+ main theatre"), by: both},
		"another environment":                {lines: honest, by: both, environment: "staging"},
		"signed for another environment":     {lines: honest, by: both, approvedFor: "staging"},
		"a rejection":                        {lines: honest, by: both, decision: seal.Reject},
		"an approval of other tenants":       {lines: honest, by: both, tenants: []string{"grace"}},
		"an approval that has expired":       {lines: honest, by: both, until: time.Now().Add(-time.Second)},
		"another root":                       {lines: honest, by: both, foreignRoot: true},
		"another leaf":                       {lines: honest, by: both, index: 1},
		"a leaf below none":                  {lines: honest, by: both, index: -2},
		"another count":                      {lines: honest, by: both, more: 1},
		"a short proof":                      {lines: honest, by: both, proofBytes: 1},
		"a time to come":                     {lines: rowLines("mercy", "at 2999-01-01T00:00:00Z", "+ main theatre"), by: both},
		"a time long ago":                    {lines: rowLines("mercy", "at 2020-01-01T00:00:00Z", "+ main theatre"), by: both},
		"a time spelled otherwise":           {lines: rowLines("mercy", "at "+time.Now().Add(-time.Hour).Format("2006-01-02T15:04:05+00:00"), "+ main theatre"), by: both},
		"provisioning from another revision": {lines: rowLines("mercy", "base provisioned 7", "+ main theatre"), by: both},
		"nothing to stand on":                {lines: rowLines("mercy", "base none", "+ main theatre"), by: both},
	} {
		t.Run(name, func(t *testing.T) {
			w.put(t, g, said.authority(t), more...).refused(403, "authority-invalid")
		})
	}
	for name, text := range map[string]any{
		"no authority": nil, "an empty one": object{}, "no batch": object{"environment": "default"},
		"approvals of texts":  object{"approvals": []string{"x"}},
		"a hundred approvals": word{lines: honest, by: slices.Repeat(both, 50)}.authority(t),
	} {
		t.Run(name, func(t *testing.T) {
			w.root(t, "PUT", "/tenants/mercy/entitlements", object{"rows": more, "authority": text}).
				with("If-Match", g.ETag).refused(403, "authority-invalid")
		})
	}
	if now := w.grant(t, "mercy"); now.ETag != g.ETag {
		t.Fatalf("the grant moved to %s", now.ETag)
	}
	named := word{lines: honest, by: []person{w.mallory, w.ben}, tenants: []string{"grace", "mercy"}}
	w.put(t, g, named.authority(t), more...).want(200)
}

func TestAnApprovalForAnotherEnvironmentIsNotTakenWhereItIsNamed(t *testing.T) {
	w := verifying(t, "--environment", "prod")
	body := object{"id": "o", "name": "O"}
	write := func(environment string) call {
		lines := requestLines(t, "o", "organisation", "POST", "/clients", "base none", body)
		lines[1] = "environment " + environment
		return w.root(t, "POST", "/clients", sent(body, word{lines: lines, by: []person{w.ada}, environment: environment}.authority(t)))
	}
	write("staging").refused(403, "authority-invalid")
	write("prod").want(201)
}

func TestARemovalNeedsTwoPeopleAndOneKeyIsOnePerson(t *testing.T) {
	w := verifying(t)
	g := w.hospital(t, "mercy")
	less := append(without(g.Rows, "lab"), row{"main", "theatre"})
	said := word{lines: rowLines("mercy", stamped(g), "- main lab", "+ main theatre")}
	for _, by := range [][]person{{w.ada}, {w.ada, w.ada}, {w.ada, w.mallory}, {w.ada, w.machine}} {
		said.by = by
		p := w.put(t, g, said.authority(t), less...).refused(403, "authority-invalid")
		if !strings.Contains(p.Detail, "approvals: 1 of 2") {
			t.Errorf("detail %q", p.Detail)
		}
	}
	said.by = []person{w.ada, w.ben}
	w.put(t, g, said.authority(t), less...).want(200)
}

func TestRowsStandOnWhatProvisioningMade(t *testing.T) {
	w := verifying(t)
	g := w.hospital(t, "mercy")
	more := append(slices.Clone(g.Rows), row{"main", "theatre"})
	said := word{lines: rowLines("mercy", "base provisioned 0", "+ main theatre"), by: []person{w.ada}}.authority(t)
	g2 := readGrant(t, w.put(t, g, said, more...).want(200))
	// By now its newest revision is not provisioning's.
	late := word{lines: rowLines("mercy", "base provisioned 1", "+ main icu"), by: []person{w.ada}}.authority(t)
	w.put(t, g2, late, append(more, row{"main", "icu"})...).refused(403, "authority-invalid")
}

func TestAScheduledEntryIsCarriedOutOnceFromItsTimeOn(t *testing.T) {
	w := verifying(t)
	g := w.hospital(t, "mercy")
	at := "at " + time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	expired := time.Now().Add(-30 * time.Minute) // it held when its plan was applied
	said := func(by ...person) object {
		return word{lines: rowLines("mercy", at, "- main lab"), by: by, until: expired}.authority(t)
	}
	// Whatever the revision.
	more := word{lines: rowLines("mercy", stamped(g), "+ main theatre"), by: []person{w.ada}}.authority(t)
	g = readGrant(t, w.put(t, g, more, append(slices.Clone(g.Rows), row{"main", "theatre"})...).want(200))
	less := without(g.Rows, "lab")
	w.put(t, g, said(w.ada), less...).refused(403, "authority-invalid")
	g2 := readGrant(t, w.put(t, g, said(w.ada, w.ben), less...).want(200))
	back := word{lines: rowLines("mercy", stamped(g2), "+ main lab"), by: []person{w.ada}}.authority(t)
	g3 := readGrant(t, w.put(t, g2, back, g.Rows...).want(200))
	w.put(t, g3, said(w.ada, w.ben), less...).refused(403, "authority-invalid")
}

func TestAnApprovalIsUsedOnceAlsoWhereNothingHasARevision(t *testing.T) {
	w := verifying(t)
	w.hospital(t, "mercy")
	name := func(from, to, planFile string) call {
		body := object{"name": to}
		lines := requestLines(t, "mercy", "organisation", "PUT", "/clients/mercy", content(t, object{"id": "mercy", "name": from}), body)
		return w.root(t, "PUT", "/clients/mercy", sent(body, word{lines: lines, by: []person{w.ada}, plan: planFile}.authority(t)))
	}
	for range 2 { // one that is brought again is answered again
		name("mercy", "B", "monday").with("Idempotency-Key", "k").want(200)
	}
	name("B", "mercy", "tuesday").want(200)
	name("mercy", "B", "monday").refused(403, "authority-invalid")
	name("mercy", "B", "wednesday").want(200)
}

func TestAuthorityIsAskedForAfterWhatIsGoneAndBeforeWhatIsUnknown(t *testing.T) {
	w := verifying(t)
	g := w.hospital(t, "mercy")
	path := "/tenants/mercy/entitlements"
	unknown := object{"rows": []row{{"nowhere", "lab"}}}
	w.as(t, "", "PUT", path, unknown).refused(401, "unauthenticated")
	w.as(t, "nobody", "PUT", path, unknown).refused(403, "capability-missing")
	w.root(t, "PUT", path, "{").refused(400, "malformed")
	w.root(t, "PUT", "/tenants/other/entitlements", unknown).refused(404, "not-found")
	w.root(t, "PUT", path, unknown).refused(428, "precondition-required")
	w.root(t, "PUT", path, unknown).with("If-Match", `"9-0"`).refused(412, "revision-moved")
	w.root(t, "PUT", path, unknown).with("If-Match", g.ETag).refused(403, "authority-invalid")
	w.root(t, "POST", "/clients", object{"id": "mercy", "name": "M"}).refused(409, "exists")
	w.root(t, "POST", "/tenants", object{"id": "new", "name": "N", "organisation": "nobodys", "edition": "clinic"}).refused(403, "authority-invalid")
}

func TestBillingAndBoxesNeedNobodysApproval(t *testing.T) {
	made, err := persons()
	if err != nil {
		t.Fatal(err)
	}
	db := filepath.Join(t.TempDir(), "ehr.db")
	at, stop := launch(t, db)
	l := at.issue(t, at.onPrem(t, "hospital"))
	stop()
	at = startOn(t, db, "--trust", made[0].file(t))
	at.as(t, "", "POST", "/licenses/"+l.ID+"/activate", object{"fingerprint": "b"}).with("Authorization", "Bearer "+l.Token).want(200)
	at.as(t, "", "POST", "/licenses/"+l.ID+"/heartbeat", object{"fingerprint": "b"}).with("Authorization", "Bearer "+l.Token).want(200)
	at.root(t, "POST", "/licenses/"+l.ID+"/rebind", object{"fingerprint": "c"}).want(200)
	at.as(t, "billing", "POST", "/subscriptions/"+l.Tenant+"/status", object{"status": "suspended"}).want(200)
}

func TestVerifiedAuthorityIsAFeatureWhereKeysAreGiven(t *testing.T) {
	offered := func(at target) bool {
		var root struct{ Features []string }
		at.as(t, "", "GET", "/", nil).want(200).decode(t, &root)
		return slices.Contains(root.Features, "verified-authority")
	}
	if offered(start(t)) || !offered(verifying(t, "--seed-fleet", "3").target) {
		t.Error("it is told otherwise")
	}
}

func TestKeysThatCannotBeTrustedEndTheStart(t *testing.T) {
	made, err := persons()
	if err != nil {
		t.Fatal(err)
	}
	key, other := made[0].file(t), made[1].file(t)
	for name, c := range map[string]struct {
		args []string
		code int
	}{
		"no such file":                {[]string{"--trust", key + ".gone"}, 1},
		"no key":                      {[]string{"--trust", tokensFile(t)}, 1},
		"a person who is a machine":   {[]string{"--trust", key, "--trust-applier", key}, 1},
		"machines without people":     {[]string{"--trust-applier", key}, 64},
		"an environment and no keys":  {[]string{"--environment", "prod"}, 64},
		"a name of no environment":    {[]string{"--trust", key, "--environment", "A B"}, 64},
		"no number":                   {[]string{"--trust", key, "--need", "all"}, 64},
		"a need of nobody":            {[]string{"--trust", key, "--need", "1,revoke=0"}, 64},
		"a need of an unknown kind":   {[]string{"--trust", key, "--need", "1,edit=2"}, 64},
		"an empty name between two":   {[]string{"--trust", key + ",,"}, 64},
		"a word that is no flag's":    {[]string{"--rate", "1", key}, 64},
		"a notary and no reviewer":    {[]string{"--trust", key, "--trust-notary", key}, 64},
		"reviewers and no notary":     {[]string{"--trust", key, "--reviewer", "github:1"}, 64},
		"a notary and no people":      {[]string{"--trust-notary", key, "--reviewer", "github:1"}, 64},
		"a notary who is a person":    {[]string{"--trust", key, "--trust-notary", key, "--reviewer", "github:1"}, 1},
		"an account by its name":      {[]string{"--trust", key, "--trust-notary", other, "--reviewer", "github:ann"}, 1},
		"an account of two":           {[]string{"--trust", key, "--trust-notary", other, "--reviewer", "github:1", "--reviewer", "github:1"}, 1},
		"a reviewer of no account":    {[]string{"--trust", key, "--trust-notary", other, "--reviewer", key}, 1},
		"a key of two reviewers":      {[]string{"--trust", key, "--trust-notary", other, "--reviewer", "github:1," + key, "--reviewer", "github:2," + key}, 1},
		"a reviewer's key of nobody":  {[]string{"--trust", key, "--trust-notary", other, "--reviewer", "github:1," + other}, 1},
		"a need that is given as two": {[]string{"--trust", key, "--need", "1,2"}, 64},
	} {
		t.Run(name, func(t *testing.T) {
			if code, said := exitOf(t, append([]string{"--db", ":memory:"}, c.args...)...); code != c.code {
				t.Errorf("exit %d, want %d: %s", code, c.code, said)
			}
		})
	}
}
