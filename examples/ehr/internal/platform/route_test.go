package platform

import (
	"net/url"
	"path"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/veonahealth/charter/catalog"
)

// FuzzTheGateTakesOnlyPlainPaths checks that whatever path the gate takes means
// the same to everybody: decoding it again, or tidying it, changes nothing.
func FuzzTheGateTakesOnlyPlainPaths(f *testing.F) {
	for _, seed := range []string{
		"/ehr/t/f/labs", "/ehr/t/f/labs/", "/ehr/t/f//labs", "/ehr/t/f/labs/../rx", "/ehr/t/f/labs%2f..", "/",
		"/ehr/t/f/%2e%2e", "/ehr/t/f/a;b", "/ehr/t/f/%C3%A9", "/ehr/t/f/%5c", "/a\x00", "", "//", "/%zz",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, escaped string) {
		segments, ok := parsePath(escaped)
		if !ok {
			return
		}
		joined := "/" + strings.Join(segments, "/")
		decoded, err := url.PathUnescape(escaped)
		if err != nil || joined != "/"+strings.Trim(decoded, "/") {
			t.Errorf("%q: segments %q, decoded %q: %v", escaped, segments, decoded, err)
		}
		if again, err := url.PathUnescape(joined); err != nil || again != joined {
			t.Errorf("%q: decoding %q again gives %q: %v", escaped, joined, again, err)
		}
		if clean := path.Clean(strings.ReplaceAll(joined, `\`, "/")); clean != joined || !utf8.ValidString(joined) {
			t.Errorf("%q: tidying %q gives %q", escaped, joined, clean)
		}
	})
}

// TestTheLongestRouteIsTheOneWithMostSegments compares Find with a search over all
// routes.
func TestTheLongestRouteIsTheOneWithMostSegments(t *testing.T) {
	word := rapid.SampledFrom([]string{"a", "b", "ab"})
	pathOf := rapid.SliceOfN(word, 0, 4)
	rapid.Check(t, func(t *rapid.T) {
		routes := Routes{}
		for i, route := range rapid.SliceOfN(pathOf, 0, 6).Draw(t, "routes") {
			module, err := catalog.ParseEHRModule(strings.Repeat("m", i+1))
			if err != nil {
				t.Fatal(err)
			}
			routes[strings.Join(route, "/")] = module
		}
		asked := pathOf.Draw(t, "path")
		var want catalog.EHRModule
		longest := -1
		for route, module := range routes {
			parts := strings.FieldsFunc(route, func(r rune) bool { return r == '/' })
			if len(parts) > longest && len(parts) <= len(asked) && strings.Join(asked[:len(parts)], "/") == route {
				want, longest = module, len(parts)
			}
		}
		got, found := routes.Find(asked)
		if found != (longest >= 0) || got != want {
			t.Errorf("routes %v: path %q gives %q, %v; want %q", routes, asked, got, found, want)
		}
	})
}

// TestHoldsFindsExactlyTheRows compares the search for a row's text with the set of
// rows.
func TestHoldsFindsExactlyTheRows(t *testing.T) {
	name := rapid.StringMatching(`[ab]|[ab]-[ab]|[ab]{2}`)
	rowOf := rapid.Custom(func(t *rapid.T) catalog.Row {
		facility, err := catalog.ParseFacilityID(name.Draw(t, "facility"))
		if err != nil {
			t.Fatal(err)
		}
		module, err := catalog.ParseEHRModule(name.Draw(t, "module"))
		if err != nil {
			t.Fatal(err)
		}
		return catalog.Row{Facility: facility, Module: module}
	})
	rapid.Check(t, func(t *rapid.T) {
		rows := catalog.NewRows(rapid.SliceOfN(rowOf, 0, 8).Draw(t, "rows"))
		grant := newGrant(catalog.TenantID{}, 1, rows)
		asked := rowOf.Draw(t, "asked")
		if grant.Holds(asked) != rows.Contains(asked) {
			t.Errorf("rows %s: holds %v is %v", grant.Rows, asked, grant.Holds(asked))
		}
		again, err := grant.rows()
		if err != nil || len(again) != len(rows) || len(rows.Minus(again)) != 0 {
			t.Errorf("rows %v read back as %v: %v", rows, again, err)
		}
	})
}
