package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/veonahealth/charter/reconcile/source"
	"github.com/veonahealth/charter/schema/write"
)

func (a *app) newInit() *cobra.Command {
	var audit bool
	var found foundOptions
	cmd := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Lay out a new fleet repository",
		Long: `Init lays out a fleet repository: the CUE module, the schema, the default
catalogue, one organisation, one tenant with one admin, a policy and the workflows
for pull requests (GitHub's, which Gitea and Forgejo read too, and GitLab's); and
commits it, where git knows who commits. It never overwrites: if one of its files
is there already, nothing is written.

With --audit it founds the ledger of an environment instead, in a fleet that is
there: the policy of the commit becomes the one in force, from then on plans are
applied by the approvals that it asks for, and every apply leaves a receipt. It
prints the ledger's root, which everybody is given who verifies.

Where the ledger is lost with all its copies, --again founds another on the platform
that the lost one had witnessed. What was done under that one is of the past: no
approval and no receipt of it counts, and its root verifies nothing any more.`,
		Example: `  charter init fleet
  charter init --audit fleet --key ops.key
  charter init --audit fleet --again --ehr $EHR --key safe.key --reason "INC-12"`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			if audit {
				if len(args) == 0 && cmd.Flags().Changed("repo") {
					dir = found.dir
				}
				found.dir = dir
				return a.found(cmd.Context(), &found)
			}
			for _, flag := range []string{"key", "env", "rev", "reason", "again"} {
				if cmd.Flags().Changed(flag) {
					return fail(exitUsage, "--%s: it goes with --audit", flag)
				}
			}
			return a.init(dir)
		},
	}
	bindRepo(cmd, &found.dir)
	cmd.Flags().BoolVar(&audit, "audit", false, "found the ledger of an environment, and print its root")
	cmd.Flags().StringVar(&found.rev, "rev", "HEAD", "the `REVISION` whose policy is pinned, with --audit")
	cmd.Flags().StringVar(&found.reason, "reason", "the ledger is founded", "`WHY`, to be kept in the receipt, with --audit")
	cmd.Flags().BoolVar(&found.again, "again", false, "found it in the place of one that is lost, on a platform that has seen that one, with --audit")
	bindEnv(cmd, &found.env)
	found.ehr.bind(cmd)
	found.key.bind(cmd)
	return cmd
}

func (a *app) init(dir string) error {
	files, err := write.Layout()
	if err != nil {
		return err
	}
	if err := absent(dir, files); err != nil {
		return err
	}
	if err := layOut(dir, files); err != nil {
		return fail(exitFailed, "lay out %s: %w", dir, err)
	}
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = f.Path
		fmt.Fprintln(a.stdout, filepath.Join(dir, filepath.FromSlash(f.Path)))
	}
	return a.commitNew(dir, paths, "Lay out the fleet\n\nMade by charter init.\n")
}

// commitNew commits the files of a new fleet, where git knows who commits.
func (a *app) commitNew(dir string, paths []string, message string) error {
	commit, err := source.Found(dir, paths, message, a.author(dir), a.now())
	switch {
	case errors.Is(err, source.ErrNoAuthor):
		a.note("not committed: %s", err)
		a.note(`next: git config --global user.name "YOUR NAME"; git config --global user.email YOU@EXAMPLE.ORG; git -C %s add -A; git -C %s commit -m "Lay out the fleet"`, dir, dir)
		return nil
	case errors.Is(err, source.ErrHistory):
		a.note("not committed: %s; next: git -C %s add -A; git -C %s commit", err, dir, dir)
		return nil
	}
	if err != nil {
		return fail(exitFailed, "%w", err)
	}
	a.note("committed as %.12s; next: charter validate -C %s", commit, dir)
	return nil
}

// author is whom the environment or git's configuration names as the one who
// commits. git itself is asked where it is installed: its configuration may
// include files by conditions that only it knows.
func (a *app) author(dir string) source.Author {
	one := func(key string, variables ...string) string {
		for _, variable := range variables {
			if value, _ := a.lookupEnv(variable); value != "" {
				return value
			}
		}
		out, err := exec.Command("git", "-C", dir, "config", "--get", key).Output()
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(out))
	}
	return source.Author{
		Name:  one("user.name", "GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"),
		Email: one("user.email", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"),
	}
}

// absent refuses to lay files out where one of them stands already.
func absent(dir string, files []write.File) error {
	var there []string
	for _, f := range files {
		if _, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(f.Path))); err == nil {
			there = append(there, f.Path)
		}
	}
	if len(there) > 0 {
		return failHint(exitFailed, "nothing was written; name an empty folder", "%s has %s already", dir, strings.Join(there, ", "))
	}
	return nil
}

// layOut writes all files, or none.
func layOut(dir string, files []write.File) (err error) {
	var written []string
	defer func() {
		if err != nil {
			for _, name := range written {
				err = errors.Join(err, os.Remove(name))
			}
		}
	}()
	for _, f := range files {
		name := filepath.Join(dir, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			return err
		}
		if err := writeNew(name, f.Data, 0o644); err != nil {
			return err
		}
		written = append(written, name)
	}
	return nil
}
