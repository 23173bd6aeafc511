// Package authority is what an EHR needs to check, by itself, that people allowed
// exactly the write that it was asked for: the feature verified-authority of the
// EHR contract. It imports nothing of the reference EHR, so any EHR may use it.
//
// A write bears an authority: the digest of the batch that it carries out, the
// line that says what that batch stands on, and approvals, each a signed bundle
// with the proof that the batch is among those that were signed for. A stolen API
// token can send one that it has read elsewhere, but none for a write of its own.
//
// # How to use it
//
// Give a Checker the public keys of the people who may approve and how many of
// them a write needs. For every write, then:
//
//	claim := checker.Read(body.Authority, now)  // before the transaction: it costs signatures
//	…
//	// in the transaction, on what it holds, after its own 404, 409 and 412:
//	cover, err := claim.Covers(authority.Write{
//		Subject: plan.Entitlements, Of: "kisumu", Base: plan.OnStamp(stamp),
//		Revoked: held.Minus(rows), Granted: rows.Minus(held), Spent: kept,
//	})
//
// An error of type Invalid is 403 authority-invalid, and says why in words that
// may be answered. Otherwise the write is to be carried out, and what cover spends
// to be kept with it, in the same transaction, for Spent to tell: an approval of
// something without a revision would else count again once somebody has changed
// it back, and a scheduled entry is to be carried out once.
//
// # What is checked
//
//   - The digest is computed anew, from the request and from what the EHR holds;
//     nothing of the authority goes into it but the name of the environment.
//   - The base is one that the EHR says is true; "at TIME" is true from that time
//     on, for fourteen days, for rows alone.
//   - Each approval: the signature, by a key that was given; the environment; that
//     it names the tenant; that it has not expired (a scheduled entry's may have:
//     it had to hold when its plan was applied); the proof, by the root and count
//     that were signed.
//   - As many people as the write needs. A key is a person, and two are one where
//     Reviewers say so.
//
// # Reviews
//
// Somebody who approves at a forge signs nothing. A notary, a machine whose key is
// given for that alone, signs the approval with the review in it (seal.Review): it is
// the approval of the person whose account that is, and counts once beside their own
// key's. It counts for rows that are granted, where none is taken away, or for every
// write with AnyReview. A notary's bundle without a review, a review that anybody
// else signed and one by an account of nobody are objections and no approvals.
//
// # Mandates
//
// Where too few people approved, a mandate may stand in: a statement (policy.MandateTerms)
// that as many people signed as the write needs, and beside it a machine's
// (CorrectionType) for this one batch. It lets rows be brought back to what they
// were when people approved them last (Write.Authorised), in part or whole, and
// nothing else. In the authority it is
//
//	"mandate": {"bundles": [BUNDLE, …], "correction": BUNDLE}
//
// and the predicate of the second is Correction. How many changes an hour and a day
// a mandate allows is for who carries them out to keep.
//
// Whether the signers hold the capability is not asked: who says which keys are
// given says that.
package authority
