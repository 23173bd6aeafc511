package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/veonahealth/charter/reconcile/forge"
	"github.com/veonahealth/charter/reconcile/forge/forgetest"
)

const (
	authority    = "../../examples/authority"
	pullRequests = "../../examples/pull-requests"
)

// Every command of a page on authority, or on pull requests, is run, and every line
// of output that it shows comes as a whole. The pages begin where founding.md ends,
// each in a copy of what that has left, so that each can be read alone.
func TestAuthority(t *testing.T) {
	pages, err := filepath.Glob(authority + "/*.md")
	if err != nil || len(pages) < 15 {
		t.Fatal(pages, err)
	}
	bin := filepath.Join(t.TempDir(), "bin")
	for _, pkg := range []string{"../charter", "../../examples/ehr"} {
		if _, err := builder(bin, pkg)(); err != nil {
			t.Fatal(err)
		}
	}
	founded := shell{dir: t.TempDir(), bin: bin, port: freePort(t)}
	platform := blocks(t, authority+"/README.md")
	founded.run(t, script(t, platform), blocks(t, authority+"/founding.md"), "{ declare -f; declare -p ${!CHARTER_*}; } > state\nstop\n")
	for _, page := range pages {
		name := filepath.Base(page)
		switch name {
		case "README.md", "threats.md", "founding.md":
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := founded.copy(t)
			s.run(t, resumed, blocks(t, page), "")
		})
	}
	for _, kind := range []forge.Kind{forge.GitHub, forge.Gitea, forge.GitLab} {
		t.Run("pull request on "+string(kind), func(t *testing.T) {
			t.Parallel()
			s := founded.copy(t)
			f := forgetest.New(t, kind)
			f.Job = kind != forge.GitLab
			has := fmt.Sprintf("FORGE=%s FORGE_TOKEN=%s FORGE_READER_TOKEN=%s\n", f.API(), forgetest.Token, forgetest.ReaderToken)
			s.run(t, has+resumed, blocks(t, pullRequests+"/"+string(kind)+".md"), "")
		})
	}
}

// resumed goes on where founding.md ends.
const resumed = "source ./state\ngit -C fleet remote set-url origin $PWD/origin.git\nstart\n"

// shell is where the commands of a page are run.
type shell struct{ dir, bin, port string }

// copy gives a shell what another one has left, with a port of its own.
func (s shell) copy(t *testing.T) shell {
	t.Helper()
	c := shell{dir: t.TempDir(), bin: s.bin, port: freePort(t)}
	if err := os.CopyFS(c.dir, os.DirFS(s.dir)); err != nil {
		t.Fatal(err)
	}
	state, err := os.ReadFile(filepath.Join(s.dir, "state"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.dir, "state"), bytes.ReplaceAll(state, []byte(s.port), []byte(c.port)), 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

// run runs the commands of a page in one shell, between others, and holds what they
// print against what it shows.
func (s shell) run(t *testing.T, before string, page []block, after string) {
	t.Helper()
	const mark = "--- next ---"
	commands := "set -eu\ntrap 'kill $(jobs -p) 2> /dev/null || true' EXIT\n" + before
	var shown []string
	for _, b := range page {
		switch {
		case b.kind == "text" && len(shown) > 0:
			shown[len(shown)-1] += b.text
			continue
		case b.kind == "sh":
			commands += "echo '" + mark + "'\n"
			shown = append(shown, "")
		}
		commands += runnable(t, b)
	}
	cmd := exec.Command("bash", "-c", strings.ReplaceAll(commands+after, "8099", s.port))
	cmd.Dir = s.dir
	cmd.Env = []string{"HOME=" + s.dir, "PATH=" + s.bin + ":" + os.Getenv("PATH"),
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

// script is what a shell does with all blocks of a page.
func script(t *testing.T, page []block) string {
	t.Helper()
	text := ""
	for _, b := range page {
		text += runnable(t, b)
	}
	return text
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
