package main

import (
	"context"
	"errors"

	"github.com/veonahealth/charter/cmd/charter/internal/view"
	"github.com/veonahealth/charter/reconcile/forge"
	"github.com/veonahealth/charter/schema"
)

// status says beside the commit what came of the run. Like the comment it changes
// nothing in what the run ends with.
func (c *pipeline) status(ctx context.Context, err error) {
	if c.run.Head == "" || ctx.Err() != nil {
		return
	}
	failed := c.setStatus(ctx, err)
	if failed != nil && (c.run.Change != 0 || !errors.Is(failed, errNoForgeToken)) {
		c.app.note("no status on commit %.12s: %s", c.run.Head, failed)
	}
}

func (c *pipeline) setStatus(ctx context.Context, err error) error {
	client, failed := c.forge()
	if failed != nil {
		return failed
	}
	s := forge.Status{Commit: c.run.Head, Name: "charter/" + c.o.plan.scope.env, URL: c.commented}
	s.State, s.Text = c.verdict(err)
	ctx, cancel := context.WithTimeout(ctx, forgeTime)
	defer cancel()
	return client.SetStatus(ctx, s)
}

// verdict says in a line what came of the run, where everybody reads it.
func (c *pipeline) verdict(err error) (forge.State, string) {
	var problems schema.Problems
	switch {
	case err == nil:
		return forge.Success, c.summary
	case errors.As(err, &problems):
		return forge.Failure, view.Counted(len(problems), "mistake", "mistakes") + " in the declarations"
	}
	switch codeOf(err) {
	case exitWrong, exitBlocked:
		return forge.Failure, err.Error()
	case exitStale, exitPartly:
		return forge.Failure, inPublic(err)
	}
	return forge.Error, inPublic(err)
}
