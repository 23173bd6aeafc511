package schema

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/veonahealth/charter/catalog"
)

// tenantDir is a directory below tenants/, and what the ones above share with it.
type tenantDir struct {
	entry
	shared *shared
}

// loadTenants walks tenants/ level by level: the directories of a level are
// evaluated side by side, and those that turn out to hold others give the next.
// One that was evaluated before is recognised by its hash and not even listed.
func (l *loader) loadTenants(ctx context.Context, f *Fleet) error {
	top, ok := l.exists("tenants")
	if !ok {
		return nil
	}
	entries, problems, err := l.list(top.path)
	l.report(problems...)
	if err != nil {
		return err
	}
	level, err := l.level(ctx, tenantDir{top, l.root}, entries)
	if err != nil {
		return err
	}
	var records []*record
	for depth := 0; len(level) > 0; depth++ {
		if depth > maxDepth {
			return fmt.Errorf("list %s: %w", level[0].path, errTooDeep)
		}
		found := make([]*record, len(level))
		below := make([][]tenantDir, len(level))
		err := group(ctx, l.opts.Parallelism, level, func(ctx context.Context, i int, d tenantDir) (err error) {
			found[i], below[i], err = l.tenantDir(ctx, d)
			return err
		})
		if err != nil {
			return err
		}
		records = append(records, slices.DeleteFunc(found, func(r *record) bool { return r == nil })...)
		level = slices.Concat(below...)
	}
	l.gather(f, records)
	return nil
}

// level reads a directory that holds tenants and is none itself: its CUE files
// are shared, its directories the next level.
func (l *loader) level(ctx context.Context, d tenantDir, entries []entry) ([]tenantDir, error) {
	sources, problems, err := l.cueFiles(entries)
	l.report(problems...)
	if err != nil {
		return nil, err
	}
	below, err := l.share(ctx, d.path, sources, d.shared)
	if err != nil {
		return nil, err
	}
	var next []tenantDir
	for _, e := range entries {
		if e.isDir {
			next = append(next, tenantDir{e, below})
		}
	}
	return next, nil
}

// tenantDir gives the record of a tenant's directory, or the directories below
// one that is none.
func (l *loader) tenantDir(ctx context.Context, d tenantDir) (*record, []tenantDir, error) {
	key := l.tenantKey(d, d.hash)
	if r := l.kept(key); r != nil {
		return r, nil, nil
	}
	entries, problems, err := l.list(d.path)
	l.report(problems...)
	if err != nil {
		return nil, nil, err
	}
	if len(problems) > 0 {
		key = Key{} // the next load is to find them too
	}
	for _, e := range entries {
		if !e.isDir {
			continue
		}
		if holds, err := l.holdsCUE(e.path, 0); err != nil {
			return nil, nil, err
		} else if holds {
			next, err := l.level(ctx, d, entries)
			return nil, next, err
		}
	}
	r, err := l.tenant(ctx, d, key, entries)
	return r, nil, err
}

// tenantKey identifies the evaluation of a tenant's directory of a content; the
// zero Key where the content is not known.
func (l *loader) tenantKey(d tenantDir, content string) Key {
	if content == "" || l.opts.Cache == nil {
		return Key{}
	}
	constrains := ""
	if d.shared.constrains {
		constrains = "constrains"
	}
	return KeyOf(l.opts.Identity, "tenant", d.path, content, l.module, d.shared.digest, constrains)
}

// kept returns what is kept of an evaluation, held against today's catalogue; nil
// where it has to be done.
func (l *loader) kept(key Key) *record {
	if key == (Key{}) || l.catalog == nil {
		return nil
	}
	encoded, ok := l.opts.Cache.Get(key)
	if !ok {
		return nil
	}
	r, err := decodeRecord(encoded)
	if err != nil || !l.unchanged(r) {
		return nil
	}
	if r.catalog == l.catalog.Digest() {
		return r
	}
	t, err := r.tenant.Tenant()
	if err != nil || len(checkTenant(l.catalog, t, nil)) > 0 {
		return nil // evaluated anew, to explain what is wrong now
	}
	r.catalog, r.notes = l.catalog.Digest(), notes(l.catalog, t)
	l.opts.Cache.Put(key, r.encode())
	return r
}

// unchanged reports whether the packages that a kept tenant imports are still
// the same.
func (l *loader) unchanged(r *record) bool {
	if r.imports == "" {
		return true
	}
	packages := map[string][]*source{}
	for _, importPath := range strings.Split(r.imports, "\n") {
		files, problems, err := l.importable(importPath, catalog.Position{})
		if err != nil || len(problems) > 0 {
			return false
		}
		packages[importPath] = files
	}
	return packagesOf(packages) == r.packages
}

// tenant evaluates and checks one tenant's directory. What has mistakes, which
// are reported, gives a record that is wrong, or nil; a directory without CUE
// files gives nil.
func (l *loader) tenant(ctx context.Context, d tenantDir, key Key, entries []entry) (*record, error) {
	files, problems, err := l.cueFiles(entries)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 || len(problems) > 0 {
		l.mistaken(path.Base(d.path), problems)
		return nil, nil
	}
	if key == (Key{}) {
		key = l.tenantKey(d, contentOf(files))
		if r := l.kept(key); r != nil {
			return r, nil
		}
	}
	u := &unit{kind: tenantUnit, dir: d.path, files: files}
	n, problems, err := l.value(ctx, u, d.shared)
	l.mu.Lock()
	l.evaluated++
	l.mu.Unlock()
	if err != nil {
		return nil, err
	}
	t, problems := l.judge(d, n.get("tenant"), problems)
	if len(problems) > 0 {
		l.mistaken(path.Base(d.path), problems)
		return mistakenRecord(t, d.path), nil
	}
	return l.keep(d, key, u, t)
}

// mistaken reports what is wrong with a tenant, and remembers that there is one.
func (l *loader) mistaken(name string, problems Problems) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.problems = append(l.problems, problems...)
	if len(problems) > 0 {
		l.wrong[name] = true
	}
}

// judge binds what a tenant's directory declares and holds it against the
// catalogue. Where its shape has faults, what is left of it is nil or still held
// against what they do not touch, so that all mistakes come out in one run.
func (l *loader) judge(d tenantDir, declared *field, faults Problems) (*catalog.Tenant, Problems) {
	if declared == nil {
		return nil, faults
	}
	var b binder
	t := b.tenant(declared.Value, declared.Pos)
	b.name(declared.Value, path.Base(d.path))
	b.licensed(declared.Value, t)
	problems := slices.Concat(faults, b.problems)
	switch {
	case l.catalog == nil:
	case !l.sound:
		problems = append(problems, checkNames(l.catalog, t, declared.Value)...)
	default:
		problems = append(problems, checkTenant(l.catalog, t, declared.Value)...)
	}
	return t, problems
}

// name holds a tenant's id against the name of its directory.
func (b *binder) name(n *node, dir string) {
	if id := n.value("id"); id != nil && id.Text != dir {
		b.report(Duplicate, id.Pos, "a tenant's directory bears its id", "id %s is not its directory's name, %s", quoted(id.Text), quoted(dir))
	}
}

// licensed holds an on-prem tenant against its having a licence.
func (b *binder) licensed(n *node, t *catalog.Tenant) {
	if t.Hosting == catalog.OnPrem && t.Licence == nil && !n.wrong("licence") {
		b.report(Incomplete, firstPosition(n.place("hosting"), t.Pos), `add licence: expires: "YYYY-MM-DD"`, "the tenant is on-prem and has no licence")
	}
}

// keep makes the record of a tenant that is in order, and keeps it.
func (l *loader) keep(d tenantDir, key Key, u *unit, t *catalog.Tenant) (*record, error) {
	declaration, err := catalog.Declare(t, d.path)
	if err != nil {
		return nil, err
	}
	r := newRecord(t, declaration)
	r.packages, r.imports = packagesOf(u.packages), strings.Join(sortedKeys(u.packages), "\n")
	if !l.sound {
		return r, nil
	}
	r.catalog, r.notes = l.catalog.Digest(), notes(l.catalog, t)
	if key != (Key{}) {
		l.opts.Cache.Put(key, r.encode())
	}
	return r, nil
}

// gather puts the records together, and checks what crosses tenants.
func (l *loader) gather(f *Fleet, records []*record) {
	slices.SortFunc(records, func(a, b *record) int {
		return cmp.Or(a.tenant.ID.Compare(b.tenant.ID), strings.Compare(a.tenant.Dir, b.tenant.Dir))
	})
	var b binder
	b.duplicates(records)
	b.references(l, f, records)
	l.report(b.problems...)
	f.Tenants = make([]catalog.Declaration, 0, len(records))
	for _, r := range records {
		if r.wrong {
			l.wrong[r.tenant.ID.String()] = true
			continue
		}
		f.Tenants = append(f.Tenants, r.tenant)
		if len(r.notes) > 0 {
			f.notes = append(f.notes, r.notes)
		}
	}
}

// duplicates reports ids that two directories bear. One that does not bear its
// own tenant's id is reported already, and likely a copy that was not finished.
func (b *binder) duplicates(records []*record) {
	var first *record
	for _, r := range records {
		if r.tenant.ID.String() != path.Base(r.tenant.Dir) {
			continue
		}
		if first != nil && first.tenant.ID == r.tenant.ID {
			b.report(Duplicate, r.pos, "", "tenant %q is declared twice", r.tenant.ID)
			b.relate(first.pos, "declared here first")
			continue
		}
		first = r
	}
}

// references reports organisations and environments that tenants name and nobody
// declares. Where a file of those could not be read, it would only repeat that.
func (b *binder) references(l *loader, f *Fleet, records []*record) {
	known := map[catalog.OrganisationID]bool{}
	for _, o := range f.Organisations {
		known[o.ID] = true
	}
	var unnamed []*record // that are in the default environment, which there is not
	for _, r := range records {
		o, e := r.tenant.Organisation, r.tenant.Environment
		if !l.lost["organisations"] && !o.IsZero() && !known[o] {
			b.unknown("organisation", o.String(), r.orgPos, organisationNames(f))
		}
		if _, ok := f.Environment(e); ok || l.lost[environmentsFile] || e.IsZero() {
			continue
		}
		if r.envPos.IsZero() && e == catalog.DefaultEnvironment {
			unnamed = append(unnamed, r)
			continue
		}
		b.unknown("environment", e.String(), firstPosition(r.envPos, r.pos), environmentNames(f))
	}
	b.withoutDefault(f, unnamed)
}

// withoutDefault reports tenants that name no environment where there is no default
// one. Where it is more than one, it is one mistake of the file of environments.
func (b *binder) withoutDefault(f *Fleet, records []*record) {
	if len(records) == 0 {
		return
	}
	first, name := f.Environments[0], catalog.DefaultEnvironment
	if len(records) == 1 {
		hint := fmt.Sprintf("add environment: %q, or environments: %s: {} to %s", first.Environment, name, environmentsFile)
		b.report(Unknown, records[0].pos, hint, "unknown environment %q: the tenant names none", name)
		return
	}
	hint := fmt.Sprintf("add environments: %s: {} here, or environment: %q to each of them", name, first.Environment)
	b.report(Unknown, first.Pos, hint, "unknown environment %q: %d tenants name none", name, len(records))
	b.relate(records[0].pos, "the first of them")
}

// firstPosition returns the first position that is somewhere.
func firstPosition(a, b catalog.Position) catalog.Position {
	if a.IsZero() {
		return b
	}
	return a
}

func organisationNames(f *Fleet) []string {
	var names []string
	for _, o := range f.Organisations {
		names = append(names, o.ID.String())
	}
	return names
}

func environmentNames(f *Fleet) []string {
	if len(f.Environments) == 0 {
		return []string{catalog.DefaultEnvironment.String()}
	}
	var names []string
	for _, e := range f.Environments {
		names = append(names, e.Environment.String())
	}
	return names
}
