package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/veonahealth/charter/reconcile/source"
)

// Follower is a Source: a branch of a repository's remote, or, where it has no
// remote, of the repository itself. It is for one goroutine.
type Follower struct {
	open   func(context.Context) (*source.Repository, error)
	branch string // its full name
	repo   *source.Repository
	last   string // the newest commit that was fetched
}

// Follow opens a repository to follow a branch of it. open is called again where
// what is on disk has changed under it.
func Follow(ctx context.Context, branch string, open func(context.Context) (*source.Repository, error)) (*Follower, error) {
	repo, err := open(ctx)
	if err != nil {
		return nil, err
	}
	return &Follower{open: open, branch: "refs/heads/" + branch, repo: repo}, nil
}

// Close gives up what the repository holds open.
func (f *Follower) Close() error { return f.repo.Close() }

// Repository is the one that is followed, until the next Newest.
func (f *Follower) Repository() *source.Repository { return f.repo }

// Newest implements Source.
func (f *Follower) Newest(ctx context.Context) (source.Commit, error) {
	commit, err := f.newest(ctx)
	var remote *source.RemoteError
	if err == nil || ctx.Err() != nil || errors.As(err, &remote) {
		return commit, err
	}
	repo, openErr := f.open(ctx) // somebody may have packed it anew
	if openErr != nil {
		return source.Commit{}, errors.Join(err, openErr)
	}
	closeErr := f.repo.Close()
	f.repo = repo
	commit, err = f.newest(ctx)
	return commit, errors.Join(err, closeErr)
}

func (f *Follower) newest(ctx context.Context) (source.Commit, error) {
	revision := f.branch
	remote, err := f.repo.HasRemote()
	if err != nil {
		return source.Commit{}, err
	}
	if remote {
		if revision, err = f.fetch(ctx); err != nil {
			return source.Commit{}, err
		}
	}
	commit, err := f.repo.Resolve(revision)
	if err != nil {
		return source.Commit{}, err
	}
	commit.Ref = f.branch
	f.last = commit.Hash
	return commit, nil
}

// fetch brings the branch's newest commit, and names it.
func (f *Follower) fetch(ctx context.Context) (string, error) {
	var known []string
	if f.last != "" {
		known = []string{f.last}
	}
	found, err := f.repo.Fetch(ctx, known, f.branch)
	if err != nil {
		return "", err
	}
	hash := found[f.branch]
	if hash == "" {
		return "", fmt.Errorf("the remote has no branch %s", f.branch)
	}
	return hash, nil
}

// Files implements Source.
func (f *Follower) Files(c source.Commit) fs.FS { return f.repo.Files(c) }

// IsAncestor implements Source.
func (f *Follower) IsAncestor(ctx context.Context, ancestor, of string) (bool, error) {
	return f.repo.IsAncestor(ctx, ancestor, of)
}

// Remote implements Source.
func (f *Follower) Remote() string { return f.repo.Remote() }

// Resolve returns the commit that a revision names.
func (f *Follower) Resolve(revision string) (source.Commit, error) { return f.repo.Resolve(revision) }
