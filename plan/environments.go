package plan

import (
	"slices"
	"strings"
	"time"

	"github.com/veonahealth/charter/catalog"
)

// CompareEnvironments sets two environments of one state of the declarations side
// by side. An id is declared once, so a tenant's other half bears another one:
// two are compared that have the same id but for their environment's name before
// or after it, as kisumu-staging and kisumu, or kisumu-staging and kisumu-prod.
func CompareEnvironments(d *catalog.Desired, commit string, base, head catalog.Environment, at time.Time) (*Comparison, error) {
	halves := map[string]*catalog.Declaration{}
	for i := range d.Tenants {
		if t := &d.Tenants[i]; t.Environment == base {
			halves[bare(t.ID, base)] = t
		}
	}
	before, after := *d, *d
	before.Tenants, after.Tenants = nil, nil
	var alone []string
	for i := range d.Tenants {
		t := &d.Tenants[i]
		if t.Environment != head {
			continue
		}
		half := halves[bare(t.ID, head)]
		if half == nil {
			alone = append(alone, t.ID.String())
			continue
		}
		delete(halves, bare(t.ID, head))
		renamed, err := renamed(half, t)
		if err != nil {
			return nil, err
		}
		before.Tenants, after.Tenants = append(before.Tenants, renamed), append(after.Tenants, *t)
	}
	for _, half := range halves {
		alone = append(alone, half.ID.String())
	}
	slices.Sort(alone)
	c, err := Compare(Sides{Base: &before, Head: &after, BaseCommit: commit, HeadCommit: commit, Environment: head, At: at})
	if err == nil {
		c.Environments, c.Alone = []string{base.String(), head.String()}, alone
	}
	return c, err
}

// bare is an id without the name of its environment.
func bare(id catalog.TenantID, environment catalog.Environment) string {
	name := strings.TrimSuffix(id.String(), "-"+environment.String())
	return strings.TrimPrefix(name, environment.String()+"-")
}

// renamed is a declaration under the id and in the environment of another.
func renamed(half, as *catalog.Declaration) (catalog.Declaration, error) {
	t, err := half.Tenant()
	if err != nil {
		return catalog.Declaration{}, err
	}
	t.ID, t.Environment = as.ID, as.Environment
	return catalog.Declare(t, half.Dir)
}
