package server

import (
	stdjson "encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/gowebpki/jcs"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/internal/platform"
)

// FuzzDecode compares the strict decoder with the standard library's lenient one:
// what passes here means there the same, and what is refused is refused with a
// code of the contract.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"rows":[]}`, `{"rows":[{"facility":"main","module":"rx"}],"authority":{"a":[1,2.5,"x"]}}`,
		`{"rows":null}`, `{"rows":[{"facility":"","module":""}]}`, `{"rows":[],"rows":[]}`, `{"Rows":[]}`,
		`{"rows":[]} x`, `[]`, `null`, `{`, ``, `{"rows":[{"facility":"main","module":"RX"}]}`,
		`{"rows":[],"authority":null}`, `{"rows":[],"authority":{"n":1e400}}`, `{"rows":[],"authority":[]}`,
		"{\"rows\":[],\"authority\":{\"\xff\":1}}", `{"rows":[],"authority":{"a":"\ud800"}}`,
		`{"rows":[],"authority":{"n":-0,"m":1E3,"o":0.1e-7}}`, `{"rows":[],"authority":{"n":1.7976931348623157e+308}}`,
		`{"rows":[],"authority":{"n":-1e309}}`, `{"rows":[],"authority":{"\ud83d\ude00":1,"\ufb33":2,"1.7976931348623157e+308":3}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		said, err := decode[grantBody](slices.Clone(text))
		if err != nil {
			p, ok := err.(*problem)
			if !ok || !slices.Contains([]string{malformed, unknownField, tooLarge, string(platform.Invalid)}, p.Code) {
				t.Fatalf("%q: %v", text, err)
			}
			if p.Code != malformed && !stdjson.Valid(text) {
				t.Errorf("%q is no JSON, and refused as %s", text, p.Code)
			}
			return
		}
		var lenient struct {
			Rows []struct{ Facility, Module string }
		}
		if err := stdjson.Unmarshal(text, &lenient); err != nil {
			t.Fatalf("%q passes here, and not there: %v", text, err)
		}
		if len(lenient.Rows) != len(said.Body.Rows) {
			t.Fatalf("%q: %d rows here, %d there", text, len(said.Body.Rows), len(lenient.Rows))
		}
		for i, row := range said.Body.Rows {
			if row.Facility.String() != lenient.Rows[i].Facility || row.Module.String() != lenient.Rows[i].Module {
				t.Errorf("%q: row %v here, %v there", text, row, lenient.Rows[i])
			}
		}
		checkCanonical(t, said.Authority)
	})
}

// TestANumberThatNoDoubleIsIsRefused, be it first or last, and the largest is not.
func TestANumberThatNoDoubleIsIsRefused(t *testing.T) {
	for number, refused := range map[string]bool{"1e400": true, "-1e309": true, "1.7976931348623157e+308": false, "1e-400": false} {
		_, err := decode[grantBody]([]byte(`{"rows":[],"authority":{"n":` + number + `}}`))
		if (err != nil) != refused {
			t.Errorf("%s: %v", number, err)
		}
	}
}

// TestAWrongRowIsNamedByItsPlace refuses rows in spellings that are read fast, and
// in others.
func TestAWrongRowIsNamedByItsPlace(t *testing.T) {
	for text, place := range map[string]string{
		`{"rows":[{"facility":"a","module":"b"},{"facility":"A","module":"b"}]}`:       "/rows/1/facility",
		`{"rows": [{"facility": "a", "module": 1}]}`:                                   "/rows/0/module",
		`{"rows":[{"facility":"a","module":"b"},{"facility":"a","module":"b","x":1}]}`: "/rows/1/x",
		`{"rows":{"facility":"a","module":"b"}}`:                                       "/rows",
	} {
		_, err := decode[grantBody]([]byte(text))
		if p, ok := err.(*problem); !ok || !strings.Contains(p.Detail, `"`+place+`"`) {
			t.Errorf("%s: %v, want a word on %s", text, err, place)
		}
	}
}

// checkCanonical checks that an authority has one canonical form, by two
// implementations of RFC 8785: the trail's hash would else depend on who checks.
func checkCanonical(t *testing.T, authority jsontext.Value) {
	t.Helper()
	if authority == nil {
		return
	}
	one, err := jcs.Transform(authority)
	if err != nil {
		t.Fatalf("%s: %v", authority, err)
	}
	other := authority.Clone()
	if err := other.Canonicalize(); err != nil {
		t.Fatalf("%s: %v", authority, err)
	}
	if string(one) != string(other) {
		t.Errorf("%s: canonical forms\n%s\n%s", authority, one, other)
	}
}

func FuzzReadTokens(f *testing.F) {
	f.Add(`{"t":{"actor":"a","roles":["known"],"capabilities":["x.*"]}}`)
	f.Add(`{"t":{"actor":"a"},"t":{"actor":"b"}}`)
	f.Add(`{"":{}}`)
	f.Add(`{}`)
	f.Fuzz(func(t *testing.T, text string) {
		roles := func(role string) ([]string, bool) { return []string{"audit.read"}, role == "known" }
		tokens, err := ReadTokens(strings.NewReader(text), roles)
		if err != nil {
			return
		}
		var lenient map[string]struct{ Actor string }
		if err := stdjson.Unmarshal([]byte(text), &lenient); err != nil || len(lenient) != len(tokens) {
			t.Fatalf("%q: %d tokens here, %d there: %v", text, len(tokens), len(lenient), err)
		}
		for token, entry := range lenient {
			if h, known := tokens.find(token); !known || h.actor != entry.Actor || token == "" {
				t.Errorf("%q: token %q is %+v", text, token, h)
			}
		}
		if _, known := tokens.find(""); known {
			t.Error("the empty token is known")
		}
	})
}

func TestStrongTag(t *testing.T) {
	for tag, strong := range map[string]bool{
		`"7-3f2a"`: true, `""`: true, `"a,b"`: true, `"é"`: true,
		``: false, `"`: false, `*`: false, `7`: false, `W/"7"`: false, `"a""b"`: false,
		`"a", "b"`: false, ` "a"`: false, "\"a\x00\"": false, `"a b"`: false,
	} {
		if got := strongTag(tag); got != strong {
			t.Errorf("%s: strong is %v", tag, got)
		}
	}
}

func TestRowsThatAreLeftOutAreNotNone(t *testing.T) {
	for text, given := range map[string]bool{`{}`: false, `{"rows":null}`: false, `{"rows":[]}`: true} {
		said, err := decode[grantBody]([]byte(text))
		if err != nil || (said.Body.Rows != nil) != given {
			t.Errorf("%s: rows %#v: %v", text, said.Body.Rows, err)
		}
	}
	if said, err := decode[grantBody]([]byte(`{"rows":[{}]}`)); err != nil || said.Body.Rows[0] != (catalog.Row{}) {
		t.Errorf("an empty row: %v, %v", said, err)
	}
}

func TestABodyIsAnObject(t *testing.T) {
	for text, want := range map[string]string{
		`{}`: "", `null`: "invalid", `[]`: "invalid", `"x"`: "invalid", ` 1 `: "invalid", ``: "malformed",
	} {
		_, err := decode[struct {
			Optional string `json:"optional"`
		}]([]byte(text))
		got := ""
		if p, ok := errors.AsType[*problem](err); ok {
			got = p.Code
		}
		if got != want || (err == nil) != (want == "") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
