package ehr

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/hashicorp/go-retryablehttp"
)

func (c *Client) request(ctx context.Context, method, path string, body []byte) (*retryablehttp.Request, error) {
	var content any // a nil slice would be a body of no bytes
	if body != nil {
		content = body
	}
	r, err := retryablehttp.NewRequestWithContext(ctx, method, c.base.String()+path, content)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", c.userAgent)
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	return r, nil
}

// get reads one JSON document.
func (c *Client) get(ctx context.Context, path string, value any) (http.Header, error) {
	r, err := c.request(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	answer, err := c.whole.Do(r)
	if err != nil {
		return nil, unknown(r.Method, path, err)
	}
	if err := accept(answer, http.StatusOK, value); err != nil {
		return nil, unknown(r.Method, path, err)
	}
	return answer.Header, nil
}

// unknown wraps a fault, unless it is the platform's own word or the caller's.
func unknown(method, path string, err error) error {
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
