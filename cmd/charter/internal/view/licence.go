package view

import (
	"fmt"
	"io"
	"strings"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan/seal"
)

// CheckedLicence is a licence whose signature was right.
type CheckedLicence struct {
	seal.Licence
	Allows *LicenceTerms `json:"allows"` // nil where only the token was given
	Wrong  string        `json:"wrong"`  // why it may not be used, or ""
}

// LicenceTerms is what a licence allows.
type LicenceTerms struct {
	Limits  catalog.LiveLimits       `json:"limits"`
	Modules []catalog.LicensedModule `json:"modules"`
}

// Licence writes a licence for people.
func Licence(w io.Writer, l *CheckedLicence) error {
	var t table
	t.add("licence", Clean(l.Licence.Licence))
	t.add("tenant", Clean(l.Tenant))
	t.add("platform", Clean(l.Instance))
	t.add("valid", "from "+catalog.FormatTime(l.NotBefore)+" until "+catalog.FormatTime(l.Expires))
	box := "none yet"
	if l.Fingerprint != "" {
		box = Clean(l.Fingerprint)
	}
	t.add("box", box)
	if l.OfflineUntil != nil {
		t.add("offline", "until "+catalog.FormatTime(*l.OfflineUntil))
	}
	if l.Allows == nil {
		t.add("allows", "not told by the token alone")
	} else {
		l.Allows.add(&t)
	}
	return t.write(w, func(_ int, line string) string { return line })
}

// add adds what is allowed: a line for the limits, and one a facility.
func (a *LicenceTerms) add(t *table) {
	most := func(n *int64, unit string) string {
		if n == nil {
			return "unlimited " + unit
		}
		return fmt.Sprintf("%d %s", *n, unit)
	}
	t.add("limits", strings.Join([]string{
		most(a.Limits.Facilities, "facilities"), most(a.Limits.Users, "users"), most(a.Limits.Beds, "beds"), most(a.Limits.StorageGB, "GB"),
	}, ", "))
	first := 0
	for i := range a.Modules {
		if i+1 < len(a.Modules) && a.Modules[i+1].Facility == a.Modules[i].Facility {
			continue
		}
		var names []string
		for _, m := range a.Modules[first : i+1] {
			names = append(names, Clean(m.Module)+span(m))
		}
		t.add("allows", Clean(a.Modules[i].Facility)+": "+strings.Join(names, ", "))
		first = i + 1
	}
}

func span(m catalog.LicensedModule) string {
	text := ""
	if m.From != nil {
		text += " from " + catalog.FormatTime(*m.From)
	}
	if m.Until != nil {
		text += " until " + catalog.FormatTime(*m.Until)
	}
	return text
}
