package platform

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/veonahealth/charter/catalog"
)

// Edition is a bundle of modules and limits, in the EHR's own keys.
type Edition struct {
	Key       catalog.EditionKey  `json:"key"`     // never changes
	Name      string              `json:"name"`    // for people
	Modules   []catalog.EHRModule `json:"modules"` // sorted
	Limits    Limits              `json:"limits"`
	Revision  int64               `json:"revision"`  // counts the writes of this edition, from 1
	Authority jsontext.Value      `json:"authority"` // of the newest write; null where it gave none
}

// Limits are the most that a tenant of an edition may have. Null is unlimited.
// The platform tells them and does not enforce them.
type Limits struct {
	Facilities *int64 `json:"facilities"` // sites
	Users      *int64 `json:"users"`      // of all facilities together
	Beds       *int64 `json:"beds"`       // of all facilities together
	StorageGB  *int64 `json:"storage_gb"` // gigabytes, of all facilities together
}

// seedEdition turns an edition of the catalogue into the EHR's words.
func (p *Platform) seedEdition(e *catalog.Edition) Edition {
	seed := Edition{Key: e.Key, Name: e.Name, Revision: 1, Limits: Limits{
		Facilities: limit(e.Limits.Facilities),
		Users:      limit(e.Limits.Users),
		Beds:       limit(e.Limits.Beds),
		StorageGB:  limit(e.Limits.StorageGB),
	}}
	for index := range e.Set().All() { // in the order of the EHR's keys
		seed.Modules = append(seed.Modules, p.catalog.Module(index).EHR)
	}
	return seed
}

func limit(n int64) *int64 {
	if n == catalog.Unlimited {
		return nil
	}
	return &n
}

// edition returns an edition, or a Refusal with UnknownEdition.
func edition(v View, key catalog.EditionKey) (*Edition, error) {
	var e Edition
	found, err := get(v, Editions, key.String(), &e)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, refuse(UnknownEdition, "edition %q", key)
	}
	return &e, nil
}

// editionTag is the entity tag of an edition's body.
func editionTag(body []byte) (string, error) {
	var e struct {
		Revision int64 `json:"revision"`
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return "", err
	}
	return entityTag(e.Revision, body), nil
}

// entityTag is the strong tag of a revision with this content.
func entityTag(revision int64, content []byte) string {
	sum := sha256.Sum256(content)
	return fmt.Sprintf(`"%d-%x"`, revision, sum[:8])
}

// Edition returns an edition's body and entity tag.
func (p *Platform) Edition(ctx context.Context, key catalog.EditionKey) (body jsontext.Value, etag string, err error) {
	err = p.store.View(ctx, func(v View) error {
		found, err := v.Record(Editions, key.String())
		switch {
		case err != nil:
			return err
		case found == nil:
			return refuse(NotFound, "edition %q", key)
		}
		body = found
		etag, err = editionTag(found)
		return err
	})
	return body, etag, err
}

// Editions returns a page of the editions, by key, each with its entity tag as
// the field etag.
func (p *Platform) Editions(ctx context.Context, ask PageRequest) (Page, error) {
	list := records(Editions, "")
	list.show = func(stored Record) (jsontext.Value, error) {
		etag, err := editionTag(stored.Body)
		return withTag(stored.Body, etag), err
	}
	return p.list(ctx, list, ask)
}

// withTag returns a JSON object with the field etag after its others.
func withTag(object []byte, etag string) jsontext.Value {
	tagged := append(slices.Clone(object[:len(object)-1]), `,"etag":`...)
	return append(appendText(tagged, etag), '}')
}

// appendText appends text as a JSON string.
func appendText(to []byte, text string) []byte {
	to, err := jsontext.AppendQuote(to, text)
	if err != nil {
		panic(err) // invalid UTF-8, which no reader of ours lets in
	}
	return to
}
