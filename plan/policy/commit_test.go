package policy_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan/policy"
	"github.com/veonahealth/charter/plan/seal"
)

// A commit is dated by who signs it: whether the key is in force is judged by
// the verifier's clock.
func TestACommitIsOfThePersonWhoseKeySignedIt(t *testing.T) {
	private, public, err := seal.GenerateKey([]byte("password"))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := seal.OpenKey(private, []byte("password"))
	if err != nil {
		t.Fatal(err)
	}
	payload := []byte("tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nx\n")
	signature, err := signer.SignCommit(payload)
	if err != nil {
		t.Fatal(err)
	}
	object := bytes.Replace(payload, []byte("\n\n"), []byte("\ngpgsig "+strings.ReplaceAll(signature, "\n", "\n ")+"\n\n"), 1)
	for name, c := range map[string]struct {
		set  func(*world)
		want string // "" for brian, else a part of the error
	}{
		"a person's": {func(w *world) { w.member("brian").Keys[0].Text = string(public) }, ""},
		"by SSH's line": {func(w *world) {
			w.member("brian").SSH = []catalog.PolicyKey{{Text: signer.PublicKey().AuthorizedKey()}}
		}, ""},
		"a stranger's": {func(*world) {}, "which is no key of ours"},
		"a machine's":  {func(w *world) { w.policy.Appliers[0].Keys[0].Text = string(public) }, "which is no key of ours"},
		"a leaver's, dated back": {func(w *world) {
			w.member("brian").Keys[0].Text, w.member("brian").Leaves = string(public), monday
		}, "left on"},
		"a revoked key's, dated back": {func(w *world) {
			w.member("brian").Keys[0].Text = string(public)
			w.policy.Revoked = []catalog.RevokedKey{{Fingerprint: signer.PublicKey().Fingerprint().String(), Since: "2027-02-01"}}
		}, "was revoked"},
		"past the lifetime of SSH's line": {func(w *world) {
			w.member("brian").SSH = []catalog.PolicyKey{{Text: `valid-after="20270101" ` + signer.PublicKey().AuthorizedKey()}}
		}, "the key is valid from"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c.set(w)
			roster, err := policy.NewRoster(&w.policy)
			if err != nil {
				t.Fatal(err)
			}
			person, err := roster.Commit(object, monday)
			if c.want == "" && (err != nil || person.ID != "brian") || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, %v", person, err)
			}
		})
	}
}
