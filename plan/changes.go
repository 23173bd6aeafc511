package plan

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/veonahealth/charter/catalog"
)

// The changes of a batch that sends a request follow from the request's body and
// from what was there before. How they do is said here once: Builder shows by it
// what it is going to send, and Decode holds by it what a file shows against what
// the file sends.

// Kinds of changes that are no subject of their own.
const (
	kindStaff      = "staff"
	kindInstrument = "instrument"
)

// because gives changes the one reason that all of them have.
func because(reason Reason, changes ...Change) []Change {
	for i := range changes {
		changes[i].Reason = reason
	}
	return changes
}

// altered lists the fields in which two things differ.
type altered struct {
	kind, facility string
	changes        []Change
}

func (a *altered) field(name, before, after string) {
	if before != after {
		a.changes = append(a.changes, Change{
			Action: Alter, Kind: a.kind, Facility: a.facility, Key: name, Before: before, After: after,
		})
	}
}

func tenantCreated(want catalog.LiveTenant) Change {
	after := want.Name + ", organisation " + want.Organisation + ", edition " + want.Edition + ", " + want.Hosting
	return Change{Action: Create, Kind: string(Tenant), Key: want.ID, After: after}
}

func tenantAltered(was, want catalog.LiveTenant) []Change {
	a := altered{kind: string(Tenant)}
	a.field("edition", was.Edition, want.Edition)
	a.field("hosting", was.Hosting, want.Hosting)
	a.field("name", was.Name, want.Name)
	a.field("organisation", was.Organisation, want.Organisation)
	return a.changes
}

func organisationCreated(want catalog.LiveOrganisation) Change {
	return Change{Action: Create, Kind: string(Organisation), Key: want.ID, After: want.Name}
}

func organisationAltered(was, want catalog.LiveOrganisation) []Change {
	a := altered{kind: string(Organisation)}
	a.field("name", was.Name, want.Name)
	return a.changes
}

// editionCreated shows the name, the modules and each limit that there is.
func editionCreated(want catalog.LiveEdition) Change {
	after := want.Name + ": " + cmp.Or(strings.Join(want.Modules, " "), "no modules") + limitsText(want.Limits)
	return Change{Action: Create, Kind: string(Edition), Key: want.Key, After: after}
}

func editionAltered(was, want catalog.LiveEdition) []Change {
	a := altered{kind: string(Edition)}
	for _, module := range was.Modules {
		if !slices.Contains(want.Modules, module) {
			a.field(editionModules, module, "")
		}
	}
	for _, module := range want.Modules {
		if !slices.Contains(was.Modules, module) {
			a.field(editionModules, "", module)
		}
	}
	a.field("name", was.Name, want.Name)
	before := limitsOf(&was.Limits)
	for i, limit := range limitsOf(&want.Limits) {
		a.field(limit.name, limitText(*before[i].value), limitText(*limit.value))
	}
	return a.changes
}

// limitsText names each limit that there is.
func limitsText(l catalog.LiveLimits) (text string) {
	for _, limit := range limitsOf(&l) {
		if *limit.value != nil {
			text += ", " + limit.name + " " + number(**limit.value)
		}
	}
	return text
}

// editionModules is the key of a change of one of an edition's modules.
const editionModules = "modules"

// limit is one of an edition's limits by the name that a change has.
type limit struct {
	name  string
	value **int64
}

func limitsOf(l *catalog.LiveLimits) []limit {
	return []limit{
		{"limits.beds", &l.Beds}, {"limits.facilities", &l.Facilities}, {"limits.storage_gb", &l.StorageGB}, {"limits.users", &l.Users},
	}
}

const unlimited = "unlimited"

func limitText(n *int64) string {
	if n == nil {
		return unlimited
	}
	return number(*n)
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// siteCreated shows the name, the edition whose rows come with the site, and each
// size that is given.
func siteCreated(want catalog.LiveFacility, edition string) Change {
	after := want.Name + ", edition " + edition
	for _, size := range []struct {
		n    int64
		unit string
	}{{want.Beds, "beds"}, {want.Users, "users"}, {want.StorageGB, "GB"}} {
		if size.n != 0 {
			after += ", " + number(size.n) + " " + size.unit
		}
	}
	return Change{Action: Create, Kind: string(Facility), Facility: want.ID, Key: want.ID, After: after}
}

func siteAltered(was, want catalog.LiveFacility) []Change {
	a := altered{kind: string(Facility), facility: want.ID}
	a.field("beds", number(was.Beds), number(want.Beds))
	a.field("name", was.Name, want.Name)
	a.field("storage_gb", number(was.StorageGB), number(want.StorageGB))
	a.field("users", number(was.Users), number(want.Users))
	return a.changes
}

func accountCreated(want Account) Change {
	return Change{Action: Create, Kind: kindStaff, Facility: want.Facility, Key: want.Email, After: want.Name + ", " + want.Role}
}

// instrumentsAltered shows what is taken away, then what is given.
func instrumentsAltered(was, want []string) []Change {
	var changes []Change
	for _, key := range was {
		if !slices.Contains(want, key) {
			changes = append(changes, Change{Action: Revoke, Kind: kindInstrument, Key: key})
		}
	}
	for _, key := range want {
		if !slices.Contains(was, key) {
			changes = append(changes, Change{Action: Grant, Kind: kindInstrument, Key: key})
		}
	}
	return changes
}

func adminInvited(want AdminBody) Change {
	return Change{Action: Invite, Kind: string(Admin), Key: want.Email, After: want.Name}
}

func adminWithdrawn(email, state string) Change {
	return Change{Action: Revoke, Kind: string(Admin), Key: email, Before: state}
}

// licenceIssued sums up, as a licence names every row of the tenant.
func licenceIssued(want licenceBody) Change {
	after := strconv.Itoa(len(want.Modules)) + " modules"
	if want.NotBefore != nil {
		after += " from " + catalog.FormatTime(*want.NotBefore)
	}
	after += " until " + catalog.FormatTime(want.Expires) + limitsText(want.Limits)
	return Change{Action: Issue, Kind: string(Licence), Key: want.Tenant, After: after}
}

func licenceRevoked(id, state string) Change {
	return Change{Action: Revoke, Kind: string(Licence), Key: id, Before: state}
}

// rulesAltered is the one change of a batch of the fleet's own.
func rulesAltered(subject Subject, was, now Digest) Change {
	return Change{Action: Alter, Kind: string(subject), Key: string(subject), Before: was.String(), After: now.String()}
}
