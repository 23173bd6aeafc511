package policy_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/policy"
	"github.com/veonahealth/charter/plan/seal"
)

// world is a policy, a plan and the approvals of it. Its people: asha may do
// everything, brian and chao are of support, dora of billing; the machines ci and
// notary. Its plan: rows of kisumu (a removal), rows of mercy (a grant), an
// edition, and a scheduled entry of kisumu.
type world struct {
	t      testing.TB
	policy catalog.Policy
	in     policy.Input
}

// The units of the world's plan, by their place.
const (
	edition = iota
	kisumu
	mercy
	later // a scheduled entry of kisumu
)

// monday is a Monday, at noon.
var monday = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t}
	w.policy = catalog.Policy{
		People: []catalog.Person{
			w.person("asha", "super_admin"), w.person("brian", "support"), w.person("chao", "support"), w.person("dora", "billing"),
		},
		Appliers: []catalog.Applier{
			{ID: "ci", Keys: []catalog.PolicyKey{{Text: keyOf(t, "ci")}}, May: []catalog.Duty{catalog.MayApply}},
			{ID: "notary", Keys: []catalog.PolicyKey{{Text: keyOf(t, "notary")}}, May: []catalog.Duty{catalog.MayNotary}},
		},
		Roles:      map[string][]string{"super_admin": {"*"}, "support": {"entitlements.*"}, "billing": {"billing.*"}},
		Thresholds: catalog.Thresholds{Tenant: catalog.DefaultThreshold, Fleet: catalog.DefaultThreshold},
	}
	w.in = policy.Input{
		Plan: &plan.Plan{
			At: monday, Environment: "default", Instance: "ke-1",
			Batches: []plan.Batch{
				{Tenant: "hospital", Subject: plan.Edition, Request: &plan.Request{Method: "PUT", Path: "/registry/editions/hospital"}, Changes: []plan.Change{{Action: plan.Alter, Kind: "edition"}}},
				{Tenant: "kisumu", Subject: plan.Entitlements, Changes: []plan.Change{row(plan.Revoke, "main", "theatre")}},
				{Tenant: "mercy", Subject: plan.Entitlements, Changes: []plan.Change{row(plan.Grant, "main", "ward")}},
			},
			Scheduled: []plan.Entry{{At: monday.AddDate(0, 1, 0), Tenant: "kisumu", Subject: plan.Entitlements, Changes: []plan.Change{row(plan.Revoke, "main", "ward")}}},
		},
		PlanDigest: plan.DigestOf([]byte("the plan")), Now: monday, Environment: catalog.DefaultEnvironment, Instance: "ke-1",
		Desired: &catalog.Desired{}, Live: policy.Live{Rows: map[string]int{"kisumu": 100, "mercy": 100}, Total: 200},
	}
	for i := range w.in.Plan.Batches {
		w.in.Plan.Batches[i].Digest = digest("batch", i)
	}
	w.in.Plan.Scheduled[0].Digest = digest("entry", 0)
	return w
}

func row(action plan.Action, facility, module string) plan.Change {
	return plan.Change{Action: action, Kind: plan.KindRow, Class: plan.Pending, Facility: facility, Module: module, EHRModule: module}
}

func digest(kind string, i int) plan.Digest { return plan.DigestOf(fmt.Appendf(nil, "%s %d", kind, i)) }

func (w *world) person(id string, roles ...string) catalog.Person {
	return catalog.Person{ID: id, Name: id, Email: id + "@example.org", Roles: roles, Keys: []catalog.PolicyKey{read(w.t, id)}}
}

// read is the key of a name as a policy that was loaded has it.
func read(t testing.TB, name string) catalog.PolicyKey {
	t.Helper()
	names, err := seal.KeyNames(keyOf(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return catalog.PolicyKey{Text: keyOf(t, name), Names: names}
}

// lose revokes the key of a name.
func (w *world) lose(name, since string) {
	w.policy.Revoked = append(w.policy.Revoked, catalog.RevokedKey{Fingerprint: fingerprint(w.t, name).String(), Since: since})
}

func (w *world) member(id string) *catalog.Person { return w.policy.Person(id) }

// keyOf is the public key of a name: the same name has the same key.
func keyOf(t testing.TB, name string) string {
	t.Helper()
	seed := sha256.Sum256([]byte(name))
	der, err := x509.MarshalPKIXPublicKey(ed25519.NewKeyFromSeed(seed[:]).Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func fingerprint(t testing.TB, name string) seal.Fingerprint {
	t.Helper()
	key, _, err := seal.ParseKey(keyOf(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return key.Fingerprint()
}

func tenantID(t testing.TB, text string) catalog.TenantID {
	t.Helper()
	id, err := catalog.ParseTenantID(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// batches are the root and count of leaves.
func batches(t testing.TB, leaves []plan.Digest) seal.Batches {
	t.Helper()
	tree, err := plan.NewTree(leaves)
	if err != nil {
		t.Fatal(err)
	}
	root, err := tree.Root()
	if err != nil {
		t.Fatal(err)
	}
	return seal.Batches{Root: root, Count: len(leaves)}
}

// decide adds a decision of the key of a name, altered by edits.
func (w *world) decide(key string, decision seal.Decision, edits ...func(*policy.Approval)) {
	a := policy.Approval{Name: key + ".sigstore.json", Opened: &seal.Opened{
		Signer:    fingerprint(w.t, key),
		Statement: fmt.Appendf(nil, "%s %s %d", key, decision, len(w.in.Approvals)),
		Approval: seal.Approval{
			Decision: decision, Environment: catalog.DefaultEnvironment, NotAfter: monday.AddDate(0, 0, 14), Batches: batches(w.t, w.in.Plan.Leaves()),
		},
	}}
	for _, edit := range edits {
		edit(&a)
	}
	w.in.Approvals = append(w.in.Approvals, a)
}

func (w *world) approve(keys ...string) {
	for _, key := range keys {
		w.decide(key, seal.Approve)
	}
}

func (w *world) reject(key string) { w.decide(key, seal.Reject) }

// rule adds a rule about entitlements.
func (w *world) rule(edit func(*catalog.Rule)) {
	r := catalog.Rule{
		Name: fmt.Sprintf("r%d", len(w.policy.Rules)), Capability: "entitlements.write", Change: catalog.AnyChange,
		Approvals: 1, Writers: true, Evidence: []catalog.Evidence{catalog.ByKey},
	}
	edit(&r)
	w.policy.Rules = append(w.policy.Rules, r)
}

// declare makes tenants known, with one site, main.
func (w *world) declare(edit func(*catalog.Tenant), ids ...string) {
	main, err := catalog.ParseFacilityID("main")
	if err != nil {
		w.t.Fatal(err)
	}
	for _, id := range ids {
		t := &catalog.Tenant{ID: tenantID(w.t, id), Hosting: catalog.Cloud, Facilities: []catalog.Facility{{ID: main, Name: "Main"}}}
		edit(t)
		d, err := catalog.Declare(t, "tenants/"+id)
		if err != nil {
			w.t.Fatal(err)
		}
		w.in.Desired.Tenants = append(w.in.Desired.Tenants, d)
	}
}

func (w *world) judge() policy.Verdict {
	w.t.Helper()
	roster, err := policy.NewRoster(&w.policy)
	if err != nil {
		w.t.Fatal(err)
	}
	w.in.Roster = roster
	return policy.Judge(w.in)
}

// said is a unit's verdict in words: "yes", or the brake and the exit status.
func said(u policy.Unit) string {
	switch {
	case u.ByMandate:
		return "mandate"
	case u.Allowed():
		return "yes"
	}
	return fmt.Sprintf("%s %d", u.Refusal.Brake, u.Refusal.Exit)
}

func verdict(v policy.Verdict) string {
	words := make([]string, len(v.Units))
	for i, u := range v.Units {
		words[i] = said(u)
	}
	return strings.Join(words, ", ")
}
