package source

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// ConflictError says that both sides of a merge changed the same files.
type ConflictError struct{ Paths []string }

func (e *ConflictError) Error() string {
	return "both sides changed " + strings.Join(e.Paths, ", ")
}

// Onto returns the files of a branch as they would be once it is merged into
// another: by whole files, each as the one side has it that changed it since both
// were one. Where both changed one it returns a ConflictError. Nothing is
// written.
func (r *Repository) Onto(ctx context.Context, target, branch Commit) (*Files, error) {
	base, err := r.mergeBase(ctx, target, branch)
	if err != nil {
		return nil, err
	}
	m := merge{merged: &Files{repo: r, kept: r.Files(target).kept, made: map[plumbing.Hash][]*Entry{}}}
	root := func(c Commit) *Entry { return &Entry{mode: modeTree, hash: plumbing.NewHash(c.Tree)} }
	e, err := m.entry("", root(base), root(target), root(branch))
	switch {
	case err != nil:
		return nil, err
	case len(m.conflicts) > 0:
		return nil, &ConflictError{m.conflicts}
	}
	if e == nil { // nothing is left
		e = &Entry{hash: plumbing.ComputeHash(plumbing.TreeObject, nil)}
		m.merged.made[e.hash] = []*Entry{}
	}
	m.merged.root = e.hash
	return m.merged, nil
}

// Tree returns git's hash of the tree that the files are.
func (f *Files) Tree() string { return f.root.String() }

// mergeBase is the newest commit that two have in common.
func (r *Repository) mergeBase(ctx context.Context, a, b Commit) (Commit, error) {
	s := r.borrow()
	defer r.giveBack(s)
	x, err := object.GetCommit(s, plumbing.NewHash(a.Hash))
	if err != nil {
		return Commit{}, explain(err, plumbing.NewHash(a.Hash))
	}
	y, err := object.GetCommit(s, plumbing.NewHash(b.Hash))
	if err != nil {
		return Commit{}, explain(err, plumbing.NewHash(b.Hash))
	}
	bases, err := x.MergeBase(y)
	switch {
	case ctx.Err() != nil:
		return Commit{}, ctx.Err()
	case errors.Is(err, plumbing.ErrObjectNotFound):
		return Commit{}, errors.New("the clone is too shallow to tell what the two branches have in common: fetch more of the history (git fetch --unshallow)")
	case err != nil:
		return Commit{}, fmt.Errorf("merge base of %.12s and %.12s: %w", a.Hash, b.Hash, err)
	case len(bases) == 0:
		return Commit{}, fmt.Errorf("%.12s and %.12s have no commit in common", a.Hash, b.Hash)
	}
	return Commit{Hash: bases[0].Hash.String(), Tree: bases[0].TreeHash.String()}, nil
}

// merge is a merge of trees under way.
type merge struct {
	merged    *Files
	conflicts []string
}

// entry merges what three trees have under one path; nil where one has nothing.
func (m *merge) entry(at string, base, target, branch *Entry) (*Entry, error) {
	switch {
	case same(base, branch):
		return target, nil
	case same(base, target), same(target, branch):
		return branch, nil
	case isDir(target) && isDir(branch):
		if base != nil && !base.IsDir() {
			base = nil
		}
		return m.dir(at, base, target, branch)
	}
	m.conflicts = append(m.conflicts, at)
	return target, nil
}

func same(a, b *Entry) bool {
	return a == nil && b == nil || a != nil && b != nil && a.hash == b.hash && a.mode == b.mode
}

func isDir(e *Entry) bool { return e != nil && e.IsDir() }

// dir merges a directory, name by name.
func (m *merge) dir(at string, base, target, branch *Entry) (*Entry, error) {
	var sides [3]map[string]*Entry
	var names []string
	for i, e := range []*Entry{base, target, branch} {
		sides[i] = map[string]*Entry{}
		if e == nil {
			continue
		}
		entries, err := m.merged.tree(e.hash)
		if err != nil {
			return nil, err
		}
		for _, child := range entries {
			if sides[0][child.name] == nil && sides[1][child.name] == nil && sides[2][child.name] == nil {
				names = append(names, child.name)
			}
			sides[i][child.name] = child
		}
	}
	var list []*Entry
	for _, name := range names {
		e, err := m.entry(path.Join(at, name), sides[0][name], sides[1][name], sides[2][name])
		if err != nil {
			return nil, err
		}
		if e != nil {
			list = append(list, e)
		}
	}
	if len(list) == 0 {
		return nil, nil // git has no empty directories
	}
	hash := plumbing.ComputeHash(plumbing.TreeObject, encodeTree(list))
	sortEntries(list)
	m.merged.made[hash] = list
	return &Entry{name: path.Base(at), mode: modeTree, hash: hash, files: m.merged}, nil
}
