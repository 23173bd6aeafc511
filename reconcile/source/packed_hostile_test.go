package source_test

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/veonahealth/charter/reconcile/source"
)

// madePack is a pack as nobody's git makes it, with its index.
type madePack struct {
	data bytes.Buffer
	at   map[string]int // where objects begin, by their names
}

func newMadePack() *madePack {
	p := &madePack{at: map[string]int{}}
	p.data.WriteString("PACK\x00\x00\x00\x02\x00\x00\x00\x00")
	return p
}

// add adds an object; before is what stands between its size and its data.
func (p *madePack) add(t *testing.T, name string, kind int, before, data []byte) {
	t.Helper()
	p.at[name] = p.data.Len()
	size := len(data)
	head := []byte{byte(kind<<4 | size&15)}
	for size >>= 4; size > 0; size >>= 7 {
		head[len(head)-1] |= 0x80
		head = append(head, byte(size&0x7f))
	}
	p.data.Write(append(head, before...))
	z := zlib.NewWriter(&p.data)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
}

func (p *madePack) write(t *testing.T, dir string) {
	t.Helper()
	data := p.data.Bytes()
	binary.BigEndian.PutUint32(data[8:], uint32(len(p.at)))
	sum := sha1.Sum(data)
	var names []string
	for name := range p.at {
		names = append(names, name)
	}
	slices.Sort(names)
	idx := []byte("\xfftOc\x00\x00\x00\x02")
	for first := range 256 {
		n := 0
		for _, name := range names {
			if int(raw(t, name)[0]) <= first {
				n++
			}
		}
		idx = binary.BigEndian.AppendUint32(idx, uint32(n))
	}
	for _, name := range names {
		idx = append(idx, raw(t, name)...)
	}
	idx = append(idx, make([]byte, 4*len(names))...) // checksums, which nobody looks at
	for _, name := range names {
		idx = binary.BigEndian.AppendUint32(idx, uint32(p.at[name]))
	}
	idx = append(idx, sum[:]...)
	ends := sha1.Sum(idx)
	base := filepath.Join(dir, ".git/objects/pack/pack-"+hex.EncodeToString(sum[:]))
	for suffix, data := range map[string][]byte{".pack": append(data, sum[:]...), ".idx": append(idx, ends[:]...)} {
		if err := os.WriteFile(base+suffix, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func raw(t *testing.T, name string) []byte {
	t.Helper()
	hash, err := hex.DecodeString(name)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

const byName = 7 // the kind of a delta of what has a name

// delta copies the beginning of something of a size, over and over.
func delta(from, to int) []byte {
	d := binary.AppendUvarint(binary.AppendUvarint(nil, uint64(from)), uint64(to))
	for ; to > 0; to -= 1 << 20 {
		n := min(to, 1<<20)
		d = append(d, 0xf0, byte(n), byte(n>>8), byte(n>>16))
	}
	return d
}

func TestAHostilePackIsAnErrorSoon(t *testing.T) {
	name := func(n int) string { return fmt.Sprintf("cc%038x", n) }
	for what, fill := range map[string]func(*madePack){
		"two that are made of each other": func(p *madePack) {
			p.add(t, name(0), byName, raw(t, name(1)), delta(100, 100))
			p.add(t, name(1), byName, raw(t, name(0)), delta(100, 100))
		},
		"one that is made of itself": func(p *madePack) {
			p.add(t, name(0), byName, raw(t, name(0)), delta(100, 100))
		},
		"much out of little": func(p *madePack) {
			const big = 100 << 20
			p.add(t, name(1000), 1, nil, make([]byte, big))
			for n := 999; n > 0; n-- {
				p.add(t, name(n), byName, raw(t, name(n+1)), delta(big, big))
			}
			p.add(t, name(0), byName, raw(t, name(1)), delta(big, 100))
		},
		"one under another's name": func(p *madePack) {
			const who = "A <a@example.org> 0 +0000"
			p.add(t, name(0), 1, nil, []byte("tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor "+who+"\ncommitter "+who+"\n\nx\n"))
		},
		"more than it says": func(p *madePack) {
			p.add(t, name(0), byName, raw(t, name(1)), delta(1, 1<<40)[:40])
			p.add(t, name(1), 1, nil, []byte("x"))
		},
	} {
		t.Run(what, func(t *testing.T) {
			dir := repository(t, map[string]string{"readme": "x"})
			p := newMadePack()
			fill(p)
			p.write(t, dir)
			if c, err := open(t, dir).ReadCommit(name(0)); err == nil {
				t.Errorf("it is read: %+v", c)
			}
		})
	}
}

func TestUncommonRepositoriesAreReadAsGitReadsThem(t *testing.T) {
	for name, make := range map[string]func(t *testing.T, dir string) string{
		"shared objects": func(t *testing.T, dir string) string {
			git(t, dir, "repack", "-q", "-a", "-d")
			to := t.TempDir()
			git(t, to, "clone", "-q", "--shared", dir, "c")
			return filepath.Join(to, "c")
		},
		"linked work tree": func(t *testing.T, dir string) string {
			to := filepath.Join(t.TempDir(), "w")
			git(t, dir, "worktree", "add", "-q", to)
			return to
		},
		"an index of many packs": func(t *testing.T, dir string) string {
			git(t, dir, "repack", "-q", "-d")
			git(t, dir, "commit", "-q", "--allow-empty", "-m", "more")
			git(t, dir, "repack", "-q", "-d", "--write-midx")
			return dir
		},
		"more packs than are held open": func(t *testing.T, dir string) string {
			for range 210 {
				git(t, dir, "commit", "-q", "--allow-empty", "-m", "more")
				git(t, dir, "repack", "-q", "-d")
			}
			return dir
		},
		"a git folder elsewhere": func(t *testing.T, dir string) string {
			to := t.TempDir()
			git(t, to, "clone", "-q", "--no-local", "--separate-git-dir", filepath.Join(to, "g"), dir, "c")
			return filepath.Join(to, "c")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := make(t, grownRepository(t, 5))
			same, errs := readAll(t, open(t, dir), git(t, dir, "rev-parse", "HEAD"), catFile(t, dir))
			if len(errs) > 0 || same < 5*43 {
				t.Errorf("%d are the same, %v", same, errs)
			}
		})
	}
}

// A bad disk is not a missing object: nobody is sent to fetch it.
func TestWhatIsDamagedIsNotMissing(t *testing.T) {
	dir := repository(t, map[string]string{"readme": "x"})
	git(t, dir, "repack", "-q", "-a", "-d")
	path := thePack(t, dir, ".pack")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 12; i < len(data)-20; i++ {
		data[i] ^= 0xff
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = open(t, dir).ReadCommit(git(t, dir, "rev-parse", "HEAD"))
	if !errors.Is(err, source.ErrUnreadable) || errors.Is(err, source.ErrAbsent) {
		t.Errorf("error %v", err)
	}
}
