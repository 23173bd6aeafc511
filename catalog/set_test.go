package catalog_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/veonahealth/charter/catalog"
)

// wide is a catalogue whose sets need several words.
func wide(t interface{ Fatal(...any) }, modules int) *catalog.Catalog {
	var data catalog.Data
	for i := range modules {
		name := fmt.Sprintf("m%03d", i)
		data.Modules = append(data.Modules, catalog.Module{Key: moduleKey(name), EHR: ehrModule(name)})
	}
	c, err := catalog.New(data)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSetsBehaveAsSetsOfIndices(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		modules := rapid.SampledFrom([]int{1, 63, 64, 65, 128, 200}).Draw(t, "modules")
		set, want := wide(t, modules).NewSet(), map[int]bool{}
		index := rapid.IntRange(0, modules-1)
		for range rapid.IntRange(0, 100).Draw(t, "steps") {
			i := index.Draw(t, "index")
			if rapid.Bool().Draw(t, "add") {
				set.Add(i)
				want[i] = true
			} else {
				set.Remove(i)
				delete(want, i)
			}
		}
		if got, want := slices.Collect(set.All()), slices.Sorted(maps.Keys(want)); !slices.Equal(got, want) {
			t.Fatalf("has %v, want %v", got, want)
		}
		for i := range modules {
			if set.Has(i) != want[i] {
				t.Fatalf("Has(%d) is %t", i, set.Has(i))
			}
		}
		other := set.Clone()
		if !other.Equal(set) {
			t.Fatal("a clone is not equal")
		}
		i := index.Draw(t, "changed")
		other.Add(i)
		if set.Has(i) != want[i] || other.Equal(set) != want[i] {
			t.Fatal("a change of the clone changes the set, or is not seen")
		}
	})
}

func TestWalkingASetMayStopEarly(t *testing.T) {
	set := wide(t, 130).NewSet()
	for _, i := range []int{0, 64, 129} {
		set.Add(i)
	}
	var seen []int
	for i := range set.All() {
		if seen = append(seen, i); len(seen) == 2 {
			break
		}
	}
	if !slices.Equal(seen, []int{0, 64}) {
		t.Errorf("saw %v", seen)
	}
}
