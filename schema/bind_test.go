package schema

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/veonahealth/charter/catalog"
)

// The shape of an identifier accepts what parsing one accepts, so that nothing
// that has passed its shape becomes an identifier that names nothing.
func TestTheShapeOfAnIdentifierIsItsParser(t *testing.T) {
	shape := shapes()["#ID"].pattern
	hold := func(t failer, text string) {
		_, err := catalog.ParseTenantID(text)
		if parses, fits := err == nil, shape.MatchString(text); parses != fits {
			t.Fatalf("%q: parses %t, fits %t", text, parses, fits)
		}
	}
	for _, text := range near {
		hold(t, text)
	}
	rapid.Check(t, func(t *rapid.T) {
		hold(t, rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z0-9A_-]{0,66}`)).Draw(t, "text"))
	})
}

// What has the shape of a time is that instant, or is refused: it is never taken
// for no time at all.
func TestTimesAreInstantsOrRefused(t *testing.T) {
	shape := shapes()["#Time"].pattern
	for _, c := range []struct{ text, want string }{
		{"2027-03-01", "2027-03-01T00:00:00Z"},
		{"2028-02-29", "2028-02-29T00:00:00Z"},
		{"2027-03-01T10:00:00Z", "2027-03-01T10:00:00Z"},
		{"2027-03-01T00:30:00.5+03:00", "2027-02-28T21:30:00.5Z"},
		{"2027-03-01T00:30:00.123456789-23:59", "2027-03-02T00:29:00.123456789Z"},
		{"0002-01-01", "0002-01-01T00:00:00Z"},
		{"9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"},
		{"2027-02-29", ""}, {"2027-04-31", ""}, {"2027-02-29T10:00:00Z", ""},
		{"0000-01-01", ""}, {"0001-01-01", ""}, {"0001-01-01T01:00:00+01:00", ""}, {"0001-12-31", ""}, {"0002-01-01T00:00:00+00:01", ""},
		{"9999-12-31T23:59:59-00:01", ""},
	} {
		if !shape.MatchString(c.text) {
			t.Errorf("%s has not the shape of a time", c.text)
		}
		got, ok := instantOf(c.text)
		if ok != (c.want != "") || ok && got.Format(time.RFC3339Nano) != c.want {
			t.Errorf("%s: got %s, %t, want %q", c.text, got, ok, c.want)
		}
	}
	valid := regexp.MustCompile(strings.Trim(shape.String(), "^$"))
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(valid.String()).Draw(t, "text")
		if got, ok := instantOf(text); ok && (got.IsZero() || got.Location() != time.UTC) {
			t.Fatalf("%s is %s", text, got)
		}
	})
}

func instantOf(text string) (time.Time, bool) {
	var b binder
	n := &node{Kind: kindStruct, Fields: []field{{Name: "on", Value: &node{Kind: kindString, Text: text}}}}
	at := b.instant(n, "on")
	return at, len(b.problems) == 0
}
