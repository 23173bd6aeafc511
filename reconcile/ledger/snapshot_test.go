package ledger_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/reconcile/ledger"
)

// snapshotsOf is where snapshots lie, seen from a clone of its own.
func snapshotsOf(t *testing.T, bare string) *ledger.Snapshots {
	t.Helper()
	p := plansOf(t, bare)
	return &ledger.Snapshots{Repo: p.Repo, Environment: catalog.DefaultEnvironment, Author: p.Author, Now: p.Now, Most: 1 << 10}
}

func TestTheNewestSnapshotIsSharedAndNoOther(t *testing.T) {
	bare, ctx := remote(t), t.Context()
	here, there := snapshotsOf(t, bare), snapshotsOf(t, bare)
	if _, err := there.Read(ctx); !errors.Is(err, ledger.ErrNoSnapshot) {
		t.Fatalf("before the first: %v", err)
	}
	for _, text := range []string{"one", "two", "two"} {
		bundles := map[string][]byte{"snapshot.json." + text + ".sigstore.json": []byte(text)}
		if err := here.Publish(ctx, []byte(text), bundles); err != nil {
			t.Fatal(err)
		}
	}
	got, err := there.Read(ctx)
	if err != nil || string(got.File) != "two" || len(got.Bundles) != 1 || string(got.Bundles["snapshot.json.two.sigstore.json"]) != "two" {
		t.Fatalf("%+v, %v", got, err)
	}
	if history := git(t, bare, "rev-list", "--count", "refs/charter/default/snapshot"); strings.TrimSpace(history) != "1" {
		t.Errorf("%s commits, want 1", history)
	}
	git(t, bare, "fsck", "--strict")
}

func TestASnapshotThatIsTooLargeOrNamedAmissIsRefused(t *testing.T) {
	bare, ctx := remote(t), t.Context()
	s := snapshotsOf(t, bare)
	if err := s.Publish(ctx, []byte("one"), map[string][]byte{"../../config": nil}); err == nil {
		t.Error("a file was published that is no bundle")
	}
	if err := s.Publish(ctx, make([]byte, 2<<10), nil); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Read(ctx); err == nil {
		t.Errorf("%d bytes were read", len(got.File))
	}
}
