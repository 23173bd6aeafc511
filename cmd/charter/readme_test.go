package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadmesFirstPlan does what README.md tells a newcomer to do, word for
// word: what is set as code in "Your first plan" is run by a shell, in order.
// Only the port is another one, and the line that a person adds to a file is
// added here.
func TestReadmesFirstPlan(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("NOT TESTED: the README's commands need curl, which this machine has not")
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(readme), "\n## Your first plan\n")
	section, _, found := strings.Cut(section, "\n## ")
	if !found {
		t.Fatal(`README.md has no section "Your first plan"`)
	}
	dir := t.TempDir()
	bin := filepath.Join(dir, "bin")
	for _, pkg := range []string{"../charter", "../../examples/ehr"} {
		if _, err := builder(bin, pkg)(); err != nil {
			t.Fatal(err)
		}
	}
	script := "set -eu\ntrap 'kill $(jobs -p)' EXIT\n" + strings.ReplaceAll(commands(t, section), "8099", freePort(t))
	cmd := exec.Command("bash", "-c", script)
	cmd.Dir = dir
	cmd.Env = []string{"HOME=" + dir, "PATH=" + bin + ":" + os.Getenv("PATH"), "CHARTER_PASSWORD=correct horse",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.org"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text := string(out)
	for _, want := range []string{"1 to grant, 0 to change, 0 to revoke", "me approves it", "Apply: 1 done of 1 batch.\n200\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("the output has no %q", want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

// commands returns what is set as code in a text, with the CUE in it turned into
// the edit that a person would make.
func commands(t *testing.T, section string) string {
	t.Helper()
	var script strings.Builder
	edited := false
	for line := range strings.Lines(section) {
		code, ok := strings.CutPrefix(line, "    ")
		switch {
		case !ok, strings.HasPrefix(code, "make build"), strings.HasPrefix(code, "export PATH="):
		case strings.HasPrefix(code, "grants:"):
			edited = true
			script.WriteString("sed -i 's|^\tadmins|\t" + strings.TrimSpace(code) + "\\n&|' fleet/tenants/lakeside-clinic/tenant.cue\n")
		case strings.HasPrefix(code, "ehr "):
			script.WriteString(code + "until curl -s -o /dev/null http://127.0.0.1:8099/healthz; do sleep 0.1; done\n")
		default:
			script.WriteString(code)
		}
	}
	if !edited {
		t.Fatal("the README shows no line to add to the tenant's file")
	}
	return script.String()
}

// freePort is for what must be told a port before it listens.
func freePort(t interface{ Fatalf(string, ...any) }) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("%v", err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatalf("%v", err)
	}
	return port
}

// A command that the README does not name is one that nobody finds.
func TestReadmeNamesEveryCommand(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, cmd := range (&app{}).rootCommand().Commands() {
		if name := cmd.Name(); name != "help" && !strings.Contains(string(readme), "`charter "+name) {
			t.Errorf("the README does not name charter %s", name)
		}
	}
}
