package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/reconcile/source"
)

const (
	snapshotFile = "snapshot.json"
	// maxSnapshotBundles is how many signatures are read; each is tried.
	maxSnapshotBundles = 10
)

// ErrNoSnapshot says that no snapshot is published.
var ErrNoSnapshot = errors.New("no snapshot is published")

// Snapshots is where the newest snapshot of an environment's live state lies, with
// its bundles: refs/charter/ENV/snapshot, a commit without a parent, so that the
// older ones do not pile up. It needs no ledger, and nothing of it is trusted:
// anybody who can push can put one there, and an old one too.
type Snapshots struct {
	Repo        *source.Repository
	Environment catalog.Environment
	Author      source.Author // of the commits, which nobody signs
	Now         func() time.Time
	Most        int64 // bytes of a snapshot
}

// PublishedSnapshot is a snapshot's file, and the bundles that came with it.
type PublishedSnapshot struct {
	File    []byte
	Bundles map[string][]byte // by the names of their files
}

func (s *Snapshots) name() string { return "refs/charter/" + s.Environment.String() + "/snapshot" }

// Publish puts a snapshot in the place of the one before. Of two that publish at
// once the later stays.
func (s *Snapshots) Publish(ctx context.Context, file []byte, bundles map[string][]byte) error {
	if err := checkNames(bundles); err != nil {
		return err
	}
	put := map[string][]byte{snapshotFile: file}
	maps.Copy(put, bundles)
	commit, err := s.Repo.Write(source.Draft{
		Put: put, Author: s.Author, When: s.Now(), Message: "charter " + s.Environment.String() + ": snapshot",
	})
	if err != nil {
		return err
	}
	at, err := newPlace(s.Repo)
	if err != nil {
		return err
	}
	for range maxTries {
		tip, err := at.tip(ctx, s.name())
		if err != nil || tip == commit.Hash {
			return err
		}
		err = at.move(ctx, source.Update{Name: s.name(), Old: tip, New: commit.Hash})
		if !errors.Is(err, errLost) {
			return err
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
	return fmt.Errorf("publish snapshot: %w, %d times", errLost, maxTries)
}

// tip is the commit that a reference names where references are shared; "" for
// none.
func (p place) tip(ctx context.Context, name string) (string, error) {
	if !p.remote {
		return p.repo.Ref(name)
	}
	refs, err := p.repo.RemoteRefs(ctx)
	return refs[name], err
}

// Read returns the snapshot that is published, or ErrNoSnapshot.
func (s *Snapshots) Read(ctx context.Context) (*PublishedSnapshot, error) {
	at, err := newPlace(s.Repo)
	if err != nil {
		return nil, err
	}
	tip, err := at.fetch(ctx, s.name())
	if err == nil && tip == "" {
		err = ErrNoSnapshot
	}
	if err != nil {
		return nil, err
	}
	commit, err := s.Repo.ReadCommit(tip)
	if err != nil {
		return nil, err
	}
	files := s.Repo.Files(source.Commit{Hash: tip, Tree: commit.Tree})
	found := &PublishedSnapshot{}
	if found.File, err = files.ReadAt(snapshotFile, s.Most); err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	if found.Bundles, err = readBundles(files, maxSnapshotBundles); err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	return found, nil
}
