package catalog_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/veonahealth/charter/catalog"
)

func TestNearestFindsWhatWasMeant(t *testing.T) {
	long := strings.Repeat("x", 200)
	known := []string{long, "register", "chart", "labs", "rx", "ed", "telehealth", "blood-bank", "ward"}
	for _, c := range []struct{ name, want string }{
		{"telehelth", "telehealth"},   // dropped
		{"telehealthh", "telehealth"}, // added
		{"talehealth", "telehealth"},  // changed
		{"telehaelth", "telehealth"},  // swapped
		{"lasb", "labs"},
		{"rr", "rx"}, // one letter is near, however short the name
		{"bloodbank", "blood-bank"},
		{"labs", "labs"},
		{"theatre", ""},
		{"", ""},
		{"zz", ""},
		{long[:190], ""}, // longer than any name, and not worth the work
	} {
		if got := catalog.Nearest(c.name, slices.Values(known)); got != c.want {
			t.Errorf("nearest to %q is %q, want %q", c.name, got, c.want)
		}
	}
}

func TestNearestTakesTheFirstOfEquallyNearNames(t *testing.T) {
	if got := catalog.Nearest("cat", slices.Values([]string{"car", "cap"})); got != "car" {
		t.Errorf("got %q", got)
	}
}

// Whatever single mistake is made in a name of some length, the name is found
// among others that have nothing in common with it.
func TestNearestForgivesAnySingleMistake(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a-m]{4,20}`).Draw(t, "name")
		others := rapid.SliceOf(rapid.StringMatching(`[n-z]{4,20}`)).Draw(t, "others")
		i := rapid.IntRange(0, len(name)-2).Draw(t, "place")
		wrong := map[string]string{
			"added":   name[:i] + "-" + name[i:],
			"dropped": name[:i] + name[i+1:],
			"changed": name[:i] + "-" + name[i+1:],
			"swapped": name[:i] + name[i+1:i+2] + name[i:i+1] + name[i+2:],
		}
		for how, wrong := range wrong {
			if got := catalog.Nearest(wrong, slices.Values(append(others, name))); got != name {
				t.Errorf("%s: nearest to %q is %q, want %q", how, wrong, got, name)
			}
		}
	})
}
