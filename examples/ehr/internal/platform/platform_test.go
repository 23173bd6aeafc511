package platform_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/internal/platform"
	"github.com/veonahealth/charter/examples/ehr/internal/sqlite"
	"github.com/veonahealth/charter/schema"
)

// clock is a time that tests move.
type clock struct{ now time.Time }

func (c *clock) read() time.Time { return c.now }

// standard is the default catalogue.
func standard(t testing.TB) *catalog.Catalog {
	t.Helper()
	c, err := schema.LoadCatalog(catalog.DefaultFiles())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// open returns a platform on a database, and what closes it.
func open(t testing.TB, path string, now func() time.Time) (*platform.Platform, func()) {
	t.Helper()
	store, err := sqlite.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	p, err := platform.New(context.Background(), platform.Config{Store: store, Catalog: standard(t), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return p, func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
}

func code(err error) platform.Code {
	if refusal, ok := errors.AsType[*platform.Refusal](err); ok {
		return refusal.Code
	}
	return ""
}

// organisation adds an organisation, with a key where one is given.
func organisation(t testing.TB, p *platform.Platform, name string, retry *platform.Retry) error {
	t.Helper()
	id, err := catalog.ParseOrganisationID(name)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.CreateOrganisation(context.Background(), platform.Write{Actor: "a", Retry: retry},
		platform.Organisation{ID: id, Name: name})
	return err
}

func TestAKeyIsRememberedForADay(t *testing.T) {
	c := &clock{now: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)}
	p, stop := open(t, sqlite.Memory, c.read)
	defer stop()
	retry := &platform.Retry{ID: [32]byte{1}, Body: [32]byte{2}}
	if err := organisation(t, p, "o", retry); err != nil {
		t.Fatal(err)
	}
	other := &platform.Retry{ID: [32]byte{1}, Body: [32]byte{3}}
	for _, step := range []struct {
		after time.Duration
		same  platform.Code // of a retry with the same body: "" is the first answer
		other platform.Code // of one with another body
	}{
		{0, "", platform.KeyReused},
		{24*time.Hour - time.Second, "", platform.KeyReused},
		{time.Second, platform.Exists, platform.Exists},
	} {
		c.now = c.now.Add(step.after)
		if err := organisation(t, p, "o", retry); code(err) != step.same {
			t.Errorf("at %s: the same body: %v", c.now, err)
		}
		if err := organisation(t, p, "o", other); code(err) != step.other {
			t.Errorf("at %s: another body: %v", c.now, err)
		}
	}
}

// TestAFutureThatARestoredBackupDoesNotKnowIsGone puts an older copy of the
// database in place, lets it grow as far as the lost one, and brings what the lost
// one gave.
func TestAFutureThatARestoredBackupDoesNotKnowIsGone(t *testing.T) {
	dir := t.TempDir()
	live, backup := filepath.Join(dir, "live.db"), filepath.Join(dir, "backup.db")
	c := &clock{now: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)}
	grow := func(path string, names ...string) (snapshot, cursor string) {
		p, stop := open(t, path, c.read)
		defer stop()
		for _, name := range names {
			c.now = c.now.Add(time.Second)
			if err := organisation(t, p, name, nil); err != nil {
				t.Fatal(err)
			}
		}
		page, err := p.Organisations(t.Context(), platform.PageRequest{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		return page.Snapshot, *page.NextCursor
	}
	known, knownCursor := grow(live, "a", "b")
	text, err := os.ReadFile(live)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(backup, text, 0o600); err != nil {
		t.Fatal(err)
	}
	lost, lostCursor := grow(live, "c", "d")

	check := func(when string) {
		t.Helper()
		p, stop := open(t, backup, c.read)
		defer stop()
		ignore := func(*platform.Grant) error { return nil }
		if _, err := p.Bulk(t.Context(), &lost, ignore); code(err) != platform.SnapshotGone {
			t.Errorf("%s: the lost snapshot: %v", when, err)
		}
		if _, err := p.Organisations(t.Context(), platform.PageRequest{Limit: 1, Cursor: lostCursor}); code(err) != platform.BadCursor {
			t.Errorf("%s: the lost cursor: %v", when, err)
		}
		if _, err := p.Bulk(t.Context(), &known, ignore); err != nil {
			t.Errorf("%s: the snapshot before the backup: %v", when, err)
		}
		if _, err := p.Organisations(t.Context(), platform.PageRequest{Limit: 1, Cursor: knownCursor}); err != nil {
			t.Errorf("%s: the cursor before the backup: %v", when, err)
		}
	}
	check("restored")
	grow(backup, "x", "y", "z")
	check("restored and grown")
}

func TestTheInstanceIsTheDatabasesOwn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ehr.db")
	p, stop := open(t, path, time.Now)
	first := p.Instance()
	stop()
	p, stop = open(t, path, time.Now)
	defer stop()
	if first == "" || p.Instance() != first {
		t.Errorf("instance %q, then %q", first, p.Instance())
	}
	other, stop := open(t, sqlite.Memory, time.Now)
	defer stop()
	if other.Instance() == first {
		t.Errorf("two databases are instance %q", first)
	}
}

func TestAPageOfLargeEntriesEndsEarly(t *testing.T) {
	p, stop := open(t, sqlite.Memory, time.Now)
	defer stop()
	large := []byte(`{"a":"` + strings.Repeat("a", 3<<20) + `"}`)
	for i := range 5 {
		id, _ := catalog.ParseOrganisationID(fmt.Sprint("o", i))
		_, err := p.CreateOrganisation(t.Context(), platform.Write{Actor: "a", Authority: large}, platform.Organisation{ID: id, Name: "X"})
		if err != nil {
			t.Fatal(err)
		}
	}
	var pages []int
	for ask := (platform.PageRequest{Limit: 1000}); ; {
		page, err := p.Audit(t.Context(), 0, ask)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, len(page.Items))
		if page.NextCursor == nil {
			break
		}
		ask.Cursor = *page.NextCursor
	}
	if fmt.Sprint(pages) != "[3 2]" {
		t.Errorf("pages of %v entries", pages)
	}
}

func FuzzACursorThatWasNotGivenIsRefused(f *testing.F) {
	p, stop := open(f, sqlite.Memory, time.Now)
	defer stop()
	for _, name := range []string{"a", "b", "c"} {
		if err := organisation(f, p, name, nil); err != nil {
			f.Fatal(err)
		}
	}
	page, err := p.Organisations(context.Background(), platform.PageRequest{Limit: 1})
	if err != nil {
		f.Fatal(err)
	}
	given := *page.NextCursor
	f.Add(given[:len(given)-1])
	f.Add(given + "A")
	f.Add(" " + given)
	f.Add("\n")
	f.Fuzz(func(t *testing.T, text string) {
		_, err := p.Organisations(t.Context(), platform.PageRequest{Limit: 1, Cursor: text})
		if text != "" && text != given && code(err) != platform.BadCursor {
			t.Errorf("cursor %q: %v", text, err)
		}
	})
}

func FuzzASnapshotThatWasNotGivenIsRefused(f *testing.F) {
	p, stop := open(f, sqlite.Memory, time.Now)
	defer stop()
	given := map[string]bool{}
	ignore := func(*platform.Grant) error { return nil }
	for _, name := range []string{"", "a", "b"} {
		if name != "" {
			if err := organisation(f, p, name, nil); err != nil {
				f.Fatal(err)
			}
		}
		snapshot, err := p.Bulk(context.Background(), nil, ignore)
		if err != nil {
			f.Fatal(err)
		}
		given[snapshot] = true
		f.Add(snapshot)
		f.Add("0" + snapshot)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, err := p.Bulk(t.Context(), &text, ignore)
		if given[text] != (err == nil) || err != nil && code(err) != platform.SnapshotGone {
			t.Errorf("snapshot %q: %v", text, err)
		}
	})
}
