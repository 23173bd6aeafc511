package schema

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/parser"
	"golang.org/x/sync/errgroup"

	"github.com/veonahealth/charter/catalog"
)

// DefaultModule is the CUE module of a fleet that does not say.
const DefaultModule = "veonahealth.com/fleet"

// maxInPlace is the size in bytes up to which a file is parsed in this process:
// the parser recurses, and no file of this size can exhaust the stack.
const maxInPlace = 64 << 10

// Cache keeps evaluations between runs. Its methods are called from many
// goroutines. What it loses is evaluated again; what it returns must be what was
// put.
type Cache interface {
	Get(Key) ([]byte, bool)
	Put(Key, []byte)
}

// Options say how to load.
type Options struct {
	// Cache keeps evaluations, or is nil.
	Cache Cache
	// Identity names the program that evaluates, so that another build of it
	// does not read what this one kept. It is only used with a Cache.
	Identity string
	// Sandbox evaluates what is more than plain data. Where it is nil, this
	// process does, without a budget: for tests, and for trusted files.
	Sandbox *Sandbox
	// Keys reads the keys of a policy. Where it is nil, they are taken as they
	// stand: for tests, and for those who only read declarations.
	Keys Keys
	// Parallelism is how many tenants are evaluated at once; 0 is one a core.
	Parallelism int
}

// Fleet is what a file tree declares, and the warnings it may give.
type Fleet struct {
	catalog.Desired
	Evaluated int // how many tenants were evaluated and not taken from the cache

	edited []Problem // warnings that no time changes
	notes  [][]note
}

// Warnings returns what is not a mistake but looks like one at a time, sorted.
func (f *Fleet) Warnings(now time.Time) Problems {
	warnings := slices.Concat(Problems(f.edited), holdWarnings(f.Holds, now), leavingWarnings(&f.PolicyData, now), revokedWarnings(&f.PolicyData, now))
	for _, notes := range f.notes {
		for i := range notes {
			if p, ok := notes[i].at(now); ok {
				warnings = append(warnings, p)
			}
		}
	}
	return warnings.sorted()
}

// loader reads one file tree.
type loader struct {
	files  fs.FS
	opts   Options
	eval   evaluator
	module string
	top    []entry         // the tree's top, without what charter has nothing to do with
	root   *shared         // what the top's CUE files share
	lost   map[string]bool // folders and files at the top of which not all could be read, or not a whole field

	policy  *node            // nil where there is none, or it could not be read
	catalog *catalog.Catalog // nil where there is none that can be judged by
	sound   bool             // the catalogue has no mistakes

	mu        sync.Mutex
	problems  Problems
	packages  map[string][]*source // of the module, by import path, once read
	wrong     map[string]bool      // ids of tenants, and names of their directories, that hold mistakes
	evaluated int
}

func newLoader(files fs.FS, o Options) *loader {
	if o.Parallelism == 0 {
		o.Parallelism = runtime.GOMAXPROCS(0)
	}
	l := &loader{
		files: files, opts: o, eval: o.Sandbox, module: DefaultModule, root: &shared{},
		lost: map[string]bool{}, packages: map[string][]*source{}, wrong: map[string]bool{},
	}
	if o.Sandbox == nil {
		l.eval = newInPlace(o.Parallelism)
	}
	return l
}

// Load evaluates and checks everything that a file tree declares. Where there
// are mistakes it returns Problems, all of them, as its error; any other error
// means that the tree could not be read.
func Load(ctx context.Context, files fs.FS, o Options) (*Fleet, error) {
	l := newLoader(files, o)
	fleet, err := l.load(ctx)
	if err != nil {
		return nil, err
	}
	if len(l.problems) > 0 {
		return nil, l.explained()
	}
	return fleet, nil
}

func (l *loader) load(ctx context.Context) (*Fleet, error) {
	f := &Fleet{}
	if err := l.readTop(); err != nil || l.noFleet() {
		return nil, err
	}
	for _, step := range []func(context.Context, *Fleet) error{
		l.readModule, l.readSchema, l.readRoot,
		l.loadCatalogue, l.loadPolicy, l.loadOrganisations, l.loadTenants, l.loadHolds, l.loadTests, l.bindPolicy,
	} {
		if err := step(ctx, f); err != nil {
			return nil, err
		}
	}
	if len(f.Tenants) == 0 && len(f.Organisations) == 0 && len(l.problems) == 0 {
		p := problemf(Shape, catalog.Position{File: "tenants"}, "the fleet declares nothing")
		p.Hint = layOut
		l.report(p)
	}
	f.Evaluated = l.evaluated
	return f, nil
}

// report adds problems.
func (l *loader) report(problems ...Problem) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.problems = append(l.problems, problems...)
}

// explained sorts the problems and gives each the line that it points at.
func (l *loader) explained() Problems {
	problems := l.problems.sorted()
	var lines lineReader
	for i := range problems {
		pos := problems[i].Pos
		if pos.Line == 0 {
			continue
		}
		if lines.file != pos.File {
			lines = lineReader{file: pos.File}
			if s, _, _ := readSource(l.files, pos.File); s != nil { // only a picture is lost
				lines.rest = s.data
			}
		}
		problems[i].Source = lines.line(pos.Line)
	}
	return problems
}

// lineReader reads lines of a file by their numbers, in ascending order: there
// may be as many problems as there are lines.
type lineReader struct {
	file   string
	rest   []byte // from the line passed on
	passed int    // lines before rest
}

// line returns a line by its number, cut to what a terminal can show.
func (r *lineReader) line(number int) string {
	const most = 400
	for ; r.passed < number-1; r.passed++ {
		_, r.rest, _ = bytes.Cut(r.rest, []byte("\n"))
	}
	line, _, _ := bytes.Cut(r.rest, []byte("\n"))
	line = bytes.TrimRight(line, "\r")
	return strings.ToValidUTF8(string(line[:min(len(line), most)]), "�")
}

// readModule learns the path of the fleet's CUE module.
func (l *loader) readModule(context.Context, *Fleet) error {
	if _, ok := l.exists("cue.mod"); !ok {
		return nil
	}
	s, problems, err := readSource(l.files, "cue.mod/module.cue")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	l.report(problems...)
	if s == nil || len(s.data) > maxInPlace {
		return nil
	}
	if s.syntax, err = parser.ParseFile(s.path, s.data); err != nil {
		l.report(s.syntaxProblems(err)...)
		return nil
	}
	if top, _, err := readPlain([]*source{s}); err == nil && top.text("module") != "" {
		l.module, _, _ = strings.Cut(top.text("module"), "@")
	}
	return nil
}

// readSchema warns of a copy of the schema that is not charter's, and refuses
// one that charter does not know.
func (l *loader) readSchema(_ context.Context, f *Fleet) error {
	if _, ok := l.exists("schema"); !ok {
		return nil
	}
	entries, problems, err := l.list("schema")
	if err != nil {
		return err
	}
	sources, more, err := l.cueFiles(entries)
	if err != nil {
		return err
	}
	l.report(append(problems, more...)...)
	if len(sources) == 1 && bytes.Equal(sources[0].data, definitions) {
		return nil
	}
	for _, s := range sources {
		if version := versionOf(s); version != "" && version != Version {
			p := problemf(Shape, catalog.Position{File: s.path}, "the schema is of version %s, and this charter knows %s", quoted(version), Version)
			p.Hint = "use a charter that knows it"
			l.report(p)
			return nil
		}
	}
	p := problemf(EditedSchema, catalog.Position{File: "schema"}, "the copy of the schema is not charter's own, which is what counts")
	p.Hint = "restore it from charter init, so that cue and charter agree"
	f.edited = append(f.edited, p)
	return nil
}

// versionOf returns the version that a schema file bears, or "".
func versionOf(s *source) string {
	if len(s.data) > maxInPlace {
		return ""
	}
	file, err := parser.ParseFile(s.path, s.data)
	if err != nil {
		return ""
	}
	for _, decl := range file.Decls {
		if f, ok := decl.(*ast.Field); ok {
			if name, _, err := ast.LabelName(f.Label); err == nil && name == "version" {
				if lit, ok := f.Value.(*ast.BasicLit); ok {
					return strings.Trim(lit.Value, `"`)
				}
			}
		}
	}
	return ""
}

// value evaluates a unit, in place where it is plain data. Where there are
// problems, the node is what is right, or nil.
func (l *loader) value(ctx context.Context, u *unit, s *shared) (*node, Problems, error) {
	u.shared, u.constrained = s.files, s.constrains
	small := true
	var problems Problems
	for _, f := range u.files {
		small = small && len(f.data) <= maxInPlace
	}
	for _, f := range u.files {
		if small {
			problems = append(problems, f.parse(u.kind.Pkg)...)
		} else {
			problems = append(problems, f.parse(u.kind.Pkg, parser.ImportsOnly)...)
		}
	}
	if len(problems) > 0 {
		return nil, problems, nil
	}
	if small && !s.constrains {
		if n, problems, err := u.plain(); err == nil {
			return n, problems, nil
		}
	}
	if problems, err := l.resolve(u); err != nil || len(problems) > 0 {
		return nil, problems, err
	}
	return l.byCUE(ctx, u)
}

// byCUE evaluates a unit by CUE, unless the same was evaluated before.
func (l *loader) byCUE(ctx context.Context, u *unit) (*node, Problems, error) {
	key := KeyOf(l.opts.Identity, "node", u.kind.Pkg, u.kind.Needed, u.dir, l.module,
		contentOf(u.files), contentOf(u.shared), packagesOf(u.packages))
	if l.opts.Cache != nil {
		if kept, ok := l.opts.Cache.Get(key); ok {
			n := &node{}
			if err := json.Unmarshal(kept, n); err == nil && u.kind.fits(n) {
				return n, nil, nil
			}
		}
	}
	n, problems, err := l.eval.evaluate(ctx, u, l.module)
	if err != nil || len(problems) > 0 || l.opts.Cache == nil {
		return n, problems, err
	}
	if kept, err := json.Marshal(n); err == nil {
		l.opts.Cache.Put(key, kept)
	}
	return n, nil, nil
}

// packagesOf hashes the packages that a unit imports; "" for none.
func packagesOf(packages map[string][]*source) string {
	if len(packages) == 0 {
		return ""
	}
	var parts []string
	for _, p := range sortedKeys(packages) {
		parts = append(parts, p, contentOf(packages[p]))
	}
	key := KeyOf(parts...)
	return fmt.Sprintf("%x", key[:])
}

func sortedKeys[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }

// isSchema reports whether an import path is the schema's, which is judged by
// charter's own copy.
func isSchema(importPath, module string) bool {
	return ast.ParseImportPath(importPath).Path == module+"/schema"
}

// resolve reads the packages that a unit's files import, and refuses imports
// from outside the module.
func (l *loader) resolve(u *unit) (Problems, error) {
	u.packages = map[string][]*source{}
	var problems Problems
	queue := slices.Concat(u.files, u.shared)
	for len(queue) > 0 {
		file := queue[0]
		queue = queue[1:]
		for importPath, pos := range file.imports() {
			if isBuiltin(importPath) || isSchema(importPath, l.module) || u.packages[importPath] != nil {
				continue
			}
			files, fault, err := l.importable(importPath, pos)
			if err != nil {
				return nil, err
			}
			if len(fault) > 0 {
				problems = append(problems, fault...)
				continue
			}
			u.packages[importPath] = files
			queue = append(queue, files...)
		}
	}
	return problems, nil
}

// importable returns the files of a package of the fleet's own module.
func (l *loader) importable(importPath string, pos catalog.Position) ([]*source, Problems, error) {
	parsed := ast.ParseImportPath(importPath)
	dir, inside := strings.CutPrefix(parsed.Path, l.module+"/")
	if !inside || !fs.ValidPath(dir) || parsed.Qualifier == "fleet" {
		p := problemf(Forbidden, pos, "import %s is from outside the fleet", quoted(importPath))
		p.Hint = "CUE's own packages and those of module " + l.module + " may be imported"
		return nil, Problems{p}, nil
	}
	l.mu.Lock()
	files, read := l.packages[importPath]
	l.mu.Unlock()
	if read {
		return files, nil, nil
	}
	entries, problems, err := l.list(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Problems{problemf(Forbidden, pos, "import %s is not in the fleet", quoted(importPath))}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	files, more, err := l.cueFiles(entries)
	if problems = append(problems, more...); err != nil || len(problems) > 0 {
		return nil, problems, err
	}
	for _, f := range files {
		problems = append(problems, f.parse(parsed.Qualifier, parser.ImportsOnly)...)
	}
	if len(problems) > 0 {
		return nil, problems, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.packages[importPath] = files
	return files, nil, nil
}

// group runs a function for each item, as many at once as the options say. Few
// goroutines take item after item, as one for each would spend more on growing
// its stack than on a tenant that is known already.
func group[T any](ctx context.Context, parallelism int, items []T, do func(context.Context, int, T) error) error {
	g, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range min(parallelism, len(items)) {
		g.Go(func() error {
			for i := int(next.Add(1)) - 1; i < len(items); i = int(next.Add(1)) - 1 {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := do(ctx, i, items[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}
