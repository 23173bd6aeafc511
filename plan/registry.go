package plan

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

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
		change := Change{
			Action: Create, Kind: string(Edition), Key: want.Key, After: strings.Join(want.Modules, " "),
			Reason: b.at(New, "the platform does not have the edition", e.Pos),
		}
		return p, b.send(&p, Edition, newRequest(http.MethodPost, "/registry/editions", want), nil, change)
	}
	if changes := b.editionChanges(e, was, want); len(changes) > 0 {
		err = b.send(&p, Edition, newRequest(http.MethodPut, "/registry/editions/"+want.Key, want), OnStamp(was.Stamp), changes...)
	}
	return p, err
}

func (b *Builder) editionChanges(e *catalog.Edition, was, want catalog.LiveEdition) []Change {
	a := altered{kind: string(Edition), reason: b.at(Changed, "the catalogue says so", e.Pos)}
	turned := map[string]bool{}
	for _, module := range was.Modules {
		if !slices.Contains(want.Modules, module) {
			a.field("modules", module, "")
			turned[module] = true
		}
	}
	for _, module := range want.Modules {
		if !slices.Contains(was.Modules, module) {
			a.field("modules", "", module)
			turned[module] = true
		}
	}
	b.turned[e.Key] = turned
	a.field("name", was.Name, want.Name)
	for _, limit := range []struct {
		name      string
		was, want *int64
	}{
		{"limits.beds", was.Limits.Beds, want.Limits.Beds}, {"limits.facilities", was.Limits.Facilities, want.Limits.Facilities},
		{"limits.storage_gb", was.Limits.StorageGB, want.Limits.StorageGB}, {"limits.users", was.Limits.Users, want.Limits.Users},
	} {
		a.field(limit.name, limitText(limit.was), limitText(limit.want))
	}
	return a.changes
}

func limitText(n *int64) string {
	if n == nil {
		return "unlimited"
	}
	return number(*n)
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

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
		change := Change{
			Action: Create, Kind: string(Organisation), Key: want.ID, After: want.Name,
			Reason: b.at(New, "the platform does not have the organisation", o.Pos),
		}
		return p, b.send(&p, Organisation, newRequest(http.MethodPost, "/clients", want), nil, change)
	}
	a := altered{kind: string(Organisation), reason: b.at(Changed, "declared so", o.Pos)}
	a.field("name", was.Name, want.Name)
	base, err := ContentOf(was)
	if err != nil {
		return p, err
	}
	return p, b.send(&p, Organisation, newRequest(http.MethodPut, "/clients/"+want.ID, want), base, a.changes...)
}
