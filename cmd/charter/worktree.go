package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/cmd/charter/internal/view"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/source"
	"github.com/veonahealth/charter/schema"
)

// workTree is the files of a fleet as they are in a folder, for commands that
// write them. An edit is kept only if the fleet is without mistakes after it.
type workTree struct {
	app   *app
	dir   string
	fleet *schema.Fleet
}

// openWorkTree evaluates the files in a folder, which must be without mistakes:
// on top of a mistake nobody can tell what an edit does.
func (a *app) openWorkTree(ctx context.Context, dir string) (*workTree, error) {
	if source.IsURL(dir) {
		return nil, fail(exitUsage, "--repo %s: files are written in a folder, not at a URL", dir)
	}
	w := &workTree{app: a, dir: dir}
	var err error
	w.fleet, err = w.evaluate(ctx)
	return w, err
}

func (w *workTree) evaluate(ctx context.Context) (*schema.Fleet, error) {
	return (&treeOptions{dir: w.dir}).load(ctx, w.app)
}

func (w *workTree) path(name string) string { return filepath.Join(w.dir, filepath.FromSlash(name)) }

// tenant finds a declared tenant.
func (w *workTree) tenant(name string) (*catalog.Declaration, *catalog.Tenant, error) {
	id, err := catalog.ParseTenantID(name)
	if err != nil {
		return nil, nil, fail(exitUsage, "%w", err)
	}
	d := w.fleet.Tenant(id)
	if d == nil {
		return nil, nil, failHint(exitUsage, nearestTenant(w.fleet, id), "tenant %s is not declared", id)
	}
	t, err := d.Tenant()
	return d, t, err
}

// files returns the CUE files of a tenant's folder, by name.
func (w *workTree) files(dir string) (map[string][]byte, error) {
	entries, err := os.ReadDir(w.path(dir))
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, e := range entries {
		if e.Type().IsRegular() && strings.HasSuffix(e.Name(), ".cue") {
			name := dir + "/" + e.Name()
			if files[name], err = readFile(w.path(name), maxKeyFile<<4); err != nil {
				return nil, err
			}
		}
	}
	return files, nil
}

// change writes a file, shows what that does, and takes it back where it is a
// mistake. before is what stood in the file, nil where there was none.
func (w *workTree) change(ctx context.Context, name string, before, after []byte) error {
	path := w.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return fail(exitFailed, "%w", err)
	}
	if err := writeFile(path, after, 0o644); err != nil {
		return fail(exitFailed, "write %s: %w", name, err)
	}
	fleet, err := w.evaluate(ctx)
	if err != nil {
		if undo := w.restore(name, before); undo != nil {
			return fail(exitFailed, "%s is a mistake, and could not be taken back: %w", name, undo)
		}
		w.app.note("nothing was changed: it would be a mistake")
		return err
	}
	fmt.Fprintln(w.app.stdout, name)
	w.warn(fleet)
	if before == nil {
		return nil // of a new file everything is new
	}
	return w.show(fleet)
}

func (w *workTree) restore(name string, before []byte) error {
	if before != nil {
		return writeFile(w.path(name), before, 0o644)
	}
	if err := os.Remove(w.path(name)); err != nil {
		return err
	}
	_ = os.Remove(filepath.Dir(w.path(name))) // only if it is empty, as it then was not there
	return nil
}

// warn tells what looks like a mistake since the change, such as a grant of what
// the edition has.
func (w *workTree) warn(after *schema.Fleet) {
	type warning struct {
		code    schema.Code
		message string
	}
	known := map[warning]bool{}
	for _, p := range w.fleet.Warnings(w.app.now()) {
		known[warning{p.Code, p.Message}] = true
	}
	fresh := slices.DeleteFunc(after.Warnings(w.app.now()), func(p schema.Problem) bool { return known[warning{p.Code, p.Message}] })
	if !w.app.quiet {
		view.Warnings(w.app.stderr, w.app.style(w.app.errTerminal), fresh)
	}
}

// show tells what the change does to what facilities hold.
func (w *workTree) show(after *schema.Fleet) error {
	for _, environment := range environments(after) {
		c, err := plan.Compare(plan.Sides{
			Base: &w.fleet.Desired, Head: &after.Desired, Environment: environment, At: w.app.now().UTC().Truncate(time.Second),
		})
		if err != nil {
			return err
		}
		if len(c.Differences) > 0 {
			if err := view.Diff(w.app.stdout, w.app.style(w.app.outTerminal), c); err != nil {
				return err
			}
		}
	}
	return nil
}

// environments are those that the fleet's tenants are in.
func environments(fleet *schema.Fleet) []catalog.Environment {
	var list []catalog.Environment
	for i := range fleet.Tenants {
		if e := fleet.Tenants[i].Environment; !slices.Contains(list, e) {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, catalog.Environment.Compare)
	return list
}

// module finds a module by its key, its display name, or what was nearly either.
func (w *workTree) module(name string) (*catalog.Module, error) {
	for _, m := range w.fleet.Catalog.Modules() {
		if m.Key.String() == name || strings.EqualFold(m.Name, name) {
			return m, nil
		}
	}
	names := map[string]*catalog.Module{}
	for _, m := range w.fleet.Catalog.Modules() {
		names[m.Key.String()] = m
		names[strings.ToLower(m.Name)] = m
	}
	keys := make([]string, 0, len(names))
	for key := range names {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	nearest := catalog.Nearest(strings.ToLower(name), slices.Values(keys))
	if nearest == "" {
		return nil, failHint(exitUsage, "charter blueprints lists them", "the catalogue has no module %q", name)
	}
	w.app.note("%q is taken for %s", name, names[nearest].Key)
	return names[nearest], nil
}
