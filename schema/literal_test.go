package schema

import (
	"strings"
	"testing"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/parser"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/veonahealth/charter/catalog"
)

// read reads a text as plain data. ok is false where it is more, or no CUE.
func read(text string) (n *node, conflicts []conflict, ok bool) {
	s := &source{path: "t.cue", data: []byte(text)}
	var err error
	if s.syntax, err = parser.ParseFile(s.path, s.data); err != nil {
		return nil, nil, false
	}
	n, conflicts, err = readPlain([]*source{s})
	return n, conflicts, err == nil
}

var plainTexts = []string{
	"", "package fleet", "// nothing\n", "a: 1", "a: 1, b: 2\nc: \"x\"", "a: b: c: true", `"a b": null`, `"": 1`, "a: -5", "a: -0", "a: 0", "a: - 5",
	`a: "\n\t\u00e9\U0001F600\\\"\/"`, "a: \"\"\"\n\tx\n\t  y\n\t\"\"\"", "a: #\"x\\n\"#", "a: {}\na: {}", "a: {b: 1}\na: {c: 2}",
	"a: 1\na: 1", "a: [1, \"x\", {b: 2}, []]", "a: {\n}\n", "$x: 1", "é: 1", "a: {b: {c: {}}}\r\nb: 1\r\n", "\ufeffa: 1",
	"package p\n\n// doc\na: 1 // line\n", "a: \"\"", "a: -123456789012345678901234567890", `"\u0061": 1, a: 1`,
}

var otherTexts = []string{
	"a: 0x10", "a: 00", "a: ['x']", "a: 1_000", "a: 1K", "a: 1.5", "a: 1e3", "a: +1", "a: --1", "a: 'x'", "a: b", "a: string", "a: \"\\(b)\"", "a: 1 & 1", "a: 1 | 2",
	"a: *1 | int", "a?: 1", "a!: 1", "_a: 1", "#a: 1", "_#a: 1", "a: {_b: 1}", "a: {#b: 1}", "(a): 1", "\"\\(x)\": 1", "[string]: 1", "a: [...]", "a: {...}",
	"a: [for x in y {x}]", "if true {a: 1}", "let a = 1", "import \"strings\"", "a: 1 @tag(x)", "@if(x)", "a: {@x()}", "a: _|_", "a: _", "X=a: 1", "a: X={b: 1}",
	"true: 1", "null: 1", "a: [1]\na: [1]", "{a: 1}", "5", "a: len(b)", "a: (1)", "a: \"x\"[0]", "a: b.c", "for: 1\nif true {}", "a: <5", "a: !true", "'a': 1",
	"\"\"\"\n\ta\n\t\"\"\": 1", "#\"a\"#: 1", `"\x41": 1`, `"\101": 1`, `'\x41': 1`, "a: \"\\ud800\"",
}

func TestPlainDataIsReadAndAllElseIsLeftToCUE(t *testing.T) {
	for _, text := range plainTexts {
		if _, _, ok := read(text); !ok {
			t.Errorf("%q is not read", text)
		}
		asCUE(t, text)
	}
	for _, text := range otherTexts {
		if n, _, ok := read(text); ok {
			t.Errorf("%q is read as %v", text, n.plain())
		}
	}
}

// What is read as plain data has the value that CUE gives it, and what has two
// values for one field, CUE refuses.
func FuzzPlainDataIsReadAsCUEReadsIt(f *testing.F) {
	for _, text := range append(plainTexts, otherTexts...) {
		f.Add(text)
	}
	f.Add("a: 1\na: 2")
	f.Add("a: {b: 1}\na: 1")
	f.Add("a: {b: {c: 1}}\na: b: c: \"1\"")
	f.Fuzz(func(t *testing.T, text string) { asCUE(t, text) })
}

func asCUE(t failer, text string) {
	n, conflicts, ok := read(text)
	if !ok {
		return
	}
	syntax, err := parser.ParseFile("t.cue", text)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(text, "\n") > 1000 || deep(syntax) {
		return // which CUE may take long over
	}
	v := cuecontext.New().BuildFile(syntax)
	err = v.Validate(cue.Concrete(true), cue.Final())
	if (err != nil) != (len(conflicts) > 0) {
		t.Fatalf("%q: CUE says %v, and we find the conflicts %v", text, err, conflicts)
	}
	if err != nil {
		return
	}
	encoded, err := v.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(decoded(t, encoded), n.plain()); diff != "" {
		t.Fatalf("%q (-CUE +read):\n%s", text, diff)
	}
}

func deep(file *ast.File) bool {
	depth, deepest := 0, 0
	ast.Walk(file, func(ast.Node) bool { depth++; deepest = max(deepest, depth); return true }, func(ast.Node) { depth-- })
	return deepest > 200
}

// Fields that are given twice, in any nesting, are one where they agree.
func TestFieldsGivenTwiceAreUnified(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var text strings.Builder
		line := rapid.Custom(func(t *rapid.T) string {
			path := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", `"c"`, "c"}), 1, 3).Draw(t, "path")
			value := rapid.SampledFrom([]string{"1", "2", "-1", `"1"`, "true", "null", "{}", "{a: 1}", "{a: b: 1, b: {}}", "[]", "[1]"}).Draw(t, "value")
			return strings.Join(path, ": ") + ": " + value
		})
		for _, l := range rapid.SliceOfN(line, 1, 6).Draw(t, "lines") {
			text.WriteString(l + "\n")
		}
		asCUE(t, text.String())
	})
}

func TestPlacesAreThoseOfTheText(t *testing.T) {
	n, conflicts, ok := read("package p\n\n\"a\": {\n\tb: 1, c: [\n\t\t\"é\", 2,\n\t]\n}\na: b: -2\n")
	if !ok || len(conflicts) != 1 {
		t.Fatalf("read is %t, with conflicts %v", ok, conflicts)
	}
	at := func(line, col int) catalog.Position { return catalog.Position{File: "t.cue", Line: line, Col: col} }
	a := n.value("a")
	for i, c := range []struct{ got, want catalog.Position }{
		{n.get("a").Pos, at(3, 1)}, {a.Pos, at(3, 6)}, {a.get("b").Pos, at(4, 2)}, {a.place("b"), at(4, 5)},
		{a.items("c")[0].Pos, at(5, 3)}, {a.items("c")[1].Pos, at(5, 9)},
		{conflicts[0].first.Pos, at(4, 5)}, {conflicts[0].second.Pos, at(8, 7)},
	} {
		if c.got != c.want {
			t.Errorf("%d: got %s, want %s", i, c.got, c.want)
		}
	}
	if conflicts[0].path != "a.b" {
		t.Errorf("the conflict is of %s", conflicts[0].path)
	}
}
