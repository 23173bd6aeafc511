package write_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
