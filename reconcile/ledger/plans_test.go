package ledger_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/ledger"
)

func TestOpenPlansAreSharedWithTheirBundles(t *testing.T) {
	bare := remote(t)
	here, there := plansOf(t, bare), plansOf(t, bare)
	ctx := t.Context()
	digest, err := here.Publish(ctx, []byte("plan one\n"), map[string][]byte{"plan.json.aa.sigstore.json": []byte("a")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := there.Publish(ctx, []byte("plan one\n"), nil); err != nil {
		t.Fatal(err)
	}
	if err := there.Add(ctx, digest, "plan.json.bb.sigstore.json", []byte("b")); err != nil {
		t.Fatal(err)
	}
	got, err := here.Read(ctx, digest)
	if err != nil || string(got.Plan) != "plan one\n" || fmt.Sprint(got.Bundles) != fmt.Sprint(map[string][]byte{"plan.json.aa.sigstore.json": []byte("a"), "plan.json.bb.sigstore.json": []byte("b")}) {
		t.Fatalf("%+v, %v", got, err)
	}
	if list, err := allOpen(t, here); err != nil || len(list) != 1 || list[0].Digest != digest || len(list[0].Bundles) != 2 {
		t.Errorf("%v, %v", list, err)
	}
	git(t, bare, "fsck", "--strict")
	for range 2 {
		if err := here.Delete(ctx, digest); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := there.Read(ctx, digest); !errors.Is(err, ledger.ErrNoPlan) {
		t.Errorf("%v", err)
	}
	if err := there.Add(ctx, digest, "plan.json.cc.sigstore.json", nil); !errors.Is(err, ledger.ErrNoPlan) {
		t.Errorf("%v", err)
	}
}

func TestBundlesThatComeAtOnceAreAllKept(t *testing.T) {
	const each = 5
	bare := remote(t)
	digest, err := plansOf(t, bare).Publish(t.Context(), []byte("plan\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("reviewers", func(t *testing.T) {
		for who := range 3 {
			p := plansOf(t, bare)
			t.Run(fmt.Sprint(who), func(t *testing.T) {
				t.Parallel()
				for n := range each {
					if err := p.Add(t.Context(), digest, fmt.Sprintf("plan.json.%d-%d.sigstore.json", who, n), []byte("x")); err != nil {
						t.Error(err)
					}
				}
			})
		}
	})
	if got, err := plansOf(t, bare).Read(t.Context(), digest); err != nil || len(got.Bundles) != 3*each {
		t.Errorf("%d bundles, %v", len(got.Bundles), err)
	}
}

func TestAPlanThatIsNotTheOneOfItsDigestIsRefused(t *testing.T) {
	bare := remote(t)
	p := plansOf(t, bare)
	digest, err := p.Publish(t.Context(), []byte("plan one\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	other, err := p.Publish(t.Context(), []byte("plan two\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	git(t, bare, "update-ref", "refs/charter/default/plans/"+digest.Hex(), "refs/charter/default/plans/"+other.Hex())
	if got, err := p.Read(t.Context(), digest); err == nil {
		t.Errorf("%+v", got)
	}
	if err := p.Add(t.Context(), other, "../../config", nil); err == nil {
		t.Error("a file was put that is no bundle")
	}
}

func TestWithoutARemoteOpenPlansAreLocal(t *testing.T) {
	dir := t.TempDir()
	git(t, dir, "init", "-q")
	p := plansIn(t, dir)
	digest, err := p.Publish(t.Context(), []byte("plan one\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	git(t, dir, "pack-refs", "--all")
	if list, err := allOpen(t, p); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	if err := p.Delete(t.Context(), digest); err != nil {
		t.Fatal(err)
	}
	if list, err := allOpen(t, p); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
}

// allOpen are the open plans, up to the first error.
func allOpen(t *testing.T, p *ledger.Plans) (list []*ledger.Published, err error) {
	t.Helper()
	for one, err := range p.All(t.Context()) {
		if err != nil {
			return list, err
		}
		list = append(list, one)
	}
	return list, nil
}

func TestAllOpenPlansAreBroughtAtOnce(t *testing.T) {
	bare := remote(t)
	there, here := plansOf(t, bare), plansOf(t, bare)
	var digests []plan.Digest
	for n := range 5 {
		digest, err := there.Publish(t.Context(), fmt.Appendf(nil, "plan %d\n", n), map[string][]byte{fmt.Sprintf("plan.json.%d.sigstore.json", n): []byte("x")})
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, digest)
	}
	// One is another's, one is no plan, and one name is no digest.
	const prefix = "refs/charter/default/plans/"
	git(t, bare, "update-ref", prefix+digests[3].Hex(), prefix+digests[4].Hex())
	git(t, bare, "update-ref", prefix+plan.DigestOf(nil).Hex(), "refs/heads/main")
	git(t, bare, "update-ref", prefix+"readme", "refs/heads/main")
	for range 2 { // brought, and then here
		good, bad := 0, 0
		for one, err := range here.All(t.Context()) {
			switch {
			case one == nil:
				t.Fatal(err)
			case err != nil:
				bad++
			case plan.DigestOf(one.Plan) != one.Digest || len(one.Bundles) != 1:
				t.Errorf("%+v", one)
			default:
				good++
			}
		}
		if good != 4 || bad != 2 {
			t.Errorf("%d plans and %d that are none, want 4 and 2", good, bad)
		}
	}
	git(t, bare, "config", "core.bare", "broken") // git does not serve it any more
	for one, err := range here.All(t.Context()) {
		if one != nil || err == nil {
			t.Errorf("%+v, %v", one, err)
		}
	}
}
