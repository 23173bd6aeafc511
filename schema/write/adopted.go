package write

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/veonahealth/charter/catalog"
)

// text is CUE source on its way into a file.
type text struct{ strings.Builder }

// line adds a line; fields of values that are empty are left out by the caller.
func (t *text) line(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) }

// file begins a file of a package.
func file(pkg string) *text {
	t := &text{}
	t.line("package %s\n", pkg)
	return t
}

func (t *text) formatted() ([]byte, error) { return formatted([]byte(t.String())) }

// Adopted writes the file of a tenant as it was found on a platform: all that is
// declared of it but staff, tombstones and a time zone, which no platform tells.
func Adopted(tenant *catalog.Tenant) ([]byte, error) {
	t := file("fleet")
	t.line("tenant: {")
	t.line("id: %s", quote(tenant.ID.String()))
	t.line("name: %s", quote(tenant.Name))
	t.line("organisation: %s", quote(tenant.Organisation.String()))
	t.line("edition: %s", quote(tenant.Edition.String()))
	if tenant.Environment != catalog.DefaultEnvironment {
		t.line("environment: %s", quote(tenant.Environment.String()))
	}
	if tenant.Hosting != catalog.Cloud {
		t.line("hosting: %s", quote(string(tenant.Hosting)))
	}
	t.licence(tenant.Licence)
	t.line("facilities: {")
	for i := range tenant.Facilities {
		t.facility(&tenant.Facilities[i])
	}
	t.line("}")
	t.adjustments(Grants, tenant.Grants)
	t.adjustments(Revocations, tenant.Revocations)
	t.limits(tenant.Limits)
	t.connections(tenant.Connect)
	t.admins(tenant.Admins)
	t.line("}")
	return t.formatted()
}

func (t *text) licence(l *catalog.Licence) {
	if l == nil {
		return
	}
	fields := "expires: " + when(l.Expires)
	if !l.NotBefore.IsZero() {
		fields = "not_before: " + when(l.NotBefore) + ", " + fields
	}
	if l.Revoked != "" {
		fields += ", revoked: " + quote(l.Revoked)
	}
	t.line("licence: {%s}", fields)
}

func when(at time.Time) string { return quote(catalog.FormatTime(at)) }

// facility writes a site: on one line, but where modules are granted or revoked.
func (t *text) facility(f *catalog.Facility) {
	sizes := fmt.Sprintf("beds: %d, users: %d, storage_gb: %d", f.Beds, f.Users, f.StorageGB)
	if len(f.Grants)+len(f.Revocations) == 0 {
		t.line("%s: {name: %s, %s}", label(f.ID.String()), quote(f.Name), sizes)
		return
	}
	t.line("%s: {", label(f.ID.String()))
	t.line("name: %s\n%s", quote(f.Name), sizes)
	t.adjustments(Grants, f.Grants)
	t.adjustments(Revocations, f.Revocations)
	t.line("}")
}

// entries writes a map: without braces where it has one entry.
func (t *text) entries(name string, list []string) {
	switch len(list) {
	case 0:
	case 1:
		t.line("%s: %s", name, list[0])
	default:
		t.line("%s: {\n%s\n}", name, strings.Join(list, "\n"))
	}
}

func (t *text) adjustments(name string, list []catalog.Adjustment) {
	var lines []string
	for _, a := range list {
		s := Statement{Reason: a.Reason, Ticket: a.Ticket}
		if !a.From.IsZero() {
			s.From = catalog.FormatTime(a.From)
		}
		if !a.Until.IsZero() {
			s.Until = catalog.FormatTime(a.Until)
		}
		lines = append(lines, label(a.Module.String())+": "+s.text())
	}
	t.entries(name, lines)
}

func (t *text) limits(list []catalog.LimitOverride) {
	var lines []string
	for _, l := range list {
		lines = append(lines, fmt.Sprintf("%s: {value: %s, reason: %s}", l.Limit, most(l.Value), quote(l.Reason)))
	}
	t.entries("limits", lines)
}

// most writes a limit.
func most(limit int64) string {
	if limit == catalog.Unlimited {
		return "null"
	}
	return strconv.FormatInt(limit, 10)
}

func (t *text) connections(list []catalog.Connection) {
	var lines []string
	for _, c := range list {
		lines = append(lines, fmt.Sprintf("%s: reason: %s", label(c.Instrument.String()), quote(c.Reason)))
	}
	t.entries("connect", lines)
}

func (t *text) admins(list []catalog.Admin) {
	var lines []string
	for _, a := range list {
		lines = append(lines, fmt.Sprintf("%s: name: %s", quote(a.Email), quote(a.Name)))
	}
	t.entries("admins", lines)
}

// Organisation writes the file of an organisation.
func Organisation(o *catalog.Organisation) ([]byte, error) {
	t := file("fleet")
	t.line("organisations: %s: name: %s", label(o.ID.String()), quote(o.Name))
	return t.formatted()
}

// Holds writes a file of holds.
func Holds(list []catalog.Hold) ([]byte, error) {
	t := file("fleet")
	for _, h := range list {
		t.line("hold: %s: {", quote(h.Key))
		t.line("tenant: %s", quote(h.Tenant.String()))
		if !h.Facility.IsZero() {
			t.line("facility: %s", quote(h.Facility.String()))
		}
		if len(h.Modules) > 0 {
			t.line("modules: %s", keys(h.Modules))
		}
		t.line("owner: %s", quote(h.Owner))
		t.line("reason: %s", quote(h.Reason))
		t.line("until: %s", when(h.Until))
		t.line("}")
	}
	return t.formatted()
}

// keys writes a list of modules, sorted.
func keys(modules []catalog.ModuleKey) string {
	names := make([]string, len(modules))
	for i, key := range modules {
		names[i] = quote(key.String())
	}
	slices.Sort(names)
	return "[" + strings.Join(names, ", ") + "]"
}

// Editions writes a file of the catalogue with editions.
func Editions(list []*catalog.Edition) ([]byte, error) {
	t := file("catalog")
	t.line("editions: {")
	for _, e := range list {
		t.line("%s: {", label(e.Key.String()))
		t.line("name: %s", quote(e.Name))
		t.line("modules: %s", keys(e.Modules))
		t.line("limits: {facilities: %s, users: %s, beds: %s, storage_gb: %s}",
			most(e.Limits.Facilities), most(e.Limits.Users), most(e.Limits.Beds), most(e.Limits.StorageGB))
		t.line("}")
	}
	t.line("}")
	return t.formatted()
}

// Module writes a file of the catalogue with one module of which nothing is known
// but what the EHR calls it.
func Module(m *catalog.Module) ([]byte, error) {
	t := file("catalog")
	fields := "name: " + quote(m.Name)
	if m.EHR.String() != m.Key.String() {
		fields += ", ehr_key: " + quote(m.EHR.String())
	}
	t.line("modules: %s: {%s}", label(m.Key.String()), fields)
	return t.formatted()
}

// Instrument writes a file of the catalogue with one instrument.
func Instrument(in *catalog.Instrument) ([]byte, error) {
	t := file("catalog")
	t.line("instruments: %s: {name: %s, protocol: %s}", label(in.Key.String()), quote(in.Name), quote(in.Protocol))
	return t.formatted()
}
