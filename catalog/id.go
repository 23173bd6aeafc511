package catalog

import (
	"fmt"
	"strings"
)

// maxIDLength is the longest identifier that the EHR contract allows, in bytes.
const maxIDLength = 63

// kind tells identifiers of different things apart at compile time.
type kind interface{ noun() string }

type (
	organisationKind struct{}
	tenantKind       struct{}
	facilityKind     struct{}
	editionKind      struct{}
	moduleKind       struct{}
	ehrModuleKind    struct{}
	instrumentKind   struct{}
	environmentKind  struct{}
)

func (organisationKind) noun() string { return "organisation id" }
func (tenantKind) noun() string       { return "tenant id" }
func (facilityKind) noun() string     { return "facility id" }
func (editionKind) noun() string      { return "edition key" }
func (moduleKind) noun() string       { return "module key" }
func (ehrModuleKind) noun() string    { return "EHR module key" }
func (instrumentKind) noun() string   { return "instrument key" }
func (environmentKind) noun() string  { return "environment name" }

// ID is an identifier of one kind of thing: lower-case letters, digits and
// inner hyphens, 1 to 63 bytes. Only parsing makes one, so a value that is not
// zero is a valid one; and IDs of two kinds are of two types, so that a
// facility is never passed for a tenant. It can be compared and be a map key.
type ID[K kind] struct{ text string }

// The kinds of identifier. ModuleKey is charter's word for a module and
// EHRModule the EHR's own; Catalog maps between the two.
type (
	OrganisationID = ID[organisationKind]
	TenantID       = ID[tenantKind]
	FacilityID     = ID[facilityKind]
	EditionKey     = ID[editionKind]
	ModuleKey      = ID[moduleKind]
	EHRModule      = ID[ehrModuleKind]
	InstrumentKey  = ID[instrumentKind]
	Environment    = ID[environmentKind]
)

// ParseOrganisationID returns text as an organisation's id, or an IDError.
func ParseOrganisationID(text string) (OrganisationID, error) {
	return parseID[organisationKind](text)
}

// ParseTenantID returns text as a tenant's id, or an IDError.
func ParseTenantID(text string) (TenantID, error) { return parseID[tenantKind](text) }

// ParseFacilityID returns text as a facility's id, or an IDError.
func ParseFacilityID(text string) (FacilityID, error) { return parseID[facilityKind](text) }

// ParseEditionKey returns text as an edition's key, or an IDError.
func ParseEditionKey(text string) (EditionKey, error) { return parseID[editionKind](text) }

// ParseModuleKey returns text as a module's key in declarations, or an IDError.
func ParseModuleKey(text string) (ModuleKey, error) { return parseID[moduleKind](text) }

// ParseEHRModule returns text as a module's key in the EHR, or an IDError.
func ParseEHRModule(text string) (EHRModule, error) { return parseID[ehrModuleKind](text) }

// ParseInstrumentKey returns text as an instrument's key, or an IDError.
func ParseInstrumentKey(text string) (InstrumentKey, error) { return parseID[instrumentKind](text) }

// ParseEnvironment returns text as an environment's name, or an IDError.
func ParseEnvironment(text string) (Environment, error) { return parseID[environmentKind](text) }

// DefaultEnvironment is the one environment of a fleet that declares none.
var DefaultEnvironment = Environment{"default"}

func parseID[K kind](text string) (ID[K], error) {
	if !validID(text) {
		var k K
		return ID[K]{}, &IDError{Noun: k.noun(), Text: text}
	}
	return ID[K]{text}, nil
}

// validID reports whether text matches [a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?. It is
// a loop and not a regular expression because every row of every tenant that is
// read passes through it twice.
func validID(text string) bool {
	if text == "" || len(text) > maxIDLength || text[0] == '-' || text[len(text)-1] == '-' {
		return false
	}
	for i := range len(text) {
		c := text[i]
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// String returns the identifier as it is written everywhere; "" for the zero ID.
func (id ID[K]) String() string { return id.text }

// IsZero reports whether id names nothing.
func (id ID[K]) IsZero() bool { return id.text == "" }

// Compare orders identifiers by their bytes, which is the order of every sorted
// list in charter.
func (id ID[K]) Compare(other ID[K]) int { return strings.Compare(id.text, other.text) }

// MarshalText returns the identifier; the zero ID gives the empty text.
func (id ID[K]) MarshalText() ([]byte, error) { return []byte(id.text), nil }

// UnmarshalText parses text; the empty text gives the zero ID, as a field that
// is left empty on purpose is not a wrong one.
func (id *ID[K]) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*id = ID[K]{}
		return nil
	}
	parsed, err := parseID[K](string(text))
	*id = parsed
	return err
}

// IDError says that a text is no identifier.
type IDError struct {
	Noun string // what it would have named, such as "tenant id"
	Text string // what was given, of any size and with any bytes
}

func (e *IDError) Error() string {
	const shown = 80
	text := e.Text
	if len(text) > shown {
		text = text[:shown] + "…"
	}
	return fmt.Sprintf("%s %q: want 1 to %d of a-z, 0-9 and inner hyphens", e.Noun, text, maxIDLength)
}
