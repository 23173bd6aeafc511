package schema

import (
	"context"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"
)

// shared is what the directories above a unit give to it. The files of one
// package in a directory and in those above it are one in CUE.
type shared struct {
	files []*source
	// constrains says that fleet.cue holds more than the usual ties, so that even
	// plain data must be put to CUE.
	constrains bool
	digest     string // of files, "" for none
}

// below returns what a directory with these CUE files of its own gives to the
// ones under it. constrains says that the files narrow the schema.
func (s *shared) below(files []*source, constrains bool) *shared {
	if len(files) == 0 {
		return s
	}
	all := slices.Concat(s.files, files)
	return &shared{files: all, constrains: s.constrains || constrains, digest: contentOf(all)}
}

// ties are the fields by which fleet.cue ties the files of a fleet to the
// schema, and the definition of each. The catalogue's and the policy's own
// units name theirs.
var ties = map[string]string{
	"tenant": "#Tenant", "organisations": "#Organisations", "environments": "#Environments",
	"hold": "#Holds", "test": "#Tests",
}

// tiesOnly reports whether a file holds nothing but ties, `field?:
// schema.#Definition`. charter puts the schema to every file by itself, so such
// a file says nothing new.
func tiesOnly(s *source, fields map[string]string, module string) bool {
	name := ""
	for path := range s.imports() {
		if !isSchema(path, module) {
			return false
		}
		name = "schema"
	}
	for _, decl := range s.syntax.Decls {
		switch d := decl.(type) {
		case *ast.Package, *ast.CommentGroup, *ast.ImportDecl:
		case *ast.Field:
			label, _, err := ast.LabelName(d.Label)
			if err != nil || d.Constraint != token.OPTION || len(d.Attrs) > 0 || !refersTo(d.Value, name, fields[label]) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// refersTo reports whether an expression is pkg.definition.
func refersTo(expr ast.Expr, pkg, definition string) bool {
	sel, ok := expr.(*ast.SelectorExpr)
	if !ok || definition == "" {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	name, _, err := ast.LabelName(sel.Sel)
	return ok && err == nil && x.Name == pkg && name == definition
}

// regularFields refuses what is data in a shared file: only hidden fields and
// definitions may be shared, and by fleet.cue what narrows the fields of others.
func regularFields(s *source) Problems {
	var problems Problems
	for _, decl := range s.syntax.Decls {
		switch d := decl.(type) {
		case *ast.Field:
			name, isIdent, err := ast.LabelName(d.Label)
			if err == nil && isIdent && (strings.HasPrefix(name, "_") || strings.HasPrefix(name, "#")) || narrows(s, d) {
				continue
			}
			problems = append(problems, notShared(s, d, name))
		case *ast.EmbedDecl, *ast.Comprehension, *ast.Ellipsis:
			problems = append(problems, notShared(s, d, ""))
		}
	}
	return problems
}

func notShared(s *source, d ast.Node, name string) Problem {
	p := problemf(Shape, s.at(d), "a shared file holds hidden fields and definitions only")
	switch {
	case name == "":
	case s.path == "fleet.cue" && ties[name] != "":
		p.Hint = "write " + name + "?: to say what it may be"
	case name == "tenant":
		p.Hint = "a tenant's directory has no directories with CUE files below it"
	default:
		p.Hint = "write _" + name + " or #" + name + " to share it"
	}
	return p
}

// readRoot reads the CUE files at the top: environments.cue, fleet.cue with its
// ties, and what else is shared by the whole fleet.
func (l *loader) readRoot(ctx context.Context, f *Fleet) error {
	sources, problems, err := l.cueFiles(l.top)
	l.report(problems...)
	if err != nil {
		return err
	}
	var environments []*source
	sources = slices.DeleteFunc(sources, func(s *source) bool {
		if s.path == environmentsFile {
			environments = append(environments, s)
		}
		return s.path == environmentsFile
	})
	if l.root, err = l.share(ctx, ".", sources, l.root); err != nil || len(environments) == 0 {
		return err
	}
	n, problems, err := l.value(ctx, &unit{kind: environmentUnit, dir: ".", files: environments}, l.root)
	l.report(problems...)
	if err != nil || n == nil {
		l.lost[environmentsFile] = true
		return err
	}
	l.lost[environmentsFile] = len(n.Wrong) > 0
	var b binder
	f.Environments = b.environments(n)
	l.report(b.problems...)
	return nil
}

// environmentsFile is the file at the top that declares environments.
const environmentsFile = "environments.cue"

// share returns what a directory's files, with what is shared above it, give to
// the directories under it.
func (l *loader) share(ctx context.Context, dir string, files []*source, above *shared) (*shared, error) {
	var own []*source
	constrains := false
	for _, s := range files {
		if keep, narrows := l.sharedFile(s); keep {
			own = append(own, s)
			constrains = constrains || narrows
		}
	}
	return above.below(own, constrains), l.checkShared(ctx, dir, own, above)
}

// sharedFile reports whether a file above the units has anything to give them,
// and whether that narrows what the schema allows.
func (l *loader) sharedFile(s *source) (keep, constrains bool) {
	if len(s.data) > maxInPlace {
		return true, true // it is parsed where a recursion without end does no harm
	}
	if problems := s.parse("fleet"); len(problems) > 0 {
		l.report(problems...)
		return false, false
	}
	if tiesOnly(s, ties, l.module) {
		return false, false
	}
	data := regularFields(s)
	l.report(data...)
	return len(data) == 0, slices.ContainsFunc(s.syntax.Decls, func(d ast.Decl) bool { return narrows(s, d) })
}

// narrows reports whether a declaration is one of fleet.cue's of what a field of
// others may be.
func narrows(s *source, d ast.Decl) bool {
	f, ok := d.(*ast.Field)
	return ok && s.path == "fleet.cue" && f.Constraint == token.OPTION
}

// checkShared evaluates shared files by themselves, so that a mistake in one is
// found where it stands and not only where it is used.
func (l *loader) checkShared(ctx context.Context, dir string, own []*source, above *shared) error {
	if len(own) == 0 {
		return nil
	}
	u := &unit{kind: sharedUnit, dir: dir, files: own, shared: above.files, constrained: true}
	problems, err := l.resolve(u)
	if err != nil || len(problems) > 0 {
		l.report(problems...)
		return err
	}
	_, problems, err = l.byCUE(ctx, u)
	l.report(problems...)
	return err
}
