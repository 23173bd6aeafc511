package ehr

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/veonahealth/charter/catalog"
)

type wireEdition struct {
	Key      string              `json:"key"`
	Name     *string             `json:"name"`
	Modules  *[]string           `json:"modules"`
	Limits   *catalog.LiveLimits `json:"limits"`
	Revision *int64              `json:"revision"`
	ETag     string              `json:"etag"` // in a list only
}

func (w *wireEdition) parse(etag string) (catalog.LiveEdition, error) {
	if _, err := catalog.ParseEditionKey(w.Key); err != nil {
		return catalog.LiveEdition{}, err
	}
	if w.Name == nil || w.Modules == nil || w.Limits == nil || w.Revision == nil {
		return catalog.LiveEdition{}, errors.New("an edition lacks its name, modules, limits or revision")
	}
	e := catalog.LiveEdition{
		Key: w.Key, Name: *w.Name, Modules: slices.Sorted(slices.Values(*w.Modules)), Limits: *w.Limits,
		Stamp: catalog.Stamp{Revision: *w.Revision, ETag: etag},
	}
	if !e.Stamp.Valid() {
		return catalog.LiveEdition{}, fmt.Errorf("revision %d and ETag %.40q are not those of an edition", *w.Revision, etag)
	}
	return e, nil
}

// Editions lists the platform's editions, by key.
func (c *Client) Editions(ctx context.Context) (map[string]catalog.LiveEdition, error) {
	editions := map[string]catalog.LiveEdition{}
	_, err := list(ctx, c, "/editions", nil, func(raw jsontext.Value) error {
		var w wireEdition
		if err := decode(raw, &w); err != nil {
			return err
		}
		e, err := w.parse(w.ETag)
		return once(editions, e.Key, e, err)
	})
	return editions, err
}

// Edition reads one edition.
func (c *Client) Edition(ctx context.Context, key string) (catalog.LiveEdition, error) {
	path := "/editions/" + url.PathEscape(key)
	var w wireEdition
	header, err := c.get(ctx, path, &w)
	if err != nil {
		return catalog.LiveEdition{}, err
	}
	e, err := w.parse(header.Get("ETag"))
	if err == nil && e.Key != key {
		err = fmt.Errorf("it answers with edition %s", e.Key)
	}
	if err != nil {
		return catalog.LiveEdition{}, &UnknownError{"GET " + path, err}
	}
	return e, nil
}

// Organisations lists the platform's organisations, by id.
func (c *Client) Organisations(ctx context.Context) (map[string]catalog.LiveOrganisation, error) {
	organisations := map[string]catalog.LiveOrganisation{}
	_, err := list(ctx, c, "/clients", nil, func(raw jsontext.Value) error {
		var o catalog.LiveOrganisation
		if err := decode(raw, &o); err != nil {
			return err
		}
		_, err := catalog.ParseOrganisationID(o.ID)
		return once(organisations, o.ID, o, err)
	})
	return organisations, err
}

// once adds what a listing has by its name, and refuses what it has twice: it would
// stand in the place of another.
func once[T any](listed map[string]T, name string, item T, err error) error {
	if _, twice := listed[name]; twice && err == nil {
		return fmt.Errorf("%s is listed twice", name)
	}
	listed[name] = item
	return err
}

// Connect reads the keys of a tenant's licensed instruments, sorted.
func (c *Client) Connect(ctx context.Context, id catalog.TenantID) ([]string, error) {
	path := "/tenants/" + id.String() + "/connect-entitlements"
	var w struct {
		Instruments *[]struct {
			Key      string `json:"key"`
			Licensed bool   `json:"licensed"`
		} `json:"instruments"`
	}
	if _, err := c.get(ctx, path, &w); err != nil {
		return nil, err
	}
	if w.Instruments == nil {
		return nil, &UnknownError{"GET " + path, errors.New("it lacks its instruments")}
	}
	keys := []string{}
	for _, i := range *w.Instruments {
		if i.Licensed {
			keys = append(keys, i.Key)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys), nil
}

// Admins lists a tenant's administrators.
func (c *Client) Admins(ctx context.Context, id catalog.TenantID) ([]catalog.LiveAdmin, error) {
	admins := []catalog.LiveAdmin{}
	_, err := list(ctx, c, "/tenants/"+id.String()+"/tenant-admins", nil, func(raw jsontext.Value) error {
		var a catalog.LiveAdmin
		if err := decode(raw, &a); err != nil {
			return err
		}
		if a.Email == "" || a.State == "" {
			return errors.New("an administrator lacks an e-mail address or state")
		}
		admins = append(admins, a)
		return nil
	})
	return admins, err
}

type wireLicence struct {
	ID        string                    `json:"id"`
	Tenant    string                    `json:"tenant"`
	State     string                    `json:"state"`
	Modules   *[]catalog.LicensedModule `json:"modules"`
	Limits    catalog.LiveLimits        `json:"limits"`
	NotBefore time.Time                 `json:"not_before"`
	Expires   *time.Time                `json:"expires"`
}

// Licences lists licences by tenant: of one tenant, or of all where the id is
// zero. Their tokens are not kept.
func (c *Client) Licences(ctx context.Context, id catalog.TenantID) (map[string][]catalog.LiveLicence, error) {
	var query url.Values
	if !id.IsZero() {
		query = url.Values{"tenant": {id.String()}}
	}
	licences := map[string][]catalog.LiveLicence{}
	_, err := list(ctx, c, "/licenses", query, func(raw jsontext.Value) error {
		var w wireLicence
		if err := decode(raw, &w); err != nil {
			return err
		}
		if w.ID == "" || w.Tenant == "" || w.State == "" || w.Modules == nil || w.Expires == nil {
			return errors.New("a licence lacks its id, tenant, state, modules or end")
		}
		if !id.IsZero() && w.Tenant != id.String() {
			return fmt.Errorf("it lists a licence of tenant %.80q", w.Tenant)
		}
		terms, err := termsOf(raw)
		licences[w.Tenant] = append(licences[w.Tenant], catalog.LiveLicence{
			ID: w.ID, State: w.State, Expires: *w.Expires, NotBefore: w.NotBefore, Limits: w.Limits, Modules: *w.Modules, Terms: terms,
		})
		return err
	})
	return licences, err
}

// termsOf returns what a change of a licence stands on, in the platform's own
// words.
func termsOf(raw jsontext.Value) ([]byte, error) {
	var terms struct {
		Expires jsontext.Value `json:"expires"`
		ID      jsontext.Value `json:"id"`
		Limits  jsontext.Value `json:"limits"`
		Modules jsontext.Value `json:"modules"`
	}
	if err := decode(raw, &terms); err != nil {
		return nil, err
	}
	return json.Marshal(terms)
}
