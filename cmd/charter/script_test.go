package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/veonahealth/charter/reconcile/forge/forgetest"
	"github.com/veonahealth/charter/schema"
)

var update = flag.Bool("update", false, "write what charter says now into the scripts' golden files")

// TestMain lets the test binary be charter itself, and the process in which
// charter evaluates.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == evaluateArg {
		if err := schema.Serve(os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	testscript.Main(m, map[string]func(){"charter": main})
}

// TestScripts runs the specification of the command line: one behaviour a file
// in testdata/script, each a page to read. Beside testscript's own commands they
// know
//
//	exits CODE COMMAND…        run a command that must end with just that status
//	ehr start [FLAG…]          start the reference EHR; $CHARTER_EHR is its URL
//	ehr stop                   stop it
//	cue ARG…                   run the real cue
//	tenant ID EDITION SITE…    make a tenant with sites on it
//	http METHOD PATH [FILE]    call it as its operator; prints status and body
//	commit                     commit the fleet in the folder "fleet"
//	conforms SCHEMA FILE       hold a JSON document against a published schema
//	declare LINE…              add lines to the tenant that init lays out
//	found [FILE]               start the EHR, lay out a fleet, found its ledger
//	policy NAME [FILE]         write a file of the fleet's policy
//	ship NAME APPROVER APPLIER commit, plan, approve and apply; sets $RECEIPT
//	thief APPLIER [OTHER…]     sign a receipt that no policy was asked about
//	forge start [KIND]         start a forge; $FORGE is the URL of its API
//	forge comments             print how many comments it has, and the newest
//	forge review ID STATE      review its pull request 5, as GitHub calls it
//	gitea start                start a real Gitea; [gitea] where there is one
//	gitea TOKEN METHOD PATH [FILE]  call its API; prints the answer
//	edit FILE OLD NEW          replace a text that stands once in a file
func TestScripts(t *testing.T) {
	dir := t.TempDir()
	w := &world{ehr: builder(dir, "../../examples/ehr"), cue: builder(dir, "cuelang.org/go/cmd/cue")}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", UpdateScripts: *update, RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: setup, Condition: condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "ehr": w.ehrCommand, "cue": w.cueCommand, "tenant": tenantCommand,
			"http": httpCommand, "commit": commitCommand, "edit": editCommand, "declare": declareCommand,
			"found": w.foundCommand, "policy": policyCommand, "ship": shipCommand, "thief": thiefCommand,
			"conforms": conformsCommand, "setenv": setenvCommand, "forge": (&forges{t: t, all: map[string]*forgetest.Server{}}).command,
			"gitea": giteaCommand,
		},
	})
}

// world has the programs beside charter that scripts run, each built when the
// first script wants it.
type world struct{ ehr, cue func() (string, error) }

// setup gives each script a home of its own and an author, and nothing else of
// the machine's.
func setup(e *testscript.Env) error {
	home := filepath.Join(e.WorkDir, "home")
	example, err := filepath.Abs("../../examples/fleet")
	if err != nil {
		return err
	}
	e.Setenv("EXAMPLE", example)
	e.Setenv("HOME", home)
	e.Setenv("CHARTER_PASSWORD", password)
	for _, who := range []string{"AUTHOR", "COMMITTER"} {
		e.Setenv("GIT_"+who+"_NAME", "Ann")
		e.Setenv("GIT_"+who+"_EMAIL", "ann@example.org")
	}
	return os.MkdirAll(home, 0o755)
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// builder gives a function that builds a program once and returns its path.
func builder(dir, pkg string) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		out, err := exec.Command("go", "build", "-o", dir+string(filepath.Separator), pkg).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("build %s: %w\n%s", pkg, err, out)
		}
		return filepath.Join(dir, filepath.Base(pkg)), nil
	})
}

// cueCommand runs the real cue.
func (w *world) cueCommand(ts *testscript.TestScript, neg bool, args []string) {
	binary, err := w.cue()
	ts.Check(err)
	if err := ts.Exec(binary, args...); (err != nil) != neg {
		ts.Fatalf("cue: %v", err)
	}
}

func (w *world) ehrCommand(ts *testscript.TestScript, neg bool, args []string) {
	switch {
	case !neg && len(args) > 0 && args[0] == "start":
		w.startEHR(ts, args[1:])
	case !neg && len(args) == 1 && args[0] == "stop":
		stopEHR(ts)
	default:
		ts.Fatalf("usage: ehr start [FLAG…] | ehr stop")
	}
}

const operator = "operator-token"

func (w *world) startEHR(ts *testscript.TestScript, flags []string) {
	binary, err := w.ehr()
	ts.Check(err)
	tokens := ts.MkAbs("tokens.json")
	ts.Check(os.WriteFile(tokens, []byte(`{
		"`+operator+`": {"actor": "operator", "roles": ["super_admin"]},
		"reader-token": {"actor": "reader", "capabilities": ["clients.read", "entitlements.read"]}
	}`), 0o600))
	cmd := exec.Command(binary, append([]string{"--listen", "127.0.0.1:0", "--db", ":memory:", "--tokens", tokens, "--instance", "test-platform"}, flags...)...)
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Setenv("EHR_PID", strconv.Itoa(cmd.Process.Pid))
	ts.Defer(func() {
		_ = cmd.Process.Kill() // it may be gone already
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	ts.Check(err)
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !ok {
		ts.Fatalf("the EHR says %q", line)
	}
	ts.Setenv("CHARTER_EHR", url)
	ts.Setenv("CHARTER_TOKEN", operator)
}

func stopEHR(ts *testscript.TestScript) {
	pid, err := strconv.Atoi(ts.Getenv("EHR_PID"))
	ts.Check(err)
	process, err := os.FindProcess(pid)
	ts.Check(err)
	ts.Check(process.Kill())
}

// tenantCommand makes a tenant on the platform just as the fleet declares it, so
// that a plan shows what a script is about and nothing else. Without a site it is
// created and not provisioned.
func tenantCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: tenant ID EDITION SITE…")
	}
	id, edition := args[0], args[1]
	name, sizes, admin := title(id), [3]int{}, ""
	if id == "lakeside-clinic" {
		name, sizes, admin = "Lakeside Clinic", [3]int{12, 20, 50}, `{"email":"admin@lakeside.example.org","name":"Lakeside Administrator"}`
	}
	call(ts, "POST", "/clients", `{"id":"lakeside","name":"Lakeside Health Trust"}`, 201, 409)
	call(ts, "POST", "/tenants", fmt.Sprintf(`{"id":%q,"name":%q,"organisation":"lakeside","edition":%q,"hosting":"cloud"}`, id, name, edition), 201)
	var sites []string
	for _, site := range args[2:] {
		called := title(site)
		if site == "main" && admin != "" {
			called = "Main site"
		}
		sites = append(sites, fmt.Sprintf(`{"id":%q,"name":%q,"beds":%d,"users":%d,"storage_gb":%d}`, site, called, sizes[0], sizes[1], sizes[2]))
	}
	if len(sites) > 0 {
		call(ts, "POST", "/tenants/"+id+"/provision", fmt.Sprintf(`{"edition":%q,"facilities":[%s],"staff":[]}`, edition, strings.Join(sites, ",")), 200, 201)
	}
	if admin != "" && len(sites) > 0 {
		call(ts, "POST", "/tenants/"+id+"/tenant-admins", admin, 201)
	}
}

func title(id string) string { return strings.ToUpper(id[:1]) + id[1:] }

func call(ts *testscript.TestScript, method, path, body string, want ...int) {
	status, text := send(ts, method, path, body)
	for _, w := range want {
		if status == w {
			return
		}
	}
	ts.Fatalf("%s %s: %d %s", method, path, status, text)
}

func send(ts *testscript.TestScript, method, path, body string) (int, string) {
	r, err := http.NewRequest(method, ts.Getenv("CHARTER_EHR")+path, strings.NewReader(body))
	ts.Check(err)
	r.Header.Set("Authorization", "Bearer "+operator)
	r.Header.Set("Content-Type", "application/json")
	if tag := ts.Getenv("IF_MATCH"); tag != "" {
		r.Header.Set("If-Match", tag)
	}
	answer, err := http.DefaultClient.Do(r)
	ts.Check(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	ts.Check(err)
	ts.Setenv("ETAG", answer.Header.Get("ETag"))
	return answer.StatusCode, string(text)
}

func httpCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: http METHOD PATH [FILE]")
	}
	body := ""
	if len(args) == 3 {
		body = ts.ReadFile(args[2])
	}
	status, text := send(ts, args[0], args[1], body)
	fmt.Fprintf(ts.Stdout(), "%d %s\n", status, text)
}

// setenvCommand sets a variable to what a file holds.
func setenvCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: setenv NAME FILE")
	}
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile(args[1])))
}

func commitCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: commit")
	}
	ts.Check(ts.Exec("git", "-C", ts.MkAbs("fleet"), "add", "-A"))
	ts.Check(ts.Exec("git", "-C", ts.MkAbs("fleet"), "commit", "-q", "-m", "change"))
}

func editCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: edit FILE OLD NEW")
	}
	text := ts.ReadFile(args[0])
	if n := strings.Count(text, args[1]); n != 1 {
		ts.Fatalf("%s has %q %d times", args[0], args[1], n)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Replace(text, args[1], args[2], 1)), 0o644))
}

func declareCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: declare LINE…")
	}
	lines := "\t" + strings.Join(args, "\n\t") + "\n\tadmins:"
	editCommand(ts, false, []string{"fleet/tenants/lakeside-clinic/tenant.cue", "\tadmins:", lines})
}
