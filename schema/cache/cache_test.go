package cache_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"github.com/veonahealth/charter/schema"
	"github.com/veonahealth/charter/schema/cache"
)

func open(t testing.TB, dir string) *cache.Store {
	t.Helper()
	s, err := cache.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func flush(t testing.TB, s *cache.Store) {
	t.Helper()
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
}

// written is a folder with one segment of some values, and the segment's name.
func written(t testing.TB, values map[string]string) (dir, segment string) {
	t.Helper()
	dir = t.TempDir()
	s := open(t, dir)
	for key, value := range values {
		s.Put(schema.KeyOf(key), []byte(value))
	}
	flush(t, s)
	names := listed(t, dir)
	if len(names) != 1 {
		t.Fatalf("the folder has %v", names)
	}
	return dir, filepath.Join(dir, names[0])
}

func listed(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestWhatIsPutIsThereInTheNextRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there", "[yet]*")
	large := strings.Repeat("x", 16<<20)
	s := open(t, dir)
	for key, value := range map[string]string{"a": "1", "b": "", "c": large} {
		s.Put(schema.KeyOf(key), []byte(value))
	}
	s.Put(schema.KeyOf("a"), []byte("2"))
	s.Put(schema.KeyOf("too large"), []byte(large+"x"))
	for _, s := range []*cache.Store{s, func() *cache.Store { flush(t, s); return open(t, dir) }()} {
		for key, want := range map[string]string{"a": "2", "b": "", "c": large} {
			if got, ok := s.Get(schema.KeyOf(key)); !ok || string(got) != want {
				t.Errorf("%s is %.20q, %t", key, got, ok)
			}
		}
		for _, key := range []string{"d", "too large"} {
			if _, ok := s.Get(schema.KeyOf(key)); ok {
				t.Errorf("%s is there", key)
			}
		}
	}
}

func TestARunThatPutsNothingWritesNothing(t *testing.T) {
	dir, _ := written(t, map[string]string{"a": "1"})
	before := listed(t, dir)
	s := open(t, dir)
	s.Get(schema.KeyOf("a"))
	flush(t, s)
	if after := listed(t, dir); !slices.Equal(before, after) {
		t.Errorf("the folder has %v, and had %v", after, before)
	}
}

func TestAValueIsWrittenOnce(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for range 100 {
		s.Put(schema.KeyOf("a"), bytes.Repeat([]byte("x"), 1000))
	}
	flush(t, s)
	flush(t, s)
	names := listed(t, dir)
	if len(names) != 1 {
		t.Fatalf("the folder has %v", names)
	}
	info, err := os.Stat(filepath.Join(dir, names[0]))
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > 2000 {
		t.Errorf("the segment has %d bytes", info.Size())
	}
}

var someValues = map[string]string{"a": "one", "b": "two", "c": ""}

// sound holds what a folder gives against what was put: each value as it was, or
// none at all. It returns how many there are.
func sound(t failer, dir string, values map[string]string) int {
	s, err := cache.Open(dir)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	found := 0
	for key, want := range values {
		got, ok := s.Get(schema.KeyOf(key))
		if ok && string(got) != want {
			t.Fatalf("%s is %q, want %q", key, got, want)
		}
		if ok {
			found++
		}
	}
	return found
}

type failer interface{ Fatalf(string, ...any) }

func TestADamagedByteLosesItsRecordAtMostAndChangesNone(t *testing.T) {
	dir, segment := written(t, someValues)
	whole, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		for _, flip := range []byte{0x01, 0x80, 0xff} {
			damaged := slices.Clone(whole)
			damaged[i] ^= flip
			overwrite(t, segment, damaged)
			if found := sound(t, dir, someValues); found == len(someValues) {
				t.Errorf("byte %d flipped by %#x is not noticed", i, flip)
			}
			if first := schema.Key(damaged[16:]); first != schema.Key(whole[16:]) {
				if value, ok := open(t, dir).Get(first); ok {
					t.Errorf("byte %d flipped by %#x, %q is another key's", i, flip, value)
				}
			}
		}
	}
	overwrite(t, segment, whole)
	if found := sound(t, dir, someValues); found != len(someValues) {
		t.Errorf("undamaged, %d are found", found)
	}
}

func TestACutSegmentGivesWhatIsWhole(t *testing.T) {
	dir, segment := written(t, someValues)
	whole, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	last := 0
	for length := range whole {
		overwrite(t, segment, whole[:length])
		found := sound(t, dir, someValues)
		if found < last {
			t.Errorf("%d bytes give %d values, and fewer gave %d", length, found, last)
		}
		last = found
	}
	if last != len(someValues)-1 {
		t.Errorf("all but the last byte give %d values", last)
	}
}

func overwrite(t testing.TB, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func FuzzASegmentOfAnyBytesIsReadAsWhatWasPutOrNothing(f *testing.F) {
	_, segment := written(f, someValues)
	whole, err := os.ReadFile(segment)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(append(slices.Clone(whole), whole...))
	f.Add(append(slices.Clone(whole), whole[16:]...))
	f.Add(append(slices.Clone(whole[:48]), 0xff, 0xff, 0xff, 0xff))
	f.Add([]byte("charter cache 1\n"))
	f.Add([]byte("charter cache 2\n" + string(whole[16:])))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		overwrite(t, filepath.Join(dir, "x.evaluations"), data)
		sound(t, dir, someValues)
	})
}

func TestWhatIsNoSegmentIsPassedOver(t *testing.T) {
	dir, segment := written(t, someValues)
	whole, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, filepath.Join(dir, "README"), whole)
	overwrite(t, filepath.Join(dir, "newer.evaluations"), bytes.Replace(whole, []byte("cache 1"), []byte("cache 2"), 1))
	if err := os.Mkdir(filepath.Join(dir, "directory.evaluations"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.evaluations"), 0o600); err != nil { // which gives no byte to whoever waits
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "README"), filepath.Join(dir, "link.evaluations")); err != nil {
		t.Fatal(err)
	}
	if found := sound(t, dir, someValues); found != len(someValues) {
		t.Errorf("%d values are found", found)
	}
}

// A folder that cannot be written, or read, costs what would be kept and nothing
// else.
func TestAFolderThatIsNoneIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	overwrite(t, file, nil)
	if _, err := cache.Open(file); err == nil || !strings.HasPrefix(err.Error(), "read the evaluation cache: ") {
		t.Errorf("a file opens as a folder: %v", err)
	}
	dir := filepath.Join(t.TempDir(), "later")
	s := open(t, dir)
	s.Put(schema.KeyOf("a"), []byte("1"))
	overwrite(t, dir, nil)
	if err := s.Flush(); err == nil || !strings.HasPrefix(err.Error(), "write the evaluation cache: ") {
		t.Errorf("written into a file: %v", err)
	}
	if got, ok := s.Get(schema.KeyOf("a")); !ok || string(got) != "1" {
		t.Errorf("a is %q, %t", got, ok)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	flush(t, s)
	if found := sound(t, dir, map[string]string{"a": "1"}); found != 1 {
		t.Error("what could not be written is not written later")
	}
}

// Runs side by side in one folder do not disturb each other, and each finds in the
// end what any of them put.
func TestManyRunsMayWriteAtOnce(t *testing.T) {
	dir := t.TempDir()
	values := map[string]string{}
	var runs sync.WaitGroup
	for run := range 6 {
		for i := range 20 {
			values[fmt.Sprintf("%d-%d", run, i)] = fmt.Sprintf("value %d of run %d", i, run)
		}
		runs.Go(func() {
			s, err := cache.Open(dir)
			if err != nil {
				t.Error(err)
				return
			}
			var puts sync.WaitGroup
			for i := range 20 {
				puts.Go(func() {
					s.Put(schema.KeyOf(fmt.Sprintf("%d-%d", run, i)), fmt.Appendf(nil, "value %d of run %d", i, run))
					s.Get(schema.KeyOf(fmt.Sprintf("%d-%d", (run+1)%6, i)))
				})
			}
			puts.Wait()
			if err := s.Flush(); err != nil {
				t.Error(err)
			}
		})
	}
	runs.Wait()
	if found := sound(t, dir, values); found != len(values) {
		t.Errorf("%d of %d values are found", found, len(values))
	}
}

// However many runs there were, the folder holds few segments, and what the last
// runs used. What nobody asks for any more goes.
func TestFlushTidiesTheFolder(t *testing.T) {
	dir := t.TempDir()
	for run := range 40 {
		s := open(t, dir)
		if _, ok := s.Get(schema.KeyOf("always")); !ok {
			s.Put(schema.KeyOf("always"), []byte("used"))
		}
		s.Put(schema.KeyOf(fmt.Sprint(run)), fmt.Append(nil, run))
		flush(t, s)
		names := listed(t, dir)
		if len(names) > 9 {
			t.Fatalf("after %d runs the folder has %d files", run+1, len(names))
		}
		for _, name := range names {
			if !strings.HasSuffix(name, ".evaluations") {
				t.Errorf("%s is left behind", name)
			}
		}
	}
	s := open(t, dir)
	if _, ok := s.Get(schema.KeyOf("always")); !ok {
		t.Error("what each run used is gone")
	}
	if _, ok := s.Get(schema.KeyOf("39")); !ok {
		t.Error("what the last run put is gone")
	}
	if _, ok := s.Get(schema.KeyOf("0")); ok {
		t.Error("what only the first run used is there")
	}
}

func TestAFolderThatHasGrownIsTidied(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	s.Put(schema.KeyOf("large"), bytes.Repeat([]byte("x"), 2<<20))
	s.Put(schema.KeyOf("small"), []byte("y"))
	flush(t, s)
	again := open(t, dir)
	again.Get(schema.KeyOf("small"))
	again.Put(schema.KeyOf("new"), []byte("z"))
	flush(t, again)
	if found := sound(t, dir, map[string]string{"small": "y", "new": "z"}); found != 2 {
		t.Errorf("%d of what was used are found", found)
	}
	if _, ok := open(t, dir).Get(schema.KeyOf("large")); ok || len(listed(t, dir)) != 1 {
		t.Errorf("what was not used is there, in %v", listed(t, dir))
	}
}

// A segment that another run has removed meanwhile is none of this one's worry.
func TestASegmentMayBeGoneWhenItIsTidied(t *testing.T) {
	dir := t.TempDir()
	for i := range 8 {
		s := open(t, dir)
		s.Put(schema.KeyOf(fmt.Sprint(i)), []byte("x"))
		flush(t, s)
	}
	s := open(t, dir)
	s.Put(schema.KeyOf("new"), []byte("x"))
	for _, name := range listed(t, dir) {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	flush(t, s)
	if found := sound(t, dir, map[string]string{"new": "x"}); found != 1 {
		t.Error("what was put is gone")
	}
}

// Whatever runs there are, in whatever order, a run that finds a value finds what
// was put.
func TestRunsAfterEachOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "cache")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		values := map[string]string{}
		for range rapid.IntRange(1, 12).Draw(t, "runs") {
			s, err := cache.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			for range rapid.IntRange(0, 5).Draw(t, "steps") {
				key := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}).Draw(t, "key")
				got, ok := s.Get(schema.KeyOf(key))
				if want, known := values[key]; ok && (!known || string(got) != want) {
					t.Fatalf("%s is %q, want %q", key, got, want)
				}
				if !ok { // a value never changes under a key
					values[key] = "value of " + key
					s.Put(schema.KeyOf(key), []byte(values[key]))
				}
			}
			if err := errors.Join(s.Flush(), s.Flush()); err != nil {
				t.Fatal(err)
			}
		}
	})
}
