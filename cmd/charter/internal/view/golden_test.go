package view

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/veonahealth/charter/plan"
)

var update = flag.Bool("update", false, "write what is shown now as the golden files")

// golden holds what is written against a file in testdata.
func golden(t *testing.T, name string, write func(io.Writer) error) {
	t.Helper()
	var got bytes.Buffer
	if err := write(&got); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestEveryFormatOfPlansAndComparisons(t *testing.T) {
	for name, p := range map[string]*plan.Plan{"plan": samplePlan(), "fanout": widePlan(12)} {
		golden(t, name+".txt", func(w io.Writer) error { return Plan(w, Style{}, p) })
		golden(t, name+".md", func(w io.Writer) error { return PlanMarkdown(w, p, plan.Digest{}, Beside{}) })
		golden(t, name+".html", func(w io.Writer) error { return PlanHTML(w, p, plan.Digest{}) })
	}
	golden(t, "judged.md", func(w io.Writer) error { return PlanMarkdown(w, smallPlan(), plan.Digest{}, sampleBeside()) })
	c := sampleComparison()
	golden(t, "diff.txt", func(w io.Writer) error { return Diff(w, Style{}, c) })
	golden(t, "diff.md", func(w io.Writer) error { return DiffMarkdown(w, c) })
	golden(t, "diff.html", func(w io.Writer) error { return DiffHTML(w, c) })
	golden(t, "plan.colour.txt", func(w io.Writer) error { return Plan(w, Style{Color: true}, samplePlan()) })
}
