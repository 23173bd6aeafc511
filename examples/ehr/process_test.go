package main_test

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	main "github.com/veonahealth/charter/examples/ehr"
)

// The tests of this file run the program as a process, or as its command line.

// killRounds is how often the process is killed under load: a few times by default,
// as one round finds what a mistake breaks in nearly every one.
var killRounds = flag.Int("kill-rounds", 5, "how often the EHR is killed under load")

// fleetSize is how many tenants are read at size.
var fleetSize = flag.Int("fleet", 3000, "how many tenants are read in constant memory")

// build makes the binary once for the test that asks.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "ehr")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

// spawn starts the binary on a database.
func spawn(t *testing.T, binary, db string, more ...string) (*exec.Cmd, target) {
	t.Helper()
	args := append([]string{"--listen", "127.0.0.1:0", "--db", db, "--tokens", tokensFile(t)}, more...)
	process := exec.Command(binary, args...)
	process.Stderr = t.Output()
	stdout, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { process.Process.Kill() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	base, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		t.Fatalf("first line %q: %v", line, err)
	}
	return process, target{base: base, tokens: tokens}
}

// TestWhatWasAnsweredSurvivesKill kills the process under load, again and again,
// and compares what the next one holds with what the clients were told.
func TestWhatWasAnsweredSurvivesKill(t *testing.T) {
	binary, db := build(t), filepath.Join(t.TempDir(), "ehr.db")
	const clients = 16
	known := modules(t)
	var ids []string
	told := make([]grant, clients) // the newest answer of each client
	for round := range *killRounds {
		process, at := spawn(t, binary, db)
		for i := len(ids); i < clients; i++ {
			ids = append(ids, at.provisioned(t, "t", "health-centre", "main"))
			told[i] = at.grant(t, ids[i])
		}
		var group sync.WaitGroup
		enough := make(chan struct{}, 1<<16)
		for i := range ids {
			group.Go(func() {
				for n := round; ; n++ {
					r, err := try(at, ids[i], told[i].ETag, row{"main", known[n%len(known)]})
					if err != nil {
						return // the process is gone
					}
					told[i] = r
					enough <- struct{}{}
				}
			})
		}
		for range 40 * (round%5 + 1) {
			<-enough
		}
		process.Process.Kill()
		process.Wait()
		group.Wait()

		process, at = spawn(t, binary, db)
		newest := map[string]int64{}
		for i, id := range ids {
			live := at.grant(t, id)
			newest[id] = live.Revision
			// One write may have been carried out whose answer did not arrive.
			if live.Revision != told[i].Revision && live.Revision != told[i].Revision+1 {
				t.Errorf("round %d: tenant %s was told revision %d, and is at %d", round, id, told[i].Revision, live.Revision)
			}
			if live.Revision == told[i].Revision && string(encode(t, live)) != string(encode(t, told[i])) {
				t.Errorf("round %d: tenant %s was told %+v, and holds %+v", round, id, told[i], live)
			}
			told[i] = live
		}
		checkTrail(t, at.trail(t), newest)
		process.Process.Signal(syscall.SIGTERM)
		if err := process.Wait(); err != nil {
			t.Errorf("SIGTERM: %v", err)
		}
	}
}

// try writes a grant, where the server may be gone at any moment.
func try(at target, id, etag string, rows ...row) (g grant, err error) {
	text, err := json.Marshal(map[string]any{"rows": rows})
	if err != nil {
		return g, err
	}
	answered, body, err := roundTrip(http.DefaultClient, "PUT", at.base+"/tenants/"+id+"/entitlements", text,
		map[string]string{"If-Match": etag})
	if err != nil {
		return g, err
	}
	err = json.Unmarshal(body, &g)
	g.ETag = answered
	return g, err
}

// TestAFleetIsReadInConstantMemory reads all grants, and all tenants in pages, of a
// fleet, and looks at what the process holds at most.
func TestAFleetIsReadInConstantMemory(t *testing.T) {
	db := filepath.Join(t.TempDir(), "ehr.db")
	process, _ := spawn(t, build(t), db, "--seed-fleet", fmt.Sprint(*fleetSize))
	process.Process.Signal(syscall.SIGTERM) // filling it takes memory that reading does not
	if err := process.Wait(); err != nil {
		t.Fatal(err)
	}
	process, at := spawn(t, build(t), db)
	for range 3 {
		lines, last := readLines(t, at, "/entitlements")
		if lines != *fleetSize+1 || !strings.Contains(last, fmt.Sprintf(`"total":%d`, *fleetSize)) {
			t.Errorf("%d lines, the last %s", lines, last)
		}
	}
	if list := at.all(t, "/tenants?limit=1000"); list.Total != int64(*fleetSize) {
		t.Errorf("%d tenants", list.Total)
	}
	const most = 160 << 20 // whatever the fleet's size: a cache for each connection, and pages
	if peak := peakMemory(t, process.Process.Pid); peak > most {
		t.Errorf("it held %d MiB at most", peak>>20)
	} else {
		t.Logf("it held %d MiB at most, of %d tenants", peak>>20, *fleetSize)
	}
}

// readLines reads a stream without keeping it.
func readLines(t *testing.T, at target, path string) (lines int, last string) {
	t.Helper()
	request := at.root(t, "GET", path, nil).request
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	scanner := bufio.NewScanner(response.Body)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		lines, last = lines+1, scanner.Text()
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
	return lines, last
}

// peakMemory is the most that a process has had in memory, in bytes.
func peakMemory(t *testing.T, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip("this system does not tell what a process holds")
	}
	for line := range strings.Lines(string(text)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	t.Skip("this system does not tell what a process held at most")
	return 0
}

func TestARestartKeepsEverything(t *testing.T) {
	db := filepath.Join(t.TempDir(), "ehr.db")
	at, stop := launch(t, db)
	id := at.provisioned(t, "t", "hospital", "main", "annex")
	etag := at.grant(t, id).ETag
	write := func(at target) reply {
		return at.replace(t, id, etag, row{"main", "rx"}).with("Idempotency-Key", "k").want(200)
	}
	first := write(at)
	var half page
	at.root(t, "GET", "/tenants/"+id+"/facilities?limit=1", nil).want(200).decode(t, &half)
	root := at.as(t, "", "GET", "/", nil).want(200)
	trail, grant := at.trail(t), at.grant(t, id)
	stop()

	at = startOn(t, db)
	if again := at.as(t, "", "GET", "/", nil).want(200); string(again.body) != string(root.body) {
		t.Errorf("root %s, was %s", again.body, root.body)
	}
	if again := write(at); string(again.body) != string(first.body) || again.Header.Get("ETag") != first.Header.Get("ETag") {
		t.Errorf("a retry after a restart is answered %s, at first %s", again.body, first.body)
	}
	if again := at.grant(t, id); string(encode(t, again)) != string(encode(t, grant)) {
		t.Errorf("grant %+v, was %+v", again, grant)
	}
	if again := at.trail(t); string(encode(t, again)) != string(encode(t, trail)) {
		t.Errorf("trail %+v, was %+v", again, trail)
	}
	var rest page
	at.root(t, "GET", withCursor("/tenants/"+id+"/facilities", *half.NextCursor), nil).want(200).decode(t, &rest)
	if rest.Snapshot != half.Snapshot || len(rest.Items) != 1 {
		t.Errorf("the next page after a restart: %+v", rest)
	}
	at.bulk(t, "/entitlements?since="+half.Snapshot)
}

// TestAnOlderCopyIsPutBack rehearses a bad night: the platform is restored from a
// copy, and its trail forks from the one that clients have seen.
func TestAnOlderCopyIsPutBack(t *testing.T) {
	dir := t.TempDir()
	db, copied := filepath.Join(dir, "ehr.db"), filepath.Join(dir, "copy.db")
	at, stop := launch(t, db)
	id := at.provisioned(t, "t", "hospital", "main")
	stop()
	text, err := os.ReadFile(db)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(copied, text, 0o400); err != nil {
		t.Fatal(err)
	}
	at, stop = launch(t, db)
	old := at.trail(t)
	at.replace(t, id, at.grant(t, id).ETag, row{"main", "rx"}).want(200)
	lost := at.trail(t)
	_, future := at.bulk(t, "/entitlements")
	root := at.as(t, "", "GET", "/", nil).want(200)
	stop()

	at, stop = launch(t, db, "--restore", copied)
	if again := at.as(t, "", "GET", "/", nil).want(200); string(again.body) != string(root.body) {
		t.Errorf("root %s, was %s", again.body, root.body)
	}
	if restored := at.trail(t); string(encode(t, restored)) != string(encode(t, old)) {
		t.Errorf("trail %+v, was %+v", restored, old)
	}
	at.root(t, "GET", "/entitlements?since="+future, nil).refused(410, "snapshot-gone")
	at.replace(t, id, at.grant(t, id).ETag, row{"main", "lab"}).want(200)
	forked := at.trail(t)
	last, before := forked[len(forked)-1], lost[len(lost)-1]
	if last.Seq != before.Seq || last.Prev != before.Prev || last.Hash == before.Hash {
		t.Errorf("entry %+v, the one that was lost %+v", last, before)
	}
	checkTrail(t, forked, map[string]int64{id: 2})
	stop()
	if after, err := os.ReadFile(copied); err != nil || string(after) != string(text) {
		t.Errorf("the copy was written to: %v", err)
	}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--db", ":memory:", "--restore", copied}, 64, "--restore"},
		{[]string{"--db", db, "--restore", filepath.Join(dir, "nothing")}, 1, "restore"},
		{[]string{"--db", db, "--restore", tokensFile(t)}, 1, "restore"},
	} {
		if code, said := exitOf(t, c.args...); code != c.code || !strings.Contains(said, c.says) {
			t.Errorf("%v: exit %d: %s", c.args, code, said)
		}
	}
	again, stop := launch(t, db)
	defer stop()
	if kept := again.trail(t); len(kept) != len(forked) {
		t.Errorf("a restore that was refused left %d entries of %d", len(kept), len(forked))
	}
}

// TestADatabaseInMemoryLeavesNothingBehind looks for it while it runs: what is not
// there then is not there after a kill either.
func TestADatabaseInMemoryLeavesNothingBehind(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	at := startOn(t, ":memory:")
	id := at.provisioned(t, "t", "hospital", "main")
	for range 100 { // more than one connection's worth, and more than one checkpoint's
		at.replace(t, id, at.grant(t, id).ETag, row{"main", "rx"}).want(200)
	}
	checkTrail(t, at.trail(t), map[string]int64{id: at.grant(t, id).Revision})
	left, err := filepath.Glob(filepath.Join(temp, "ehr-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("there is %v: %v", left, err)
	}
	if tenants := startOn(t, ":memory:").all(t, "/tenants"); tenants.Total != 0 {
		t.Errorf("%d tenants in another memory", tenants.Total)
	}
}

// TestAStopAnswersWhatRuns stops the server while writes are on their way, and
// checks that each was either answered and kept, or not taken.
func TestAStopAnswersWhatRuns(t *testing.T) {
	db := filepath.Join(t.TempDir(), "ehr.db")
	at, stop := launch(t, db)
	id := at.provisioned(t, "t", "hospital", "main")
	told := at.grant(t, id)
	wrote := make(chan struct{}, 1<<16)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			g, err := try(at, id, told.ETag, row{"main", "rx"})
			if err != nil {
				return
			}
			told = g
			wrote <- struct{}{}
		}
	}()
	for range 20 {
		<-wrote
	}
	stop()
	<-ended
	if live := startOn(t, db).grant(t, id); live.Revision != told.Revision {
		t.Errorf("told revision %d, kept %d", told.Revision, live.Revision)
	}
}

func TestTheCommandLine(t *testing.T) {
	good := tokensFile(t)
	text := func(content string) string {
		file := filepath.Join(t.TempDir(), "tokens.json")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	held := filepath.Join(t.TempDir(), "held.db")
	_, stop := launch(t, held, "--instance", "first")
	stop()
	foreign := text("this is no database, but long enough to be taken for one\n" + strings.Repeat("x", 4096))
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	memory := []string{"--listen", "127.0.0.1:0", "--db", ":memory:"}
	with := func(args ...string) []string { return append(memory[:len(memory):len(memory)], args...) }
	for _, c := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"nothing", nil, 64, "--listen: missing"},
		{"no database", []string{"--listen", "127.0.0.1:0", "--tokens", good}, 64, "--db: missing"},
		{"no tokens", memory, 64, "--tokens: missing"},
		{"an unknown flag", with("--tokens", good, "--frobnicate"), 64, "frobnicate"},
		{"a flag that is not there", with("--tokens", good, "--frobnicate", "x.pem"), 64, "frobnicate"},
		{"a rate below none", with("--tokens", good, "--rate", "-1"), 64, "--rate"},
		{"a fault file that is not there", with("--tokens", good, "--fault", "/nowhere/fault.json"), 1, "no such file"},
		{"an outbox that is a folder", with("--tokens", good, "--outbox", t.TempDir()), 1, "is a directory"},
		{"an argument too many", with("--tokens", good, "serve"), 64, `"serve"`},
		{"an instance with a space", with("--tokens", good, "--instance", "a b"), 64, "--instance"},
		{"a tokens file that is not there", with("--tokens", "/nowhere/tokens.json"), 1, "no such file"},
		{"tokens that are no JSON", with("--tokens", text("hello")), 1, "tokens:"},
		{"no tokens in the file", with("--tokens", text("{}")), 1, "tokens:"},
		{"a token twice", with("--tokens", text(`{"s3cret":{"actor":"a"},"s3cret":{"actor":"b"}}`)), 1, "each token once"},
		{"an empty token", with("--tokens", text(`{"":{"actor":"a"}}`)), 1, "a token of 0 bytes"},
		{"a token with a space", with("--tokens", text(`{"s3c ret":{"actor":"a"}}`)), 1, "a token of 7 bytes"},
		{"a token without an actor", with("--tokens", text(`{"s3cret":{"roles":["support"]}}`)), 1, "actor"},
		{"an unknown role", with("--tokens", text(`{"s3cret":{"actor":"a","roles":["king"]}}`)), 1, `role "king"`},
		{"an unknown field of a token", with("--tokens", text(`{"s3cret":{"actor":"a","admin":true}}`)), 1, "tokens:"},
		{"a tokens file without end", with("--tokens", text(`{"s3cret":{"actor":"`+strings.Repeat("a", 2<<20)+`"}}`)), 1, "larger than"},
		{"a catalogue that is not there", with("--tokens", good, "--catalog", "/nowhere"), 1, "/nowhere"},
		{"two modules that gate one route", with("--tokens", good, "--catalog", catalogDir(t, `package catalog
modules: {a: {name: "A", routes: ["/x"]}, b: {name: "B", routes: ["/x"]}}
`)), 1, `route "/x"`},
		{"a route that no request can have", with("--tokens", good, "--catalog", catalogDir(t, `package catalog
modules: a: {name: "A", routes: ["/x/../y"]}
`)), 1, `route "/x/../y"`},
		{"a folder for a database", []string{"--listen", "127.0.0.1:0", "--db", t.TempDir(), "--tokens", good}, 1, "open database"},
		{"a file that is no database", []string{"--listen", "127.0.0.1:0", "--db", foreign, "--tokens", good}, 1, "open database"},
		{"another instance's database", []string{"--listen", "127.0.0.1:0", "--db", held, "--tokens", good, "--instance", "second"}, 1, `"first"`},
		{"an address that is taken", []string{"--listen", taken.Addr().String(), "--db", ":memory:", "--tokens", good}, 1, "address already in use"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			var stdout, stderr strings.Builder
			if code := main.Run(ctx, c.args, &stdout, &stderr); code != c.code {
				t.Errorf("exit %d, want %d", code, c.code)
			}
			said := strings.TrimSuffix(stderr.String(), "\n")
			if !strings.Contains(said, c.says) || strings.Contains(said, "\n") || !strings.HasPrefix(said, "ehr: ") {
				t.Errorf("standard error %q, want one line with %q", said, c.says)
			}
			if strings.Contains(said, "s3cret") {
				t.Errorf("standard error tells a token: %s", said)
			}
			if stdout.Len() > 0 {
				t.Errorf("standard output %q", stdout.String())
			}
		})
	}
	t.Run("help is help", func(t *testing.T) {
		var help strings.Builder
		if code := main.Run(t.Context(), []string{"--help"}, io.Discard, &help); code != 0 || !strings.Contains(help.String(), "--listen HOST:PORT") {
			t.Errorf("exit %d: %s", code, help.String())
		}
	})
}

func TestATokenHoldsItsRolesAndItsOwnCapabilities(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens.json")
	err := os.WriteFile(file, []byte(`{
		"reader": {"actor": "r", "capabilities": ["audit.read"]},
		"group": {"actor": "g", "capabilities": ["entitlements.*"]},
		"both": {"actor": "b", "roles": ["billing"], "capabilities": ["audit.read"]}}`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	// A flag that is given twice takes the last.
	at := start(t, "--tokens", file, "--catalog", catalogDir(t, nested))
	at.tokens = map[string]string{"reader": "reader", "group": "group", "both": "both"}
	for _, c := range []struct {
		token, path string
		status      int
	}{
		{"reader", "/audit", 200}, {"reader", "/entitlements", 403},
		{"group", "/entitlements", 200}, {"group", "/audit", 403},
		{"both", "/audit", 200}, {"both", "/clients", 200}, {"both", "/editions", 403},
	} {
		t.Run(fmt.Sprint(c.token, c.path), func(t *testing.T) {
			at.as(t, c.token, "GET", c.path, nil).want(c.status)
		})
	}
}
