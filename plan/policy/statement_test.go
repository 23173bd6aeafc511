package policy_test

import (
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/policy"
	"github.com/veonahealth/charter/plan/seal"
)

func newSigner(t testing.TB) *seal.Signer {
	t.Helper()
	private, _, err := seal.GenerateKey([]byte("password"))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := seal.OpenKey(private, []byte("password"))
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func bundle(t testing.TB, signer *seal.Signer, statement []byte, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(statement)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

var subject = seal.Subject{Name: "plan.json", SHA256: sha256.Sum256([]byte("the plan"))}

// ids lets go-cmp compare identifiers.
var ids = cmp.Options{
	cmp.Comparer(func(a, b catalog.TenantID) bool { return a == b }),
	cmp.Comparer(func(a, b catalog.Environment) bool { return a == b }),
	cmp.Comparer(func(a, b catalog.EditionKey) bool { return a == b }),
	cmp.Comparer(func(a, b catalog.OrganisationID) bool { return a == b }),
}

func TestAMandateOpensAsItWasSigned(t *testing.T) {
	a, b := newSigner(t), newSigner(t)
	verifier := seal.NewVerifier(a.PublicKey(), b.PublicKey())
	for name, tenants := range map[string][]catalog.TenantID{"of all": nil, "of one": {tenantID(t, "mercy")}, "of nobody": {}} {
		t.Run(name, func(t *testing.T) {
			terms := policy.MandateTerms{Environment: catalog.DefaultEnvironment, Kinds: []plan.Action{plan.Grant}, PerDay: 5, PerHour: 1, Tenants: tenants, NotAfter: monday, Reason: "nights"}
			statement, err := terms.Statement(subject)
			m, openErr := policy.OpenMandate(verifier, bundle(t, a, statement, err), bundle(t, b, statement, err))
			want := &policy.Mandate{MandateTerms: terms, Signers: []seal.Fingerprint{a.PublicKey().Fingerprint(), b.PublicKey().Fingerprint()}}
			if diff := cmp.Diff(want, m, ids); openErr != nil || diff != "" {
				t.Errorf("%v; mandate (-want +got):\n%s", openErr, diff)
			}
		})
	}
}

func TestABreakGlassOpensAsItWasSigned(t *testing.T) {
	signer := newSigner(t)
	terms := policy.BreakGlassTerms{Environment: catalog.DefaultEnvironment, Reason: "a stolen key", NotAfter: monday}
	statement, err := terms.Statement(subject)
	got, openErr := policy.OpenBreakGlass(seal.NewVerifier(signer.PublicKey()), bundle(t, signer, statement, err))
	want := &policy.BreakGlass{BreakGlassTerms: terms, Signer: signer.PublicKey().Fingerprint(), Plan: plan.DigestOf([]byte("the plan"))}
	if diff := cmp.Diff(want, got, ids); openErr != nil || diff != "" {
		t.Errorf("%v; break-glass (-want +got):\n%s", openErr, diff)
	}
}

// What is left out of a statement widens nothing, and one statement is never
// taken for another.
func TestStatementsThatAreNotWholeAreRefused(t *testing.T) {
	signer := newSigner(t)
	verifier := seal.NewVerifier(signer.PublicKey())
	whole := map[string]any{"environment": "default", "kinds": []string{"grant"}, "per_day": 1, "per_hour": 1, "tenants": nil, "not_after": monday, "reason": ""}
	for name, c := range map[string]struct {
		edit func(map[string]any)
		want string
	}{
		"as it should be":        {func(map[string]any) {}, ""},
		"without tenants":        {func(p map[string]any) { delete(p, "tenants") }, "tenants is missing"},
		"without an environment": {func(p map[string]any) { p["environment"] = "" }, "environment is missing"},
		"without an end":         {func(p map[string]any) { p["not_after"] = time.Time{} }, "not_after is missing"},
		"without kinds":          {func(p map[string]any) { p["kinds"] = nil }, "kinds name no change"},
		"below nothing":          {func(p map[string]any) { p["per_day"] = -1 }, "count from 0"},
		"with something more":    {func(p map[string]any) { p["force"] = true }, "force"},
	} {
		t.Run(name, func(t *testing.T) {
			predicate := map[string]any{}
			for key, value := range whole {
				predicate[key] = value
			}
			c.edit(predicate)
			statement, err := seal.NewStatement(subject, policy.MandateType, predicate)
			signed := bundle(t, signer, statement, err)
			_, err = policy.OpenMandate(verifier, signed)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("opened: %v, want %q", err, c.want)
			}
			if _, err := policy.OpenBreakGlass(verifier, signed); err == nil {
				t.Error("a mandate opened as a break-glass")
			}
		})
	}
	other, err := seal.NewStatement(subject, policy.MandateType, map[string]any{"environment": "default", "kinds": []string{"revoke"}, "per_day": 1, "per_hour": 1, "tenants": nil, "not_after": monday, "reason": ""})
	one, errOne := seal.NewStatement(subject, policy.MandateType, whole)
	if _, err := policy.OpenMandate(verifier, bundle(t, signer, one, errOne), bundle(t, signer, other, err)); err == nil {
		t.Error("bundles of different terms opened as one mandate")
	}
	if _, err := policy.OpenMandate(verifier); err == nil {
		t.Error("a mandate that nobody signed opened")
	}
	for name, terms := range map[string]policy.BreakGlassTerms{
		"no reason":      {Environment: catalog.DefaultEnvironment, Reason: " ", NotAfter: monday},
		"bytes of none":  {Environment: catalog.DefaultEnvironment, Reason: "\xff", NotAfter: monday},
		"no end":         {Environment: catalog.DefaultEnvironment, Reason: "x"},
		"no environment": {Reason: "x", NotAfter: monday},
	} {
		if _, err := terms.Statement(subject); err == nil {
			t.Errorf("a break-glass with %s was written", name)
		}
	}
}
