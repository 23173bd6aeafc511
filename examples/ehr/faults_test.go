package main_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The tests of this file hold what goes wrong on order, and the bounds of a rate.

// orderOf writes a file of faults.
func orderOf(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "fault.json")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestARateAnswers429WithRetryAfter(t *testing.T) {
	at := start(t, "--rate", "3")
	refused := 0
	for range 20 {
		c := at.root(t, "GET", "/tenants", nil)
		r := c.send()
		if r.StatusCode != 429 {
			continue
		}
		refused++
		if seconds, err := strconv.Atoi(r.Header.Get("Retry-After")); err != nil || seconds < 1 {
			t.Errorf("Retry-After %q", r.Header.Get("Retry-After"))
		}
		var p problem
		r.decode(t, &p)
		if p.Code != "rate-limited" || p.Status != 429 {
			t.Errorf("problem %s", r.body)
		}
	}
	if refused < 10 {
		t.Errorf("%d of 20 at once were refused", refused)
	}
	for range 20 {
		at.as(t, "", "GET", "/healthz", nil).want(200)
		at.as(t, "", "GET", "/ehr/x/y/z", nil).refused(403, "module-not-entitled")
	}
}

func TestFaultsOnOrder(t *testing.T) {
	at := start(t, "--fault", orderOf(t, `{"rules": [
		{"method": "GET", "path": "/clients", "times": 2, "status": 503, "retry_after": 7},
		{"path": "/editions", "status": 429},
		{"path": "/audit", "status": 500},
		{"path": "/entitlements", "times": 1, "cut": 100},
		{"method": "PUT", "path": "/tenants/*/entitlements", "times": 1, "lose": true},
		{"method": "PUT", "path": "/tenants/*/entitlements", "times": 1, "move": true}]}`))
	id := at.provisioned(t, "t", "hospital", "main")
	t.Run("status: it is answered instead, as often as it says", func(t *testing.T) {
		for range 2 {
			r := at.root(t, "GET", "/clients", nil).want(503)
			if r.Header.Get("Retry-After") != "7" || !strings.Contains(string(r.body), `"code":"unavailable"`) {
				t.Errorf("Retry-After %q, %s", r.Header.Get("Retry-After"), r.body)
			}
		}
		at.root(t, "GET", "/clients", nil).want(200)
		at.root(t, "GET", "/editions", nil).refused(429, "rate-limited")
		at.root(t, "GET", "/audit", nil).refused(500, "internal")
	})
	t.Run("cut: the body ends too early", func(t *testing.T) {
		c := at.root(t, "GET", "/entitlements", nil)
		if text, err := c.broken(); err == nil || len(text) > 100 {
			t.Errorf("%d bytes and %v", len(text), err)
		}
	})
	first := at.grant(t, id)
	t.Run("lose: the answer is lost after the write", func(t *testing.T) {
		if text, err := at.replace(t, id, first.ETag, row{"main", "rx"}).broken(); err == nil {
			t.Errorf("answered %s", text)
		}
		if g := at.grant(t, id); g.Revision != first.Revision+1 || len(g.Rows) != 1 {
			t.Errorf("grant %+v", g)
		}
	})
	t.Run("move: another hand writes in between", func(t *testing.T) {
		before := at.grant(t, id)
		p := at.replace(t, id, before.ETag, row{"main", "lab"}).refused(412, "revision-moved")
		after := at.grant(t, id)
		if *p.Revision != before.Revision+1 || after.Revision != before.Revision+1 || after.UpdatedBy == before.UpdatedBy {
			t.Errorf("problem %+v, grant %+v", p, after)
		}
		if fmt.Sprint(after.Rows) != fmt.Sprint(before.Rows) {
			t.Errorf("rows %v", after.Rows)
		}
	})
	t.Run("when its rules have ended nothing goes wrong", func(t *testing.T) {
		at.replace(t, id, at.grant(t, id).ETag, row{"main", "lab"}).want(200)
		at.bulk(t, "/entitlements")
	})
}

// broken returns what came of an answer, and what ended it.
func (c call) broken() ([]byte, error) {
	response, err := http.DefaultTransport.RoundTrip(c.request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var text []byte
	buffer := make([]byte, 512)
	for {
		n, err := response.Body.Read(buffer)
		text = append(text, buffer[:n]...)
		if err != nil {
			if err.Error() == "EOF" {
				err = nil
			}
			return text, err
		}
	}
}

func TestAShareOfTheRequestsMeetsWithAFault(t *testing.T) {
	count := func() (statuses string) {
		at := start(t, "--fault", orderOf(t, `{"seed": 7, "rules": [{"path": "/clients", "share": 0.3, "delay": "1us", "status": 503}]}`))
		for range 100 {
			statuses += fmt.Sprint(at.root(t, "GET", "/clients", nil).send().StatusCode/500, "")
		}
		return statuses
	}
	first := count()
	if n := strings.Count(first, "1"); n < 15 || n > 45 {
		t.Errorf("%d of 100", n)
	}
	if again := count(); again != first {
		t.Errorf("the same seed gave\n%s and\n%s", first, again)
	}
}

func TestAFaultFileThatCannotBeCarriedOutIsRefused(t *testing.T) {
	for _, c := range []struct{ text, says string }{
		{`hello`, "faults:"},
		{`{"rules": [{}]}`, "says nothing"},
		{`{"rules": [{"lose": true, "move": true}]}`, "want one of"},
		{`{"rules": [{"lose": true, "share": 1.5}]}`, "share 1.5"},
		{`{"rules": [{"status": 200}]}`, "status 200"},
		{`{"rules": [{"path": "[", "lose": true}]}`, "not a pattern"},
		{`{"rules": [{"delay": "2h"}]}`, "delay 2h0m0s"},
		{`{"rules": [{"lose": true, "tims": 1}]}`, "tims"},
	} {
		if code, said := exitOf(t, "--db", ":memory:", "--fault", orderOf(t, c.text)); code != 1 || !strings.Contains(said, c.says) {
			t.Errorf("%s: exit %d: %s", c.text, code, said)
		}
	}
}

// TestATokenFileReloadsOnSIGHUP changes who may ask while the process runs.
func TestATokenFileReloadsOnSIGHUP(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens.json")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"old": {"actor": "a", "roles": ["support"]}}`)
	process, at := spawn(t, build(t), ":memory:", "--tokens", file)
	at.tokens = map[string]string{"old": "old", "new": "new"}
	status := func(token string) int { return at.as(t, token, "GET", "/editions", nil).send().StatusCode }
	if old, new := status("old"), status("new"); old != 200 || new != 401 {
		t.Fatalf("at first: %d, %d", old, new)
	}
	hangUp := func() {
		t.Helper()
		if err := process.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"new": {"actor": "b", "roles": ["support"]}}`)
	hangUp()
	for end := time.Now().Add(20 * time.Second); status("new") != 200 || status("old") != 401; {
		if time.Now().After(end) {
			t.Fatalf("after SIGHUP: old %d, new %d", status("old"), status("new"))
		}
	}
	t.Run("a file that is wrong changes nothing", func(t *testing.T) {
		write(`{"new": {"actor"`)
		hangUp()
		for range 50 {
			if old, new := status("old"), status("new"); old != 401 || new != 200 {
				t.Fatalf("old %d, new %d", old, new)
			}
			time.Sleep(time.Millisecond)
		}
	})
}
