package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// authority is the fleet's own say: a policy with two people, a ledger, a removal
// that needs both, a trial whose end is approved with its beginning, and an attack
// that fails.
func (d *demo) authority() error {
	d.say("Two people and a machine: a policy says who may approve what, and every apply leaves a receipt")
	if err := d.each("charter keygen --out ann", "charter keygen --out bob", "charter keygen --out ci"); err != nil {
		return err
	}
	if err := d.policy(); err != nil {
		return err
	}
	if err := d.each("git -C fleet add -A", "git -C fleet commit -q -m policy", "charter validate -C fleet"); err != nil {
		return err
	}
	root, err := d.output("charter init --audit fleet --key ci.key")
	if err != nil {
		return err
	}
	d.env = append(d.env, "CHARTER_ROOT="+strings.TrimSpace(root))
	if err := d.each("charter plan -C fleet --out base.json", "charter apply base.json -C fleet --key ci.key"); err != nil {
		return err
	}
	for _, step := range []func() error{d.trial, d.removal, d.attack, d.proof} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// policy declares two people, a machine, and that removals need two people.
func (d *demo) policy() error {
	text := "package policy\n\n"
	for _, p := range []struct{ id, head, tail string }{
		{"ann", `people: ann: {name: "Ann", email: "ann@example.org", roles: ["support"]`, ""},
		{"bob", `people: bob: {name: "Bob", email: "bob@example.org", roles: ["super_admin"]`, ""},
		{"ci", `appliers: ci: {may: ["apply", "correct"]`, ""},
	} {
		pem, err := os.ReadFile(d.path(p.id + ".pub"))
		if err != nil {
			return err
		}
		text += fmt.Sprintf("%s, keys: [%q]}\n", p.head, pem)
	}
	text += `rules: removals: {capability: "entitlements.write", change: "removal", approvals: 2}
mandate: {kinds: ["grant", "revoke"], per_hour: 10, per_day: 50}
`
	return os.WriteFile(filepath.Join(d.path("fleet"), "policy", "people.cue"), []byte(text), 0o644)
}

func (d *demo) trial() error {
	d.say("A trial: its end is approved with its beginning")
	return d.each(
		"charter grant lakeside-clinic scribe -C fleet --reason trial --until 2099-03-01",
		"git -C fleet commit -q -a -m trial",
		"charter plan -C fleet --out trial.json",
		"charter approve trial.json -C fleet --key ann.key",
		"charter apply trial.json -C fleet --key ci.key",
	)
}

func (d *demo) removal() error {
	d.say("A removal needs both")
	if err := d.each(
		"charter revoke lakeside-clinic rx -C fleet --reason own-pharmacy",
		"git -C fleet commit -q -a -m pharmacy",
		"charter plan -C fleet --out removal.json",
		"charter approve removal.json -C fleet --key ann.key",
	); err != nil {
		return err
	}
	if err := d.fails(4, "charter apply removal.json -C fleet --key ci.key"); err != nil {
		return err
	}
	return d.each(
		"charter approve removal.json -C fleet --key bob.key",
		"charter plans -C fleet",
		"charter apply removal.json -C fleet --key ci.key",
	)
}

// attack edits a plan that was approved, so that it would take another module.
func (d *demo) attack() error {
	d.say("An attack: a plan is edited after it was approved, and a token alone is not enough")
	if err := d.each(
		"charter revoke mercy-main ward -C fleet --reason moved",
		"git -C fleet commit -q -a -m ward",
		"charter plan -C fleet --out ward.json",
		"charter approve ward.json -C fleet --key ann.key",
		"charter approve ward.json -C fleet --key bob.key",
	); err != nil {
		return err
	}
	file, err := os.ReadFile(d.path("ward.json"))
	if err != nil {
		return err
	}
	forged := bytes.Replace(file, []byte(`"ehr_module": "ward"`), []byte(`"ehr_module": "theatre"`), 1)
	if bytes.Equal(forged, file) {
		return errors.New("the plan has no ward to forge")
	}
	if err := os.WriteFile(d.path("forged.json"), forged, 0o644); err != nil {
		return err
	}
	if err := d.fails(7, "charter apply forged.json -C fleet --key ci.key"); err != nil {
		return err
	}
	return d.answers("mercy-main/annex/theatre", http.StatusOK)
}

func (d *demo) proof() error {
	d.say("Why a site holds a module, or does not; and the proof of the whole")
	return d.each(
		"charter why lakeside-clinic/main scribe -C fleet",
		"charter log lakeside-clinic -C fleet",
		"charter audit verify -C fleet",
	)
}

// output runs a command and gives what it prints.
func (d *demo) output(command string) (string, error) {
	fmt.Printf("\n$ %s\n", command)
	cmd := d.command(command)
	cmd.Stdout = nil
	out, err := cmd.Output()
	fmt.Print(string(out))
	return string(out), err
}

// fails runs a command that must end with a status.
func (d *demo) fails(status int, command string) error {
	fmt.Printf("\n$ %s\n", command)
	err := d.command(command).Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != status {
		return fmt.Errorf("%s: %w, want exit status %d", command, err, status)
	}
	fmt.Printf("(exit status %d)\n", status)
	return nil
}
