package livetree

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/veonahealth/charter/schema"
)

const (
	maxFile  = 1<<20 + 1 // bytes that are kept of a file; a load refuses one of that size
	maxTree  = 256 << 20 // bytes that a tree takes
	maxDepth = 64        // of folders, a load refuses fewer
)

// Tree is a file system in memory. It is for one goroutine at a time.
type Tree struct {
	root *os.Root
	top  *node
}

// node is a file or a folder. It is not changed once it is part of a tree.
type node struct {
	name string
	mode fs.FileMode
	size int64
	data []byte // of a CUE file
	// children are a folder's, by name.
	children map[string]*node
	hash     string
	takes    int // bytes of memory, about, with all below
}

// bare is about what a node without data takes.
const bare = 500

// Read reads the files below a folder.
func Read(root *os.Root) (*Tree, error) {
	t := &Tree{root: root}
	top, err := t.read(".", 0)
	if err != nil {
		return nil, err
	}
	if top == nil {
		return nil, fmt.Errorf("%s: %w", root.Name(), fs.ErrNotExist)
	}
	t.top = top
	return t, nil
}

// ignored reports whether nothing below a path can be a declaration: git's own
// folder, and others of tools at the top.
func ignored(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	return first != "." && strings.HasPrefix(first, ".")
}

// read reads what stands at a path; nil for nothing. What is written while it is
// read is read again, as it is named once more.
func (t *Tree) read(name string, depth int) (*node, error) {
	info, err := t.root.Lstat(name)
	if gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	n := &node{name: path.Base(name), mode: info.Mode().Type()}
	switch {
	case info.IsDir() && !ignored(name):
		return t.folder(n, name, depth)
	case info.Mode().IsRegular() && strings.HasSuffix(name, ".cue"):
		if n.data, err = t.content(name, info); gone(err) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		n.size = max(info.Size(), int64(len(n.data)))
	case editors(n) && depth > 1:
		return nil, nil
	}
	n.seal()
	return n, nil
}

// editors reports whether an editor may have left what is no declaration: copies
// beside a file, and locks, which are links to nowhere.
func editors(n *node) bool { return n.mode.IsRegular() || strings.HasPrefix(n.name, ".#") }

// gone reports whether somebody was faster and took away what was to be read.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

func (t *Tree) folder(n *node, name string, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%s: folders are nested too deeply", name)
	}
	entries, err := fs.ReadDir(t.root.FS(), name)
	if gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	n.children = make(map[string]*node, len(entries))
	takes := 0
	for _, e := range entries {
		child, err := t.read(path.Join(name, e.Name()), depth+1)
		if err != nil {
			return nil, err
		}
		if child != nil {
			n.children[child.name] = child
			if takes += child.takes; takes > maxTree {
				return nil, tooMuch(name)
			}
		}
	}
	n.seal()
	return n, nil
}

func tooMuch(name string) error {
	return fmt.Errorf("%s: what is in it takes more than %d bytes of memory", name, maxTree)
}

// content reads a file that was looked at. Where something else has taken its place
// since it is gone, and what has is heard: a pipe would be waited for.
func (t *Tree) content(name string, was fs.FileInfo) ([]byte, error) {
	f, err := t.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	is, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !os.SameFile(was, is) {
		return nil, fs.ErrNotExist
	}
	return io.ReadAll(io.LimitReader(f, maxFile))
}

// seal hashes what a node holds.
func (n *node) seal() {
	h := sha256.New()
	fmt.Fprintf(h, "%v %d\n", n.mode, n.size)
	h.Write(n.data)
	n.takes = bare + len(n.name) + len(n.data)
	for _, name := range slices.Sorted(maps.Keys(n.children)) {
		fmt.Fprintf(h, "%s %q\n", n.children[name].hash, name)
		n.takes += n.children[name].takes
	}
	n.hash = fmt.Sprintf("%x", h.Sum(nil))
}

// Renew reads some paths again, with all that is below them, and reports whether
// anything is not as it was. Paths are slash-separated and begin at the root.
func (t *Tree) Renew(names ...string) (changed bool, err error) {
	was := t.top.hash
	for _, name := range names {
		top, err := t.renewed(t.top, ".", name)
		if err != nil {
			return false, err
		}
		if top == nil {
			return false, fmt.Errorf("%s: %w", t.root.Name(), fs.ErrNotExist)
		}
		if top.takes > maxTree {
			return false, tooMuch(t.root.Name())
		}
		t.top = top
	}
	return t.top.hash != was, nil
}

// renewed gives a node anew in which one path was read again. at is the node's own
// path, and n is nil where there was none.
func (t *Tree) renewed(n *node, at, name string) (*node, error) {
	depth := 0
	if at != "." {
		depth = strings.Count(at, "/") + 1
	}
	if n == nil || n.children == nil || at == name || name == "." {
		return t.read(at, depth)
	}
	rest := name
	if at != "." {
		rest = strings.TrimPrefix(name, at+"/")
	}
	first, _, _ := strings.Cut(rest, "/")
	child, err := t.renewed(n.children[first], path.Join(at, first), name)
	if err != nil {
		return nil, err
	}
	fresh := &node{name: n.name, mode: n.mode, children: maps.Clone(n.children)}
	delete(fresh.children, first)
	if child != nil {
		fresh.children[first] = child
	}
	fresh.seal()
	return fresh, nil
}

func (t *Tree) find(op, name string) (*node, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	n := t.top
	if name != "." {
		for _, part := range strings.Split(name, "/") {
			if n = n.children[part]; n == nil {
				return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
			}
		}
	}
	return n, nil
}

// Open implements fs.FS.
func (t *Tree) Open(name string) (fs.File, error) {
	n, err := t.find("open", name)
	if err != nil {
		return nil, err
	}
	return &file{n, n.data}, nil
}

// ReadDir implements fs.ReadDirFS. Its entries are schema.Hashed.
func (t *Tree) ReadDir(name string) ([]fs.DirEntry, error) {
	n, err := t.find("readdir", name)
	if err != nil {
		return nil, err
	}
	if !n.mode.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: syscall.ENOTDIR}
	}
	list := make([]fs.DirEntry, 0, len(n.children))
	for _, child := range slices.Sorted(maps.Keys(n.children)) {
		list = append(list, entry{n.children[child]})
	}
	return list, nil
}

// entry is a node as it is listed.
type entry struct{ *node }

var _ schema.Hashed = entry{}

func (e entry) Name() string               { return e.name }
func (e entry) IsDir() bool                { return e.mode.IsDir() }
func (e entry) Type() fs.FileMode          { return e.mode }
func (e entry) Info() (fs.FileInfo, error) { return info(e), nil }
func (e entry) Hash() string               { return e.hash }

// info is what is known of a node.
type info struct{ *node }

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return nil }

// file is a node that is being read.
type file struct {
	*node
	rest []byte
}

func (f *file) Stat() (fs.FileInfo, error) { return info{f.node}, nil }
func (f *file) Close() error               { return nil }

func (f *file) Read(p []byte) (int, error) {
	if f.mode.IsDir() {
		return 0, &fs.PathError{Op: "read", Path: f.name, Err: syscall.EISDIR}
	}
	if len(f.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}
