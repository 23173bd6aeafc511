package daemon

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// FaultCode is the stable name of what keeps the daemon from its work.
type FaultCode string

// The faults. examples/daemon/README.md says of each what it means and what to do.
const (
	PlatformDown     FaultCode = "ehr-down"           // the platform gives no answer that can be relied on
	PlatformDenies   FaultCode = "ehr-denies"         // the platform does not accept the token, or lets it read too little
	PlatformOther    FaultCode = "ehr-other"          // another platform answers than the one declared
	RepositoryDown   FaultCode = "git-down"           // the repository cannot be fetched
	DeclarationsBad  FaultCode = "declarations-wrong" // the newest commit does not load; the last that did is in force
	HistoryRewritten FaultCode = "history-rewritten"  // the branch no longer holds the commit in force
	DiskFull         FaultCode = "disk-full"
	ClockSkew        FaultCode = "clock-skew" // the platform's clock and ours differ
	PolicyUnreadable FaultCode = "policy-unreadable"
	LedgerDown       FaultCode = "ledger-unreadable" // the receipts cannot be read or verified
	Restored         FaultCode = "restored"          // the platform lost what it had: it was restored from a backup
)

// Fault is a fault that is there.
type Fault struct {
	Code  FaultCode `json:"code"`
	Text  string    `json:"text"` // what went wrong, for people
	Since time.Time `json:"since"`
}

// faults are those that are there, by name.
type faults map[FaultCode]Fault

// set notes that a fault is there, or, where the text is "", that it is not.
func (f faults) set(code FaultCode, text string, now time.Time) {
	was, there := f[code]
	switch {
	case text == "":
		delete(f, code)
	case there:
		f[code] = Fault{code, text, was.Since}
	default:
		f[code] = Fault{code, text, now}
	}
}

// has reports whether any of some faults is there.
func (f faults) has(codes ...FaultCode) bool {
	return slices.ContainsFunc(codes, func(c FaultCode) bool { _, there := f[c]; return there })
}

// list returns the faults in the order of their names.
func (f faults) list() []Fault {
	list := slices.Collect(maps.Values(f))
	slices.SortFunc(list, func(a, b Fault) int { return strings.Compare(string(a.Code), string(b.Code)) })
	return list
}

// AllFaults lists every name there is, for metrics that show what is not there
// too.
func AllFaults() []FaultCode {
	return []FaultCode{
		PlatformDown, PlatformDenies, PlatformOther, RepositoryDown, DeclarationsBad, HistoryRewritten,
		DiskFull, ClockSkew, PolicyUnreadable, LedgerDown, Restored,
	}
}
