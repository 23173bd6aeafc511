// Demo is charter's main job, end to end, on real parts: declarations in git, a
// plan, a signature, an apply; a customer that is onboarded from a pull request's
// diff to the administrator's invitation; a clinical route that answered 403 and
// then answers 200, and back; a removal that two people approve, an attack that
// fails, and a daemon that puts back what somebody toggles by hand.
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
	"net"
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
	env []string
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
	for _, step := range []func() error{d.found, d.first, d.customer, d.grant, d.revoke, d.authority, d.watch} {
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

// first makes the platform what the new fleet declares.
func (d *demo) first() error {
	d.say("The platform is empty: the first plan makes what the fleet declares")
	return d.planSignApply("first.json")
}

// customer onboards somebody new: from the diff of a pull request to the
// invitation in the platform's outbox.
func (d *demo) customer() error {
	d.say("A pull request brings a new customer: an organisation, a hospital with two sites, an administrator")
	const organisation = "package fleet\n\norganisations: mercy: name: \"Mercy Hospitals\"\n"
	if err := os.WriteFile(filepath.Join(d.path("fleet"), "organisations", "mercy.cue"), []byte(organisation), 0o644); err != nil {
		return err
	}
	if err := d.each(
		"charter new tenant mercy-main -C fleet --organisation mercy --edition hospital --facility main --facility annex --admin grace@mercy.example.org",
		"git -C fleet add -A",
		"git -C fleet --no-pager diff --cached --no-color",
		"git -C fleet commit -q -m mercy",
	); err != nil {
		return err
	}
	if err := d.planSignApply("onboard.json"); err != nil {
		return err
	}
	mails, err := os.ReadFile(d.path("outbox"))
	if err != nil {
		return err
	}
	fmt.Printf("\n$ cat outbox\n%s", mails)
	if !bytes.Contains(mails, []byte("grace@mercy.example.org")) {
		return errors.New("grace@mercy.example.org has not been invited")
	}
	return d.answers("mercy-main/annex/theatre", http.StatusOK)
}

func (d *demo) grant() error {
	d.say("A pull request grants the maternity module")
	if err := d.edit("\tadmins:", "\tgrants: maternity: {reason: \"maternity wing opens\", ticket: \"OPS-114\"}\n\tadmins:"); err != nil {
		return err
	}
	if err := d.answers("lakeside-clinic/main/maternity", http.StatusForbidden); err != nil {
		return err
	}
	if err := d.planSignApply("grant.json"); err != nil {
		return err
	}
	return d.answers("lakeside-clinic/main/maternity", http.StatusOK)
}

func (d *demo) revoke() error {
	d.say("Another one takes it back")
	if err := d.edit("\tgrants: maternity: {reason: \"maternity wing opens\", ticket: \"OPS-114\"}\n", ""); err != nil {
		return err
	}
	if err := d.planSignApply("revoke.json"); err != nil {
		return err
	}
	if err := d.answers("lakeside-clinic/main/maternity", http.StatusForbidden); err != nil {
		return err
	}
	return d.each("charter apply revoke.json -C fleet --trusted-key reviewer.pub", "charter status -C fleet")
}

func (d *demo) planSignApply(file string) error {
	return d.each(
		"charter plan -C fleet --out "+file,
		"charter sign "+file+" --key reviewer.key --comment agreed",
		"charter apply "+file+" -C fleet --trusted-key reviewer.pub",
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
		if err := d.command(command).Run(); err != nil {
			return fmt.Errorf("%s: %w", command, err)
		}
	}
	return nil
}

// command prepares one, by the programs that the demo built.
func (d *demo) command(text string) *exec.Cmd {
	args := strings.Fields(text)
	if args[0] == "charter" {
		args[0] = d.path("charter")
	}
	cmd := exec.CommandContext(d.ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = d.dir, os.Stdout, os.Stdout
	cmd.Env = append(append(os.Environ(), d.env...), "CHARTER_EHR="+d.url, "CHARTER_TOKEN="+token, "CHARTER_PASSWORD=demo", "XDG_CACHE_HOME="+d.path("cache"),
		"GIT_AUTHOR_NAME=Demo", "GIT_AUTHOR_EMAIL=demo@example.org", "GIT_COMMITTER_NAME=Demo", "GIT_COMMITTER_EMAIL=demo@example.org")
	return cmd
}

// variable gives one of the demo's own.
func (d *demo) variable(name string) string {
	for _, v := range d.env {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

// freeAddress is one of this machine that nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
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
	cmd := exec.Command(d.path("ehr"), "--listen", "127.0.0.1:0", "--db", d.path("ehr.db"), "--tokens", d.path("tokens.json"), "--outbox", d.path("outbox"))
	var complaints bytes.Buffer // its log, for when it goes wrong
	cmd.Stderr = &complaints
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
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("the EHR: %w\n%s", err, complaints.Bytes())
		}
		return nil
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

// answers asks the clinical app for a route, and shows and checks its status.
func (d *demo) answers(route string, want int) error {
	url := d.url + "/ehr/" + route
	r, err := http.NewRequestWithContext(d.ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := (&http.Client{Timeout: 30 * time.Second}).Do(r)
	if err != nil {
		return err
	}
	fmt.Printf("\nGET %s answers %d\n", url, answer.StatusCode)
	if answer.StatusCode != want {
		err = fmt.Errorf("GET %s: %d, want %d", url, answer.StatusCode, want)
	}
	return errors.Join(err, answer.Body.Close())
}
