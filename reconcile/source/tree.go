package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/golang/groupcache/lru"
)

const (
	maxTree    = 64 << 20 // bytes of one directory's object
	keptTrees  = 256      // directories whose listing is kept
	hashSize   = len(plumbing.Hash{})
	modeTree   = "40000"
	modeLink   = "120000"
	modeModule = "160000"

	modeProgram = "100755"
)

// Files is the tree of a commit as a file system. It is safe for use by many
// goroutines. It implements fs.ReadDirFS.
type Files struct {
	repo *Repository
	root plumbing.Hash

	mu   sync.Mutex
	kept *lru.Cache // path to []*Entry
	way  []rawTree  // to the file that ReadAt read last, from the root on

	made map[plumbing.Hash][]*Entry // directories that are in no commit, of a merge
}

// rawTree is a directory as git keeps it.
type rawTree struct {
	hash plumbing.Hash
	data []byte
}

// Files returns the files of a commit. It reads nothing yet.
func (r *Repository) Files(c Commit) *Files {
	return &Files{repo: r, root: plumbing.NewHash(c.Tree), kept: lru.New(keptTrees)}
}

// Entry is a name in a directory of the tree.
type Entry struct {
	name  string
	mode  string
	hash  plumbing.Hash
	files *Files
}

// Name returns the entry's name in its directory.
func (e *Entry) Name() string { return e.name }

// IsDir reports whether the entry is a directory.
func (e *Entry) IsDir() bool { return e.mode == modeTree }

// Hash returns git's hash of the entry's content, names and modes below it
// included, in hexadecimal.
func (e *Entry) Hash() string { return e.hash.String() }

// Type returns the entry's type: a symbolic link is fs.ModeSymlink, a submodule
// fs.ModeIrregular.
func (e *Entry) Type() fs.FileMode {
	switch e.mode {
	case modeTree:
		return fs.ModeDir
	case modeLink:
		return fs.ModeSymlink
	case modeModule:
		return fs.ModeIrregular
	}
	return 0
}

// Info returns what git knows of the entry. It reads a file's size, and not its
// content.
func (e *Entry) Info() (fs.FileInfo, error) {
	info := fileInfo{entry: e}
	if e.Type() == 0 {
		size, err := e.files.size(e.hash)
		if err != nil {
			return nil, err
		}
		info.size = size
	}
	return info, nil
}

type fileInfo struct {
	entry *Entry
	size  int64
}

func (i fileInfo) Name() string       { return i.entry.name }
func (i fileInfo) Size() int64        { return i.size }
func (i fileInfo) Mode() fs.FileMode  { return i.entry.Type() | 0o444 }
func (i fileInfo) ModTime() time.Time { return time.Time{} }
func (i fileInfo) IsDir() bool        { return i.entry.IsDir() }
func (i fileInfo) Sys() any           { return nil }

// ReadDir lists a directory, sorted by name. The entries are *Entry.
func (f *Files) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := f.list("readdir", name)
	if err != nil {
		return nil, err
	}
	list := make([]fs.DirEntry, len(entries))
	for i, e := range entries {
		list[i] = e
	}
	return list, nil
}

// Open opens a regular file or a directory. A file's content is read when it is
// asked for.
func (f *Files) Open(name string) (fs.File, error) {
	e, err := f.find("open", name)
	if err != nil {
		return nil, err
	}
	info, err := e.Info()
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	switch e.Type() {
	case fs.ModeDir:
		list, err := f.ReadDir(name)
		return &dir{info: info, list: list}, err
	case 0:
		return &file{files: f, info: info, hash: e.hash}, nil
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("a symbolic link or submodule")}
}

func (f *Files) find(op, name string) (*Entry, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	if name == "." {
		return &Entry{name: ".", mode: modeTree, hash: f.root, files: f}, nil
	}
	entries, err := f.list(op, path.Dir(name))
	if err != nil {
		return nil, err
	}
	i, found := slices.BinarySearchFunc(entries, path.Base(name), func(e *Entry, name string) int {
		return strings.Compare(e.name, name)
	})
	if !found {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	return entries[i], nil
}

// list returns the entries of a directory, sorted by name.
func (f *Files) list(op, name string) ([]*Entry, error) {
	f.mu.Lock()
	kept, ok := f.kept.Get(name)
	f.mu.Unlock()
	if ok {
		return kept.([]*Entry), nil
	}
	e, err := f.find(op, name)
	if err != nil {
		return nil, err
	}
	if !e.IsDir() {
		return nil, &fs.PathError{Op: op, Path: name, Err: errors.New("not a directory")}
	}
	entries, err := f.tree(e.hash)
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	f.mu.Lock()
	f.kept.Add(name, entries)
	f.mu.Unlock()
	return entries, nil
}

// tree reads a tree object.
func (f *Files) tree(hash plumbing.Hash) ([]*Entry, error) {
	if made, ok := f.made[hash]; ok {
		return made, nil
	}
	data, err := f.read(plumbing.TreeObject, hash, maxTree)
	if err != nil {
		return nil, err
	}
	return f.entries(hash, data)
}

// entries reads a tree, or the end of one, sorted by name.
func (f *Files) entries(hash plumbing.Hash, data []byte) ([]*Entry, error) {
	entries, err := parseTree(data, f)
	if err != nil {
		return nil, fmt.Errorf("tree %s: %w", hash, err)
	}
	sortEntries(entries)
	return entries, nil
}

// sortEntries orders by name. git orders a directory as if its name ended in a
// slash.
func sortEntries(entries []*Entry) {
	slices.SortFunc(entries, func(a, b *Entry) int { return strings.Compare(a.name, b.name) })
}

var errMalformedTree = errors.New("malformed")

// parseTree reads git's form of a directory: for each entry its mode, a space,
// its name, a zero byte and its hash.
func parseTree(data []byte, f *Files) ([]*Entry, error) {
	const typical = 40 // bytes of an entry
	entries := make([]*Entry, 0, len(data)/typical+1)
	for len(data) > 0 {
		mode, rest, ok := bytes.Cut(data, []byte(" "))
		name, rest, ok2 := bytes.Cut(rest, []byte{0})
		if !ok || !ok2 || len(rest) < hashSize || !validName(string(name)) {
			return nil, errMalformedTree
		}
		e := &Entry{name: string(name), mode: modeOf(mode), files: f, hash: plumbing.Hash(rest[:hashSize])}
		entries = append(entries, e)
		data = rest[hashSize:]
	}
	return entries, nil
}

// modeOf gives the modes that are told apart one spelling each, without an
// allocation.
func modeOf(mode []byte) string {
	switch string(mode) {
	case modeTree, "040000":
		return modeTree
	case modeLink:
		return modeLink
	case modeModule:
		return modeModule
	case modeProgram:
		return modeProgram
	}
	return ""
}

// validName refuses names that a path could not carry.
func validName(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.Contains(name, "/")
}

// ReadAt reads a regular file by its path without listing the directories on the
// way, for who reads one file of many trees. It reads at most a number of bytes.
func (f *Files) ReadAt(name string, most int64) ([]byte, error) {
	fail := func(err error) ([]byte, error) { return nil, &fs.PathError{Op: "read", Path: name, Err: err} }
	if !fs.ValidPath(name) || name == "." {
		return fail(fs.ErrInvalid)
	}
	at, parts := f.root, strings.Split(name, "/")
	for i, part := range parts {
		data, err := f.onTheWay(i, at)
		if err != nil {
			return fail(err)
		}
		mode, hash := entryNamed(data, part)
		if mode == nil {
			return fail(fs.ErrNotExist)
		}
		if last := i == len(parts)-1; (modeOf(mode) == modeTree) == last || modeOf(mode) == modeLink || modeOf(mode) == modeModule {
			return fail(errors.New("not a regular file in directories"))
		}
		at = hash
	}
	data, err := f.read(plumbing.BlobObject, at, most)
	if err != nil {
		return fail(err)
	}
	return data, nil
}

// onTheWay reads a directory that is so deep on the way to a file. The next file is
// often beside the last one.
func (f *Files) onTheWay(depth int, hash plumbing.Hash) ([]byte, error) {
	f.mu.Lock()
	way := f.way
	f.mu.Unlock()
	if depth < len(way) && way[depth].hash == hash {
		return way[depth].data, nil
	}
	data, err := f.read(plumbing.TreeObject, hash, maxTree)
	if err == nil {
		f.mu.Lock()
		f.way = append(slices.Clip(way[:min(depth, len(way))]), rawTree{hash, data})
		f.mu.Unlock()
	}
	return data, err
}

// entryNamed finds a name in git's form of a directory; a nil mode is none.
func entryNamed(data []byte, want string) (mode []byte, hash plumbing.Hash) {
	for len(data) > 0 {
		head, rest, ok := bytes.Cut(data, []byte{0})
		mode, name, ok2 := bytes.Cut(head, []byte(" "))
		if !ok || !ok2 || len(rest) < hashSize {
			return nil, hash
		}
		if string(name) == want {
			return mode, plumbing.Hash(rest[:hashSize])
		}
		data = rest[hashSize:]
	}
	return nil, hash
}

// size returns the size of an object without reading it.
func (f *Files) size(hash plumbing.Hash) (int64, error) {
	s := f.repo.borrow()
	defer f.repo.giveBack(s)
	size, err := s.EncodedObjectSize(hash)
	if errors.Is(err, plumbing.ErrObjectNotFound) { // it may be in an alternate
		var o plumbing.EncodedObject
		if o, err = s.EncodedObject(plumbing.AnyObject, hash); err == nil {
			size = o.Size()
		}
	}
	if err != nil {
		return 0, explain(err, hash)
	}
	return size, nil
}

// read returns the content of an object of at most a size, if it is the one that its
// name says.
func (f *Files) read(kind plumbing.ObjectType, hash plumbing.Hash, most int64) ([]byte, error) {
	c, err := f.repo.packs.read(kind, hash, most)
	var large *sizeError
	if errors.Is(err, errForeign) {
		c, err = f.unpacked(kind, hash, most)
	}
	switch {
	case errors.As(err, &large):
		return nil, fmt.Errorf("object %s %w", hash, large)
	case err != nil:
		return nil, explain(err, hash)
	}
	return c.data, nil
}

// unpacked reads an object as go-git finds it.
func (f *Files) unpacked(kind plumbing.ObjectType, hash plumbing.Hash, most int64) (c content, err error) {
	h := f.repo.borrow()
	defer f.repo.giveBack(h)
	o, err := h.Storage.EncodedObject(kind, hash)
	if errors.Is(err, plumbing.ErrObjectNotFound) { // git may have packed it since this handle was opened
		h.Reindex()
		o, err = h.Storage.EncodedObject(kind, hash)
	}
	if err != nil {
		return c, err
	}
	if o.Size() > most {
		return c, &sizeError{o.Size(), most}
	}
	r, err := o.Reader()
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	c = content{o.Type(), make([]byte, o.Size())}
	if _, err = io.ReadFull(r, c.data); err == nil {
		err = c.check(hash)
	}
	return c, err
}

// file is an open regular file.
type file struct {
	files *Files
	info  fs.FileInfo
	hash  plumbing.Hash
	data  *bytes.Reader // nil until the first Read
}

func (f *file) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *file) Close() error               { return nil }

func (f *file) Read(p []byte) (int, error) {
	if f.data == nil {
		data, err := f.files.read(plumbing.BlobObject, f.hash, f.info.Size())
		if err != nil {
			return 0, &fs.PathError{Op: "read", Path: f.info.Name(), Err: err}
		}
		f.data = bytes.NewReader(data)
	}
	return f.data.Read(p)
}

// dir is an open directory.
type dir struct {
	info fs.FileInfo
	list []fs.DirEntry
}

func (d *dir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *dir) Close() error               { return nil }

func (d *dir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.info.Name(), Err: errors.New("is a directory")}
}

// ReadDir lists the next n entries, or all that are left where n is not positive.
func (d *dir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		n = len(d.list)
	} else if len(d.list) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(d.list))
	next := d.list[:n]
	d.list = d.list[n:]
	return next, nil
}
