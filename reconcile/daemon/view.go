package daemon

import (
	"slices"
	"strings"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/source"
)

// View is everything that is known after a pass. It never changes; a pass
// publishes a new one.
type View struct {
	Number      uint64 `json:"number"` // grows with every View
	Environment string `json:"environment"`
	Mode        Mode   `json:"mode"`

	// Commit is the one in force: the newest that loads. Newest is the newest of
	// the branch, and Problems are why it is not in force.
	Commit   source.Commit `json:"commit"`
	Newest   source.Commit `json:"newest"`
	Problems string        `json:"problems"`
	LoadedAt time.Time     `json:"loaded_at"`

	EHR      string `json:"ehr"`
	Instance string `json:"instance"`

	Last     Passed    `json:"last"`          // the pass that this is the outcome of
	Next     time.Time `json:"next,omitzero"` // when the next pass is due by the clock; zero where that is not known
	LastFull time.Time `json:"last_full"`     // when the last full reading that was whole ended; zero for none
	LastGood time.Time `json:"last_good"`     // when the last pass without a fault ended; zero for none

	Tenants   []*Tenant          `json:"tenants"`  // declared ones, sorted by id
	Registry  *Tenant            `json:"registry"` // what belongs to no tenant; nil where nothing differs
	Unmanaged []catalog.TenantID `json:"unmanaged"`
	Faults    []Fault            `json:"faults"`
	Contested []Contest          `json:"contested"`
	Warnings  []plan.Warning     `json:"warnings"`
	Plans     []OpenPlan         `json:"plans"`   // those that are open; nil where no ledger is founded
	Records   []Record           `json:"records"` // the newest receipts, the newest first

	// Desired is what is declared; nil before the first commit that loads.
	Desired *catalog.Desired `json:"-"`
	// At is the time that dates were judged by.
	At time.Time `json:"at"`
}

// Passed is a pass that was made.
type Passed struct {
	ID        string        `json:"id"`
	Depth     string        `json:"depth"`
	Why       string        `json:"why"`
	Began     time.Time     `json:"began"`
	Took      time.Duration `json:"took"`
	Looked    int           `json:"looked"`    // tenants that were looked at closely
	Evaluated bool          `json:"evaluated"` // whether a commit was evaluated
}

// Tenant returns how a tenant stands, or nil where it is not declared.
func (v *View) Tenant(id string) *Tenant {
	i, found := slices.BinarySearchFunc(v.Tenants, id, func(t *Tenant, id string) int { return strings.Compare(t.ID, id) })
	if !found {
		return nil
	}
	return v.Tenants[i]
}

// Count counts the tenants of each standing.
func (v *View) Count() map[Standing]int {
	count := map[Standing]int{}
	for _, t := range v.Tenants {
		count[t.Standing]++
	}
	return count
}

// Classes counts the changes of each class, of all tenants and of none.
func (v *View) Classes() map[plan.Class]int {
	count := map[plan.Class]int{}
	for _, t := range append(slices.Clone(v.Tenants), v.Registry) {
		if t == nil {
			continue
		}
		for class, n := range t.Classes() {
			count[class] += n
		}
	}
	return count
}

// Scheduled lists what the declarations already name the time of, the first
// first.
func (v *View) Scheduled() []plan.Entry {
	var list []plan.Entry
	for _, t := range v.Tenants {
		list = append(list, t.Scheduled...)
	}
	slices.SortStableFunc(list, func(a, b plan.Entry) int { return a.At.Compare(b.At) })
	return list
}

// InBackoff counts the tenants that wait before they are asked again.
func (v *View) InBackoff() int {
	n := 0
	for _, t := range v.Tenants {
		if t.Tries > 0 {
			n++
		}
	}
	return n
}

// Ready reports whether the daemon has seen all there is, once.
func (v *View) Ready() bool { return !v.LastFull.IsZero() }
