package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

// watch lets the daemon correct a module that somebody toggles by hand.
func (d *demo) watch() error {
	d.say("The daemon: what is toggled by hand at night is put back, within a mandate that people signed")
	mandate := `{"kind": "charter.mandate", "environment": "default", "kinds": ["grant", "revoke"], "not_after": "2099-01-01T00:00:00Z",
 "per_hour": 10, "per_day": 50, "reason": "what is toggled by hand is put back", "tenants": null}
`
	address, err := freeAddress()
	if err != nil {
		return err
	}
	config := fmt.Sprintf(`repository: "fleet"
ehr: {url: %q, token_file: "token"}
mode: "correct"
root: %q
key_file: "ci.key"
password_file: "password"
mandate: ["ann.bundle", "bob.bundle"]
schedules: [{cron: "@every 1s", pass: "full"}]
listen: %q
state: "state"
`, d.url, d.variable("CHARTER_ROOT"), address)
	for name, text := range map[string]string{"mandate.json": mandate, "daemon.cue": config, "token": token, "password": "demo"} {
		if err := os.WriteFile(d.path(name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	for _, who := range []string{"ann", "bob"} {
		name, err := d.output("charter sign mandate.json --key " + who + ".key")
		if err != nil {
			return err
		}
		if err := os.Rename(d.path(strings.TrimSpace(name)), d.path(who+".bundle")); err != nil {
			return err
		}
	}
	if err := d.each("charter daemon --config daemon.cue --check"); err != nil {
		return err
	}
	fmt.Printf("\n$ charter daemon --config daemon.cue &\n(its pages: http://%s/)\n", address)
	daemon := d.command("charter daemon --config daemon.cue")
	log, err := os.Create(d.path("daemon.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	daemon.Stdout, daemon.Stderr = log, log
	if err := daemon.Start(); err != nil {
		return err
	}
	err = d.toggled()
	if stopped := daemon.Process.Signal(os.Interrupt); stopped != nil {
		err = errors.Join(err, stopped)
	}
	if ended := daemon.Wait(); err != nil {
		said, _ := os.ReadFile(d.path("daemon.log"))
		return fmt.Errorf("%w; the daemon: %w\n%s", err, ended, said)
	}
	return d.each("charter log lakeside-clinic -C fleet", "charter audit verify -C fleet --ehr "+d.url)
}

// toggled takes a module away by the platform's own API, and waits for it.
func (d *demo) toggled() error {
	const route = "lakeside-clinic/main/scribe"
	if err := d.answers(route, http.StatusOK); err != nil {
		return err
	}
	fmt.Println("\n(somebody takes the module away by hand)")
	if err := d.takeAway("lakeside-clinic", "scribe"); err != nil {
		return err
	}
	for range 300 {
		if d.answers(route, http.StatusOK) == nil {
			return nil
		}
		time.Sleep(200 * time.Millisecond)
	}
	return errors.New("the daemon did not put the module back within a minute")
}

// takeAway writes a tenant's grant without a module, as a support tool would.
func (d *demo) takeAway(tenant, module string) error {
	url := d.url + "/tenants/" + tenant + "/entitlements"
	var grant struct {
		Rows []struct {
			Facility string `json:"facility"`
			Module   string `json:"module"`
		} `json:"rows"`
	}
	header, err := d.call(http.MethodGet, url, "", nil, &grant)
	if err != nil {
		return err
	}
	rows := grant.Rows[:0]
	for _, row := range grant.Rows {
		if row.Module != module {
			rows = append(rows, row)
		}
	}
	_, err = d.call(http.MethodPut, url, header.Get("ETag"), map[string]any{"rows": rows, "authority": nil}, nil)
	return err
}

// call asks the platform's API.
func (d *demo) call(method, url, tag string, body, into any) (http.Header, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(d.ctx, method, url, strings.NewReader(string(text)))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	if tag != "" {
		r.Header.Set("If-Match", tag)
	}
	answer, err := (&http.Client{Timeout: 30 * time.Second}).Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s %s: %s", method, url, answer.Status)
	}
	if into != nil {
		err = json.NewDecoder(answer.Body).Decode(into)
	}
	return answer.Header, err
}
