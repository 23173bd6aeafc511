// Demo is charter's main job, end to end, on real parts: declarations in git, a
// plan, a signature, an apply, and a clinical route that answered 403 and then
// answers 200; and back.
//
// It builds charter and the reference EHR, starts the EHR on a free loopback
// port with a SQLite database, makes a fleet repository, and runs charter as a
// person would. Every command is printed before it runs. It leaves nothing
// behind.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	dir, err := os.MkdirTemp("", "charter-demo-")
	if err == nil {
		err = (&demo{ctx: ctx, dir: dir}).run()
		err = errors.Join(err, os.RemoveAll(dir))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		stop()
		os.Exit(1)
	}
}

// token is the one that the demo's EHR is started with. It lives as long as the
// demo does.
const token = "demo"

// demo is one run.
type demo struct {
	ctx context.Context
	dir string // everything stands in it
	url string // of the EHR
}

func (d *demo) path(name string) string { return filepath.Join(d.dir, name) }

func (d *demo) run() error {
	d.say("Build charter and the reference EHR")
	if err := d.build(); err != nil {
		return err
	}
	stop, err := d.startEHR()
	if err != nil {
		return err
	}
	return errors.Join(d.story(), stop())
}

// story is what a person does, from an empty folder to a revocation.
func (d *demo) story() error {
	for _, step := range []func() error{d.found, d.customer, d.grant, d.revoke} {
		if err := step(); err != nil {
			return err
		}
	}
	d.say("That was all. Everything is cleaned up.")
	return nil
}

func (d *demo) found() error {
	d.say("A new fleet repository: CUE files in git, and a key to sign plans with")
	return d.each(
		"charter init fleet",
		"charter validate -C fleet",
		"charter keygen --out reviewer",
	)
}

func (d *demo) customer() error {
	d.say("The customer exists on the platform already")
	for _, call := range [][2]string{
		{"/clients", `{"id":"lakeside","name":"Lakeside Health Trust"}`},
		{"/tenants", `{"id":"lakeside-clinic","name":"Lakeside Clinic","organisation":"lakeside","edition":"health-centre","hosting":"cloud"}`},
		{"/tenants/lakeside-clinic/provision", `{"edition":"health-centre","facilities":[{"id":"main","name":"Main site","beds":12,"users":20,"storage_gb":50}],"staff":[]}`},
	} {
		if err := d.post(call[0], call[1]); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) grant() error {
	d.say("A pull request grants the maternity module")
	if err := d.edit("\tadmins:", "\tgrants: maternity: {reason: \"maternity wing opens\", ticket: \"OPS-114\"}\n\tadmins:"); err != nil {
		return err
	}
	if err := d.answers("/maternity", http.StatusForbidden); err != nil {
		return err
	}
	if err := d.planSignApply("grant.json"); err != nil {
		return err
	}
	return d.answers("/maternity", http.StatusOK)
}

func (d *demo) revoke() error {
	d.say("Another one takes it back")
	if err := d.edit("\tgrants: maternity: {reason: \"maternity wing opens\", ticket: \"OPS-114\"}\n", ""); err != nil {
		return err
	}
	if err := d.planSignApply("revoke.json"); err != nil {
		return err
	}
	if err := d.answers("/maternity", http.StatusForbidden); err != nil {
		return err
	}
	return d.each("charter apply revoke.json --trusted-key reviewer.pub", "charter status -C fleet")
}

func (d *demo) planSignApply(file string) error {
	return d.each(
		"charter plan -C fleet --out "+file,
		"charter sign "+file+" --key reviewer.key --comment agreed",
		"charter apply "+file+" --trusted-key reviewer.pub",
	)
}

// edit changes the tenant's file and commits it, as a merged pull request would.
func (d *demo) edit(old, with string) error {
	const file = "tenants/lakeside-clinic/tenant.cue"
	path := filepath.Join(d.path("fleet"), filepath.FromSlash(file))
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !bytes.Contains(data, []byte(old)) {
		return fmt.Errorf("%s has no %q", file, old)
	}
	if err := os.WriteFile(path, bytes.Replace(data, []byte(old), []byte(with), 1), 0o644); err != nil {
		return err
	}
	return d.each(
		"git -C fleet --no-pager diff -U0 --no-color",
		"git -C fleet commit -q -a -m change",
	)
}

// say begins a chapter.
func (d *demo) say(text string) { fmt.Printf("\n# %s\n", text) }

// each runs commands, printing each before it runs.
func (d *demo) each(commands ...string) error {
	for _, command := range commands {
		fmt.Printf("\n$ %s\n", command)
		args := strings.Fields(command)
		if args[0] == "charter" {
			args[0] = d.path("charter")
		}
		cmd := exec.CommandContext(d.ctx, args[0], args[1:]...)
		cmd.Dir, cmd.Stdout, cmd.Stderr = d.dir, os.Stdout, os.Stdout
		cmd.Env = append(os.Environ(), "CHARTER_EHR="+d.url, "CHARTER_TOKEN="+token, "CHARTER_PASSWORD=demo",
			"GIT_AUTHOR_NAME=Demo", "GIT_AUTHOR_EMAIL=demo@example.org", "GIT_COMMITTER_NAME=Demo", "GIT_COMMITTER_EMAIL=demo@example.org")
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w", command, err)
		}
	}
	return nil
}

func (d *demo) build() error {
	for _, name := range []string{"./cmd/charter", "./examples/ehr"} {
		cmd := exec.CommandContext(d.ctx, "go", "build", "-o", d.dir+string(filepath.Separator), name)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("build %s: %w", name, err)
		}
	}
	return nil
}

// startEHR starts the reference EHR on a free port, and gives what stops it.
func (d *demo) startEHR() (stop func() error, err error) {
	tokens := fmt.Sprintf(`{%q: {"actor": "demo", "roles": ["super_admin"]}}`, token)
	if err := os.WriteFile(d.path("tokens.json"), []byte(tokens), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command(d.path("ehr"), "--listen", "127.0.0.1:0", "--db", d.path("ehr.db"), "--tokens", d.path("tokens.json"))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() error {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			return err
		}
		return cmd.Wait()
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		return nil, errors.Join(fmt.Errorf("the EHR says %q", line), err, stop())
	}
	d.url = url
	d.say("The reference EHR is " + strings.TrimSpace(line))
	return stop, nil
}

// post calls the platform's own API.
func (d *demo) post(path, body string) error {
	fmt.Printf("POST %s %s\n", path, body)
	r, err := http.NewRequestWithContext(d.ctx, http.MethodPost, d.url+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	status, text, err := send(r)
	if err == nil && status >= 300 {
		err = fmt.Errorf("POST %s: %d %s", path, status, text)
	}
	return err
}

// answers asks the clinical app for a route, and shows and checks its status.
func (d *demo) answers(route string, want int) error {
	url := d.url + "/ehr/lakeside-clinic/main" + route
	r, err := http.NewRequestWithContext(d.ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	status, _, err := send(r)
	if err != nil {
		return err
	}
	fmt.Printf("\nGET %s answers %d\n", url, status)
	if status != want {
		return fmt.Errorf("GET %s: %d, want %d", url, status, want)
	}
	return nil
}

func send(r *http.Request) (int, string, error) {
	client := &http.Client{Timeout: 30 * time.Second}
	answer, err := client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	return answer.StatusCode, string(text), err
}
