package schema_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/veonahealth/charter/schema"
)

// sums are the figures in a message on a limit, which are less where a site's is
// wrong.
var sums = regexp.MustCompile(`^[0-9]+ |, (until|at all|from).*`)

// concluded are the mistakes that the rules find, without their places: the value
// to point at may be the one that is wrong.
func concluded(problems schema.Problems) []string {
	var list []string
	for _, p := range problems {
		switch p.Code {
		case schema.OverLimit:
			list = append(list, sums.ReplaceAllString(p.Message, ""))
		case schema.Dependency, schema.Incomplete, schema.Contradicted, schema.EmptySpan:
			list = append(list, p.Message)
		}
	}
	return list
}

// One value of a tenant is made wrong. It is reported, and whatever else is said of
// the tenant would be said without it too: nothing is concluded from a value that
// is not there. So it is whether a shape finds it or CUE itself.
func TestNothingIsConcludedFromWhatIsWrong(t *testing.T) {
	base := fleet(t, nil)
	kept := 0
	rapid.Check(t, func(rt *rapid.T) {
		leaves := flat("tenant: ", asFields(drawTenant(rt)))
		want := concluded(load(t, with(base, kisumu, "package fleet\n"+strings.Join(leaves, "")), schema.Options{}).problems)
		at := rapid.IntRange(0, len(leaves)-1).Draw(rt, "which")
		wrong := rapid.SampledFrom([]string{"true", "null & 1", "nosuch", "[1]"}).Draw(rt, "wrong")
		path := leaves[at][:strings.LastIndex(leaves[at], `": `)+3]
		leaves[at] = path + wrong + "\n"
		got := load(t, with(base, kisumu, "package fleet\n"+strings.Join(leaves, "")), schema.Options{}).problems
		if len(got) == 0 {
			rt.Fatalf("nothing is wrong with %s", leaves[at])
		}
		for _, message := range concluded(got) {
			kept++
			if !slices.Contains(want, message) {
				rt.Fatalf("%sgives %s\nwithout it: %q", leaves[at], lines(got), want)
			}
		}
	})
	if kept == 0 {
		t.Error("not one mistake was found beside another")
	}
}
