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
		p := Part{tenant: e.Key.String()}
		want := b.catalog.Live(e)
		was, there := live[want.Key]
		var err error
		switch {
		case !there:
			change := Change{
				Action: Create, Kind: string(Edition), Key: want.Key, After: strings.Join(want.Modules, " "),
				Reason: b.at(New, "the platform does not have the edition", e.Pos),
			}
			err = b.send(&p, Edition, newRequest(http.MethodPost, "/registry/editions", want), nil, change)
		default:
			if changes := b.editionChanges(e, was, want); len(changes) > 0 {
				err = b.send(&p, Edition, newRequest(http.MethodPut, "/registry/editions/"+want.Key, want), OnStamp(was.Stamp), changes...)
			}
		}
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	return parts, nil
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
		p := Part{tenant: o.ID.String()}
		want := catalog.LiveOrganisation{ID: o.ID.String(), Name: o.Name}
		was, there := live[want.ID]
		var err error
		switch {
		case was == want || o.Closed.ClosedAt(b.plan.At):
		case !there:
			change := Change{
				Action: Create, Kind: string(Organisation), Key: want.ID, After: want.Name,
				Reason: b.at(New, "the platform does not have the organisation", o.Pos),
			}
			err = b.send(&p, Organisation, newRequest(http.MethodPost, "/clients", want), nil, change)
		default:
			a := altered{kind: string(Organisation), reason: b.at(Changed, "declared so", o.Pos)}
			a.field("name", was.Name, want.Name)
			var base *Base
			if base, err = ContentOf(was); err != nil {
				return nil, err
			}
			err = b.send(&p, Organisation, newRequest(http.MethodPut, "/clients/"+want.ID, want), base, a.changes...)
		}
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	return parts, nil
}
