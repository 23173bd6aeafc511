package schema

import (
	"fmt"
	"io"
	"io/fs"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/parser"

	"github.com/veonahealth/charter/catalog"
)

// Budgets of what a repository may ask of whoever reads it, in bytes.
const (
	maxFileSize = 1 << 20 // of one file
	maxUnitSize = 8 << 20 // of all files that are evaluated together
)

// source is one CUE file of a fleet.
type source struct {
	path   string
	data   []byte
	syntax *ast.File // nil until it is parsed
}

// readSource reads a file, and refuses one that is over its budget.
func readSource(files fs.FS, name string) (*source, Problems, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", name, err)
	}
	if info.Size() > maxFileSize { // asked before a byte of it is read
		return nil, tooLarge(name), nil
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(data) > maxFileSize {
		return nil, tooLarge(name), nil
	}
	return &source{path: name, data: data}, nil, nil
}

func tooLarge(name string) Problems {
	p := problemf(OverBudget, catalog.Position{File: name}, "the file is larger than %d bytes", maxFileSize)
	p.Hint = "split it: what one directory declares may stand in several files"
	return Problems{p}
}

// parse reads the syntax of the file and refuses another package than the one
// that belongs where the file stands.
func (s *source) parse(pkg string, mode ...parser.Option) Problems {
	file, err := parser.ParseFile(s.path, s.data, mode...)
	if err != nil {
		return s.syntaxProblems(err)
	}
	s.syntax = file
	name := file.PackageName()
	if name == pkg {
		return nil
	}
	p := problemf(Forbidden, s.at(file), "the file is of package %s, and must be of package %q", quoted(name), pkg)
	if name == "" {
		p.Message = fmt.Sprintf("the file has no package clause, and must be of package %q", pkg)
	}
	return Problems{p}
}

// syntaxProblems keeps the first error of each line: what follows on the same
// line comes of it.
func (s *source) syntaxProblems(err error) Problems {
	var problems Problems
	last := -1
	for _, e := range errors.Errors(err) {
		pos := s.positionOf(e)
		if pos.Line == last {
			continue
		}
		last = pos.Line
		format, args := e.Msg()
		problems = append(problems, problemf(Syntax, pos, "%s", fmt.Sprintf(format, args...)))
	}
	return problems
}

func (s *source) positionOf(e errors.Error) catalog.Position {
	for _, pos := range errors.Positions(e) {
		if p := pos.Position(); p.Filename == s.path {
			return catalog.Position{File: s.path, Line: p.Line, Col: p.Column}
		}
	}
	return catalog.Position{File: s.path}
}

func (s *source) at(n ast.Node) catalog.Position {
	p := n.Pos().Position()
	return catalog.Position{File: s.path, Line: max(p.Line, 1), Col: max(p.Column, 1)}
}

// attributes refuses the attributes by which cue takes input from outside the
// commit.
func (s *source) attributes() Problems {
	var problems Problems
	ast.Walk(s.syntax, func(n ast.Node) bool {
		a, ok := n.(*ast.Attribute)
		if !ok {
			return true
		}
		switch a.Name() {
		case "embed", "extern", "if", "ignore", "tag":
			p := problemf(Forbidden, s.at(a), "attribute @%s is not allowed", a.Name())
			p.Hint = "the same commit must mean the same everywhere"
			problems = append(problems, p)
		}
		return true
	}, nil)
	return problems
}

// imports yields the paths that the file imports, with their places.
func (s *source) imports() map[string]catalog.Position {
	paths := map[string]catalog.Position{}
	for spec := range s.syntax.ImportSpecs() {
		p, err := literal.Unquote(spec.Path.Value)
		if err != nil {
			p = spec.Path.Value // which is nothing that may be imported
		}
		paths[p] = s.at(spec)
	}
	return paths
}

// isBuiltin reports whether CUE itself has the package of an import path: only
// those have no dot in their first element.
func isBuiltin(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	return !strings.Contains(first, ".")
}
