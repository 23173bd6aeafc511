package schema

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/veonahealth/charter/catalog"
)

// maxDepth is how deep directories may be nested.
const maxDepth = 32

// Hashed is a directory entry whose content is known by a hash, as every entry
// of a git tree is: two directories with one hash hold the same, so that what
// was evaluated once need not even be listed again.
type Hashed interface {
	fs.DirEntry
	// Hash identifies everything below the entry, names and modes included.
	Hash() string
}

// entry is one name in a directory of the fleet.
type entry struct {
	path  string
	isDir bool
	hash  string // "" where the file system knows none
}

func (e entry) isCUE() bool { return !e.isDir && strings.HasSuffix(e.path, ".cue") }

// list reads a directory in which declarations stand. It refuses by name what
// would let a commit mean something else elsewhere, or what cue would pass over
// in silence.
func (l *loader) list(dir string) ([]entry, Problems, error) {
	found, err := fs.ReadDir(l.files, dir)
	if err != nil {
		return nil, nil, fmt.Errorf("list %s: %w", dir, err)
	}
	var entries []entry
	var problems Problems
	for _, d := range found {
		e := entry{path: path.Join(dir, d.Name()), isDir: d.IsDir()}
		if h, ok := d.(Hashed); ok {
			e.hash = h.Hash()
		}
		why := refused(d)
		if why == "" && d.IsDir() && passedOver(d.Name()) {
			if holds, err := l.holdsCUE(e.path, 0); err != nil {
				return nil, nil, err
			} else if holds {
				why = silently
			}
		}
		if why != "" {
			problems = append(problems, problemf(Forbidden, catalog.Position{File: e.path}, "%s", why))
			continue
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.path, b.path) })
	return entries, problems, nil
}

const silently = "cue passes over names like this one in silence, so declarations may not stand here"

// refused says why an entry may not stand among declarations, or "".
func refused(d fs.DirEntry) string {
	name := d.Name()
	switch {
	case d.Type()&fs.ModeSymlink != 0:
		return "a symbolic link may not stand here: what it leads to is not in the commit's hand"
	case d.Type()&fs.ModeIrregular != 0:
		return "a submodule may not stand here: its content is not in the commit"
	case d.IsDir():
		return ""
	case !d.Type().IsRegular():
		return "a special file may not stand here"
	case strings.HasSuffix(name, ".cue") && (passedOver(name) ||
		strings.HasSuffix(name, "_test.cue") || strings.HasSuffix(name, "_tool.cue")):
		return silently
	}
	return ""
}

// passedOver reports whether cue leaves out what has this name.
func passedOver(name string) bool {
	return strings.HasPrefix(name, "_") || strings.HasPrefix(name, ".") || name == "testdata"
}

// exists reports whether the fleet has a directory of a name at its top, and
// refuses anything else of that name.
func (l *loader) exists(name string) (entry, bool) {
	i := slices.IndexFunc(l.top, func(e entry) bool { return e.path == name })
	if i < 0 {
		return entry{}, false
	}
	if !l.top[i].isDir {
		l.report(problemf(Forbidden, catalog.Position{File: name}, "%s must be a directory", name))
		return entry{}, false
	}
	return l.top[i], true
}

// cueFiles reads the CUE files among entries, and reports those over a budget.
func (l *loader) cueFiles(entries []entry) ([]*source, Problems, error) {
	var sources []*source
	var problems Problems
	size := 0
	for _, e := range entries {
		if !e.isCUE() {
			continue
		}
		s, faults, err := readSource(l.files, e.path)
		if err != nil {
			return nil, nil, err
		}
		problems = append(problems, faults...)
		if s == nil {
			continue
		}
		if size += len(s.data); size > maxUnitSize {
			p := problemf(OverBudget, catalog.Position{File: e.path}, "the files of %s are larger than %d bytes together", path.Dir(e.path), maxUnitSize)
			return nil, append(problems, p), nil
		}
		sources = append(sources, s)
	}
	return sources, problems, nil
}

// nested refuses CUE files below a directory that is not to have any: they would
// be declarations that nobody reads.
func (l *loader) nested(entries []entry, what string) (Problems, error) {
	var problems Problems
	for _, e := range entries {
		if !e.isDir {
			continue
		}
		holds, err := l.holdsCUE(e.path, 0)
		if err != nil {
			return nil, err
		}
		if holds {
			problems = append(problems, problemf(Forbidden, catalog.Position{File: e.path}, "%s", what))
		}
	}
	return problems, nil
}

var errTooDeep = errors.New("directories are nested too deeply")

// holdsCUE reports whether a CUE file stands anywhere below a directory.
func (l *loader) holdsCUE(dir string, depth int) (bool, error) {
	if depth > maxDepth {
		return false, fmt.Errorf("list %s: %w", dir, errTooDeep)
	}
	found, err := fs.ReadDir(l.files, dir)
	if err != nil {
		return false, fmt.Errorf("list %s: %w", dir, err)
	}
	for _, d := range found {
		if !d.IsDir() && strings.HasSuffix(d.Name(), ".cue") {
			return true, nil
		}
	}
	for _, d := range found {
		if d.IsDir() {
			if holds, err := l.holdsCUE(path.Join(dir, d.Name()), depth+1); holds || err != nil {
				return holds, err
			}
		}
	}
	return false, nil
}

// Key identifies an evaluation by everything that can change its result.
type Key [sha256.Size]byte

// KeyOf hashes parts, each with its length, so that no two lists of parts give
// one key.
func KeyOf(parts ...string) Key {
	h := sha256.New()
	for _, part := range parts {
		writePart(h, part)
	}
	return Key(h.Sum(nil))
}

// contentOf hashes the paths and contents of files.
func contentOf(files []*source) string {
	h := sha256.New()
	for _, f := range files {
		writePart(h, f.path)
		writePart(h, string(f.data))
	}
	return hex.EncodeToString(h.Sum(nil))
}

func writePart(h hash.Hash, part string) {
	var length [20]byte
	h.Write(append(strconv.AppendInt(length[:0], int64(len(part)), 10), ':'))
	io.WriteString(h, part)
}

// digestOf is the digest of a folder as a plan names it: the SHA-256 over lines
// "<sha256 of a file>  <path>", sorted by path.
func digestOf(files []*source) string {
	sorted := slices.Clone(files)
	slices.SortFunc(sorted, func(a, b *source) int { return strings.Compare(a.path, b.path) })
	h := sha256.New()
	for _, f := range sorted {
		fmt.Fprintf(h, "%x  %s\n", sha256.Sum256(f.data), f.path)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}
