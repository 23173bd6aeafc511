package catalog_test

import (
	"testing"
	"time"

	"github.com/veonahealth/charter/catalog"
)

func day(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return t
}

func TestASpanIncludesItsBeginningAndNotItsEnd(t *testing.T) {
	from, until := day("2026-12-01T00:00:00Z"), day("2027-03-01T00:00:00Z")
	for _, c := range []struct {
		span catalog.Span
		at   time.Time
		want bool
	}{
		{catalog.Span{From: from, Until: until}, from.Add(-1), false},
		{catalog.Span{From: from, Until: until}, from, true},
		{catalog.Span{From: from, Until: until}, from.In(time.FixedZone("", 7200)), true},
		{catalog.Span{From: from, Until: until}, until.Add(-1), true},
		{catalog.Span{From: from, Until: until}, until, false},
		{catalog.Span{From: from}, from.AddDate(900, 0, 0), true},
		{catalog.Span{From: from}, from.Add(-1), false},
		{catalog.Span{Until: until}, time.Time{}, true},
		{catalog.Span{Until: until}, until, false},
		{catalog.Span{}, time.Time{}, true},
	} {
		if got := c.span.Contains(c.at); got != c.want {
			t.Errorf("%v contains %v: %t, want %t", c.span, c.at, got, c.want)
		}
	}
}

func TestATombstoneClosesFromItsDayOn(t *testing.T) {
	on := day("2027-03-01T00:00:00Z")
	var none *catalog.Tombstone
	some := &catalog.Tombstone{On: on}
	if none.ClosedAt(on) {
		t.Error("no tombstone closes")
	}
	if some.ClosedAt(on.Add(-1)) || !some.ClosedAt(on) || !some.ClosedAt(on.AddDate(1, 0, 0)) {
		t.Error("the tombstone does not close from its day on")
	}
}

func TestSpansAreNamedForPeople(t *testing.T) {
	from, until := day("2026-12-01T01:00:00+01:00"), day("2027-03-01T08:30:00.5+01:00")
	for want, span := range map[string]catalog.Span{
		"at all times":                                 {},
		"from 2026-12-01 on":                           {From: from},
		"until 2027-03-01T07:30:00.5Z":                 {Until: until},
		"from 2026-12-01 until 2027-03-01T07:30:00.5Z": {From: from, Until: until},
	} {
		if got := span.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestPositionsAreWrittenAsFarAsTheyAreKnown(t *testing.T) {
	for want, pos := range map[string]catalog.Position{
		"":           {},
		"t.cue":      {File: "t.cue"},
		"t.cue:3":    {File: "t.cue", Line: 3},
		"t.cue:3:14": {File: "t.cue", Line: 3, Col: 14},
	} {
		if got := pos.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if pos.IsZero() != (want == "") {
			t.Errorf("%q: IsZero is %t", want, pos.IsZero())
		}
	}
}
