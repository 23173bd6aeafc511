package adopt

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
)

// Request says into what a platform is declared.
type Request struct {
	// Base is what is declared already: of a new fleet the default catalogue alone.
	Base *catalog.Desired
	// New says that Base's editions are those of nobody: the platform's take their
	// place, as far as they could be read.
	New         bool
	Environment catalog.Environment // of the tenants
	At          time.Time           // the day of the reading
	Owner       string              // who the holds name as the one to ask
}

// Note is a decision that somebody should look at.
type Note struct {
	Tenant string `json:"tenant"` // "" where it is of no tenant
	Text   string `json:"text"`
}

// Declarations is what is missing of a platform in what is declared.
type Declarations struct {
	Catalog       *catalog.Catalog // all of it, with what is added
	New           bool             // the editions are all there are
	Modules       []*catalog.Module
	Editions      []*catalog.Edition
	Instruments   []*catalog.Instrument
	Organisations []catalog.Organisation
	Tenants       []catalog.Tenant          // sorted by id
	Holds         map[string][]catalog.Hold // by tenant
	Notes         []Note
}

// holdDays is for how long rows that break a rule are held.
const holdDays = 90

const day = 24 * time.Hour

// declarer declares a platform.
type declarer struct {
	*Request
	*Declarations
	reading *Reading
	reason  string
	unknown map[string]int // rows of modules that the catalogue does not have
}

// Declare declares a platform as far as it is not declared already. It ends with a
// *PartialError where what was not read would be declared as something that a
// later plan acts upon.
func Declare(r *Reading, q Request) (*Declarations, error) {
	d := &declarer{
		Request: &q, reading: r, reason: "as found on " + catalog.FormatTime(q.At.UTC().Truncate(day)),
		Declarations: &Declarations{New: q.New && r.Editions != nil, Holds: map[string][]catalog.Hold{}},
		unknown:      map[string]int{},
	}
	if err := d.catalogue(); err != nil {
		return nil, err
	}
	for i := range r.Tenants {
		f := &r.Tenants[i]
		if q.Base.Tenant(f.ID) != nil {
			continue
		}
		if why := d.undeclarable(f); why != "" {
			d.note(f.ID.String(), "left out: %s", why)
			continue
		}
		d.tenant(f)
	}
	d.organisations()
	if err := d.whole(); err != nil {
		return nil, err
	}
	for _, module := range slices.Sorted(maps.Keys(d.unknown)) {
		d.note("", "module %s is not in the catalogue: its rows (%d) stay as they are, held", module, d.unknown[module])
	}
	return d.Declarations, nil
}

func (d *declarer) note(tenant, format string, args ...any) {
	d.Notes = append(d.Notes, Note{tenant, fmt.Sprintf(format, args...)})
}

// undeclarable says why a tenant cannot be declared, or "".
func (d *declarer) undeclarable(f *Found) string {
	_, err := catalog.ParseOrganisationID(f.Live.Tenant.Organisation)
	switch {
	case f.Live.Unreadable != "":
		return "its live state could not be read: " + f.Live.Unreadable
	case f.Live.Facilities == nil:
		return "the platform does not say which facilities it has"
	case len(f.Live.Facilities) == 0:
		return "it has no facility yet"
	case err != nil:
		return err.Error()
	case len(d.Catalog.Editions()) == 0:
		return "there is no edition"
	}
	return ""
}

// tenant declares one.
func (d *declarer) tenant(f *Found) {
	t := catalog.Tenant{
		ID: f.ID, Name: d.named(f.Live.Tenant.Name, f.ID.String()), Environment: d.Environment, Hosting: catalog.Cloud,
	}
	t.Organisation, _ = catalog.ParseOrganisationID(f.Live.Tenant.Organisation) // it was judged
	if f.Live.Tenant.Hosting == string(catalog.OnPrem) {
		t.Hosting = catalog.OnPrem
	}
	for _, site := range f.Live.Facilities {
		id, _ := catalog.ParseFacilityID(site.ID) // the client took no other
		t.Facilities = append(t.Facilities, catalog.Facility{
			ID: id, Name: d.named(site.Name, site.ID), Beds: count(site.Beds), Users: count(site.Users), StorageGB: count(site.StorageGB),
		})
	}
	d.connect(&t, f.Live.Instruments)
	d.rows(&t, f)
	d.licence(&t, f)
	d.limits(&t, f)
	d.admins(&t, f.Live.Admins)
	d.Tenants = append(d.Tenants, t)
}

// named gives a name that may be declared: one that shows nothing is not.
func (d *declarer) named(name, otherwise string) string {
	if strings.Trim(name, "\t\n\f\r ") == "" {
		return otherwise
	}
	return name
}

// maxCount is the largest number that may be declared.
const maxCount = 1_000_000_000_000

// count gives a number that may be declared.
func count(n int64) int64 { return min(max(n, 0), maxCount) }

// connect declares the licensed instruments, and adds those to the catalogue that
// it does not have.
func (d *declarer) connect(t *catalog.Tenant, live []string) {
	for _, name := range live {
		key, err := catalog.ParseInstrumentKey(name)
		if err != nil {
			d.note(t.ID.String(), "not declared: %s", err)
			continue
		}
		known := d.Catalog.HasInstrument(key) || slices.ContainsFunc(d.Instruments, func(i *catalog.Instrument) bool { return i.Key == key })
		if !known {
			d.Instruments = append(d.Instruments, &catalog.Instrument{Key: key, Name: name, Protocol: "unknown"})
			d.note("", "instrument %s is not in the catalogue: it is added there; give it its name and protocol", key)
		}
		t.Connect = append(t.Connect, catalog.Connection{Instrument: key, Reason: d.reason})
	}
}

// licence declares the terms of the licence that counts. An on-prem tenant without
// one is declared as one whose licence has ended: none is issued then, and one that
// somebody issues later is not revoked, as a tombstone's would be.
func (d *declarer) licence(t *catalog.Tenant, f *Found) {
	current := plan.CurrentLicence(f.Live.Licences)
	switch {
	case current != nil:
		t.Licence = &catalog.Licence{Expires: current.Expires}
		if current.NotBefore.After(d.At) {
			t.Licence.NotBefore = current.NotBefore
		}
	case t.Hosting == catalog.OnPrem:
		t.Licence = &catalog.Licence{Expires: d.At.UTC().Truncate(day)}
		d.note(t.ID.String(), "on-prem, without a licence that is not revoked: declared with one that has ended, so that none is issued; give it another end to have one")
	}
}

// limits declares what the tenant may have where that is not what its edition
// allows: by its licence, or because it has more.
func (d *declarer) limits(t *catalog.Tenant, f *Found) {
	edition := d.Catalog.Edition(t.Edition).Limits.Live()
	may := edition
	if current := plan.CurrentLicence(f.Live.Licences); current != nil {
		may = current.Limits
	}
	for _, l := range []struct {
		name       string
		may, sells *int64
		has        func(*catalog.Facility) int64
	}{
		{"beds", may.Beds, edition.Beds, func(f *catalog.Facility) int64 { return f.Beds }},
		{"facilities", may.Facilities, edition.Facilities, func(*catalog.Facility) int64 { return 1 }},
		{"storage_gb", may.StorageGB, edition.StorageGB, func(f *catalog.Facility) int64 { return f.StorageGB }},
		{"users", may.Users, edition.Users, func(f *catalog.Facility) int64 { return f.Users }},
	} {
		var has int64
		for i := range t.Facilities {
			has += l.has(&t.Facilities[i])
		}
		if limit := allowed(l.may, has); limit != allowed(l.sells, 0) {
			t.Limits = append(t.Limits, catalog.LimitOverride{Limit: l.name, Value: limit, Reason: d.reason})
		}
	}
}

// allowed is a limit that is not below what there is.
func allowed(limit *int64, has int64) int64 {
	if limit == nil || has > maxCount {
		return catalog.Unlimited
	}
	return max(count(*limit), has)
}

// admins declares those who were not withdrawn.
func (d *declarer) admins(t *catalog.Tenant, live []catalog.LiveAdmin) {
	for _, a := range live {
		again := slices.ContainsFunc(t.Admins, func(b catalog.Admin) bool { return catalog.SameEmail(a.Email, b.Email) })
		switch {
		case a.State == plan.AdminWithdrawn || again:
		case !isEmail(a.Email):
			d.note(t.ID.String(), "administrator %.80q is not declared: that is no e-mail address", a.Email)
		default:
			t.Admins = append(t.Admins, catalog.Admin{Email: a.Email, Name: d.named(a.Name, a.Email)})
		}
	}
	slices.SortFunc(t.Admins, func(a, b catalog.Admin) int { return strings.Compare(a.Email, b.Email) })
}

// isEmail reports whether a declaration takes a text for an address.
func isEmail(text string) bool {
	name, domain, _ := strings.Cut(text, "@")
	part := func(s string, most int) bool {
		return s != "" && len([]rune(s)) <= most && !strings.ContainsAny(s, "\t\n\f\r @<>\"")
	}
	return part(name, 64) && part(domain, 190)
}

// organisations declares those that the platform has, or that a tenant belongs to,
// and that are not declared yet.
func (d *declarer) organisations() {
	names := map[string]string{}
	for _, t := range d.Tenants {
		names[t.Organisation.String()] = ""
	}
	for id, o := range d.reading.Organisations {
		names[id] = o.Name
	}
	for _, o := range d.Base.Organisations {
		delete(names, o.ID.String())
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		id, err := catalog.ParseOrganisationID(name)
		if err != nil {
			d.note("", "left out: %s", err)
			continue
		}
		d.Organisations = append(d.Organisations, catalog.Organisation{ID: id, Name: d.named(names[name], name)})
	}
}
