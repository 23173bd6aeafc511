// Package catalog holds the words of the domain: what can be sold, to whom it
// was sold, and which rows follow from that. It reads no file, asks no server
// and knows no clock; everything else in charter is built on it.
//
// The words, from the outside in:
//
//   - An organisation is a customer. A tenant is one deployment of the EHR that
//     belongs to it; a facility is a site of a tenant.
//   - A module is what a facility may use. An edition bundles modules and
//     limits. A grant adds a module to the edition's, a revocation takes one
//     away, for a tenant or for one facility, at once or between two times.
//   - A row (FacilityEntitlement in the EHR) says that one facility holds one
//     module. There is no row that says "no": what has no row answers 403.
//
// Two vocabularies name modules. Declarations use charter's ModuleKey; the EHR
// uses its own EHRModule. Catalog is the mapper between them, one-to-one, and
// the two types keep them from being confused. Rows are always in the EHR's
// words, because they are what is compared and written.
//
// # What a facility holds at a time
//
//  1. the modules of the tenant's edition,
//  2. plus the tenant's grants in force, minus its revocations in force,
//  3. plus the facility's own grants in force, minus its own revocations.
//
// So the facility's word beats the tenant's, and the tenant's the edition's. A
// tombstone (closed) whose day has come beats all three. Tenant.Rows computes
// this, Tenant.Cause says for one module which of the statements decided.
package catalog
