package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/parser"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/veonahealth/charter/catalog"
)

// samples are values that each definition accepts, with every field there is.
const samples = `{
	"#ID": "kisumu-1", "#Text": "some text", "#Time": "2027-03-01T10:00:00.5+03:00", "#Email": "grace@example.org",
	"#Route": "/ward/beds", "#Role": "front_desk", "#Count": 12, "#URL": "https://ehr.example.org/v1",
	"#Capability": "entitlements.write", "#CapabilityPattern": "entitlements.*", "#Commits": "people",
	"#Tenant": {
		"id": "kisumu", "name": "Kisumu", "organisation": "county", "edition": "network", "environment": "prod", "hosting": "on-prem",
		"facilities": {
			"main": {
				"name": "Main", "beds": 1, "users": 2, "storage_gb": 3,
				"grants": {"scribe": {"reason": "pilot", "ticket": "OPS-1", "from": "2027-01-01", "until": "2027-02-01"}},
				"revocations": {"labs": {"reason": "none"}},
				"closed": {"reason": "moved", "on": "2028-01-01"}
			},
			"annex": {"name": "Annex"}
		},
		"grants": {"scribe": {"reason": "pilot"}}, "revocations": {"pulse": {"reason": "not bought"}},
		"connect": {"xn": {"reason": "line"}},
		"staff": {"a@example.org": {"name": "A", "role": "nurse", "facility": "main"}},
		"admins": {"g@example.org": {"name": "G", "withdrawn": "left"}},
		"licence": {"not_before": "2026-01-01", "expires": "2027-01-01", "revoked": "sold"},
		"limits": {"beds": {"value": null, "reason": "bought"}, "users": {"value": 5, "reason": "few"}},
		"closed": {"reason": "merged", "on": "2028-01-01"}, "timezone": "Africa/Nairobi"
	},
	"#Facility": {"name": "Main", "beds": 1, "grants": {"scribe": {"reason": "pilot"}}},
	"#Adjustment": {"reason": "pilot", "ticket": "OPS-1", "from": "2027-01-01", "until": "2027-02-01"},
	"#Tombstone": {"reason": "moved", "on": "2028-01-01"},
	"#Connection": {"reason": "line"},
	"#Staff": {"name": "A", "role": "nurse", "facility": "main"},
	"#Admin": {"name": "G", "withdrawn": "left"},
	"#Licence": {"not_before": "2026-01-01", "expires": "2027-01-01", "revoked": "sold"},
	"#LimitOverrides": {"facilities": {"value": 1, "reason": "r"}, "users": {"value": null, "reason": "r"}, "storage_gb": {"value": 0, "reason": "r"}},
	"#LimitOverride": {"value": null, "reason": "bought"},
	"#Organisations": {"county": {"name": "County", "closed": {"reason": "merged", "on": "2028-01-01"}}},
	"#Organisation": {"name": "County", "closed": {"reason": "merged", "on": "2028-01-01"}},
	"#Environments": {"prod": {"ehr": "https://ehr", "instance": "ke-1"}},
	"#Environment": {"ehr": "http://ehr", "instance": "ke-1"},
	"#Holds": {"OPS 207": {"tenant": "kisumu", "facility": "main", "modules": ["ward"], "owner": "g", "reason": "r", "until": "2027-01-01"}},
	"#Hold": {"tenant": "kisumu", "facility": "main", "modules": ["ward", "labs"], "owner": "g", "reason": "r", "until": "2027-01-01"},
	"#Tests": {"a rule": {"tenants": {}, "has": []}},
	"#Test": {"tenants": {"edition": "network", "organisation": "county", "hosting": "cloud", "ids": ["kisumu"]}, "facility": "main", "at": "2027-01-01", "has": ["ward"], "hasnt": ["labs"]},
	"#TenantSelector": {"edition": "network", "organisation": "county", "hosting": "cloud", "ids": ["kisumu"]},
	"#Modules": {"labs": {"name": "Labs", "ehr_key": "lab", "requires": ["register"], "routes": ["/labs"], "critical": true}},
	"#Module": {"name": "Labs", "ehr_key": "lab", "requires": ["register"], "routes": ["/labs"], "critical": true},
	"#Editions": {"network": {"name": "Network", "modules": ["labs"], "limits": {"beds": null, "users": 5}}},
	"#Edition": {"name": "Network", "modules": ["labs"], "limits": {"facilities": 1}},
	"#Limits": {"facilities": 1, "users": null, "beds": 2, "storage_gb": 3},
	"#Instruments": {"xn": {"name": "XN", "protocol": "astm"}},
	"#Instrument": {"name": "XN", "protocol": "astm"},
	"#Capabilities": ["entitlements.write", "audit.read"],
	"#Roles": {"support": ["entitlements.*", "*"]},
	"#StaffRoles": ["nurse", "front_desk"],
	"#People": {"grace": {"name": "Grace", "email": "g@example.org", "roles": ["support"], "keys": ["k"], "ssh": ["s"], "forge": ["github:1"], "leaves": "2028-01-01", "revoked": [{"fingerprint": "SHA256:abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ", "since": "2027-01-01"}]}},
	"#Person": {"name": "Grace", "email": "g@example.org", "roles": ["support"]},
	"#RevokedKey": {"fingerprint": "0123456789abcdef0123456789ABCDEF01234567", "since": "2027-01-01"},
	"#Revoked": [{"fingerprint": "0123456789abcdef0123456789ABCDEF01234567", "since": "2027-01-01"}],
	"#Fingerprint": "SHA256:abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ", "#Since": "2027-01-01T00:00:00Z", "#ForgeAccount": "gitea:12",
	"#Rules": {"removals": {"capability": "entitlements.write", "change": "removal", "tenants": {"edition": "network"}, "approvals": 2, "writers": false, "evidence": ["key", "forge"]}},
	"#Rule": {"capability": "entitlements.write"}, "#Approvals": 3, "#Percent": 25,
	"#Thresholds": {"tenant": {"share": 10, "rows": 5}, "fleet": {}}, "#Threshold": {"share": 0},
	"#Windows": {"nights": {"effect": "allow", "cron": "0 22 * * 1-5", "timezone": "Africa/Nairobi", "duration": "8h", "change": "any", "tenants": {}}},
	"#Window": {"effect": "deny", "cron": "*/5 0,1 ? JAN MON", "duration": "1h30m"},
	"#Cron": "0 22 * * 1-5", "#Duration": "45m",
	"#Mandate": {"kinds": ["grant", "revoke"], "tenants": {"hosting": "cloud"}, "per_hour": 1, "per_day": 2, "until": "2027-01-01"},
	"#BreakGlass": {"people": ["grace"], "approvals": 1, "passes": ["threshold", "window", "approval"]},
	"#Paths": {"tenants/kenya": [{"organisation": "county"}]}, "#Path": "tenants/kenya/kisumu",
	"#Recovery": {"keys": ["k"], "threshold": 1},
	"#Appliers": {"ci": {"keys": ["k"], "may": ["apply", "correct", "notary"]}},
	"#Applier": {"keys": ["k"], "may": ["apply"]}
}`

func readSamples(t *testing.T) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(samples))
	decoder.UseNumber()
	var documents map[string]any
	if err := decoder.Decode(&documents); err != nil {
		t.Fatal(err)
	}
	return documents
}

func TestEachDefinitionCompilesAndAcceptsItsSample(t *testing.T) {
	compiled, err := compileShapes(definitions)
	if err != nil {
		t.Fatal(err)
	}
	documents, oracle := readSamples(t), newOracle(t)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(compiled)), slices.Sorted(maps.Keys(documents))); diff != "" {
		t.Errorf("definitions and samples (-definitions +samples):\n%s", diff)
	}
	for name, document := range documents {
		agree(t, oracle, name, document)
		if problems, _ := judge(t, name, document); len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
		}
	}
}

// What the schema may come to say in a form that shapes do not know must be seen
// here, and not in a fleet.
func TestFormsThatShapesDoNotKnowDoNotCompile(t *testing.T) {
	for _, source := range []string{
		`#A: >5 & <3.5`, `#A: #B`, `#A: int | >5 | "x" + "y"`, `#A: !~"x"`, `#A: "\(x)"`, `#A: [...int] & [1]`, `#A: [int]`,
		`#A: strings.MinRunes(5, 6)`, `#A: string & int`, `#A: {[int + 1]: string}`, `#A: =~x`, `#A: <"a"`, `#A: >5`, `#A: 5.5`, `#A: =~"("`,
		`#A: {(x): 5}`, `#A: {b: #B}`, `#A: [...#B]`, `#A: 1 | #B`, `#A: #B & int`, `#A: int & #B`, `#A: struct.MinFields(x)`, `#A: {[=~"("]: int}`, `#A: 0x10`,
	} {
		if shapes, err := compileShapes([]byte(source)); err == nil {
			t.Errorf("%s compiles to %+v", source, shapes["#A"])
		}
	}
}

// oracle is CUE itself.
type oracle struct {
	ctx         *cue.Context
	definitions cue.Value
}

func newOracle(t *testing.T) *oracle {
	t.Helper()
	ctx := cuecontext.New()
	o := &oracle{ctx, ctx.CompileBytes(definitions)}
	if err := o.definitions.Err(); err != nil {
		t.Fatal(err)
	}
	return o
}

// accepts gives CUE's verdict on a document under a definition, and its value
// with the defaults.
func (o *oracle) accepts(t failer, definition string, source []byte) (any, error) {
	expr, err := parser.ParseExpr("sample", source)
	if err != nil {
		t.Fatal(err)
	}
	v := o.definitions.LookupPath(cue.ParsePath(definition)).Unify(o.ctx.BuildExpr(expr))
	if err := v.Validate(cue.Concrete(true), cue.Final()); err != nil {
		return nil, err
	}
	encoded, err := v.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return decoded(t, encoded), nil
}

func decoded(t failer, encoded []byte) any {
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

// failer is what rapid's and testing's T have in common.
type failer interface {
	Fatal(...any)
	Fatalf(string, ...any)
}

// judge gives the shape's verdict, and its value with the defaults.
func judge(t failer, definition string, document any) (Problems, any) {
	return judgeBy(t, shapes()[definition], document)
}

func judgeBy(t failer, s *shape, document any) (Problems, any) {
	encoded, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	file := &source{path: "sample.cue", data: append([]byte("x: "), encoded...)}
	if file.syntax, err = parser.ParseFile(file.path, file.data); err != nil {
		t.Fatal(err)
	}
	top, conflicts, err := readPlain([]*source{file})
	if err != nil || len(conflicts) > 0 {
		t.Fatalf("%s is read as %v, %v", encoded, conflicts, err)
	}
	n := top.value("x")
	var c checker
	c.check(s, n, catalog.Position{}, "x")
	return c.problems, n.plain()
}

// plain is the value of a node as encoding/json knows it.
func (n *node) plain() any {
	switch n.Kind {
	case kindNull:
		return nil
	case kindBool:
		return n.Text == "true"
	case kindInt:
		return json.Number(n.Text)
	case kindString:
		return n.Text
	case kindList:
		items := make([]any, len(n.Items))
		for i, item := range n.Items {
			items[i] = item.plain()
		}
		return items
	}
	fields := map[string]any{}
	for _, f := range n.Fields {
		fields[f.Name] = f.Value.plain()
	}
	return fields
}

// agree holds a shape's verdict against CUE's, in both directions.
func agree(t failer, o *oracle, definition string, document any) {
	encoded, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	want, refusal := o.accepts(t, definition, encoded)
	problems, got := judge(t, definition, document)
	switch {
	case refusal != nil && len(problems) == 0:
		t.Fatalf("%s: the shape accepts and CUE refuses\n%s\n%v", definition, encoded, refusal)
	case refusal == nil && len(problems) > 0:
		t.Fatalf("%s: CUE accepts and the shape refuses\n%s\n%v", definition, encoded, problems)
	case refusal == nil:
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s: %s (-CUE +shape):\n%s", definition, encoded, diff)
		}
	}
}

// near are texts that lie on both sides of the schema's patterns.
var near = []string{
	"", " ", "\t\n", "\u00a0", "a", "-", "a-", "-a", "a-b", "A", "a_b", "a\n", "é", "0", "5", "null", "true",
	strings.Repeat("a", 63), strings.Repeat("a", 64), strings.Repeat("é", 40),
	"2027-03-01", "2027-02-30", "2027-13-01", "2027-00-10", "2027-01-32", "27-01-01", "2027-1-1", "2027-03-01 ", "12027-03-01",
	"2027-03-01T10:00:00Z", "2027-03-01T10:00:00", "2027-03-01T24:00:00Z", "2027-03-01T10:60:00Z", "2027-03-01T10:00:60Z", "2027-03-01T10:00Z",
	"2027-03-01T10:00:00.1234567890Z", "2027-03-01T10:00:00.Z", "2027-03-01T10:00:00+24:00", "2027-03-01T10:00:00-23:59", "2027-03-01t10:00:00z",
	"a@b", "a@b@c", "@b", "a@", "a b@c", "a@b\n", "<a@b>", strings.Repeat("a", 64) + "@b", strings.Repeat("a", 65) + "@b", "a@" + strings.Repeat("b", 191),
	"/", "/a", "a", "/a/", "//", "/a//b", "/a/../b", "/a b", "/a?b", "/%61",
	"front_desk", "_a", "a-b", "Front", "1a", "cloud", "on-prem", "Cloud", "cluod", "on_prem", "UTC", "default",
	"http://a", "https://a/b?c#d", "https://a/b?c", "ftp://a", "https://", "https:///a", "https://a@b", "https://a b", "HTTPS://a", "https://a#",
	"a.b", "a.*", "*", "**", "a.", ".b", "a.b.c", "A.b", "none", "people", "apply", "correct", "notary", "Apply",
}

func drawValue(t *rapid.T) any {
	return rapid.OneOf(
		rapid.Just[any](nil),
		rapid.SampledFrom([]any{true, false}),
		rapid.SampledFrom([]any{
			json.Number("0"), json.Number("1"), json.Number("-1"), json.Number("1000000000000"), json.Number("1000000000001"),
			json.Number("9223372036854775807"), json.Number("9223372036854775808"), json.Number("-9223372036854775809"), json.Number(strings.Repeat("9", 40)),
		}),
		rapid.Map(rapid.SampledFrom(near), func(text string) any { return text }),
		rapid.Map(rapid.StringMatching(`[a-z0-9A-Z@./:* _-]{0,8}`), func(text string) any { return text }),
		rapid.SampledFrom([]any{
			[]any{}, []any{"a"}, []any{"a", nil}, []any{[]any{}}, []any{json.Number("1")}, map[string]any{}, map[string]any{"name": "x"},
			map[string]any{"a": map[string]any{}}, map[string]any{"reason": "r", "on": "2027-01-01"}, map[string]any{"value": nil, "reason": "r"},
		}),
	).Draw(t, "value")
}

// mutate changes a document at one place, at any depth.
func mutate(t *rapid.T, value any) any {
	if rapid.IntRange(0, 5).Draw(t, "here") == 0 {
		return drawValue(t)
	}
	switch value := value.(type) {
	case map[string]any:
		return mutateFields(t, maps.Clone(value))
	case []any:
		items := append(slices.Clone(value), drawValue(t))
		i := rapid.IntRange(0, len(items)-1).Draw(t, "item")
		items[i] = mutate(t, items[i])
		return items
	}
	return drawValue(t)
}

func mutateFields(t *rapid.T, fields map[string]any) any {
	names := slices.Sorted(maps.Keys(fields))
	if len(names) == 0 || rapid.IntRange(0, 3).Draw(t, "add") == 0 {
		fields[rapid.SampledFrom(append(near, "nam", "beds", "value", "reason", "_x", "#Y", "$z")).Draw(t, "name")] = drawValue(t)
		return fields
	}
	name := rapid.SampledFrom(names).Draw(t, "field")
	value := fields[name]
	switch rapid.IntRange(0, 3).Draw(t, "how") {
	case 0:
		delete(fields, name)
	case 1:
		delete(fields, name)
		fields[rapid.SampledFrom(near).Draw(t, "renamed")] = value
	default:
		fields[name] = mutate(t, value)
	}
	return fields
}

// everyChange yields all documents that differ from one at a single place, at any
// depth: another value, a field less, a field more.
func everyChange(value any, yield func(any)) {
	for _, other := range []any{
		nil, true, false, "", " ", "x", "No Id", json.Number("0"), json.Number("-1"), json.Number("1000000000001"),
		[]any{}, []any{"x"}, []any{nil}, map[string]any{}, map[string]any{"x": "x"},
	} {
		yield(other)
	}
	switch value := value.(type) {
	case map[string]any:
		for name, below := range value {
			changed := maps.Clone(value)
			everyChange(below, func(other any) { changed[name] = other; yield(changed) })
			delete(changed, name)
			yield(changed)
			changed["No Id"] = below
			yield(changed)
		}
	case []any:
		for i, below := range value {
			changed := slices.Clone(value)
			everyChange(below, func(other any) { changed[i] = other; yield(changed) })
		}
	}
}

func TestShapesJudgeEverySingleChangeAsCUEDoes(t *testing.T) {
	for name, document := range readSamples(t) {
		oracle := newOracle(t)
		everyChange(document, func(changed any) { agree(t, oracle, name, changed) })
	}
}

// The forms that the compiler knows mean the same in whatever order they stand.
func TestFormsMeanWhatCUESays(t *testing.T) {
	for _, source := range []string{
		`>=1 & <=3`, `<=3 & >=1 & int`, `int & >=1 & >=2 & <=5 & <=4`, `string & =~"^a"`, `=~"^a" & string`,
		`struct.MinFields(1) & {[=~"^a"]: int}`, `{[=~"^a"]: int} & struct.MinFields(1)`, `struct.MinFields(2) & struct.MinFields(1) & {[=~"^a"]: int}`,
		`"a" | "b"`, `*"a" | "b"`, `null | int`, `int | null`, `*1 | int`, `null | "a" | "b"`, `*null | int`, `*false | bool`, `null | {a: int}`,
		`{a: int, b?: string, c: *"x" | string}`, `{a!: int, b: *1 | int}`, `[...int]`, `[...{a: int}]`, `{[string]: [...int]}`, `{a!: {b: *1 | int}}`,
	} {
		file := []byte("import \"struct\"\n#MinFields: struct.MinFields(0)\n#A: " + source)
		compiled, err := compileShapes(file)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		ctx := cuecontext.New()
		oracle := &oracle{ctx, ctx.CompileBytes(file)}
		for _, document := range []string{
			`0`, `1`, `2`, `3`, `4`, `5`, `-1`, `"a"`, `"ab"`, `"b"`, `""`, `null`, `true`, `false`, `{}`, `{"a": 1}`, `{"a": 1, "ab": 2}`, `{"b": 1}`,
			`{"a": 1, "b": "x", "c": "y"}`, `{"a": 1, "b": 2}`, `{"a": {}}`, `{"a": {"b": 2}}`, `{"a": [1, 2]}`, `[]`, `[1]`, `["x"]`, `[{"a": 1}]`, `[{}]`, `{"a": null}`,
		} {
			want, refusal := oracle.accepts(t, "#A", []byte(document))
			problems, got := judgeBy(t, compiled["#A"], decoded(t, []byte(document)))
			if (refusal == nil) != (len(problems) == 0) {
				t.Errorf("%s under %s: CUE says %v, the shape %v", document, source, refusal, problems)
			} else if diff := cmp.Diff(want, got); refusal == nil && diff != "" {
				t.Errorf("%s under %s (-CUE +shape):\n%s", document, source, diff)
			}
		}
	}
}

// A shape accepts exactly what CUE accepts, and gives it the same value.
func TestShapesJudgeAsCUEDoes(t *testing.T) {
	documents := readSamples(t)
	names := slices.Sorted(maps.Keys(documents))
	oracle, cases := newOracle(t), 0
	rapid.Check(t, func(t *rapid.T) {
		for _, name := range names {
			document := documents[name]
			for range rapid.IntRange(1, 3).Draw(t, "changes") {
				document = mutate(t, document)
			}
			agree(t, oracle, name, document)
		}
		if cases++; cases%4 == 0 { // a context keeps what it was ever asked
			fresh := cuecontext.New()
			*oracle = struct {
				ctx         *cue.Context
				definitions cue.Value
			}{fresh, fresh.CompileBytes(definitions)}
		}
	})
}

// In v0.17.1 one way to put a schema to a value lets unknown fields and names
// pass at any depth. Neither shapes nor the way that is used here do.
func TestUnknownFieldsAreRefusedAtEachDepth(t *testing.T) {
	oracle := newOracle(t)
	for _, place := range [][]string{
		{"x"},
		{"facilities", "No Id"},
		{"facilities", "main", "x"},
		{"facilities", "main", "grants", "scribe", "x"},
		{"facilities", "main", "closed", "x"},
		{"licence", "x"},
		{"admins", "no address"},
	} {
		document := readSamples(t)["#Tenant"]
		inner := document.(map[string]any)
		for _, name := range place[:len(place)-1] {
			inner = inner[name].(map[string]any)
		}
		inner[place[len(place)-1]] = map[string]any{"name": "x"}
		agree(t, oracle, "#Tenant", document)
		if problems, _ := judge(t, "#Tenant", document); len(problems) == 0 {
			t.Errorf("%v: accepted", place)
		}
		encoded, err := json.Marshal(map[string]any{"tenant": document})
		if err != nil {
			t.Fatal(err)
		}
		u := &unit{kind: tenantUnit, dir: "tenants/kisumu", constrained: true}
		u.files = []*source{{path: "tenants/kisumu/t.cue", data: fmt.Appendf(nil, "package fleet\n_x: 1\n%s\n", encoded)}}
		if _, problems, err := new(engine).evaluate(u, DefaultModule); err != nil || len(problems) == 0 {
			t.Errorf("%v: CUE's way gives %v, %v", place, problems, err)
		}
	}
}
