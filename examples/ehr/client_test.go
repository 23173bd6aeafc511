package main_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gowebpki/jcs"
)

// target is a server that speaks the EHR contract, and tokens to ask it with, by
// role. What a test needs of a server is here and nowhere else, so that the
// contract's tests can run against any.
type target struct {
	base   string
	tokens map[string]string
}

// reply is an answer with its body read.
type reply struct {
	*http.Response
	body []byte
}

// call is one request on its way.
type call struct {
	t       testing.TB
	request *http.Request
}

// as begins a request with the token of a role, or with none for "".
func (at target) as(t testing.TB, role, method, path string, body any) call {
	t.Helper()
	request, err := http.NewRequest(method, at.base+path, bytes.NewReader(encode(t, body)))
	if err != nil {
		t.Fatal(err)
	}
	if role != "" {
		request.Header.Set("Authorization", "Bearer "+at.tokens[role])
	}
	return call{t, request}
}

// encode returns a body's bytes: text as it is, anything else as JSON.
func encode(t testing.TB, body any) []byte {
	t.Helper()
	switch body := body.(type) {
	case nil:
		return nil
	case string:
		return []byte(body)
	case []byte:
		return body
	}
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// with adds a header.
func (c call) with(name, value string) call {
	c.request.Header.Add(name, value)
	return c
}

// send returns the answer, whatever its status.
func (c call) send() reply {
	c.t.Helper()
	response, err := watched{c.t}.RoundTrip(c.request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", c.request.Method, c.request.URL, err)
	}
	return reply{response, body}
}

// want returns the answer, which must have the status.
func (c call) want(status int) reply {
	c.t.Helper()
	r := c.send()
	if r.StatusCode != status {
		c.t.Fatalf("%s %s: status %d, want %d: %s", c.request.Method, c.request.URL.Path, r.StatusCode, status, r.body)
	}
	return r
}

// problem is a problem document (RFC 9457) of the contract.
type problem struct {
	Type, Title, Detail, Code string
	Status                    int
	Revision                  *int64
	ETag                      string
	Capability                string
}

// refused returns the problem, which must have the status and the code.
func (c call) refused(status int, code string) problem {
	c.t.Helper()
	r := c.want(status)
	var p problem
	r.decode(c.t, &p)
	if got := r.Header.Get("Content-Type"); got != "application/problem+json" {
		c.t.Errorf("Content-Type of a problem: %q", got)
	}
	if p.Code != code || p.Status != status || p.Type == "" || p.Title == "" || p.Detail == "" {
		c.t.Fatalf("%s %s: problem %s, want code %s", c.request.Method, c.request.URL.Path, r.body, code)
	}
	return p
}

func (r reply) decode(t testing.TB, into any) {
	t.Helper()
	if err := json.Unmarshal(r.body, into); err != nil {
		t.Fatalf("%s: %v", r.body, err)
	}
}

// The bodies of the contract, as a client reads them.
type (
	row struct {
		Facility string `json:"facility"`
		Module   string `json:"module"`
	}
	grant struct {
		Tenant    string          `json:"tenant"`
		Revision  int64           `json:"revision"`
		Modules   []string        `json:"modules"`
		Rows      []row           `json:"rows"`
		Authority json.RawMessage `json:"authority"`
		UpdatedAt string          `json:"updated_at"`
		UpdatedBy string          `json:"updated_by"`
		ETag      string          `json:"etag"` // the header's; in a list the field's
	}
	page struct {
		Items      []json.RawMessage `json:"items"`
		NextCursor *string           `json:"next_cursor"`
		Total      int64             `json:"total"`
		Snapshot   string            `json:"snapshot"`
	}
	entry struct {
		Seq       int64           `json:"seq"`
		At        string          `json:"at"`
		Event     string          `json:"event"`
		Actor     string          `json:"actor"`
		Tenant    string          `json:"tenant"`
		Revision  *int64          `json:"revision"`
		Authority json.RawMessage `json:"authority"`
		Prev      string          `json:"prev"`
		Hash      string          `json:"hash"`
	}
	object = map[string]any
)

// unique returns an identifier that no earlier run has used on this server.
func unique(name string) string {
	var b [4]byte
	rand.Read(b[:])
	return name + "-" + hex.EncodeToString(b[:])
}

// root begins a request of somebody who may do everything.
func (at target) root(t testing.TB, method, path string, body any) call {
	t.Helper()
	return at.as(t, "super_admin", method, path, body)
}

// tenant makes a tenant of an organisation of its own, with no facility yet, and
// returns its id.
func (at target) tenant(t testing.TB, name, edition string) string {
	t.Helper()
	id := unique(name)
	at.root(t, "POST", "/clients", object{"id": id + "-org", "name": "Organisation of " + id}).want(201)
	at.root(t, "POST", "/tenants", object{
		"id": id, "name": "Tenant " + id, "organisation": id + "-org", "edition": edition, "hosting": "cloud",
	}).want(201)
	return id
}

// provisioned makes a tenant with facilities and returns its id.
func (at target) provisioned(t testing.TB, name, edition string, facilities ...string) string {
	t.Helper()
	id := at.tenant(t, name, edition)
	var sites []object
	for _, facility := range facilities {
		sites = append(sites, object{"id": facility, "name": "Facility " + facility, "beds": 10})
	}
	at.root(t, "POST", "/tenants/"+id+"/provision", object{
		"edition": edition, "facilities": sites, "staff": []object{},
	}).want(200)
	return id
}

// grant reads a tenant's grant.
func (at target) grant(t testing.TB, id string) grant {
	t.Helper()
	return readGrant(t, at.root(t, "GET", "/tenants/"+id+"/entitlements", nil).want(200))
}

func readGrant(t testing.TB, r reply) (g grant) {
	t.Helper()
	r.decode(t, &g)
	g.ETag = r.Header.Get("ETag")
	return g
}

// replace begins a write of a tenant's grant on the version with a tag.
func (at target) replace(t testing.TB, id, etag string, rows ...row) call {
	t.Helper()
	if rows == nil {
		rows = []row{}
	}
	return at.root(t, "PUT", "/tenants/"+id+"/entitlements", object{"rows": rows}).with("If-Match", etag)
}

// gate returns the status of a path of the clinical app.
func (at target) gate(t testing.TB, path string) int {
	t.Helper()
	return at.as(t, "", "GET", "/ehr/"+path, nil).send().StatusCode
}

// trail reads the whole audit trail.
func (at target) trail(t testing.TB) (entries []entry) {
	t.Helper()
	for _, item := range at.all(t, "/audit?limit=1000").Items {
		var e entry
		if err := json.Unmarshal(item, &e); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	return entries
}

// all reads a list to its end, and fails unless its pages are of one snapshot and
// hold as many items as they say.
func (at target) all(t testing.TB, path string) page {
	t.Helper()
	var whole page
	next := path
	for {
		var p page
		at.root(t, "GET", next, nil).want(200).decode(t, &p)
		if whole.Snapshot != "" && (p.Snapshot != whole.Snapshot || p.Total != whole.Total) {
			t.Fatalf("%s: a page of snapshot %s and total %d after one of %s and %d",
				path, p.Snapshot, p.Total, whole.Snapshot, whole.Total)
		}
		whole.Snapshot, whole.Total = p.Snapshot, p.Total
		whole.Items = append(whole.Items, p.Items...)
		if p.NextCursor == nil {
			break
		}
		next = withCursor(path, *p.NextCursor)
	}
	if int64(len(whole.Items)) != whole.Total {
		t.Fatalf("%s: %d items, total %d", path, len(whole.Items), whole.Total)
	}
	return whole
}

func withCursor(path, cursor string) string {
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	return path + separator + "cursor=" + cursor
}

// bulk reads the stream of all grants, which must be whole.
func (at target) bulk(t testing.TB, path string) (grants []grant, snapshot string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(string(at.root(t, "GET", path, nil).want(200).body), "\n"), "\n")
	var last struct {
		End      bool
		Total    int
		Snapshot string
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
		t.Fatal(err)
	}
	for _, line := range lines[:len(lines)-1] {
		var g grant
		if err := json.Unmarshal([]byte(line), &g); err != nil {
			t.Fatal(err)
		}
		grants = append(grants, g)
	}
	if !last.End || last.Total != len(grants) || last.Snapshot == "" {
		t.Fatalf("%s: %d grants, and the last line %s", path, len(grants), lines[len(lines)-1])
	}
	return grants, last.Snapshot
}

// hashOf is the hash that an audit entry must bear, by a reader of the contract.
func hashOf(t *testing.T, item []byte) string {
	t.Helper()
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
