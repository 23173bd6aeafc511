package source

import (
	"context"
	"fmt"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/utils/diff"
	"github.com/sergi/go-diff/diffmatchpatch"
)

// maxLined is the largest file whose lines are followed, in bytes.
const maxLined = 4 << 20

// FarError says that a history was followed as far as was asked, and not to its
// end.
type FarError struct{ Commits int }

func (e *FarError) Error() string {
	return fmt.Sprintf("it is more than %d commits back, and was not looked for further", e.Commits)
}

// Brought returns the commit that a line of a file came with: the one of whose
// parents none has it. Lines count from 1. It looks at so many commits at most
// and then gives a FarError; where the history is not all here, a ShallowError.
func (r *Repository) Brought(ctx context.Context, commit, path string, line, most int) (*CommitData, error) {
	c, err := r.ReadCommit(commit)
	for n := 0; err == nil; n++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if n == most {
			return nil, &FarError{most}
		}
		var from *CommitData
		if from, line, err = r.inherited(c, path, line); err != nil || from == nil {
			return c, err
		}
		c = from
	}
	return nil, err
}

// inherited returns the first parent of a commit that has a line of it, and where
// it stands there; nil where none has.
func (r *Repository) inherited(c *CommitData, path string, line int) (*CommitData, int, error) {
	is, err := r.fileOf(c, path)
	if err != nil {
		return nil, 0, err
	}
	for _, parent := range c.Parents {
		p, err := r.ReadCommit(parent)
		if err != nil {
			return nil, 0, &ShallowError{parent, err}
		}
		was, err := r.fileOf(p, path)
		if err != nil {
			return nil, 0, err
		}
		if was == is {
			return p, line, nil
		}
		if was.IsZero() || is.IsZero() {
			continue
		}
		if before, found, err := r.lineBefore(was, is, line); err != nil || found {
			return p, before, err
		}
	}
	return nil, 0, nil
}

// fileOf is the hash of a file of a commit; zero where it has none.
func (r *Repository) fileOf(c *CommitData, path string) (plumbing.Hash, error) {
	f, at := &Files{repo: r}, plumbing.NewHash(c.Tree)
	for part := range strings.SplitSeq(path, "/") {
		data, err := f.read(plumbing.TreeObject, at, maxTree)
		if err != nil {
			return at, err
		}
		mode, hash := entryNamed(data, part)
		if mode == nil {
			return plumbing.ZeroHash, nil
		}
		at = hash
	}
	return at, nil
}

// lineBefore says where a line of a file stood in the file that was before.
func (r *Repository) lineBefore(was, is plumbing.Hash, line int) (int, bool, error) {
	f := &Files{repo: r}
	before, err := f.read(plumbing.BlobObject, was, maxLined)
	if err != nil {
		return 0, false, err
	}
	after, err := f.read(plumbing.BlobObject, is, maxLined)
	if err != nil {
		return 0, false, err
	}
	old, now := 0, 0 // lines that are behind us
	for _, part := range diff.Do(string(before), string(after)) {
		lines := strings.Count(part.Text, "\n")
		if !strings.HasSuffix(part.Text, "\n") {
			lines++ // the last of a file
		}
		switch part.Type {
		case diffmatchpatch.DiffDelete:
			old += lines
			continue
		case diffmatchpatch.DiffEqual:
			if line <= now+lines {
				return old + line - now, true, nil
			}
			old += lines
		}
		if now += lines; line <= now {
			return 0, false, nil
		}
	}
	return 0, false, nil
}
