package source

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A reference is read and written here and not by go-git, which truncates its
// file before it writes: a reader in between finds no reference, and one that
// takes that for "none yet" begins a second history. This is git's own way, so
// that git and charter can write side by side: a lock file that only one can
// create, the comparison under it, and a rename.

const (
	lockTries  = 100
	lockWait   = 20 * time.Millisecond
	maxRefFile = 4 << 10
	maxPacked  = 256 << 20
)

// ErrMoved says that a reference is not, or no longer, where the writer took it
// to be. Nothing was written.
var ErrMoved = errors.New("the reference has moved")

// errLocked says that another process holds a reference's lock.
var errLocked = errors.New("another process holds its lock")

// Ref returns the commit that a reference of this repository names, by its full
// name, or "" where there is none. A reference that cannot be read is an error,
// never "".
func (r *Repository) Ref(name string) (string, error) {
	if err := checkRefName(name); err != nil {
		return "", err
	}
	dir, err := r.common()
	if err != nil {
		return "", err
	}
	hash, err := looseRef(dir, name)
	if err != nil || hash != "" {
		return hash, err
	}
	packed, err := packedRefs(dir)
	return packed[name], err
}

// Refs returns the references of this repository below a prefix that ends in a
// slash: their commits by their full names.
func (r *Repository) Refs(prefix string) (map[string]string, error) {
	if err := checkRefName(strings.TrimSuffix(prefix, "/")); err != nil {
		return nil, err
	}
	dir, err := r.common()
	if err != nil {
		return nil, err
	}
	loose, err := looseRefs(dir, prefix) // before the packed: git packs before it takes the loose away
	if err != nil {
		return nil, err
	}
	packed, err := packedRefs(dir)
	if err != nil {
		return nil, err
	}
	for name, hash := range packed {
		if _, newer := loose[name]; !newer && strings.HasPrefix(name, prefix) {
			loose[name] = hash
		}
	}
	return loose, nil
}

// SetRef moves a reference of this repository from one commit to another, or
// gives ErrMoved where it is not at the first. An old of "" is a reference that
// must not be there, a new of "" takes it away.
func (r *Repository) SetRef(name, old, new string) error {
	if err := checkRefName(name); err != nil {
		return err
	}
	dir, err := r.common()
	if err != nil {
		return err
	}
	file, err := lockFile(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer file.release()
	now, err := r.Ref(name)
	switch {
	case err != nil:
		return err
	case now != old:
		return fmt.Errorf("write %s: %w: it is at %s", name, ErrMoved, orNone(now))
	case new == old:
		return nil
	case new == "":
		return removeRef(dir, name)
	}
	if err := file.replace([]byte(new + "\n")); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

func orNone(hash string) string {
	if hash == "" {
		return "nothing"
	}
	return hash
}

// checkRefName refuses what could lead out of the folder of references, or what
// git would not take.
func checkRefName(name string) error {
	bad := strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c == 0x7f || strings.ContainsRune(`~^:?*[\`, c) })
	for _, part := range strings.Split(name, "/") {
		bad = bad || part == "" || part[0] == '.' || strings.HasSuffix(part, ".lock") || strings.HasSuffix(part, ".")
	}
	if bad || !strings.HasPrefix(name, "refs/") || strings.Contains(name, "..") || strings.Contains(name, "@{") || len(name) > 1024 {
		return fmt.Errorf("reference name %.80q is none", name)
	}
	return nil
}

// common returns the folder that the references lie in. A linked work tree has
// its own folder, which names it.
func (r *Repository) common() (string, error) {
	root := r.files.Root()
	data, err := readBounded(filepath.Join(root, "commondir"), maxRefFile)
	if errors.Is(err, fs.ErrNotExist) {
		return root, nil
	} else if err != nil {
		return "", err
	}
	dir := filepath.FromSlash(strings.TrimSpace(string(data)))
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(root, dir)
	}
	return dir, nil
}

// looseRef reads the file of a reference, "" where there is none.
func looseRef(dir, name string) (string, error) {
	path := filepath.Join(dir, filepath.FromSlash(name))
	data, err := readBounded(path, maxRefFile)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), err != nil && isFolder(path):
		return "", nil // and a folder, or a reference that is named as our folder is, is no reference of this name
	case err != nil:
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	hash := strings.TrimSpace(string(data))
	if !isHash(hash) {
		return "", fmt.Errorf("read %s: its file names no commit", name)
	}
	return hash, nil
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func looseRefs(dir, prefix string) (map[string]string, error) {
	found := map[string]string{}
	root := filepath.Join(dir, filepath.FromSlash(prefix))
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // it was deleted meanwhile, or there are none
			return nil
		}
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".lock") {
			return err
		}
		below, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(below)
		hash, err := looseRef(dir, name)
		if hash != "" {
			found[name] = hash
		}
		return err
	})
	return found, err
}

// packedRefs reads the references that git has packed into one file.
func packedRefs(dir string) (map[string]string, error) {
	data, err := readBounded(filepath.Join(dir, "packed-refs"), maxPacked)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	refs := map[string]string{}
	for line := range strings.Lines(string(data)) {
		if line[0] == '#' || line[0] == '^' { // a comment, or what a tag names in the end
			continue
		}
		hash, name, ok := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		if !ok || !isHash(hash) {
			return nil, errors.New("read packed-refs: it is malformed")
		}
		refs[name] = hash
	}
	return refs, nil
}

// removeRef takes a reference away whose lock is held: out of the packed ones
// first, or the older one there would come to light.
func removeRef(dir, name string) error {
	if err := removePacked(dir, name); err != nil {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	if err := os.Remove(filepath.Join(dir, filepath.FromSlash(name))); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return nil
}

func removePacked(dir, name string) error {
	path := filepath.Join(dir, "packed-refs")
	file, err := lockFile(path)
	if err != nil {
		return err
	}
	defer file.release()
	data, err := readBounded(path, maxPacked)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	kept, found := withoutRef(data, name)
	if !found {
		return nil
	}
	return file.replace(kept)
}

// withoutRef leaves out a reference's line and the lines that belong to it.
func withoutRef(packed []byte, name string) (kept []byte, found bool) {
	skip := false
	for lines := bufio.NewScanner(bytes.NewReader(packed)); lines.Scan(); {
		line := lines.Text()
		if !strings.HasPrefix(line, "^") {
			skip = strings.HasSuffix(line, " "+name)
			found = found || skip
		}
		if !skip {
			kept = append(kept, line+"\n"...)
		}
	}
	return kept, found
}

// locked is a file that this process alone may replace.
type locked struct {
	path string
	lock *os.File // beside it; nil once it has taken its place
}

// lockFile takes git's lock on a file, which need not be there.
func lockFile(path string) (*locked, error) {
	var err error
	for range lockTries {
		var lock *os.File
		if err = os.MkdirAll(filepath.Dir(path), 0o777); err == nil {
			lock, err = os.OpenFile(path+".lock", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		}
		switch {
		case err == nil:
			return &locked{path, lock}, nil
		case errors.Is(err, fs.ErrExist):
			err = fmt.Errorf("%w: %s", errLocked, path+".lock")
		case !errors.Is(err, fs.ErrNotExist): // git takes empty folders away, between the making of two of them also
			return nil, err
		}
		time.Sleep(lockWait)
	}
	return nil, err
}

// replace puts data in the place of the file, at once.
func (l *locked) replace(data []byte) error {
	if _, err := l.lock.Write(data); err != nil {
		return err
	}
	if err := errors.Join(l.lock.Sync(), l.lock.Close()); err != nil {
		return err
	}
	if err := os.Rename(l.lock.Name(), l.path); err != nil {
		return err
	}
	l.lock = nil // a file of its name is somebody else's from now on
	return nil
}

// release gives the lock up.
func (l *locked) release() {
	if l.lock != nil {
		_, _ = l.lock.Close(), os.Remove(l.lock.Name())
	}
}

func readBounded(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > most {
		return nil, fmt.Errorf("%s has %d bytes, and the most is %d", path, info.Size(), most)
	}
	return os.ReadFile(path)
}

// isHash reports whether text is a SHA-1 as git writes it.
func isHash(text string) bool {
	return len(text) == 2*hashSize && !slices.ContainsFunc([]byte(text), func(c byte) bool {
		return !('0' <= c && c <= '9' || 'a' <= c && c <= 'f')
	})
}
