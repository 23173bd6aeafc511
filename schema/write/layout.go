// Package write makes and edits the CUE files of a fleet.
package write

import (
	"embed"
	"io/fs"
	"strings"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/schema"
)

//go:embed layout
var layout embed.FS

// File is one file of a fleet, by its path from the fleet's root.
type File struct {
	Path string
	Data []byte
}

// Layout returns the files of a new fleet, in the order of their paths: the
// module, charter's schema, the default catalogue, one organisation with one
// tenant, a policy, and the workflows of the forges for pull requests.
func Layout() ([]File, error) {
	files := []File{{Path: "schema/schema.cue", Data: schema.Definitions()}}
	defaults, err := collect(catalog.DefaultFiles(), "catalog/")
	if err != nil {
		return nil, err
	}
	own, err := fs.Sub(layout, "layout")
	if err != nil {
		return nil, err
	}
	rest, err := collect(own, "")
	return append(append(files, defaults...), rest...), err
}

// collect reads a tree of files. A name that begins with "dot-" stands for a
// hidden one, which could not be part of the binary.
func collect(tree fs.FS, prefix string) ([]File, error) {
	var files []File
	err := fs.WalkDir(tree, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(tree, path)
		files = append(files, File{prefix + strings.Replace(path, "dot-", ".", 1), data})
		return err
	})
	return files, err
}
