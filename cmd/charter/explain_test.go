package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"testing"
)

// TestEveryCodeIsExplained reads the codes from where they are defined, so that
// a new one without a page is found.
func TestEveryCodeIsExplained(t *testing.T) {
	var codes []string
	for _, source := range []struct {
		file  string
		least int
	}{
		{"../../schema/problem.go", 16},
		{"../../plan/plan.go", 10},
		{"../../reconcile/apply.go", 6},
	} {
		text, err := os.ReadFile(source.file)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(`(?:Code|State) += "([A-Za-z0-9-]+)"`).FindAllStringSubmatch(string(text), -1)
		if len(found) < source.least {
			t.Errorf("%s has %d codes, want at least %d: is the pattern still right?", source.file, len(found), source.least)
		}
		for _, match := range found {
			codes = append(codes, match[1])
		}
	}
	for _, code := range gravest {
		codes = append(codes, fmt.Sprintf("exit %d", code))
	}
	for _, code := range codes {
		i := slices.IndexFunc(explanations, func(e explanation) bool { return e.code == code })
		if i < 0 {
			t.Errorf("%s has no explanation", code)
		} else if explanations[i].title == "" || explanations[i].text == "" {
			t.Errorf("%s is explained in no words", code)
		}
	}
}

func TestExplanationsAreOfDifferentCodes(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range explanations {
		if seen[e.code] {
			t.Errorf("%s is explained twice", e.code)
		}
		seen[e.code] = true
	}
}
