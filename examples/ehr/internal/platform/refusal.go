package platform

import (
	"errors"
	"fmt"

	"github.com/veonahealth/charter/catalog"
)

// Code is the stable word of the contract for a kind of refusal. Programs decide
// by it and by nothing else.
type Code string

// The codes of what the platform refuses.
const (
	BadCursor           Code = "bad-cursor"
	ModuleNotEntitled   Code = "module-not-entitled"
	NotFound            Code = "not-found"
	Exists              Code = "exists"
	SnapshotGone        Code = "snapshot-gone"
	RevisionMoved       Code = "revision-moved"
	Invalid             Code = "invalid"
	UnknownOrganisation Code = "unknown-organisation"
	UnknownEdition      Code = "unknown-edition"
	UnknownFacility     Code = "unknown-facility"
	UnknownModule       Code = "unknown-module"
	UnknownRole         Code = "unknown-role"
	UnknownTenant       Code = "unknown-tenant"
	UnknownInstrument   Code = "unknown-instrument"
	KeyReused           Code = "idempotency-key-reused"
	TenantSuspended     Code = "tenant-suspended"
	TenantLocked        Code = "tenant-locked"
	LicenceRevokedCode  Code = "licence-revoked"
	LicenceExpired      Code = "licence-expired"
	LicenceNotBegun     Code = "licence-not-begun"
	LicenceNotActive    Code = "licence-not-active"
	FingerprintMismatch Code = "fingerprint-mismatch"
	AuthorityInvalid    Code = "authority-invalid"
	PreconditionMissing Code = "precondition-required"
	Unavailable         Code = "unavailable"
)

// Refusal is the platform's no to a request that it understood. Nothing was
// changed.
type Refusal struct {
	Code   Code
	Detail string         // for people: what was wrong with which thing
	Stamp  *catalog.Stamp // the version in force, with RevisionMoved; else nil
}

func (r *Refusal) Error() string { return string(r.Code) + ": " + r.Detail }

// isNotFound reports whether an error is a Refusal with NotFound.
func isNotFound(err error) bool {
	refusal, ok := errors.AsType[*Refusal](err)
	return ok && refusal.Code == NotFound
}

func refuse(code Code, format string, args ...any) *Refusal {
	return &Refusal{Code: code, Detail: fmt.Sprintf(format, args...)}
}
