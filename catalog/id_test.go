package catalog_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/veonahealth/charter/catalog"
)

// pattern is the contract's own form of an identifier.
var pattern = regexp.MustCompile(`\A[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\z`)

var identifiers = []struct {
	text  string
	valid bool
}{
	{"a", true},
	{"0", true},
	{"kisumu-county", true},
	{"a--b", true},
	{"sysmex-xn-1000", true},
	{strings.Repeat("a", 63), true},
	{strings.Repeat("a", 64), false},
	{"", false},
	{"-", false},
	{"-a", false},
	{"a-", false},
	{"A", false},
	{"a_b", false},
	{"a.b", false},
	{"a/b", false},
	{"a b", false},
	{"a\n", false},
	{"\x00", false},
	{"é", false},
	{"a\xff", false},
	{"ſ", false}, // the Kelvin-sign kind of trap: a letter that folds into ASCII
}

func TestIdentifiersAreWhatTheContractSays(t *testing.T) {
	for _, c := range identifiers {
		id, err := catalog.ParseTenantID(c.text)
		if valid := err == nil; valid != c.valid {
			t.Errorf("%q: valid is %t, want %t", c.text, valid, c.valid)
		}
		if !c.valid && !id.IsZero() {
			t.Errorf("%q: gives %q beside its error", c.text, id)
		}
		if c.valid && id.String() != c.text {
			t.Errorf("%q: reads back as %q", c.text, id)
		}
	}
}

func TestEachByteOfAnIdentifierIsJudged(t *testing.T) {
	for c := range 256 {
		for _, text := range []string{string([]byte{byte(c)}), string([]byte{'a', byte(c), 'a'}), string([]byte{'a', byte(c)})} {
			if _, err := catalog.ParseTenantID(text); (err == nil) != pattern.MatchString(text) {
				t.Errorf("%q: got %v", text, err)
			}
		}
	}
}

func FuzzIdentifiersAreValidIffTheyMatchThePattern(f *testing.F) {
	for _, c := range identifiers {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, err := catalog.ParseModuleKey(text)
		if valid, want := err == nil, pattern.MatchString(text); valid != want {
			t.Fatalf("%q: valid is %t, want %t", text, valid, want)
		}
		if err != nil {
			if message := err.Error(); len(message) > 1000 || !utf8.ValidString(message) {
				t.Fatalf("message is %q", message)
			}
			return
		}
		if id.String() != text {
			t.Fatalf("%q reads back as %q", text, id)
		}
	})
}

func TestEachKindOfIdentifierNamesItselfInItsError(t *testing.T) {
	for noun, parse := range map[string]func(string) error{
		"organisation id":  refusal(catalog.ParseOrganisationID),
		"tenant id":        refusal(catalog.ParseTenantID),
		"facility id":      refusal(catalog.ParseFacilityID),
		"edition key":      refusal(catalog.ParseEditionKey),
		"module key":       refusal(catalog.ParseModuleKey),
		"EHR module key":   refusal(catalog.ParseEHRModule),
		"instrument key":   refusal(catalog.ParseInstrumentKey),
		"environment name": refusal(catalog.ParseEnvironment),
	} {
		want := noun + ` "No\n": want 1 to 63 of a-z, 0-9 and inner hyphens`
		if err := parse("No\n"); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func refusal[T any](parse func(string) (T, error)) func(string) error {
	return func(text string) error {
		_, err := parse(text)
		return err
	}
}

func TestLongTextsAreCutInErrors(t *testing.T) {
	_, err := catalog.ParseTenantID(strings.Repeat("x", 1<<20))
	if err == nil || len(err.Error()) > 200 {
		t.Fatalf("got %.300v", err)
	}
}

// An identifier goes through JSON, as a value and as the key of a map, and comes
// back as it was; what is none is refused.
func TestIdentifiersRoundTripThroughJSON(t *testing.T) {
	type document struct {
		ID catalog.TenantID
		By map[catalog.ModuleKey]int
	}
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.StringMatching(`[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?`).Draw(t, "id")
		want := document{tenantID(id), map[catalog.ModuleKey]int{moduleKey(id): 1}}
		encoded, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got document
		if err := json.Unmarshal(encoded, &got); err != nil {
			t.Fatal(err)
		}
		if got.ID != want.ID || got.By[moduleKey(id)] != 1 {
			t.Fatalf("%s comes back as %v", encoded, got)
		}
	})
	var got document
	if err := json.Unmarshal([]byte(`{"ID": "No"}`), &got); err == nil {
		t.Error(`"No" is taken for a tenant id`)
	}
	if err := json.Unmarshal([]byte(`{"ID": ""}`), &got); err != nil || !got.ID.IsZero() {
		t.Errorf("the empty text gives %q, %v", got.ID, err)
	}
}

func TestIdentifiersAreOrderedByTheirBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[a-z0-9-]{0,3}[a-z0-9]`)
		a, b := "a"+text.Draw(t, "a"), "a"+text.Draw(t, "b")
		if got, want := facilityID(a).Compare(facilityID(b)), strings.Compare(a, b); got != want {
			t.Fatalf("%s and %s compare as %d, want %d", a, b, got, want)
		}
	})
}

// made returns a value of a text that is known to be valid.
func made[T any](parse func(string) (T, error), text string) T {
	value, err := parse(text)
	if err != nil {
		panic(err)
	}
	return value
}

func tenantID(text string) catalog.TenantID        { return made(catalog.ParseTenantID, text) }
func facilityID(text string) catalog.FacilityID    { return made(catalog.ParseFacilityID, text) }
func editionKey(text string) catalog.EditionKey    { return made(catalog.ParseEditionKey, text) }
func moduleKey(text string) catalog.ModuleKey      { return made(catalog.ParseModuleKey, text) }
func ehrModule(text string) catalog.EHRModule      { return made(catalog.ParseEHRModule, text) }
func instrument(text string) catalog.InstrumentKey { return made(catalog.ParseInstrumentKey, text) }
