package platform

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
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

// EditionSpec is what a client says about an edition.
type EditionSpec struct {
	Key     catalog.EditionKey  `json:"key"`     // never changes
	Name    string              `json:"name"`    // for people
	Modules []catalog.EHRModule `json:"modules"` // in any order
	Limits  Limits              `json:"limits"`  // what is left out is unlimited
}

// check refuses a spec that is wrong whatever the platform holds, and sorts its
// modules.
func (s *EditionSpec) check(c *catalog.Catalog) error {
	if err := checkName("name", s.Name); err != nil {
		return err
	}
	if s.Modules == nil {
		return refuse(Invalid, "modules: missing; an edition without any has []")
	}
	for _, module := range s.Modules {
		if module.IsZero() {
			return refuse(Invalid, "modules: want the EHR's keys")
		}
		if _, known := c.FromEHR(module); !known {
			return refuse(UnknownModule, "module %q", module)
		}
	}
	given := len(s.Modules)
	slices.SortFunc(s.Modules, catalog.EHRModule.Compare)
	if s.Modules = slices.Compact(s.Modules); len(s.Modules) != given {
		return refuse(Invalid, "modules: one stands twice")
	}
	return s.Limits.check()
}

// check refuses limits that nothing could be counted by.
func (l *Limits) check() error {
	for _, limit := range []struct {
		name string
		most *int64
	}{
		{"limits/facilities", l.Facilities},
		{"limits/users", l.Users},
		{"limits/beds", l.Beds},
		{"limits/storage_gb", l.StorageGB},
	} {
		if limit.most == nil {
			continue
		}
		if err := checkCount(limit.name, *limit.most); err != nil {
			return err
		}
	}
	return nil
}

// CreateEdition adds an edition.
func (p *Platform) CreateEdition(ctx context.Context, w Write, spec EditionSpec) (Answer, error) {
	if err := checkID("key", spec.Key); err != nil {
		return Answer{}, err
	}
	if err := spec.check(p.catalog); err != nil {
		return Answer{}, err
	}
	return p.write(ctx, w, func(tx Tx, m moment) (change, error) {
		held, err := tx.Record(Editions, spec.Key.String())
		switch {
		case err != nil:
			return change{}, err
		case held != nil:
			return change{}, refuse(Exists, "edition %q", spec.Key)
		}
		if err := p.approvedRequest(tx, m, w, plan.Edition, spec.Key.String(), nil); err != nil {
			return change{}, err
		}
		return spec.put(tx, m, w, 1)
	})
}

// ReplaceEdition makes spec the edition of a key. It changes no grant: only what
// is provisioned from now on gets the new modules.
func (p *Platform) ReplaceEdition(ctx context.Context, w Write, key catalog.EditionKey, c Condition, spec EditionSpec) (Answer, error) {
	if err := checkSame("key", spec.Key, key); err != nil {
		return Answer{}, err
	}
	spec.Key = key
	if err := spec.check(p.catalog); err != nil {
		return Answer{}, err
	}
	return p.write(ctx, w, func(tx Tx, m moment) (change, error) {
		stamp, err := editionStamp(tx, key)
		switch {
		case err != nil:
			return change{}, err
		case stamp.Revision == 0 && !c.Absent:
			return change{}, refuse(NotFound, "edition %q", key)
		}
		var base *plan.Base
		if stamp.Revision > 0 {
			if err := c.check("edition "+key.String(), stamp); err != nil {
				return change{}, err
			}
			base = plan.OnStamp(stamp)
		}
		if err := p.approvedRequest(tx, m, w, plan.Edition, key.String(), base); err != nil {
			return change{}, err
		}
		return spec.put(tx, m, w, stamp.Revision+1)
	})
}

// put stores the spec as a revision of its edition.
func (s *EditionSpec) put(tx Tx, m moment, w Write, revision int64) (change, error) {
	body, err := put(tx, m, Editions, s.Key.String(), Edition{
		Key: s.Key, Name: s.Name, Modules: s.Modules, Limits: s.Limits,
		Revision: revision, Authority: w.Authority,
	})
	return change{
		event: "edition.upsert", subject: s.Key.String(), revision: &revision,
		answer: Answer{Created: revision == 1, ETag: entityTag(revision, body), Body: body},
	}, err
}

// editionStamp returns the version of an edition, or the zero Stamp where there is
// none.
func editionStamp(v View, key catalog.EditionKey) (catalog.Stamp, error) {
	body, err := v.Record(Editions, key.String())
	if err != nil || body == nil {
		return catalog.Stamp{}, err
	}
	return stampOf(body)
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

// stampOf returns the version of an edition's body.
func stampOf(body []byte) (catalog.Stamp, error) {
	var e struct {
		Revision int64 `json:"revision"`
	}
	err := json.Unmarshal(body, &e)
	return catalog.Stamp{Revision: e.Revision, ETag: entityTag(e.Revision, body)}, err
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
		stamp, err := stampOf(found)
		etag = stamp.ETag
		return err
	})
	return body, etag, err
}

// Editions returns a page of the editions, by key, each with its entity tag as
// the field etag.
func (p *Platform) Editions(ctx context.Context, ask PageRequest) (Page, error) {
	list := records(Editions, "")
	list.show = func(_ View, stored Record) (jsontext.Value, error) {
		stamp, err := stampOf(stored.Body)
		return withTag(stored.Body, stamp.ETag), err
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
