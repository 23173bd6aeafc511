package schema

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/veonahealth/charter/catalog"
)

// folderFiles reads the CUE files of a folder that has none below it, leaving
// out those that only tie the others to the schema. all are the files with them.
func (l *loader) folderFiles(dir string, kind unitKind) (files, all []*source, err error) {
	entries, problems, err := l.list(dir)
	l.report(problems...)
	if err != nil {
		return nil, nil, err
	}
	nested, err := l.nested(entries, "declarations of "+dir+" stand in its own files, not in folders below it")
	l.report(nested...)
	if err != nil {
		return nil, nil, err
	}
	all, problems, err = l.cueFiles(entries)
	l.report(problems...)
	if err != nil || len(problems) > 0 {
		return nil, nil, err
	}
	for _, f := range all {
		if len(f.data) > maxInPlace || len(f.parse(kind.Pkg)) > 0 || !tiesOnly(f, kind.Fields, l.module) {
			files = append(files, f)
		}
	}
	return files, all, nil
}

// eachFile evaluates each file by itself where all are plain data, so that a
// key that two of them declare is found; else all together, as CUE would.
func (l *loader) eachFile(ctx context.Context, dir string, kind unitKind, s *shared, files []*source) ([]*node, error) {
	var nodes []*node
	for _, f := range files {
		u := &unit{kind: kind, dir: dir, files: []*source{f}}
		if s.constrains || len(f.data) > maxInPlace || f.syntax == nil {
			return l.together(ctx, dir, kind, s, files)
		}
		n, problems, err := u.plain()
		if errors.Is(err, errNotPlain) {
			return l.together(ctx, dir, kind, s, files)
		}
		l.report(problems...)
		if len(problems) == 0 {
			nodes = append(nodes, n)
		}
	}
	return nodes, nil
}

func (l *loader) together(ctx context.Context, dir string, kind unitKind, s *shared, files []*source) ([]*node, error) {
	n, problems, err := l.value(ctx, &unit{kind: kind, dir: dir, files: files}, s)
	l.report(problems...)
	if err != nil || n == nil || len(problems) > 0 {
		return nil, err
	}
	return []*node{n}, nil
}

// folder loads what a folder at the top declares by key, and refuses a key that
// two files declare. It is kept by the folder's hash, where it has one.
func folder[T any](ctx context.Context, l *loader, dir string, kind unitKind, bind func(*binder, *node) []T, key func(T) (string, catalog.Position)) ([]T, error) {
	e, ok := l.exists(dir)
	if !ok {
		return nil, nil
	}
	cacheKey := KeyOf(l.opts.Identity, "folder", dir, e.hash, l.module, l.root.digest)
	cached := l.opts.Cache != nil && e.hash != "" && !l.root.constrains
	if cached {
		if kept, ok := l.opts.Cache.Get(cacheKey); ok {
			var list []T
			if json.Unmarshal(kept, &list) == nil {
				return list, nil
			}
		}
	}
	before := len(l.problems)
	files, _, err := l.folderFiles(dir, kind)
	if err != nil {
		return nil, err
	}
	nodes, err := l.eachFile(ctx, dir, kind, l.root, files)
	if err != nil {
		return nil, err
	}
	var b binder
	list := bindAll(&b, nodes, bind, key)
	l.report(b.problems...)
	if cached && len(l.problems) == before && !imports(files) {
		if kept, err := json.Marshal(list); err == nil {
			l.opts.Cache.Put(cacheKey, kept)
		}
	}
	return list, nil
}

// imports reports whether any file imports a package: then the folder's hash
// does not say all that it means.
func imports(files []*source) bool {
	return slices.ContainsFunc(files, func(f *source) bool { return f.syntax != nil && len(f.imports()) > 0 })
}

func bindAll[T any](b *binder, nodes []*node, bind func(*binder, *node) []T, key func(T) (string, catalog.Position)) []T {
	var list []T
	given := map[string]catalog.Position{}
	for _, n := range nodes {
		for _, item := range bind(b, n) {
			name, pos := key(item)
			if first, twice := given[name]; twice {
				b.report(Duplicate, pos, "", "%q is declared twice", name)
				b.relate(first, "declared here first")
				continue
			}
			given[name] = pos
			list = append(list, item)
		}
	}
	return list
}

func (l *loader) loadCatalogue(ctx context.Context, f *Fleet) error {
	if _, ok := l.exists("catalog"); !ok {
		p := problemf(Shape, catalog.Position{File: "catalog"}, "the fleet has no catalogue")
		p.Hint = "charter init lays out the default one"
		l.report(p)
		return nil
	}
	var err error
	f.Catalog, err = l.catalogue(ctx, "catalog")
	return err
}

// catalogue loads the catalogue that stands in a directory; nil where it is
// wrong.
func (l *loader) catalogue(ctx context.Context, dir string) (*catalog.Catalog, error) {
	files, all, err := l.folderFiles(dir, catalogUnit)
	if err != nil {
		return nil, err
	}
	nodes, err := l.together(ctx, dir, catalogUnit, &shared{}, files)
	if err != nil || len(nodes) == 0 {
		return nil, err
	}
	var b binder
	c := b.catalogue(nodes[0], digestOf(all))
	l.report(b.problems...)
	return c, nil
}

func (l *loader) loadPolicy(ctx context.Context, f *Fleet) error {
	var sources []*source
	if _, ok := l.exists("policy"); ok {
		files, all, err := l.folderFiles("policy", policyUnit)
		if err != nil {
			return err
		}
		if _, err := l.together(ctx, "policy", policyUnit, &shared{}, files); err != nil {
			return err
		}
		sources = all
	}
	if slices.ContainsFunc(l.top, func(e entry) bool { return e.path == "environments.cue" }) {
		s, _, err := readSource(l.files, "environments.cue")
		if err != nil {
			return err
		}
		if s != nil {
			sources = append(sources, s)
		}
	}
	f.Policy = digestOf(sources)
	return nil
}

func (l *loader) loadOrganisations(ctx context.Context, f *Fleet) (err error) {
	f.Organisations, err = folder(ctx, l, "organisations", organisationUnit, (*binder).organisations,
		func(o catalog.Organisation) (string, catalog.Position) { return o.ID.String(), o.Pos })
	slices.SortFunc(f.Organisations, func(a, b catalog.Organisation) int { return a.ID.Compare(b.ID) })
	return err
}

func (l *loader) loadHolds(ctx context.Context, f *Fleet) (err error) {
	f.Holds, err = folder(ctx, l, "holds", holdUnit, (*binder).holds,
		func(h catalog.Hold) (string, catalog.Position) { return h.Key, h.Pos })
	if err != nil || f.Catalog == nil {
		return err
	}
	b := binder{wrong: l.wrong}
	for _, h := range f.Holds {
		b.modules(f.Catalog, h.Modules, h.Pos)
		if err := b.place(&f.Desired, h.Tenant, h.Facility, h.Pos); err != nil {
			return err
		}
	}
	l.report(b.problems...)
	return nil
}

func (l *loader) loadTests(ctx context.Context, f *Fleet) (err error) {
	f.Tests, err = folder(ctx, l, "tests", testUnit, (*binder).tests,
		func(t catalog.Test) (string, catalog.Position) { return t.Name, t.Pos })
	if err != nil || f.Catalog == nil {
		return err
	}
	b := binder{wrong: l.wrong}
	for _, t := range f.Tests {
		b.modules(f.Catalog, slices.Concat(t.Has, t.HasNot), t.Pos)
		if e := t.Tenants.Edition; !e.IsZero() && f.Catalog.Edition(e) == nil {
			b.unknown("edition", e.String(), t.Pos, editionNames(f.Catalog))
		}
		for _, id := range t.Tenants.IDs {
			if err := b.place(&f.Desired, id, catalog.FacilityID{}, t.Pos); err != nil {
				return err
			}
		}
	}
	l.report(b.problems...)
	return nil
}

// modules reports the modules that the catalogue does not have.
func (b *binder) modules(c *catalog.Catalog, keys []catalog.ModuleKey, pos catalog.Position) {
	for _, key := range keys {
		if _, known := c.IndexOf(key); !known {
			b.unknown("module", key.String(), pos, moduleNames(c))
		}
	}
}

// place reports a tenant, or a facility of it, that is not declared.
func (b *binder) place(d *catalog.Desired, tenant catalog.TenantID, facility catalog.FacilityID, pos catalog.Position) error {
	declared := d.Tenant(tenant)
	if declared == nil && b.wrong[tenant.String()] {
		return nil // it is declared, and what is wrong with it is reported
	}
	if declared == nil {
		var names []string
		for i := range d.Tenants {
			names = append(names, d.Tenants[i].ID.String())
		}
		b.unknown("tenant", tenant.String(), pos, names)
		return nil
	}
	if facility.IsZero() {
		return nil
	}
	t, err := declared.Tenant()
	if err == nil && t.Facility(facility) == nil {
		b.unknown("facility", facility.String(), pos, facilityNames(t))
	}
	return err
}
