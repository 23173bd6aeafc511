package view_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"strings"
	"testing"

	"github.com/veonahealth/charter/cmd/charter/internal/view"
	"github.com/veonahealth/charter/reconcile"
)

// watched counts what was written, so that a sequence can ask.
type watched struct {
	io.Writer
	bytes int
}

func (w *watched) Write(p []byte) (int, error) {
	w.bytes += len(p)
	return len(p), nil
}

// many yields so many receipts, each only after something of the one before was
// written.
func many(t *testing.T, n int, w *watched) iter.Seq2[*reconcile.Deed, error] {
	return func(yield func(*reconcile.Deed, error) bool) {
		before := 0
		for i := range n {
			if i > 0 && w.bytes <= before {
				t.Fatalf("receipt %d was asked for before the one before was written", i)
			}
			before = w.bytes
			if !yield(&reconcile.Deed{Number: i, Act: "apply", Batches: []reconcile.DeedBatch{{Tenant: "kisumu", State: "done"}}}, nil) {
				return
			}
		}
	}
}

func TestTenThousandReceiptsAreWrittenAsTheyCome(t *testing.T) {
	w := &watched{}
	if err := view.LogText(w, view.Style{}, many(t, 10_000, w)); err != nil {
		t.Error(err)
	}
	w = &watched{}
	if err := view.JSONList(w, many(t, 10_000, w)); err != nil {
		t.Error(err)
	}
}

func TestALogIsOneJSONArray(t *testing.T) {
	for _, n := range []int{0, 1, 3} {
		var out bytes.Buffer
		w := &watched{}
		if err := view.JSONList(io.MultiWriter(&out, w), many(t, n, w)); err != nil {
			t.Fatal(err)
		}
		var list []reconcile.Deed
		if err := json.Unmarshal(out.Bytes(), &list); err != nil || len(list) != n || !strings.HasSuffix(out.String(), "]\n") {
			t.Errorf("%d receipts are %q: %v", n, out.String(), err)
		}
	}
}

func TestALogThatBreaksOffIsNoResult(t *testing.T) {
	broken := errors.New("tampered")
	list := func(yield func(*reconcile.Deed, error) bool) {
		_ = yield(&reconcile.Deed{}, nil) && yield(nil, broken)
	}
	var out bytes.Buffer
	if err := view.JSONList(&out, list); !errors.Is(err, broken) || json.Valid(out.Bytes()) {
		t.Errorf("%v, %q", err, out.String())
	}
	out.Reset()
	if err := view.LogText(&out, view.Style{}, list); !errors.Is(err, broken) || strings.Contains(out.String(), "1 receipt\n") {
		t.Errorf("%v, %q", err, out.String())
	}
}
