package catalog

import (
	"embed"
	"io/fs"
)

//go:embed default
var defaults embed.FS

// DefaultFiles returns the default catalogue as the CUE files of the package
// catalog: the product's four editions and the modules that its documentation
// names. The package schema reads them.
func DefaultFiles() fs.FS {
	files, err := fs.Sub(defaults, "default")
	if err != nil {
		panic(err) // the folder is part of the binary
	}
	return files
}
