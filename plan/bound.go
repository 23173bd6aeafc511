package plan

import (
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	strict "github.com/go-json-experiment/json"

	"github.com/veonahealth/charter/catalog"
)

// People approve what they are shown, and a batch's digest covers what is sent. A
// file in which the two differ is a forgery, and is refused: the changes of every
// batch are worked out from its request once more, and must be those that it
// shows. What was there before is taken from the changes themselves; where the
// base is a digest of it, it must be that one. Four things cannot be told from a
// file alone. The modules that come with a new facility are the edition's: they
// are held to be the same at each facility, and those of the edition's batch where
// the plan has one. What an edition was before is known by its revision alone. Of
// both, apply asks CheckEdition before it writes. The state of a licence that is
// revoked is part of no digest, and the rows that a licence allows are shown by
// their number.
//
// For information, and bound to nothing, are a change's class and reason, and
// whether a target branch has it anyway. A row's module, routes and whether it is
// critical are the catalogue's: they are held to be the same throughout the plan,
// and who judges a plan looks up by the EHR's key in the catalogue itself what is
// critical.

var (
	errShown    = errors.New("the changes are not what its request does")
	errBase     = errors.New("what its changes say was there is not what it stands on")
	errSpelling = errors.New("the body is not as charter writes one")
	errRow      = errors.New("a row is shown as something else")
	errLegend   = errors.New("two rows of one module are shown with another module, other routes or other care")
	errEdition  = errors.New("the modules of the new facilities are not those that the edition gives each")
	errLocal    = errors.New("its local time is another time")
	errSummary  = errors.New("its summary does not count its changes")
	errOrder    = errors.New("its batches do not stand in the order in which they are carried out")
)

// sameShown reports whether two lists show the same to people, but for what is
// information alone.
func sameShown(a, b []Change) bool {
	return slices.EqualFunc(a, b, func(x, y Change) bool { return x.bound() == y.bound() && slices.Equal(x.Routes, y.Routes) })
}

// shown is a change without its reason, routes and class.
type shown struct {
	action                                                Action
	after, before, ehrModule, facility, key, kind, module string
	critical                                              bool
}

func (c *Change) bound() shown {
	return shown{c.Action, c.After, c.Before, c.EHRModule, c.Facility, c.Key, c.Kind, c.Module, c.Critical}
}

// asRow is a change with nothing that a row has not.
func (c *Change) asRow() Change {
	return Change{
		Action: c.Action, Critical: c.Critical, EHRModule: c.EHRModule, Facility: c.Facility, Kind: KindRow, Module: c.Module, Routes: c.Routes,
	}
}

// showing gives what checks a batch whose body is a T: that it says nothing else,
// in charter's own spelling, and that the batch shows the changes that follow.
func showing[T any](changes func(T, *Batch) ([]Change, error)) func(*Batch) error {
	return func(b *Batch) error {
		var body T
		if err := strict.Unmarshal(b.Request.Body, &body, strict.RejectUnknownMembers(true)); err != nil {
			return err
		}
		if err := spelled(b.Request.Body, body); err != nil {
			return err
		}
		want, err := changes(body, b)
		if err == nil && !sameShown(b.Changes, want) {
			err = errShown
		}
		return err
	}
}

// spelled refuses a body that lacks a field or says one in another way: a platform
// might read it otherwise than we do.
func spelled(text json.RawMessage, body any) error {
	own, err := json.Marshal(body)
	if err != nil {
		return err
	}
	got, err := canonicalDigest(text)
	if err != nil {
		return err
	}
	if want, err := canonicalDigest(own); err != nil || got != want {
		return errors.Join(errSpelling, err)
	}
	return nil
}

// showingOne is showing for what is made of a body alone.
func showingOne[T any](change func(T) Change) func(*Batch) error {
	return showing(func(body T, _ *Batch) ([]Change, error) { return []Change{change(body)}, nil })
}

// undo puts back, field by field, what changes say was there before. A text that
// no field can have been is left out, as the changes are worked out again.
type undo map[string]func(before string)

func (u undo) all(changes []Change) {
	for _, c := range changes {
		if back := u[c.Key]; back != nil {
			back(c.Before)
		}
	}
}

func toText(field *string) func(string) { return func(before string) { *field = before } }

func toNumber(field *int64) func(string) {
	return func(before string) {
		if n, err := strconv.ParseInt(before, 10, 64); err == nil {
			*field = n
		}
	}
}

func toLimit(field **int64) func(string) {
	return func(before string) {
		if before == unlimited {
			*field = nil
		} else if n, err := strconv.ParseInt(before, 10, 64); err == nil {
			*field = &n
		}
	}
}

// standsOn refuses a batch that stands on the digest of something else.
func (b *Batch) standsOn(was any) error {
	base, err := ContentOf(was)
	if err == nil && base.Line() != b.Base.Line() {
		err = errBase
	}
	return err
}

func showTenant(want catalog.LiveTenant, b *Batch) ([]Change, error) {
	was := want
	undo{
		"edition": toText(&was.Edition), "hosting": toText(&was.Hosting), "name": toText(&was.Name), "organisation": toText(&was.Organisation),
	}.all(b.Changes)
	return tenantAltered(was, want), b.standsOn(was)
}

func showOrganisation(want catalog.LiveOrganisation, b *Batch) ([]Change, error) {
	was := want
	undo{"name": toText(&was.Name)}.all(b.Changes)
	return organisationAltered(was, want), b.standsOn(was)
}

func showFacility(want catalog.LiveFacility, b *Batch) ([]Change, error) {
	was := want
	undo{
		"beds": toNumber(&was.Beds), "name": toText(&was.Name), "storage_gb": toNumber(&was.StorageGB), "users": toNumber(&was.Users),
	}.all(b.Changes)
	return siteAltered(was, want), b.standsOn(was)
}

func showEdition(want catalog.LiveEdition, b *Batch) ([]Change, error) {
	was := want
	was.Modules = slices.Clone(want.Modules)
	back := undo{"name": toText(&was.Name)}
	for _, limit := range limitsOf(&was.Limits) {
		back[limit.name] = toLimit(limit.value)
	}
	back.all(b.Changes)
	for _, c := range b.Changes {
		if c.Key == editionModules && c.Before != "" {
			was.Modules = append(was.Modules, c.Before)
		}
		if c.Key == editionModules && c.After != "" {
			was.Modules = slices.DeleteFunc(was.Modules, func(module string) bool { return module == c.After })
		}
	}
	slices.Sort(was.Modules)
	return editionFrom(was)(want, b)
}

// editionFrom gives what a body does to an edition.
func editionFrom(was catalog.LiveEdition) func(catalog.LiveEdition, *Batch) ([]Change, error) {
	return func(want catalog.LiveEdition, _ *Batch) ([]Change, error) {
		if !slices.Equal(want.Modules, slices.Compact(slices.Sorted(slices.Values(want.Modules)))) {
			return nil, errSpelling
		}
		return editionAltered(was, want), nil
	}
}

// CheckEdition refuses a batch that changes an edition, on the revision that is
// live, or that makes facilities with the edition's rows, if with the edition that
// is live it does anything else than it shows.
func (b *Batch) CheckEdition(live catalog.LiveEdition) error {
	if b.Subject == Provision {
		if !slices.Equal(b.rowModules(), slices.Sorted(slices.Values(live.Modules))) {
			return errEdition
		}
		return nil
	}
	return showing(editionFrom(live))(b)
}

// showProvision takes the rows from the batch: they are the edition's.
func showProvision(body ProvisionBody, b *Batch) ([]Change, error) {
	var changes, rows []Change
	for _, f := range body.Facilities {
		changes = append(changes, siteCreated(f, body.Edition))
	}
	for _, s := range body.Staff {
		changes = append(changes, accountCreated(s))
	}
	for i := range b.Changes {
		if b.Changes[i].Kind == KindRow {
			rows = append(rows, b.Changes[i].asRow())
		}
	}
	changes = append(changes, rows...)
	sortOnboarding(changes)
	return changes, evenly(rows, body.Facilities)
}

// evenly refuses rows other than grants of the same modules at each facility.
func evenly(rows []Change, facilities []catalog.LiveFacility) error {
	revoked, granted, err := Rows(rows)
	if err != nil || len(revoked) > 0 {
		return errors.Join(errEdition, err)
	}
	var want catalog.Rows
	for _, f := range facilities {
		id, err := catalog.ParseFacilityID(f.ID)
		if err != nil {
			return err
		}
		for _, module := range granted.Modules() {
			want = append(want, catalog.Row{Facility: id, Module: module})
		}
	}
	if !slices.Equal(catalog.NewRows(want), granted) {
		return errEdition
	}
	return nil
}

func showConnect(body ConnectBody, b *Batch) ([]Change, error) {
	was := body.Licensed()
	for _, c := range b.Changes {
		switch c.Action {
		case Grant:
			was = slices.DeleteFunc(was, func(key string) bool { return key == c.Key })
		case Revoke:
			was = append(was, c.Key)
		}
	}
	slices.Sort(was)
	if len(body.licensed()) != len(body.Instruments) || len(slices.Compact(body.Licensed())) != len(body.Instruments) {
		return nil, errSpelling // one that stands twice, or that is not licensed
	}
	return instrumentsAltered(was, body.licensed()), b.standsOn(was)
}

func showLicenceRevoked(_ struct{}, b *Batch) ([]Change, error) {
	id, err := url.PathUnescape(strings.TrimSuffix(strings.TrimPrefix(b.Request.Path, "/licenses/"), "/revoke"))
	return []Change{licenceRevoked(id, b.before())}, err
}

func showAdminWithdrawn(_ struct{}, b *Batch) ([]Change, error) {
	email, err := url.PathUnescape(b.Request.Path[strings.LastIndexByte(b.Request.Path, '/')+1:])
	if err != nil {
		return nil, err
	}
	base, err := AdminBase(catalog.LiveAdmin{Email: email, State: b.before()})
	if err == nil && base.Line() != b.Base.Line() {
		err = errBase
	}
	return []Change{adminWithdrawn(email, b.before())}, err
}

// before is what the first change says was there.
func (b *Batch) before() string {
	if len(b.Changes) == 0 {
		return ""
	}
	return b.Changes[0].Before
}
