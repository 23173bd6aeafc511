package reconcile

import (
	"slices"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/ehr"
)

const (
	// warnBefore is how long before its end a licence is warned of.
	warnBefore = 30 * 24 * time.Hour
	// silence is after how long without a heartbeat a box runs on its grace: one
	// that beats moves the end of its grace each time, and is not warned of.
	silence = 24 * time.Hour
)

// LicenceStatus is how the licence of a tenant's deployment stands.
type LicenceStatus struct {
	ID           string   `json:"id"`
	State        string   `json:"state"`         // issued, active, suspended or revoked
	Expires      string   `json:"expires"`       // "" where the tenant declares none, and so none was asked for
	HeartbeatAt  string   `json:"heartbeat_at"`  // when its box was last heard of, or ""
	OfflineUntil string   `json:"offline_until"` // until when its box runs without being heard of, or ""
	Warnings     []string `json:"warnings"`      // what ends within 30 days, or has ended
}

// licenceStatus puts together what the listing of licences and the deployment's
// own report say. A deployment may still run by another licence than the one that
// counts: then it is the one that matters.
func licenceStatus(list []catalog.LiveLicence, d *ehr.Deployment, at time.Time) *LicenceStatus {
	current := plan.CurrentLicence(list)
	if d.Licence != nil {
		if i := slices.IndexFunc(list, func(l catalog.LiveLicence) bool { return l.ID == d.Licence.ID }); i >= 0 {
			current = &list[i]
		}
	}
	s := &LicenceStatus{Warnings: []string{}}
	switch {
	case current != nil:
		s.ID, s.State, s.Expires = current.ID, current.State, catalog.FormatTime(current.Expires)
		s.warn(at, current.Expires, "the licence")
	case d.Licence != nil:
		s.ID, s.State = d.Licence.ID, d.Licence.State
	default:
		return nil
	}
	if d.Licence != nil {
		s.offline(d.Licence.HeartbeatAt, d.Licence.OfflineUntil, at)
	}
	return s
}

// offline tells until when a box runs that is not heard of.
func (s *LicenceStatus) offline(heartbeat, until *time.Time, at time.Time) {
	if heartbeat != nil {
		s.HeartbeatAt = catalog.FormatTime(*heartbeat)
	}
	if until == nil {
		return
	}
	s.OfflineUntil = catalog.FormatTime(*until)
	if heartbeat == nil || at.Sub(*heartbeat) >= silence {
		s.warn(at, *until, "the offline grace")
	}
}

// warn warns of what ends soon, or has ended.
func (s *LicenceStatus) warn(at, end time.Time, what string) {
	switch {
	case !at.Before(end):
		s.Warnings = append(s.Warnings, what+" has ended on "+catalog.FormatTime(end))
	case end.Sub(at) <= warnBefore:
		s.Warnings = append(s.Warnings, what+" ends on "+catalog.FormatTime(end))
	}
}
