package catalog_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/veonahealth/charter/catalog"
)

// opaque lets cmp look into identifiers.
func opaque() cmp.Option {
	return cmp.AllowUnexported(catalog.TenantID{}, catalog.OrganisationID{}, catalog.FacilityID{},
		catalog.EditionKey{}, catalog.ModuleKey{}, catalog.EHRModule{}, catalog.InstrumentKey{}, catalog.Environment{})
}

func drawRows(t *rapid.T, label string) []catalog.Row {
	row := rapid.Custom(func(t *rapid.T) catalog.Row {
		return catalog.Row{
			Facility: facilityID(rapid.SampledFrom([]string{"a", "a-b", "a0", "b", "main"}).Draw(t, "facility")),
			Module:   ehrModule(rapid.SampledFrom([]string{"bill", "chart", "lab", "lab-2", "ward", "x"}).Draw(t, "module")),
		}
	})
	return rapid.SliceOf(row).Draw(t, label)
}

func setOf(rows []catalog.Row) map[catalog.Row]bool {
	set := map[catalog.Row]bool{}
	for _, row := range rows {
		set[row] = true
	}
	return set
}

// listOf is what a set must look like as Rows.
func listOf(set map[catalog.Row]bool) catalog.Rows {
	return slices.SortedFunc(maps.Keys(set), catalog.Row.Compare)
}

func TestRowsBehaveAsSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		given, others := drawRows(t, "a"), drawRows(t, "b")
		setA, setB := setOf(given), setOf(others)
		a, b := catalog.NewRows(slices.Clone(given)), catalog.NewRows(slices.Clone(others))
		same(t, "NewRows", listOf(setA), a)

		minus, union := map[catalog.Row]bool{}, maps.Clone(setA)
		for row := range setA {
			if !setB[row] {
				minus[row] = true
			}
		}
		maps.Copy(union, setB)
		before := slices.Concat(a, b)
		same(t, "Minus", listOf(minus), a.Minus(b))
		same(t, "Union", listOf(union), a.Union(b))
		same(t, "the operands afterwards", before, slices.Concat(a, b))

		for _, row := range slices.Concat(given, others) {
			if a.Contains(row) != setA[row] {
				t.Fatalf("Contains(%v) is %t", row, a.Contains(row))
			}
		}
		modules := map[catalog.EHRModule]bool{}
		for row := range setA {
			modules[row.Module] = true
		}
		want := slices.SortedFunc(maps.Keys(modules), catalog.EHRModule.Compare)
		if got := a.Modules(); !slices.Equal(got, want) {
			t.Fatalf("Modules gives %v, want %v", got, want)
		}
	})
}

func same(t *rapid.T, what string, want, got catalog.Rows) {
	if !slices.Equal(want, got) {
		t.Fatalf("%s gives %v, want %v", what, got, want)
	}
}

func TestAUnionIsNoAliasOfItsOperands(t *testing.T) {
	row := func(module string) catalog.Row {
		return catalog.Row{Facility: facilityID("main"), Module: ehrModule(module)}
	}
	a := catalog.Rows{row("bill"), row("chart")}
	union := a.Union(nil)
	union[0] = row("ward")
	if a[0] != row("bill") {
		t.Error("a change of the union changes its operand")
	}
}

func TestRowsAreWrittenByFacilityThenModule(t *testing.T) {
	rows := catalog.NewRows([]catalog.Row{
		{facilityID("b"), ehrModule("a")}, {facilityID("a"), ehrModule("b")}, {facilityID("a"), ehrModule("a")}, {facilityID("a"), ehrModule("b")},
	})
	encoded, err := json.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	const want = `[{"facility":"a","module":"a"},{"facility":"a","module":"b"},{"facility":"b","module":"a"}]`
	if string(encoded) != want {
		t.Errorf("got  %s\nwant %s", encoded, want)
	}
	var back catalog.Rows
	if err := json.Unmarshal(encoded, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rows, back, opaque()); diff != "" {
		t.Errorf("comes back changed (-want +got):\n%s", diff)
	}
}
