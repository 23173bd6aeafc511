package platform

import (
	"context"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
)

// Organisation is a customer.
type Organisation struct {
	ID   catalog.OrganisationID `json:"id"`   // never changes
	Name string                 `json:"name"` // for people
}

// Organisations returns a page of the organisations, by id.
func (p *Platform) Organisations(ctx context.Context, ask PageRequest) (Page, error) {
	return p.list(ctx, records(Organisations, ""), ask)
}

// CreateOrganisation adds an organisation.
func (p *Platform) CreateOrganisation(ctx context.Context, w Write, o Organisation) (Answer, error) {
	if err := checkID("id", o.ID); err != nil {
		return Answer{}, err
	}
	if err := checkName("name", o.Name); err != nil {
		return Answer{}, err
	}
	return p.write(ctx, w, func(tx Tx, m moment) (change, error) {
		held, err := tx.Record(Organisations, o.ID.String())
		switch {
		case err != nil:
			return change{}, err
		case held != nil:
			return change{}, refuse(Exists, "organisation %q", o.ID)
		}
		if err := p.approvedOn(tx, m, w, plan.Organisation, o.ID.String(), nil); err != nil {
			return change{}, err
		}
		return o.put(tx, m, true)
	})
}

// ReplaceOrganisation corrects the name of the organisation id.
func (p *Platform) ReplaceOrganisation(ctx context.Context, w Write, id catalog.OrganisationID, o Organisation) (Answer, error) {
	if err := checkSame("id", o.ID, id); err != nil {
		return Answer{}, err
	}
	if err := checkName("name", o.Name); err != nil {
		return Answer{}, err
	}
	o.ID = id
	return p.write(ctx, w, func(tx Tx, m moment) (change, error) {
		held, err := tx.Record(Organisations, id.String())
		switch {
		case err != nil:
			return change{}, err
		case held == nil:
			return change{}, refuse(NotFound, "organisation %q", id)
		}
		if err := p.approvedOn(tx, m, w, plan.Organisation, id.String(), jsontext.Value(held)); err != nil {
			return change{}, err
		}
		return o.put(tx, m, false)
	})
}

func (o Organisation) put(tx Tx, m moment, created bool) (change, error) {
	body, err := put(tx, m, Organisations, o.ID.String(), o)
	return change{
		event:   "client.upsert",
		subject: o.ID.String(),
		answer:  Answer{Created: created, Body: body},
	}, err
}
