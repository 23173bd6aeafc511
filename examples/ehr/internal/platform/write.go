package platform

import (
	"context"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/veonahealth/charter/examples/ehr/authority"
	"github.com/veonahealth/charter/plan"
)

// retryWindow is how long an answer is kept for retries.
const retryWindow = 24 * time.Hour

// timeForm is how the platform writes times: RFC 3339, in UTC, to the
// millisecond.
const timeForm = "2006-01-02T15:04:05.000Z07:00"

// Write is what every write has, whatever it changes.
type Write struct {
	Actor     string         // who asks
	Authority jsontext.Value // what the request says allows it, in its RFC 8785 form; nil where it says nothing
	Retry     *Retry         // nil where the request bears no Idempotency-Key
	// Request is what is asked, as a batch of a plan has it; it may be nil where
	// writes need no approval.
	Request *plan.Request
}

// Retry tells a write that is brought again from one that is new.
type Retry struct {
	ID   [32]byte // stands for actor, method, path and key
	Body [32]byte // the digest of the request's body, its authority aside
}

// Answer is what an accepted write is answered.
type Answer struct {
	Created bool   // a thing is there that was not
	ETag    string // the new entity tag, with its quotes; "" for what has none
	Body    jsontext.Value
}

// moment is when a write happens: the number of its audit entry and the time, and
// by whose word.
type moment struct {
	seq   int64
	at    string
	claim *authority.Claim // nil where writes need no approval
}

// change is what a write comes to when it is accepted.
type change struct {
	event    string
	subject  string // the tenant's id, or the key of an organisation or edition
	revision *int64 // the grant's or edition's new revision; nil for what has none
	answer   Answer
}

// write judges a write and carries it out. judge runs inside the transaction:
// what it returns as an error leaves no trace.
func (p *Platform) write(ctx context.Context, w Write, judge func(Tx, moment) (change, error)) (Answer, error) {
	var answer Answer
	claim := p.read(w)
	err := p.store.Update(ctx, func(tx Tx) error {
		now := p.now().UTC()
		first, err := w.Retry.find(tx, now)
		switch {
		case err != nil:
			return err
		case first != nil:
			answer = *first
			return nil
		}
		made, err := p.carryOut(tx, w, now, claim, judge)
		answer = made.answer
		return err
	})
	return answer, err
}

func (p *Platform) carryOut(tx Tx, w Write, now time.Time, claim *authority.Claim, judge func(Tx, moment) (change, error)) (change, error) {
	head, err := tx.Head()
	if err != nil {
		return change{}, err
	}
	m := moment{seq: head.Seq + 1, at: now.Format(timeForm), claim: claim}
	made, err := judge(tx, m)
	if err != nil {
		return change{}, err
	}
	entry := Entry{
		Seq: m.seq, At: m.at, Event: made.event, Actor: w.Actor, Tenant: made.subject,
		Revision: made.revision, Authority: w.Authority, Prev: head.Hash,
	}
	if err := entry.append(tx); err != nil {
		return change{}, err
	}
	return made, w.Retry.keep(tx, now, made.answer)
}

// find returns the answer to the first write of this key, or nil where this is
// the first one.
func (r *Retry) find(tx Tx, now time.Time) (*Answer, error) {
	if r == nil {
		return nil, nil
	}
	first, err := tx.Answer(r.ID)
	switch {
	case err != nil || first == nil || first.At <= now.Add(-retryWindow).Unix():
		return nil, err
	case first.Body != r.Body:
		return nil, refuse(KeyReused, "Idempotency-Key: was used with another body")
	}
	return &first.Answer, nil
}

func (r *Retry) keep(tx Tx, now time.Time, answer Answer) error {
	if r == nil {
		return nil
	}
	kept := &Remembered{ID: r.ID, Body: r.Body, At: now.Unix(), Answer: answer}
	return tx.Remember(kept, now.Add(-retryWindow).Unix())
}

// put stores value as the newest version of a record and returns its JSON.
func put(tx Tx, m moment, kind Kind, key string, value any) (jsontext.Value, error) {
	body, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return body, tx.PutRecord(m.seq, kind, Record{Key: key, Body: body})
}

// get decodes the newest version of a record into value, and reports whether
// there is one.
func get(v View, kind Kind, key string, value any) (bool, error) {
	body, err := v.Record(kind, key)
	if err != nil || body == nil {
		return false, err
	}
	return true, json.Unmarshal(body, value)
}
