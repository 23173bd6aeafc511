package schema

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/veonahealth/charter/catalog"
)

// Vanished returns what base declares and head does not, without a tombstone that
// says so: organisations, tenants, and the facilities, administrators and licence
// of tenants. Absence is never a command: a file that was lost in a merge must not
// close a hospital. Each problem stands at the place in base where the declaration
// stood, and says what to write instead.
//
// A tombstone that base holds and whose day had come at the instant at, when base
// was last applied, may be deleted with what it buried. A tenant is known by its
// id, whatever its folder. Of a tenant that vanished, its parts are not reported.
//
// Tenants that are encoded alike on both sides are not decoded, so that it takes
// as long as there are changes.
func Vanished(base, head *catalog.Desired, at time.Time) (Problems, error) {
	v := vanishing{base: base, head: head, at: at}
	v.organisations()
	for i := range base.Tenants {
		if err := v.declaration(&base.Tenants[i]); err != nil {
			return nil, fmt.Errorf("compare declarations: %w", err)
		}
	}
	if err := v.whereTo(); err != nil {
		return nil, fmt.Errorf("compare declarations: %w", err)
	}
	return v.problems.sorted(), nil
}

// vanishing compares two commits' declarations.
type vanishing struct {
	binder
	base, head *catalog.Desired
	at         time.Time
	facilities []lostFacility
}

// lostFacility is a facility that a tenant has no more.
type lostFacility struct {
	id      catalog.FacilityID
	problem int // the place of its problem among the problems
}

// gone reports something that is gone.
func (v *vanishing) gone(pos catalog.Position, instead, format string, args ...any) {
	v.report(Gone, pos, instead, format+" is gone without a tombstone; it stood here", args...)
}

func closing(path string) string {
	return "put it back, and write " + path + `closed: {reason: "…", on: "YYYY-MM-DD"}`
}

func (v *vanishing) organisations() {
	declared := map[catalog.OrganisationID]bool{}
	for i := range v.head.Organisations {
		declared[v.head.Organisations[i].ID] = true
	}
	for i := range v.base.Organisations {
		if o := &v.base.Organisations[i]; !declared[o.ID] && !o.Closed.ClosedAt(v.at) {
			v.gone(o.Pos, closing(fmt.Sprintf("organisations: %q: ", o.ID)), "organisation %q", o.ID)
		}
	}
}

// declaration compares one tenant of base with what head makes of it.
func (v *vanishing) declaration(d *catalog.Declaration) error {
	now := v.head.Tenant(d.ID)
	if now != nil && bytes.Equal(d.Encoded(), now.Encoded()) {
		return nil
	}
	before, err := d.Tenant()
	if err != nil || before.Closed.ClosedAt(v.at) {
		return err
	}
	if now == nil {
		v.gone(before.Pos, closing("tenant: "), "tenant %q", d.ID)
		return nil
	}
	after, err := now.Tenant()
	if err != nil {
		return err
	}
	v.parts(before, after)
	return nil
}

// parts compares what a tenant is made of.
func (v *vanishing) parts(before, after *catalog.Tenant) {
	for i := range before.Facilities {
		if f := &before.Facilities[i]; after.Facility(f.ID) == nil && !f.Closed.ClosedAt(v.at) {
			v.facilities = append(v.facilities, lostFacility{f.ID, len(v.problems)})
			v.gone(f.Pos, closing(fmt.Sprintf("facilities: %q: ", f.ID)), "facility %q of tenant %q", f.ID, before.ID)
		}
	}
	for _, a := range before.Admins {
		same := func(b catalog.Admin) bool { return catalog.SameEmail(a.Email, b.Email) }
		if a.Withdrawn == "" && !slices.ContainsFunc(after.Admins, same) {
			v.gone(a.Pos, fmt.Sprintf(`put them back, and write admins: %q: withdrawn: "…"`, a.Email), "admin %s of tenant %q", quoted(a.Email), before.ID)
		}
	}
	if l := before.Licence; l != nil && l.Revoked == "" && after.Licence == nil {
		v.gone(l.Pos, `put it back, and write licence: revoked: "…"`, "the licence of tenant %q", before.ID)
	}
}

// whereTo adds to each facility that is gone which tenants have gained one of its
// id: it may have been moved, which closes it at the one and opens it at the other.
func (v *vanishing) whereTo() error {
	if len(v.facilities) == 0 {
		return nil
	}
	for i := range v.head.Tenants {
		d := &v.head.Tenants[i]
		before := v.base.Tenant(d.ID)
		if before != nil && bytes.Equal(before.Encoded(), d.Encoded()) || !v.mayHave(d) {
			continue
		}
		gained, err := gainedFacilities(before, d)
		if err != nil {
			return err
		}
		for _, lost := range v.facilities {
			if f := gained.Facility(lost.id); f != nil {
				p := &v.problems[lost.problem]
				p.Related = append(p.Related, Related{f.Pos, fmt.Sprintf("tenant %q has a facility of this id now, which is another one", d.ID)})
			}
		}
	}
	return nil
}

// mayHave reports whether a tenant is worth decoding to look for the facilities
// that are gone.
func (v *vanishing) mayHave(d *catalog.Declaration) bool {
	return slices.ContainsFunc(v.facilities, func(f lostFacility) bool {
		return bytes.Contains(d.Encoded(), []byte(`"`+f.id.String()+`"`))
	})
}

// gainedFacilities returns a tenant with those facilities alone that it had not
// before; before is nil for a tenant that there was not.
func gainedFacilities(before, after *catalog.Declaration) (*catalog.Tenant, error) {
	t, err := after.Tenant()
	if err != nil || before == nil {
		return t, err
	}
	had, err := before.Tenant()
	if err != nil {
		return nil, err
	}
	t.Facilities = slices.DeleteFunc(t.Facilities, func(f catalog.Facility) bool { return had.Facility(f.ID) != nil })
	return t, nil
}

// Unborne turns what catalog.Unborne found into problems: each stands where the
// module stood in the catalogue last applied.
func Unborne(found []catalog.UnborneModule) Problems {
	var problems Problems
	for _, u := range found {
		p := problemf(Mapper, u.Module.Pos, "module %q was %q in the EHR, which no module of the catalogue is any more, while rows of it are live: %d, of %d tenants, %s among them",
			u.Module.Key, u.Module.EHR, u.Rows, u.Tenants, u.First)
		p.Hint = fmt.Sprintf("keep a module with ehr_key: %q until they are revoked", u.Module.EHR)
		problems = append(problems, p)
	}
	return problems.sorted()
}
