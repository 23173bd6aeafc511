package platform

import (
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
	UnknownInstrument   Code = "unknown-instrument"
	KeyReused           Code = "idempotency-key-reused"
	TenantSuspended     Code = "tenant-suspended"
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

func refuse(code Code, format string, args ...any) *Refusal {
	return &Refusal{Code: code, Detail: fmt.Sprintf(format, args...)}
}
