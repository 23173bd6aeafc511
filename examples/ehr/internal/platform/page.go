package platform

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"iter"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// PageRequest asks for one page of a list.
type PageRequest struct {
	Limit  int    // the most items in the page; at least 1
	Cursor string // next_cursor of the page before; "" for the first page
}

// Page is one page of a list. All pages that follow one another by their cursors
// show the state of Snapshot, whatever is written meanwhile.
type Page struct {
	Items      []jsontext.Value `json:"items"`       // sorted by key
	NextCursor *string          `json:"next_cursor"` // null at the end
	Total      int64            `json:"total"`       // of all pages together
	Snapshot   string           `json:"snapshot"`    // the state that is shown
}

// pageBytes ends a page early: a thousand large entries would be an answer
// without bound.
const pageBytes = 8 << 20

// listing is a list that is read in pages.
type listing struct {
	name  string // tells its cursors from those of other lists
	start string // the key before the first item
	count func(v View, at int64) (int64, error)
	items func(View, Range) iter.Seq2[Record, error]
	show  func(View, Record) (jsontext.Value, error) // nil shows the body as it is stored
	of    Range                                      // what items are; After and At are set for each page
}

// records is the listing of all records of a kind whose key begins with prefix.
func records(kind Kind, prefix string) listing {
	of := Range{Kind: kind, Prefix: prefix}
	return listing{
		name:  string(kind) + " " + prefix,
		of:    of,
		items: View.Records,
		count: func(v View, at int64) (int64, error) {
			of.At = at
			return v.Count(of)
		},
	}
}

// cursor is where a listing goes on.
type cursor struct {
	Seq   int64  `json:"s"`
	Hash  string `json:"h"`
	Total int64  `json:"t"`
	After string `json:"a"`
}

func (p *Platform) list(ctx context.Context, l listing, ask PageRequest) (page Page, err error) {
	err = p.store.View(ctx, func(v View) error {
		page, err = p.page(v, l, ask)
		return err
	})
	return page, err
}

func (p *Platform) page(v View, l listing, ask PageRequest) (Page, error) {
	c, err := p.resume(v, l, ask.Cursor)
	if err != nil {
		return Page{}, err
	}
	l.of.After, l.of.At = c.After, c.Seq
	page := Page{Items: []jsontext.Value{}, Total: c.Total, Snapshot: p.snapshot(Head{Seq: c.Seq, Hash: c.Hash})}
	last, more, err := l.fill(v, &page, l.items(v, l.of), ask.Limit)
	if err != nil || !more {
		return page, err
	}
	c.After = last
	next, err := p.sealCursor(l, c)
	page.NextCursor = &next
	return page, err
}

// fill puts as many records into the page as it may hold. It returns the key of
// the last one, and whether there are more.
func (l listing) fill(v View, page *Page, found iter.Seq2[Record, error], limit int) (last string, more bool, err error) {
	size := 0
	for record, err := range found {
		if err != nil {
			return "", false, err
		}
		if len(page.Items) == limit || size >= pageBytes {
			return last, true, nil
		}
		item := record.Body
		if l.show != nil {
			if item, err = l.show(v, record); err != nil {
				return "", false, err
			}
		}
		size += len(item)
		page.Items = append(page.Items, item)
		last = record.Key
	}
	return last, false, nil
}

// resume returns where a page begins: at the newest state where there is no
// cursor, else where the cursor says.
func (p *Platform) resume(v View, l listing, text string) (cursor, error) {
	if text != "" {
		return p.openCursor(v, l, text)
	}
	head, err := v.Head()
	if err != nil {
		return cursor{}, err
	}
	total, err := l.count(v, head.Seq)
	return cursor{Seq: head.Seq, Hash: head.Hash, Total: total, After: l.start}, err
}

// sealCursor writes a cursor so that only this platform can have written it: its
// total and its state are believed when it comes back.
func (p *Platform) sealCursor(l listing, c cursor) (string, error) {
	payload, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(append(p.cursorTag(l, payload), payload...)), nil
}

// openCursor reads a cursor. One whose state was lost with a restored backup is
// as bad as a forged one: its next page would be of another history.
func (p *Platform) openCursor(v View, l listing, text string) (c cursor, err error) {
	bad := refuse(BadCursor, "cursor: not one that this list gave")
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(sealed) < sha256.Size {
		return cursor{}, bad
	}
	tag, payload := sealed[:sha256.Size], sealed[sha256.Size:]
	if !hmac.Equal(tag, p.cursorTag(l, payload)) {
		return cursor{}, bad
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		return cursor{}, err
	}
	hash, err := v.HashAt(c.Seq)
	if err == nil && hash != c.Hash {
		return cursor{}, bad
	}
	return c, err
}

func (p *Platform) cursorTag(l listing, payload []byte) []byte {
	mac := hmac.New(sha256.New, p.cursorKey)
	mac.Write([]byte(l.name + "\n"))
	mac.Write(payload)
	return mac.Sum(nil)
}
