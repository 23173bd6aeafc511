package schema_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/veonahealth/charter/schema"
)

// fleet returns the base fleet with further files; an empty one is taken away.
func fleet(t testing.TB, files map[string]string) fstest.MapFS {
	t.Helper()
	archive := &txtar.Archive{}
	for name, data := range files {
		archive.Files = append(archive.Files, txtar.File{Name: name, Data: []byte(data)})
	}
	return treeOf(t, archive)
}

// lines are the first lines of what is said of a fleet: places, messages, codes.
func lines(problems schema.Problems) string {
	var b strings.Builder
	for _, p := range problems {
		fmt.Fprintf(&b, "%s: %s [%s]\n", p.Pos, p.Message, p.Code)
	}
	return b.String()
}

func expect(t *testing.T, problems schema.Problems, want ...string) {
	t.Helper()
	compare(t, "", strings.Join(append(want, ""), "\n"), lines(problems))
}

const (
	isLink   = "a symbolic link may not stand here: what it leads to is not in the commit's hand [CH0111]"
	isModule = "a submodule may not stand here: its content is not in the commit [CH0111]"
	isOdd    = "a special file may not stand here [CH0111]"
)

func TestNothingButFilesAndDirectoriesMayStandAmongDeclarations(t *testing.T) {
	files := fleet(t, nil)
	for name, mode := range map[string]fs.FileMode{
		"tenants/link":               fs.ModeSymlink,
		"tenants/kisumu/link.cue":    fs.ModeSymlink,
		"tenants/kisumu/README.md":   fs.ModeSymlink,
		"tenants/module":             fs.ModeIrregular,
		"tenants/kisumu/pipe.cue":    fs.ModeNamedPipe,
		"organisations/link.cue":     fs.ModeSymlink,
		"organisations/device":       fs.ModeDevice,
		"catalog/link.cue":           fs.ModeSymlink,
		"schema/link.cue":            fs.ModeSymlink,
		"policy":                     fs.ModeSymlink,
		"holds":                      fs.ModeIrregular,
		"link.cue":                   fs.ModeSymlink,
		"README.md":                  fs.ModeSymlink, // which is not charter's
		"vendor":                     fs.ModeIrregular,
		"tenants/west/east/link.cue": fs.ModeSymlink,
	} {
		files[name] = &fstest.MapFile{Mode: mode, Data: []byte("package fleet\n")}
	}
	problems := load(t, files, schema.Options{}).problems
	expect(t, problems,
		"catalog/link.cue: "+isLink,
		"holds: "+isModule,
		"link.cue: "+isLink,
		"organisations/device: "+isOdd,
		"organisations/link.cue: "+isLink,
		"policy: "+isLink,
		"schema/link.cue: "+isLink,
		"tenants/kisumu/README.md: "+isLink,
		"tenants/kisumu/link.cue: "+isLink,
		"tenants/kisumu/pipe.cue: "+isOdd,
		"tenants/link: "+isLink,
		"tenants/module: "+isModule,
		"tenants/west/east/link.cue: "+isLink,
	)
	kept := &memory{}
	for range 2 { // as a directory that is known is not listed again
		again := load(t, newHashed(files), schema.Options{Cache: kept}).problems
		compare(t, "kept: ", lines(problems), lines(again))
	}
}

func TestDirectoriesMayNotBeNestedWithoutEnd(t *testing.T) {
	deep := strings.Repeat("a/", 40)
	for _, name := range []string{"tenants/" + deep + "kisumu/t.cue", "tenants/kisumu/" + deep + "README", "organisations/" + deep + "README"} {
		_, err := schema.Load(t.Context(), fleet(t, map[string]string{name: "package fleet\n"}), schema.Options{})
		if err == nil || !strings.Contains(err.Error(), "directories are nested too deeply") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

const kisumu = "tenants/kisumu/tenant.cue"

func TestTextIsReadAsCUEReadsIt(t *testing.T) {
	files := fleet(t, nil)
	plain := string(files[kisumu].Data)
	want := verdict(load(t, files, schema.Options{})).text
	for name, text := range map[string]string{
		"a byte order mark":        "\ufeff" + plain,
		"line ends of two bytes":   strings.ReplaceAll(plain, "\n", "\r\n"),
		"no line end":              strings.TrimRight(plain, "\n"),
		"a comment of any letters": "// \u202e\u0007é\n" + plain,
	} {
		files[kisumu] = &fstest.MapFile{Data: []byte(text)}
		compare(t, name+": ", want, verdict(load(t, files, schema.Options{})).text)
	}
	mistaken := strings.Replace(plain, `"hospital"`, `"hospitl" // é`, 1)
	for name, c := range map[string]struct{ text, want string }{
		"a byte that is no letter": {strings.Replace(plain, "County", "C\x00unty", 1), "illegal character NUL [CH0101]"},
		"bytes that are no text":   {strings.Replace(plain, "County", "C\xffunty", 1), "illegal UTF-8 encoding [CH0101]"},
		"a mark in the middle":     {strings.Replace(plain, "County", "C\ufeffunty", 1), "illegal byte order mark [CH0101]"},
		"a line end of two bytes":  {strings.ReplaceAll(mistaken, "\n", "\r\n"), kisumu + `:7:16: unknown edition "hospitl" [CH0103]`},
	} {
		files[kisumu] = &fstest.MapFile{Data: []byte(c.text)}
		problems := load(t, files, schema.Options{}).problems
		if len(problems) == 0 || !strings.Contains(lines(problems[:1]), c.want) {
			t.Errorf("%s: got %s", name, lines(problems))
		}
		for _, p := range problems {
			if strings.ContainsAny(p.Source, "\r\n") || len(p.Source) > 500 {
				t.Errorf("%s: its line is %q", name, p.Source)
			}
		}
	}
}

// huge is a file of any size that nobody may read.
type huge struct {
	fs.FS
	name string
	size int64
	mu   sync.Mutex
	read int64
}

func (h *huge) Open(name string) (fs.File, error) {
	f, err := h.FS.Open(name)
	if err == nil && name == h.name {
		f = &hugeFile{f, h}
	}
	return f, err
}

type hugeFile struct {
	fs.File
	huge *huge
}

func (f *hugeFile) Stat() (fs.FileInfo, error) {
	info, err := f.File.Stat()
	return hugeInfo{info, f.huge.size}, err
}

func (f *hugeFile) Read(p []byte) (int, error) {
	f.huge.mu.Lock()
	defer f.huge.mu.Unlock()
	f.huge.read += int64(len(p))
	return len(p), nil // without end
}

type hugeInfo struct {
	fs.FileInfo
	size int64
}

func (i hugeInfo) Size() int64 { return i.size }

func TestAFileOverItsBudgetIsNotRead(t *testing.T) {
	const tooLarge = "the file is larger than 1048576 bytes [CH0115]"
	for name, size := range map[string]int64{"it says its size": 50 << 20, "it says that it is empty": 0} {
		files := &huge{FS: fleet(t, nil), name: kisumu, size: size}
		expect(t, load(t, files, schema.Options{}).problems, kisumu+": "+tooLarge)
		if most := int64(4 << 20); files.read > most {
			t.Errorf("%s: %d bytes are read", name, files.read)
		}
	}
}

func TestFilesMayHaveAMebibyte(t *testing.T) {
	const most = 1 << 20
	filled := func(plain string, size int) string { return plain + strings.Repeat("/", size-len(plain)) }
	base := fleet(t, nil)
	for _, name := range []string{kisumu, "organisations/lakeside.cue", "catalog/catalog.cue"} {
		text := string(base[name].Data)
		if r := load(t, fleet(t, map[string]string{name: filled(text, most)}), schema.Options{}); r.fleet == nil {
			t.Errorf("%s of %d bytes: %s", name, most, lines(r.problems))
		}
		problems := load(t, fleet(t, map[string]string{name: filled(text, most+1)}), schema.Options{}).problems
		expect(t, problems, name+": the file is larger than 1048576 bytes [CH0115]")
	}
	files := map[string]string{}
	for i := range 9 {
		files[fmt.Sprintf("tenants/kisumu/%d.cue", i)] = filled("package fleet\n", most)
	}
	expect(t, load(t, fleet(t, files), schema.Options{}).problems,
		"tenants/kisumu/8.cue: the files of tenants/kisumu are larger than 8388608 bytes together [CH0115]")
}

// However long what somebody wrote is, what is said of it is not.
func TestMessagesAreShort(t *testing.T) {
	long := strings.Repeat("long", 15_000)
	hold := func(key string) string {
		return "package fleet\nhold: " + key + ": {tenant: \"kisumu\", owner: \"o\", reason: \"r\", until: \"2027-01-01\"}\n"
	}
	for _, files := range []map[string]string{
		{kisumu: "package " + long + "\n"},
		{kisumu: "package fleet\n" + long + ": 1\n"},
		{kisumu: "package fleet\ntenant: " + long + ": " + long + ": 1\n"},
		{kisumu: "package fleet\ntenant: name: " + long + "\n"},
		{kisumu: "package fleet\ntenant: {hosting: \"" + long + "\", id: \"" + long + "\", facilities: \"" + long + "\": beds: \"" + long + "\"}\n"},
		{kisumu: "package fleet\ntenant: id: \"" + long + "\"\ntenant: id: \"kisumu\"\ntenant: " + long + ": {}\ntenant: " + long + ": 1\n"},
		{kisumu: "package fleet\n_x: 1\ntenant: id: \"" + long + "\" & \"kisumu\"\n"},
		{kisumu: "package fleet\nimport \"" + long + "\"\n"},
		{kisumu: "package fleet\nimport \"example.com/" + long + "\"\n"},
		{"tenants/kisumu/more.cue": "package fleet\ntenant: {timezone: \"" + long + "\", facilities: main: beds: " + strings.Repeat("9", 60_000) + "}\n"},
		{"tenants/kisumu/more.cue": "package fleet\ntenant: facilities: main: beds: -" + strings.Repeat("9", 60_000) + "\n"},
		{"holds/a.cue": hold(long), "holds/b.cue": hold(long)},
		{"schema/schema.cue": "package schema\nversion: \"" + long + "\"\n"},
		{"catalog/more.cue": "package catalog\nmodules: ward: {name: \"W\", routes: [\"" + long + "\"]}\n"},
		{"catalog/more.cue": "package catalog\n@" + long + "(x)\n@embed(" + long + ")\n"},
	} {
		problems := load(t, fleet(t, files), schema.Options{}).problems
		if len(problems) == 0 {
			t.Errorf("no problems of %.80v", files)
		}
		for _, p := range problems {
			if len(p.Message) > 1000 || len(p.Source) > 1000 || len(p.Hint) > 1000 {
				t.Errorf("%s: %d bytes: %.100s", p.Pos, len(p.Message)+len(p.Source)+len(p.Hint), p.Message)
			}
		}
	}
}

// A file with as many mistakes as it has lines costs no more than in proportion
// to its size: squared, this would not end.
func TestAHundredThousandMistakesComeOut(t *testing.T) {
	const many = 100_000
	var text strings.Builder
	text.WriteString("package fleet\n")
	for i := range many {
		fmt.Fprintf(&text, "x%d:1\n", i)
	}
	problems := load(t, fleet(t, map[string]string{"tenants/kisumu/more.cue": text.String()}), schema.Options{}).problems
	if len(problems) != many {
		t.Fatalf("%d problems", len(problems))
	}
	last := problems[many-1]
	if last.Pos.Line != many+1 || last.Source != fmt.Sprintf("x%d:1", many-1) {
		t.Errorf("the last is %+v", last)
	}
}

// broken is a file system on which some names cannot be read.
type broken struct {
	fstest.MapFS
	name string
}

var errBroken = errors.New("disk on fire")

func (b broken) Open(name string) (fs.File, error) {
	if name == b.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errBroken}
	}
	return b.MapFS.Open(name)
}

func (b broken) ReadDir(name string) ([]fs.DirEntry, error) {
	if name == b.name {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errBroken}
	}
	return b.MapFS.ReadDir(name)
}

// A tree that cannot be read is no tree with mistakes.
func TestWhatCannotBeReadIsAnErrorAndNoProblem(t *testing.T) {
	files := fleet(t, map[string]string{
		"environments.cue": "package fleet\nenvironments: default: {}\n", "schema/schema.cue": "package schema\n", "lib/lib.cue": "package lib\nx: 1\n",
		"tenants/west/shared.cue": "package fleet\nimport \"veonahealth.com/fleet/lib\"\n_x: lib.x\n", "tenants/west/homabay/t.cue": "package fleet\n",
		"holds/h.cue": "package fleet\n", "tests/t.cue": "package fleet\n", "policy/p.cue": "package policy\n",
	})
	names := slices.Collect(maps.Keys(files))
	for name := range files {
		for dir := name; strings.Contains(dir, "/"); {
			dir = dir[:strings.LastIndex(dir, "/")]
			if dir != "cue.mod" { // in which one file is of interest
				names = append(names, dir)
			}
		}
	}
	for _, name := range append(names, ".") {
		fleet, err := schema.Load(t.Context(), broken{files, name}, schema.Options{})
		var problems schema.Problems
		if !errors.Is(err, errBroken) || errors.As(err, &problems) || fleet != nil {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
