package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

const modeFile = "100644"

// Draft is a commit to be written.
type Draft struct {
	// Parent is the commit whose files it has, but for those in Put; "" for one
	// that has no parent and no other files.
	Parent  string
	Put     map[string][]byte // files' contents by their paths; nil takes a file away
	Author  Author
	When    time.Time
	Message string
	// Sign returns the signature of a commit object; nil for none.
	Sign func(payload []byte) (string, error)
}

// Write writes a commit's objects into the repository. No reference names it
// yet.
func (r *Repository) Write(d Draft) (Commit, error) {
	s := r.borrow()
	defer r.giveBack(s)
	var root plumbing.Hash
	if d.Parent != "" {
		parent, err := r.ReadCommit(d.Parent)
		if err != nil {
			return Commit{}, err
		}
		root = plumbing.NewHash(parent.Tree)
	}
	w := treeWriter{files: &Files{repo: r}, into: s}
	tree, err := w.put(root, d.Put)
	if err != nil {
		return Commit{}, fmt.Errorf("write the commit's files: %w", err)
	}
	object, err := d.object(tree.String())
	if err != nil {
		return Commit{}, err
	}
	hash, err := store(s, plumbing.CommitObject, object)
	if err != nil {
		return Commit{}, fmt.Errorf("write the commit: %w", err)
	}
	return Commit{Hash: hash.String(), Tree: tree.String()}, nil
}

// object is the commit as git stores it.
func (d *Draft) object(tree string) ([]byte, error) {
	who := fmt.Sprintf("%s <%s> %d +0000", plain(d.Author.Name), plain(d.Author.Email), d.When.Unix())
	var head strings.Builder
	fmt.Fprintf(&head, "tree %s\n", tree)
	if d.Parent != "" {
		fmt.Fprintf(&head, "parent %s\n", d.Parent)
	}
	fmt.Fprintf(&head, "author %s\ncommitter %s\n", who, who)
	body := "\n" + strings.TrimRight(d.Message, "\n") + "\n"
	if d.Sign == nil {
		return []byte(head.String() + body), nil
	}
	signature, err := d.Sign([]byte(head.String() + body))
	if err != nil {
		return nil, err
	}
	folded := strings.ReplaceAll(strings.TrimRight(signature, "\n"), "\n", "\n ")
	return []byte(head.String() + "gpgsig " + folded + "\n" + body), nil
}

// plain leaves out of a name what would end it.
func plain(text string) string {
	return strings.TrimSpace(strings.Map(func(c rune) rune {
		if c < ' ' || c == '<' || c == '>' || c == 0x7f {
			return -1
		}
		return c
	}, text))
}

// treeWriter writes the directories of a commit.
type treeWriter struct {
	files *Files
	into  *handle
}

// put writes files into a directory; a zero hash is one that is not there yet.
func (w treeWriter) put(dir plumbing.Hash, files map[string][]byte) (plumbing.Hash, error) {
	entries, err := w.files.treeOrNone(dir)
	if err != nil {
		return dir, err
	}
	below := map[string]map[string][]byte{}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		name, rest, deeper := strings.Cut(path, "/")
		switch {
		case !validName(name):
			return dir, fmt.Errorf("path %.80q is none", path)
		case !deeper && files[path] == nil:
			entries = without(entries, name)
		case !deeper:
			hash, err := store(w.into, plumbing.BlobObject, files[path])
			if err != nil {
				return dir, err
			}
			entries = with(entries, &Entry{name: name, mode: modeFile, hash: hash})
		case below[name] == nil:
			below[name] = map[string][]byte{rest: files[path]}
		default:
			below[name][rest] = files[path]
		}
	}
	for name, files := range below {
		hash, err := w.put(entryOf(entries, name).hash, files)
		if err != nil {
			return dir, err
		}
		entries = without(entries, name)
		if hash != emptyTree { // git keeps no empty directory
			entries = append(entries, &Entry{name: name, mode: modeTree, hash: hash})
		}
	}
	return w.write(entries)
}

// with puts an entry in the place of the one of its name.
func with(entries []*Entry, e *Entry) []*Entry {
	return append(without(entries, e.name), e)
}

func without(entries []*Entry, name string) []*Entry {
	return slices.DeleteFunc(slices.Clone(entries), func(e *Entry) bool { return e.name == name })
}

// emptyTree is the hash of a directory that nothing is in.
var emptyTree = plumbing.ComputeHash(plumbing.TreeObject, nil)

// entryOf returns the directory of a name, or one that is not there yet.
func entryOf(entries []*Entry, name string) *Entry {
	i := slices.IndexFunc(entries, func(e *Entry) bool { return e.name == name && e.IsDir() })
	if i < 0 {
		return &Entry{}
	}
	return entries[i]
}

// write writes a directory.
func (w treeWriter) write(entries []*Entry) (plumbing.Hash, error) {
	return store(w.into, plumbing.TreeObject, encodeTree(entries))
}

// encodeTree writes a directory's object, in git's order: as if directories'
// names ended in a slash.
func encodeTree(entries []*Entry) []byte {
	key := func(e *Entry) string {
		if e.IsDir() {
			return e.name + "/"
		}
		return e.name
	}
	slices.SortFunc(entries, func(a, b *Entry) int { return strings.Compare(key(a), key(b)) })
	var buf bytes.Buffer
	for _, e := range entries {
		mode := e.mode
		if mode == "" {
			mode = modeFile
		}
		buf.WriteString(mode + " " + e.name + "\x00")
		buf.Write(e.hash[:])
	}
	return buf.Bytes()
}

// store writes an object, unless it is there.
func store(s *handle, kind plumbing.ObjectType, data []byte) (plumbing.Hash, error) {
	hash := plumbing.ComputeHash(kind, data)
	if s.HasEncodedObject(hash) == nil {
		return hash, nil
	}
	o := s.NewEncodedObject()
	o.SetType(kind)
	w, err := o.Writer()
	if err != nil {
		return hash, err
	}
	if _, err := io.Copy(w, bytes.NewReader(data)); err != nil {
		return hash, errors.Join(err, w.Close())
	}
	if err := w.Close(); err != nil {
		return hash, err
	}
	return s.SetEncodedObject(o)
}
