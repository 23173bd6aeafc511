// Package platform is what the reference EHR knows and decides: organisations,
// tenants, facilities, editions, grants, the audit trail and the gate of the
// clinical app. It speaks neither HTTP nor SQL. The package server brings
// requests to it, the package sqlite keeps what it stores.
//
// The words:
//
//   - A write is judged and carried out in one transaction of the Store, one
//     after the other. It is either refused with a Refusal, which changes
//     nothing, or it is accepted, and then appends exactly one Entry to the
//     audit trail.
//   - The number of that entry (its seq) is the platform's only clock of states.
//     Everything stored bears the seq of the write that made it; the state at a
//     seq can be read as long as the platform lives.
//   - A snapshot is the name of such a state as a client sees it: the seq and the
//     beginning of the hash of its entry. So a snapshot of another platform, or
//     of a future that a restored backup does not know, is recognised.
//   - A grant is the rows of one tenant (who holds which module where), with a
//     revision that counts its writes and an entity tag. Its rows are what the
//     Gate answers by.
//
// # The audit trail
//
// Entry n holds the hash of entry n-1 as prev; prev of the first is the empty
// text. The hash is the SHA-256, in hex, of the entry's RFC 8785 form without
// the field hash. Entries are answered in that form: to check one by hand, cut the
// field hash out of its text, hash the rest, and compare.
//
// # Retries
//
// A write that bears a Retry is answered once. The answer is kept in the same
// transaction, and whoever brings the same key and body within 24 hours gets it
// again, also after a restart. What was refused is not kept: it changed nothing,
// so trying it again is safe and is judged anew.
package platform
