package ehr

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/veonahealth/charter/catalog"
)

// codeSnapshotGone is the platform's word for a snapshot that it never gave.
const codeSnapshotGone = "snapshot-gone"

// IsGone reports whether err is the platform's own word that it does not know a
// snapshot: all that was read by it has to be read again.
func IsGone(err error) bool { return hasCode(err, http.StatusGone, codeSnapshotGone) }

// GrantsSince streams the grants that have changed after a snapshot, which an
// earlier stream gave, and gives the next one. Like Grants it must only be called
// where the platform has FeatureBulk, and what was yielded counts only when it
// returns without an error.
func (c *Client) GrantsSince(ctx context.Context, snapshot string, yield func(catalog.Grant) error) (string, error) {
	if snapshot == "" {
		return "", errors.New("read grants: no snapshot to begin after")
	}
	return c.grants(ctx, streamPath+"?since="+url.QueryEscape(snapshot), yield)
}
