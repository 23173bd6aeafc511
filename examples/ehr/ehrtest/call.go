package ehrtest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Grant is a tenant's grant as the EHR has it.
type Grant struct {
	Revision  int64
	ETag      string
	Rows      []string // sorted
	Batch     string   // of the newest write's authority; "" where it had none
	UpdatedBy string
}

// Entry is one entry of the audit trail.
type Entry struct {
	Event  string `json:"event"`
	Actor  string `json:"actor"`
	Tenant string `json:"tenant"`
	// Revision is the one that the write led to; 0 for what has none.
	Revision  int64 `json:"revision"`
	Authority *struct {
		Batch   string `json:"batch"`
		Receipt string `json:"receipt"`
	} `json:"authority"` // nil where the write had none
}

type object = map[string]any

// Do sends a request, with Token unless the header has another one, and returns
// the answer's header. The status must be the wanted one; the body, where it is
// JSON, is decoded into value unless that is nil.
func (e *EHR) Do(t testing.TB, method, path string, header http.Header, body any, want int, value any) http.Header {
	t.Helper()
	r, err := http.NewRequest(method, e.URL+path, encode(t, body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+Token)
	for name, values := range header {
		r.Header[name] = values
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != want {
		t.Fatalf("%s %s: status %d, want %d: %s %v", method, path, answer.StatusCode, want, text, err)
	}
	if value != nil {
		if err := json.Unmarshal(text, value); err != nil {
			t.Fatalf("%s %s: %v: %s", method, path, err, text)
		}
	}
	return answer.Header
}

func encode(t testing.TB, body any) io.Reader {
	t.Helper()
	if body == nil {
		return nil
	}
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(text)
}

// Create makes a tenant of an edition and of an organisation of its own. It has
// no facility yet.
func (e *EHR) Create(t testing.TB, id, edition string) {
	t.Helper()
	e.Do(t, "POST", "/clients", nil, object{"id": id, "name": "Organisation of " + id}, http.StatusCreated, nil)
	e.Do(t, "POST", "/tenants", nil, object{
		"id": id, "name": "Tenant " + id, "organisation": id, "edition": edition, "hosting": "cloud",
	}, http.StatusCreated, nil)
}

// Provision makes facilities of a tenant, which get the edition's rows.
func (e *EHR) Provision(t testing.TB, id, edition string, facilities ...string) {
	t.Helper()
	sites := []object{}
	for _, facility := range facilities {
		sites = append(sites, object{"id": facility, "name": "Facility " + facility})
	}
	e.Do(t, "POST", "/tenants/"+id+"/provision", nil,
		object{"edition": edition, "facilities": sites, "staff": []object{}}, http.StatusOK, nil)
}

// Onboard creates and provisions a tenant.
func (e *EHR) Onboard(t testing.TB, id, edition string, facilities ...string) {
	t.Helper()
	e.Create(t, id, edition)
	e.Provision(t, id, edition, facilities...)
}

// SetStatus says for billing that a tenant is "active" or "suspended".
func (e *EHR) SetStatus(t testing.TB, id, status string) {
	t.Helper()
	e.Do(t, "POST", "/subscriptions/"+id+"/status", nil, object{"status": status}, http.StatusOK, nil)
}

// Grant reads a tenant's grant.
func (e *EHR) Grant(t testing.TB, id string) Grant {
	t.Helper()
	var body struct {
		Revision  int64
		Rows      []struct{ Facility, Module string }
		Authority struct{ Batch string }
		UpdatedBy string `json:"updated_by"`
	}
	header := e.Do(t, "GET", "/tenants/"+id+"/entitlements", nil, nil, http.StatusOK, &body)
	g := Grant{Revision: body.Revision, ETag: header.Get("ETag"), Rows: []string{}, Batch: body.Authority.Batch, UpdatedBy: body.UpdatedBy}
	for _, row := range body.Rows {
		g.Rows = append(g.Rows, row.Facility+" "+row.Module)
	}
	return g
}

// Put replaces a tenant's rows, as somebody else than charter would.
func (e *EHR) Put(t testing.TB, id string, rows ...string) {
	t.Helper()
	list := []object{}
	for _, row := range rows {
		facility, module, _ := strings.Cut(row, " ")
		list = append(list, object{"facility": facility, "module": module})
	}
	e.Do(t, "PUT", "/tenants/"+id+"/entitlements", http.Header{"If-Match": {e.Grant(t, id).ETag}},
		object{"rows": list}, http.StatusOK, nil)
}

// Gate returns the status that a route of the clinical app answers.
func (e *EHR) Gate(t testing.TB, tenant, facility, route string) int {
	t.Helper()
	answer, err := http.Get(e.URL + "/ehr/" + tenant + "/" + facility + route)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

// Audit reads the whole audit trail, the oldest entry first.
func (e *EHR) Audit(t testing.TB) []Entry {
	t.Helper()
	var trail []Entry
	query := "?limit=1000"
	for {
		var page struct {
			Items      []Entry
			NextCursor string `json:"next_cursor"`
		}
		e.Do(t, "GET", "/audit"+query, nil, nil, http.StatusOK, &page)
		trail = append(trail, page.Items...)
		if page.NextCursor == "" {
			return trail
		}
		query = "?limit=1000&cursor=" + page.NextCursor
	}
}

// Writes returns the entries of writes of a tenant's rows.
func (e *EHR) Writes(t testing.TB, tenant string) []Entry {
	t.Helper()
	var writes []Entry
	for _, entry := range e.Audit(t) {
		if entry.Event == "entitlement.write" && entry.Tenant == tenant {
			writes = append(writes, entry)
		}
	}
	return writes
}
