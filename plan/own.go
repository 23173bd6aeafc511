package plan

import (
	"errors"
	"slices"
)

// own plans a change of the fleet's own rules: from one digest of their files to
// another. last is nil where no ledger is founded, which alone could tell.
func (b *Builder) own(subject Subject, last *Digest, now Digest) {
	if last == nil || *last == now {
		return
	}
	change := rulesAltered(subject, *last, now)
	change.Class, change.Routes = Pending, []string{}
	change.Reason = Reason{Code: Changed, Commit: b.commit, File: string(subject), Text: "its files were edited"}
	batch := Batch{Base: OnContent(*last), Subject: subject, Changes: []Change{change}}
	batch.Digest = ownLines(b.plan.Environment, subject, batch.Base, now).Digest()
	b.plan.Batches = append(b.plan.Batches, batch)
}

func ownLines(environment string, subject Subject, base *Base, now Digest) Lines {
	return Lines{"charter batch v1", "environment " + environment, "tenant ", "subject " + string(subject), base.Line(), "= " + now.Hex()}
}

var errOwn = errors.New("it says something else than from which digest to which")

// ownLines returns the lines of a batch of the fleet's own.
func (p *Plan) ownLines(b *Batch) (Lines, error) {
	if b.Tenant != "" || b.Request != nil || b.Base == nil || b.Base.Content == nil || len(b.Changes) != 1 {
		return nil, errOwn
	}
	now, err := ParseDigest(b.Changes[0].After)
	if err != nil || !sameShown(b.Changes, []Change{rulesAltered(b.Subject, *b.Base.Content, now)}) {
		return nil, errOwn
	}
	return ownLines(p.Environment, b.Subject, b.Base, now), nil
}

// Turns reports whether the plan changes the fleet's own rules.
func (p *Plan) Turns(subject Subject) bool {
	return slices.ContainsFunc(p.Batches, func(b Batch) bool { return b.Subject == subject })
}
