package schema_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"path"
	"sync"
	"testing/fstest"

	"github.com/veonahealth/charter/schema"
)

// hashed is a file system whose entries know a hash of their content, as those of
// a git tree do, and which counts what is asked of it.
type hashed struct {
	fstest.MapFS
	mu     sync.Mutex
	listed map[string]int // by directory
	opened map[string]int // by file
}

func newHashed(files fstest.MapFS) *hashed {
	return &hashed{MapFS: files, listed: map[string]int{}, opened: map[string]int{}}
}

func (h *hashed) Open(name string) (fs.File, error) {
	h.mu.Lock()
	h.opened[name]++
	h.mu.Unlock()
	return h.MapFS.Open(name)
}

func (h *hashed) ReadDir(name string) ([]fs.DirEntry, error) {
	h.mu.Lock()
	h.listed[name]++
	h.mu.Unlock()
	entries, err := h.MapFS.ReadDir(name)
	for i, e := range entries {
		entries[i] = hashedEntry{e, h.hash(path.Join(name, e.Name()), e)}
	}
	return entries, err
}

// hash says what an entry holds, with names and modes of everything below it.
func (h *hashed) hash(name string, e fs.DirEntry) string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\n", e.Type())
	if !e.IsDir() {
		sum.Write(h.MapFS[name].Data)
		return fmt.Sprintf("%x", sum.Sum(nil))
	}
	below, err := h.MapFS.ReadDir(name)
	if err != nil {
		panic(err)
	}
	for _, b := range below {
		fmt.Fprintf(sum, "%q %s\n", b.Name(), h.hash(path.Join(name, b.Name()), b))
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}

type hashedEntry struct {
	fs.DirEntry
	hash string
}

func (e hashedEntry) Hash() string { return e.hash }

// memory is a cache for as long as a test runs.
type memory struct{ values sync.Map }

func (m *memory) Get(key schema.Key) ([]byte, bool) {
	value, ok := m.values.Load(key)
	if !ok {
		return nil, false
	}
	return value.([]byte), true
}

func (m *memory) Put(key schema.Key, value []byte) { m.values.Store(key, value) }
