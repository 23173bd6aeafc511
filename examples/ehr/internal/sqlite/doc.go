// Package sqlite keeps the platform's state in one SQLite file, as the Store of
// the package platform.
//
// # One writer, many readers
//
// One goroutine owns the only connection that writes. It takes every write that
// is waiting, up to a bound, into one transaction, each in a savepoint of its
// own, and answers them all after the one commit (group commit). So the cost of
// making a commit durable is shared by all who wait for it, and a write that is
// refused takes nothing from its neighbours.
//
// Readers have a pool of connections. The journal is a write-ahead log, so they
// see the last commit and neither wait for the writer nor hold it up.
//
// # Durability
//
// A file is opened with synchronous=FULL: the log is flushed to the disk at each
// commit. A killed process would lose nothing without it, but a machine that
// loses its power would: it would come up with a shorter audit trail than it has
// given proof of, which is the very thing that charter looks for in a platform
// that was tampered with.
//
// The database :memory: is a file that is never flushed and whose name is removed
// as soon as it is open. SQLite's own memory databases have no write-ahead log: one
// client that reads a long list slowly would hold up every writer.
//
// # Tables
//
//   - records: every version of the small documents, by kind, key and seq. They
//     change rarely, are never deleted, and so every listing can be read as it was.
//   - grants: the newest grant of each tenant, its rows as the JSON that is
//     answered. One row of a table for each facility and module would cost sixty
//     times the statements and say the same.
//   - audit: the entries, as they are answered, and their hashes.
//   - mails: what was written to people, and whether the outbox has it.
//   - answers: what writes with an Idempotency-Key were answered.
//   - settings: the instance and its keys.
package sqlite
