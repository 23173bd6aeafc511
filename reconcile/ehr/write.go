package ehr

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/veonahealth/charter/catalog"
)

// Authority says by whose word a write is made, so that the platform, or anyone
// who reads its audit trail, can check it without asking charter.
type Authority struct {
	Approvals   []Approval      `json:"approvals"`
	Base        string          `json:"base"`  // the line that says what the batch stands on
	Batch       string          `json:"batch"` // the batch's digest
	Environment string          `json:"environment"`
	Mandate     json.RawMessage `json:"mandate"` // null where people approved
	Receipt     *string         `json:"receipt"` // null where no ledger is founded
}

// Approval shows that a batch is among those that a person signed.
type Approval struct {
	Bundle json.RawMessage `json:"bundle"`
	Count  int             `json:"count"` // of leaves
	Index  int             `json:"index"` // of the batch's leaf
	Proof  [][]byte        `json:"proof"` // its audit path, in base64
}

// PutGrant replaces a tenant's rows, if its grant is still at a stamp, and gives
// the new stamp. The key makes a second try answer what the first one did. After
// an UnknownError the write may or may not have been carried out.
func (c *Client) PutGrant(ctx context.Context, id catalog.TenantID, base catalog.Stamp, rows catalog.Rows, authority *Authority, key string) (catalog.Stamp, error) {
	path := "/tenants/" + id.String() + "/entitlements"
	body, sent, err := grantBody(authority, rows)
	if err != nil {
		return catalog.Stamp{}, fmt.Errorf("PUT %s: %w", path, err)
	}
	r, err := c.request(ctx, http.MethodPut, path, body)
	if err != nil {
		return catalog.Stamp{}, err
	}
	r.Header.Set("If-Match", base.ETag)
	r.Header.Set("Idempotency-Key", key)
	answer, err := c.whole.Do(r)
	if err != nil {
		return catalog.Stamp{}, unknown(r.Method, path, err)
	}
	var w echo
	if err := accept(answer, http.StatusOK, &w); err != nil {
		return catalog.Stamp{}, unknown(r.Method, path, err)
	}
	g, err := w.head(answer.Header.Get("ETag"))
	if err == nil {
		err = errors.Join(whose(g, id), w.check(sent, rows))
	}
	if err != nil {
		return catalog.Stamp{}, &UnknownError{"PUT " + path, err}
	}
	return g.Stamp, nil
}

// echo is the answer to a write of rows. They nearly always come back as they were
// spelled, and then need not be read.
type echo struct {
	wireGrant
	Rows *jsontext.Value `json:"rows"`
}

// check refuses other rows than those that were sent.
func (w *echo) check(sent []byte, rows catalog.Rows) error {
	if w.Rows == nil {
		return errNoRows
	}
	if bytes.Equal(*w.Rows, sent) {
		return nil
	}
	var wire wireRows
	if err := decode(*w.Rows, &wire); err != nil {
		return err
	}
	if !slices.Equal(catalog.NewRows(wire), rows) {
		return errors.New("it answers with other rows than were written")
	}
	return nil
}

// CodeExists is the code of a problem that says that what was to be created is
// there already.
const CodeExists = "exists"

// IsExists reports whether err is the platform's own word that what was to be
// created is there already.
func IsExists(err error) bool { return hasCode(err, http.StatusConflict, CodeExists) }

// Send makes any other write: a request with a body, to which the authority is
// added. The entity tag is sent as If-Match where it is not "". After an
// UnknownError the write may or may not have been carried out.
func (c *Client) Send(ctx context.Context, method, path string, body json.RawMessage, etag string, authority *Authority, key string) error {
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(body, &fields); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	encoded, err := json.Marshal(authority)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	fields["authority"] = encoded
	whole, err := json.Marshal(fields)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	r, err := c.request(ctx, method, path, whole)
	if err != nil {
		return err
	}
	if etag != "" {
		r.Header.Set("If-Match", etag)
	}
	r.Header.Set("Idempotency-Key", key)
	answer, err := c.whole.Do(r)
	if err != nil {
		return unknown(method, path, err)
	}
	if err := carriedOut(answer); err != nil {
		return unknown(method, path, err)
	}
	return nil
}

// carriedOut accepts the answers that say that a write was carried out.
func carriedOut(answer *http.Response) error {
	switch answer.StatusCode {
	case http.StatusNoContent:
		return nil
	case http.StatusOK, http.StatusCreated:
		return accept(answer, answer.StatusCode, &struct{}{})
	}
	return accept(answer, http.StatusOK, &struct{}{})
}
