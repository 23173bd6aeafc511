// Package adopt reads a live platform whole and declares it as it is, so that a
// platform that was run by hand can be kept in git from then on.
//
//	reading, err := adopt.Read(ctx, platform)
//	found := adopt.Declare(reading, adopt.Request{Base: fleet, At: now, Owner: "ann"})
//	files, err := found.Files()
//	// … the files are written, and evaluated as any fleet is
//	p, err := adopt.Prove(reading, evaluated, environment, now)
//
// p is the plan of what was written against what was read: it is empty, or says
// for each tenant what a declaration could not say.
//
// # How a tenant is declared
//
// Its edition is the one that the platform names; where that is none of its
// editions, the one that fits its rows best. A module beyond the edition, or off
// it, is granted or revoked: at the tenant where all its facilities agree, else at
// the facility. Limits are overridden where the facilities have more than the
// edition allows. Each of these has the reason "as found on" the day.
//
// # What a declaration may not say
//
// A fleet must be without mistakes, and a platform may break its rules. Where a
// facility holds a module without one that it requires, the missing module is
// declared too, and a hold keeps it from being granted until somebody has decided:
// nothing changes on the platform, and nothing is forgotten. A tenant that cannot
// be declared at all (it has no facility yet, or belongs to nobody) is left out and
// stays unmanaged. Each such decision is a Note.
//
// A module that only rows name and the catalogue does not have is not declared:
// its rows stay as they are, held. One that an edition names has to be in the
// catalogue, and is added to it, as instruments are.
//
// What was not read is not declared as if it were not there. Where a later plan
// would act upon that, Declare ends with a *PartialError: the licences of on-prem
// tenants, instruments, the names of organisations, and the editions of a new fleet.
//
// Licence tokens are not even read. Staff is not on any list of the platform's;
// accounts belong to the customer.
package adopt

import (
	"context"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/reconcile/ehr"
)

// EHR is a platform as it is read. ehr.Client is one.
type EHR interface {
	// Parallelism is how many requests it is to be asked at once.
	Parallelism() int
	Platform(ctx context.Context) (ehr.Platform, error)
	Tenants(ctx context.Context, yield func(ehr.Tenant) error) (snapshot string, err error)
	Facilities(ctx context.Context, id catalog.TenantID) ([]catalog.LiveFacility, error)
	Connect(ctx context.Context, id catalog.TenantID) ([]string, error)
	Admins(ctx context.Context, id catalog.TenantID) ([]catalog.LiveAdmin, error)
	Licences(ctx context.Context, id catalog.TenantID) (map[string][]catalog.LiveLicence, error)
	Editions(ctx context.Context) (map[string]catalog.LiveEdition, error)
	Organisations(ctx context.Context) (map[string]catalog.LiveOrganisation, error)
	Grant(ctx context.Context, id catalog.TenantID) (catalog.Grant, error)
	Grants(ctx context.Context, yield func(catalog.Grant) error) (snapshot string, err error)
}
