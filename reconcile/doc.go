// Package reconcile makes one pass between what is declared and what is live: it
// observes a platform, plans, and carries a plan out.
//
// Plan reads the live state of the declared tenants and merges it with the
// declarations. Apply takes a plan that somebody else has verified and writes
// it, one conditional request a tenant: a tenant whose grant has moved since
// drops out by name, one that fails stops no other, and applying a plan twice
// changes nothing. Nothing is ever half-written, because a tenant's rows are
// replaced in one request or not at all.
//
// # Where a ledger is founded
//
// Govern opens it, and a Governance is what a plan is judged and carried out by
// from then on: the policy that was applied last, the receipts, and the commits
// that both stand on.
//
//	g, err := reconcile.Govern(ctx, options)      // reads and verifies the ledger
//	j, err := g.Judge(ctx, reconcile.Case{…})     // what is missing; writes nothing
//	c, err := g.Carry(ctx, platform, order)       // a receipt, the apply, its outcome
//
// Nothing is written to the platform until the remote has accepted the receipt of
// what is about to be done. The platform and the ledger are each other's witness
// (Witness): a ledger that was put back is a TrustError, a platform that was put
// back a Refusal until somebody has signed a Recover. Audit judges every receipt
// again, by the policy of its day.
//
// # From outside
//
// What the package needs from outside is in the interface EHR; the package
// reconcile/ehr satisfies it. Time and randomness come in as values.
package reconcile

import (
	"context"
	"encoding/json"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/reconcile/ehr"
)

// EHR is a platform as a pass needs it. Every method gives an answer that is
// whole or an error: ehr.IsNotFound and ehr.IsMoved are the platform's own
// words, ehr.IsUnknown means that nothing is known.
type EHR interface {
	// URL says where the platform is, for the plan.
	URL() string
	// Parallelism is how many requests it is to be asked at once.
	Parallelism() int
	Platform(ctx context.Context) (ehr.Platform, error)
	// Tenants lists all tenants and gives the name of the listing's snapshot.
	Tenants(ctx context.Context, yield func(ehr.Tenant) error) (snapshot string, err error)
	Tenant(ctx context.Context, id catalog.TenantID) (ehr.Tenant, error)
	Facilities(ctx context.Context, id catalog.TenantID) ([]catalog.LiveFacility, error)
	// Connect gives the keys of the licensed instruments, sorted.
	Connect(ctx context.Context, id catalog.TenantID) ([]string, error)
	Admins(ctx context.Context, id catalog.TenantID) ([]catalog.LiveAdmin, error)
	// Licences lists by tenant: of one, or of all where the id is zero.
	Licences(ctx context.Context, id catalog.TenantID) (map[string][]catalog.LiveLicence, error)
	// Editions and Organisations list all there are, by key and by id.
	Editions(ctx context.Context) (map[string]catalog.LiveEdition, error)
	Edition(ctx context.Context, key string) (catalog.LiveEdition, error)
	Organisations(ctx context.Context) (map[string]catalog.LiveOrganisation, error)
	Grant(ctx context.Context, id catalog.TenantID) (catalog.Grant, error)
	// Grants streams all grants in the order of their tenants' ids. What was
	// yielded counts only when it returns without an error. It must only be
	// called where the platform has ehr.FeatureBulk.
	Grants(ctx context.Context, yield func(catalog.Grant) error) (snapshot string, err error)
	// Deployment reads the state of a tenant's deployment.
	Deployment(ctx context.Context, id catalog.TenantID) (ehr.Deployment, error)
	// Audit yields the entries of the audit trail after one, AuditHead the newest.
	Audit(ctx context.Context, since int64, yield func(ehr.Entry) error) error
	AuditHead(ctx context.Context) (ehr.Entry, error)
	// PutGrant replaces a tenant's rows if its grant is still at base.
	PutGrant(ctx context.Context, id catalog.TenantID, base catalog.Stamp, rows catalog.Rows, authority *ehr.Authority, key string) (catalog.Stamp, error)
	// Send makes any other write, conditional on an entity tag where it is not "".
	Send(ctx context.Context, method, path string, body json.RawMessage, etag string, authority *ehr.Authority, key string) error
}
