package view

import (
	"fmt"
	"io"

	"github.com/veonahealth/charter/catalog"
)

// Tests writes what became of the fleet's assertions: a line each, and under one
// that does not hold, what is so instead and why.
func Tests(w io.Writer, s Style, results []catalog.TestResult) error {
	failed := 0
	for i := range results {
		r := &results[i]
		if r.Passed() {
			if _, err := fmt.Fprintf(w, "%s %s (%s)\n", s.paint(green, "ok  "), Clean(r.Name), counted(r)); err != nil {
				return err
			}
			continue
		}
		failed++
		if _, err := fmt.Fprintf(w, "%s %s\n    %s\n", s.paint(red, "FAIL"), Clean(r.Name), Clean(r.Pos.String())); err != nil {
			return err
		}
		for _, line := range failures(r) {
			if _, err := fmt.Fprintf(w, "    %s\n", Clean(line)); err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprintln(w, s.paint(bold, fmt.Sprintf("Test: %d of %s passed.", len(results)-failed, Counted(len(results), "assertion", "assertions"))))
	return err
}

func counted(r *catalog.TestResult) string {
	return Counted(r.Tenants, "tenant", "tenants") + ", " + Counted(r.Facilities, "facility", "facilities")
}

// failures says why an assertion does not hold, a line each.
func failures(r *catalog.TestResult) []string {
	if r.Facilities == 0 {
		return []string{"no tenant with such a facility matches: it would hold whatever is declared"}
	}
	var lines []string
	for _, f := range r.Failures {
		verb := "holds"
		if !f.Held {
			verb = "does not hold"
		}
		lines = append(lines, fmt.Sprintf("%s %s %s %s on %s: %s", f.Tenant, f.Facility, verb, f.Module, catalog.FormatTime(r.At), f.Pos))
	}
	return lines
}

// TestsJSON writes the same for programs.
func TestsJSON(w io.Writer, results []catalog.TestResult) error {
	type result struct {
		catalog.TestResult
		Passed bool `json:"passed"`
	}
	list := make([]result, len(results))
	for i := range results {
		list[i] = result{results[i], results[i].Passed()}
	}
	return JSON(w, map[string]any{"tests": list})
}
