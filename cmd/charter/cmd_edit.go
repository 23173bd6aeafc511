package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/schema/write"
)

type editOptions struct {
	repo      string
	target    string // TENANT or TENANT/FACILITY
	module    string
	statement write.Statement
	commit    bool // commit the edit
}

func (o *editOptions) command(use, short, long, example string, run func(context.Context, *editOptions) error) *cobra.Command {
	cmd := &cobra.Command{
		Use: use + " TENANT[/FACILITY] MODULE", Short: short, Long: long, Example: example,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.target, o.module = args[0], args[1]
			if err := o.dated(); err != nil {
				return err
			}
			if err := run(cmd.Context(), o); err != nil || !o.commit {
				return err
			}
			return o.committed(cmd.Context(), cmd.Name())
		},
	}
	bindRepo(cmd, &o.repo)
	flags := cmd.Flags()
	flags.StringVar(&o.statement.Reason, "reason", "", "why, in your `WORDS`")
	flags.StringVar(&o.statement.Ticket, "ticket", "", "the `TICKET` it belongs to")
	flags.StringVar(&o.statement.From, "from", "", "the first `DATE` on which it is in force")
	flags.BoolVar(&o.commit, "commit", false, "commit the edit, with the reason in the message")
	flags.StringVar(&o.statement.Until, "until", "", "the first `DATE` on which it no longer is in force")
	return cmd
}

// committed commits what was edited, and nothing else, as the person whom git knows.
func (o *editOptions) committed(ctx context.Context, verb string) error {
	message := fmt.Sprintf("%s %s: %s\n\n%s\n", verb, o.module, o.target, o.statement.Reason)
	tenant, _, _ := strings.Cut(o.target, "/")
	out, err := exec.CommandContext(ctx, "git", "-C", o.repo, "commit", "-q", "-m", message, "--", "tenants").CombinedOutput()
	if err != nil {
		return fail(exitFailed, "the edit of %s is in the file, and was not committed: %w: %s", tenant, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// dated refuses what is no date.
func (o *editOptions) dated() error {
	if _, err := instant("--from", o.statement.From); err != nil {
		return err
	}
	_, err := instant("--until", o.statement.Until)
	return err
}

func (a *app) newGrant() *cobra.Command {
	o := &editOptions{}
	return o.command("grant", "Write a grant into a tenant's file", `Grant makes a facility, or every facility of a tenant, hold a module: it takes a
revocation of the same level out, and writes a grant where the module does not
come by itself then. The file is formatted and its comments are kept; what the
edit does is shown. Commit it, and plan.`,
		`  charter grant kisumu scribe --reason pilot --until 2027-03-01
  charter grant kisumu/lumumba "Blood Bank" --reason "new laboratory" --ticket OPS-9`, a.grant)
}

func (a *app) newRevoke() *cobra.Command {
	o := &editOptions{}
	return o.command("revoke", "Write a revocation into a tenant's file", `Revoke makes a facility, or every facility of a tenant, hold a module no longer:
it takes a grant of the same level out, and writes a revocation where the module
still comes from elsewhere. With --from, a grant gets that day as its end.`,
		`  charter revoke kisumu pulse --reason "not bought"
  charter revoke kisumu/lumumba theatre --reason "no theatre on site"`, a.revoke)
}

func (a *app) newExtend() *cobra.Command {
	o := &editOptions{}
	return o.command("extend", "Move the end of a grant or revocation", `Extend gives a grant or revocation of a tenant, or of a facility, another end.`,
		`  charter extend kisumu scribe --until 2027-06-01`, a.extend)
}

// edit is one change of a tenant's statements on a module.
type edit struct {
	*workTree
	*editOptions
	dir      string
	tenant   *catalog.Tenant
	facility *catalog.Facility // nil for the tenant itself
	level    write.Level
	key      catalog.ModuleKey
}

// openEdit finds what an edit is about.
func (a *app) openEdit(ctx context.Context, o *editOptions) (*edit, error) {
	w, err := a.openWorkTree(ctx, o.repo)
	if err != nil {
		return nil, err
	}
	tenant, facility, ofFacility := strings.Cut(o.target, "/")
	d, t, err := w.tenant(tenant)
	if err != nil {
		return nil, err
	}
	e := &edit{workTree: w, editOptions: o, dir: d.Dir, tenant: t}
	if ofFacility {
		i := slices.IndexFunc(t.Facilities, func(f catalog.Facility) bool { return f.ID.String() == facility })
		if i < 0 {
			return nil, failHint(exitUsage, nearestFacility(t, facility), "tenant %s declares no facility %q", t.ID, facility)
		}
		e.facility, e.level = &t.Facilities[i], write.Level{Facility: facility}
	}
	module, err := w.module(o.module)
	if err != nil {
		return nil, err
	}
	e.key = module.Key
	return e, nil
}

func nearestFacility(t *catalog.Tenant, name string) string {
	names := make([]string, len(t.Facilities))
	for i := range t.Facilities {
		names[i] = t.Facilities[i].ID.String()
	}
	if nearest := catalog.Nearest(name, slices.Values(names)); nearest != "" {
		return fmt.Sprintf("did you mean %q?", nearest)
	}
	return "its facilities: " + strings.Join(names, ", ")
}

// statements returns what the level says of the module: its grant and its
// revocation, either nil.
func (e *edit) statements() (grant, revocation *catalog.Adjustment) {
	grants, revocations := e.tenant.Grants, e.tenant.Revocations
	if e.facility != nil {
		grants, revocations = e.facility.Grants, e.facility.Revocations
	}
	find := func(list []catalog.Adjustment) *catalog.Adjustment {
		for i := range list {
			if list[i].Module == e.key {
				return &list[i]
			}
		}
		return nil
	}
	return find(grants), find(revocations)
}

// comesFromAbove reports whether the levels above this one give the module.
func (e *edit) comesFromAbove() bool {
	index, _ := e.fleet.Catalog.IndexOf(e.key)
	given := e.fleet.Catalog.Edition(e.tenant.Edition).Set().Has(index)
	if e.facility == nil {
		return given
	}
	says := func(list []catalog.Adjustment) bool {
		return slices.ContainsFunc(list, func(a catalog.Adjustment) bool { return a.Module == e.key })
	}
	return (given || says(e.tenant.Grants)) && !says(e.tenant.Revocations)
}

func (a *app) grant(ctx context.Context, o *editOptions) error {
	e, err := a.openEdit(ctx, o)
	if err != nil {
		return err
	}
	grant, revocation := e.statements()
	spanned := o.statement.From != "" || o.statement.Until != ""
	switch {
	case grant != nil:
		return failHint(exitFailed, "charter extend moves its end", "%s is granted already, at %s", e.key, grant.Pos)
	case revocation != nil && e.comesFromAbove() && !spanned:
		return e.write(ctx, write.Revocations, func(src []byte) ([]byte, error) { return write.Remove(src, e.level, write.Revocations, e.key.String()) })
	case o.statement.Reason == "":
		return fail(exitUsage, "a grant needs its --reason")
	}
	return e.write(ctx, write.Grants, func(src []byte) (_ []byte, err error) {
		if revocation != nil {
			if src, err = write.Remove(src, e.level, write.Revocations, e.key.String()); err != nil {
				return nil, err
			}
		}
		return write.Add(src, e.level, write.Grants, e.key.String(), o.statement)
	})
}

func (a *app) revoke(ctx context.Context, o *editOptions) error {
	e, err := a.openEdit(ctx, o)
	if err != nil {
		return err
	}
	grant, revocation := e.statements()
	key := e.key.String()
	switch {
	case revocation != nil:
		return failHint(exitFailed, "charter extend moves its end", "%s is revoked already, at %s", key, revocation.Pos)
	case grant != nil && o.statement.Until != "":
		return failHint(exitFailed, "edit the grant's dates by hand", "%s is granted at %s: an end of the revocation would leave a gap that one grant cannot have", key, grant.Pos)
	case grant != nil && o.statement.From != "" && !e.comesFromAbove():
		return e.write(ctx, write.Grants, func(src []byte) ([]byte, error) {
			return write.Set(src, e.level, write.Grants, key, "until", o.statement.From)
		})
	case grant != nil && !e.comesFromAbove():
		return e.write(ctx, write.Grants, func(src []byte) ([]byte, error) { return write.Remove(src, e.level, write.Grants, key) })
	case grant == nil && !e.comesFromAbove():
		return fail(exitFailed, "nothing gives %s to %s", key, o.target)
	case o.statement.Reason == "":
		return fail(exitUsage, "a revocation needs its --reason")
	}
	return e.write(ctx, write.Revocations, func(src []byte) (_ []byte, err error) {
		if grant != nil {
			if src, err = write.Remove(src, e.level, write.Grants, key); err != nil {
				return nil, err
			}
		}
		return write.Add(src, e.level, write.Revocations, key, o.statement)
	})
}

func (a *app) extend(ctx context.Context, o *editOptions) error {
	if o.statement.Until == "" {
		return fail(exitUsage, "extend needs the new end: --until DATE")
	}
	e, err := a.openEdit(ctx, o)
	if err != nil {
		return err
	}
	grant, revocation := e.statements()
	list := write.Grants
	switch {
	case grant == nil && revocation == nil:
		return failHint(exitFailed, "charter grant writes one", "%s has no grant or revocation of %s", o.target, e.key)
	case grant == nil:
		list = write.Revocations
	}
	return e.write(ctx, list, func(src []byte) (_ []byte, err error) {
		for _, field := range []struct{ name, value string }{
			{"until", o.statement.Until}, {"from", o.statement.From}, {"reason", o.statement.Reason}, {"ticket", o.statement.Ticket},
		} {
			if field.value == "" {
				continue
			}
			if src, err = write.Set(src, e.level, list, e.key.String(), field.name, field.value); err != nil {
				return nil, err
			}
		}
		return src, nil
	})
}

// write makes an edit of a map in the file of the tenant that takes it: the first
// one in which it finds what it needs, and of those the one where most of it
// stands.
func (e *edit) write(ctx context.Context, list string, change func([]byte) ([]byte, error)) error {
	files, err := e.files(e.dir)
	if err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(files))
	standing := map[string]int{}
	for _, name := range names {
		if standing[name], err = write.Standing(files[name], e.level, list); err != nil {
			return fail(exitFailed, "%s: %w", name, err)
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return standing[b] - standing[a] })
	for _, name := range names {
		after, err := change(files[name])
		switch {
		case errors.Is(err, write.ErrNoEntry), errors.Is(err, write.ErrNotLiteral):
			continue
		case err != nil:
			return fail(exitFailed, "%s: %w", name, err)
		}
		return e.workTree.change(ctx, name, files[name], after)
	}
	return failHint(exitFailed, "edit it by hand", "%s: what stands there is not written out in a form that charter edits", e.dir)
}
