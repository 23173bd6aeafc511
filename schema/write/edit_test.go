package write_test

import (
	"strings"
	"testing"

	"cuelang.org/go/cue/format"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/veonahealth/charter/schema/write"
)

const plainTenant = `package fleet

// Kisumu's own tenant.
tenant: {
	id:   "kisumu" // as on the platform
	name: "Kisumu"
	facilities: {
		main: {name: "Main"}
		annex: {
			name: "Annex"
			// no theatre here
			revocations: theatre: reason: "none on site"
		}
	}
	// what they pay for
	grants: {
		scribe: {reason: "pilot", until: "2027-03-01"} // OPS-1
		ward: reason: "bought"
	}
}
`

var (
	tenant = write.Level{}
	main   = write.Level{Facility: "main"}
	annex  = write.Level{Facility: "annex"}
)

func TestEdits(t *testing.T) {
	add := func(l write.Level, list, module string, s write.Statement) func([]byte) ([]byte, error) {
		return func(src []byte) ([]byte, error) { return write.Add(src, l, list, module, s) }
	}
	remove := func(l write.Level, list, module string) func([]byte) ([]byte, error) {
		return func(src []byte) ([]byte, error) { return write.Remove(src, l, list, module) }
	}
	until := func(l write.Level, module, date string) func([]byte) ([]byte, error) {
		return func(src []byte) ([]byte, error) { return write.Set(src, l, write.Grants, module, "until", date) }
	}
	for _, c := range []struct {
		name      string
		edit      func([]byte) ([]byte, error)
		old, with string // the one difference that the edit makes
	}{
		{
			"a grant beside others", add(tenant, write.Grants, "live", write.Statement{Reason: `a "trial"`, Ticket: "OPS-2", From: "2027-01-01", Until: "2027-02-01"}),
			"\t\tward: reason: \"bought\"\n", "\t\tward: reason: \"bought\"\n\t\tlive: {reason: \"a \\\"trial\\\"\", ticket: \"OPS-2\", from: \"2027-01-01\", until: \"2027-02-01\"}\n",
		},
		{
			"the first revocation", add(tenant, write.Revocations, "blood-bank", write.Statement{Reason: "not bought"}),
			"\t\tward: reason: \"bought\"\n\t}\n", "\t\tward: reason: \"bought\"\n\t}\n\trevocations: \"blood-bank\": reason: \"not bought\"\n",
		},
		{
			"a facility on one line", add(main, write.Grants, "live", write.Statement{Reason: "pilot"}),
			`main: {name: "Main"}`, `main: {name: "Main", grants: live: reason: "pilot"}`,
		},
		{
			"a map that is no struct of its own", add(annex, write.Revocations, "ward", write.Statement{Reason: "closed"}),
			"reason: \"none on site\"\n", "reason: \"none on site\"\n\t\t\trevocations: ward: reason:    \"closed\"\n",
		},
		{"a grant of several", remove(tenant, write.Grants, "ward"), "\t\tward: reason: \"bought\"\n", ""},
		{
			"the last one, with its map and comment", remove(annex, write.Revocations, "theatre"),
			"\t\t\t// no theatre here\n\t\t\trevocations: theatre: reason: \"none on site\"\n", "",
		},
		{"another end", until(tenant, "scribe", "2027-06-01"), `until: "2027-03-01"`, `until: "2027-06-01"`},
		{"a first end", until(tenant, "ward", "2027-06-01"), `ward: reason: "bought"`, `ward: {reason: "bought", until: "2027-06-01"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.edit([]byte(plainTenant))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(replaceOnce(t, plainTenant, c.old, c.with), string(got)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestEditsOfFilesThatAreWrittenOtherwise gives each file whole, before and after.
func TestEditsOfFilesThatAreWrittenOtherwise(t *testing.T) {
	bought := write.Statement{Reason: "bought"}
	for _, c := range []struct {
		name         string
		edit         func([]byte) ([]byte, error)
		before, want string
	}{
		{
			"a tenant on one line stays as it is", func(src []byte) ([]byte, error) { return write.Add(src, tenant, write.Grants, "ward", bought) },
			"tenant: admins: \"ann@mercy.example.org\": name: \"Ann\"\n",
			"tenant: admins: \"ann@mercy.example.org\": name: \"Ann\"\n\ntenant: grants: ward: reason: \"bought\"\n",
		},
		{
			"and where it has braces", func(src []byte) ([]byte, error) { return write.Add(src, tenant, write.Grants, "ward", bought) },
			"tenant: {id: \"mercy\", edition: \"hospital\"} // ours\n\n// the end\n",
			"tenant: {id: \"mercy\", edition: \"hospital\"} // ours\n\ntenant: grants: ward: reason: \"bought\"\n\n// the end\n",
		},
		{
			"a new map is not aligned with what stands above", func(src []byte) ([]byte, error) { return write.Add(src, tenant, write.Revocations, "ward", bought) },
			"tenant: {\n\tid: \"mercy\"\n\tadmins: \"ann@mercy.example.org\": name: \"Ann\"\n}\n",
			"tenant: {\n\tid: \"mercy\"\n\tadmins: \"ann@mercy.example.org\": name: \"Ann\"\n\n\trevocations: ward: reason: \"bought\"\n}\n",
		},
		{
			"a map that stands elsewhere in the file is added to", func(src []byte) ([]byte, error) { return write.Add(src, tenant, write.Grants, "ward", bought) },
			"tenant: {\n\tgrants: {\n\t\trx: reason: \"x\"\n\t}\n}\ntenant: {\n\tid: \"mercy\"\n}\n",
			"tenant: {\n\tgrants: {\n\t\trx: reason:   \"x\"\n\t\tward: reason: \"bought\"\n\t}\n}\ntenant: {\n\tid: \"mercy\"\n}\n",
		},
		{
			"no empty line is left in the middle", func(src []byte) ([]byte, error) { return write.Remove(src, tenant, write.Grants, "rx") },
			"tenant: {\n\tgrants: {\n\t\tward: reason: \"x\"\n\t\trx: {\n\t\t\treason: \"x\"\n\t\t}\n\t\tlabs: reason: \"x\"\n\t}\n}\n",
			"tenant: {\n\tgrants: {\n\t\tward: reason: \"x\"\n\t\tlabs: reason: \"x\"\n\t}\n}\n",
		},
		{
			"nor at the end", func(src []byte) ([]byte, error) { return write.Remove(src, tenant, write.Revocations, "rx") },
			"tenant: {\n\tid: \"mercy\"\n\n\trevocations: rx: reason: \"x\"\n}\n",
			"tenant: {\n\tid: \"mercy\"\n}\n",
		},
		{
			"nor at the beginning", func(src []byte) ([]byte, error) { return write.Remove(src, tenant, write.Grants, "rx") },
			"tenant: {\n\tgrants: {\n\t\trx: reason: \"x\"\n\n\t\t// a wing\n\t\tward: reason: \"x\"\n\t}\n}\n",
			"tenant: {\n\tgrants: {\n\t\t// a wing\n\t\tward: reason: \"x\"\n\t}\n}\n",
		},
		{
			"the empty line between others stays", func(src []byte) ([]byte, error) { return write.Remove(src, tenant, write.Grants, "rx") },
			"tenant: {\n\tid: \"mercy\"\n\n\tgrants: rx: reason: \"x\"\n\n\t// sold\n\tlimits: beds: value: 9\n}\n",
			"tenant: {\n\tid: \"mercy\"\n\n\t// sold\n\tlimits: beds: value: 9\n}\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.edit([]byte("package fleet\n\n" + c.before))
			if diff := cmp.Diff("package fleet\n\n"+c.want, string(got)); diff != "" || err != nil {
				t.Errorf("%v, -want +got:\n%s", err, diff)
			}
		})
	}
}

func TestAnEntryGoesWhereTheOthersStand(t *testing.T) {
	for _, c := range []struct {
		src   string
		level write.Level
		want  int
	}{
		{`tenant: grants: ward: reason: "x"`, tenant, 4},
		{`tenant: revocations: ward: reason: "x"`, tenant, 3},
		{`tenant: {id: "mercy", edition: "hospital"}`, tenant, 2},
		{`tenant: admins: "ann@mercy.example.org": name: "Ann"`, tenant, 1},
		{`other: 1`, tenant, 0},
		{`tenant: facilities: main: {beds: 1, grants: ward: reason: "x"}`, main, 4},
		{`tenant: facilities: main: {name: "Main"}`, main, 2},
		{`tenant: facilities: main: {beds: 1}`, main, 1},
		{`tenant: {edition: "hospital", grants: ward: reason: "x"}`, main, 0},
	} {
		if got, err := write.Standing([]byte("package fleet\n\n"+c.src+"\n"), c.level, write.Grants); got != c.want || err != nil {
			t.Errorf("%s: %d, %v, want %d", c.src, got, err, c.want)
		}
	}
}

func replaceOnce(t *testing.T, text, old, with string) string {
	t.Helper()
	before, after, found := strings.Cut(text, old)
	if !found {
		t.Fatalf("the file has no %q", old)
	}
	return before + with + after
}

func TestAFacilityThatIsWrittenInOneLineOutlastsItsLastRevocation(t *testing.T) {
	src := "package fleet\n\ntenant: facilities: main: {name: \"Main\", grants: ward: reason: \"bought\", revocations: rx: reason: \"none\"}\n"
	want := "package fleet\n\ntenant: facilities: main: {name: \"Main\", grants: ward: reason: \"bought\"}\n"
	got, err := write.Remove([]byte(src), main, write.Revocations, "rx")
	if err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
}

// TestWhatWasAddedAndTakenOutLeavesTheFileAsItWas adds to files with and without
// other statements, comments and empty lines.
func TestWhatWasAddedAndTakenOutLeavesTheFileAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		part := func(texts ...string) string { return rapid.SampledFrom(append(texts, "")).Draw(t, "part") }
		text := "package fleet\n\ntenant: {\n\tid: \"mercy\" // ours\n" +
			part("\n\tname: \"Mercy\"\n", "\tadmins: \"ann@mercy.example.org\": name: \"Ann\"\n") +
			part("\tgrants: rx: reason: \"x\"\n", "\tgrants: {\n\t\t// a wing\n\t\trx: reason: \"x\"\n\n\t\tlabs: reason: \"x\" // lab\n\t}\n") +
			part("\n\tlimits: beds: {value: 9, reason: \"x\"}\n", "\t// sold\n\tlimits: {\n\t\tbeds: {value: 9, reason: \"x\"}\n\t}\n") + "}\n" + part("\n// the end\n")
		src, err := format.Source([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		list := rapid.SampledFrom([]string{write.Grants, write.Revocations}).Draw(t, "list")
		added, err := write.Add(src, tenant, list, "ward", write.Statement{Reason: "bought"})
		if err != nil {
			t.Fatal(err)
		}
		got, err := write.Remove(added, tenant, list, "ward")
		if diff := cmp.Diff(string(src), string(got)); diff != "" || err != nil {
			t.Errorf("%v, -want +got:\n%s\nadded:\n%s", err, diff, added)
		}
	})
}
