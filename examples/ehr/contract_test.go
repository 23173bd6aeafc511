package main_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/veonahealth/charter/reconcile/ehr/conform"
)

// TestTheContract holds the EHR against the contract's own suite, and all of the
// suite's traffic against the OpenAPI document.
func TestTheContract(t *testing.T) {
	at := start(t)
	target := conform.Target{URL: at.base, Tokens: at.tokens, Client: &http.Client{Transport: watched{t}}}
	made := 0
	passed, err := conform.Run(t.Context(), target, func(r conform.Result) {
		made++
		t.Run(r.Name, func(t *testing.T) {
			if r.Skipped != "" {
				t.Errorf("skipped: %s", r.Skipped)
			}
			for _, fault := range r.Faults {
				t.Error(fault)
			}
		})
	})
	if err != nil || !passed || made < 300 {
		t.Errorf("passed %v, %d checks: %v", passed, made, err)
	}
}

// TestTheContractsSuiteAgain runs the suite where it has run before: it needs no
// platform that is new. Without the tokens of a role it says what it did not check.
func TestTheContractsSuiteAgain(t *testing.T) {
	at := start(t, "--seed-fleet", "20")
	only := map[string]string{"super_admin": at.tokens["super_admin"]}
	for round := range 2 {
		skipped := 0
		passed, err := conform.Run(t.Context(), conform.Target{URL: at.base + "/", Tokens: only}, func(r conform.Result) {
			if len(r.Faults) > 0 {
				t.Errorf("%s: %v", r.Name, r.Faults)
			}
			if strings.HasPrefix(r.Skipped, "no token of role") {
				skipped++
			}
		})
		if err != nil || !passed || skipped == 0 {
			t.Errorf("round %d: passed %v, %d skipped: %v", round, passed, skipped, err)
		}
	}
}

// TestTheContractsSuiteSeesWhatIsBroken puts a fault before the EHR and looks for
// the check that must see it.
func TestTheContractsSuiteSeesWhatIsBroken(t *testing.T) {
	for sees, text := range map[string]string{
		"lists":            `{"rules": [{"method": "GET", "path": "/clients", "share": 0.5, "status": 503}]}`,
		"bulk":             `{"rules": [{"path": "/entitlements", "cut": 50}]}`,
		"concurrency":      `{"rules": [{"method": "PUT", "path": "/tenants/*/entitlements", "move": true}]}`,
		"retries":          `{"rules": [{"method": "POST", "path": "/clients", "lose": true, "share": 0.2}]}`,
		"gate":             `{"rules": [{"path": "/ehr/*/*/*", "status": 500}]}`,
		"audit":            `{"rules": [{"path": "/audit", "status": 500}]}`,
		"editions: create": `{"rules": [{"path": "/registry/editions", "status": 500}]}`,
	} {
		t.Run(sees, func(t *testing.T) {
			at := start(t, "--fault", orderOf(t, text))
			seen := false
			passed, err := conform.Run(t.Context(), conform.Target{URL: at.base, Tokens: at.tokens}, func(r conform.Result) {
				seen = seen || len(r.Faults) > 0 && strings.HasPrefix(r.Name, sees)
			})
			if err != nil || passed || !seen {
				t.Errorf("passed %v, seen %v: %v", passed, seen, err)
			}
		})
	}
	t.Run("no server at all", func(t *testing.T) {
		_, err := conform.Run(t.Context(), conform.Target{URL: "http://127.0.0.1:1", Tokens: tokens}, func(conform.Result) {})
		if err == nil {
			t.Error("no error")
		}
	})
}

func TestAnInstanceIsNamedByTheCommandLine(t *testing.T) {
	var root struct{ Instance string }
	start(t, "--instance", "prod-1").as(t, "", "GET", "/", nil).want(200).decode(t, &root)
	if root.Instance != "prod-1" {
		t.Errorf("instance %q", root.Instance)
	}
}

func TestWhatAnotherPlatformGaveIsNotTaken(t *testing.T) {
	at, other := start(t), start(t)
	_, snapshot := other.bulk(t, "/entitlements")
	at.root(t, "GET", "/entitlements?since="+snapshot, nil).refused(410, "snapshot-gone")
	id := at.onPrem(t, "hospital")
	mine, theirs := at.issue(t, id), other.issue(t, other.onPrem(t, "hospital"))
	at.as(t, "", "POST", "/licenses/"+mine.ID+"/activate", object{"fingerprint": "box"}).
		with("Authorization", "Bearer "+theirs.Token).refused(401, "unauthenticated")
}

func TestATrailDoesNotTellTokens(t *testing.T) {
	at := start(t)
	l := at.issue(t, at.onPrem(t, "hospital"))
	if text := string(encode(t, at.trail(t))); strings.Contains(text, l.Token) {
		t.Error("it does")
	}
}
