package platform

import (
	"context"
	"iter"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/veonahealth/charter/catalog"
)

// Store keeps the platform's state. A function given to it must not keep the
// View or Tx beyond its return, and must not call the Store again.
type Store interface {
	// View runs read on one consistent state that holds every write whose Update
	// has returned.
	View(ctx context.Context, read func(View) error) error
	// Grant is what View.Grant returns, of the newest state: what is asked most often,
	// and alone.
	Grant(ctx context.Context, id catalog.TenantID) (*Grant, error)
	// Update runs write as one transaction, alone. It returns nil only once the
	// change would survive the end of the process; an error of write is returned
	// as it is and leaves no trace. It is a Refusal with Unavailable where too many
	// writes are waiting. Update may run write on another goroutine, but has always
	// finished with it when it returns.
	Update(ctx context.Context, write func(Tx) error) error
}

// View reads one state.
type View interface {
	// Head returns the newest audit entry's number and hash, or the zero Head.
	Head() (Head, error)
	// HashAt returns the hash of an audit entry, or "" where there is none.
	HashAt(seq int64) (string, error)
	// Entries yields audit entries as they are answered, in order, with their number
	// as key.
	Entries(Range) iter.Seq2[Record, error]
	// Record returns the newest version of a record's body, or nil.
	Record(kind Kind, key string) ([]byte, error)
	// Records yields the bodies in a range, sorted by key.
	Records(Range) iter.Seq2[Record, error]
	// Count returns how many records there are in a range, its After aside.
	Count(Range) (int64, error)
	// Grant returns a tenant's grant, or nil.
	Grant(catalog.TenantID) (*Grant, error)
	// Stamp returns the version of a tenant's grant without reading its rows; the
	// zero Stamp where there is no grant.
	Stamp(catalog.TenantID) (catalog.Stamp, error)
	// Grants calls each with the grants that changed after a seq, in the order of
	// their tenants: with all after 0. The Grant is good until each returns.
	Grants(after int64, each func(*Grant) error) error
	// Answer returns what a write was answered, or nil.
	Answer(id [32]byte) (*Remembered, error)
	// Uses returns a tenant's uses since a day, those of one facility and module
	// together, sorted by facility, then module.
	Uses(id catalog.TenantID, since int64) ([]Use, error)
	// Mails returns the newest mails, the newest first.
	Mails(limit int) ([]Mail, error)
	// UnsentMails returns the mails that wait to be sent, the oldest first.
	UnsentMails() ([]Mail, error)
	// Setting returns the value of a name that is kept beside the state, or "".
	Setting(name string) (string, error)
}

// Tx reads and changes the newest state.
type Tx interface {
	View
	// PutRecord adds a version of a record. Older versions stay for whoever reads
	// an older state.
	PutRecord(seq int64, kind Kind, record Record) error
	// PutGrant replaces a tenant's grant.
	PutGrant(*Grant) error
	// Append adds an entry to the audit trail. Its body is answered as it is.
	Append(head Head, body []byte) error
	// Remember keeps an answer and forgets some that are older than before, a Unix
	// time in seconds.
	Remember(answer *Remembered, before int64) error
	// AddUses adds to the counts of days, and forgets those of days before oldest.
	AddUses(counts iter.Seq2[DayOfUse, int64], oldest int64) error
	// PutMail keeps a mail under its Seq, or what became of it.
	PutMail(*Mail) error
	// PutSetting keeps a value under a name.
	PutSetting(name, value string) error
}

// Kind is what a record is about.
type Kind string

// The kinds of record, and their keys.
const (
	Organisations Kind = "organisation" // by id
	Tenants       Kind = "tenant"       // by id
	Facilities    Kind = "facility"     // by tenant/id
	Accounts      Kind = "staff"        // by tenant/e-mail in lower case
	Editions      Kind = "edition"      // by key
	Instruments   Kind = "instruments"  // by tenant
	Licences      Kind = "licence"      // by tenant/digits
	Deployments   Kind = "deployment"   // by tenant; the newest version alone
	Offers        Kind = "offer"        // the rows that an on-prem box was given, by tenant/revision
	Admins        Kind = "admin"        // by tenant/e-mail in lower case
	Authorised    Kind = "authorised"   // the rows that people approved last, by tenant
	Spent         Kind = "spent"        // approvals that were used, by subject/key/name
)

// Record is one document of a kind.
type Record struct {
	Key  string         // unique within its kind
	Body jsontext.Value // a JSON object
}

// Range selects records of a kind, or audit entries, in the order of their keys.
type Range struct {
	Kind   Kind   // of records only
	Prefix string // of the key; of records only
	After  string // the key before the first one, or "" to begin at the beginning
	At     int64  // the seq of the state that is read
}

// Head is the end of the audit trail at some state. The zero Head is that of a
// platform that was never written to.
type Head struct {
	Seq  int64
	Hash string // hex; "" at 0
}

// Remembered is an answer that is kept for retries.
type Remembered struct {
	ID     [32]byte // who asked what with which key
	Body   [32]byte // the digest of the request's body, its authority aside
	At     int64    // when it was answered, in Unix seconds
	Answer Answer
}
