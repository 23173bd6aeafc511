// Package plan merges what is declared with what is live into a Plan: the exact
// changes that an apply would make, each with its reason, grouped into batches
// that each stand on a version of one tenant's grant.
//
// # Batches
//
// A batch is what is written in one request, for one tenant. It stands on a
// base, the stamp that its changes were planned against, and has a digest over
// what is written and on what it stands and nothing else, so that the EHR can
// compute it too. Its lines are
//
//	charter batch v1
//	environment default
//	tenant kisumu
//	subject entitlements
//	base 7 "7-3f2a"
//	- lumumba theatre
//	+ jootrh scribe
//
// A scheduled entry is a batch of the future: what a from or until of the
// declarations will change at its time. The digests of all batches, then of all
// scheduled entries, are the leaves of a Merkle tree (RFC 6962) whose root is
// what people sign.
//
// # What is not ours
//
// A live row of a module that the catalogue does not know, one at a facility
// that is not declared, and one under a hold is added to what is desired, by
// name (Held): the difference then has no exceptions, and nothing is taken away
// because nobody spoke of it.
//
// # What is shown is what is sent
//
// The digest of a batch that sends a request is over the request; people read the
// changes. Decode works these out again from the request and refuses a file that
// shows anything else; what a file alone cannot tell, apply asks the platform
// (Batch.CheckEdition). A change's reason, its class and a row's routes are for
// information: nothing is decided by them, and nobody may rely on them who has not
// planned the commit anew.
//
// # Bytes
//
// A plan is written once. Its identity is the SHA-256 of its file; nobody
// encodes it again to check it. Encode writes sorted keys and no floating point;
// Decode refuses duplicate keys, keys that differ from a known one by case
// alone, and another major version.
package plan
