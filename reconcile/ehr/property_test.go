package ehr_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/reconcile/ehr"
)

// stage is a platform whose answers change from check to check.
type stage struct {
	answer atomic.Pointer[http.HandlerFunc]
}

func (s *stage) ServeHTTP(w http.ResponseWriter, r *http.Request) { (*s.answer.Load())(w, r) }

func (s *stage) set(answer http.HandlerFunc) { s.answer.Store(&answer) }

func newStage(t *testing.T) (*stage, *ehr.Client) {
	t.Helper()
	s := &stage{}
	platform := play(t, s.ServeHTTP)
	return s, platform.client(t, func(o *ehr.Options) { o.Retries = -1 })
}

// documents are what a platform might answer, right and wrong.
var documents = []string{
	self, grantOf7, pageOf(2, "s1", "", "a", "b"), pageOf(0, "s1", ""), `{"id":"mercy","status":"active"}`,
	`{"reachable":true,"app":"up","release":"1","enforced":null}`, `{"code":"not-found","status":404}`,
	line("a") + "\n" + lastLine(1) + "\n", lastLine(0), signIn, "", "null", "[]",
}

// anyAnswer draws an answer: a document, sometimes with some bytes changed, under
// a status and a type that may fit it.
func anyAnswer(t *rapid.T) http.HandlerFunc {
	body := []byte(rapid.SampledFrom(documents).Draw(t, "document"))
	for range rapid.IntRange(0, 3).Draw(t, "changes") {
		at := rapid.IntRange(0, len(body)).Draw(t, "at")
		end := rapid.IntRange(at, min(len(body), at+8)).Draw(t, "end")
		body = slices.Replace(body, at, end, rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(t, "bytes")...)
	}
	status := rapid.SampledFrom([]int{200, 200, 200, 200, 204, 301, 304, 400, 401, 404, 412, 418, 429, 500, 503, 599, 999}).Draw(t, "status")
	kind := rapid.SampledFrom([]string{"application/json", "application/problem+json", "application/x-ndjson", "text/html", "", ";;;"}).Draw(t, "type")
	tag := rapid.SampledFrom([]string{etag, `W/"7"`, "", `""`, "x"}).Draw(t, "etag")
	length := rapid.SampledFrom([]string{"", "", "", "1", "99999"}).Draw(t, "length")
	return func(w http.ResponseWriter, r *http.Request) {
		if length != "" {
			w.Header().Set("Content-Length", length)
		}
		says(status, kind, string(body), "ETag", tag)(w, r)
	}
}

// TestWhateverComesIsAnAnswerOrAnError meets every method with anything at all.
func TestWhateverComesIsAnAnswerOrAnError(t *testing.T) {
	s, client := newStage(t)
	id := tenantID(t, "mercy")
	rapid.Check(t, func(rt *rapid.T) {
		s.set(anyAnswer(rt))
		if p, err := client.Platform(t.Context()); err == nil && p.Instance == "" {
			rt.Error("a platform without an instance")
		}
		if tenant, err := client.Tenant(t.Context(), id); err == nil && (tenant.ID != id || tenant.Status == "") {
			rt.Errorf("tenant %+v", tenant)
		}
		if g, err := client.Grant(t.Context(), id); err == nil {
			checkGrant(rt, g)
		}
		client.Grants(t.Context(), func(g catalog.Grant) error { checkGrant(rt, g); return nil })
		client.Deployment(t.Context(), id)
		client.Facilities(t.Context(), id)
		if stamp, err := put(t, client); err == nil && !stamp.Valid() {
			rt.Errorf("stamp %+v", stamp)
		}
		for name, do := range calls() {
			if err := do(t, client); err != nil && len(err.Error()) > 2000 {
				rt.Errorf("%s: an error of %d bytes", name, len(err.Error()))
			}
		}
	})
}

// checkGrant holds a grant for one that can be written into a line and compared.
func checkGrant(t *rapid.T, g catalog.Grant) {
	if g.Tenant.IsZero() || !g.Stamp.Valid() || !slices.IsSortedFunc(g.Rows, catalog.Row.Compare) {
		t.Errorf("grant %+v", g)
	}
	for i, row := range g.Rows {
		if row.Facility.IsZero() || row.Module.IsZero() || i > 0 && row == g.Rows[i-1] {
			t.Errorf("row %d of grant %+v", i, g)
		}
	}
}

// sheet is a page of a list that a platform might answer. Fields of nil are
// missing.
type sheet struct {
	Items    *[]any  `json:"items,omitempty"`
	Next     *string `json:"next_cursor"`
	Total    *int    `json:"total,omitempty"`
	Snapshot *string `json:"snapshot,omitempty"`
}

// book draws the pages of a list, which are all right or have some mistakes.
func book(t *rapid.T) []*sheet {
	const letters = "abcdefgh"
	ids := strings.Split(letters[:rapid.IntRange(0, len(letters)).Draw(t, "tenants")], "")
	total, snapshot := len(ids), "s1"
	var sheets []*sheet
	for len(ids) > 0 || len(sheets) == 0 {
		n := min(len(ids), rapid.IntRange(1, 4).Draw(t, "size"))
		items := []any{}
		for _, id := range ids[:n] {
			items = append(items, map[string]string{"id": id, "status": "active"})
		}
		s := &sheet{Items: &items, Total: &total, Snapshot: &snapshot}
		if ids = ids[n:]; len(ids) > 0 {
			next := strconv.Itoa(len(sheets) + 1)
			s.Next = &next
		}
		sheets = append(sheets, s)
	}
	return sheets
}

// spoil makes one mistake on a page.
func spoil(t *rapid.T, s *sheet) {
	number := rapid.IntRange(-1, 9).Draw(t, "number")
	text := rapid.SampledFrom([]string{"", "0", "1", "2", "s1", "s2"}).Draw(t, "text")
	switch rapid.SampledFrom([]string{"items", "fewer", "more", "next", "end", "total", "other total", "snapshot", "other snapshot"}).Draw(t, "mistake") {
	case "items":
		s.Items = nil
	case "fewer":
		*s.Items = (*s.Items)[:len(*s.Items)/2]
	case "more":
		*s.Items = append(*s.Items, map[string]string{"id": "x", "status": "active"})
	case "next":
		s.Next = &text
	case "end":
		s.Next = nil
	case "total":
		s.Total = nil
	case "other total":
		s.Total = &number
	case "snapshot":
		s.Snapshot = nil
	case "other snapshot":
		s.Snapshot = &text
	}
}

// TestAListIsYieldedOnlyWhole has a platform that makes mistakes with its pages.
func TestAListIsYieldedOnlyWhole(t *testing.T) {
	s, client := newStage(t)
	accepted, refused := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		sheets := book(rt)
		mistakes := rapid.IntRange(0, 2).Draw(rt, "mistakes")
		for range mistakes {
			page := sheets[rapid.IntRange(0, len(sheets)-1).Draw(rt, "page")]
			if page.Items != nil {
				spoil(rt, page)
			}
		}
		asked := 0
		s.set(func(w http.ResponseWriter, r *http.Request) {
			text, err := json.Marshal(sheets[min(asked, len(sheets)-1)])
			if err != nil {
				t.Error(err)
			}
			asked++
			gives(string(text))(w, r)
		})
		ids, snapshot, err := listed(t, client)
		if err != nil {
			if refused++; mistakes == 0 {
				rt.Fatalf("refused: %v", err)
			}
			return
		}
		accepted++
		checkListing(rt, sheets[:asked], ids, snapshot)
	})
	if accepted == 0 || refused == 0 {
		t.Errorf("%d accepted, %d refused: the drawing shows nothing", accepted, refused)
	}
}

// checkListing holds what was accepted against the pages that were given.
func checkListing(t *rapid.T, sheets []*sheet, ids []string, snapshot string) {
	count := 0
	for i, s := range sheets {
		if s.Items == nil || s.Total == nil || s.Snapshot == nil {
			t.Fatalf("page %d lacks something", i)
		}
		if *s.Snapshot != snapshot || *s.Total != len(ids) {
			t.Errorf("page %d is of snapshot %q and total %d; accepted were %d of %q", i, *s.Snapshot, *s.Total, len(ids), snapshot)
		}
		count += len(*s.Items)
	}
	if count != len(ids) || sheets[len(sheets)-1].Next != nil {
		t.Errorf("%d items on the pages, %d accepted, last page leads to %v", count, len(ids), sheets[len(sheets)-1].Next)
	}
}

// TestAStreamIsYieldedOnlyWhole breaks a stream off at every byte.
func TestAStreamIsYieldedOnlyWhole(t *testing.T) {
	whole := line("a") + "\n" + line("b") + "\n" + lastLine(2) + "\n"
	for end := range len(whole) {
		for name, answer := range map[string]http.HandlerFunc{
			"ended": says(200, "application/x-ndjson", whole[:end]),
			"cut":   lines(drops, whole[:end]),
		} {
			_, _, err := streamed(t, play(t, answer).client(t, func(o *ehr.Options) { o.Retries = -1 }))
			if ended := name == "ended" && end == len(whole)-1; (err == nil) != ended {
				t.Fatalf("%s after %d of %d bytes: %v", name, end, len(whole), err)
			}
		}
	}
}
