package ehr

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/veonahealth/charter/catalog"
)

// SignedLicence is a licence with its token, to be carried to its deployment.
type SignedLicence struct {
	ID      string
	State   string // issued, active, suspended or revoked
	Expires time.Time
	// Document is the licence in the platform's own JSON. The token in it is a
	// secret: it is written to the file that somebody asked for and nowhere else.
	Document []byte
}

// SignedLicences lists a tenant's licences with their tokens. It is the one
// reading that keeps them.
func (c *Client) SignedLicences(ctx context.Context, id catalog.TenantID) ([]SignedLicence, error) {
	var licences []SignedLicence
	_, err := list(ctx, c, "/licenses", url.Values{"tenant": {id.String()}}, func(raw jsontext.Value) error {
		var w struct {
			wireLicence
			Token string `json:"token"`
		}
		if err := decode(raw, &w); err != nil {
			return err
		}
		if w.ID == "" || w.State == "" || w.Expires == nil || w.Token == "" {
			return errors.New("a licence lacks its id, state, end or token")
		}
		if w.Tenant != id.String() {
			return fmt.Errorf("it lists a licence of tenant %.80q", w.Tenant)
		}
		licences = append(licences, SignedLicence{w.ID, w.State, *w.Expires, raw.Clone()})
		return nil
	})
	return licences, err
}
