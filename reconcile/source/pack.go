package source

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

const (
	maxPack    = 8 << 30 // bytes that one fetch may bring
	unpackTo   = 100     // objects of a pack that are stored one by one, as git does
	packHeader = 12
)

// demultiplexed is the pack in what the remote sends.
func demultiplexed(c *capability.List, r io.Reader) io.Reader {
	switch {
	case c.Supports(capability.Sideband64k):
		return sideband.NewDemuxer(sideband.Sideband64k, r)
	case c.Supports(capability.Sideband):
		return sideband.NewDemuxer(sideband.Sideband, r)
	}
	return r
}

// unpack stores the objects of a pack. A small one is not kept as a pack, or
// every receipt that is fetched would be one more file to look into.
func (r *Repository) unpack(from io.Reader) error {
	in := bufio.NewReader(&bounded{from, maxPack})
	head, err := in.Peek(packHeader)
	if err != nil {
		return fmt.Errorf("read pack: %w", err)
	}
	s := newStorage(r.files)
	if binary.BigEndian.Uint32(head[packHeader-4:]) < unpackTo {
		err = packfile.UpdateObjectStorage(loose{s, s}, in)
	} else {
		err = packfile.UpdateObjectStorage(s, in)
		r.reindex()
	}
	return errors.Join(err, s.Close())
}

// loose is a storage that keeps no packs.
type loose struct {
	storer.EncodedObjectStorer
	storer.ReferenceStorer
}

// bounded is a reader that gives an error, and not an end, after a number of
// bytes.
type bounded struct {
	from io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("the remote sends more than %d bytes", int64(maxPack))
	}
	n, err := b.from.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// reindex lets every handle that nobody uses see packs that have come since. To load
// the index of a large pack takes a while, so that it is not done for nothing.
func (r *Repository) reindex() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.idle = nil // Close still knows them
}

// newObjects lists the objects of the commits that updates bring and that none
// of some commits was made from.
func (r *Repository) newObjects(ctx context.Context, there []string, updates []Update) ([]plumbing.Hash, error) {
	o := objects{repo: r, files: &Files{repo: r}, seen: map[plumbing.Hash]bool{}}
	for _, hash := range there {
		o.seen[plumbing.NewHash(hash)] = true
	}
	for _, u := range updates {
		if u.New == "" {
			continue
		}
		if err := o.commits(ctx, u.New); err != nil {
			return nil, err
		}
	}
	return o.list, nil
}

// objects gathers objects that the remote may not have.
type objects struct {
	repo  *Repository
	files *Files
	seen  map[plumbing.Hash]bool
	list  []plumbing.Hash
}

// add lists an object once.
func (o *objects) add(hash plumbing.Hash) bool {
	if o.seen[hash] {
		return false
	}
	o.seen[hash] = true
	o.list = append(o.list, hash)
	return true
}

// commits lists a commit and its ancestors, up to those that are there.
func (o *objects) commits(ctx context.Context, hash string) error {
	for queue := []string{hash}; len(queue) > 0; queue = queue[1:] {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !o.add(plumbing.NewHash(queue[0])) {
			continue
		}
		c, err := o.repo.ReadCommit(queue[0])
		if err != nil {
			return err
		}
		var before plumbing.Hash
		if len(c.Parents) > 0 {
			parent, err := o.repo.ReadCommit(c.Parents[0])
			if err != nil {
				return err
			}
			before = plumbing.NewHash(parent.Tree)
		}
		if err := o.tree(before, plumbing.NewHash(c.Tree)); err != nil {
			return err
		}
		queue = append(queue, c.Parents...)
	}
	return nil
}

// tree lists what a directory has and the same one did not have before.
func (o *objects) tree(before, after plumbing.Hash) error {
	if before == after || !o.add(after) {
		return nil
	}
	was, err := o.files.treeOrNone(before)
	if err != nil {
		return err
	}
	had := make(map[string]plumbing.Hash, len(was))
	for _, e := range was {
		had[e.name] = e.hash
	}
	now, err := o.files.tree(after)
	if err != nil {
		return err
	}
	for _, e := range now {
		switch {
		case had[e.name] == e.hash, e.mode == modeModule:
		case e.IsDir():
			err = o.tree(o.dir(was, e.name), e.hash)
		default:
			o.add(e.hash)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// dir returns the hash of the directory of a name, or zero.
func (o *objects) dir(entries []*Entry, name string) plumbing.Hash {
	return entryOf(entries, name).hash
}
