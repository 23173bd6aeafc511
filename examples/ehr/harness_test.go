package main_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	main "github.com/veonahealth/charter/examples/ehr"
)

// tokens are what the tests ask with: one token for each role, named after it,
// and one that holds nothing.
var tokens = map[string]string{
	"super_admin": "token-of-root",
	"onboarding":  "token-of-onboarding",
	"support":     "token-of-support",
	"billing":     "token-of-billing",
	"nobody":      "token-of-nobody",
}

// tokensFile writes the tokens as the command line takes them.
func tokensFile(t testing.TB) string {
	t.Helper()
	type entry struct {
		Actor string   `json:"actor"`
		Roles []string `json:"roles"`
	}
	entries := map[string]entry{}
	for role, token := range tokens {
		e := entry{Actor: role + "@example.org"}
		if role != "nobody" {
			e.Roles = []string{role}
		}
		entries[token] = e
	}
	text, err := json.Marshal(entries)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "tokens.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// start runs the EHR on a database file of its own and returns where it answers.
// It is stopped, and must stop well, at the end of the test.
func start(t testing.TB, more ...string) target {
	t.Helper()
	return startOn(t, filepath.Join(t.TempDir(), "ehr.db"), more...)
}

func startOn(t testing.TB, db string, more ...string) target {
	t.Helper()
	at, stop := launch(t, db, more...)
	t.Cleanup(stop)
	return at
}

// launch is startOn for tests that stop the server themselves.
func launch(t testing.TB, db string, more ...string) (target, func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	said, stdout := io.Pipe()
	stderr := &strings.Builder{}
	ended := make(chan int, 1)
	args := append([]string{"--listen", "127.0.0.1:0", "--db", db, "--tokens", tokensFile(t)}, more...)
	go func() {
		ended <- main.Run(ctx, args, stdout, stderr)
		stdout.Close()
	}()
	line, err := bufio.NewReader(said).ReadString('\n')
	if err != nil {
		cancel()
		t.Fatalf("start: exit %d: %s", <-ended, stderr)
	}
	base, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "listening on ")
	if !ok {
		t.Fatalf("first line on standard output: %q", line)
	}
	return target{base: base, tokens: tokens}, func() {
		cancel()
		if code := <-ended; code != 0 {
			t.Errorf("stop: exit %d: %s", code, stderr)
		}
	}
}

// exitOf runs the EHR where it cannot start, and returns its code and what it said.
func exitOf(t testing.TB, args ...string) (code int, said string) {
	t.Helper()
	var stderr strings.Builder
	full := append([]string{"--listen", "127.0.0.1:0", "--tokens", tokensFile(t)}, args...)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	code = main.Run(ctx, full, io.Discard, &stderr)
	return code, stderr.String()
}
