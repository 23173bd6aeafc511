package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/veonahealth/charter/examples/ehr/internal/platform"
)

// carryOut carries out writes as one group and returns what each was answered, and
// the keys that are kept.
func carryOut(t *testing.T, writes ...func(tx) error) (results []error, kept string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ehr.db")
	if err := create(path); err != nil {
		t.Fatal(err)
	}
	conn, err := connect(path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := migrate(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	w := &writer{conn: conn}
	if err := w.commit([]*job{jobOf(put("before"))}); err != nil {
		t.Fatal(err)
	}
	var group []*job
	for _, write := range writes {
		group = append(group, jobOf(write))
	}
	w.answer(group)
	for _, j := range group {
		results = append(results, <-j.result)
	}
	if err := w.commit([]*job{jobOf(put("after"))}); err != nil {
		t.Errorf("a write after the group: %v", err)
	}
	for r, err := range (view{conn}).Records(platform.Range{Kind: platform.Tenants, At: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		kept += " " + r.Key
	}
	return results, kept
}

func jobOf(write func(tx) error) *job {
	return &job{
		ctx:    context.Background(),
		write:  func(t platform.Tx) error { return write(t.(tx)) },
		result: make(chan error, 1),
	}
}

func put(key string) func(tx) error {
	return func(t tx) error {
		return t.PutRecord(1, platform.Tenants, platform.Record{Key: key, Body: []byte("{}")})
	}
}

func TestAWriteThatIsRefusedTakesNothingFromItsNeighbours(t *testing.T) {
	refused := errors.New("refused")
	results, kept := carryOut(t, put("a"), func(t tx) error { return errors.Join(put("b")(t), refused) }, put("c"))
	if results[0] != nil || !errors.Is(results[1], refused) || results[2] != nil {
		t.Errorf("results %v", results)
	}
	if kept != " a after before c" {
		t.Errorf("kept%s", kept)
	}
}

func TestAPanicEndsOneWriteAndNotTheWriter(t *testing.T) {
	results, kept := carryOut(t, put("a"), func(t tx) error { panic(fmt.Sprint("b is wrong", put("b")(t))) }, put("c"))
	if results[0] != nil || results[2] != nil || results[1] == nil || !strings.Contains(results[1].Error(), "b is wrong") {
		t.Errorf("results %v", results)
	}
	if kept != " a after before c" {
		t.Errorf("kept%s", kept)
	}
}

// TestAFullDiskFailsTheWholeGroup makes the disk full in the middle of a group.
// SQLite then undoes everything, and nobody may be told otherwise; nor may the
// writes behind it be kept as if nothing had been.
func TestAFullDiskFailsTheWholeGroup(t *testing.T) {
	refused := &platform.Refusal{Code: platform.RevisionMoved}
	results, kept := carryOut(t, put("a"),
		func(tx) error { return refused },
		func(t tx) error {
			if err := t.exec("PRAGMA max_page_count = 64"); err != nil {
				return err
			}
			return t.PutRecord(1, platform.Tenants, platform.Record{Key: "b", Body: make([]byte, 1<<20)})
		},
		put("c"))
	for i, err := range results {
		if err == nil || errors.Is(err, refused) {
			t.Errorf("write %d was answered %v by a state that is undone", i, err)
		}
	}
	if kept != " after before" {
		t.Errorf("kept%s", kept)
	}
}
