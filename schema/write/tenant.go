package write

import (
	"fmt"
	"slices"
	"strings"

	"github.com/veonahealth/charter/catalog"
)

// NewTenant is what a new tenant's file is made of.
type NewTenant struct {
	ID, Name, Organisation string
	Edition                *catalog.Edition
	Facilities             []string // ids; at least one
	Admins                 []string // e-mail addresses
	OnPrem                 bool
	LicenceExpires         string // a date; only for on-prem
}

// Tenant writes a tenant's file from an edition's blueprint: what the edition
// gives is told in comments, what it asks for is left to be filled in.
func Tenant(t NewTenant) ([]byte, error) {
	var b strings.Builder
	b.WriteString("package fleet\n\n")
	b.WriteString(comment(fmt.Sprintf("%s gives %s. Its limits: %s.", t.Edition.Name, moduleNames(t.Edition), limitNames(t.Edition.Limits))))
	b.WriteString("tenant: {\n")
	for _, field := range [][2]string{{"id", t.ID}, {"name", t.Name}, {"organisation", t.Organisation}, {"edition", t.Edition.Key.String()}} {
		fmt.Fprintf(&b, "\t%s: %s\n", field[0], quote(field[1]))
	}
	if t.OnPrem {
		fmt.Fprintf(&b, "\thosting: \"on-prem\"\n\tlicence: expires: %s\n", quote(t.LicenceExpires))
	}
	b.WriteString("\tfacilities: {\n")
	for _, id := range t.Facilities {
		fmt.Fprintf(&b, "\t\t%s: {name: %s, beds: 0, users: 0, storage_gb: 0}\n", label(id), quote(title(id)))
	}
	b.WriteString("\t}\n")
	for _, email := range t.Admins {
		name, _, _ := strings.Cut(email, "@")
		fmt.Fprintf(&b, "\tadmins: %s: name: %s\n", quote(email), quote(name))
	}
	b.WriteString("}\n")
	return formatted([]byte(b.String()))
}

func moduleNames(e *catalog.Edition) string {
	names := make([]string, len(e.Modules))
	for i, key := range e.Modules {
		names[i] = key.String()
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func limitNames(l catalog.Limits) string {
	var parts []string
	for _, limit := range []struct {
		value int64
		unit  string
	}{{l.Facilities, "facilities"}, {l.Users, "users"}, {l.Beds, "beds"}, {l.StorageGB, "GB"}} {
		if limit.value == catalog.Unlimited {
			parts = append(parts, "unlimited "+limit.unit)
		} else {
			parts = append(parts, fmt.Sprintf("%d %s", limit.value, limit.unit))
		}
	}
	return strings.Join(parts, ", ")
}

// comment sets a text as comment lines of a readable width.
func comment(text string) string {
	const width = 80
	var b strings.Builder
	line := "//"
	for _, word := range strings.Fields(text) {
		if len(line)+1+len(word) > width {
			b.WriteString(line + "\n")
			line = "//"
		}
		line += " " + word
	}
	return b.String() + line + "\n"
}

// title makes a name of an id: "north-wing" is "North wing".
func title(id string) string {
	name := strings.ReplaceAll(id, "-", " ")
	return strings.ToUpper(name[:1]) + name[1:]
}
