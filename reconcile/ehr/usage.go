package ehr

import (
	"context"
	"errors"

	"github.com/veonahealth/charter/catalog"
)

// FeatureUsage is the feature of platforms that count how often modules are used.
const FeatureUsage = "usage"

// Usage reads how many requests the gate let through in the last 30 days, by row.
// It must only be called where the platform has FeatureUsage.
func (c *Client) Usage(ctx context.Context, id catalog.TenantID) (map[catalog.Row]int64, error) {
	path := "/tenants/" + id.String() + "/usage"
	var w struct {
		Tenant string `json:"tenant"`
		Items  *[]struct {
			wireRow
			Requests int64 `json:"requests"`
		} `json:"items"`
	}
	if _, err := c.get(ctx, path, &w); err != nil {
		return nil, err
	}
	if w.Items == nil || w.Tenant != id.String() {
		return nil, &UnknownError{"GET " + path, errors.New("it does not answer with the tenant's usage")}
	}
	used := map[catalog.Row]int64{}
	for _, item := range *w.Items {
		row, err := item.parse()
		if err != nil || item.Requests < 0 {
			return nil, &UnknownError{"GET " + path, errors.Join(err, errors.New("it counts what cannot be counted"))}
		}
		used[row] += item.Requests
	}
	return used, nil
}
