package plan

import (
	"net/http"
	"slices"

	"github.com/veonahealth/charter/catalog"
)

// Editions plans the platform's editions: each wanted one that the catalogue has is
// made, or made as the catalogue says. An edition that only the platform has is
// left alone. live is nil where the platform's editions are not known. It comes
// before the tenants, whose rows are explained by it.
func (b *Builder) Editions(live map[string]catalog.LiveEdition, wanted func(catalog.EditionKey) bool) ([]Part, error) {
	var parts []Part
	if live == nil {
		return nil, nil
	}
	for _, e := range b.catalog.Editions() {
		if !wanted(e.Key) {
			continue
		}
		p, err := b.edition(e, live)
		if err != nil {
			return nil, err
		}
		err = b.classify(&p, "", func(old *Builder, last *Last) (Part, error) {
			was := last.Desired.Catalog.Edition(e.Key)
			if was == nil {
				return Part{}, nil
			}
			return old.edition(was, live)
		})
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	return parts, nil
}

func (b *Builder) edition(e *catalog.Edition, live map[string]catalog.LiveEdition) (p Part, err error) {
	p.tenant = e.Key.String()
	want := b.catalog.Live(e)
	was, there := live[want.Key]
	if !there {
		changes := because(b.at(New, "the platform does not have the edition", e.Pos), editionCreated(want))
		return p, b.send(&p, Edition, newRequest(http.MethodPost, "/registry/editions", want), nil, changes...)
	}
	changes := because(b.at(Changed, "the catalogue says so", e.Pos), editionAltered(was, want)...)
	b.turned[e.Key] = turnedBy(changes)
	if len(changes) > 0 {
		err = b.send(&p, Edition, newRequest(http.MethodPut, "/registry/editions/"+want.Key, want), OnStamp(was.Stamp), changes...)
	}
	return p, err
}

// turnedBy returns the modules that changes of an edition give or take.
func turnedBy(changes []Change) map[string]bool {
	turned := map[string]bool{}
	for _, c := range changes {
		if c.Key == editionModules {
			turned[c.Before+c.After] = true // one of the two is empty
		}
	}
	return turned
}

// Organisations plans organisations: each is made, or named as it is declared.
// live is nil where the platform's organisations are not known.
func (b *Builder) Organisations(declared []catalog.Organisation, live map[string]catalog.LiveOrganisation) ([]Part, error) {
	var parts []Part
	if live == nil {
		return nil, nil
	}
	for i := range declared {
		o := &declared[i]
		p, err := b.organisation(o, live)
		if err != nil {
			return nil, err
		}
		err = b.classify(&p, "", func(old *Builder, last *Last) (Part, error) {
			at := slices.IndexFunc(last.Desired.Organisations, func(l catalog.Organisation) bool { return l.ID == o.ID })
			if at < 0 {
				return Part{}, nil
			}
			return old.organisation(&last.Desired.Organisations[at], live)
		})
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	return parts, nil
}

func (b *Builder) organisation(o *catalog.Organisation, live map[string]catalog.LiveOrganisation) (p Part, err error) {
	p.tenant = o.ID.String()
	want := catalog.LiveOrganisation{ID: o.ID.String(), Name: o.Name}
	was, there := live[want.ID]
	switch {
	case was == want || o.Closed.ClosedAt(b.plan.At):
		return p, nil
	case !there:
		changes := because(b.at(New, "the platform does not have the organisation", o.Pos), organisationCreated(want))
		return p, b.send(&p, Organisation, newRequest(http.MethodPost, "/clients", want), nil, changes...)
	}
	changes := because(b.at(Changed, "declared so", o.Pos), organisationAltered(was, want)...)
	base, err := ContentOf(was)
	if err != nil {
		return p, err
	}
	return p, b.send(&p, Organisation, newRequest(http.MethodPut, "/clients/"+want.ID, want), base, changes...)
}
