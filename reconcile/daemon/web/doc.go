// Package web is what a daemon shows over HTTP: its status pages, its metrics,
// whether it lives and is ready, and the door at which a forge knocks.
//
//	GET  /                  the fleet at a glance
//	GET  /tenants           tenants × modules, filtered and paged: ?q= &standing= &page=
//	GET  /tenants/{id}      one tenant: declared, accepted, enforced, and what differs
//	GET  /calendar          what the declarations already name the time of
//	GET  /ledger            open plans with what they lack, and the newest receipts
//	GET  /holds             what is kept as it is, and by whom
//	GET  /events            server-sent events: one "view" for every pass
//	GET  /status.json       the view, for programs
//	GET  /metrics           for Prometheus
//	GET  /healthz, /readyz  for whoever restarts and routes
//	POST /hooks/git         a forge's webhook
//
// Everything is read-only. The pages are for a browser on the same machine: they
// answer to no other Host, so that no page of the web can read them by a name that
// it controls. Elsewhere they are shown only behind a proxy whose addresses and
// identity header are named (Access). The door for webhooks is open to all who
// know the secret; /healthz and /readyz tell nothing and are open to all.
//
// Nothing in a page is trusted: html/template escapes what comes from outside, and
// the content security policy allows no script and no style but the two files that
// are part of the binary.
package web
