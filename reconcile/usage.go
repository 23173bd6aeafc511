package reconcile

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/ehr"
)

// counter is a platform that counts how often modules are used.
type counter interface {
	Usage(ctx context.Context, id catalog.TenantID) (map[catalog.Row]int64, error)
}

// use tells of each row that a plan takes away how often it was used, where the
// platform counts that. It is for people to decide by, and a platform that does
// not say leaves the plan as it is.
func use(ctx context.Context, e EHR, platform ehr.Platform, p *plan.Plan) {
	asked, counts := e.(counter)
	if !counts || !platform.Has(ehr.FeatureUsage) {
		return
	}
	var g errgroup.Group
	g.SetLimit(e.Parallelism())
	for i := range p.Batches {
		b := &p.Batches[i]
		id, err := catalog.ParseTenantID(b.Tenant)
		revoked, _, rowsErr := plan.Rows(b.Changes)
		if b.Subject != plan.Entitlements || err != nil || rowsErr != nil || len(revoked) == 0 {
			continue
		}
		g.Go(func() error {
			if used, err := asked.Usage(ctx, id); err == nil {
				b.Used(used)
			}
			return nil
		})
	}
	_ = g.Wait() // nobody gives an error
}
