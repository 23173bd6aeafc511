package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/cmd/charter/internal/view"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile"
	"github.com/veonahealth/charter/reconcile/adopt"
	"github.com/veonahealth/charter/reconcile/source"
	"github.com/veonahealth/charter/schema"
	"github.com/veonahealth/charter/schema/write"
)

type importOptions struct {
	dir    string
	env    string
	ehr    ehrFlags
	output outputFlag
}

func (a *app) newImport() *cobra.Command {
	var o importOptions
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Declare a live platform as it is, and prove that a plan of it is empty",
		Long: `Import reads a platform whole and writes the fleet that describes it:
organisations, editions, tenants with their facilities, grants and revocations,
instruments, administrators and the terms of licences. Licence tokens are not
read. Then it plans what it wrote against what it read, and shows that plan: it
is empty, or says for each tenant why not.

Into an empty folder it lays out a fleet as init does, and commits it. Into a
fleet that is there it adds what is missing; no file is overwritten, and the
commit is left to you.

A fleet must be without mistakes. Where the platform breaks one of its rules, such
as a module without one that it requires, what is missing is declared and held
(holds/) until somebody decides; a tenant without a facility is left out.

What the token may not read is not declared as if it were not there: where a later
plan would act upon that, such as without license.read where a tenant is on-prem,
import writes nothing and ends with 8.`,
		Example: `  charter import -C fleet --ehr https://platform.example.org --token-file token`,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.importLive(cmd.Context(), &o) },
	}
	bindRepo(cmd, &o.dir)
	bindEnv(cmd, &o.env)
	o.ehr.bind(cmd)
	o.output.bind(cmd, "text", "json")
	return cmd
}

// adoption is one import on its way.
type adoption struct {
	app     *app
	dir     string
	root    *os.Root // the folder
	isNew   bool
	base    *catalog.Desired // what is declared already
	layout  []write.File     // of a new fleet
	written []string
	notes   []adopt.Note
}

func (a *app) importLive(ctx context.Context, o *importOptions) error {
	i, err := a.openAdoption(ctx, o.dir)
	if err != nil {
		return err
	}
	defer i.root.Close()
	environment, err := (&scopeFlags{env: o.env}).environment(&schema.Fleet{Desired: *i.base})
	if err != nil {
		return err
	}
	reading, err := a.read(ctx, o, environment)
	if err != nil {
		return unread(err)
	}
	at := a.now().UTC().Truncate(time.Second)
	found, err := adopt.Declare(reading, adopt.Request{
		Base: i.base, New: i.isNew, Environment: environment.Environment, At: at, Owner: i.owner(),
	})
	if partial := (*adopt.PartialError)(nil); errors.As(err, &partial) {
		return failHint(exitUnread, "what is not known would be declared as not there, and a later plan would act upon that; nothing was written", "%w", err)
	}
	if err != nil {
		return err
	}
	i.notes = found.Notes
	fleet, err := i.write(ctx, found)
	if err != nil {
		return err
	}
	p, err := adopt.Prove(reading, &fleet.Desired, environment.Environment, at)
	if err != nil {
		return err
	}
	if err := i.show(found, p, o.output.value); err != nil {
		return err
	}
	if i.isNew {
		if err := a.commitNew(i.dir, i.written, "Adopt the platform as it is\n\nMade by charter import.\n"); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(reading.Tenants, func(f adopt.Found) bool { return f.Live.Unreadable != "" }) {
		return finish(exitUnread)
	}
	return nil
}

// read reads the platform, which must be the one that is declared.
func (a *app) read(ctx context.Context, o *importOptions, environment catalog.ControlPlane) (*adopt.Reading, error) {
	client, err := o.ehr.client(a, environment.EHR)
	if err != nil {
		return nil, err
	}
	platform, err := client.Platform(ctx)
	if err != nil {
		return nil, err
	}
	if declared := environment.Instance; declared != "" && declared != platform.Instance {
		return nil, &reconcile.InstanceError{Declared: declared, Answered: platform.Instance}
	}
	return adopt.Read(ctx, client)
}

// openAdoption looks at a folder: at the fleet in it, or at none.
func (a *app) openAdoption(ctx context.Context, dir string) (*adoption, error) {
	if source.IsURL(dir) {
		return nil, fail(exitUsage, "--repo %s: files are written in a folder, not at a URL", dir)
	}
	i := &adoption{app: a, dir: dir}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fail(exitFailed, "%w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fail(exitFailed, "%w", err)
	}
	i.root = root
	if i.has("fleet.cue") || i.has("cue.mod/module.cue") {
		fleet, err := (&treeOptions{dir: dir}).load(ctx, a)
		if err != nil {
			return nil, errors.Join(err, root.Close())
		}
		i.base = &fleet.Desired
		return i, nil
	}
	if err := i.beginNew(); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return i, nil
}

func (i *adoption) has(name string) bool {
	_, err := i.root.Lstat(name)
	return err == nil
}

// beginNew starts from what init lays out, but for its example.
func (i *adoption) beginNew() error {
	files, err := write.Layout()
	if err != nil {
		return err
	}
	if err := absent(i.dir, files); err != nil {
		return err
	}
	defaults, err := schema.LoadCatalog(catalog.DefaultFiles())
	if err != nil {
		return err
	}
	i.isNew, i.base = true, &catalog.Desired{Catalog: defaults}
	i.layout = slices.DeleteFunc(files, func(f write.File) bool {
		return strings.HasPrefix(f.Path, "organisations/") || strings.HasPrefix(f.Path, "tenants/")
	})
	return nil
}

// owner is whom holds name as the one to ask.
func (i *adoption) owner() string {
	if name := i.app.author(i.dir).Name; name != "" {
		return name
	}
	return "charter import"
}

// write writes what was found, and gives the fleet that it then is.
func (i *adoption) write(ctx context.Context, found *adopt.Declarations) (*schema.Fleet, error) {
	files, err := found.Files()
	if err != nil {
		return nil, err
	}
	if i.isNew && len(found.Organisations) == 0 && len(found.Tenants) == 0 {
		return nil, fail(exitFailed, "the platform has nothing that could be declared%s", i.reasons())
	}
	ours := map[string]bool{}
	for _, f := range files {
		ours[f.Path] = true
	}
	for _, f := range i.layout {
		if !ours[f.Path] {
			files = append(files, f)
		}
	}
	if err := i.addAll(i.free(files)); err != nil {
		return nil, errors.Join(fail(exitFailed, "%w", err), i.undo())
	}
	return i.settle(ctx)
}

func (i *adoption) reasons() string {
	var b strings.Builder
	for _, n := range i.notes {
		b.WriteString("\n  " + noted(n))
	}
	return b.String()
}

// free passes over files in whose place something stands.
func (i *adoption) free(files []write.File) []write.File {
	if i.isNew && !i.has("tenants") && !i.has("organisations") && !i.has("catalog") {
		return files
	}
	return slices.DeleteFunc(files, func(f write.File) bool {
		name := f.Path
		if strings.HasPrefix(name, "tenants/") {
			name = path.Dir(name)
		}
		taken := i.has(name)
		if taken {
			i.notes = append(i.notes, adopt.Note{Text: fmt.Sprintf("%s is there already, and nothing is overwritten: %s is not written", name, f.Path)})
		}
		return taken
	})
}

// addAll writes files that are not there, several at once: most of it is waiting
// for the disk.
func (i *adoption) addAll(files []write.File) error {
	const atOnce = 8
	made := map[string]bool{".": true}
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(atOnce)
	for _, f := range files {
		if dir := path.Dir(f.Path); !made[dir] {
			if err := i.root.MkdirAll(dir, 0o777); err != nil {
				return errors.Join(err, g.Wait())
			}
			made[dir] = true
		}
		g.Go(func() error {
			created, err := i.add(f)
			if created {
				mu.Lock()
				defer mu.Unlock()
				i.written = append(i.written, f.Path)
			}
			return err
		})
	}
	return g.Wait()
}

// add writes a file, and reports whether it made one.
func (i *adoption) add(f write.File) (created bool, err error) {
	file, err := i.root.OpenFile(f.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return false, err
	}
	_, err = file.Write(f.Data)
	return true, errors.Join(err, file.Close())
}

// undo takes back what was written.
func (i *adoption) undo() error {
	var errs []error
	for _, name := range i.written {
		errs = append(errs, i.remove(name))
	}
	i.written = nil
	return errors.Join(errs...)
}

// remove takes a file back, and the folder that it leaves empty.
func (i *adoption) remove(name string) error {
	if err := i.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_ = i.root.Remove(path.Dir(name)) // only where nothing is left in it
	return nil
}

// settle evaluates what was written. A tenant that is a mistake all the same is
// taken back and named; where anything else is, all of it is taken back.
func (i *adoption) settle(ctx context.Context) (*schema.Fleet, error) {
	for {
		fleet, err := (&treeOptions{dir: i.dir}).load(ctx, i.app)
		var problems schema.Problems
		if err == nil {
			return fleet, nil
		}
		if !errors.As(err, &problems) || i.takeBack(problems) == 0 {
			i.app.note("nothing was written")
			return nil, errors.Join(err, i.undo())
		}
	}
}

// takeBack removes the written tenants that problems are of, and counts them.
func (i *adoption) takeBack(problems schema.Problems) int {
	wrong := map[string]bool{}
	for _, p := range problems {
		if !strings.HasPrefix(p.Pos.File, "tenants/") || !slices.Contains(i.written, p.Pos.File) {
			continue
		}
		tenant := path.Base(path.Dir(p.Pos.File))
		wrong[p.Pos.File], wrong["holds/adopted-"+tenant+".cue"] = true, true
		i.notes = append(i.notes, adopt.Note{Tenant: tenant, Text: fmt.Sprintf("left out: %s [%s]", p.Message, p.Code)})
	}
	before := len(i.written)
	i.written = slices.DeleteFunc(i.written, func(name string) bool {
		return wrong[name] && i.remove(name) == nil
	})
	return before - len(i.written)
}

// imported is the result for programs.
type imported struct {
	Files []string     `json:"files"` // that were written
	Notes []adopt.Note `json:"notes"`
	Empty bool         `json:"empty"` // whether the plan has nothing to do, and knows all
	Plan  *plan.Plan   `json:"plan"`
}

// show tells what was written, what somebody should look at, and the plan.
func (i *adoption) show(found *adopt.Declarations, p *plan.Plan, format string) error {
	a := i.app
	if format == "json" {
		empty := len(p.Batches)+len(p.Refusals)+len(p.Unreadable) == 0
		return view.JSON(a.stdout, imported{slices.Sorted(slices.Values(i.written)), append([]adopt.Note{}, i.notes...), empty, p})
	}
	for _, n := range i.notes {
		a.note("warning: %s", noted(n))
	}
	editions := i.count("catalog/edition-")
	if found.New {
		editions = len(found.Editions)
	}
	fmt.Fprintf(a.stdout, "%s written: %s, %s, %s\n", view.Counted(len(i.written), "file", "files"), view.Counted(editions, "edition", "editions"),
		view.Counted(i.count("organisations/"), "organisation", "organisations"), view.Counted(i.count("tenants/"), "tenant", "tenants"))
	return view.Plan(a.stdout, a.style(a.outTerminal), p)
}

// count counts the written files whose paths begin alike.
func (i *adoption) count(prefix string) (n int) {
	for _, name := range i.written {
		if strings.HasPrefix(name, prefix) {
			n++
		}
	}
	return n
}

func noted(n adopt.Note) string {
	if n.Tenant == "" {
		return n.Text
	}
	return "tenant " + n.Tenant + ": " + n.Text
}
