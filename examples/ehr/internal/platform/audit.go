package platform

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Entry is one line of the audit trail. Its fields stand in the order of their
// names, and its authority is canonical already, so that its JSON is its RFC 8785
// form: what is stored and answered is, but for the field hash, what was hashed.
type Entry struct {
	Actor     string         `json:"actor"`     // who asked
	At        string         `json:"at"`        // when, as timeForm has it
	Authority jsontext.Value `json:"authority"` // null where the request gave none
	Event     string         `json:"event"`     // which kind of write, as the contract's table has it
	Hash      string         `json:"hash,omitzero"`
	Prev      string         `json:"prev"`     // the hash of the entry before; "" in the first
	Revision  *int64         `json:"revision"` // the new revision of what has one; else null
	Seq       int64          `json:"seq"`      // from 1, without gaps
	// Tenant is what was written: a tenant's id, or the key of an organisation or
	// an edition, as in the batches of a plan. The event tells which.
	Tenant string `json:"tenant"`
}

// append seals the entry and adds it to the trail.
func (e *Entry) append(tx Tx) error {
	canonical, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("seal audit entry %d: %w", e.Seq, err)
	}
	sum := sha256.Sum256(canonical)
	e.Hash = hex.EncodeToString(sum[:])
	sealed, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("seal audit entry %d: %w", e.Seq, err)
	}
	return tx.Append(Head{Seq: e.Seq, Hash: e.Hash}, sealed)
}

// Audit returns a page of the audit trail after the entry since, in order.
func (p *Platform) Audit(ctx context.Context, since int64, ask PageRequest) (Page, error) {
	if since < 0 {
		return Page{}, refuse(Invalid, "since %d: want 0 or more", since)
	}
	list := listing{
		name:  "audit",
		start: entryKey(since),
		count: func(_ View, at int64) (int64, error) { return max(0, at-since), nil },
		items: View.Entries,
	}
	return p.list(ctx, list, ask)
}

// entryKey is the key of an audit entry in a Range.
func entryKey(seq int64) string { return fmt.Sprint(seq) }

// entryAt returns the audit entry of a number, or nil.
func entryAt(v View, seq int64) (*Entry, error) {
	head, err := v.Head()
	if err != nil {
		return nil, err
	}
	for record, err := range v.Entries(Range{After: entryKey(seq - 1), At: head.Seq}) {
		if err != nil {
			return nil, err
		}
		var e Entry
		if err := json.Unmarshal(record.Body, &e); err != nil || e.Seq != seq {
			return nil, err
		}
		return &e, nil
	}
	return nil, nil
}
