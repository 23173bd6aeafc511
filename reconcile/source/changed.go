package source

import (
	"bytes"
	"iter"
	"path"

	"github.com/go-git/go-git/v5/plumbing"
)

// Changed yields the path of every file that differs between two trees, in the
// order of their names, directory by directory. It reads only directories whose
// hashes differ, so its cost follows the change and not the repository. After an
// error it yields nothing more.
func Changed(from, to *Files) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		changed(from, to, "", from.root, to.root, yield)
	}
}

// changed walks one directory of both trees; a zero hash is one that is not
// there. It reports whether to go on.
func changed(from, to *Files, dir string, a, b plumbing.Hash, yield func(string, error) bool) bool {
	before, after, err := differing(from, to, a, b)
	if err != nil {
		yield(dir, err)
		return false
	}
	for len(before) > 0 || len(after) > 0 {
		var x, y *Entry
		switch {
		case len(after) == 0 || len(before) > 0 && before[0].name < after[0].name:
			x, before = before[0], before[1:]
		case len(before) == 0 || after[0].name < before[0].name:
			y, after = after[0], after[1:]
		default:
			x, before, y, after = before[0], before[1:], after[0], after[1:]
		}
		if !changedEntry(from, to, dir, x, y, yield) {
			return false
		}
	}
	return true
}

// differing lists what two directories do not have in common, but for some of it:
// what they begin with is passed over without making entries of it, because it
// is most of a large directory.
func differing(from, to *Files, a, b plumbing.Hash) (before, after []*Entry, err error) {
	var was, is []byte
	if !a.IsZero() {
		was, err = from.read(plumbing.TreeObject, a, maxTree)
	}
	if err == nil && !b.IsZero() {
		is, err = to.read(plumbing.TreeObject, b, maxTree)
	}
	if err != nil {
		return nil, nil, err
	}
	same := commonEntries(was, is)
	if before, err = from.entries(a, was[same:]); err != nil {
		return nil, nil, err
	}
	after, err = to.entries(b, is[same:])
	return before, after, err
}

// commonEntries is the length of the whole entries that two trees begin with.
func commonEntries(a, b []byte) int {
	n := 0
	for {
		name := bytes.IndexByte(a[n:], 0)
		if name < 0 {
			return n
		}
		next := n + name + 1 + hashSize
		if next > len(a) || next > len(b) || !bytes.Equal(a[n:next], b[n:next]) {
			return n
		}
		n = next
	}
}

// changedEntry walks one name of both trees, of which one may be nil.
func changedEntry(from, to *Files, dir string, x, y *Entry, yield func(string, error) bool) bool {
	if x != nil && y != nil && x.hash == y.hash && x.mode == y.mode {
		return true
	}
	var name string
	var a, b plumbing.Hash // of the directories among the two
	file := false
	for _, e := range []*Entry{x, y} {
		switch {
		case e == nil:
		case !e.IsDir():
			name, file = e.name, true
		default:
			name = e.name
			if e == x {
				a = e.hash
			} else {
				b = e.hash
			}
		}
	}
	p := path.Join(dir, name)
	if file && !yield(p, nil) {
		return false
	}
	return a == b || changed(from, to, p, a, b, yield)
}

func (f *Files) treeOrNone(hash plumbing.Hash) ([]*Entry, error) {
	if hash.IsZero() {
		return nil, nil
	}
	return f.tree(hash)
}
