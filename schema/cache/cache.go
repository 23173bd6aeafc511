// Package cache keeps evaluations in a folder between runs, under keys that say
// everything that could change them. Nothing in the folder is needed: it may be
// deleted at any time, and what is missing or damaged is evaluated again.
//
// # On disk
//
// A folder holds segments, files that are written once, under another name, and
// then renamed; none is changed afterwards, so two processes cannot disturb each
// other. A segment is
//
//	charter cache 1\n
//	<records>
//
// and a record is a key (32 bytes), the length of its value (4 bytes, big
// endian), the CRC-32C of key and value (4 bytes), and the value. A record that
// runs past the end of its segment, or whose checksum is wrong, is as if it were
// not there, and so is all that follows it in the segment.
//
// Every run that evaluated something adds a segment. When there are many of
// them, or they have grown far beyond what was in use, they are written anew as
// one that holds what this run read or put.
package cache

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/veonahealth/charter/schema"
)

const (
	magic       = "charter cache 1\n"
	suffix      = ".evaluations"
	headSize    = len(schema.Key{}) + 4 + 4
	maxValue    = 16 << 20  // bytes of one value
	maxFolder   = 512 << 20 // bytes of all segments that are read
	maxSegments = 8         // from how many on they are written anew as one
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Store is a cache in a folder. It is safe for use by many goroutines.
type Store struct {
	dir      string
	segments []string // the names of the files it was read from
	size     int      // bytes in them

	mu   sync.Mutex
	held map[schema.Key][]byte
	used map[schema.Key]bool // asked for and found, or put
	put  []schema.Key
}

// Open reads the segments of a folder, which need not exist.
func Open(dir string) (*Store, error) {
	s := &Store{dir: dir, held: map[schema.Key][]byte{}, used: map[schema.Key]bool{}}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the evaluation cache: %w", err)
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || !strings.HasSuffix(e.Name(), suffix) {
			continue
		}
		info, err := e.Info()
		if err != nil || int64(s.size)+info.Size() > maxFolder {
			continue
		}
		name := filepath.Join(dir, e.Name())
		data, err := os.ReadFile(name)
		if err != nil {
			continue // another process has written it anew
		}
		s.segments = append(s.segments, name)
		s.size += len(data)
		s.read(data)
	}
	return s, nil
}

// read takes the records of a segment, up to the first damaged one.
func (s *Store) read(data []byte) {
	data, ok := bytes.CutPrefix(data, []byte(magic))
	if !ok {
		return
	}
	for len(data) >= headSize {
		key := schema.Key(data[:len(schema.Key{})])
		size := binary.BigEndian.Uint32(data[len(key):])
		sum := binary.BigEndian.Uint32(data[len(key)+4:])
		if size > maxValue || int(size) > len(data)-headSize {
			return
		}
		value := data[headSize : headSize+int(size)]
		if checksum(key, value) != sum {
			return
		}
		s.held[key] = value
		data = data[headSize+int(size):]
	}
}

func checksum(key schema.Key, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(key[:], castagnoli), castagnoli, value)
}

// Get returns what was put under a key. The caller must not change it.
func (s *Store) Get(key schema.Key) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	value, ok := s.held[key]
	if ok {
		s.used[key] = true
	}
	return value, ok
}

// Put keeps a value until Flush writes it. A value that is too large is not kept.
func (s *Store) Put(key schema.Key, value []byte) {
	if len(value) > maxValue {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held[key] = value
	s.used[key] = true
	s.put = append(s.put, key)
}

// Flush writes what was put, and tidies the folder. A fault loses only what the
// next run evaluates again.
func (s *Store) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.put) == 0 {
		return nil
	}
	keys := s.put
	tidy := len(s.segments) >= maxSegments || s.size > 4*s.usedSize()+1<<20
	if tidy {
		keys = keys[:0:0]
		for key := range s.used {
			keys = append(keys, key)
		}
	}
	if err := s.write(keys); err != nil {
		return fmt.Errorf("write the evaluation cache: %w", err)
	}
	if tidy {
		for _, name := range s.segments {
			if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("tidy the evaluation cache: %w", err)
			}
		}
	}
	s.put, s.segments = nil, nil
	return nil
}

func (s *Store) usedSize() int {
	size := 0
	for key := range s.used {
		size += headSize + len(s.held[key])
	}
	return size
}

func (s *Store) write(keys []schema.Key) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(s.dir, "new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // nothing is there once it is renamed
	if err := s.segment(f, keys); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), strings.Replace(f.Name(), "new-", "", 1)+suffix)
}

// segment writes the records of some keys, each once.
func (s *Store) segment(f io.Writer, keys []schema.Key) error {
	w := bufio.NewWriterSize(f, 256<<10)
	w.WriteString(magic) // an error stays with w until Flush
	written := make(map[schema.Key]bool, len(keys))
	for _, key := range keys {
		if written[key] {
			continue
		}
		written[key] = true
		value := s.held[key]
		w.Write(key[:])
		var head [8]byte
		binary.BigEndian.PutUint32(head[:4], uint32(len(value)))
		binary.BigEndian.PutUint32(head[4:], checksum(key, value))
		w.Write(head[:])
		w.Write(value)
	}
	return w.Flush()
}
