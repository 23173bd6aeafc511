package source

import (
	"bytes"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

const (
	maxCommit  = 4 << 20   // bytes of one commit object
	maxHistory = 2_000_000 // commits that one question may look at
)

// CommitData is a commit as it stands.
type CommitData struct {
	Hash      string
	Tree      string
	Parents   []string
	Author    Author
	Committer Author
	When      time.Time // the committer's date, which the committer is free to choose
	Message   string
	Signed    bool   // it bears a signature, whoever's
	Object    []byte // the whole commit object, signature included, as git stores it
}

// ReadCommit reads a commit by its hash.
func (r *Repository) ReadCommit(hash string) (*CommitData, error) {
	if !isHash(hash) {
		return nil, fmt.Errorf("commit %.80q is no hash", hash)
	}
	data, err := (&Files{repo: r}).read(plumbing.CommitObject, plumbing.NewHash(hash), maxCommit)
	if err != nil {
		return nil, err
	}
	c, err := parseCommit(data)
	if err != nil {
		return nil, fmt.Errorf("commit %s: %w", hash, err)
	}
	c.Hash = hash
	return c, nil
}

// parseCommit reads git's form of a commit. It wants the headers that charter
// reads once and in git's order, so that no second reader can see others.
func parseCommit(data []byte) (*CommitData, error) {
	c := &CommitData{Object: data}
	head, message, _ := bytes.Cut(data, []byte("\n\n"))
	c.Message = string(message)
	lines := strings.Split(string(head), "\n")
	for i, want := range []string{"tree ", "author ", "committer "} {
		if len(lines) == 0 {
			return nil, errMalformedTree
		}
		for i == 1 && len(lines) > 1 && strings.HasPrefix(lines[0], "parent ") {
			c.Parents = append(c.Parents, lines[0][len("parent "):])
			lines = lines[1:]
		}
		value, ok := strings.CutPrefix(lines[0], want)
		if !ok {
			return nil, errMalformedTree
		}
		c.set(i, value)
		lines = lines[1:]
	}
	for _, line := range lines {
		name, _, _ := strings.Cut(line, " ")
		if slices.Contains([]string{"tree", "parent", "author", "committer"}, name) {
			return nil, errMalformedTree
		}
		c.Signed = c.Signed || strings.HasPrefix(name, "gpgsig")
	}
	if !isHash(c.Tree) || slices.ContainsFunc(c.Parents, func(p string) bool { return !isHash(p) }) {
		return nil, errMalformedTree
	}
	return c, nil
}

func (c *CommitData) set(field int, value string) {
	switch field {
	case 0:
		c.Tree = value
	case 1:
		c.Author, _ = person(value)
	default:
		c.Committer, c.When = person(value)
	}
}

// person reads "NAME <EMAIL> SECONDS ZONE".
func person(text string) (Author, time.Time) {
	name, rest, _ := strings.Cut(text, "<")
	email, stamp, _ := strings.Cut(rest, ">")
	seconds, _, _ := strings.Cut(strings.TrimSpace(stamp), " ")
	n, err := strconv.ParseInt(seconds, 10, 64)
	who := Author{Name: strings.TrimSpace(name), Email: strings.TrimSpace(email)}
	if err != nil {
		return who, time.Time{}
	}
	return who, time.Unix(n, 0).UTC()
}

// ShallowError says that a history leads to a commit that is not in the
// repository.
type ShallowError struct {
	Commit string
	Err    error
}

func (e *ShallowError) Error() string {
	return fmt.Sprintf("the history ends at commit %s, which is not here: git fetch --unshallow brings it: %v", e.Commit, e.Err)
}

// Unwrap returns the cause.
func (e *ShallowError) Unwrap() error { return e.Err }

// IsAncestor reports whether one commit is another one, or among those that it
// was made from. Where the history is not all here it may give a ShallowError.
func (r *Repository) IsAncestor(ctx context.Context, ancestor, of string) (bool, error) {
	w := &walk{repo: r, side: map[string]side{}}
	if err := w.add(of, ours); err != nil {
		return false, err
	}
	for len(w.queue) > 0 {
		if w.side[ancestor] != 0 {
			return true, nil
		}
		if _, err := w.next(ctx); err != nil {
			return false, err
		}
	}
	return w.side[ancestor] != 0, nil
}

// Between returns the commits that one commit was made from, itself included,
// and another was not: what git calls exclude..include, newest first as their
// dates say. Where dates lie it may hold more than that and never less.
func (r *Repository) Between(ctx context.Context, exclude, include string) ([]*CommitData, error) {
	w := &walk{repo: r, side: map[string]side{}}
	if err := errors.Join(w.add(exclude, theirs), w.add(include, ours)); err != nil {
		return nil, err
	}
	var seen []*CommitData
	for w.open > 0 {
		c, err := w.next(ctx)
		if err != nil {
			return nil, err
		}
		seen = append(seen, c)
	}
	list := slices.DeleteFunc(seen, func(c *CommitData) bool { return w.side[c.Hash] != ours })
	return list, nil
}

// side says from which ends of a question a commit is reached.
type side uint8

const (
	ours   side = 1
	theirs side = 2
)

// walk goes back in history, latest date first.
type walk struct {
	repo  *Repository
	side  map[string]side
	queue byDate
	open  int // of the queue, those that only our side has reached
	seen  int
}

// add notes that a side reaches a commit.
func (w *walk) add(hash string, from side) error {
	had, known := w.side[hash]
	if had|from == had {
		return nil
	}
	w.side[hash] = had | from
	if i := w.queue.index(hash); known && i >= 0 {
		if had == ours {
			w.open--
		}
		return nil // its parents learn of it when its turn comes
	}
	c, err := w.repo.ReadCommit(hash)
	if err != nil {
		return &ShallowError{hash, err}
	}
	if had|from == ours {
		w.open++
	}
	heap.Push(&w.queue, c)
	return nil
}

func (w *walk) next(ctx context.Context) (*CommitData, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if w.seen++; w.seen > maxHistory {
		return nil, fmt.Errorf("the history has more than %d commits", maxHistory)
	}
	c := heap.Pop(&w.queue).(*CommitData)
	from := w.side[c.Hash]
	if from == ours {
		w.open--
	}
	for _, parent := range c.Parents {
		if err := w.add(parent, from); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// byDate is a heap of commits, the latest first.
type byDate []*CommitData

func (q byDate) Len() int           { return len(q) }
func (q byDate) Less(i, j int) bool { return q[i].When.After(q[j].When) }
func (q byDate) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *byDate) Push(c any) { *q = append(*q, c.(*CommitData)) }

// Pop implements heap.Interface.
func (q *byDate) Pop() any {
	last := len(*q) - 1
	c := (*q)[last]
	*q = (*q)[:last]
	return c
}

func (q byDate) index(hash string) int {
	return slices.IndexFunc(q, func(c *CommitData) bool { return c.Hash == hash })
}
