package plan

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/veonahealth/charter/catalog"
)

// licenceBody asks for a licence.
type licenceBody struct {
	Expires   time.Time                `json:"expires"`
	Limits    catalog.LiveLimits       `json:"limits"`
	Modules   []catalog.LicensedModule `json:"modules"`
	NotBefore *time.Time               `json:"not_before,omitempty"`
	Tenant    string                   `json:"tenant"`
}

// The states of a licence that something is decided by.
const (
	LicenceIssued  = "issued" // no deployment has activated it yet
	LicenceRevoked = "revoked"
)

// CurrentLicence returns the licence of a tenant that counts, or nil for none: of
// those that are not revoked, one that waits to be activated, as the deployment
// will go on by it; else the one that ends last.
func CurrentLicence(list []catalog.LiveLicence) *catalog.LiveLicence {
	var current *catalog.LiveLicence
	for i := range list {
		l := &list[i]
		if l.State != LicenceRevoked && (current == nil || compareLicences(l, current) > 0) {
			current = l
		}
	}
	return current
}

func compareLicences(a, b *catalog.LiveLicence) int {
	waits := func(l *catalog.LiveLicence) int {
		if l.State == LicenceIssued {
			return 1
		}
		return 0
	}
	return cmp.Or(waits(a)-waits(b), a.Expires.Compare(b.Expires), strings.Compare(a.ID, b.ID))
}

// licence issues an on-prem tenant's licence, and issues it anew where what it
// allows or its end has changed. It is revoked by its tombstone alone.
func (b *Builder) licence(p *Part, t *catalog.Tenant, live Live) error {
	if t.Licence == nil || live.Licences == nil {
		p.offered(t.Licence == nil, "licence")
		return nil
	}
	if t.Licence.Revoked != "" {
		return b.revokeLicences(p, t.Licence, live.Licences)
	}
	current := CurrentLicence(live.Licences)
	if t.Closed.ClosedAt(b.plan.At) || !b.plan.At.Before(t.Licence.Expires) {
		return nil // an end that has come asks for no licence
	}
	body := licenceBody{
		Expires: t.Licence.Expires, Limits: b.catalog.LimitsOf(t).Live(), Modules: b.licensed(t, live.Grant.Rows), Tenant: p.tenant,
	}
	if !t.Licence.NotBefore.IsZero() {
		body.NotBefore = &t.Licence.NotBefore
	}
	var base *Base
	reason := b.at(New, "an on-prem deployment needs one", t.Licence.Pos)
	if current != nil {
		why := outdated(current, &body, b.plan.At)
		if why == "" {
			return nil
		}
		reason = b.at(Changed, why, t.Licence.Pos)
		var err error
		if base, err = ContentOf(current.Terms); err != nil {
			return err
		}
	}
	return b.send(p, Licence, newRequest(http.MethodPost, "/licenses", body), base, because(reason, licenceIssued(body))...)
}

// revokeLicences ends all that a deployment runs by, or could go on by.
func (b *Builder) revokeLicences(p *Part, declared *catalog.Licence, live []catalog.LiveLicence) error {
	for i := range live {
		l := &live[i]
		if l.State == LicenceRevoked {
			continue
		}
		base, err := ContentOf(l.Terms)
		if err != nil {
			return err
		}
		changes := because(b.at(Tombstone, declared.Revoked, declared.Pos), licenceRevoked(l.ID, l.State))
		if err := b.send(p, Licence, newRequest(http.MethodPost, "/licenses/"+url.PathEscape(l.ID)+"/revoke", struct{}{}), base, changes...); err != nil {
			return err
		}
	}
	return nil
}

// licensed is what the tenant's licence has to allow: what is declared, and, as
// they are live, the rows that are not ours or on hold, which a deployment would
// lose if its licence did not name them.
func (b *Builder) licensed(t *catalog.Tenant, live catalog.Rows) []catalog.LicensedModule {
	list := slices.DeleteFunc(b.catalog.Licensed(t, b.plan.At), func(m catalog.LicensedModule) bool {
		return b.kept(t, m.Facility, m.Module)
	})
	for _, row := range live {
		if facility, module := row.Facility.String(), row.Module.String(); b.kept(t, facility, module) {
			list = append(list, catalog.LicensedModule{Facility: facility, Module: module})
		}
	}
	slices.SortFunc(list, catalog.LicensedModule.Compare)
	return list
}

// kept reports whether a row stays as it is live, whatever is declared.
func (b *Builder) kept(t *catalog.Tenant, facility, module string) bool {
	at, err := catalog.ParseFacilityID(facility)
	if err != nil || t.Facility(at) == nil {
		return true
	}
	key, err := catalog.ParseEHRModule(module)
	index, known := b.catalog.FromEHR(key)
	return err != nil || !known || slices.ContainsFunc(b.holds[t.ID], func(h catalog.Hold) bool {
		return h.Covers(at, b.catalog.Module(index).Key)
	})
}

// outdated says why a licence has to be issued anew, or "".
func outdated(current *catalog.LiveLicence, want *licenceBody, at time.Time) string {
	same := func(x, y catalog.LicensedModule) bool {
		return x.Facility == y.Facility && x.Module == y.Module && sameTime(x.From, y.From) && sameTime(x.Until, y.Until)
	}
	modules := catalog.Current(slices.Clone(current.Modules), at)
	slices.SortFunc(modules, catalog.LicensedModule.Compare)
	switch {
	case !current.Expires.Equal(want.Expires):
		return "it ends on " + catalog.FormatTime(current.Expires)
	case want.NotBefore != nil && !current.NotBefore.Equal(*want.NotBefore):
		return "it begins on " + catalog.FormatTime(current.NotBefore)
	case !reflect.DeepEqual(current.Limits, want.Limits):
		return "its limits are others"
	case !slices.EqualFunc(modules, want.Modules, same):
		return "it allows other modules"
	}
	return ""
}

// LicenceMeets reports whether a licence is as the request to issue one asks for,
// at an instant.
func LicenceMeets(current *catalog.LiveLicence, r *Request, at time.Time) (bool, error) {
	var want licenceBody
	if err := json.Unmarshal(r.Body, &want); err != nil {
		return false, err
	}
	return outdated(current, &want, at) == "", nil
}

func sameTime(a, b *time.Time) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}
