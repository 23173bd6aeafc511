package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/veonahealth/charter/examples/ehr/internal/platform"
	store "github.com/veonahealth/charter/examples/ehr/internal/sqlite"
)

func open(t *testing.T, path string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// put stores a record under a key.
func put(key string) func(platform.Tx) error {
	return func(tx platform.Tx) error {
		return tx.PutRecord(1, platform.Tenants, platform.Record{Key: key, Body: []byte("{}")})
	}
}

// keys are what the store holds.
func keys(t *testing.T, s *store.Store) (held []string) {
	t.Helper()
	err := s.View(t.Context(), func(v platform.View) error {
		for r, err := range v.Records(platform.Range{Kind: platform.Tenants, At: 1}) {
			if err != nil {
				return err
			}
			held = append(held, r.Key)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return held
}

func TestAWriteWhoseClientIsGoneIsNotBegun(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "ehr.db"))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Update(gone, put("a")); !errors.Is(err, context.Canceled) {
		t.Errorf("result %v", err)
	}
	if held := keys(t, s); len(held) != 0 {
		t.Errorf("held %v", held)
	}
}

func TestManyWritesWaitAndTooManyAreRefused(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "ehr.db"))
	begun, release := make(chan struct{}), make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		s.Update(context.Background(), func(platform.Tx) error {
			close(begun)
			<-release
			return nil
		})
	})
	<-begun
	const many = 2000
	results := make(chan error, many)
	for range many {
		group.Go(func() { results <- s.Update(context.Background(), put("a")) })
	}
	first := <-results // nobody else is answered before the writer goes on
	refusal, ok := errors.AsType[*platform.Refusal](first)
	if !ok || refusal.Code != platform.Unavailable {
		t.Errorf("result %v", first)
	}
	close(release)
	group.Wait()
}

func TestAClosedStoreRefusesWrites(t *testing.T) {
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "ehr.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	refusal, ok := errors.AsType[*platform.Refusal](s.Update(t.Context(), put("a")))
	if !ok || refusal.Code != platform.Unavailable {
		t.Errorf("result %v", refusal)
	}
}

func TestAPanicOfAReaderLosesNoConnection(t *testing.T) {
	s := open(t, store.Memory)
	if err := s.Update(t.Context(), put("a")); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		func() {
			defer func() { recover() }()
			s.View(t.Context(), func(v platform.View) error {
				for record := range v.Records(platform.Range{Kind: platform.Tenants, At: 1}) {
					panic(record.Key)
				}
				return nil
			})
		}()
	}
	if held := fmt.Sprint(keys(t, s)); held != "[a]" {
		t.Errorf("held %s", held)
	}
}

func TestAReaderWhoseClientIsGoneLosesNoConnection(t *testing.T) {
	s := open(t, store.Memory)
	if err := s.Update(t.Context(), put("a")); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		err := s.View(ctx, func(v platform.View) error {
			for range v.Records(platform.Range{Kind: platform.Tenants, At: 1}) {
				cancel()
			}
			_, err := v.Head()
			return err
		})
		cancel()
		_ = err // whether the end came in time is not ours to say
	}
	if held := fmt.Sprint(keys(t, s)); held != "[a]" {
		t.Errorf("held %s", held)
	}
}

func TestAReaderCannotWrite(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "ehr.db"))
	err := s.View(t.Context(), func(v platform.View) error {
		if _, writes := v.(platform.Tx); writes {
			return errors.New("the view of a reader is a transaction that writes")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAViewIsOneState(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "ehr.db"))
	err := s.View(t.Context(), func(v platform.View) error {
		if _, err := v.Head(); err != nil {
			return err
		}
		if err := s.Update(t.Context(), put("a")); err != nil {
			return err
		}
		for record, err := range v.Records(platform.Range{Kind: platform.Tenants, At: 1}) {
			t.Errorf("the view sees a later write: %v, %v", record, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if held := fmt.Sprint(keys(t, s)); held != "[a]" {
		t.Errorf("held %s", held)
	}
}

func TestRecordsAreReadAsOfAState(t *testing.T) {
	s := open(t, store.Memory)
	version := func(seq int64, key, body string) {
		t.Helper()
		err := s.Update(t.Context(), func(tx platform.Tx) error {
			return tx.PutRecord(seq, platform.Facilities, platform.Record{Key: key, Body: []byte(body)})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	version(1, "t/a", "a1")
	version(2, "t/b", "b2")
	version(3, "t/a", "a3")
	version(3, "t2/c", "c3")
	version(5, "t/c", "c5")
	for _, c := range []struct {
		of   platform.Range
		want string
	}{
		{platform.Range{Prefix: "t/", At: 0}, "0:"},
		{platform.Range{Prefix: "t/", At: 1}, "1: a1"},
		{platform.Range{Prefix: "t/", At: 2}, "2: a1 b2"},
		{platform.Range{Prefix: "t/", At: 4}, "2: a3 b2"},
		{platform.Range{Prefix: "t/", At: 5}, "3: a3 b2 c5"},
		{platform.Range{Prefix: "t/", At: 5, After: "t/a"}, "3: b2 c5"},
		{platform.Range{Prefix: "t/", At: 5, After: "t/aa"}, "3: b2 c5"},
		{platform.Range{Prefix: "t2/", At: 5}, "1: c3"},
		{platform.Range{At: 5}, "4: a3 b2 c5 c3"},
	} {
		c.of.Kind = platform.Facilities
		err := s.View(t.Context(), func(v platform.View) error {
			count, err := v.Count(c.of)
			got := fmt.Sprintf("%d:", count)
			for r, err := range v.Records(c.of) {
				if err != nil {
					return err
				}
				got += " " + string(r.Body)
			}
			if got != c.want {
				t.Errorf("%+v gives %q, want %q", c.of, got, c.want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnswersAreForgottenAfterTheirTime(t *testing.T) {
	s := open(t, store.Memory)
	remember := func(n byte, at, before int64) {
		t.Helper()
		err := s.Update(t.Context(), func(tx platform.Tx) error {
			return tx.Remember(&platform.Remembered{ID: [32]byte{n}, At: at, Answer: platform.Answer{Body: []byte("{}")}}, before)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for n := range byte(6) {
		remember(n, int64(n), -1)
	}
	remember(100, 100, 3)
	remember(101, 101, 3)
	err := s.View(t.Context(), func(v platform.View) error {
		for n := range byte(6) {
			found, err := v.Answer([32]byte{n})
			if err != nil {
				return err
			}
			if kept := found != nil; kept != (n > 3) {
				t.Errorf("answer of %d: kept is %v", n, kept)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAForeignOrNewerDatabaseIsRefused(t *testing.T) {
	change := func(pragma string) error {
		path := filepath.Join(t.TempDir(), "ehr.db")
		s, err := store.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
		if err != nil {
			t.Fatal(err)
		}
		if err := sqlitex.ExecuteTransient(conn, pragma, nil); err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
		s, err = store.Open(t.Context(), path)
		if err == nil {
			s.Close()
		}
		return err
	}
	if err := change("PRAGMA user_version = 99"); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("newer: %v", err)
	}
	if err := change("PRAGMA application_id = 7"); err == nil {
		t.Error("another program's database was opened")
	}
	if err := change("PRAGMA cache_size = 100"); err != nil {
		t.Errorf("our own: %v", err)
	}
}
