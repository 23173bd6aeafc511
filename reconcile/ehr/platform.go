package ehr

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/veonahealth/charter/catalog"
)

// FeatureBulk is the feature of platforms that give every grant in one stream.
const FeatureBulk = "bulk-entitlements"

// Platform is what a platform says of itself.
type Platform struct {
	Name     string   `json:"name"`
	Version  string   `json:"version"`
	Instance string   `json:"instance"` // its stable id
	Features []string `json:"features"`
}

// Has reports whether the platform offers a feature.
func (p *Platform) Has(feature string) bool { return slices.Contains(p.Features, feature) }

// Platform asks the platform who it is.
func (c *Client) Platform(ctx context.Context) (Platform, error) {
	var p Platform
	if _, err := c.get(ctx, "/", &p); err != nil {
		return Platform{}, err
	}
	if p.Instance == "" {
		return Platform{}, &UnknownError{"GET /", errors.New("it does not say its instance: is this an EHR control plane?")}
	}
	return p, nil
}

// Deployment is the state of a tenant's deployment.
type Deployment struct {
	Reachable bool   `json:"reachable"`
	App       string `json:"app"`
	Release   string `json:"release"`
	Enforced  *struct {
		Revision int64     `json:"revision"`
		At       time.Time `json:"at"`
	} `json:"enforced"` // nil where nothing was ever reported enforced
	// Licence is what the deployment runs by; nil where it needs none.
	Licence *struct {
		ID           string     `json:"id"`
		State        string     `json:"state"`
		HeartbeatAt  *time.Time `json:"heartbeat_at"`  // nil where its box was never heard of
		OfflineUntil *time.Time `json:"offline_until"` // until when its box runs without being heard of
	} `json:"licence"`
}

// Deployment reads the state of a tenant's deployment.
func (c *Client) Deployment(ctx context.Context, id catalog.TenantID) (Deployment, error) {
	path := "/tenants/" + id.String() + "/ehr-status"
	var w struct {
		Deployment
		Reachable *bool `json:"reachable"` // tells what is missing from what is not
	}
	if _, err := c.get(ctx, path, &w); err != nil {
		return Deployment{}, err
	}
	if w.Reachable == nil {
		return Deployment{}, &UnknownError{"GET " + path, errors.New("it does not say whether the deployment is reachable")}
	}
	w.Deployment.Reachable = *w.Reachable
	return w.Deployment, nil
}
