package ehr

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Entry is an entry of the platform's audit trail, as far as charter reads it.
type Entry struct {
	Seq      int64     `json:"seq"`
	At       time.Time `json:"at"`
	Event    string    `json:"event"`  // what was done, such as entitlement.write
	Actor    string    `json:"actor"`  // by whom, as the platform knows them
	Tenant   string    `json:"tenant"` // or the key of what belongs to no tenant; "" where the event is of none
	Revision int64     `json:"revision"`
	Prev     string    `json:"prev"` // the hash of the entry before
	Hash     string    `json:"hash"`
	// Authority is what the write carried; nil where it had none.
	Authority *struct {
		Batch   string `json:"batch"`
		Receipt string `json:"receipt"`
	} `json:"authority"`
}

// Audit yields the entries of the audit trail that come after one, the oldest
// first. They are a chain: what does not join on is an UnknownError. What was
// yielded counts only when Audit returns without an error; an error of yield ends
// the reading and is returned. It needs the capability audit.read.
func (c *Client) Audit(ctx context.Context, since int64, yield func(Entry) error) error {
	var before *Entry
	var stopped error
	_, err := list(ctx, c, "/audit", url.Values{"since": {strconv.FormatInt(since, 10)}}, func(raw jsontext.Value) error {
		var e Entry
		if err := decode(raw, &e); err != nil {
			return err
		}
		if err := e.follows(before, since); err != nil {
			return err
		}
		before = &e
		stopped = yield(e)
		return stopped
	})
	if stopped != nil {
		return stopped
	}
	return err
}

// follows refuses an entry that does not join on to the one before.
func (e *Entry) follows(before *Entry, since int64) error {
	switch {
	case e.Hash == "":
		return errors.New("an audit entry has no hash")
	case before == nil && e.Seq <= since:
		return fmt.Errorf("audit entry %d was answered, and those after %d were asked for", e.Seq, since)
	case before != nil && (e.Seq != before.Seq+1 || e.Prev != before.Hash):
		return fmt.Errorf("audit entry %d does not join on to entry %d", e.Seq, before.Seq)
	}
	return nil
}

// AuditHead reads the newest entry of the audit trail; its Seq is 0 where there
// is none.
func (c *Client) AuditHead(ctx context.Context) (Entry, error) {
	var first page
	if _, err := c.get(ctx, "/audit?limit=1", &first); err != nil {
		return Entry{}, err
	}
	if first.Total == nil || *first.Total < 0 {
		return Entry{}, &UnknownError{"GET /audit", errors.New("the trail does not say how long it is")}
	}
	if *first.Total == 0 {
		return Entry{}, nil
	}
	var head Entry
	err := c.Audit(ctx, int64(*first.Total)-1, func(e Entry) error {
		head = e
		return nil
	})
	return head, err
}
