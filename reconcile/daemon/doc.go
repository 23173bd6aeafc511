// Package daemon keeps an eye on a fleet for months: it notices what has moved
// between what is declared and what is live, says so once to whom it concerns,
// and otherwise leaves people asleep.
//
// # The words
//
// A trigger asks for a pass: a schedule, a commit that may have come, a forge's
// webhook, the time at which a grant or hold begins or ends, a signal. A Loop
// makes one pass at a time; whatever asks meanwhile is answered by one more.
//
// A pass has a depth. Look fetches, and goes on only where there is a new commit.
// Quick also asks the platform what has changed since the pass before, which is
// one conditional read where nothing has, and looks closely at those tenants
// alone. Full reads everything. Nothing is evaluated unless the commit's tree has
// changed.
//
// A Standing is how a tenant stands: in step, pending, drift, conflict, held,
// offline, unreadable. A Fault is what keeps the daemon from its work, by name:
// the platform is down, the repository cannot be fetched, the newest commit does
// not load. Each Fault begins with the pass that met it and ends with the pass
// that did not. A View is all of that at one time, for pages, metrics and
// notices; it never changes, and every pass publishes a new one.
//
// # Three states
//
// What was last applied is read from the ledger, for each tenant and subject. A
// change of which the declaration has moved since is pending; one of which the
// platform has moved is drift; where both have, it is a conflict. Where no ledger
// is founded nothing was applied that could be proved, and every change is
// pending.
//
// # Failing
//
// A tenant that cannot be read is asked again after a pause that doubles, and no
// other waits for it. A platform that does not answer at all is asked again in
// the same way, by one request. Where the newest commit does not load, the last
// one that did stays in force. When the platform's clock and ours differ by more
// than a bound, no decision is taken that depends on the time of day: what has a
// boundary in the time between is left as it was. A platform that no longer has
// an audit entry that it showed before was restored from a backup: that is a
// fault too, and while it is there nothing is written.
//
// # Authority
//
// The daemon has none of its own. It writes only where a ledger is founded, and
// only what people have approved, or drift that a signed mandate covers; a row that
// comes back changed three times within a day is left to people. What an earlier
// process began is ended first. A receipt stands before each write and after it
// (reconcile.Governance). Everywhere else it observes, or proposes: a branch that
// adopts what other hands changed.
package daemon
