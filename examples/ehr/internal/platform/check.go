package platform

import (
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/veonahealth/charter/catalog"
)

// The bounds of what a client may name or count.
const (
	maxName  = 200     // letters of a name or a role
	maxEmail = 254     // bytes of an address
	maxCount = 1 << 50 // beds, users, gigabytes: exact in every JSON reader
)

// checkName refuses a text that a person could not read as the name of a thing.
func checkName(field, text string) error {
	switch {
	case strings.TrimSpace(text) == "":
		return refuse(Invalid, "%s: missing or blank", field)
	case utf8.RuneCountInString(text) > maxName:
		return refuse(Invalid, "%s: longer than %d letters", field, maxName)
	case strings.ContainsFunc(text, unicode.IsControl):
		return refuse(Invalid, "%s: holds a control character", field)
	}
	return nil
}

func checkCount(field string, n int64) error {
	if n < 0 || n > maxCount {
		return refuse(Invalid, "%s %d: want a whole number from 0 to %d", field, n, int64(maxCount))
	}
	return nil
}

func checkEmail(field, text string) error {
	address, err := mail.ParseAddress(text)
	if err != nil || address.Address != text || len(text) > maxEmail {
		return refuse(Invalid, "%s %.80q: not a bare e-mail address", field, text)
	}
	return nil
}

// checkHosting returns the hosting that a body names; cloud where it names none.
func checkHosting(h catalog.Hosting) (catalog.Hosting, error) {
	switch h {
	case "":
		return catalog.Cloud, nil
	case catalog.Cloud, catalog.OnPrem:
		return h, nil
	}
	return "", refuse(Invalid, "hosting %.80q: want %q or %q", h, catalog.Cloud, catalog.OnPrem)
}

// identifier is any of the catalogue's kinds of identifier.
type identifier interface {
	comparable
	IsZero() bool
	String() string
}

// checkID refuses an identifier that was left out.
func checkID[ID identifier](field string, id ID) error {
	if id.IsZero() {
		return refuse(Invalid, "%s: missing", field)
	}
	return nil
}

// checkSame refuses a body that names another thing than the path does. A body
// that leaves the identifier out means the path's.
func checkSame[ID identifier](field string, inBody, inPath ID) error {
	if !inBody.IsZero() && inBody != inPath {
		return refuse(Invalid, "%s %q: the path says %q", field, inBody.String(), inPath.String())
	}
	return nil
}
