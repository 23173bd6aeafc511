package adopt

import (
	"strings"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
)

// PartialError says what was not read and cannot be left out of a declaration:
// what is not known must not be declared as if it were not there.
type PartialError struct {
	// Missing is what was not read, each with the way to have it read.
	Missing []string
}

func (e *PartialError) Error() string {
	return "read the platform: " + strings.Join(e.Missing, "; ")
}

// whole refuses a declaration by which a later plan, of a token that may read more,
// would alter or take away what is there. Administrators are not asked for: one who
// is not declared stays.
func (d *declarer) whole() error {
	e := &PartialError{}
	if d.Request.New && d.reading.Editions == nil && d.reading.Denied[ReadEditions] {
		e.add(d.reading, ReadEditions, "editions")
	}
	if len(d.Organisations) > 0 && d.reading.Organisations == nil && d.reading.Denied[ReadOrganisations] {
		e.add(d.reading, ReadOrganisations, "organisations")
	}
	if d.any(func(_ *catalog.Tenant, live plan.Live) bool { return live.Instruments == nil }) && d.reading.Denied[ReadInstruments] {
		e.add(d.reading, ReadInstruments, "instruments")
	}
	if d.any(func(t *catalog.Tenant, live plan.Live) bool {
		return t.Hosting == catalog.OnPrem && live.Licences == nil
	}) {
		e.add(d.reading, ReadLicences, "the licences of on-prem tenants")
	}
	if len(e.Missing) > 0 {
		return e
	}
	return nil
}

// any reports whether something is true of a tenant that is declared now.
func (d *declarer) any(is func(*catalog.Tenant, plan.Live) bool) bool {
	for i := range d.Tenants {
		if t := &d.Tenants[i]; is(t, d.reading.Tenant(t.ID)) {
			return true
		}
	}
	return false
}

func (e *PartialError) add(r *Reading, needs Capability, what string) {
	why := "the platform does not offer them"
	if r.Denied[needs] {
		why = "the token lacks " + string(needs)
	}
	e.Missing = append(e.Missing, what+" were not read: "+why)
}
