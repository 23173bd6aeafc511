package ehr

import (
	stdjson "encoding/json"
	"slices"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/veonahealth/charter/catalog"
)

// someRows draws a set of rows, of up to sixty.
func someRows(t *rapid.T) catalog.Rows {
	rows := []catalog.Row{}
	id := rapid.StringMatching(`[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?`)
	for range rapid.IntRange(0, 60).Draw(t, "rows") {
		facility, err := catalog.ParseFacilityID(id.Draw(t, "facility"))
		if err != nil {
			t.Fatal(err)
		}
		module, err := catalog.ParseEHRModule(id.Draw(t, "module"))
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, catalog.Row{Facility: facility, Module: module})
	}
	return catalog.NewRows(rows)
}

func TestABodyOfRowsIsWhatAnEncoderWrites(t *testing.T) {
	receipt := "sha256:1"
	authority := &Authority{
		Approvals: []Approval{{Bundle: []byte(`{"x":1}`), Count: 2, Index: 1, Proof: [][]byte{{1, 2}}}}, Base: `base 7 "7-a"`, Receipt: &receipt,
	}
	rapid.Check(t, func(t *rapid.T) {
		rows := someRows(t)
		got, written, err := grantBody(authority, rows)
		if err != nil {
			t.Fatal(err)
		}
		want, err := stdjson.Marshal(map[string]any{"authority": authority, "rows": rows})
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Fatal(cmp.Diff(string(want), string(got)))
		}
		if again, plain := catalog.ParseRows(string(written)); !plain || !slices.Equal(again, rows) {
			t.Fatalf("%v %v, want %v", again, plain, rows)
		}
	})
}

// FuzzRows reads any text as rows by both ways.
func FuzzRows(f *testing.F) {
	for _, text := range []string{
		`[]`, `[{"facility":"a","module":"b"}]`, `[{"facility":"a","module":"b"},{"facility":"c","module":"d"}]`,
		`[{"module":"b","facility":"a"}]`, `[ {"facility" : "a" , "module" : "b"} ]`, `[{"facility":"\u0061","module":"b","x":1}]`,
		`[{"facility":"a"}]`, `[{}]`, `[null]`, `null`, `[{"facility":"a","module":"b"},]`, `[{"facility":"a","facility":"b","module":"c"}]`, `[1]`, `{}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var got struct {
			Rows wireRows `json:"rows"`
		}
		var whole struct {
			Rows jsontext.Value `json:"rows"`
		}
		body := []byte(`{"rows":` + text + `}`)
		gotErr, wantErr := decode(body, &got), decode(body, &whole)
		var want []catalog.Row
		if wantErr == nil {
			want, wantErr = anyRows(whole.Rows)
		}
		if (gotErr == nil) != (wantErr == nil) {
			t.Fatalf("%v, a decoder says %v", gotErr, wantErr)
		}
		if gotErr == nil && !slices.Equal(got.Rows, want) {
			t.Errorf("%v, a decoder reads %v", got.Rows, want)
		}
	})
}
