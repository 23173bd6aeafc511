package ehr

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/veonahealth/charter/catalog"
)

// FuzzRefusal reads any answer that is not the wanted one: it is a Problem only
// where the platform worded one.
func FuzzRefusal(f *testing.F) {
	for _, body := range []string{`{"code":"not-found","detail":"x"}`, `{"code":""}`, `{"code":"a","code":"b"}`, `{"revision":1e9,"code":"x"}`, "<html>", "", "null"} {
		f.Add(404, "application/problem+json", []byte(body))
		f.Add(503, "text/html", []byte(body))
	}
	f.Fuzz(func(t *testing.T, status int, kind string, body []byte) {
		answer := &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(bytes.NewReader(body))}
		err := accept(answer, http.StatusOK, &struct{}{})
		if err == nil {
			if status != http.StatusOK {
				t.Fatalf("status %d is accepted", status)
			}
			return
		}
		if len(err.Error()) > 1500 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
		var p *Problem
		if errors.As(err, &p) && (p.Status != status || status < 100 || status >= 500 || status == 429 || p.Code == "" || !bytes.Contains(body, []byte(`"code"`)) && !bytes.Contains(body, []byte(`\u`))) {
			t.Errorf("status %d and %q make the problem %+v", status, body, p)
		}
	})
}

// FuzzPages reads any text as the pages of a list, one a line.
func FuzzPages(f *testing.F) {
	f.Add([]byte(`{"items":[1,2],"next_cursor":"a","total":3,"snapshot":"s"}` + "\n" + `{"items":[3],"next_cursor":null,"total":3,"snapshot":"s"}`))
	f.Add([]byte(`{"items":[],"next_cursor":null,"total":0,"snapshot":""}`))
	f.Add([]byte(`{"items":[1],"next_cursor":"","total":0,"snapshot":"s"}`))
	f.Add([]byte(`{"items":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		yielded := 0
		l := listing{cursors: map[string]bool{}, item: func(jsontext.Value) error { yielded++; return nil }}
		for text := range bytes.Lines(data) {
			var p page
			if decode(text, &p) != nil {
				return
			}
			next, err := l.take(&p)
			if err != nil {
				return
			}
			if next == "" {
				if p.NextCursor != nil || yielded != *p.Total || *p.Snapshot != l.snapshot {
					t.Errorf("accepted after %d items: %s", yielded, data)
				}
				return
			}
		}
	})
}

// FuzzGrant reads any text as a grant: what is accepted is written back as it
// was read.
func FuzzGrant(f *testing.F) {
	f.Add([]byte(`{"tenant":"mercy","revision":7,"rows":[{"facility":"main","module":"lab"}],"authority":{"batch":"sha256:1"}}`), `"7-a"`)
	f.Add([]byte(`{"tenant":"mercy","revision":0,"rows":[],"authority":null}`), `""`)
	f.Add([]byte(`{"tenant":"mercy","revision":1,"rows":null}`), `W/"1"`)
	f.Fuzz(func(t *testing.T, body []byte, etag string) {
		var w wireGrant
		if decode(body, &w) != nil {
			return
		}
		g, err := w.parse(etag)
		if err != nil {
			return
		}
		if g.Tenant.String() != w.Tenant || g.Stamp.Revision != *w.Revision || g.Stamp.ETag != etag || !g.Stamp.Valid() {
			t.Errorf("%s gives %+v", body, g)
		}
		if g.Stamp.ETag != strings.TrimSpace(etag) || len(g.Rows) > len(*w.Rows) || !slices.IsSortedFunc(g.Rows, catalog.Row.Compare) {
			t.Errorf("%s gives %+v", body, g)
		}
		for _, row := range *w.Rows {
			if !g.Rows.Contains(row) {
				t.Errorf("row %+v is lost", row)
			}
		}
	})
}

// FuzzStream reads any text as a stream of grants: it is accepted only with its
// last line, and tenants come in order.
func FuzzStream(f *testing.F) {
	const a, b = `{"tenant":"a","revision":1,"rows":[],"etag":"\"1\""}` + "\n", `{"tenant":"b","revision":1,"rows":[],"etag":"\"1\""}` + "\n"
	const end = `{"end":true,"total":2,"snapshot":"s"}` + "\n"
	for _, text := range []string{a + b + end, b + a + end, a + end, a + b, a + b + end + "x", a + a + end, "\n" + end, `{"end":true}`, ""} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var tenants []string
		_, err := readStream(bytes.NewReader(data), func(g catalog.Grant) error {
			tenants = append(tenants, g.Tenant.String())
			return nil
		})
		if !slices.IsSorted(tenants) || len(slices.Compact(slices.Clone(tenants))) != len(tenants) {
			t.Errorf("tenants %q", tenants)
		}
		if err == nil && (!bytes.Contains(data, []byte("true")) || bytes.Count(bytes.TrimSpace(data), []byte("\n")) < len(tenants)) {
			t.Errorf("accepted without its last line: %q", data)
		}
	})
}
