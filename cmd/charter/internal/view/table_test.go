package view

import (
	"strings"
	"testing"
	"time"

	"github.com/veonahealth/charter/plan"
)

func TestColumnsStandUnderEachOtherInEveryScript(t *testing.T) {
	var c table
	c.add("+", "医院", "x")
	c.add("-", "čaj", "x")
	c.add("~", "e\u0301te", "x")
	c.add("~", strings.Repeat("long", 20), "x")
	var b strings.Builder
	if err := c.write(&b, plain); err != nil {
		t.Fatal(err)
	}
	want := "+  医院  x\n-  čaj   x\n~  e\u0301te   x\n~  " + strings.Repeat("long", 20) + "  x\n"
	if b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}

func TestAColumnThatNothingStandsInTakesNoRoom(t *testing.T) {
	var c table
	c.add("a", "", "b")
	c.add("c", "", "d")
	var b strings.Builder
	if err := c.write(&b, plain); err != nil {
		t.Fatal(err)
	}
	if want := "a  b\nc  d\n"; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}

func TestScheduledTimesShowTheTenantsClockToo(t *testing.T) {
	midnight := time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
	for local, want := range map[string]string{
		"":                          "2027-03-01",
		"2027-03-01T03:00:00+03:00": "2027-03-01 (local 03:00+03:00)",
		"2027-02-28T19:00:00-05:00": "2027-03-01 (local 2027-02-28 19:00-05:00)",
		"soon":                      "2027-03-01 (local soon)",
	} {
		if got := moment(&plan.Entry{At: midnight, Local: local}); got != want {
			t.Errorf("%q: %q, want %q", local, got, want)
		}
	}
}
