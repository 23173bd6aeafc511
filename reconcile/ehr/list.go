package ehr

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	pageSize = 1000
	maxPages = 1 << 20 // a listing that goes on longer has no end
)

// page is one page of a listing. Pointers tell what is missing from what is
// empty.
type page struct {
	Items      *[]jsontext.Value `json:"items"`
	NextCursor *string           `json:"next_cursor"`
	Total      *int              `json:"total"`
	Snapshot   *string           `json:"snapshot"`
}

// list reads all pages of a listing, and accepts them only when they are of one
// snapshot and as many as it says. What item refuses is no answer to rely on.
func list(ctx context.Context, c *Client, path string, filter url.Values, item func(jsontext.Value) error) (string, error) {
	l := listing{item: item, cursors: map[string]bool{}}
	cursor := ""
	for {
		query := url.Values{"limit": {strconv.Itoa(pageSize)}}
		maps.Copy(query, filter)
		if cursor != "" {
			query.Set("cursor", cursor)
		}
		var p page
		if _, err := c.get(ctx, path+"?"+query.Encode(), &p); err != nil {
			return "", err
		}
		next, err := l.take(&p)
		if err != nil {
			return "", &UnknownError{"GET " + path, err}
		}
		if next == "" {
			return l.snapshot, nil
		}
		cursor = next
	}
}

// listing is a list of which some pages were read.
type listing struct {
	item     func(jsontext.Value) error
	snapshot string          // of every page
	total    int             // as every page says it
	pages    int             // that were read
	count    int             // of the items in them
	cursors  map[string]bool // that led on from them
}

// take reads a page, and returns the cursor of the next one or "" after the last.
func (l *listing) take(p *page) (next string, err error) {
	if p.Items == nil || p.Total == nil || p.Snapshot == nil {
		return "", errors.New("a page lacks its items, total or snapshot")
	}
	if l.pages++; l.pages == 1 {
		l.snapshot, l.total = *p.Snapshot, *p.Total
	}
	if *p.Snapshot != l.snapshot || *p.Total != l.total {
		return "", errors.New("its pages are of two snapshots")
	}
	for _, raw := range *p.Items {
		if err := l.item(raw); err != nil {
			return "", fmt.Errorf("item %d: %w", l.count, err)
		}
		l.count++
	}
	if p.NextCursor != nil {
		return *p.NextCursor, l.follow(*p.NextCursor, len(*p.Items))
	}
	if l.count != l.total {
		return "", fmt.Errorf("it lists %d and says that there are %d", l.count, l.total)
	}
	return "", nil
}

// follow refuses a cursor that does not lead to the list's end.
func (l *listing) follow(cursor string, items int) error {
	switch {
	case items == 0 || l.count >= l.total:
		return fmt.Errorf("it goes on after %d items and says that there are %d", l.count, l.total)
	case cursor == "" || l.cursors[cursor]:
		return errors.New("its pages go round in a circle")
	case l.pages == maxPages:
		return fmt.Errorf("it has more than %d pages", maxPages)
	}
	l.cursors[cursor] = true
	return nil
}
