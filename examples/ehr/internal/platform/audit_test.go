package platform

import (
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/gowebpki/jcs"
	"pgregory.net/rapid"
)

// TestAnEntrysJSONIsItsRFC8785Form compares what is hashed with what another
// implementation makes of it, whatever an actor's name may hold.
func TestAnEntrysJSONIsItsRFC8785Form(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		said := rapid.SampledFrom([]string{
			"null", `{"b":[1e21,0.1,-0,{"é":"\u0001","\ud83d\ude00":""}],"a":" "}`,
		}).Draw(t, "authority")
		authority, err := jcs.Transform([]byte(said))
		if err != nil {
			t.Fatal(err)
		}
		e := Entry{
			Actor: rapid.String().Draw(t, "actor"), At: "2027-01-01T00:00:00.000Z", Authority: authority,
			Event: "entitlement.write", Hash: rapid.SampledFrom([]string{"", "ab"}).Draw(t, "hash"),
			Prev: "cd", Seq: rapid.Int64Range(1, 1<<53).Draw(t, "seq"), Tenant: "kisumu",
		}
		if rapid.Bool().Draw(t, "revised") {
			e.Revision = &e.Seq
		}
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		canonical, err := jcs.Transform(text)
		if err != nil {
			t.Fatal(err)
		}
		if string(text) != string(canonical) {
			t.Errorf("JSON\n%s\nits canonical form\n%s", text, canonical)
		}
	})
}
