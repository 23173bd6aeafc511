package ehr

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
)

// Codes of the problems that charter tells apart.
const (
	CodeNotFound      = "not-found"
	CodeRevisionMoved = "revision-moved"
)

// Problem is a refusal in the platform's own words (RFC 9457).
type Problem struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
	// Revision and ETag are the current ones where the code is revision-moved.
	Revision int64  `json:"revision"`
	ETag     string `json:"etag"`
}

func (p *Problem) Error() string {
	text := fmt.Sprintf("the platform answers %d %s", p.Status, cut(p.Code))
	if words := cut(p.Detail, p.Title); words != "" {
		text += ": " + words
	}
	return text
}

// cut returns the first of some texts that is not empty, at a length that can be
// shown.
func cut(texts ...string) string {
	const most = 300
	text := strings.ToValidUTF8(cmp.Or(texts...), "")
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// IsNotFound reports whether err is the platform's own word that it does not
// have what was asked for.
func IsNotFound(err error) bool { return hasCode(err, http.StatusNotFound, CodeNotFound) }

// IsMoved reports whether err says that a write's base is no longer the current
// revision.
func IsMoved(err error) bool {
	return hasCode(err, http.StatusPreconditionFailed, CodeRevisionMoved)
}

// IsDenied reports whether err is the platform's own word that the token may not
// do what was asked for, or that it does not know the token.
func IsDenied(err error) bool {
	var p *Problem
	return errors.As(err, &p) && (p.Status == http.StatusUnauthorized || p.Status == http.StatusForbidden)
}

// IsForbidden reports whether err is the platform's own word that it knows the
// token, and that the token may not do what was asked for.
func IsForbidden(err error) bool {
	var p *Problem
	return errors.As(err, &p) && p.Status == http.StatusForbidden
}

func hasCode(err error, status int, code string) bool {
	var p *Problem
	return errors.As(err, &p) && p.Status == status && p.Code == code
}

// UnknownError says that the platform gave no answer that can be relied on.
// After a read nothing is known; after a write it may have been carried out.
type UnknownError struct {
	Request string // method and path
	Err     error
}

func (e *UnknownError) Error() string { return e.Request + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *UnknownError) Unwrap() error { return e.Err }

// IsUnknown reports whether err says that there was no answer to rely on.
func IsUnknown(err error) bool {
	var unknown *UnknownError
	return errors.As(err, &unknown)
}

// accept takes an answer apart: a JSON body with the wanted status is decoded
// into value, a problem document becomes a *Problem, and everything else is
// unknown.
func accept(answer *http.Response, want int, value any) error {
	body, err := bodyOf(answer)
	if err != nil {
		return err
	}
	kind := mediaType(answer)
	switch {
	case answer.StatusCode == want && kind == "application/json":
		return decode(body, value)
	case answer.StatusCode == want:
		return fmt.Errorf("it answers %d with %s, and not JSON", answer.StatusCode, named(kind))
	}
	return refusal(answer, kind, body)
}

// bodyOf returns a body, which is in memory already but for a stream's.
func bodyOf(answer *http.Response) ([]byte, error) {
	if body, whole := answer.Body.(*held); whole {
		return body.Bytes(), nil
	}
	return io.ReadAll(answer.Body)
}

// mediaType returns an answer's type without its parameters, or "".
func mediaType(answer *http.Response) string {
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	return kind
}

func named(kind string) string {
	if kind == "" {
		return "no content type"
	}
	return cut(kind)
}

// refusal reads an answer of another status than the wanted one.
func refusal(answer *http.Response, kind string, body []byte) error {
	if answer.StatusCode >= 300 && answer.StatusCode < 400 {
		return fmt.Errorf("it redirects (%d), which is not followed: the token goes only to the URL that was given", answer.StatusCode)
	}
	p := &Problem{}
	worded := kind == "application/problem+json" && decode(body, p) == nil && p.Code != ""
	if !worded || answer.StatusCode < 400 || answer.StatusCode >= 500 || answer.StatusCode == http.StatusTooManyRequests {
		return unexpected(answer, kind, p)
	}
	p.Status = answer.StatusCode
	return p
}

func unexpected(answer *http.Response, kind string, p *Problem) error {
	text := fmt.Sprintf("it answers %d with %s", answer.StatusCode, named(kind))
	if p.Code != "" {
		text = fmt.Sprintf("it answers %d %s: %s", answer.StatusCode, cut(p.Code), cut(p.Detail, p.Title))
	}
	if pause, ok := retryAfter(answer); ok && pause > longestRetryAfter {
		text += fmt.Sprintf(", and asks to wait %s, which is longer than %s", pause, longestRetryAfter)
	}
	return errors.New(text)
}

// decode reads one JSON value and nothing after it. It refuses a key that stands
// twice: which of the two the platform meant is not ours to guess.
func decode(body []byte, value any) error {
	if err := json.Unmarshal(body, value); err != nil {
		return errors.New("its answer cannot be read: " + cut(err.Error())) // the text may quote all of it
	}
	return nil
}
