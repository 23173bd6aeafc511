package schema

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"cuelang.org/go/cue/parser"

	"github.com/veonahealth/charter/catalog"
)

// folders are the names at the top of a fleet that mean something.
var folders = []string{"catalog", "cue.mod", "holds", "organisations", "policy", "schema", "tenants", "tests"}

// declaring are the folders of which a fleet has at least one.
var declaring = []string{"catalog", "organisations", "tenants"}

// readTop lists the top of the tree, leaving out what is not charter's.
func (l *loader) readTop() error {
	found, err := fs.ReadDir(l.files, ".")
	if err != nil {
		return fmt.Errorf("list the fleet: %w", err)
	}
	for _, d := range found {
		e := entry{path: d.Name(), isDir: d.IsDir()}
		if !slices.Contains(folders, e.path) && !strings.HasSuffix(e.path, ".cue") {
			if err := l.misspelt(e, found); err != nil {
				return err
			}
			continue
		}
		if why := refused(d); why != "" {
			l.report(problemf(Forbidden, catalog.Position{File: e.path}, "%s", why))
			continue
		}
		if h, ok := d.(Hashed); ok {
			e.hash = h.Hash()
		}
		l.top = append(l.top, e)
	}
	return nil
}

// misspelt reports a folder that holds declarations and has nearly the name of one
// that is not there: what stands in it would be passed over in silence.
func (l *loader) misspelt(e entry, found []fs.DirEntry) error {
	meant := catalog.Nearest(e.path, slices.Values(folders))
	if !e.isDir || meant == "" || slices.ContainsFunc(found, func(d fs.DirEntry) bool { return d.Name() == meant }) {
		return nil
	}
	declares, err := l.declares(e.path, 0)
	if !declares || err != nil {
		return err
	}
	p := problemf(Forbidden, catalog.Position{File: e.path}, "declarations stand in the folder %s, which is none of a fleet's", quoted(e.path))
	p.Hint = fmt.Sprintf("did you mean %q?", meant)
	l.report(p)
	l.lost[meant] = true
	return nil
}

// layOut is what to do where nothing is declared.
const layOut = "charter init lays out a new one; name its folder with -C"

// noFleet reports whether there is nothing of a fleet at the top, and says so.
func (l *loader) noFleet() bool {
	ours := func(e entry) bool { return e.path == "fleet.cue" || slices.Contains(declaring, e.path) }
	if slices.ContainsFunc(l.top, ours) || len(l.problems) > 0 {
		return false
	}
	p := problemf(Shape, catalog.Position{File: "."}, "this is not a fleet: it has no tenants, organisations or catalog")
	p.Hint = layOut
	l.report(p)
	return true
}

// declares reports whether a CUE file of one of a fleet's packages stands anywhere
// below a directory.
func (l *loader) declares(dir string, depth int) (bool, error) {
	if depth > maxDepth {
		return false, nil
	}
	found, err := fs.ReadDir(l.files, dir)
	if err != nil {
		return false, fmt.Errorf("list %s: %w", dir, err)
	}
	for _, d := range found {
		name := path.Join(dir, d.Name())
		var declares bool
		switch {
		case d.IsDir():
			declares, err = l.declares(name, depth+1)
		case d.Type().IsRegular() && strings.HasSuffix(name, ".cue"):
			declares, err = l.ofFleet(name)
		}
		if declares || err != nil {
			return declares, err
		}
	}
	return false, nil
}

// ofFleet reports whether a file is of one of a fleet's packages.
func (l *loader) ofFleet(name string) (bool, error) {
	s, _, err := readSource(l.files, name)
	if s == nil || len(s.data) > maxInPlace {
		return false, err
	}
	file, err := parser.ParseFile(name, s.data, parser.PackageClauseOnly)
	return err == nil && slices.Contains([]string{"fleet", "catalog", "policy"}, file.PackageName()), nil
}
