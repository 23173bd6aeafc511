package server

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/veonahealth/charter/examples/ehr/internal/platform"
)

// condition reads what a write demands of the version in force. A wildcard, a
// list or a weak tag in If-Match is as none.
func condition(h http.Header) platform.Condition {
	var c platform.Condition
	if tags := h.Values("If-Match"); len(tags) == 1 && strongTag(tags[0]) {
		c.ETag = tags[0]
	}
	if tags := h.Values("If-None-Match"); len(tags) == 1 && tags[0] == "*" {
		c.Absent = true
	}
	return c
}

// strongTag reports whether a text is one strong entity tag (RFC 9110, 8.8.3).
func strongTag(text string) bool {
	inner, opened := strings.CutPrefix(text, `"`)
	inner, ended := strings.CutSuffix(inner, `"`)
	return opened && ended && !strings.ContainsFunc(inner, func(r rune) bool {
		return r == '"' || r <= ' ' || r == 0x7f
	})
}

// tagMatches reports whether an If-None-Match names the tag, or anything. Weak
// tags count: the comparison is the weak one.
func tagMatches(headers []string, etag string) bool {
	for tag := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		tag = strings.TrimSpace(tag)
		if tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
			return true
		}
	}
	return false
}

// Bounds of a page.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// pageRequest reads limit and cursor.
func pageRequest(rawQuery string) (platform.PageRequest, error) {
	cursor, _, err := parameter(rawQuery, "cursor")
	if err != nil {
		return platform.PageRequest{}, err
	}
	limit, err := number(rawQuery, "limit", defaultLimit)
	if err != nil {
		return platform.PageRequest{}, err
	}
	if limit < 1 || limit > maxLimit {
		return platform.PageRequest{}, problemf(string(platform.Invalid), "limit %d: want 1 to %d", limit, maxLimit)
	}
	return platform.PageRequest{Limit: int(limit), Cursor: cursor}, nil
}

// parameter returns a query parameter, and whether it is there. It may be there
// once.
func parameter(rawQuery, name string) (value string, given bool, err error) {
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return "", false, problemf(string(platform.Invalid), "query: not of the form name=value&…")
	}
	switch values := query[name]; len(values) {
	case 0:
		return "", false, nil
	case 1:
		return values[0], true, nil
	}
	return "", false, problemf(string(platform.Invalid), "%s: given twice", name)
}

// number returns a query parameter that is a whole number, or what it is where it
// is not given.
func number(rawQuery, name string, absent int64) (int64, error) {
	text, given, err := parameter(rawQuery, name)
	if err != nil || !given {
		return absent, err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, problemf(string(platform.Invalid), "%s %.80q: want a whole number", name, text)
	}
	return n, nil
}
