package livetree_test

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/veonahealth/charter/cmd/charter/internal/livetree"
	"github.com/veonahealth/charter/schema"
)

// folder is a folder of tests, and what is known of it.
type folder struct {
	dir  string
	root *os.Root
}

func newFolder(t testing.TB, files ...string) folder {
	t.Helper()
	f := folder{dir: t.TempDir()}
	for _, name := range files {
		f.write(t, name, name)
	}
	var err error
	if f.root, err = os.OpenRoot(f.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.root.Close() })
	return f
}

func (f folder) path(name string) string { return filepath.Join(f.dir, filepath.FromSlash(name)) }

func (f folder) write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(f.path(name)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.path(name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (f folder) read(t testing.TB) *livetree.Tree {
	t.Helper()
	tree, err := livetree.Read(f.root)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// hashes gives the hash of everything at the top of a tree.
func hashes(t testing.TB, tree *livetree.Tree) map[string]string {
	t.Helper()
	entries, err := fs.ReadDir(tree, ".")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, e := range entries {
		all[e.Name()] = e.(schema.Hashed).Hash()
	}
	return all
}

func same(a, b map[string]string) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

func TestATreeIsTheFolderAsItWasRead(t *testing.T) {
	names := []string{"a.cue", "catalog/catalog.cue", "tenants/x/tenant.cue", "tenants/y/deep/more.cue"}
	f := newFolder(t, names...)
	tree := f.read(t)
	var found []string
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		found = append(found, name)
		data, err := fs.ReadFile(tree, name)
		if string(data) != name {
			t.Errorf("%s holds %q", name, data)
		}
		return err
	})
	if err != nil || !slices.Equal(found, names) {
		t.Errorf("%q, %v", found, err)
	}
	for _, name := range []string{"b.cue", "a.cue/b", "../a.cue", ""} {
		if _, err := tree.Open(name); err == nil {
			t.Errorf("%q is there", name)
		}
	}
	f.write(t, "a.cue", "another")
	if data, err := fs.ReadFile(tree, "a.cue"); err != nil || string(data) != "a.cue" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestWhatEditorsLeaveIsNotThere(t *testing.T) {
	f := newFolder(t, "tenants/x/tenant.cue", ".git/config.cue")
	before := hashes(t, f.read(t))
	for _, name := range []string{"tenants/x/tenant.cue~", "tenants/x/.tenant.cue.swp", "tenants/x/4913", ".git/index", ".git/more.cue"} {
		f.write(t, name, "x")
	}
	if err := os.Symlink("ann@host.1", f.path("tenants/x/.#tenant.cue")); err != nil {
		t.Fatal(err)
	}
	if after := hashes(t, f.read(t)); !same(before, after) {
		t.Errorf("%v, then %v", before, after)
	}
	// What a load refuses is there.
	if err := os.Symlink("tenant.cue", f.path("tenants/x/link.cue")); err != nil {
		t.Fatal(err)
	}
	if after := hashes(t, f.read(t)); same(before, after) {
		t.Error("a link that is refused is not seen")
	}
}

// disturb does something to a folder, and names what it touched.
func (f folder) disturb(t testing.TB, r *rand.Rand, step int) []string {
	t.Helper()
	names := []string{"tenants", "tenants/a", "tenants/b", "tenants/a/x", "tenants/b/y", "catalog"}
	dir := names[r.IntN(len(names))]
	file := dir + fmt.Sprintf("/f%d.cue", r.IntN(3))
	switch r.IntN(5) {
	case 0:
		if err := os.RemoveAll(f.path(dir)); err != nil {
			t.Fatal(err)
		}
		return []string{dir}
	case 1:
		if err := os.RemoveAll(f.path(file)); err != nil {
			t.Fatal(err)
		}
	case 2:
		f.write(t, file+".new", fmt.Sprint(step))
		if err := os.Rename(f.path(file+".new"), f.path(file)); err != nil {
			t.Fatal(err)
		}
		return []string{file + ".new", file}
	case 3:
		to := names[r.IntN(len(names))]
		if err := os.Rename(f.path(dir), f.path(to)); err != nil && !strings.Contains(err.Error(), "rename") {
			t.Fatal(err)
		}
		return []string{dir, to}
	default:
		f.write(t, file, fmt.Sprint(step))
	}
	return []string{file}
}

func TestATreeThatIsRenewedIsOneThatIsReadAnew(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	f := newFolder(t, "tenants/a/f0.cue")
	tree := f.read(t)
	for step := range 400 {
		before := hashes(t, tree)
		touched := f.disturb(t, r, step)
		changed, err := tree.Renew(touched...)
		if err != nil {
			t.Fatal(err)
		}
		got, want := hashes(t, tree), hashes(t, f.read(t))
		if !same(got, want) || changed == same(before, got) {
			t.Fatalf("step %d, %q: changed %t\n%v\n%v, want\n%v", step, touched, changed, before, got, want)
		}
	}
}

// Whatever is written, and however fast, a tree that follows what is heard comes to
// be the folder.
func TestWhatIsHeardIsEnough(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	f := newFolder(t, "tenants/a/f0.cue")
	w, err := livetree.New(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	tree := f.read(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for round := range 20 {
		for step := range r.IntN(30) + 1 {
			f.disturb(t, r, 1000*round+step)
		}
		f.write(t, "last.cue", fmt.Sprint("round ", round))
		for want := hashes(t, f.read(t)); !same(hashes(t, tree), want); {
			paths, err := w.Next(ctx)
			if err != nil {
				t.Fatalf("round %d: %v\n%v, want\n%v", round, err, hashes(t, tree), want)
			}
			if _, err := tree.Renew(paths...); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// One that takes the name of a folder that was moved away is heard.
func TestAFolderThatTakesAnothersName(t *testing.T) {
	f := newFolder(t, "tenants/a/x/f0.cue")
	w, err := livetree.New(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	tree := f.read(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	settle := func() {
		t.Helper()
		for want := hashes(t, f.read(t)); !same(hashes(t, tree), want); {
			paths, err := w.Next(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tree.Renew(paths...); err != nil {
				t.Fatal(err)
			}
		}
	}
	away := filepath.Join(t.TempDir(), "away")
	if err := os.Rename(f.path("tenants/a"), away); err != nil {
		t.Fatal(err)
	}
	settle()
	f.write(t, "tenants/a/x/f0.cue", "anew")
	settle()
	f.write(t, "tenants/a/x/f0.cue", "again")
	settle()
}

func TestAFolderThatIsTakenAwayIsAnError(t *testing.T) {
	f := newFolder(t, "tenants/a/f0.cue")
	tree := f.read(t)
	if err := os.RemoveAll(f.dir); err != nil {
		t.Fatal(err)
	}
	if _, err := tree.Renew("."); err == nil {
		t.Error("nothing is said")
	}
}

// What a load refuses for its size is not kept, and many files are not kept without end.
func TestWhatIsTooLargeIsNotKept(t *testing.T) {
	f := newFolder(t, "small.cue")
	large := func(name string) {
		t.Helper()
		f.write(t, name, "")
		if err := os.Truncate(f.path(name), 4<<20); err != nil {
			t.Fatal(err)
		}
	}
	large("tenants/x/large.cue")
	data, err := fs.ReadFile(f.read(t), "tenants/x/large.cue")
	if err != nil || len(data) > 1<<20+1 {
		t.Errorf("%d bytes are kept, %v", len(data), err)
	}
	for n := range 260 {
		large(fmt.Sprintf("tenants/x/%d.cue", n))
	}
	if _, err := livetree.Read(f.root); err == nil || !strings.Contains(err.Error(), "bytes of memory") {
		t.Errorf("error %v", err)
	}
}
