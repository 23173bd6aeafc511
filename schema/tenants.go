package schema

import (
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
	level, err := l.openDir(ctx, tenantDir{top, l.root})
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
			found[i], below[i], err = l.tenantDir(ctx, f.Catalog, d)
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

// openDir reads a directory that holds tenants, not one itself: its CUE files
// are shared, its directories the next level.
func (l *loader) openDir(ctx context.Context, d tenantDir) ([]tenantDir, error) {
	entries, problems, err := l.list(d.path)
	l.report(problems...)
	if err != nil {
		return nil, err
	}
	return l.level(ctx, d, entries)
}

func (l *loader) level(ctx context.Context, d tenantDir, entries []entry) ([]tenantDir, error) {
	sources, problems, err := l.cueFiles(entries)
	l.report(problems...)
	if err != nil {
		return nil, err
	}
	var own []*source
	constrains := d.shared.constrains
	for _, s := range sources {
		if keep, narrows := l.sharedFile(s); keep {
			own = append(own, s)
			constrains = constrains || narrows
		}
	}
	if err := l.checkShared(ctx, d.path, own, d.shared); err != nil {
		return nil, err
	}
	below := d.shared.below(own)
	below.constrains = constrains
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
func (l *loader) tenantDir(ctx context.Context, c *catalog.Catalog, d tenantDir) (*record, []tenantDir, error) {
	key := l.tenantKey(d, d.hash)
	if r := l.kept(ctx, c, d, key); r != nil {
		return r, nil, nil
	}
	entries, problems, err := l.list(d.path)
	l.report(problems...)
	if err != nil {
		return nil, nil, err
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
	r, err := l.tenant(ctx, c, d, key, entries)
	if r == nil && err == nil {
		l.mu.Lock()
		l.wrong[path.Base(d.path)] = true
		l.mu.Unlock()
	}
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
func (l *loader) kept(ctx context.Context, c *catalog.Catalog, d tenantDir, key Key) *record {
	if key == (Key{}) || c == nil {
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
	if r.catalog == c.Digest() {
		return r
	}
	t, err := r.tenant.Tenant()
	if err != nil || len(checkTenant(c, t)) > 0 {
		return nil // evaluated anew, to explain what is wrong now
	}
	r.catalog, r.notes = c.Digest(), notes(c, t)
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

// tenant evaluates and checks one tenant's directory; nil where it has mistakes,
// which are reported, or no CUE file.
func (l *loader) tenant(ctx context.Context, c *catalog.Catalog, d tenantDir, key Key, entries []entry) (*record, error) {
	files, problems, err := l.cueFiles(entries)
	l.report(problems...)
	if err != nil || len(files) == 0 || len(problems) > 0 {
		return nil, err
	}
	if key == (Key{}) {
		key = l.tenantKey(d, contentOf(files))
		if r := l.kept(ctx, c, d, key); r != nil {
			return r, nil
		}
	}
	u := &unit{kind: tenantUnit, dir: d.path, files: files}
	n, problems, err := l.value(ctx, u, d.shared)
	l.mu.Lock()
	l.evaluated++
	l.mu.Unlock()
	if err != nil || len(problems) > 0 {
		l.report(problems...)
		return nil, err
	}
	declared := n.get("tenant")
	var b binder
	t := b.tenant(declared.Value, declared.Pos)
	b.name(declared.Value, path.Base(d.path))
	problems = b.problems
	if c != nil {
		problems = append(problems, checkTenant(c, t)...)
	}
	l.report(problems...)
	if len(problems) > 0 || c == nil {
		return nil, nil
	}
	return l.keep(c, d, key, u, t)
}

// name holds a tenant's id against the name of its directory.
func (b *binder) name(n *node, dir string) {
	if written := n.text("id"); written != dir {
		b.report(Duplicate, n.value("id").Pos, "a tenant's directory bears its id", "id %s is not its directory's name, %s", quoted(written), quoted(dir))
	}
}

// keep makes the record of a tenant that is in order, and keeps it.
func (l *loader) keep(c *catalog.Catalog, d tenantDir, key Key, u *unit, t *catalog.Tenant) (*record, error) {
	declaration, err := catalog.Declare(t, d.path)
	if err != nil {
		return nil, err
	}
	r := &record{
		catalog: c.Digest(), packages: packagesOf(u.packages), imports: strings.Join(sortedKeys(u.packages), "\n"),
		tenant: declaration, pos: t.Pos, orgPos: t.OrganisationPos, envPos: t.EnvironmentPos, notes: notes(c, t),
	}
	if key != (Key{}) {
		l.opts.Cache.Put(key, r.encode())
	}
	return r, nil
}

// gather puts the records together, and checks what crosses tenants.
func (l *loader) gather(f *Fleet, records []*record) {
	slices.SortFunc(records, func(a, b *record) int { return a.tenant.ID.Compare(b.tenant.ID) })
	known := map[catalog.OrganisationID]bool{}
	for _, o := range f.Organisations {
		known[o.ID] = true
	}
	var b binder
	f.Tenants = make([]catalog.Declaration, 0, len(records))
	for i, r := range records {
		if i > 0 && records[i-1].tenant.ID == r.tenant.ID {
			b.report(Duplicate, r.pos, "", "tenant %q is declared twice", r.tenant.ID)
			b.relate(records[i-1].pos, "declared here first")
		}
		if !known[r.tenant.Organisation] {
			b.unknown("organisation", r.tenant.Organisation.String(), r.orgPos, organisationNames(f))
		}
		if _, ok := f.Environment(r.tenant.Environment); !ok {
			b.unknown("environment", r.tenant.Environment.String(), firstPosition(r.envPos, r.pos), environmentNames(f))
		}
		f.Tenants = append(f.Tenants, r.tenant)
		if len(r.notes) > 0 {
			f.notes = append(f.notes, r.notes)
		}
	}
	l.report(b.problems...)
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
