package source

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/go-git/go-billy/v5"
	"github.com/go-git/go-billy/v5/util"
	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/format/index"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/storage"
	"github.com/go-git/go-git/v5/storage/memory"
	"github.com/go-git/go-git/v5/storage/transactional"
)

// Author is who commits.
type Author struct{ Name, Email string }

// ErrNoAuthor says that git does not know who commits.
var ErrNoAuthor = errors.New("git does not know who commits: set user.name and user.email")

// ErrHistory says that a repository has commits of its own, beside whose index
// nothing is committed.
var ErrHistory = errors.New("the repository has commits already")

// Found makes a folder a git repository, if it is none, and commits files that
// stand in it, by their paths. An author without name and email stands for
// whoever git's configuration names; where it names nobody, Found makes the
// repository and returns ErrNoAuthor. Into a repository that has commits it
// commits nothing and returns ErrHistory.
func Found(dir string, paths []string, message string, author Author, when time.Time) (string, error) {
	repo, err := openOrInit(dir)
	if err != nil {
		return "", err
	}
	if _, err := repo.Head(); err == nil {
		return "", ErrHistory
	}
	if author.Name == "" || author.Email == "" {
		if author, err = configured(repo); err != nil {
			return "", err
		}
	}
	tree, err := repo.Worktree()
	if err != nil {
		return "", fmt.Errorf("commit in %s: %w", dir, err)
	}
	staged := memory.NewStorage()
	hash, err := commitAll(transactional.NewStorage(repo.Storer, staged), tree.Filesystem, paths, message, &object.Signature{Name: author.Name, Email: author.Email, When: when})
	if err == nil {
		err = keep(repo, staged, hash)
	}
	if err != nil {
		return "", fmt.Errorf("commit in %s: %w", dir, err)
	}
	return hash.String(), nil
}

// commitAll makes a commit of files, in a storage that keeps nothing yet.
func commitAll(s storage.Storer, files billy.Filesystem, paths []string, message string, author *object.Signature) (plumbing.Hash, error) {
	repo, err := git.Open(s, files)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	if err := addAll(repo, files, paths); err != nil {
		return plumbing.ZeroHash, err
	}
	tree, err := repo.Worktree()
	if err != nil {
		return plumbing.ZeroHash, err
	}
	return tree.Commit(message, &git.CommitOptions{Author: author})
}

// keep stores what was committed: few objects one by one, as git does, and many
// in one pack, as ten thousand files of their own take longer than all the rest.
func keep(repo *git.Repository, staged *memory.Storage, commit plumbing.Hash) error {
	var err error
	if w, packs := repo.Storer.(storer.PackfileWriter); packs && len(staged.Objects) >= unpackTo {
		err = keepPacked(w, staged)
	} else {
		for _, o := range staged.Objects {
			if _, err := repo.Storer.SetEncodedObject(o); err != nil {
				return err
			}
		}
	}
	if err != nil {
		return err
	}
	index, err := staged.Index()
	if err == nil {
		err = repo.Storer.SetIndex(index)
	}
	if err != nil {
		return err
	}
	head, err := repo.Reference(plumbing.HEAD, false)
	if err != nil {
		return err
	}
	return repo.Storer.SetReference(plumbing.NewHashReference(head.Target(), commit))
}

func keepPacked(into storer.PackfileWriter, staged *memory.Storage) (err error) {
	w, err := into.PackfileWriter()
	if err != nil {
		return err
	}
	_, err = packfile.NewEncoder(w, staged, false).Encode(slices.Collect(maps.Keys(staged.Objects)), 0)
	return errors.Join(err, w.Close())
}

// addAll makes the index of just these files. It is written once: adding them one
// after the other would write it for each, which no fleet of ten thousand waits
// for.
func addAll(repo *git.Repository, files billy.Filesystem, paths []string) error {
	list := &index.Index{Version: 2}
	for _, path := range slices.Sorted(slices.Values(paths)) {
		entry, err := add(repo.Storer, files, path)
		if err != nil {
			return fmt.Errorf("add %s: %w", path, err)
		}
		list.Entries = append(list.Entries, entry)
	}
	return repo.Storer.SetIndex(list)
}

// add stores a file's content.
func add(objects storer.EncodedObjectStorer, files billy.Filesystem, path string) (*index.Entry, error) {
	info, err := files.Lstat(path)
	if err != nil {
		return nil, err
	}
	data, err := util.ReadFile(files, path)
	if err != nil {
		return nil, err
	}
	mode, err := filemode.NewFromOSFileMode(info.Mode())
	if err != nil {
		return nil, err
	}
	object := &plumbing.MemoryObject{}
	object.SetType(plumbing.BlobObject)
	if _, err := object.Write(data); err != nil {
		return nil, err
	}
	hash, err := objects.SetEncodedObject(object)
	return &index.Entry{Hash: hash, Name: path, Mode: mode, Size: uint32(len(data)), ModifiedAt: info.ModTime()}, err
}

func openOrInit(dir string) (*git.Repository, error) {
	repo, err := git.PlainOpen(dir)
	if errors.Is(err, git.ErrRepositoryNotExists) {
		repo, err = git.PlainInitWithOptions(dir, &git.PlainInitOptions{
			InitOptions: git.InitOptions{DefaultBranch: plumbing.Main},
		})
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	return repo, nil
}

// configured returns whom git's configuration names.
func configured(repo *git.Repository) (Author, error) {
	c, err := repo.ConfigScoped(config.SystemScope)
	if err != nil {
		return Author{}, fmt.Errorf("read git's configuration: %w", err)
	}
	for _, who := range []Author{{c.Author.Name, c.Author.Email}, {c.User.Name, c.User.Email}} {
		if who.Name != "" && who.Email != "" {
			return who, nil
		}
	}
	return Author{}, ErrNoAuthor
}
