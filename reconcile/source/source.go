// Package source reads a git repository at a commit, straight from its objects:
// no checkout, no work tree, no environment. The same commit is the same files
// on every machine.
//
// A Repository resolves a revision to a Commit, and Files gives the commit's
// tree as an fs.FS whose directory entries know their git hashes (Entry.Hash).
// Two directories of one hash hold the same, so that a reader who has seen one
// need not list the other, and Changed walks only where hashes differ.
//
// Symbolic links and submodules show in listings with their type and cannot be
// opened. Bare repositories, linked work trees and shallow clones work. What
// does not is said by name: a repository in git's SHA-256 format, and an object
// that a partial clone has left on the server.
//
// go-git's handles are not safe to share between goroutines, so a Repository
// keeps a handle for each that reads at one time. What is in packs, which is nearly
// all of a large repository, is read without them, and without loading an index.
package source

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/go-git/go-billy/v5"
	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

// ErrNotRepository says that a folder is in no git repository.
var ErrNotRepository = errors.New("not a git repository")

// RevisionError says that a revision cannot be used.
type RevisionError struct {
	Revision string
	Err      error
}

func (e *RevisionError) Error() string { return fmt.Sprintf("revision %q: %v", e.Revision, e.Err) }

// Unwrap returns the cause.
func (e *RevisionError) Unwrap() error { return e.Err }

// Repository is a git repository that can be read by many goroutines.
type Repository struct {
	repo  *git.Repository // references and configuration: objects are read by borrowed handles
	files billy.Filesystem
	packs *packs
	own   string // a folder to delete, or ""

	mu   sync.Mutex
	idle []*handle
	all  []*handle
}

// handle is a way of one goroutine to the objects: those in packs, and the others by
// go-git.
type handle struct {
	*filesystem.Storage
	packs *packs
}

// maxWhole is the size in bytes up to which a packed object is read at once.
const maxWhole = 64 << 20

// EncodedObject implements storer.EncodedObjectStorer.
func (h *handle) EncodedObject(kind plumbing.ObjectType, hash plumbing.Hash) (plumbing.EncodedObject, error) {
	c, err := h.packs.read(kind, hash, maxWhole)
	if errors.Is(err, errForeign) {
		return h.Storage.EncodedObject(kind, hash)
	} else if err != nil {
		return nil, err
	}
	o := &plumbing.MemoryObject{}
	o.SetType(c.kind)
	_, err = o.Write(c.data)
	return o, err
}

// EncodedObjectSize implements storer.EncodedObjectStorer.
func (h *handle) EncodedObjectSize(hash plumbing.Hash) (int64, error) {
	size, err := h.packs.size(hash)
	if errors.Is(err, errForeign) {
		return h.Storage.EncodedObjectSize(hash)
	}
	return size, err
}

// HasEncodedObject implements storer.EncodedObjectStorer.
func (h *handle) HasEncodedObject(hash plumbing.Hash) error {
	_, err := h.packs.locate(hash)
	if errors.Is(err, errForeign) {
		return h.Storage.HasEncodedObject(hash)
	}
	return err
}

// Commit is a commit by its hashes, in hexadecimal.
type Commit struct {
	Hash string `json:"hash"`
	Tree string `json:"tree"`
	Ref  string `json:"ref"` // the full name of the branch or tag that it was asked for by, or ""
}

// Open opens the repository that a folder is in.
func Open(dir string) (*Repository, error) {
	path, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if at, err := os.Stat(path); err != nil { // or the repository around it would be opened
		return nil, fmt.Errorf("open %s: %w", dir, errors.Unwrap(err))
	} else if !at.IsDir() {
		return nil, fmt.Errorf("open %s: it is no folder", dir)
	}
	repo, err := git.PlainOpenWithOptions(path, &git.PlainOpenOptions{EnableDotGitCommonDir: true})
	if errors.Is(err, git.ErrRepositoryNotExists) {
		repo, err = git.PlainOpenWithOptions(path, &git.PlainOpenOptions{DetectDotGit: true, EnableDotGitCommonDir: true})
	}
	switch {
	case errors.Is(err, git.ErrRepositoryNotExists):
		return nil, fmt.Errorf("open %s: %w", dir, ErrNotRepository)
	case err != nil && strings.Contains(err.Error(), "objectformat"):
		return nil, fmt.Errorf("open %s: the repository is in git's SHA-256 object format, and only SHA-1 can be read", dir)
	case err != nil:
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	files := repo.Storer.(*filesystem.Storage).Filesystem()
	if repo, err = git.Open(newStorage(files), nil); err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	return &Repository{repo: repo, files: files, packs: newPacks(files)}, nil
}

// newStorage gives a handle on a repository. Without KeepDescriptors every
// object opens its pack anew; without AlternatesFS the objects that a clone
// shares with another repository are not found.
func newStorage(files billy.Filesystem) *filesystem.Storage {
	return filesystem.NewStorageWithOptions(files, cache.NewObjectLRUDefault(),
		filesystem.Options{KeepDescriptors: true, AlternatesFS: osfs.New("/")})
}

// Close gives up what the repository holds open.
func (r *Repository) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	errs := []error{r.repo.Storer.(*filesystem.Storage).Close()}
	for _, s := range r.all {
		errs = append(errs, s.Close())
	}
	errs = append(errs, r.packs.close())
	r.idle, r.all = nil, nil
	if r.own != "" {
		errs = append(errs, os.RemoveAll(r.own))
	}
	return errors.Join(errs...)
}

// borrow gives the caller a handle of its own until it is given back.
func (r *Repository) borrow() *handle {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.idle); n > 0 {
		s := r.idle[n-1]
		r.idle = r.idle[:n-1]
		return s
	}
	s := &handle{newStorage(r.files), r.packs}
	r.all = append(r.all, s)
	return s
}

func (r *Repository) giveBack(s *handle) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.idle = append(r.idle, s)
}

// Resolve returns the commit that a revision names, in any of git's common
// spellings. It returns a RevisionError where there is none.
func (r *Repository) Resolve(revision string) (Commit, error) {
	if strings.Index(revision, ":") > 0 {
		return Commit{}, &RevisionError{revision, errors.New("it names a file, and not a commit")}
	}
	s := r.borrow()
	defer r.giveBack(s)
	repo, err := git.Open(s, nil)
	if err != nil {
		return Commit{}, &RevisionError{revision, err}
	}
	hash, err := repo.ResolveRevision(plumbing.Revision(revision))
	if err != nil { // git may have packed it since this handle was opened
		s.Reindex()
		hash, err = repo.ResolveRevision(plumbing.Revision(revision))
	}
	if err != nil {
		return Commit{}, &RevisionError{revision, r.whyNot(revision, err)}
	}
	commit, err := object.GetCommit(s, *hash)
	if err != nil {
		return Commit{}, &RevisionError{revision, explain(err, *hash)}
	}
	return Commit{Hash: hash.String(), Tree: commit.TreeHash.String(), Ref: r.ref(revision)}, nil
}

// whyNot says in words why a revision has no commit.
func (r *Repository) whyNot(revision string, err error) error {
	switch {
	case errors.Is(err, io.EOF): // what go-git says where there are no more parents
		return errors.New("the history does not go back that far")
	case !errors.Is(err, plumbing.ErrReferenceNotFound):
		return err
	}
	if revision == "HEAD" {
		return errors.New("the repository has no commit yet")
	}
	return errors.New("the repository has no such commit, branch or tag")
}

// ErrAbsent says that an object is not in the repository.
var ErrAbsent = errors.New("is not in the repository")

// ErrUnreadable says that an object is there and cannot be read, as on a bad disk.
var ErrUnreadable = errors.New("cannot be read")

// explain names an object that is not there.
func explain(err error, hash plumbing.Hash) error {
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return fmt.Errorf("object %s %w: a shallow or partial clone may have left it on the server", hash, ErrAbsent)
	}
	return fmt.Errorf("object %s %w (git fsck tells more): %w", hash, ErrUnreadable, err)
}

// ref returns the full name of the reference that a revision is, or "".
func (r *Repository) ref(revision string) string {
	names := []plumbing.ReferenceName{
		plumbing.ReferenceName(revision),
		plumbing.NewBranchReferenceName(revision),
		plumbing.NewTagReferenceName(revision),
	}
	for _, name := range names {
		ref, err := r.repo.Storer.Reference(name)
		if err != nil {
			continue
		}
		if ref.Type() == plumbing.SymbolicReference {
			return ref.Target().String()
		}
		if name == plumbing.HEAD {
			return "" // detached
		}
		return name.String()
	}
	return ""
}

// Remote returns the URL of the remote "origin" without the user and password
// that it may hold, or "" where there is none.
func (r *Repository) Remote() string {
	remote, err := r.repo.Remote("origin")
	if err != nil || len(remote.Config().URLs) == 0 {
		return ""
	}
	return shown(remote.Config().URLs[0])
}

// shown returns a URL without the user, password and query that may be secret.
func shown(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" {
		return text // host:path, or a folder: neither has a password
	}
	u.User = nil
	u.RawQuery = ""
	return u.String()
}
