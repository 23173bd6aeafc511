// Package ledger keeps the receipts of an environment on its audit branch, and
// open plans with their approvals on references beside it. It trusts nothing on
// them that it has not verified.
//
// # Receipts
//
// A receipt is two signed commits on refs/heads/charter/ENV/audit, each the
// child of the one before: an Intent, which is accepted by the remote before
// anything is written to a platform, and an Outcome after. Receipt 123 lies in
//
//	receipts/000/123/intent.json
//	receipts/000/123/outcome.json
//	receipts/000/123/plan.json
//	receipts/000/123/plan.json.3f2a….sigstore.json
//
// Its ID is the SHA-256 of intent.json. An intent names the id of the receipt
// before and the SHA-256 of its outcome, and every other file of its own by
// SHA-256; and each commit's message names the SHA-256 of what it adds. So a
// signature reaches everything, and nothing rests on git's SHA-1 alone.
//
// Receipt 0 founds the ledger and pins the first policy. Its id is the root that
// every reader is given.
//
// # Reading
//
// Open asks the remote origin, brings what is new and verifies it: one line of
// commits from the root on, each signed by somebody whom the policy in force
// that day lets carry out (Trust says so), each adding its own receipt's files
// and nothing else. What puts another policy or catalogue in force is judged too,
// as no signature of a machine's does that. What was verified once is kept in a cache folder; a cache
// that is damaged or gone costs time only. With no remote the local branch is
// the ledger.
//
// # When it does not open
//
//   - ErrNotFounded: there is no such branch, here or on the remote.
//   - source.RemoteError: the remote did not answer. Nothing may be written.
//   - RolledBackError: the remote has lost receipts that this clone, or this
//     machine, has seen. Restore pushes them back.
//   - ForkedError: the remote's history is another one than was seen here.
//   - TamperError: a commit of the branch is not what the ledger's rules allow,
//     by number and commit. Restore takes the branch back to before it.
//   - RootError, within one: the ledger begins with another receipt than the root.
//   - UnjudgedError: what a receipt is judged by is not in this clone, or cannot be
//     read. Nothing speaks against the receipt.
//
// # Writing
//
//	receipt, err := l.Intent(ctx, draft)        // nothing was written to the platform yet
//	…                                           // write, with receipt.ID in each request
//	err = l.Outcome(ctx, receipt.ID, results)
//
// A writer that loses a race reads again, verifies, asks Draft.Holds whether the
// plan still stands, and tries again. Between an intent and its outcome no other
// intent is taken: OpenError names the one that is open. After a crash it stays
// open until somebody gives its outcome, who need not be the one who began it.
package ledger
