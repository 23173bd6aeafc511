// Package seal makes and opens signatures: keys, statements and bundles. It is
// the only package of charter that touches keys. It knows nothing of plans but a
// file's name and SHA-256, asks no clock, and reads and writes no file.
//
// The words:
//
//   - A key is ECDSA P-256. Its Fingerprint, the SHA-256 of the public key as
//     PKIX DER, is its one identity. Pure Ed25519 is accepted for verifying.
//   - A statement is an in-toto Statement v1: JSON that says something (the
//     predicate) of one file (the subject). An Approval is such a predicate.
//   - A Review in an approval makes it the word of a notary about what an account
//     at a forge decided. Who may be one is not asked here.
//   - A bundle is a Sigstore bundle v0.3: the statement's bytes, one signature
//     over them in a DSSE envelope, and a hint which key made it. n approvers
//     are n bundles, named by Fingerprint.BundleName beside the plan file.
//
// # Signing and opening
//
//	private, public, err := seal.GenerateKey([]byte("correct horse"))
//	key, err := seal.ParsePublicKey(public)
//	signer, err := seal.OpenKey(private, []byte("correct horse"))
//	statement, err := seal.Statement(subject, approval)
//	bundle, err := signer.Sign(statement)
//
//	opened, err := seal.NewVerifier(key).Open(bundle)
//	fmt.Println(opened.Signer == key.Fingerprint())
//	fmt.Println(opened.Approval.Decision, opened.Subject.Name)
//	fmt.Println(opened.Approval.Objections(use))
//
// What is signed are bytes. Nothing is encoded anew to check a signature: Opened
// holds the very bytes that the key signed, and what was read from them.
//
// # What is trusted, and what is not
//
// Only the keys given to NewVerifier are trusted. The hint is outside of the
// signature: it says which key to try first, then all are tried, and the signer
// is the key that verified. So one key is one signer however its bundles are
// spelled or labelled; and as one approval can be spelled as many bundles (the
// spaces, the hint, base64, ECDSA's own second form of each signature), nothing
// may be counted or remembered by a bundle's bytes.
//
// Certificates are refused by name (KeylessError). Log entries and timestamps
// that a bundle holds are neither checked nor needed, and mean nothing.
//
// A statement is read strictly once its signature holds: duplicate keys, unknown
// fields, missing fields, nulls and letters of the wrong case are errors, not
// defaults. Above all, a missing list of tenants is never taken for "all".
//
// # Commits
//
// A commit is signed in its gpgsig header. Signer.SignCommit makes an SSH
// signature of charter's own key, which git verify-commit accepts; CommitVerifier
// says which of some SSH and OpenPGP keys signed a commit, over the very bytes of
// the object. The dates of a commit are its signer's own word: a key that was
// stolen can date back, so a key ends for good in the policy, not by a date here.
// Certificates, of SSH and of X.509, are refused by name.
//
// # When a bundle does not open
//
//   - UnknownKeyError: the signer is not among the trusted keys. Compare the
//     fingerprint with the one in the policy.
//   - BadSignatureError: the bundle names a trusted key that did not sign these
//     bytes: the bundle was altered, or an Ed25519 key signed in its other form,
//     Ed25519ph, as cosign does.
//   - StatementTypeError with v0.1: cosign was given --predicate.
//   - MalformedError "no DSSE envelope": it was cosign sign-blob.
//   - ErrWrongPassword for a key whose password is right: the file is damaged.
//
// # With cosign
//
// To check a bundle, and to make one of the text that Statement returns, without
// any network; the two configurations are empty and keep cosign from asking for
// the public ones:
//
//	cosign verify-blob-attestation --key approver.pub --bundle BUNDLE \
//	    --type https://veonahealth.com/charter/approval/v1 --insecure-ignore-tlog plan.json
//
//	cosign signing-config create --out sc.json
//	cosign trusted-root create --out tr.json
//	cosign attest-blob --yes --key approver.key --statement statement.json \
//	    --signing-config sc.json --trusted-root tr.json --bundle BUNDLE plan.json
//
// cosign signs whatever statement it is given, even of another file than the one
// on its command line; who takes a bundle in must hold Opened.Subject or the root
// of the batches against the plan. The key files are cosign's own format: PEM
// around JSON around PKCS #8, under scrypt and NaCl's secretbox.
package seal
