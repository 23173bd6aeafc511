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
}

func newContests() contests {
	return contests{map[[2]string][]time.Time{}, map[string]string{}}
}

// see notes who writes without an authority, by new entries of the audit trail.
func (c contests) see(entries []ehr.Entry) {
	for _, e := range entries {
		if e.Authority == nil && e.Tenant != "" {
			c.writers[e.Tenant] = e.Actor
		}
	}
}

// compare notes what of a tenant differs now and did not before, though it is
// declared as it was.
func (c contests) compare(was, is *Tenant, now time.Time) {
	if was == nil || was.Unreadable != "" || is.Unreadable != "" {
		return
	}
	before := was.drifted()
	for row := range is.drifted() {
		if !before[row] {
			key := [2]string{is.ID, row}
			c.returns[key] = append(recent(c.returns[key], now), now)
		}
	}
}

// drifted are the rows of the tenant of which the platform has moved.
func (t *Tenant) drifted() map[string]bool {
	rows := map[string]bool{}
	for i := range t.Batches {
		for _, change := range t.Batches[i].Changes {
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
