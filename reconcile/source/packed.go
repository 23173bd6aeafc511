package source

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/go-git/go-billy/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/golang/groupcache/lru"
)

const (
	maxPacks = 200      // that are held open
	maxChain = 5000     // deltas of one object: git itself makes no more than 4095
	maxBases = 32 << 20 // bytes of what deltas were made from, kept for the next
	// maxDeltas is by how many bytes what an object is made from may be more than it,
	// and maxMade how many may be made on the way.
	maxDeltas = 128 << 20
	maxMade   = 2 << 30
)

// errForeign says that go-git is to be asked about an object: it is in no pack, or
// in one that is not understood.
var errForeign = errors.New("it is left to go-git")

// sizeError says that an object is larger than it may be.
type sizeError struct{ size, most int64 }

func (e *sizeError) Error() string {
	return fmt.Sprintf("has %d bytes, and the most is %d", e.size, e.most)
}

// packs reads the objects of a repository's packs, for any number of goroutines.
// go-git loads the index of each pack whole, once for every handle, and makes a map
// of it for the first delta, which with 60,000 objects takes longer than all that a
// small command does. Here an object is looked up in the index where that lies.
// Loose objects, alternates, and packs of an unusual form are errForeign.
type packs struct {
	files billy.Filesystem // of the repository's own folder

	mu    sync.Mutex
	list  []*pack
	bases *lru.Cache // content of objects by their place
	held  int64      // bytes that bases has
}

// place is where an object begins.
type place struct {
	in *pack
	at int64
}

// content is an object that was read.
type content struct {
	kind plumbing.ObjectType
	data []byte
}

// name is the hash that git gives such an object. That nobody made two of one hash is
// looked at where objects are brought, by a slower hash.
func (c content) name() (hash plumbing.Hash) {
	h := sha1.New()
	fmt.Fprintf(h, "%s %d\x00", c.kind, len(c.data))
	h.Write(c.data)
	h.Sum(hash[:0])
	return hash
}

// check reports an object that is not the one of a name.
func (c content) check(hash plumbing.Hash) error {
	if c.name() != hash {
		return errors.New("its content has another hash")
	}
	return nil
}

func newPacks(files billy.Filesystem) *packs {
	p := &packs{files: files, bases: lru.New(0)}
	p.bases.OnEvicted = func(_ lru.Key, value any) { p.held -= int64(len(value.(content).data)) }
	return p
}

// close gives up what is open. Nobody reads any more.
func (p *packs) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, one := range p.list {
		errs = append(errs, one.close())
	}
	p.list = nil
	return errors.Join(errs...)
}

// read returns an object of a kind and of at most a size; a sizeError for a larger
// one.
func (p *packs) read(kind plumbing.ObjectType, hash plumbing.Hash, most int64) (content, error) {
	at, err := p.locate(hash)
	if err != nil {
		return content{}, err
	}
	c, err := p.at(at, most)
	switch {
	case err != nil:
		return c, err
	case kind != plumbing.AnyObject && kind != c.kind:
		return content{}, plumbing.ErrObjectNotFound
	}
	return c, c.check(hash)
}

// size returns the size of an object.
func (p *packs) size(hash plumbing.Hash) (int64, error) {
	at, err := p.locate(hash)
	if err != nil {
		return 0, err
	}
	h, err := at.in.head(at.at)
	if err != nil || !h.delta() {
		return h.size, err
	}
	return at.in.target(h)
}

// locate finds an object, also in a pack that has come since. It gives errForeign
// where it is for go-git to read, and plumbing.ErrObjectNotFound where it is nowhere.
func (p *packs) locate(hash plumbing.Hash) (place, error) {
	p.mu.Lock()
	list := p.list
	p.mu.Unlock()
	if at, found, err := find(list, hash); found || err != nil {
		return at, err
	}
	if p.loose(hash) {
		return place{}, errForeign
	}
	list, whole := p.look()
	at, found, err := find(list, hash)
	switch {
	case found || err != nil:
		return at, err
	case whole:
		return place{}, plumbing.ErrObjectNotFound
	}
	return place{}, errForeign
}

func find(list []*pack, hash plumbing.Hash) (place, bool, error) {
	for _, one := range list {
		if at, found, err := one.offset(hash); found || err != nil {
			return place{one, at}, found, err
		}
	}
	return place{}, false, nil
}

// loose reports whether an object has a file of its own.
func (p *packs) loose(hash plumbing.Hash) bool {
	name := hash.String()
	_, err := p.files.Stat("objects/" + name[:2] + "/" + name[2:])
	return err == nil
}

// look opens the packs that are there now, and reports whether they are all that there
// is. The files of one that is gone are closed when nobody has it any more.
func (p *packs) look() (list []*pack, whole bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	entries, err := p.files.ReadDir("objects/pack")
	_, alternates := p.files.Stat("objects/info/alternates")
	whole = (err == nil || errors.Is(err, fs.ErrNotExist)) && alternates != nil
	for _, e := range entries {
		name, is := strings.CutSuffix(e.Name(), ".idx")
		i := slices.IndexFunc(p.list, func(one *pack) bool { return one.name == name })
		switch {
		case !is:
		case i >= 0:
			list = append(list, p.list[i])
		case len(list) == maxPacks:
			whole = false
		default:
			one, err := openPack(p.files, name)
			if err != nil {
				whole = false
				continue
			}
			list = append(list, one)
		}
	}
	p.list = list
	return list, whole
}

// at reads the object at a place: what it was made from first, then one delta after
// the other.
func (p *packs) at(from place, most int64) (content, error) {
	var (
		deltas [][]byte
		places []place
		base   content
		limit  = most + maxDeltas
		made   = most + maxMade
	)
	for {
		if known, found := p.base(from); found {
			base = known
			break
		}
		h, err := from.in.head(from.at)
		if err != nil {
			return content{}, err
		}
		switch {
		case !h.delta() && len(deltas) == 0 && h.size > most:
			return content{}, &sizeError{h.size, most}
		case h.size > limit, len(deltas) == maxChain:
			return content{}, errPack
		}
		data, err := from.in.inflate(h)
		if err != nil {
			return content{}, err
		}
		if !h.delta() && len(deltas) == 0 {
			return content{h.kind, data}, nil
		} else if !h.delta() {
			base = content{h.kind, data}
			p.keep(from, base)
			break
		}
		size, err := deltaTarget(bytes.NewReader(data))
		switch {
		case err != nil:
			return content{}, err
		case len(deltas) == 0 && size > most:
			return content{}, &sizeError{size, most}
		case size > limit, size > made:
			return content{}, errPack
		}
		limit, made = limit-int64(len(data)), made-size
		deltas, places = append(deltas, data), append(places, from)
		if from, err = from.in.baseOf(h); err != nil {
			return content{}, err
		}
	}
	if len(deltas) == 0 && int64(len(base.data)) > most {
		return content{}, &sizeError{int64(len(base.data)), most}
	} else if len(deltas) == 0 {
		return content{base.kind, bytes.Clone(base.data)}, nil // the caller may write to it
	}
	for i := len(deltas) - 1; i >= 0; i-- {
		data, err := packfile.PatchDelta(base.data, deltas[i])
		if err != nil {
			return content{}, err
		}
		base = content{base.kind, data}
		if i > 0 {
			p.keep(places[i], base)
		}
	}
	return base, nil
}

// base returns what is kept of a place.
func (p *packs) base(at place) (content, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if value, found := p.bases.Get(at); found {
		return value.(content), true
	}
	return content{}, false
}

// keep keeps what a delta was made from: the next one is often made from the same.
func (p *packs) keep(at place, c content) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, found := p.bases.Get(at); found || int64(len(c.data)) > maxBases/8 {
		return
	}
	p.bases.Add(at, c)
	for p.held += int64(len(c.data)); p.held > maxBases; {
		p.bases.RemoveOldest()
	}
}
