package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// mostPictures is how much all pictures may take of everybody's clone, in bytes.
const mostPictures = 600_000

// The pictures that the pages on pull requests show are there, and all that are there
// are shown, each with words for who does not see it.
func TestEveryPictureIsShownAndThere(t *testing.T) {
	pages, err := filepath.Glob(pullRequests + "/*.md")
	if err != nil || len(pages) < 4 {
		t.Fatal(pages, err)
	}
	shown := map[string]bool{}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`!\[([^\]]*)\]\(([^)]*)\)`).FindAllSubmatch(text, -1) {
			if len(match[1]) == 0 {
				t.Errorf("%s: no words for %s", page, match[2])
			}
			shown[string(match[2])] = true
		}
	}
	there, err := filepath.Glob(pullRequests + "/pictures/*")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	size := int64(0)
	for _, name := range there {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
		names = append(names, "pictures/"+filepath.Base(name))
	}
	if diff := cmp.Diff(names, slices.Sorted(maps.Keys(shown))); diff != "" {
		t.Errorf("pictures that are there and that pages show (-there +shown):\n%s", diff)
	}
	if size > mostPictures {
		t.Errorf("the pictures take %d bytes", size)
	}
}
