package schema

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/veonahealth/charter/catalog"
)

func comparer() cmp.Option {
	return cmp.AllowUnexported(record{}, note{}, catalog.Declaration{}, catalog.TenantID{}, catalog.OrganisationID{}, catalog.Environment{})
}

func drawRecord(t *rapid.T) *record {
	text := rapid.String()
	position := rapid.Custom(func(t *rapid.T) catalog.Position {
		return catalog.Position{File: text.Draw(t, "file"), Line: rapid.IntRange(0, 1<<31).Draw(t, "line"), Col: rapid.IntRange(0, 1<<31).Draw(t, "col")}
	})
	key := rapid.StringMatching(`[a-z0-9]([a-z0-9-]{0,5}[a-z0-9])?`)
	r := &record{
		catalog: text.Draw(t, "catalog"), imports: text.Draw(t, "imports"), packages: text.Draw(t, "packages"),
		pos: position.Draw(t, "pos"), orgPos: position.Draw(t, "orgPos"), envPos: position.Draw(t, "envPos"),
		tenant: catalog.Declared(id(catalog.ParseTenantID, key.Draw(t, "tenant")), id(catalog.ParseOrganisationID, key.Draw(t, "organisation")),
			id(catalog.ParseEnvironment, key.Draw(t, "environment")), text.Draw(t, "dir"), rapid.SliceOf(rapid.Byte()).Draw(t, "encoded")),
	}
	for range rapid.IntRange(0, 3).Draw(t, "notes") {
		n := note{code: rapid.SampledFrom([]Code{Redundant, Ending}).Draw(t, "code"), pos: position.Draw(t, "at"), message: text.Draw(t, "message")}
		if n.code == Ending {
			n.until = time.Unix(rapid.Int64Range(-62_000_000_000, 253_000_000_000).Draw(t, "until"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC()
		}
		r.notes = append(r.notes, n)
	}
	return r
}

func TestARecordDecodesToWhatWasEncoded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawRecord(t)
		got, err := decodeRecord(want.encode())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, comparer()); diff != "" {
			t.Fatalf("(-encoded +decoded):\n%s", diff)
		}
	})
}

// Whatever is cut off before the tenant itself, the rest is no record.
func TestACutRecordIsNone(t *testing.T) {
	r := &record{catalog: "c", tenant: catalog.Declared(id(catalog.ParseTenantID, "a"), id(catalog.ParseOrganisationID, "b"), id(catalog.ParseEnvironment, "c"), "d", nil)}
	r.notes = []note{{code: Ending, message: "m", until: time.Unix(1, 2).UTC()}}
	encoded := r.encode()
	for length := range encoded {
		if got, err := decodeRecord(encoded[:length]); err == nil {
			t.Errorf("the first %d of %d bytes decode to %+v", length, len(encoded), got)
		}
	}
}

func FuzzDecodeRecord(f *testing.F) {
	f.Add([]byte{})
	f.Add((&record{tenant: catalog.Declared(id(catalog.ParseTenantID, "a"), id(catalog.ParseOrganisationID, "b"), id(catalog.ParseEnvironment, "c"), "d", []byte("{}"))}).encode())
	f.Add(slices.Repeat([]byte{0xff}, 40))
	f.Fuzz(func(t *testing.T, encoded []byte) {
		r, err := decodeRecord(encoded)
		if err != nil {
			return
		}
		again, err := decodeRecord(r.encode())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, again, comparer()); diff != "" {
			t.Fatalf("encoded and decoded again (-before +after):\n%s", diff)
		}
	})
}
