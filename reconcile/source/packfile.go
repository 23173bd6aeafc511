package source

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"io"
	"sort"
	"sync"

	"github.com/go-git/go-billy/v5"
	"github.com/go-git/go-git/v5/plumbing"
)

// The form of an index of version 2, and of a pack: gitformat-pack(5).
const (
	nameSize   = 20 // of an object's name
	idxMagic   = "\xfftOc\x00\x00\x00\x02"
	idxNames   = 8 + 256*4 // where the sorted names begin
	idxEntry   = nameSize + 4 + 4
	idxTrailer = 2 * nameSize
	largeAt    = 1 << 31 // an offset with this bit is a place in the table of large ones
)

// errPack says that a pack or its index is not what it should be.
var errPack = errors.New("the pack is damaged")

// pack is one pack file with its index. Neither is held in memory.
type pack struct {
	name      string
	idx, data billy.File
	fanout    [256]uint32 // how many names begin with a byte up to this one
	length    int64       // of data
	large     int64       // entries in the index's table of large offsets
}

// openPack opens a pack whose index is of version 2, as git writes it since 2008.
func openPack(files billy.Filesystem, name string) (p *pack, err error) {
	p = &pack{name: name}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	if p.idx, err = files.Open("objects/pack/" + name + ".idx"); err != nil {
		return p, err
	}
	if p.data, err = files.Open("objects/pack/" + name + ".pack"); err != nil {
		return p, err
	}
	var head [idxNames]byte
	if _, err := p.idx.ReadAt(head[:], 0); err != nil || string(head[:8]) != idxMagic {
		return p, cmp.Or(err, errPack)
	}
	for i := range p.fanout {
		p.fanout[i] = binary.BigEndian.Uint32(head[8+4*i:])
		if i > 0 && p.fanout[i] < p.fanout[i-1] {
			return p, errPack
		}
	}
	idxLength, err := p.idx.Seek(0, io.SeekEnd)
	if err != nil {
		return p, err
	}
	if p.length, err = p.data.Seek(0, io.SeekEnd); err != nil {
		return p, err
	}
	rest := idxLength - idxNames - idxTrailer - p.count()*idxEntry
	if p.large = rest / 8; rest < 0 || rest%8 != 0 {
		return p, errPack
	}
	return p, nil
}

func (p *pack) close() error {
	var errs []error
	for _, f := range []billy.File{p.idx, p.data} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

func (p *pack) count() int64 { return int64(p.fanout[255]) }

// fewNames are so many names of an index as are read at once.
const fewNames = 64

// offset looks up where an object begins.
func (p *pack) offset(hash plumbing.Hash) (at int64, found bool, err error) {
	low, high := int64(0), int64(p.fanout[hash[0]])
	if hash[0] > 0 {
		low = int64(p.fanout[hash[0]-1])
	}
	var names [fewNames * nameSize]byte
	for high-low > fewNames {
		middle := (low + high) / 2
		if _, err := p.idx.ReadAt(names[:nameSize], idxNames+middle*nameSize); err != nil {
			return 0, false, err
		}
		if bytes.Compare(names[:nameSize], hash[:]) <= 0 {
			low = middle
		} else {
			high = middle
		}
	}
	few := names[:(high-low)*nameSize]
	if _, err := p.idx.ReadAt(few, idxNames+low*nameSize); err != nil && len(few) > 0 {
		return 0, false, err
	}
	i, found := sort.Find(int(high-low), func(i int) int { return bytes.Compare(hash[:], few[i*nameSize:(i+1)*nameSize]) })
	if !found {
		return 0, false, nil
	}
	at, err = p.begins(low + int64(i))
	return at, err == nil, err
}

// begins is where the object of a place in the index begins.
func (p *pack) begins(n int64) (int64, error) {
	var number [8]byte
	if _, err := p.idx.ReadAt(number[:4], idxNames+p.count()*(nameSize+4)+4*n); err != nil {
		return 0, err
	}
	small := binary.BigEndian.Uint32(number[:4])
	if small < largeAt {
		return int64(small), nil
	}
	n = int64(small - largeAt)
	if n >= p.large {
		return 0, errPack
	}
	if _, err := p.idx.ReadAt(number[:], idxNames+p.count()*idxEntry+8*n); err != nil {
		return 0, err
	}
	return int64(binary.BigEndian.Uint64(number[:]) & (1<<63 - 1)), nil
}

// objectHead is what stands before an object's data.
type objectHead struct {
	kind plumbing.ObjectType
	at   int64         // where the object begins
	data int64         // where its data begins
	size int64         // of the data, when it is inflated
	back int64         // of an offset delta: so many bytes before it lies what it was made from
	base plumbing.Hash // of a reference delta: what it was made from
}

func (h *objectHead) delta() bool { return h.kind.IsDelta() }

func (p *pack) head(at int64) (h objectHead, err error) {
	if at < packHeader || at >= p.length-nameSize {
		return h, errPack
	}
	var start [64]byte
	n, err := p.data.ReadAt(start[:], at)
	if err != nil && !errors.Is(err, io.EOF) {
		return h, err
	}
	in := bytes.NewReader(start[:n])
	first, _ := in.ReadByte()
	h = objectHead{kind: plumbing.ObjectType(first >> 4 & 7), at: at, size: int64(first & 15)}
	for shift := 4; first&0x80 != 0; shift += 7 {
		if first, err = in.ReadByte(); err != nil || shift > 49 {
			return h, errPack
		}
		h.size |= int64(first&0x7f) << shift
	}
	switch h.kind {
	case plumbing.CommitObject, plumbing.TreeObject, plumbing.BlobObject, plumbing.TagObject:
	case plumbing.OFSDeltaObject:
		for more := true; more; {
			next, err := in.ReadByte()
			if err != nil || h.back > 1<<48 {
				return h, errPack
			}
			h.back = h.back<<7 | int64(next&0x7f)
			if more = next&0x80 != 0; more {
				h.back++
			}
		}
		if h.back == 0 {
			return h, errPack
		}
	case plumbing.REFDeltaObject:
		if _, err := io.ReadFull(in, h.base[:]); err != nil {
			return h, errPack
		}
	default:
		return h, errPack
	}
	h.data = at + in.Size() - int64(in.Len())
	return h, nil
}

// baseOf is where what a delta was made from begins.
func (p *pack) baseOf(h objectHead) (place, error) {
	at := h.at - h.back
	if h.kind == plumbing.REFDeltaObject {
		var found bool
		var err error
		if at, found, err = p.offset(h.base); err != nil || !found {
			return place{}, cmp.Or(err, errForeign)
		}
	}
	return place{p, at}, nil
}

// inflater reads an object's data.
type inflater struct {
	in *bufio.Reader
	z  io.ReadCloser
}

var inflaters sync.Pool

func (p *pack) inflater(h objectHead) (*inflater, error) {
	from := io.NewSectionReader(p.data, h.data, p.length-h.data)
	if i, ok := inflaters.Get().(*inflater); ok {
		i.in.Reset(from)
		return i, i.z.(zlib.Resetter).Reset(i.in, nil)
	}
	i := &inflater{in: bufio.NewReader(from)}
	var err error
	i.z, err = zlib.NewReader(i.in)
	return i, err
}

func (i *inflater) Read(b []byte) (int, error) { return i.z.Read(b) }

func (i *inflater) done() { inflaters.Put(i) }

// inflate reads the data of an object, or of a delta.
func (p *pack) inflate(h objectHead) ([]byte, error) {
	z, err := p.inflater(h)
	if err != nil {
		return nil, err
	}
	defer z.done()
	// Of what a header says no more is believed than is there.
	data := bytes.NewBuffer(make([]byte, 0, min(h.size, 1<<20)+bytes.MinRead))
	if _, err := data.ReadFrom(io.LimitReader(z, h.size+1)); err != nil {
		return nil, err
	}
	if int64(data.Len()) != h.size {
		return nil, errPack
	}
	return data.Bytes(), nil
}

// target is the size of what a delta makes.
func (p *pack) target(h objectHead) (int64, error) {
	z, err := p.inflater(h)
	if err != nil {
		return 0, err
	}
	defer z.done()
	return deltaTarget(bufio.NewReaderSize(z, 2*binary.MaxVarintLen64))
}

// deltaTarget is the second of the numbers that a delta begins with.
func deltaTarget(in io.ByteReader) (int64, error) {
	if _, err := binary.ReadUvarint(in); err != nil {
		return 0, errPack
	}
	size, err := binary.ReadUvarint(in)
	if err != nil || size > 1<<50 {
		return 0, errPack
	}
	return int64(size), nil
}
