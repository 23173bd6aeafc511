package ehr

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/veonahealth/charter/catalog"
)

const (
	maxLine    = 16 << 20 // bytes of one line of a stream
	firstLine  = 64 << 10 // bytes of the buffer that lines are first read into
	streamType = "application/x-ndjson"
	streamPath = "/entitlements"
)

// isStream reports whether an answer is a stream of lines.
func isStream(answer *http.Response) bool {
	return answer.StatusCode == http.StatusOK && mediaType(answer) == streamType
}

// Grants streams every tenant's grant, in the order of their ids, and gives the
// stream's snapshot. What was yielded counts only when Grants returns without an
// error: only then was it all. An error of yield ends the stream and is returned.
func (c *Client) Grants(ctx context.Context, yield func(catalog.Grant) error) (string, error) {
	return c.grants(ctx, streamPath, yield)
}

func (c *Client) grants(ctx context.Context, path string, yield func(catalog.Grant) error) (string, error) {
	r, err := c.request(ctx, http.MethodGet, path, nil)
	if err != nil {
		return "", err
	}
	r.Header.Set("Accept", streamType+", application/json")
	answer, err := c.stream.Do(r)
	if err != nil {
		return "", unknown(r.Method, streamPath, err)
	}
	defer answer.Body.Close()
	if !isStream(answer) {
		return "", unknown(r.Method, streamPath, noStream(answer))
	}
	var stopped error
	snapshot, err := readStream(answer.Body, func(g catalog.Grant) error {
		stopped = yield(g)
		return stopped
	})
	switch {
	case stopped != nil:
		return "", stopped
	case err != nil:
		return "", unknown(r.Method, streamPath, err)
	}
	return snapshot, nil
}

// noStream says what came in a stream's place.
func noStream(answer *http.Response) error {
	if err := accept(answer, http.StatusOK, &struct{}{}); err != nil {
		return err
	}
	return errors.New("it answers with JSON, and not with a stream of lines")
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
	for lines.Scan() && lines.Err() == nil { // what came before a fault may be half a line
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
		return "", brokenOff(count, err)
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
	if err := lines.Err(); err != nil {
		return "", brokenOff(count, err)
	}
	return *line.Snapshot, nil
}

func brokenOff(count int, err error) error {
	return fmt.Errorf("the stream broke off after %d grants: %w", count, err)
}
