package schema_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/schema"
)

// usual is a tenant without what the cases add or leave out.
var usual = map[string]string{
	"id": `"kisumu"`, "name": `"Kisumu"`, "organisation": `"lakeside"`, "edition": `"hospital"`, "facilities": `main: name: "Main"`,
}

// tenantOf is the usual tenant with other fields, where "" leaves one out.
func tenantOf(other map[string]string) string {
	text := "package fleet\n"
	for _, from := range []map[string]string{usual, other} {
		for name, value := range from {
			if replaced, ok := other[name]; value != "" && (!ok || replaced == value) {
				text += fmt.Sprintf("tenant: %s: %s\n", name, value)
			}
		}
	}
	return text
}

// Each field of a tenant: what it may be, and the code of what it may not be. The
// cases stand in the order of the fields in the reference, README.md.
func TestFieldsOfATenant(t *testing.T) {
	const fine = schema.Code("")
	for _, c := range []struct {
		field, value string
		want         schema.Code
	}{
		{"id", "", schema.Shape},
		{"id", `"Kisumu"`, schema.Shape},
		{"id", `"kisumo"`, schema.Duplicate},
		{"name", "", schema.Shape},
		{"name", `" "`, schema.Shape},
		{"organisation", "", schema.Shape},
		{"organisation", `"lakside"`, schema.Unknown},
		{"edition", "", schema.Shape},
		{"edition", `"hospitl"`, schema.Unknown},
		{"environment", `"default"`, fine},
		{"environment", `"prod"`, schema.Unknown},
		{"hosting", `"cloud"`, fine},
		{"hosting", `"on-prem"`, schema.Incomplete},
		{"hosting", `"house"`, schema.Shape},
		{"facilities", "", schema.Shape},
		{"facilities", `{}`, schema.Shape},
		{"facilities", `main: beds: 3`, schema.Shape},
		{"facilities", `main: {name: "M", beds: 0, users: 3, storage_gb: 5}`, fine},
		{"facilities", `main: {name: "M", beds: -1}`, schema.Shape},
		{"facilities", `main: {name: "M", users: 1.5}`, schema.Shape},
		{"facilities", `main: {name: "M", storage_gb: "5"}`, schema.Shape},
		{"facilities", `main: {name: "M", closed: {reason: "r", on: "2027-01-01"}}`, fine},
		{"facilities", `main: {name: "M", closed: {reason: "r"}}`, schema.Shape},
		{"facilities", `main: {name: "M", grants: theatre: reason: "r", revocations: labs: reason: "r"}`, fine},
		{"facilities", `main: {name: "M", grants: theatre: reason: "r", revocations: theatre: reason: "r"}`, schema.Contradicted},
		{"grants", `telehealth: reason: "r"`, fine},
		{"grants", `telehealth: {reason: "r", ticket: "T", from: "2027-01-01", until: "2027-02-01T12:00:00+03:00"}`, fine},
		{"grants", `telehealth: ticket: "T"`, schema.Shape},
		{"grants", `telehelth: reason: "r"`, schema.Unknown},
		{"grants", `telehealth: {reason: "r", from: "2027-02-30"}`, schema.Shape},
		{"grants", `telehealth: {reason: "r", from: "2027-02-01", until: "2027-02-01"}`, schema.EmptySpan},
		{"revocations", `labs: reason: "r"`, fine},
		{"revocations", `labs: {}`, schema.Shape},
		{"revocations", `register: reason: "r"`, schema.Dependency},
		{"connect", `"sysmex-xn-1000": reason: "r"`, fine},
		{"connect", `"sysmex-xn-1000": {}`, schema.Shape},
		{"connect", `"sysmex": reason: "r"`, schema.Unknown},
		{"staff", `"a@example.org": {name: "A", role: "nurse", facility: "main"}`, fine},
		{"staff", `"a@example.org": {name: "A", role: "nurze", facility: "main"}`, schema.Unknown},
		{"staff", `"a@example.org": {name: "A", role: "nurse", facility: "mian"}`, schema.Unknown},
		{"staff", `"a": {name: "A", role: "nurse", facility: "main"}`, schema.Shape},
		{"admins", `"a@example.org": name: "A"`, fine},
		{"admins", `"a@example.org": {name: "A", withdrawn: "left"}`, fine},
		{"admins", `"a@example.org": {}`, schema.Shape},
		{"licence", `expires: "2028-01-01"`, fine},
		{"licence", `{expires: "2028-01-01", not_before: "2027-01-01", revoked: "stolen"}`, fine},
		{"licence", `not_before: "2027-01-01"`, schema.Shape},
		{"licence", `{expires: "2027-01-01", not_before: "2027-01-01"}`, schema.EmptySpan},
		{"limits", `beds: {value: 600, reason: "r"}`, fine},
		{"limits", `beds: {value: null, reason: "r"}`, fine},
		{"limits", `beds: value: 600`, schema.Shape},
		{"limits", `rooms: {value: 600, reason: "r"}`, schema.Shape},
		{"limits", `facilities: {value: 0, reason: "r"}`, schema.OverLimit},
		{"closed", `{reason: "r", on: "2027-01-01"}`, fine},
		{"closed", `on: "2027-01-01"`, schema.Shape},
		{"timezone", `"Africa/Nairobi"`, fine},
		{"timezone", `"Nairobi"`, schema.Shape},
		{"suspended", `true`, schema.Shape},
	} {
		r := load(t, fleet(t, map[string]string{kisumu: tenantOf(map[string]string{c.field: c.value})}), schema.Options{})
		got := fine
		if len(r.problems) > 0 {
			got = r.problems[0].Code
		}
		if got != c.want || len(r.problems) > 1 {
			t.Errorf("%s: %s: want %q, got %s", c.field, c.value, c.want, lines(r.problems))
		}
	}
}

func TestWhatIsLeftOutHasItsDefault(t *testing.T) {
	got := tenant(t, load(t, fleet(t, map[string]string{kisumu: tenantOf(nil)}), schema.Options{}).fleet, 0)
	f := got.Facilities[0]
	if got.Hosting != catalog.Cloud || got.Environment != catalog.DefaultEnvironment || got.Timezone != "UTC" || f.Beds != 0 || f.Users != 0 || f.StorageGB != 0 {
		t.Errorf("got %+v", got)
	}
}

// elsewhere are the codes that no load gives, and those that need a process to
// be ended or a policy, with the test that gives them.
var elsewhere = map[string]string{
	"CH0110": "TestAbsenceIsNeverACommand",
	"CH0113": "TestMistakesOfAPolicyAreSaidAtTheirPlaces",
	"CH0114": "TestMistakesOfAPolicyAreSaidAtTheirPlaces",
	"CH0115": "TestWhatAsksForTooMuchIsRefusedByName",
	"CW0114": "TestARuleThatLeaversWereNeededForIsAWarning",
	"CW0121": "TestWhatRevokesNothingIsAWarning",
}

// Every code that there is comes out of a fleet in testdata, or of a test of its
// own.
func TestEveryCodeHasAFleet(t *testing.T) {
	said := ""
	archives, err := filepath.Glob("testdata/fleets/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range archives {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		said += section(archive, wantFile) + section(archive, warningsFile)
	}
	for _, code := range allCodes(t) {
		if elsewhere[code] == "" && !strings.Contains(said, "["+code+"]") {
			t.Errorf("no fleet in testdata has %s", code)
		}
	}
}

// allCodes reads the codes from where they are defined.
func allCodes(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("problem.go")
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, match := range regexp.MustCompile(`Code += "(C[HW]\d{4})"`).FindAllStringSubmatch(string(text), -1) {
		codes = append(codes, match[1])
	}
	if len(codes) < 16 {
		t.Fatalf("%d codes: is the pattern still right?", len(codes))
	}
	return codes
}
