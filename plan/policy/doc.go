// Package policy judges: whether what a plan would do may be done, what is still
// missing, and who could give it. It is pure: time, policy, plan and approvals
// are values, nothing is read, nothing is remembered. The policy is the one that
// was applied last; a plan that brings another is judged by that one, its own
// change of policy like any other batch.
//
// # The words
//
//   - A Roster is a policy whose keys have been read: it says whose a key is, and
//     opens the bundles of people.
//   - A unit is what is approved at once: a batch, or a scheduled entry. Each
//     needs one capability, by its subject, and a Need by the rules that match.
//   - An Approval is a bundle whose signature holds. It counts for a unit by its
//     digest, under whichever plan's root it was signed, and by the person of its
//     key: two keys of a person are one approval. One that bears a review is that of
//     the account's person, if a notary signed it, and nobody's otherwise.
//   - A brake is what stands in the way. Brakes are looked at in one order: trust,
//     environment and instance, restored platform; then for each unit hold,
//     window, threshold, approval, capability. The first that refuses is the
//     Refusal, which names the signed act that passes it.
//
// # Judging
//
//	roster, err := policy.NewRoster(&last.PolicyData)
//	verdict := policy.Judge(policy.Input{Plan: p, Roster: roster, Now: now, Environment: catalog.DefaultEnvironment})
//	for _, j := range verdict.Units {
//		fmt.Println(j.Tenant, j.Subject, j.Allowed(), j.Refusal.Text)
//	}
//
// A verdict may be in parts: what is approved may be applied, and the rest waits.
//
// # Which capability
//
// Subject.Capability of package plan says it: policy needs policy.write, catalog
// and edition registry.write, organisation and tenant clients.write, provision and
// facility onboarding.run, entitlements and connect entitlements.write, a licence
// license.issue or license.revoke, an admin tenant_admins.manage.
//
// # Keys for recovery
//
// They are nobody's, and kept offline. As many as the policy says approve a new
// policy, whatever people say; they approve nothing else.
//
// # What is not judged here
//
// Signatures, ancestry and the ledger's own chain are the callers'; what they
// find goes in as Input.Trust and Input.Unverified. What a plan file says of
// itself for people (reasons, the mark "critical") is not believed where it would
// make a brake softer: tombstones and critical modules are looked up in the
// declarations.
package policy
