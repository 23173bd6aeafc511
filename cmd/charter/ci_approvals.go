package main

import (
	"context"

	"github.com/veonahealth/charter/cmd/charter/internal/view"
	"github.com/veonahealth/charter/reconcile"
)

// approvals puts what is missing before the plan may be applied into the comment,
// where a ledger tells; where it was asked for, into what the run ends with too.
func (c *pipeline) approvals(ctx context.Context, file *planFile, beside *view.Beside) {
	if !c.o.approved && c.o.plan.root.root == "" {
		return
	}
	j, err := c.judgement(ctx, file)
	switch {
	case err != nil && c.o.approved:
		c.errs = append(c.errs, err)
		return
	case err != nil:
		c.app.note("which approvals are missing is not known: %s", err)
		return
	}
	beside.Judged, beside.Lacks = true, lacks(j)
	if !c.o.approved {
		return
	}
	first := j.First()
	for _, text := range beside.Lacks {
		if first == nil || text != first.Error() { // which is told at the end
			c.app.note("%s", text)
		}
	}
	if first != nil {
		c.errs = append(c.errs, &reconcile.RefusedError{Refusal: first})
	}
}

// judgement is what the policy in force says of a plan.
func (c *pipeline) judgement(ctx context.Context, file *planFile) (*reconcile.Judgement, error) {
	office, err := c.app.needOffice(ctx, c.o.plan.repo, file.plan.Environment, c.o.plan.root.root)
	if err != nil {
		return nil, err
	}
	defer office.Close()
	return office.judge(ctx, file)
}
