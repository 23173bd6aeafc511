package daemon

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/ehr"
)

const (
	// A row that comes back changed so often within so long is contested.
	contestReturns = 3
	contestWindow  = 24 * time.Hour
)

// Contest is a row that somebody changes back again and again. It is left to
// people.
type Contest struct {
	Tenant  string    `json:"tenant"`
	Row     string    `json:"row"`   // what is changed: facility and module, or the key of what is no row
	Actor   string    `json:"actor"` // who wrote the tenant last without an approval, by the platform's audit trail; "" where it does not tell
	Returns int       `json:"returns"`
	Last    time.Time `json:"last"`
}

// contests are the times at which rows were found changed anew, by tenant and
// row, and who else writes each tenant.
type contests struct {
	returns map[[2]string][]time.Time
	writers map[string]string
	// corrected are the rows of each tenant that were put right since it was compared
	// last: where they are changed now, they were changed anew, however fast.
	corrected map[string]map[string]bool
}

func newContests() contests {
	return contests{map[[2]string][]time.Time{}, map[string]string{}, map[string]map[string]bool{}}
}

// correct notes the batch of a plan that was done.
func (c contests) correct(made *plan.Plan, done plan.Digest) {
	for i := range made.Batches {
		if b := &made.Batches[i]; b.Digest == done && b.Subject.OfTenant() {
			rows := drifted(made.Batches[i : i+1])
			maps.Copy(rows, c.corrected[b.Tenant])
			c.corrected[b.Tenant] = rows
		}
	}
}

// see notes who writes without an authority, by new entries of the audit trail.
func (c contests) see(entries []ehr.Entry) {
	for _, e := range entries {
		if e.Authority == nil && e.Tenant != "" {
			c.writers[e.Tenant] = e.Actor
		}
	}
}

// compare notes what of a tenant differs now and did not before, or was put right
// since, though it is declared as it was.
func (c contests) compare(was, is *Tenant, now time.Time) {
	if is.Unreadable != "" {
		return
	}
	corrected := c.corrected[is.ID]
	delete(c.corrected, is.ID)
	known := was != nil && was.Unreadable == ""
	var before map[string]bool
	if known {
		before = drifted(was.Batches)
	}
	for row := range drifted(is.Batches) {
		if corrected[row] || known && !before[row] {
			key := [2]string{is.ID, row}
			c.returns[key] = append(recent(c.returns[key], now), now)
		}
	}
}

// drifted are the rows of a tenant's batches of which the platform has moved.
func drifted(batches []plan.Batch) map[string]bool {
	rows := map[string]bool{}
	for i := range batches {
		for _, change := range batches[i].Changes {
			if change.Class == plan.Drift {
				rows[strings.TrimSpace(strings.Join([]string{change.Kind, change.Facility, change.Module, change.Key}, " "))] = true
			}
		}
	}
	return rows
}

func recent(times []time.Time, now time.Time) []time.Time {
	return slices.DeleteFunc(times, func(t time.Time) bool { return now.Sub(t) > contestWindow })
}

// list returns the rows that are contested, by tenant and row.
func (c contests) list(now time.Time) []Contest {
	var list []Contest
	for _, key := range slices.SortedFunc(maps.Keys(c.returns), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
		times := recent(c.returns[key], now)
		if len(times) == 0 {
			delete(c.returns, key)
			continue
		}
		c.returns[key] = times
		if len(times) >= contestReturns {
			list = append(list, Contest{key[0], key[1], c.writers[key[0]], len(times), times[len(times)-1]})
		}
	}
	return list
}
