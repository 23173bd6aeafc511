package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// A real Gitea is too heavy to build for every run, so it is opt-in:
//
//	CHARTER_GITEA       the program
//	CHARTER_GITEA_ROOT  its templates and options; the folder of its source will do

// condition lets scripts ask whether a real Gitea was given: [gitea].
func condition(name string) (bool, error) {
	if name != "gitea" {
		return false, fmt.Errorf("unknown condition %q", name)
	}
	return os.Getenv("CHARTER_GITEA") != "", nil
}

// giteaCommand is "gitea start", which starts one with the users owner and reviewer,
// and sets $GITEA, its URL, their tokens, $OWNER and $REVIEWER, and $SPARE_PORT; and "gitea TOKEN
// METHOD PATH [FILE]", which calls its API and prints the answer.
func giteaCommand(ts *testscript.TestScript, neg bool, args []string) {
	switch {
	case !neg && len(args) == 1 && args[0] == "start":
		startGitea(ts)
	case !neg && (len(args) == 3 || len(args) == 4):
		callGitea(ts, args[0], args[1], args[2], args[3:]...)
	default:
		ts.Fatalf("usage: gitea start | gitea TOKEN METHOD PATH [FILE]")
	}
}

func startGitea(ts *testscript.TestScript) {
	dir := ts.MkAbs("gitea")
	ts.Check(os.MkdirAll(dir, 0o755))
	port := freePort(ts)
	url := "http://127.0.0.1:" + port
	config := filepath.Join(dir, "app.ini")
	ts.Check(os.WriteFile(config, fmt.Appendf(nil, `RUN_USER = %s
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
WORK_PATH = %s
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = %s
ROOT_URL = %s/
STATIC_ROOT_PATH = %s
DISABLE_SSH = true
OFFLINE_MODE = true
[database]
DB_TYPE = sqlite3
[security]
INSTALL_LOCK = true
[webhook]
ALLOWED_HOST_LIST = *
[log]
LEVEL = warn
`, runUser(), dir, port, url, os.Getenv("CHARTER_GITEA_ROOT")), 0o600))
	gitea := func(args ...string) *exec.Cmd {
		cmd := exec.Command(os.Getenv("CHARTER_GITEA"), append([]string{"--config", config}, args...)...)
		cmd.Env = append(os.Environ(), "HOME="+dir)
		return cmd
	}
	run := func(args ...string) string {
		out, err := gitea(args...).Output()
		if err != nil {
			ts.Fatalf("gitea %q: %v\n%s", args, err, out)
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return lines[len(lines)-1]
	}
	run("migrate")
	for _, who := range []string{"owner", "reviewer"} {
		run("admin", "user", "create", "--username", who, "--random-password", "--email", who+"@example.org", "--must-change-password=false")
		ts.Setenv(strings.ToUpper(who), run("admin", "user", "generate-access-token", "--username", who, "--token-name", "charter", "--scopes", "all", "--raw"))
	}
	server := gitea("web")
	ts.Check(server.Start())
	ts.Defer(func() {
		_ = server.Process.Kill() // it may be gone already
		_ = server.Wait()
	})
	ts.Setenv("SPARE_PORT", freePort(ts))
	ts.Setenv("GITEA", url)
	ts.Setenv("GITEA_HOST", strings.TrimPrefix(url, "http://"))
	for range 300 {
		if answer, err := http.Get(url + "/api/v1/version"); err == nil {
			answer.Body.Close()
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	ts.Fatalf("gitea does not answer")
}

func runUser() string {
	if name := os.Getenv("USER"); name != "" {
		return name
	}
	return "root"
}

// callGitea asks again for a while where it answers 404: it learns of a push a
// moment after git has.
func callGitea(ts *testscript.TestScript, token, method, path string, file ...string) {
	body := ""
	if len(file) > 0 {
		body = os.Expand(ts.ReadFile(file[0]), ts.Getenv)
	}
	var answer *http.Response
	var text []byte
	for range 100 {
		r, err := http.NewRequest(method, ts.Getenv("GITEA")+"/api/v1"+path, strings.NewReader(body))
		ts.Check(err)
		r.Header.Set("Authorization", "token "+token)
		r.Header.Set("Content-Type", "application/json")
		answer, err = http.DefaultClient.Do(r)
		ts.Check(err)
		text, err = io.ReadAll(answer.Body)
		answer.Body.Close()
		ts.Check(err)
		if answer.StatusCode != http.StatusNotFound {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if answer.StatusCode >= 300 {
		ts.Fatalf("%s %s: %s\n%s", method, path, answer.Status, text)
	}
	var indented bytes.Buffer
	if json.Indent(&indented, text, "", "  ") != nil {
		indented.Write(text) // nothing, or no JSON
	}
	fmt.Fprintln(ts.Stdout(), indented.String())
}
