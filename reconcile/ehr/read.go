package ehr

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/veonahealth/charter/catalog"
)

const (
	pageSize   = 1000
	maxPages   = 1 << 20  // a listing that goes on longer goes round in circles
	maxLine    = 64 << 20 // bytes of one line of the bulk stream
	firstLine  = 64 << 10 // bytes of the buffer that lines are first read into
	streamName = "GET /entitlements"
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

// Tenant is a tenant as the platform lists it.
type Tenant struct {
	ID     catalog.TenantID
	Status string
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
}

// get reads one JSON document.
func (c *Client) get(ctx context.Context, path string, value any) (http.Header, error) {
	r, err := c.request(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, c.unknown(r.Method, path, err)
	}
	if err := accept(answer, http.StatusOK, value); err != nil {
		return nil, c.unknown(r.Method, path, err)
	}
	return answer.Header, nil
}

// unknown wraps a fault, unless it is the platform's own word or the caller's.
func (c *Client) unknown(method, path string, err error) error {
	var p *Problem
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // its text repeats the request
	}
	if errors.As(err, &p) || errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return &UnknownError{Request: method + " " + path, Err: err}
}

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

type wireTenant struct {
	ID     string `json:"id"`
	Status string `json:"status"`
}

func (w wireTenant) parse() (Tenant, error) {
	id, err := catalog.ParseTenantID(w.ID)
	if err == nil && w.Status == "" {
		err = fmt.Errorf("tenant %s has no status", id)
	}
	return Tenant{ID: id, Status: w.Status}, err
}

// Tenant reads one tenant.
func (c *Client) Tenant(ctx context.Context, id catalog.TenantID) (Tenant, error) {
	path := "/tenants/" + id.String()
	var w wireTenant
	if _, err := c.get(ctx, path, &w); err != nil {
		return Tenant{}, err
	}
	t, err := w.parse()
	if err == nil && t.ID != id {
		err = fmt.Errorf("it answers with tenant %s", t.ID)
	}
	if err != nil {
		return Tenant{}, &UnknownError{"GET " + path, err}
	}
	return t, nil
}

// Tenants lists all tenants of the platform, in the order of its pages, and
// gives the listing's snapshot.
func (c *Client) Tenants(ctx context.Context, yield func(Tenant) error) (string, error) {
	return list(ctx, c, "/tenants", func(raw jsontext.Value) error {
		var w wireTenant
		if err := json.Unmarshal(raw, &w); err != nil {
			return err
		}
		t, err := w.parse()
		if err != nil {
			return err
		}
		return yield(t)
	})
}

// Facilities lists the sites that the platform has for a tenant.
func (c *Client) Facilities(ctx context.Context, id catalog.TenantID) ([]catalog.FacilityID, error) {
	var facilities []catalog.FacilityID
	_, err := list(ctx, c, "/tenants/"+id.String()+"/facilities", func(raw jsontext.Value) error {
		var w struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(raw, &w); err != nil {
			return err
		}
		facility, err := catalog.ParseFacilityID(w.ID)
		facilities = append(facilities, facility)
		return err
	})
	return facilities, err
}

// page is one page of a listing. Pointers tell what is missing from what is
// empty.
type page struct {
	Items      *[]jsontext.Value `json:"items"`
	NextCursor *string           `json:"next_cursor"`
	Total      *int              `json:"total"`
	Snapshot   *string           `json:"snapshot"`
}

// list reads all pages of a listing, and accepts them only when they are of one
// snapshot and as many as it says.
func list(ctx context.Context, c *Client, path string, item func(jsontext.Value) error) (string, error) {
	var snapshot string
	cursor, count := "", 0
	whole := func(format string, args ...any) error {
		return &UnknownError{"GET " + path, fmt.Errorf(format, args...)}
	}
	for number := range maxPages {
		query := url.Values{"limit": {strconv.Itoa(pageSize)}}
		if cursor != "" {
			query.Set("cursor", cursor)
		}
		var p page
		if _, err := c.get(ctx, path+"?"+query.Encode(), &p); err != nil {
			return "", err
		}
		if p.Items == nil || p.Total == nil || p.Snapshot == nil {
			return "", whole("a page lacks its items, total or snapshot")
		}
		if number == 0 {
			snapshot = *p.Snapshot
		}
		if *p.Snapshot != snapshot {
			return "", whole("its pages are of two snapshots")
		}
		for _, raw := range *p.Items {
			if err := item(raw); err != nil {
				return "", whole("item %d: %w", count, err)
			}
			count++
		}
		if p.NextCursor == nil {
			if count != *p.Total {
				return "", whole("it lists %d and says that there are %d", count, *p.Total)
			}
			return snapshot, nil
		}
		if *p.NextCursor == cursor || len(*p.Items) == 0 {
			return "", whole("its pages go round in a circle")
		}
		cursor = *p.NextCursor
	}
	return "", whole("it has more than %d pages", maxPages)
}

// wireGrant is a grant as the platform writes it.
type wireGrant struct {
	Tenant   string     `json:"tenant"`
	Revision *int64     `json:"revision"`
	ETag     string     `json:"etag"` // in a list only
	Rows     *[]wireRow `json:"rows"`
	// Authority is whatever the newest write carried.
	Authority *struct {
		Batch string `json:"batch"`
	} `json:"authority"`
}

type wireRow struct {
	Facility string `json:"facility"`
	Module   string `json:"module"`
}

func (w *wireGrant) parse(etag string) (catalog.Grant, error) {
	id, err := catalog.ParseTenantID(w.Tenant)
	if err != nil {
		return catalog.Grant{}, err
	}
	if w.Revision == nil || w.Rows == nil {
		return catalog.Grant{}, errors.New("a grant lacks its revision or rows")
	}
	g := catalog.Grant{Tenant: id, Stamp: catalog.Stamp{Revision: *w.Revision, ETag: etag}}
	if !g.Stamp.Valid() {
		return catalog.Grant{}, fmt.Errorf("revision %d and ETag %.40q are not those of a grant", *w.Revision, etag)
	}
	if w.Authority != nil {
		g.Batch = w.Authority.Batch
	}
	g.Rows, err = parseRows(*w.Rows)
	return g, err
}

func parseRows(wire []wireRow) (catalog.Rows, error) {
	rows := make([]catalog.Row, len(wire))
	for i, w := range wire {
		facility, err := catalog.ParseFacilityID(w.Facility)
		if err != nil {
			return nil, err
		}
		module, err := catalog.ParseEHRModule(w.Module)
		if err != nil {
			return nil, err
		}
		rows[i] = catalog.Row{Facility: facility, Module: module}
	}
	return catalog.NewRows(rows), nil
}

// Grant reads a tenant's grant.
func (c *Client) Grant(ctx context.Context, id catalog.TenantID) (catalog.Grant, error) {
	path := "/tenants/" + id.String() + "/entitlements"
	var w wireGrant
	header, err := c.get(ctx, path, &w)
	if err != nil {
		return catalog.Grant{}, err
	}
	g, err := w.parse(header.Get("ETag"))
	if err == nil && g.Tenant != id {
		err = fmt.Errorf("it answers with the grant of tenant %s", g.Tenant)
	}
	if err != nil {
		return catalog.Grant{}, &UnknownError{"GET " + path, err}
	}
	return g, nil
}

// Grants streams every tenant's grant, in the order of their ids, and gives the
// stream's snapshot. What was yielded counts only when Grants returns without an
// error: only then was it all.
func (c *Client) Grants(ctx context.Context, yield func(catalog.Grant) error) (string, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r, err := c.request(ctx, http.MethodGet, "/entitlements", nil)
	if err != nil {
		return "", err
	}
	r.Header.Set("Accept", "application/x-ndjson, application/json")
	answer, err := c.stream.Do(r.Request)
	if err != nil {
		return "", c.unknown(r.Method, "/entitlements", err)
	}
	defer answer.Body.Close()
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if answer.StatusCode != http.StatusOK || kind != "application/x-ndjson" {
		if err := accept(answer, http.StatusOK, &struct{}{}); err != nil {
			return "", c.unknown(r.Method, "/entitlements", err)
		}
		return "", &UnknownError{streamName, fmt.Errorf("it answers with %s, and not a stream of lines", named(kind))}
	}
	stall := time.AfterFunc(c.timeout, func() { cancel(fmt.Errorf("nothing more within %s", c.timeout)) })
	defer stall.Stop()
	snapshot, err := readStream(&watched{answer.Body, stall, c.timeout}, yield)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	if err != nil {
		return "", c.unknown(r.Method, "/entitlements", err)
	}
	return snapshot, nil
}

// watched puts off the end of a stream's time whenever something comes.
type watched struct {
	body  io.Reader
	stall *time.Timer
	time  time.Duration
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.body.Read(p)
	if n > 0 {
		w.stall.Reset(w.time)
	}
	return n, err
}

// streamLine is a grant, or the last line.
type streamLine struct {
	wireGrant
	End      bool    `json:"end"`
	Total    *int    `json:"total"`
	Snapshot *string `json:"snapshot"`
}

func readStream(body io.Reader, yield func(catalog.Grant) error) (string, error) {
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, firstLine), maxLine)
	var last catalog.TenantID
	count := 0
	for lines.Scan() {
		var line streamLine
		if err := decode(lines.Bytes(), &line); err != nil {
			return "", fmt.Errorf("line %d: %w", count+1, err)
		}
		if line.End {
			return endOfStream(lines, &line, count)
		}
		g, err := line.parse(line.ETag)
		if err != nil {
			return "", fmt.Errorf("line %d: %w", count+1, err)
		}
		if count > 0 && g.Tenant.Compare(last) <= 0 {
			return "", fmt.Errorf("line %d: tenant %s comes after %s", count+1, g.Tenant, last)
		}
		last = g.Tenant
		count++
		if err := yield(g); err != nil {
			return "", err
		}
	}
	if err := lines.Err(); err != nil {
		return "", fmt.Errorf("the stream broke off after %d grants: %w", count, err)
	}
	return "", fmt.Errorf("the stream ended after %d grants, without its last line", count)
}

func endOfStream(lines *bufio.Scanner, line *streamLine, count int) (string, error) {
	if line.Total == nil || line.Snapshot == nil {
		return "", errors.New("the stream's last line lacks its total or snapshot")
	}
	if *line.Total != count {
		return "", fmt.Errorf("it streams %d grants and says that there are %d", count, *line.Total)
	}
	for lines.Scan() {
		if len(bytes.TrimSpace(lines.Bytes())) > 0 {
			return "", errors.New("the stream goes on after its last line")
		}
	}
	return *line.Snapshot, lines.Err()
}

// Deployment reads the state of a tenant's deployment.
func (c *Client) Deployment(ctx context.Context, id catalog.TenantID) (Deployment, error) {
	var d Deployment
	_, err := c.get(ctx, "/tenants/"+id.String()+"/ehr-status", &d)
	return d, err
}
