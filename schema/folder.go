package schema

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"cuelang.org/go/cue/parser"

	"github.com/veonahealth/charter/catalog"
)

// folderFiles reads the CUE files of a folder that has none below it, leaving
// out those that only tie the others to the schema, and those that cannot be
// read. all are the files with them.
func (l *loader) folderFiles(dir string, kind unitKind) (files, all []*source, err error) {
	entries, problems, err := l.list(dir)
	if err != nil {
		return nil, nil, err
	}
	nested, err := l.nested(entries, "declarations of "+dir+" stand in its own files, not in folders below it")
	if err != nil {
		return nil, nil, err
	}
	all, faults, err := l.cueFiles(entries)
	if err != nil {
		return nil, nil, err
	}
	problems = slices.Concat(problems, nested, faults)
	for _, f := range all {
		if len(f.data) > maxInPlace { // it is parsed where a recursion without end does no harm
			files = append(files, f)
		} else if faults := f.parse(kind.Pkg); len(faults) > 0 {
			problems = append(problems, faults...)
		} else if !tiesOnly(f, kind.Fields, l.module) {
			files = append(files, f)
		}
	}
	l.report(problems...)
	l.lost[dir] = len(problems) > 0
	return files, all, nil
}

// eachFile evaluates each file by itself where all are plain data, so that a
// key that two of them declare is found; else all together, as CUE would.
func (l *loader) eachFile(ctx context.Context, dir string, kind unitKind, s *shared, files []*source) ([]*node, error) {
	var nodes []*node
	for _, f := range files {
		u := &unit{kind: kind, dir: dir, files: []*source{f}}
		if s.constrains || len(f.data) > maxInPlace {
			return l.together(ctx, dir, kind, s, files)
		}
		n, problems, err := u.plain()
		if errors.Is(err, errNotPlain) {
			return l.together(ctx, dir, kind, s, files)
		}
		l.report(problems...)
		l.lost[dir] = l.lost[dir] || len(n.Wrong) > 0
		nodes = append(nodes, n)
	}
	return nodes, nil
}

func (l *loader) together(ctx context.Context, dir string, kind unitKind, s *shared, files []*source) ([]*node, error) {
	n, problems, err := l.value(ctx, &unit{kind: kind, dir: dir, files: files}, s)
	l.report(problems...)
	if err != nil || n == nil {
		l.lost[dir] = true
		return nil, err
	}
	l.lost[dir] = l.lost[dir] || len(n.Wrong) > 0
	return []*node{n}, nil
}

// folder loads what a folder at the top declares by key, and refuses a key that
// two files declare. It returns the files, too.
func folder[T any](ctx context.Context, l *loader, dir string, kind unitKind, b *binder, bind func(*binder, *node) []T, key func(T) (string, catalog.Position)) ([]T, []*source, error) {
	if _, ok := l.exists(dir); !ok {
		return nil, nil, nil
	}
	files, _, err := l.folderFiles(dir, kind)
	if err != nil {
		return nil, nil, err
	}
	nodes, err := l.eachFile(ctx, dir, kind, l.root, files)
	if err != nil {
		return nil, nil, err
	}
	list := bindAll(b, nodes, bind, key)
	l.report(b.problems...)
	return list, files, nil
}

// imports reports whether any file imports a package: then the folder's hash
// does not say all that it means.
func imports(files []*source) bool {
	return slices.ContainsFunc(files, func(f *source) bool { return f.syntax != nil && len(f.imports()) > 0 })
}

// bindAll gives what all files declare, by key.
func bindAll[T any](b *binder, nodes []*node, bind func(*binder, *node) []T, key func(T) (string, catalog.Position)) []T {
	var list []T
	given := map[string]catalog.Position{}
	for _, n := range nodes {
		for _, item := range bind(b, n) {
			name, pos := key(item)
			if first, twice := given[name]; twice {
				b.report(Duplicate, pos, "", "%s is declared twice", quoted(name))
				b.relate(first, "declared here first")
				continue
			}
			given[name] = pos
			list = append(list, item)
		}
	}
	slices.SortFunc(list, func(x, y T) int {
		a, _ := key(x)
		b, _ := key(y)
		return strings.Compare(a, b)
	})
	return list
}

func (l *loader) loadCatalogue(ctx context.Context, f *Fleet) error {
	if _, ok := l.exists("catalog"); !ok {
		p := problemf(Shape, catalog.Position{File: "catalog"}, "the fleet has no catalogue")
		p.Hint = "charter init lays out the default one"
		l.report(p)
		return nil
	}
	before := len(l.problems)
	c, err := l.catalogue(ctx, "catalog")
	l.catalog, l.sound = c, c != nil && len(l.problems) == before
	f.Catalog = c
	return err
}

// catalogue loads the catalogue that stands in a directory. Where it has
// mistakes, the catalogue has what is right, or is nil.
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
	all, err = l.withImported(catalogUnit, all)
	if err != nil {
		return nil, err
	}
	c := b.catalogue(nodes[0], digestOf(all))
	l.report(b.problems...)
	if l.lost[dir] {
		return nil, nil // what a file that could not be read declares would only be missed
	}
	return c, nil
}

func (l *loader) loadPolicy(ctx context.Context, f *Fleet) error {
	var sources []*source
	if _, ok := l.exists("policy"); ok {
		files, all, err := l.folderFiles("policy", policyUnit)
		if err != nil {
			return err
		}
		nodes, err := l.together(ctx, "policy", policyUnit, &shared{}, files)
		if err != nil {
			return err
		}
		if len(nodes) > 0 && !l.lost["policy"] {
			l.policy = nodes[0]
		}
		sources = all
	}
	if slices.ContainsFunc(l.top, func(e entry) bool { return e.path == environmentsFile && e.isCUE() }) {
		s, _, err := readSource(l.files, environmentsFile)
		if err != nil {
			return err
		}
		if s != nil {
			sources = append(sources, s)
			if len(s.parse(environmentUnit.Pkg)) == 0 {
				_, _, err := (&unit{kind: environmentUnit, dir: ".", files: []*source{s}}).plain()
				if errors.Is(err, errNotPlain) { // it may say what the other files at the top say
					sources = append(sources, l.root.files...)
				}
			}
		}
	}
	sources, err := l.withImported(policyUnit, sources)
	f.Policy = digestOf(sources)
	return err
}

// withImported adds to files those of the fleet's packages that they import: what is
// approved by a digest is all that it means. What cannot be read of them is reported
// where they are evaluated.
func (l *loader) withImported(kind unitKind, files []*source) ([]*source, error) {
	u := &unit{kind: kind}
	for _, f := range files {
		if f.syntax == nil {
			f.parse(kind.Pkg, parser.ImportsOnly)
		}
		if f.syntax != nil {
			u.files = append(u.files, f)
		}
	}
	if _, err := l.resolve(u); err != nil {
		return nil, err
	}
	all := slices.Clone(files)
	for _, path := range sortedKeys(u.packages) {
		for _, f := range u.packages[path] {
			if !slices.ContainsFunc(all, func(s *source) bool { return s.path == f.path }) {
				all = append(all, f)
			}
		}
	}
	return all, nil
}

// loadOrganisations keeps what it loads by the folder's hash, where it has one
// that says all that the folder means: there may be as many as tenants.
func (l *loader) loadOrganisations(ctx context.Context, f *Fleet) error {
	e, _ := l.exists("organisations")
	key := KeyOf(l.opts.Identity, "organisations", e.hash, l.module, l.root.digest)
	cached := l.opts.Cache != nil && e.hash != "" && !l.root.constrains && !imports(l.root.files)
	if cached {
		if kept, ok := l.opts.Cache.Get(key); ok && json.Unmarshal(kept, &f.Organisations) == nil && f.Organisations != nil {
			return nil
		}
	}
	before := len(l.problems)
	list, files, err := folder(ctx, l, "organisations", organisationUnit, &binder{}, (*binder).organisations,
		func(o catalog.Organisation) (string, catalog.Position) { return o.ID.String(), o.Pos })
	f.Organisations = list
	if err != nil || len(l.problems) > before || !cached || imports(files) {
		return err
	}
	kept, err := json.Marshal(list)
	if err == nil {
		l.opts.Cache.Put(key, kept)
	}
	return err
}

func (l *loader) loadHolds(ctx context.Context, f *Fleet) (err error) {
	f.Holds, _, err = folder(ctx, l, "holds", holdUnit, l.referrer(f), (*binder).holds,
		func(h catalog.Hold) (string, catalog.Position) { return h.Key, h.Pos })
	return err
}

func (l *loader) loadTests(ctx context.Context, f *Fleet) (err error) {
	f.Tests, _, err = folder(ctx, l, "tests", testUnit, l.referrer(f), (*binder).tests,
		func(t catalog.Test) (string, catalog.Position) { return t.Name, t.Pos })
	return err
}
