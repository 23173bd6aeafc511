package catalog_test

import (
	"strings"
	"testing"

	"github.com/veonahealth/charter/catalog"
)

func TestStampsAreARevisionAndAStrongEntityTag(t *testing.T) {
	for _, c := range []struct {
		stamp catalog.Stamp
		valid bool
	}{
		{catalog.Stamp{ETag: `"7-3f2a"`, Revision: 7}, true},
		{catalog.Stamp{ETag: `"0"`, Revision: 0}, true},
		{catalog.Stamp{ETag: `""`, Revision: 0}, true},
		{catalog.Stamp{ETag: `"` + strings.Repeat("x", 200) + `"`}, true},
		{catalog.Stamp{ETag: `"` + strings.Repeat("x", 201) + `"`}, false},
		{catalog.Stamp{ETag: `"7"`, Revision: -1}, false},
		{catalog.Stamp{ETag: `W/"7"`}, false},
		{catalog.Stamp{ETag: `7`}, false},
		{catalog.Stamp{ETag: `"7`}, false},
		{catalog.Stamp{ETag: `7"`}, false},
		{catalog.Stamp{ETag: `"`}, false},
		{catalog.Stamp{ETag: ``}, false},
		{catalog.Stamp{ETag: `"a"b"`}, false},
		{catalog.Stamp{ETag: "\"a b\""}, false},
		{catalog.Stamp{ETag: "\"a\nb\""}, false},
		{catalog.Stamp{ETag: "\"a\x7f\""}, false},
		{catalog.Stamp{ETag: "\"é\""}, false},
	} {
		if got := c.stamp.Valid(); got != c.valid {
			t.Errorf("%+v: valid is %t, want %t", c.stamp, got, c.valid)
		}
	}
}
