package ledger

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
)

// An index is kept as the CRC of what follows, a gob of what is small, and the large
// columns one after the other as they stand: it is read by every command, and
// written with every commit. The CRC finds damage, and nothing else: whoever may
// write to the cache of a user is that user.

// keptIndex is the gob.
type keptIndex struct {
	Index   *index // without its columns
	Lengths []int  // of the columns
}

// columns are the large ones, in the order in which they are kept.
func (x *index) columns() []column {
	return []column{
		of[byte]{&x.IDs}, of[byte]{&x.Plans}, of[byte]{&x.Declared}, of[byte]{&x.Commits}, of[byte]{&x.Digests}, of[byte]{&x.States},
		of[int64]{&x.Dates}, of[int64]{&x.Seconds}, of[int32]{&x.Nanoseconds}, of[int32]{&x.Numbers}, of[int32]{&x.Tenants},
	}
}

// column is one column, wherever its values are.
type column interface {
	len() int
	clear()
	write(io.Writer) error
	read(in []byte, length int) (rest []byte, err error)
}

type of[T byte | int32 | int64] struct{ values *[]T }

func (c of[T]) len() int { return len(*c.values) }

func (c of[T]) clear() { *c.values = nil }

func (c of[T]) write(out io.Writer) error { return binary.Write(out, binary.LittleEndian, *c.values) }

func (c of[T]) read(in []byte, length int) (rest []byte, err error) {
	var one T
	if length < 0 || length > len(in)/binary.Size(one) {
		return in, io.ErrUnexpectedEOF
	}
	if column, bytes := any(c.values).(*[]byte); bytes {
		*column = in[:length:length] // that is most of it, and is not copied
		return in[length:], nil
	}
	*c.values = make([]T, length)
	n, err := binary.Decode(in, binary.LittleEndian, *c.values)
	return in[n:], err
}

const sumSize = crc32.Size

func newSum() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }

// cachePath is where an environment's index is kept.
func cachePath(dir, environment string, root ID) string {
	return filepath.Join(dir, "ledger-"+environment+"-"+root.String())
}

// loadIndex reads an index out of a cache. One that is not whole, or another's,
// is none.
func loadIndex(dir, environment string, root ID) *index {
	fresh := newIndex(environment, root)
	if dir == "" {
		return fresh
	}
	data, err := os.ReadFile(cachePath(dir, environment, root))
	if err != nil || len(data) < sumSize {
		return fresh
	}
	body, sum := data[sumSize:], newSum()
	if _, err := sum.Write(body); err != nil || !bytes.Equal(sum.Sum(nil), data[:sumSize]) {
		return fresh
	}
	x, err := decodeIndex(body)
	if err != nil || !x.whole(environment, root) {
		return fresh
	}
	return x
}

func decodeIndex(body []byte) (*index, error) {
	x := newIndex("", ID{})
	kept := keptIndex{Index: x}
	in := bytes.NewReader(body)
	if err := gob.NewDecoder(in).Decode(&kept); err != nil {
		return nil, err
	}
	columns := x.columns()
	if len(kept.Lengths) != len(columns) {
		return nil, io.ErrUnexpectedEOF
	}
	rest := body[len(body)-in.Len():]
	for n, c := range columns {
		var err error
		if rest, err = c.read(rest, kept.Lengths[n]); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// whole reports whether an index is of this ledger and its columns fit.
func (x *index) whole(environment string, root ID) bool {
	n, lines := x.count(), len(x.Numbers)
	commits := 2 * n
	if x.Open {
		commits--
	}
	return x.Format == indexFormat && x.Environment == environment && x.Root == root && n > 0 &&
		len(x.IDs) == n*sha256.Size && len(x.Plans) == n*sha256.Size && len(x.Declared) == n*hashLen && len(x.Seconds) == n && len(x.Nanoseconds) == n && len(x.Commits) == commits*hashLen && len(x.Dates) == commits &&
		len(x.Digests) == lines*sha256.Size && len(x.States) == lines && len(x.Tenants) == lines &&
		x.commit(commits-1) == x.Tip && x.id(0) == root
}

// save keeps an index in a cache.
func (x *index) save(dir string) (err error) {
	if dir == "" {
		return nil
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("keep the ledger's index: %w", err)
		}
	}()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "ledger-*.tmp")
	if err != nil {
		return err
	}
	if err = errors.Join(x.writeTo(f), f.Close()); err == nil {
		err = os.Rename(f.Name(), cachePath(dir, x.Environment, x.Root))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// writeTo writes an index into a file: its sum last, in the place that was left
// for it.
func (x *index) writeTo(f *os.File) error {
	if _, err := f.Write(make([]byte, sumSize)); err != nil {
		return err
	}
	small, sum := *x, newSum()
	kept := keptIndex{Index: &small}
	for _, c := range small.columns() {
		kept.Lengths = append(kept.Lengths, c.len())
		c.clear()
	}
	out := bufio.NewWriter(io.MultiWriter(f, sum))
	if err := gob.NewEncoder(out).Encode(kept); err != nil {
		return err
	}
	for _, c := range x.columns() {
		if err := c.write(out); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	_, err := f.WriteAt(sum.Sum(nil), 0)
	return err
}
