package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const tasks = "../../examples/tasks"

// Every command of a task's page is run, one page after the other on a platform
// of its own, and every line of output that it shows must come.
func TestTasks(t *testing.T) {
	pages, err := filepath.Glob(tasks + "/*.md")
	if err != nil || len(pages) < 10 {
		t.Fatal(pages, err)
	}
	bin := filepath.Join(t.TempDir(), "bin")
	for _, pkg := range []string{"../charter", "../../examples/ehr"} {
		if _, err := builder(bin, pkg)(); err != nil {
			t.Fatal(err)
		}
	}
	ship := ""
	for _, b := range blocks(t, tasks+"/README.md") {
		ship += b.text
	}
	for _, page := range pages {
		if name := filepath.Base(page); name != "README.md" {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				runPage(t, page, bin, ship)
			})
		}
	}
}

// block is what a page sets as code: of sh, of text that sh printed, or of a file
// of CUE.
type block struct{ kind, text string }

func blocks(t *testing.T, page string) []block {
	t.Helper()
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var list []block
	open := false
	for line := range strings.Lines(string(data)) {
		kind, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && !open:
			list = append(list, block{kind: strings.TrimSpace(kind)})
			open = true
		case fence:
			open = false
		case open:
			list[len(list)-1].text += line
		}
	}
	return list
}

// runPage runs the commands of a page in one shell, which marks where the output
// of each begins.
func runPage(t *testing.T, page, bin, ship string) {
	const mark = "--- next ---"
	dir := t.TempDir()
	script := strings.ReplaceAll(prelude, "PORT", freePort(t)) + ship + "charter plan -C fleet --out first.json; charter sign first.json --key me.key; charter apply first.json -C fleet --trusted-key me.pub\n"
	var shown []block
	for _, b := range blocks(t, page) {
		file, isFile := strings.CutPrefix(b.kind, "cue ")
		switch {
		case isFile:
			script += "cat > " + file + " <<'CUE'\n" + b.text + "CUE\n"
		case b.kind == "sh":
			script += "echo " + mark + "\n" + b.text
			shown = append(shown, block{text: ""})
		case b.kind == "text" && len(shown) > 0:
			shown[len(shown)-1].text += b.text
		default:
			t.Fatalf("a block of %q", b.kind)
		}
	}
	cmd := exec.Command("bash", "-c", script)
	cmd.Dir = dir
	cmd.Env = []string{"HOME=" + dir, "PATH=" + bin + ":" + os.Getenv("PATH"), "CHARTER_PASSWORD=correct horse",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.org"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	parts := strings.Split(string(out), mark+"\n")[1:]
	for i, b := range shown {
		for line := range strings.Lines(b.text) {
			if line = strings.TrimSpace(line); !strings.Contains(parts[i], line) {
				t.Errorf("%q is not in\n%s", line, parts[i])
			}
		}
	}
}

const prelude = `set -eu
echo '{"s3cret": {"actor": "you", "roles": ["super_admin"]}}' > tokens.json
ehr --listen 127.0.0.1:PORT --db ehr.db --tokens tokens.json --outbox outbox 2> ehr.log &
trap 'kill $(jobs -p)' EXIT
export CHARTER_EHR=http://127.0.0.1:PORT CHARTER_TOKEN=s3cret
until curl -s -o /dev/null $CHARTER_EHR/healthz; do sleep 0.1; done
charter init fleet
charter keygen --out me
`
