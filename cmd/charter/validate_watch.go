package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/veonahealth/charter/cmd/charter/internal/livetree"
	"github.com/veonahealth/charter/cmd/charter/internal/view"
	"github.com/veonahealth/charter/schema"
)

// validated is what one check of a watched folder found.
type validated struct {
	fleet              *schema.Fleet // nil where there are mistakes
	problems, warnings schema.Problems
}

// validateWatch checks a folder at every save, until it is interrupted.
func (a *app) validateWatch(ctx context.Context, o *treeOptions) (err error) {
	switch {
	case o.dir == "":
		return failHint(exitUsage, "charter validate --watch .", "--watch: name the DIR; a commit does not change")
	case o.output.value != "text":
		return fail(exitUsage, "--watch: it tells what changes as text, not as %s", o.output.value)
	}
	if _, err := parseAt(o.at, a.now()); err != nil {
		return err
	}
	root, err := os.OpenRoot(o.dir)
	if err != nil {
		return fail(exitFailed, "%w", err)
	}
	defer root.Close()
	heard, err := livetree.New(o.dir)
	if errors.Is(err, livetree.ErrTooMany) {
		return failHint(exitFailed, "raise fs.inotify.max_user_watches: each folder is one", "watch %s: %w", o.dir, err)
	}
	if err != nil {
		return fail(exitFailed, "watch %s: %w", o.dir, err)
	}
	defer func() { err = errors.Join(err, heard.Close()) }()
	tree, err := livetree.Read(root)
	if err != nil {
		return fail(exitFailed, "%w", err)
	}
	e, err := a.newEvaluator(o.dir)
	if err != nil {
		return err
	}
	defer e.close()
	check := func() (*validated, error) {
		at, err := parseAt(o.at, a.now())
		if err != nil {
			return nil, err
		}
		return validateTree(ctx, e, tree, at)
	}
	last, err := check()
	if err == nil {
		err = a.showValidation(last.fleet, last.problems, last.warnings)
	}
	for err == nil {
		last, err = a.validateNext(ctx, heard, tree, check, last)
	}
	return err
}

// validateNext waits for a save and tells what it has changed.
func (a *app) validateNext(ctx context.Context, heard *livetree.Watcher, tree *livetree.Tree, check func() (*validated, error), last *validated) (*validated, error) {
	paths, err := heard.Next(ctx)
	if err != nil {
		return nil, err
	}
	changed, err := tree.Renew(paths...)
	if err != nil {
		return nil, fail(exitFailed, "%w", err)
	}
	if !changed {
		return last, nil
	}
	next, err := check()
	if err != nil {
		return nil, err
	}
	return next, a.showChanged(last, next)
}

func validateTree(ctx context.Context, e *evaluator, tree *livetree.Tree, at time.Time) (*validated, error) {
	fleet, err := e.load(ctx, tree)
	v := &validated{fleet: fleet}
	if err != nil && !errors.As(err, &v.problems) {
		return nil, err
	}
	if fleet != nil {
		v.warnings = fleet.Warnings(at)
	}
	return v, nil
}

// showChanged tells what has come and what has gone. While there are mistakes nobody
// knows of warnings, and those of before are as they were.
func (a *app) showChanged(last, next *validated) error {
	came, went := moved(last.problems, next.problems)
	view.Problems(a.stdout, a.style(a.outTerminal), came)
	view.Fixed(a.stdout, a.style(a.outTerminal), went)
	if next.fleet == nil {
		next.warnings = last.warnings
	}
	if fresh, ended := moved(last.warnings, next.warnings); !a.quiet {
		view.Warnings(a.stderr, a.style(a.errTerminal), fresh)
		view.Fixed(a.stderr, a.style(a.errTerminal), ended)
	}
	if len(came)+len(went) == 0 {
		return nil
	}
	return a.showCount(next.fleet, next.problems)
}

// moved gives what is in one list and not in the other. What stands at another line
// of the same file, because of what was written above it, is the same.
func moved(last, next schema.Problems) (came, went schema.Problems) {
	type identity struct {
		file    string
		code    schema.Code
		message string
	}
	of := func(p *schema.Problem) identity { return identity{p.Pos.File, p.Code, p.Message} }
	beyond := func(list, other schema.Problems) (rest schema.Problems) {
		there := map[identity]int{}
		for i := range other {
			there[of(&other[i])]++
		}
		for i := range list {
			if id := of(&list[i]); there[id] > 0 {
				there[id]--
			} else {
				rest = append(rest, list[i])
			}
		}
		return rest
	}
	return beyond(next, last), beyond(last, next)
}
