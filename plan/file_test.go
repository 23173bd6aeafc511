package plan_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
)

// whole is a plan with something in every list.
func whole() *plan.Plan {
	declared := tenant()
	declared.Grants = []catalog.Adjustment{{Module: module("ward"), Reason: "<b>pilot</b> & more", Span: catalog.Span{Until: day("2027-06-01")}, Pos: at("t.cue", 9)}}
	b := plan.NewBuilder(plan.Header{
		At: day("2027-01-01"), CreatedAt: day("2027-01-01"), ExpiresAt: day("2027-01-02"), Environment: environment("default"),
		Instance: "i-1", Nonce: "00", Live: plan.Observation{EHR: "https://ehr.example.org", Snapshot: "s"},
		Source: plan.Source{Commit: "c0ffee", Ref: "refs/heads/main"}, Warnings: []plan.Warning{{Code: "CW0109", File: "t.cue", Line: 9, Text: "ends"}},
	}, testCatalog(), nil)
	b.Add(must(b.Tenant(declared, live("a theatre, b legacy"))))
	for name, l := range map[string]plan.Live{"held": {Status: plan.StatusSuspended}, "silent": {Unreadable: "503"}} {
		other := tenant()
		other.ID = tenantID(name)
		b.Add(must(b.Tenant(other, l)))
	}
	return must(b.Plan())
}

func TestEncodedPlanDecodesToTheSameBytes(t *testing.T) {
	data := must(plan.Encode(whole()))
	if again := must(plan.Encode(must(plan.Decode(data)))); !bytes.Equal(data, again) {
		t.Errorf("%s", cmp.Diff(string(data), string(again)))
	}
}

func TestFileHasSortedKeysNoFloatsAndOneNewline(t *testing.T) {
	data := must(plan.Encode(whole()))
	if !bytes.HasSuffix(data, []byte("}\n")) || bytes.HasSuffix(data, []byte("\n\n")) {
		t.Error("it does not end in one newline")
	}
	if bytes.Contains(data, []byte(`\u003c`)) {
		t.Error("it escapes what JSON need not escape")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var keys [][]string // of the objects that are open; nil for a list
	name := true
	for dec.More() || len(keys) > 0 {
		token := must(dec.Token())
		switch v := token.(type) {
		case json.Delim:
			switch v {
			case '{':
				keys, name = append(keys, []string{}), true
			case '[':
				keys, name = append(keys, nil), false
			default:
				keys = keys[:len(keys)-1]
				name = len(keys) > 0 && keys[len(keys)-1] != nil
			}
			continue
		case json.Number:
			if strings.ContainsAny(v.String(), ".eE") {
				t.Errorf("number %s", v)
			}
		}
		if n := len(keys); n > 0 && keys[n-1] != nil {
			if name {
				keys[n-1] = append(keys[n-1], token.(string))
				if !slices.IsSorted(keys[n-1]) {
					t.Errorf("keys %q", keys[n-1])
				}
			}
			name = !name
		}
	}
}

func TestListsAreNeverNull(t *testing.T) {
	b := plan.NewBuilder(plan.Header{Environment: environment("default")}, testCatalog(), nil)
	data := string(must(plan.Encode(must(b.Plan()))))
	for _, list := range []string{"batches", "held", "refusals", "requires", "scheduled", "unreadable", "warnings"} {
		if !strings.Contains(data, `"`+list+`": []`) {
			t.Errorf("%s is no empty list", list)
		}
	}
	if !strings.Contains(data, `"base": null`) {
		t.Error("base is not null before the first apply")
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := string(must(plan.Encode(whole())))
	replace := func(old, with string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("the plan has no %s", old)
		}
		return strings.Replace(good, old, with, 1)
	}
	for _, c := range []struct{ name, file, want string }{
		{"nothing", "", "EOF"},
		{"what is no JSON", "plan", "invalid character"},
		{"a file that is cut short", good[:len(good)/2], "unexpected EOF"},
		{"something after it", good + "{}", "after top-level value"},
		{"a key that stands twice", replace(`"nonce": "00"`, `"nonce": "00", "nonce": "01"`), "duplicate"},
		{"a key twice in a list", replace(`"facility": "a",`, `"facility": "a", "facility": "a",`), "duplicate"},
		{"another kind", replace(`"kind": "charter.plan"`, `"kind": "charter.receipt"`), `its kind is "charter.receipt"`},
		{"a key by another case", replace(`"kind": "charter.plan"`, `"KIND": "charter.plan"`), `its kind is ""`},
		{"another major version", replace(`"format_version": "1.0"`, `"format_version": "2.0"`), `format version "2.0" is not known`},
		{"no version", replace(`"format_version": "1.0"`, `"format_version": ""`), "is not known"},
		{"a fraction", replace(`"revision": 7`, `"revision": 7.5`), "revision"},
		{"a negative revision", replace(`"revision": 7`, `"revision": -7`), "no revision and entity tag"},
		{"an entity tag with a line in it", replace(`"etag": "\"tag\""`, `"etag": "\"tag\"\n+ a ward"`), "no revision and entity tag"},
		{"a row that was edited", replace(`"ehr_module": "theatre"`, `"ehr_module": "ward"`), ""},
		{"an action that was edited", replace(`"action": "revoke"`, `"action": "grant"`), "is not that of its changes"},
		{"a base that was edited", replace(`"revision": 7`, `"revision": 8`), "is not that of its changes"},
		{"a tenant that was edited", replace(`"tenant": "kisumu"`, `"tenant": "mercy"`), "is not that of its changes"},
		{"an environment that was edited", replace(`"environment": "default"`, `"environment": "prod"`), "is not that of its changes"},
		{"a date that was edited", replace(`"at": "2027-06-01T00:00:00Z"`, `"at": "2027-07-01T00:00:00Z"`), "is not that of its changes"},
		{"a root that was edited", replace(`"batches_root": "sha256:`, `"batches_root": "sha256:0000`), "want sha256:"},
		{"a subject that is not known", replace(`"subject": "entitlements"`, `"subject": "ward-round"`), `the subject is not known`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := plan.Decode([]byte(c.file))
			var format *plan.FormatError
			var altered *plan.AlteredError
			if !errors.As(err, &format) && !errors.As(err, &altered) {
				t.Fatalf("error %v, want a FormatError or AlteredError", err)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q, want %q in it", err, c.want)
			}
		})
	}
}

func TestDecodeLeavesOutWhatALaterMinorAdds(t *testing.T) {
	good := string(must(plan.Encode(whole())))
	later := strings.Replace(good, `"format_version": "1.0"`, `"format_version": "1.7", "new_thing": {"x": [1.5]}`, 1)
	p, err := plan.Decode([]byte(later))
	if err != nil {
		t.Fatal(err)
	}
	if p.KnownMinor() {
		t.Error("a later minor passes for this one")
	}
	if len(p.Batches) != 1 {
		t.Errorf("%d batches", len(p.Batches))
	}
}

func TestRowsRefuseWhatContradictsItself(t *testing.T) {
	change := func(a plan.Action, f, m string) plan.Change {
		return plan.Change{Action: a, Facility: f, EHRModule: m}
	}
	for _, c := range []struct {
		name    string
		changes []plan.Change
	}{
		{"a row that comes and goes", []plan.Change{change(plan.Grant, "a", "ward"), change(plan.Revoke, "a", "ward")}},
		{"a row that stands twice", []plan.Change{change(plan.Grant, "a", "ward"), change(plan.Grant, "a", "ward")}},
		{"no action", []plan.Change{change("", "a", "ward")}},
		{"no facility", []plan.Change{change(plan.Grant, "../x", "ward")}},
		{"no module", []plan.Change{change(plan.Grant, "a", "ward\n+ b ward")}},
	} {
		if _, _, err := plan.Rows(c.changes); err == nil {
			t.Errorf("%s is taken", c.name)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(must(plan.Encode(whole())))
	f.Add([]byte(`{"kind":"charter.plan","format_version":"1.0"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := plan.Decode(data)
		if err != nil {
			return
		}
		written := must(plan.Encode(p))
		again, err := plan.Decode(written)
		if err != nil {
			t.Fatalf("what was read is not read again: %v", err)
		}
		if !bytes.Equal(written, must(plan.Encode(again))) {
			t.Fatal("what was written decodes to other bytes")
		}
	})
}
