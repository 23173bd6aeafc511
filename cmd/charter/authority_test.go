package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const authority = "../../examples/authority"

// Every command of a page on authority is run, and every line of output that it
// shows comes as a whole. The pages begin where founding.md ends.
func TestAuthority(t *testing.T) {
	pages, err := filepath.Glob(authority + "/*.md")
	if err != nil || len(pages) < 9 {
		t.Fatal(pages, err)
	}
	bin := filepath.Join(t.TempDir(), "bin")
	for _, pkg := range []string{"../charter", "../../examples/ehr"} {
		if _, err := builder(bin, pkg)(); err != nil {
			t.Fatal(err)
		}
	}
	platform, founding := blocks(t, authority+"/README.md"), blocks(t, authority+"/founding.md")
	for _, page := range pages {
		name := filepath.Base(page)
		before := append(platform[:len(platform):len(platform)], founding...)
		switch name {
		case "README.md", "threats.md":
			continue
		case "founding.md":
			before = platform
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runAuthority(t, bin, before, blocks(t, page))
		})
	}
}

// runAuthority runs the commands of a page in one shell, after those that come
// before it.
func runAuthority(t *testing.T, bin string, before, page []block) {
	const mark = "--- next ---"
	script := "set -eu\ntrap 'kill $(jobs -p)' EXIT\n"
	for _, b := range before {
		script += runnable(t, b)
	}
	var shown []string
	for _, b := range page {
		switch {
		case b.kind == "text" && len(shown) > 0:
			shown[len(shown)-1] += b.text
			continue
		case b.kind == "sh":
			script += "echo '" + mark + "'\n"
			shown = append(shown, "")
		}
		script += runnable(t, b)
	}
	dir := t.TempDir()
	cmd := exec.Command("bash", "-c", strings.ReplaceAll(script, "8099", freePort(t)))
	cmd.Dir = dir
	cmd.Env = []string{"HOME=" + dir, "PATH=" + bin + ":" + os.Getenv("PATH"),
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.org"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	parts := strings.Split(string(out), mark+"\n")[1:]
	for i, want := range shown {
		comes(t, want, parts[i])
	}
}

// runnable is what a shell does with a block; nothing where it only shows.
func runnable(t *testing.T, b block) string {
	t.Helper()
	file, isFile := strings.CutPrefix(b.kind, "cue ")
	switch {
	case isFile:
		return "cat > " + file + " <<'CUE'\n" + b.text + "CUE\n"
	case b.kind == "sh":
		return b.text
	case b.kind == "text":
		return ""
	}
	t.Fatalf("a block of %q", b.kind)
	return ""
}

// comes holds lines that a page shows against what was printed: each is there, and
// is there as a whole, whichever way round. An ellipsis stands for whatever differs
// from run to run.
func comes(t *testing.T, shown, printed string) {
	t.Helper()
	left := strings.Split(printed, "\n")
	for want := range strings.Lines(shown) {
		want = strings.TrimSpace(want)
		line := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(want), "…", ".*") + "$")
		i := slices.IndexFunc(left, func(l string) bool { return line.MatchString(strings.TrimSpace(l)) })
		if i < 0 {
			t.Errorf("%q does not come in\n%s", want, printed)
			continue
		}
		left = slices.Delete(left, i, i+1)
	}
}
