package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/go-git/go-git/v5"
)

// IsURL reports whether a name of a repository is a URL and not a folder:
// scheme://… or host:path.
func IsURL(name string) bool {
	if strings.Contains(name, "://") {
		return true
	}
	host, _, ok := strings.Cut(name, ":")
	return ok && strings.Contains(host, "@") && !strings.Contains(host, "/")
}

// Clone copies a remote repository, without a work tree, into a folder of its
// own that Close deletes. A user and password may be part of the URL; for ssh
// the agent is asked.
func Clone(ctx context.Context, url string) (*Repository, error) {
	dir, err := os.MkdirTemp("", "charter-clone-")
	if err != nil {
		return nil, err
	}
	_, err = git.PlainCloneContext(ctx, dir, true, &git.CloneOptions{URL: url, Tags: git.AllTags})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("clone %s: %w", shown(url), err), os.RemoveAll(dir))
	}
	r, err := Open(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	r.own = dir
	return r, nil
}
