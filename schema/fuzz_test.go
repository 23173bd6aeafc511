package schema_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/veonahealth/charter/schema"
)

// Whatever stands in a tenant's file, charter says what is wrong with it, or
// gives a tenant that loads as the same when it is written down again. It takes
// no longer and no more than its budget.
func FuzzLoad(f *testing.F) {
	base := fleet(f, nil)
	plain := string(base[kisumu].Data)
	f.Add([]byte(plain))
	f.Add([]byte(plain + "_x: 1\n"))
	f.Add([]byte(strings.Replace(plain, `"Kisumu County"`, `"\(id) County"`, 1)))
	f.Add([]byte(timely))
	f.Add([]byte(loops()))
	f.Add([]byte("package fleet\nimport \"list\"\ntenant: {for k, v in {name: \"x\"} {(k): v}}\n"))
	f.Add([]byte("package fleet\ntenant: tenant\n"))
	f.Add([]byte("package fleet\ntenant: {id: \"kisumu\", grants: [_]: reason: \"x\"}\n"))
	f.Add([]byte("package fleet\ntenant: " + strings.Repeat("{", 20_000)))
	f.Add([]byte("\xff\xfe\x00"))
	sandbox := newSandbox(f, 1).Within(500 * time.Millisecond)
	f.Fuzz(func(t *testing.T, text []byte) {
		r := load(t, with(base, kisumu, string(text)), schema.Options{Sandbox: sandbox, Parallelism: 1})
		for _, p := range r.problems {
			if p.Pos.File == "" || p.Message == "" || len(p.Message) > 2000 || len(p.Source) > 2000 {
				t.Fatalf("%q: %+v", text, p)
			}
		}
		if r.fleet == nil {
			return
		}
		want := tenant(t, r.fleet, 0)
		again := load(t, with(base, kisumu, written(want)), schema.Options{})
		if again.fleet == nil {
			t.Fatalf("%q is written down as\n%s\nand then %s", text, written(want), lines(again.problems))
		}
		if diff := cmp.Diff(want, tenant(t, again.fleet, 0), placeless()); diff != "" {
			t.Fatalf("%q (-loaded +written and loaded):\n%s", text, diff)
		}
	})
}
